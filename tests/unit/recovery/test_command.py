"""``manage.py backup``: what it prints, deletes and remembers."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from dashboard.errors import Unavailable
from dashboard.management.backup_restore import Line, Outcome
from dashboard.management.commands import backup
from dashboard.models import AuditEntry
from dashboard.models import Backup as Row
from dashboard.recovery import records
from dashboard.recovery.archive import LeftOut, verify
from dashboard.recovery.create import Made
from dashboard.recovery.storage import Storage, archive_name
from tests.unit.recovery import made

pytestmark = [pytest.mark.django_db]
KEY = pyrage.x25519.Identity.generate()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("backup", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def put(folder: str, raw: bytes, days: float = 0, scope: str = "all") -> str:
    name = archive_name(
        "test", scope, datetime.now(UTC) - timedelta(days=days), encrypted=b"age-encryption" in raw[:20]
    )
    with Storage(folder).writing(name) as pending:
        pending.file.write(raw)
        pending.close()
        pending.publish()
    return pending.url


@pytest.fixture
def makes(monkeypatch: pytest.MonkeyPatch, folder: str):
    """Stands for the cluster: makes this archive, or raises this."""

    def make(result: bytes | BaseException) -> None:
        async def cluster(context: str) -> Any:
            return type("Cluster", (), {"name": "test", "slug": "test"})

        async def create(cluster: Any, storage: Storage, wanted: Any) -> Made:
            if isinstance(result, BaseException):
                raise result
            return Made(put(folder, result), verify(io.BytesIO(result)))

        monkeypatch.setattr(backup, "_cluster", cluster)
        monkeypatch.setattr(backup, "_made", create)

    return make


def test_create_prints_what_was_made_and_remembers_it(makes, folder: str) -> None:
    makes(made.archive())
    said = json.loads(
        run("create", "--to", folder, "--without-secrets", "--namespace", "shop", "--format", "json")
    )
    assert Path(said["archive"]).exists() and said["objects"] == 4 and said["complete"]
    assert said["kinds"]["configmaps"] == 2 and said["left_out"][0]["what"] == "volume data"
    row = Row.objects.get()
    assert (row.state, row.url, row.objects_count, row.namespaces) == (
        "verified",
        said["archive"],
        4,
        ["shop"],
    )
    assert row.sha256 == said["sha256"] and row.verified_at is not None
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.context, entry.namespace, entry.result) == (
        "backup create",
        "test",
        "shop",
        "done",
    )
    listed = json.loads(run("list", "--to", folder, "--format", "json"))["archives"]
    assert [(each["archive"], each["state"], each["scope"]) for each in listed] == [
        (row.url, "verified", "all")
    ]


def test_what_is_missing_is_said_first(makes, folder: str) -> None:
    file = io.BytesIO()
    with made.ArchiveWriter(file, made.header()) as writer:
        writer.finish(left_out=[LeftOut(what="roles.rbac", why="Forbidden.", wanted=True)])
    makes(file.getvalue())
    assert "MISSING roles.rbac: Forbidden." in run("create", "--to", folder, "--without-secrets")
    assert (Row.objects.get().state, Row.objects.get().missing[0]["what"]) == ("partial", "roles.rbac")


def test_a_failure_is_remembered_with_its_reason(makes, folder: str) -> None:
    makes(Unavailable("The cluster is away."))
    with pytest.raises(CommandError, match="The cluster is away"):
        run("create", "--to", folder, "--without-secrets")
    assert (Row.objects.get().state, Row.objects.get().error) == ("failed", "The cluster is away.")
    assert AuditEntry.objects.get().result == "failed"
    makes(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run("create", "--to", folder, "--without-secrets")
    assert Row.objects.filter(error="It was interrupted.").count() == 1


def test_what_a_cluster_says_neither_moves_the_cursor_nor_looks_like_another_line(
    makes, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    makes(Unavailable("no room\x1b[2J\rin it"))
    with pytest.raises(SystemExit):
        backup.Command().run_from_argv(["manage.py", "backup", "create", "--to", folder, "--without-secrets"])
    assert "no room⟨U+001B⟩[2J in it" in capsys.readouterr().err
    webhook = Line(object="a", into="Pod a", state="failed", word="failed", text="denied\nPod b\tcreated")
    outcome = Outcome(archive="a", context="test", state="failed", text="1 object failed.", lines=(webhook,))
    assert [*outcome.told("text")] == ["Pod a\tfailed\tdenied Pod b created", "1 object failed."]


def test_secrets_need_a_recipient_before_anything_is_asked(folder: str) -> None:
    with pytest.raises(CommandError, match="Secrets need a recipient"):
        run("create", "--to", folder)
    with pytest.raises(CommandError, match="No storage for backups was given"):
        run("create", "--without-secrets")
    assert not Row.objects.exists()


def test_without_a_database_it_is_made_all_the_same(
    makes, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("no such table")

    for name in ("begun", "ended", "known"):
        monkeypatch.setattr(records, name, away)
    makes(made.archive())
    assert "Not recorded" in run("create", "--to", folder, "--without-secrets")
    assert "Not recorded" in run("list", "--to", folder)
    assert len(Storage(folder).archives()) == 1


def test_verify_tells_the_whole_from_the_damaged(folder: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    raw = made.archive(recipients=[KEY.to_public()])
    whole, cut = put(folder, raw), put(folder, raw[:-40])
    for url in (whole, cut):
        Row.objects.create(context="test", by="x", url=url, name=url.rsplit("/")[-1], state="verified")
    assert "Whole: 4 objects." in run("verify", whole, "--identity", str(tmp_path / "key"))
    assert Row.objects.get(url=whole).verified_at is not None
    out = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command(
            "backup",
            "verify",
            cut,
            whole,
            "--identity",
            str(tmp_path / "key"),
            "--format",
            "json",
            stdout=out,
        )
    assert [each["whole"] for each in json.loads(out.getvalue())["archives"]] == [False, True]
    assert "damaged" in Row.objects.get(url=cut).damaged
    with pytest.raises(SystemExit):  # without a key nobody knows
        run("verify", whole)
    assert Row.objects.get(url=whole).damaged == ""


def test_prune_deletes_what_no_rule_keeps_and_says_so(folder: str) -> None:
    urls = [put(folder, made.archive(), days) for days in (0, 1, 2, 3)]
    for url in urls:
        Row.objects.create(context="test", by="x", url=url, name=url.rsplit("/")[-1], state="verified")
    Row.objects.filter(url=urls[0]).update(damaged="It is damaged.")
    dry = json.loads(run("prune", "--to", folder, "--keep", "last=2", "--dry-run", "--format", "json"))
    assert [each["kept"] for each in dry["archives"]] == [False, True, True, False] and dry["dry_run"]
    assert len(Storage(folder).archives()) == 4
    said = run("prune", "--to", folder, "--keep", "last=2")
    assert f"{urls[0]}\tdeleted" in said and f"{urls[1]}\tkept: last 1 of 2" in said
    assert [each.url for each in Storage(folder).archives()] == urls[1:3]
    assert set(Row.objects.exclude(gone_at=None).values_list("url", flat=True)) == {urls[0], urls[3]}
    assert list(AuditEntry.objects.values_list("action", "detail").distinct()) == [
        ("backup prune", "Kept are last=2.")
    ]


def test_one_that_never_ended_is_told_as_interrupted() -> None:
    old = records.begun(context="test", place="", by="x", namespaces=[], labels="")
    Row.objects.update(began_at=datetime.now(UTC) - timedelta(days=2))
    new = records.begun(context="test", place="", by="x", namespaces=[], labels="")
    assert (Row.objects.get(pk=old.pk).state, Row.objects.get(pk=new.pk).state) == ("failed", "running")
