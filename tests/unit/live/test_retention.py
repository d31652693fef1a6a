"""Every table has a bound or a retention, kept by the server itself, in slices."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from dashboard.live import retention
from dashboard.live.retention import Retention, kept_words, remove_some
from dashboard.models import (
    AccountMapping,
    AuditEntry,
    Backup,
    Change,
    ClusterPermit,
    ColumnChoice,
    ConfigMapContent,
    ConfigMapVersion,
    ExternalIdentity,
    HourlyFigures,
    Operation,
    SeenCluster,
    SignedIn,
    SigninLink,
    TimelineEvent,
)
from dashboard.preferences import MAX_KINDS, columns_remember
from dashboard.queries.seenclusters import recognise
from dashboard.sessionstore import SessionStore

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC)

# What takes rows away from each table, or why there are never many.
KEPT = {
    "sessions.Session": "retention",
    "dashboard.SigninLink": "retention",
    "dashboard.TimelineEvent": "retention",
    "dashboard.AuditEntry": "retention",
    "dashboard.AuditCheckpoint": "the newest alone",
    "dashboard.Change": "retention",
    "dashboard.Operation": "retention",
    "dashboard.OperationResult": "retention",
    "dashboard.ConfigMapVersion": "retention",
    "dashboard.ConfigMapContent": "retention",
    "dashboard.Recording": "retention",
    "dashboard.RecordingPiece": "retention",
    "dashboard.HourlyFigures": "retention",
    "dashboard.ProblemSpan": "retention",
    "dashboard.ColumnChoice": "the latest of a person",
    "dashboard.ClusterPermit": "one a cluster, by its owner's word",
    "auth.User": "made on the command line; whom an issuer or a cluster vouched for by retention",
    "auth.Group": "not used",
    "auth.Permission": "made by migrations",
    "contenttypes.ContentType": "made by migrations",
    "dashboard.ExternalIdentity": "goes with its user",
    "dashboard.SignedIn": "goes with its session",
    "dashboard.AccountMapping": "2,000, by administrators",
    "dashboard.Backup": "retention",
    "dashboard.SeenCluster": "retention",
    "dashboard.AddedCluster": "100 at once, by administrators; removed ones by retention",
}


@pytest.fixture
def mara() -> User:
    return User.objects.create(username="mara")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)


def happening(context: str, number: int, age: timedelta) -> TimelineEvent:
    return TimelineEvent(context=context, key=f"{context}-{number}", at=NOW - age, type="added")


def change(user: User, age: timedelta, **more: Any) -> Change:
    made = Change.objects.create(
        nonce=f"{age}-{len(more)}-{Change.objects.count()}", state="done", user=user, context="c", action="scale",
        plural="deployments", kind="Deployment", name="web", uid="u", created_at=NOW - age, **more,
    )  # fmt: skip
    AuditEntry.objects.create(user_name="mara", action="scale", result="done", change=made, at=NOW - age)
    return made


async def sweep() -> int:
    return await Retention().sweep(NOW)


def test_it_is_known_of_every_table_why_it_does_not_grow_for_ever() -> None:
    assert {model._meta.label for model in apps.get_models()} == set(KEPT)


async def test_sessions_and_links_go_when_they_are_over() -> None:
    def make() -> None:
        for age in (-1, 1):
            store = SessionStore()
            store["a"] = age
            store.set_expiry(NOW - timedelta(seconds=60 * age))
            store.save()
        user = User.objects.create(username="jon")
        for number, age in enumerate((timedelta(hours=1), timedelta(hours=25))):
            SigninLink.objects.create(user=user, token_sha256=str(number), created_at=NOW - age)

    await asyncio.to_thread(make)
    assert await sweep() == 2
    assert await Session.objects.acount() == 1
    assert await SigninLink.objects.acount() == 1


async def test_the_timeline_of_a_cluster_that_nobody_opens_goes_too(settings: Any) -> None:
    settings.CLUSTER_UI_TIMELINE_DAYS = 2
    rows = [happening("gone", 1, timedelta(days=3)), happening("gone", 2, timedelta(days=1))]
    await TimelineEvent.objects.abulk_create(rows)
    assert await sweep() == 1
    assert [row.key async for row in TimelineEvent.objects.all()] == ["gone-2"]
    assert kept_words() == "48 hours"


async def test_a_cluster_keeps_the_newest_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "TIMELINE_ROWS", 10)
    monkeypatch.setattr(retention, "SLICE", 4)
    await TimelineEvent.objects.abulk_create(
        [
            happening(context, number, timedelta(minutes=number))
            for context in ("a", "b")
            for number in range(15)
        ]
    )
    assert await sweep() == 10
    assert {row.key async for row in TimelineEvent.objects.filter(context="a")} == {
        f"a-{n}" for n in range(10)
    }


async def test_the_audit_and_its_changes_go_after_their_time(mara: User, settings: Any) -> None:
    settings.CLUSTER_UI_AUDIT_DAYS = 30

    def make() -> tuple[Change, ...]:
        # In the order of their time, as entries are: only the first ones go.
        sending, waiting, undone, old, young = (
            change(mara, timedelta(days=days)) for days in (70, 60, 50, 40, 20)
        )
        Operation.objects.create(change=old, state="done")
        Operation.objects.create(change=waiting, state="running")
        undo = change(mara, timedelta(days=10), undoes=undone)
        Change.objects.filter(pk=sending.pk).update(state="sending")
        return undone, young, waiting, undo, sending

    kept = await asyncio.to_thread(make)
    await sweep()
    assert {each.pk async for each in Change.objects.all()} == {each.pk for each in kept}
    assert await AuditEntry.objects.acount() == 2
    assert [each.change_id async for each in Operation.objects.all()] == [kept[2].pk]
    with pytest.raises(TypeError, match="never deleted"):
        await AuditEntry.objects.all().adelete()


async def test_versions_go_some_time_after_they_were_replaced_and_contents_with_the_last(
    settings: Any,
) -> None:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS_DAYS = 30

    def make() -> None:
        one, two = (ConfigMapContent.objects.create(sha256=each, packed=b"", stored_bytes=0) for each in "ab")
        days = ((60, 40), (40, 20), (20, None), (50, None))  # kept, replaced; the last is of another object
        for number, (kept, replaced) in enumerate(days, 1):
            ConfigMapVersion.objects.create(
                context="c", namespace="shop", name="settings", uid="u" if replaced or number == 3 else "gone",
                number=number, resource_version=str(number), at=NOW, size_bytes=0, content=two if number == 1 else one,
                kept_at=NOW - timedelta(days=kept), replaced_at=replaced and NOW - timedelta(days=replaced),
            )  # fmt: skip

    await asyncio.to_thread(make)
    assert await sweep() == 3, "two versions, and the content of one"
    assert [each.number async for each in ConfigMapVersion.objects.order_by("number")] == [2, 3]
    assert [each.sha256 async for each in ConfigMapContent.objects.all()] == ["a"]


async def test_backups_that_failed_or_are_gone_are_forgotten_and_of_the_others_the_newest_stay(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLUSTER_UI_AUDIT_DAYS = 10

    def make() -> None:
        for name, days, more in (
            ("old", 20, {"state": "verified"}),
            ("old and failed", 20, {"state": "failed"}),
            ("old and gone", 20, {"state": "verified", "gone_at": NOW}),
            ("failed", 1, {"state": "failed"}),
        ):
            Backup.objects.create(
                context="prod", by="x", name=name, began_at=NOW - timedelta(days=days), **more
            )

    await asyncio.to_thread(make)
    assert await sweep() == 2
    assert [row.name async for row in Backup.objects.order_by("name")] == ["failed", "old"]
    monkeypatch.setattr(retention, "BACKUP_ROWS", 1)
    assert await sweep() == 1
    assert [row.name async for row in Backup.objects.all()] == ["failed"]


async def test_of_clusters_without_records_the_newest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SEEN_ROWS", 2)

    def make() -> None:
        for number in range(6):
            recognise("prod", f"https://{number}", f"uid-{number}", NOW + timedelta(minutes=number))
        recorded = SeenCluster.objects.get(uid="uid-1").records
        HourlyFigures.objects.create(context=recorded, what="scores", at=NOW)
        recognise("dev", "https://dev", "uid-dev", NOW)

    await asyncio.to_thread(make)
    assert await sweep() == 4
    assert {row.uid async for row in SeenCluster.objects.all()} == {"uid-1", "uid-5", "uid-dev"}


async def test_a_cluster_under_whose_name_something_was_done_stays_known(
    mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SEEN_ROWS", 0)

    def make() -> None:
        for name in ("c", "audited", "saved", "empty"):
            recognise(name, f"https://{name}", f"uid-{name}", NOW)
        change(mara, timedelta(days=1))  # in c
        AuditEntry.objects.create(user_name="mara", action="sign in", result="done", context="audited")
        Backup.objects.create(context="saved", by="x", name="a", state="verified")

    await asyncio.to_thread(make)
    assert await sweep() == 1
    assert {row.context async for row in SeenCluster.objects.all()} == {"c", "audited", "saved"}


async def test_people_of_an_issuer_or_a_cluster_go_once_nothing_tells_of_them(settings: Any) -> None:
    settings.CLUSTER_UI_AUDIT_DAYS = 30
    long_ago, lately = NOW - timedelta(days=40), NOW - timedelta(days=20)

    def person(name: str, signed_in: datetime | None = long_ago, **more: Any) -> User:
        made = User.objects.create(username=name, date_joined=long_ago, last_login=signed_in, **more)
        ExternalIdentity.objects.create(issuer="https://issuer", subject=name, user=made)
        return made

    def make() -> None:
        person("oidc:gone")
        person("oidc:never", None)
        User.objects.create(username="token:prod/gone", date_joined=long_ago, last_login=long_ago)
        User.objects.create(username="local", date_joined=long_ago, last_login=long_ago)
        person("oidc:lately", lately)
        person("oidc:disabled", is_active=False)
        person("oidc:mapped")
        AccountMapping.objects.create(subject="user", name="oidc:mapped", cluster_user="x", by="owner")
        person("oidc:told")
        AuditEntry.objects.create(user_name="oidc:told", action="scale", result="refused")
        change(person("oidc:changed"), timedelta(days=1))
        ClusterPermit.objects.create(context="c", server="https://c", allowed_by=person("oidc:permitted"))
        store = SessionStore()
        store.set_expiry(NOW + timedelta(hours=1))
        store.save()
        SignedIn.objects.create(session_id=store.session_key, user=person("oidc:there"))

    await asyncio.to_thread(make)
    await sweep()
    kept = {"local"} | {
        f"oidc:{why}" for why in ("lately", "disabled", "mapped", "told", "changed", "permitted", "there")
    }
    assert {user.username async for user in User.objects.all()} == kept
    assert {row.subject async for row in ExternalIdentity.objects.all()} == kept - {"local"}


async def test_it_goes_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 7)
    sizes: list[int] = []

    def counting(rows: Any) -> int:
        sizes.append(remove_some(rows))
        return sizes[-1]

    monkeypatch.setattr(retention, "remove_some", counting)
    await TimelineEvent.objects.abulk_create(
        [happening("a", number, timedelta(days=9)) for number in range(30)]
    )
    assert await sweep() == 30
    assert [size for size in sizes if size] == [7, 7, 7, 7, 2]


async def test_the_server_begins_it_and_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.01)
    swept = asyncio.Event()
    tries: list[int] = []

    async def sweeping(self: Retention, now: datetime) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("broken")
        swept.set()
        return 0

    monkeypatch.setattr(Retention, "sweep", sweeping)
    keeper = Retention()
    keeper.start()
    async with asyncio.timeout(60):
        await swept.wait()
    await keeper.stop()


async def test_of_a_persons_columns_the_latest_choices_are_kept(mara: User) -> None:
    await ColumnChoice.objects.abulk_create(
        [
            ColumnChoice(user=mara, plural=f"kind-{number}", columns=["name"])
            for number in range(MAX_KINDS + 20)
        ]
    )
    await columns_remember(mara, "pods", ["name"])
    assert await ColumnChoice.objects.acount() == MAX_KINDS
    assert await ColumnChoice.objects.filter(plural="pods").aexists()


async def test_hourly_figures_go_after_two_weeks_but_a_score_a_day_stays_for_a_year() -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    ages = {
        "new": timedelta(hours=3),
        "old": timedelta(days=20),
        "midnight": timedelta(days=20, hours=-1),
        "ancient": timedelta(days=400),
    }
    for what in ("scores", "quotas"):
        for age in ages.values():
            at = midnight - age + timedelta(hours=23)
            await HourlyFigures.objects.acreate(context="dev", what=what, at=at)
    await Retention().sweep(NOW)
    kept = [row async for row in HourlyFigures.objects.order_by("what", "at").values_list("what", "at")]
    assert [(what, (midnight - at).days > 10) for what, at in kept] == [
        ("quotas", False), ("scores", True), ("scores", False),
    ]  # fmt: skip
