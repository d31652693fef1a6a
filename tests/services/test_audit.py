"""The audit's chain in real databases: several processes at once, one that is killed, and whoever writes SQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.databases import Postgres
from tools.server import ROOT, Server

ENTRIES = "dashboard_auditentry"
MANY = 500
SECONDS = 300.0
ADDS = """
import sys, time, pathlib, django
django.setup()
from django.db import OperationalError
from dashboard.models import AuditEntry
name, many, ready, go = sys.argv[1], int(sys.argv[2]), *map(pathlib.Path, sys.argv[3:])
ready.touch()
while not go.exists():
    time.sleep(0.01)
for number in range(many):
    while True:
        try:
            AuditEntry.objects.create(user_name=name, action="scale", result="done", detail=str(number))
            break
        except OperationalError as error:  # SQLite's lock is not fair: on a busy machine one waits in vain
            assert "locked" in str(error)
"""
# The migration over rows that are there, one of which somebody once deleted; then retention.
TAKES_IN = """
import django
django.setup()
from datetime import UTC, datetime, timedelta
from django.core.management import call_command
from django.db import connection
call_command("migrate", "dashboard", "0027", verbosity=0)
with connection.cursor() as cursor:
    for number in (3, 4, 6, 9):
        cursor.execute("INSERT INTO dashboard_auditentry (id, at, user_name, context, action, plural, namespace, "
            "name, detail, result, reason) "
            "VALUES (%s, now(), 'mara', '', 'scale', '', '', 'w\u00f6rk', '', 'done', '')", [number])
call_command("migrate", verbosity=0)
from dashboard.audit.checkpoints import audit_prune
from dashboard.models import AuditEntry
AuditEntry.objects.create(user_name="jon", action="scale", result="done", keys=["/spec/replicas"])
AuditEntry.objects.bulk_create([AuditEntry(user_name="jon", action="evict", result="done") for _ in range(3)])
assert audit_prune(datetime.now(UTC) + timedelta(days=1), 1) == 1
call_command("audit", "verify", "--format", "json")
"""
GOES_BACK = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("audit", "verify", "--format", "json")
call_command("migrate", "dashboard", "0027", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("UPDATE dashboard_auditentry SET detail = 'nobody minds now'")
call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE dashboard_auditentry DISABLE TRIGGER USER")
    cursor.execute("UPDATE dashboard_auditentry SET detail = 'other' WHERE id = 2")
call_command("audit", "verify")
"""
# A migration that changes both tables, which SQLite makes anew, and its way back.
REMAKES = """
import json, django
django.setup()
from django.core.management import call_command
from django.db import DatabaseError, connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from dashboard.audit.guards import ENTRIES, guards_found, guards_names, without_guards
from dashboard.models import AuditEntry

def guards():
    with connection.cursor() as cursor:
        cursor.execute(guards_found(connection.vendor))
        return {name for (name,) in cursor.fetchall()} & guards_names(connection.vendor)

def refused(statement):
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return "audit" in str(error)
    return False

def run(operations, back=False):
    migration = migrations.Migration("9999_remade", "dashboard")
    migration.operations = operations
    state = MigrationExecutor(connection).loader.project_state()
    with connection.schema_editor(atomic=True) as editor:
        (migration.unapply if back else migration.apply)(state, editor)

for number in range(4):
    AuditEntry.objects.create(user_name="mara", action="scale", result="done", detail=str(number))
changes = [
    migrations.AlterField("auditentry", "action", models.CharField(max_length=60)),
    migrations.AddField("auditentry", "more", models.CharField(max_length=5, default="")),
    migrations.AddField("auditcheckpoint", "more", models.CharField(max_length=5, default="")),
]
if connection.vendor == "sqlite":
    for change in changes:
        try:
            run([change])
        except DatabaseError as error:
            assert "error in trigger audit_" in str(error)
        else:
            raise AssertionError("SQLite does this by now: without_guards is needed no more")
for back in (False, True):
    run(without_guards(*changes), back)
    assert guards() == guards_names(connection.vendor), guards()
    assert refused(f"UPDATE {ENTRIES} SET detail = 'other' WHERE id = 2")
    assert refused(f"DELETE FROM {ENTRIES} WHERE id = 2")
    if back:
        AuditEntry.objects.create(user_name="mara", action="scale", result="done")
call_command("audit", "verify", "--format", "json")
"""
COLUMNS = "user_name, context, action, plural, namespace, name, detail, result, reason, address, sign_in, session, keys"
REFUSED = [
    f"UPDATE {ENTRIES} SET detail = 'other' WHERE id = 2",
    f"DELETE FROM {ENTRIES} WHERE id = 3",
    f"TRUNCATE {ENTRIES}",
    "TRUNCATE dashboard_auditcheckpoint",
    f"INSERT INTO {ENTRIES} (id, at, {COLUMNS}, previous, key, hash) "
    f"SELECT 99, at, {COLUMNS}, previous, key, hash FROM {ENTRIES} WHERE id = 2",
    "INSERT INTO dashboard_auditcheckpoint (at, through, hash, entries, key, seal) VALUES (now(), 3, 'x', 3, '', '')",
    "UPDATE dashboard_auditcheckpoint SET through = 3",
    "DELETE FROM dashboard_auditcheckpoint",
]


def python(server: Server, program: str, *words: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", program, *words], cwd=ROOT, stdout=out, stderr=out,
            env=server.environment | {"DJANGO_SETTINGS_MODULE": "cluster_ui.settings"},
        )  # fmt: skip


def told(server: Server, program: str, code: int) -> list[str]:
    log = server.home / "program.log"
    assert python(server, program, log=log).wait(SECONDS) == code, log.read_text()
    return [line for line in log.read_text().splitlines() if " dashboard.audit: " not in line]


def logged(path: Path) -> list[dict[str, Any]]:
    """The entries in a log; its last line may have been cut off."""
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line.partition(" entry ")[2]) for line in lines if " entry {" in line]


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not there():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def test_processes_share_one_chain_though_one_is_killed(made: Server) -> None:
    go, logs = made.home / "go", {name: made.home / f"{name}.log" for name in ("one", "two", "killed")}
    at_once = {
        name: python(
            made,
            ADDS,
            name,
            str(MANY if name != "killed" else 10**9),
            f"{made.home}/{name}.ready",
            str(go),
            log=log,
        )
        for name, log in logs.items()
    }
    try:
        until(lambda: all((made.home / f"{name}.ready").exists() for name in logs))
        go.touch()
        assert [at_once[name].wait(SECONDS) for name in ("one", "two")] == [0, 0]
        until(lambda: len(logged(logs["killed"])) > 40)
    finally:
        for process in at_once.values():
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
    said = json.loads(made.manage("audit", "verify", "--format", "json"))
    assert said["whole"] and said["entries"] == said["last"] > 2 * MANY + 40
    export = {line["id"]: line for line in map(json.loads, made.manage("audit", "export").splitlines())}
    assert list(export) == list(range(1, said["last"] + 1)) and export[said["last"]]["hash"] == said["hash"]
    lines = [line for log in logs.values() for line in logged(log)]
    assert said["last"] - len(lines) <= 1, "of the entry at which it was killed the line may be missing"
    assert all(export[line["id"]] == line for line in lines), "a line of the log is what the database keeps"
    names = [line["user_name"] for line in export.values()]
    assert sum(a != b for a, b in pairwise(names)) > 2, "they took turns"


def test_postgresql_itself_refuses(postgres: Postgres, tmp_path: Path) -> None:
    server = Server(tmp_path, tmp_path / "none", DATABASE_URL=postgres.database("refusing"))
    said = json.loads(told(server, TAKES_IN, 0)[-1])
    assert said["whole"] and (said["through"], said["entries"], said["last"]) == (1, 7, 8)
    with closing(psycopg.connect(server.environment["DATABASE_URL"], autocommit=True)) as connection:
        for statement in REFUSED:
            with pytest.raises(psycopg.errors.RaiseException, match=r"audit|checkpoint"):
                connection.execute(statement.encode())
    again, *lines = told(server, GOES_BACK, 1)
    assert json.loads(again) == said, "nothing of all that did anything"
    assert (
        "trigger: The trigger audit_entry_stays is missing, or off: the database lets entries be changed."
        in lines
    )
    assert any(line.startswith("entry 2: changed") for line in lines)


def test_a_migration_that_makes_a_table_anew_keeps_its_triggers(made: Server) -> None:
    said = json.loads(told(made, REMAKES, 0)[-1])
    assert said["whole"] and said["entries"] == 5
