"""Replicas that start together on an empty PostgreSQL: each brings its tables up to date first."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
from django.conf import settings

from dashboard.management.commands.migrate import LOCK
from tests.databases import Postgres
from tools.server import ROOT, Server

SECONDS = 300.0
WAITS_SECONDS = settings.DATABASE_SECONDS + 1  # longer than any other question waits for a lock


def migrating(server: Server) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--noinput"], cwd=ROOT, env=server.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_the_replicas_of_an_empty_database_migrate_it_one_after_the_other(
    postgres: Postgres, nowhere: Path, tmp_path: Path
) -> None:
    url = postgres.database("migrated")
    servers = [Server(tmp_path / name, nowhere, DATABASE_URL=url) for name in ("a", "b", "c")]
    # Held until each of them waits: so all are at the same point.
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        processes = [migrating(server) for server in servers]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while connection.execute(waiting).fetchone() != (len(processes),):
            assert all(process.poll() is None for process in processes), "it waits for nobody"
        connection.execute("SELECT pg_sleep(%s)", [WAITS_SECONDS])
    said = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert sorted("No migrations to apply." in each for each in said) == [False, True, True], said
