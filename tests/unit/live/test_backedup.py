"""From an object's page to its restore: only where a backup may hold the object."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds import KINDS
from dashboard.live.screens import backedup
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.recovery.archive import ClusterRecord, Header
from dashboard.recovery.shelf import Shelf
from dashboard.recovery.storage import Stored

RUNTIME: Any = SimpleNamespace(
    cluster=SimpleNamespace(slug="prod"), recognised=Recognised("now", "prod", EVER)
)


def stored(name: str, scope: str, *, day: int, encrypted: bool = False, slug: str = "prod") -> Stored:
    at = datetime(2026, 11, day, tzinfo=UTC)
    return Stored(name=name, url=name, slug=slug, scope=scope, at=at, encrypted=encrypted, size_bytes=1)


def header(*namespaces: str) -> Header:
    return Header(cluster=ClusterRecord(context="prod"), at="", id="1", namespaces=namespaces)


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Shelf(
        configured=True, bad=frozenset({"damaged"}), headers={"blog": header("blog")},
        uids={"former": "then", "sealed": "now"},
        stored=[
            stored("other", "all", day=9, encrypted=True, slug="dev"), stored("damaged", "all", day=8, encrypted=True),
            stored("former", "all", day=10, encrypted=True),
            stored("blog", "blog", day=7), stored("plain", "all", day=6), stored("sealed", "all", day=5, encrypted=True),
        ],
    )  # fmt: skip
    monkeypatch.setattr(backedup, "shelves", SimpleNamespace(soon=lambda: found))


def asked(plural: str, namespace: str, name: str) -> dict[str, str]:
    url = backedup.restore_url(RUNTIME, KINDS[plural], namespace, name)
    assert not url or url.startswith("/c/prod/recovery/restore/?")
    return QueryDict(url.partition("?")[2]).dict()


def test_the_newest_that_may_hold_it_is_chosen() -> None:
    assert asked("configmaps", "shop", "web") == {
        "archive": "plain", "namespace": "shop", "only": "configmaps/web", "conflict": "update",
    }  # fmt: skip
    assert asked("deployments", "blog", "web")["archive"] == "blog"
    assert asked("deployments", "blog", "web")["only"] == "deployments.apps/web"
    assert asked("secrets", "blog", "key")["archive"] == "sealed"


def test_what_is_in_no_namespace_has_its_kind_named() -> None:
    found = asked("clusterroles", "", "edit")
    assert found["cluster_kinds"] == "clusterroles.rbac.authorization.k8s.io" and "namespace" not in found


def test_what_is_in_no_backup_has_no_way() -> None:
    assert asked("events", "shop", "web.1") == {}
