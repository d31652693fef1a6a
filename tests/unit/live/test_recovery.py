"""The page of recovery: what it says of an archive, from what was recorded when it was made, and of Velero's backups."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard import render
from dashboard.actions.operation import operation_step
from dashboard.errors import ClusterError, Forbidden, Unavailable
from dashboard.kinds import KINDS
from dashboard.live.screens.recovery import RecoveryScreen, VeleroRestoreScreen
from dashboard.live.session import Session
from dashboard.models import Backup, Change, Operation
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.recovery import shelf as shelf_room
from dashboard.recovery.archive import ClusterRecord, Header
from dashboard.recovery.shelf import shelves
from dashboard.recovery.storage import Storage, archive_name
from dashboard.recovery.velero import BACKUPS, LOCATIONS, RESTORES, SCHEDULES

from .seen import everything, nothing, runtime, sees, session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def storage(tmp_path: Path, settings: Any) -> Storage:
    """With four archives of this context, the newest first 1."""
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path / "store")
    made = Storage(settings.CLUSTER_UI_BACKUP_TO)
    slug = runtime().cluster.slug
    for day in (1, 2, 3, 4):
        with made.writing(
            archive_name(slug, "all", datetime(2026, 11, 29 - day, tzinfo=UTC), encrypted=False)
        ) as file:
            file.file.write(b"archive")
            file.close()
            file.publish()
    return made


def opened() -> RecoveryScreen:
    found = runtime()
    found.cluster.name = "tests"
    screen = RecoveryScreen(session(found), QueryDict(""))
    sees(screen, everything())
    return screen


async def rows(screen: RecoveryScreen) -> list[dict[str, Any]]:
    await shelves.now(fresh=True)
    await screen._look()
    return list(screen._backups()["rows"])


async def test_counts_and_states_are_those_of_the_records(storage: Storage) -> None:
    whole, partial, damaged, _ = storage.archives()
    kept = {"context": "tests", "objects_count": 12345}
    await Backup.objects.acreate(url=whole.url, state="verified", **kept)
    missing = [{"what": "roles.rbac", "why": "Forbidden.", "objects": 0}]
    await Backup.objects.acreate(url=partial.url, name=partial.name, state="partial", missing=missing, **kept)
    await Backup.objects.acreate(
        url=damaged.url, name=damaged.name, state="verified", damaged="Cut off.", **kept
    )
    screen = opened()
    found = await rows(screen)
    assert [(each["state"], each["word"], each["objects"]) for each in found] == [
        ("ok", "Verified", "12,345"), ("warn", "Partial", "12,345"), ("bad", "Damaged", "12,345"), ("ok", "Verified", ""),
    ]  # fmt: skip
    assert found[0]["note"].startswith("Last good backup of the cluster.")
    assert "Missing: roles.rbac." in found[1]["note"]


async def test_the_newest_is_not_the_last_good_one_where_something_is_missing(storage: Storage) -> None:
    newest, *_ = storage.archives()
    missing = [{"what": "roles.rbac", "why": "Forbidden.", "objects": 0}]
    await Backup.objects.acreate(
        context="x", url=newest.url, name=newest.name, state="partial", missing=missing
    )
    screen = opened()
    found = await rows(screen)
    assert (
        "Last good backup" not in found[0]["note"] and "Last good backup of the cluster." in found[1]["note"]
    )
    second = storage.archives()[1]
    assert screen.ready.last == second
    assert shelves.last.good(runtime().cluster.slug, runtime().recognised)[0].name == second.name


VELERO = {
    "metadata": {"namespace": "velero", "name": "nightly-1", "labels": {"velero.io/schedule-name": "nightly"}},
    "spec": {"includedNamespaces": ["shop"], "storageLocation": "default"},
    "status": {
        "phase": "PartiallyFailed", "errors": 2, "startTimestamp": "2026-11-28T12:00:00Z",
        "expiration": "2099-01-01T00:00:00Z", "progress": {"itemsBackedUp": 1234, "totalItems": 1240},
    },
}  # fmt: skip


class Answers:
    """An API server with these backups of Velero, or an error."""

    def __init__(self, *items: dict[str, Any], error: ClusterError | None = None, more: str = "") -> None:
        self.body, self.error = json.dumps({"metadata": {"continue": more}, "items": items}).encode(), error
        self.asked: list[str | None] = []

    async def request(self, method: str, gvr: Any, *, namespace: str | None, **_: Any) -> Any:
        self.asked.append(namespace)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(body=self.body)


def with_velero(answers: Answers, *, may: bool = True, served: bool = True) -> RecoveryScreen:
    found = runtime()
    found.cluster.name, found.transport = "tests", answers
    if served:
        found.kinds = {**KINDS, "backups.velero.io": SimpleNamespace(gvr=BACKUPS)}
    screen = RecoveryScreen(session(found, may=may), QueryDict(""))
    sees(screen, everything())
    return screen


async def test_backups_of_velero_stand_among_the_others(storage: Storage) -> None:
    answers = Answers(VELERO, {"metadata": {"namespace": "velero", "name": "new"}, "spec": {}})
    screen = with_velero(answers)
    found = await rows(screen)
    assert [each["velero"] for each in found] == [True, True, False, False, False, False]
    row = found[1]
    assert (row["state"], row["word"], row["holds"], row["objects"]) == ("warn", "Partial", "shop", "1,234")
    for said in ("2 errors", "Kept until 2099-01-01", "By schedule nightly", "In storage location default"):
        assert said in row["note"]
    assert found[0]["at"] == "" and found[0]["word"] == "New"
    html = html_of(screen)
    assert html.count(">Velero</span>") == 2 and html.count("Restore…") == 4

    await screen._look()
    assert answers.asked == [None], "it is not asked again with each look"


async def test_what_velero_has_completed_is_restored_by_it(storage: Storage) -> None:
    unfinished = {"metadata": {"namespace": "velero", "name": "new"}, "spec": {}}
    screen = with_velero(Answers(VELERO, unfinished))
    screen.runtime.kinds = {**screen.runtime.kinds, "restores.velero.io": SimpleNamespace(gvr=RESTORES)}  # type: ignore[misc]
    await rows(screen)
    html = html_of(screen)
    assert html.count("Restore…") == 5
    assert "?by=velero&backup=nightly-1&home=velero" in html and "backup=new&" not in html


@pytest.mark.parametrize("may", [True, False])
async def test_a_restore_by_velero_is_told_to_whoever_began_it_and_who_may_list_restores(
    may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def review(*_: object) -> None:
        return None

    monkeypatch.setattr(Session, "review", review)
    found = runtime()
    found.cluster.name = "tests"
    found.kinds = {**KINDS, "restores.velero.io": SimpleNamespace(gvr=RESTORES)}
    for by in ("mara", "jon"):
        change = await Change.objects.acreate(
            user=(await User.objects.aget_or_create(username=by))[0], context="tests", action="velero-restore",
            plural="restores.velero.io", kind="Restore", namespace="velero", name="back", nonce=by, state="done",
            result={"backup": "nightly-1", "namespaces": ["shop"], "manifest": {}},
        )  # fmt: skip
        steps = [
            operation_step("make", "Create Restore back"),
            operation_step("follow", "Velero restores it"),
        ]
        await Operation.objects.acreate(change=change, steps=steps)
        screen = VeleroRestoreScreen(session(found, may=may), QueryDict(""), change.pk)
        if may or screen.session.identity.user == by:
            await screen.prepare()
            assert "nightly-1 into shop" in screen.what()
        else:
            with pytest.raises(Forbidden) as refused:
                await screen.prepare()
            assert "nightly" not in refused.value.message


async def test_velero_is_not_asked_where_it_is_not_there_or_may_not_be_listed(storage: Storage) -> None:
    for less in ({"served": False}, {"may": False}):
        answers = Answers(VELERO)
        found = await rows(with_velero(answers, **less))
        assert not any(each["velero"] for each in found) and answers.asked == []


async def test_a_right_that_is_lost_takes_velero_s_backups_away_with_the_next_look(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = with_velero(Answers(VELERO))
    assert any(each["velero"] for each in await rows(screen))

    async def decide(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(type(screen.session), "decide", decide)
    await screen._look()
    assert screen.velero.rows == () and not any(each["velero"] for each in screen._backups()["rows"])


async def test_why_velero_can_t_be_told_is_said(storage: Storage) -> None:
    screen = with_velero(Answers(error=Unavailable("It is away.")))
    assert len(await rows(screen)) == 4
    assert "Velero's backups can't be shown. It is away." in html_of(screen)
    screen = with_velero(Answers(VELERO, more="next"))
    await rows(screen)
    assert "more backups than are listed" in html_of(screen)


class ByKind:
    """An API server with these objects of each kind."""

    def __init__(self, **items: list[dict[str, Any]]) -> None:
        self.items = items

    async def request(self, method: str, gvr: Any, *, namespace: str | None, **_: Any) -> Any:
        found = self.items.get(gvr.plural, [])
        return SimpleNamespace(body=json.dumps({"metadata": {}, "items": found}).encode())


async def test_schedules_restores_and_storage_locations_are_listed_in_plain_words(storage: Storage) -> None:
    def made(name: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
        return {"metadata": {"namespace": "velero", "name": name}, "spec": spec, "status": status}

    template = {"includedNamespaces": ["shop"], "ttl": "720h0m0s", "storageLocation": "default"}
    nightly = {"schedule": "0 2 * * *", "template": template}
    answers = ByKind(
        schedules=[
            made("weekly", nightly | {"paused": True}, phase="Enabled"),
            made("nightly", nightly, phase="Enabled", lastBackup="2026-11-28T02:00:00Z"),
            made("wrong", {"schedule": "x"}, phase="FailedValidation", validationErrors=["invalid schedule"]),
        ],
        restores=[made("back", {"backupName": "nightly-1"}, phase="PartiallyFailed", errors=2)],
        backupstoragelocations=[made("default", {"provider": "aws"}, phase="Unavailable", message="403")],
    )
    screen = with_velero(answers)  # type: ignore[arg-type]
    kinds = {
        f"{gvr.plural}.{gvr.group}": SimpleNamespace(gvr=gvr) for gvr in (SCHEDULES, RESTORES, LOCATIONS)
    }
    screen.runtime.kinds = {**screen.runtime.kinds, **kinds}  # type: ignore[misc]
    await rows(screen)
    schedules, restores, locations = screen._velero()["tables"]
    nightly_row, weekly, wrong = schedules["rows"]
    assert (nightly_row["state"], nightly_row["word"]) == ("ok", "Enabled")
    assert nightly_row["holds"] == "shop, every day at 02:00 (0 2 * * *), kept for 30 days"
    assert (
        "The next backup begins on " in nightly_row["note"]
        and "storage location default" in nightly_row["note"]
    )
    assert nightly_row["at"] == "2026-11-28T02:00:00Z"
    assert (weekly["word"], weekly["at"]) == ("Paused", "") and "next backup" not in weekly["note"]
    assert wrong["state"] == "bad" and "invalid schedule" in wrong["note"]
    assert "2 errors" in restores["rows"][0]["note"] and "from nightly-1" in restores["rows"][0]["holds"]
    assert locations["rows"][0]["word"] == "Unavailable" and "403" in locations["rows"][0]["note"]
    html = unescape(render.region("recovery_velero", screen._velero()).html)
    assert "Schedules" in html and "every day at 02:00" in html
    assert "<table" not in render.region("recovery_velero", with_velero(Answers())._velero()).html


async def test_a_cluster_that_velero_alone_backs_up_was_not_never_backed_up(
    tmp_path: Path, settings: Any
) -> None:
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path)
    done = VELERO | {"status": {"phase": "Completed", "startTimestamp": "2026-11-28T12:00:00Z"}}
    for answers, headline in (
        (Answers(done), "Backed up by Velero only"),
        (Answers(VELERO), "Never backed up"),
    ):
        screen = with_velero(answers)
        await rows(screen)
        head = screen._head()
        assert head["headline"] == headline
        assert ("backup, of shop, began" in head["text"]) is (headline != "Never backed up")


async def test_a_backup_of_another_cluster_that_had_the_name_is_no_good_one_of_this(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `make clean`, which leaves backups alone and makes another sandbox."""
    newest, second, third, oldest = storage.archives()

    def of(uid: str) -> Header:
        return Header(cluster=ClusterRecord(context="tests", uid=uid), at="", id="1")

    headers: dict[str, Header | None] = {
        newest.name: of("before"),
        second.name: of("now"),
        third.name: of(""),
        oldest.name: of("before"),
    }
    monkeypatch.setattr(shelf_room, "_header", lambda _, stored: headers[stored.name])
    monkeypatch.setattr(shelves, "_headers", {})
    screen = opened()
    screen.runtime.recognised = Recognised("now", "tests", EVER)
    found = await rows(screen)
    assert ["Of another cluster" in each["note"] for each in found] == [True, False, False, True]
    assert found[1]["note"].startswith("Last good backup of the cluster.") and screen.ready.last == second
    sees(
        screen, everything(namespaces=nothing("namespaces"))
    )  # the dashboard itself knows which cluster it is
    assert screen.ready.last == second
    # What can't be read here, and is older than the cluster, may be of another one.
    headers[second.name] = headers[third.name] = None
    monkeypatch.setattr(shelves, "_headers", {})
    await shelves.now(fresh=True)
    screen.runtime.recognised = Recognised("now", "tests", second.at)
    found = await rows(screen)
    assert ["Perhaps of another cluster" in each["note"] for each in found] == [False, False, True, False]
    assert screen.ready.last == second


async def test_where_backups_go_without_a_setting_is_said_plainly(tmp_path: Path, settings: Any) -> None:
    settings.CLUSTER_UI_BACKUP_TO = settings.CLUSTER_UI_BACKUPS = str(tmp_path)
    screen = opened()
    await rows(screen)
    assert str(tmp_path) in html_of(screen) and "lost with it" in html_of(screen)
    settings.CLUSTER_UI_BACKUPS = "/elsewhere"
    assert str(tmp_path) not in html_of(screen)


async def drilled(day: int, *, context: str = "tests", over: bool = True, **compared: Any) -> Change:
    """A drill of that day of November, by what became of its comparison."""
    at = datetime(2026, 11, day, tzinfo=UTC)
    change = await Change.objects.acreate(
        user=(await User.objects.aget_or_create(username="mara"))[0], context=context, action="drill", nonce=f"{day}",
        result={"archive": f"file:///store/tests_{day}.tar.zst"}, created_at=at,
    )  # fmt: skip
    step = {"do": "compare", "state": "done", "text": f"3 of 3 objects, on {day}.", "failed": 0} | compared
    await Operation.objects.acreate(
        change=change, state="done" if over else "running", steps=[step], created_at=at
    )
    return change


def tile(screen: RecoveryScreen) -> dict[str, str]:
    [found] = [each for each in screen._head()["tiles"] if each["title"] == "Last drill passed"]
    return found


async def test_drills_are_listed_and_the_last_that_passed_is_told_on_top(storage: Storage) -> None:
    screen = opened()
    await rows(screen)
    assert (tile(screen)["value"], tile(screen)["state"]) == ("never", "warn")
    assert "No drill yet" in render.region("recovery_drills", screen._drills()).html
    passed = await drilled(2)
    failed = await drilled(3, text="2 of 3 objects, 1 failed.", failed=1)
    stopped = await drilled(4, do="write", state="left", text="The archive is damaged.")
    running = await drilled(5, over=False, do="write", text="")
    await drilled(6, context="other")
    await rows(screen)
    told = screen._drills()["rows"]
    assert [(each["state"], each["title"], each["name"], each["text"]) for each in told] == [
        ("warn", "Under way", "tests_5.tar.zst", "It is in progress."),
        ("bad", "Failed", "tests_4.tar.zst", "The archive is damaged."),
        ("bad", "Failed", "tests_3.tar.zst", "2 of 3 objects, 1 failed."),
        ("ok", "Passed", "tests_2.tar.zst", "3 of 3 objects, on 2."),
    ]
    html = unescape(render.region("recovery_drills", screen._drills()).html)
    for change in (passed, failed, stopped, running):
        assert f'href="/changes/{change.pk}/"' in html
    assert "Passed: " in html and "2026-11-02T00:00:00Z" in html
    assert tile(screen)["value"].isdigit() and tile(screen)["of"].endswith(" ago")
    assert (tile(screen)["state"], tile(screen)["note"]) == ("", "3 of 3 objects, on 2.")
    head = render.region("recovery_head", screen._head()).html
    assert "Last drill passed" in head and "3 of 3 objects, on 2." in head


async def test_a_drill_that_passed_is_told_behind_however_many_that_did_not(storage: Storage) -> None:
    await drilled(1)
    for day in range(2, 16):
        await drilled(day, failed=1)
    screen = opened()
    await rows(screen)
    assert {each["state"] for each in screen._drills()["rows"]} == {"bad"}
    assert (tile(screen)["value"] != "never", tile(screen)["note"]) == (True, "3 of 3 objects, on 1.")


async def test_a_drill_of_another_cluster_that_had_the_name_is_none_of_this(storage: Storage) -> None:
    await drilled(1)
    screen = opened()
    screen.runtime.recognised = Recognised("now", "tests", datetime(2026, 11, 2, tzinfo=UTC))
    await rows(screen)
    assert (screen._drills()["rows"], tile(screen)["value"]) == ([], "never")


async def test_that_there_is_no_storage_is_said_once(settings: Any) -> None:
    settings.CLUSTER_UI_BACKUP_TO = ""
    screen = opened()
    await rows(screen)
    assert screen._head()["headline"] == "No storage for backups is configured"
    assert "onfigured" not in html_of(screen) and "hidden>" in html_of(screen)
    refused = with_velero(Answers(error=Unavailable("Away.")))
    await rows(refused)
    assert "hidden>" not in html_of(refused) and "Away." in html_of(refused)


def html_of(screen: RecoveryScreen) -> str:
    return unescape(render.region("recovery_backups", screen._backups()).html).replace("<wbr>", "")


@pytest.mark.parametrize(("item", "again"), [({"metadata": {"name": "new"}}, 2), (VELERO, 1)])
async def test_what_velero_has_not_finished_is_looked_at_sooner(
    storage: Storage, item: dict[str, Any], again: int
) -> None:
    answers = Answers(item)
    screen = with_velero(answers)
    await rows(screen)
    screen._velero_at -= 30  # as half a minute later
    await screen._look()
    assert len(answers.asked) == again
