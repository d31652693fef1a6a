"""The bounds of backups under way, in real databases: several processes that all see a free place at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dashboard.actions.cluster_backup import MAX_AT_ONCE
from tools.server import ROOT, Server

SECONDS = 300.0
# Begins a backup as somebody, but waits until so many processes have found that there is room for theirs.
BEGINS = """
import asyncio, os, pathlib, sys, time, django
django.setup()
from types import SimpleNamespace
from django.contrib.auth.models import User
from dashboard.actions import cluster_backup as machine, token as tokens
from dashboard.actions.action import Actor
from dashboard.database import in_database
from dashboard.errors import ClusterError

name, many, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
real = machine.record_begun

def record_begun(*given):
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < many:
        time.sleep(0.01)
    return real(*given)

machine.record_begun = record_begun

async def begin():
    user, _ = await in_database(User.objects.get_or_create)(username=name)
    cluster = SimpleNamespace(name="dev", slug="dev", server="https://dev", is_sandbox=True)
    order = machine.BackupOrder(
        transport=SimpleNamespace(cluster=cluster), actor=Actor(user=user, name=name, sign_in=""),
        asked=machine.Asked(),
    )
    shown = machine.Shown(**machine._facts(order), nonce=tokens.new_nonce())
    try:
        await machine.backup_begin(order, tokens.sign(shown, machine.SALT))
        print("begun")
    except ClusterError as error:
        print(type(error).__name__)

asyncio.run(begin())
"""
COUNTS = """
from dashboard.models import AuditEntry, Change, Operation
print(*(each.objects.count() for each in (Change, Operation, AuditEntry)))
"""


@pytest.mark.parametrize(
    ("people", "begun", "refused"),
    [(["mara"] * 3, 1, "BackupUnderWay"), ([f"p{at}" for at in range(6)], MAX_AT_ONCE, "TooManyRequests")],
)
def test_of_many_at_the_same_moment_as_many_begin_as_may(
    made: Server, tmp_path: Path, people: list[str], begun: int, refused: str
) -> None:
    folder = tmp_path / "looked"
    folder.mkdir()
    environment = made.environment | {
        "DJANGO_SETTINGS_MODULE": "cluster_ui.settings", "CLUSTER_UI_BACKUP_TO": str(tmp_path / "store"),
    }  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, "-c", BEGINS, name, str(len(people)), str(folder)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in people
    ]  # fmt: skip
    said = [process.communicate(timeout=SECONDS) for process in running]
    found = Counter(out.strip() for out, _ in said)
    assert found == {"begun": begun, refused: len(people) - begun}, said
    assert made.manage("shell", "-v0", "-c", COUNTS).split()[-3:] == [str(begun)] * 3
