"""A dashboard over a real PostgreSQL and a real Redis, with a cluster that is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Postgres
from tools.server import Server


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster whose API server nobody answers for."""
    path = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "tests", "context": {"cluster": "c", "user": "u"}}
    path.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests", "clusters": [cluster],
            "contexts": [context], "users": [{"name": "u", "user": {"token": "t"}}],
        })
    )  # fmt: skip
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path: Path, nowhere: Path) -> Iterator[Server]:
    """A dashboard's database, migrated; no server runs."""
    more = {}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        more = {"DATABASE_URL": postgres.database("migrated")}
    server = Server(tmp_path, nowhere, CLUSTER_UI_LOG_LEVEL="ERROR", **more)
    server.manage("migrate", "--verbosity", "0")
    yield server
