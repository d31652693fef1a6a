"""What is recorded, and how a user reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.cache.store import Delta
from dashboard.errors import BadInput, Forbidden
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live import timeline as module
from dashboard.live.screens.timeline_entries import barred, gaps, moment_row
from dashboard.live.timeline import Timeline
from dashboard.models import AuditEntry, Change, TimelineEvent
from dashboard.queries import timeline as queries
from dashboard.queries.access import Visible
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.queries.timeline import PAGE, READ, TimelineQuery, Watched, timeline_read

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)
EVERYTHING = {plural: Visible() for plural in KINDS}


class Now:
    """A clock that goes on by a microsecond with each look, and as a test says."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at


class Cluster:
    """Stores that can be told of changes, and the state of their watches."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(name="prod")
        self.recognised = Recognised("", "prod", EVER)
        self.now = Now()
        self.state = "live"
        self.lost: set[str] = set()
        self.tell: dict[str, Any] = {}
        self.objects: dict[tuple[str, str, str], Any] = {}
        self.cache = SimpleNamespace(
            store=lambda plural: SimpleNamespace(subscribe=lambda call: self._subscribe(plural, call)),
            status=lambda plural: SimpleNamespace(state=self.state),
            lease=lambda plurals, beside: SimpleNamespace(release=lambda: None),
            knows=lambda plural, namespace: namespace not in self.lost,
        )
        self.reader = SimpleNamespace(
            get=lambda *key: self.objects.get(key), cache=SimpleNamespace(kinds=KINDS)
        )
        self.installation = SimpleNamespace(cache=self.cache, reader=self.reader)

    def _subscribe(self, plural: str, call: Any) -> Any:
        self.tell[plural] = call
        return lambda: None


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, Timeline]]:
    made = Cluster()
    timeline = Timeline(made, clock=made.now)  # type: ignore[arg-type]
    for plural in module.RECORDED:
        timeline._listen(plural)
    yield made, timeline


def decoded(plural: str, name: str = "web", version: str = "1", **parts: Any) -> Any:
    meta = {"name": name, "namespace": "shop", "uid": f"u-{plural}-{name}", "resourceVersion": version}
    meta |= {"creationTimestamp": (NOW - timedelta(minutes=5)).isoformat()}
    manifest = {"metadata": meta | parts.pop("metadata", {}), **parts}
    return KINDS[plural].decode_object(json.dumps(manifest).encode())


def told(made: Cluster, plural: str, type_: str, old: Any, new: Any) -> None:
    obj = new or old
    made.tell[plural]([Delta(type_, obj.metadata.namespace, obj.metadata.name, old, new)])  # type: ignore[arg-type]


def scaled(replicas: int, version: str = "1") -> Any:
    return decoded("deployments", version=version, spec={"replicas": replicas})


async def read(query: TimelineQuery | None = None, visible: dict[str, Visible] | None = None) -> list[Any]:
    found = await sync_to_async(timeline_read)(
        "prod", query or TimelineQuery(type="all"), visible or EVERYTHING
    )
    return list(found.moments)


async def test_an_object_that_came_changed_and_went(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    told(made, "deployments", "MODIFIED", scaled(3), scaled(5, "2"))
    told(made, "deployments", "DELETED", scaled(5, "2"), None)
    await timeline._write()
    moments = await read()
    assert [each.type for each in moments] == ["deleted", "changed", "added"]
    assert moments[1].fields == (("spec.replicas", "3", "5"),)


async def test_what_a_first_list_shows_is_no_change_but_was_made_when_it_was_made(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    made.state = "starting"
    told(made, "deployments", "ADDED", None, scaled(3))
    old = {"creationTimestamp": (NOW - timedelta(days=3)).isoformat()}
    told(made, "configmaps", "ADDED", None, decoded("configmaps", name="old", metadata=old))
    told(made, "deployments", "DELETED", scaled(3), None)  # a watch that ends empties its store
    await timeline._write()
    (moment,) = await read()
    assert (moment.type, moment.name) == ("added", "web")
    assert abs((moment.at - (NOW - timedelta(minutes=5))).total_seconds()) < 2


async def test_what_may_be_read_no_more_is_not_deleted(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    made.lost.add("shop")
    told(made, "deployments", "DELETED", scaled(3), None)
    await timeline._write()
    assert await read() == []


async def test_two_processes_that_watch_the_same_keep_it_once(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    other = Timeline(made)  # type: ignore[arg-type]
    for each in (timeline, other):
        each._take("deployments", [Delta("MODIFIED", "shop", "web", scaled(3), scaled(5, "2"))])
        await each._write()
    assert await sync_to_async(TimelineEvent.objects.count)() == 1


async def test_an_event_that_comes_again_is_one_with_its_count(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster

    def event(count: int) -> Any:
        about = {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-p"}
        last = (NOW - timedelta(seconds=60 - count)).isoformat()
        return decoded("events", name="e", involvedObject=about, type="Warning", reason="BackOff",
                       message="restarting", count=count, lastTimestamp=last)  # fmt: skip

    told(made, "events", "ADDED", None, event(1))
    await timeline._write()
    told(made, "events", "MODIFIED", event(1), event(7))
    await timeline._write()
    (moment,) = await read()
    assert (moment.type, moment.plural, moment.name, moment.times) == ("event", "pods", "web-1", 7)
    assert moment.state == "warn" and moment.title == "BackOff"


def noted(text: str, version: str, replicas: int = 3) -> Any:
    notes = {"annotations": {"example.com/state": text}}
    return decoded("deployments", version=version, metadata=notes, spec={"replicas": replicas})


async def test_an_annotation_alone_is_a_change(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "MODIFIED", noted("a", "1"), noted("b", "2"))
    await timeline._write()
    (moment,) = await read()
    assert moment.fields == (("metadata.annotations[example.com/state]", "a", "b"),)


async def test_an_annotation_that_keeps_changing_is_a_programs_and_hides_nothing_else(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    for beat in range(module.OFTEN + 20):
        told(
            made,
            "deployments",
            "MODIFIED",
            noted(f"v{beat}", f"{beat}"),
            noted(f"v{beat + 1}", f"{beat + 1}"),
        )
    told(made, "deployments", "MODIFIED", noted("w", "90"), noted("x", "91", replicas=5))
    await timeline._write()
    assert await sync_to_async(TimelineEvent.objects.count)() == module.OFTEN + 1
    (moment,) = await read()
    assert moment.fields[0] == ("metadata.annotations[example.com/state]", "v0", f"v{module.OFTEN}")
    assert moment.fields[1] == ("spec.replicas", "3", "5")
    made.now.at += timedelta(hours=1)
    told(made, "deployments", "MODIFIED", noted("y", "92"), noted("z", "93"))
    await timeline._write()
    assert await sync_to_async(TimelineEvent.objects.count)() == module.OFTEN + 2, (
        "another hour, another count"
    )


async def test_changes_of_one_object_in_a_row_read_as_one(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "MODIFIED", scaled(3), scaled(4, "2"))
    told(made, "deployments", "MODIFIED", scaled(4, "2"), scaled(5, "3"))
    await timeline._write()
    (moment,) = await read()
    assert moment.fields == (("spec.replicas", "3", "5"),)


async def test_there_and_back_within_seconds_is_nothing(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "MODIFIED", scaled(3), scaled(4, "2"))
    told(made, "deployments", "MODIFIED", scaled(4, "2"), scaled(3, "3"))
    await timeline._write()
    assert await read() == []


async def test_a_deletion_is_told_in_words_and_its_end_only_where_everything_is_asked_for(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    ends = (NOW + timedelta(seconds=30)).isoformat()
    there = decoded("pods")
    asked = {"deletionTimestamp": ends, "deletionGracePeriodSeconds": 30}
    going = decoded("pods", version="2", metadata=asked)
    told(made, "pods", "MODIFIED", there, going)
    may_go = {"deletionTimestamp": NOW.isoformat(), "deletionGracePeriodSeconds": 0}
    made.now.at += timedelta(seconds=20)
    told(made, "pods", "MODIFIED", going, decoded("pods", version="3", metadata=may_go))
    await timeline._write()
    assert len(await read()) == 2
    (moment,) = await read(TimelineQuery())
    shown = moment_row(SimpleNamespace(kinds=KINDS, cluster=SimpleNamespace(slug="tests")), moment)  # type: ignore[arg-type]
    assert (shown["word"], shown["fields"]) == ("began to terminate", [])


async def test_a_workloads_timeline_has_what_belongs_to_it(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    owner = {"kind": "StatefulSet", "name": "db", "uid": "u-statefulsets-db", "controller": True}
    pod = decoded("pods", name="db-0", metadata={"ownerReferences": [owner]})
    told(made, "pods", "ADDED", None, pod)
    told(made, "pods", "ADDED", None, decoded("pods", name="other"))
    await timeline._write()
    of_db = await read(TimelineQuery(namespaces=("shop",), plural="statefulsets", name="db", type="all"))
    assert [each.name for each in of_db] == ["db-0"]


async def test_nobody_reads_of_what_may_not_be_listed(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    told(made, "pods", "ADDED", None, decoded("pods"))
    await timeline._write()
    refused = Visible(frozenset(), Forbidden("no", verb="list", resource="pods"))
    seen = await read(visible={"deployments": Visible(frozenset({"shop"})), "pods": refused})
    assert [each.plural for each in seen] == ["deployments"]
    assert await read(visible={"deployments": Visible(frozenset({"other"}))}) == []


async def changed() -> Change:
    """A change that somebody made to a Deployment."""
    ann = await User.objects.acreate(username="ann")
    return await Change.objects.acreate(
        nonce="n", user=ann, context="prod", action="scale", plural="deployments", uid="u", state="done"
    )


async def test_what_was_done_through_the_dashboard_is_among_it_for_those_who_may_see_the_object() -> None:
    entry = {
        "user_name": "ann",
        "context": "prod",
        "plural": "deployments",
        "namespace": "shop",
        "name": "web",
    }
    create = sync_to_async(AuditEntry.objects.create)
    change = await changed()
    await create(action="scale", result="failed", detail="no", change=change, **entry)
    for action, result in (("scale", "refused"), ("scale", "failed"), ("reveal", "done"), ("shell", "done")):
        await create(
            action=action, result=result, **entry
        )  # no change: who did it and administrators read it
    (moment,) = await read()
    assert (moment.type, moment.title, moment.words) == ("done", "ann: scale, failed", "no")
    assert (moment.change, await read(visible={"pods": Visible()})) == (change.pk, [])


async def test_filters_by_namespace_kind_name_and_type(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    told(made, "pods", "ADDED", None, decoded("pods", name="web-1"))
    told(made, "pods", "MODIFIED", decoded("pods", name="web-1"),
         decoded("pods", name="web-1", version="2", status={"phase": "Running"}))  # fmt: skip
    await timeline._write()
    for query, expected in (
        (TimelineQuery(namespaces=("other",)), 0),
        (TimelineQuery(plural="pods"), 1),
        (TimelineQuery(q="WEB-1"), 1),
        (TimelineQuery(plural="pods", type="all"), 2),
        (TimelineQuery(q="WEB-1", type="all"), 2),
        (TimelineQuery(type="event"), 0),
        (TimelineQuery(type="spec"), 2),  # a change of status alone is left out
        (TimelineQuery(before=NOW - timedelta(hours=1)), 0),
        (TimelineQuery(since=NOW - timedelta(minutes=1), type="all"), 1),
    ):
        assert len(await read(query)) == expected, query


async def test_it_begins_with_what_was_asked_for_what_warns_and_what_was_done_here(
    cluster: tuple[Cluster, Timeline],
) -> None:
    """Not with what controllers and kubelets report: that is one click away, and folded under what was asked for."""
    made, timeline = cluster
    by_set = {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "name": "web-1",
        "uid": "u-rs",
        "controller": True,
    }
    owned: dict[str, Any] = {"metadata": {"ownerReferences": [by_set]}}
    told(made, "deployments", "ADDED", None, scaled(3))
    ready = decoded("deployments", version="3", spec={"replicas": 5}, status={"replicas": 5})
    told(made, "deployments", "MODIFIED", scaled(3), ready)
    told(made, "deployments", "MODIFIED", ready, decoded("deployments", version="4", spec={"replicas": 5}))
    pod = decoded("pods", name="web-1-x", **owned)
    told(made, "pods", "ADDED", None, pod)
    place = {f"topology.kubernetes.io/{each}": "eu-1" for each in ("region", "zone")}
    noted = {"annotations": {"cni.example/address": "10.0.0.7"}}  # as a network plugin does
    placed = {"spec": {"nodeName": "n"}, "metadata": owned["metadata"] | {"labels": place} | noted}
    told(made, "pods", "MODIFIED", pod, decoded("pods", name="web-1-x", version="2", **placed))
    told(made, "pods", "DELETED", pod, None)
    sets = [
        decoded("replicasets", name="web-1", version=str(n), spec={"replicas": n}, **owned) for n in (1, 2)
    ]
    told(made, "replicasets", "MODIFIED", *sets)
    about = {"kind": "Pod", "apiVersion": "v1", "namespace": "shop", "name": "web-1-x", "uid": "u"}
    for type_ in ("Normal", "Warning"):
        event = {"reason": f"{type_}Event", "type": type_, "lastTimestamp": NOW.isoformat(), "count": 1}
        told(made, "events", "ADDED", None, decoded("events", name=type_, involvedObject=about, **event))
    await sync_to_async(AuditEntry.objects.create)(
        user_name="ann",
        context="prod",
        plural="deployments",
        namespace="shop",
        name="web",
        action="scale",
        result="done",
        change=await changed(),
    )
    await timeline._write()
    found = sorted(await read(TimelineQuery()), key=lambda each: (each.plural, each.type))
    assert [(each.plural, each.type, each.title) for each in found] == [
        ("deployments", "added", ""),
        ("deployments", "changed", ""),
        ("deployments", "done", "ann: scale"),
        ("pods", "event", "WarningEvent"),
    ]
    assert found[1].fields == (("spec.replicas", "3", "5"),)
    assert found[1].reported == (("status.replicas", "0", "5"),)
    without = await read(TimelineQuery(warnings=False))
    assert sorted(each.type for each in without) == ["added", "changed", "done"]
    # On its own page it matters when the pod came and went.
    of_pod = await read(TimelineQuery(plural="pods", name="web-1-x"))
    assert sorted(each.type for each in of_pod) == ["added", "deleted", "event"]
    assert len(await read()) > len(found)


async def test_however_much_is_reported_does_not_hide_what_was_asked_for(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    told(made, "deployments", "MODIFIED", scaled(3), scaled(5, "2"))
    before = scaled(5, "2")
    for n in range(READ * PAGE + 50):
        after = decoded(
            "deployments", version=str(n + 3), spec={"replicas": 5}, status={"replicas": n % 7 + 1}
        )
        told(made, "deployments", "MODIFIED", before, after)
        before = after
    await timeline._write()
    (moment,) = await read(TimelineQuery())
    assert moment.fields == (("spec.replicas", "3", "5"),)


async def test_pages_lose_nothing_and_repeat_nothing_however_much_came_at_once(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    made.tell["pods"](
        [Delta("ADDED", "shop", f"p{n}", None, decoded("pods", name=f"p{n}")) for n in range(250)]
    )
    await timeline._write()
    seen: list[str] = []
    query = TimelineQuery(type="all")
    while True:
        found = await sync_to_async(timeline_read)("prod", query, EVERYTHING)
        seen += [each.name for each in found.moments]
        if found.older is None:
            break
        query = TimelineQuery(type="all", before=found.older)
    assert sorted(seen) == sorted(f"p{n}" for n in range(250))


async def test_a_page_of_which_nothing_is_left_leads_on(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    for version in range(2, 5):
        old, new = (
            decoded("pods", version=str(v), status={"phase": f"P{v}"}) for v in (version - 1, version)
        )
        told(made, "pods", "MODIFIED", old, new)
    await timeline._write()
    first = await sync_to_async(timeline_read)("prod", TimelineQuery(type="spec", most=1), EVERYTHING)
    assert first.moments == () and first.older is not None
    later = await sync_to_async(timeline_read)(
        "prod", TimelineQuery(type="spec", most=1, before=first.older), EVERYTHING
    )
    assert [each.name for each in later.moments] == ["web"]


async def test_a_filter_looks_through_so_much_at_a_time_and_leads_on(
    cluster: tuple[Cluster, Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page costs the same however much is kept, also where a word fits to the oldest alone."""
    monkeypatch.setattr(queries, "LOOKED", 10)
    made, timeline = cluster
    names = ["oldest", *(f"p{n}" for n in range(24))]
    made.tell["pods"]([Delta("ADDED", "shop", name, None, decoded("pods", name=name)) for name in names])
    await timeline._write()
    query, pages = TimelineQuery(type="all", q="oldest", most=1), 0
    while True:
        found = await sync_to_async(timeline_read)("prod", query, EVERYTHING)
        pages += 1
        if found.older is None:
            break
        assert found.moments == ()
        query = TimelineQuery(type="all", q="oldest", most=1, before=found.older)
    assert [each.name for each in found.moments] == ["oldest"]
    assert pages == 3


async def test_an_event_may_say_anything(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    about = {"kind": "Pod", "namespace": "shop", "name": "n" * 400, "uid": "u" * 100}
    event = decoded("events", name="e", involvedObject=about, type="Normal", reason="r" * 400,
                    message="a\x00b", count=1, lastTimestamp=NOW.isoformat())  # fmt: skip
    told(made, "events", "ADDED", None, event)
    await timeline._write()
    (moment,) = await read()
    assert (len(moment.name), len(moment.title), moment.words) == (253, 128, "ab")


async def test_one_that_the_database_refuses_does_not_hold_up_the_others(
    cluster: tuple[Cluster, Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import DataError

    real = module._write

    def picky(entries: Any) -> None:
        batch = list(entries)
        if any(each.name == "bad" for each in batch):
            raise DataError("too long")
        real(batch)

    monkeypatch.setattr(module, "_write", picky)
    made, timeline = cluster
    for name in ("good", "bad"):
        told(made, "pods", "ADDED", None, decoded("pods", name=name))
    await timeline._write()
    assert [each.name for each in await read()] == ["good"]
    assert timeline.lost == 1 and not timeline._waiting


@pytest.mark.parametrize(
    "query",
    [
        "before=0001-01-01T00:00:00%2B14:00",
        "kind=cats",
        "type=x",
        "before=yesterday",
        "since=2026-01-01T00:00:00",
    ],
)
def test_an_address_that_cannot_be_read_names_its_field(query: str) -> None:
    with pytest.raises(BadInput) as raised:
        TimelineQuery.read(QueryDict(query))
    assert raised.value.field == query.partition("=")[0]


async def test_a_day_is_kept_and_the_marks_tell_who_watched_when(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    await timeline._write()
    await sync_to_async(TimelineEvent.objects.update)(at=NOW - timedelta(days=2))
    timeline.lost = 3
    await timeline._tidy()
    found = await sync_to_async(timeline_read)("prod", TimelineQuery(type="all"), EVERYTHING)
    assert found.moments == ()
    (watched,) = found.watched
    assert watched.lost == 3 and watched.until >= watched.since


async def test_more_than_can_wait_is_counted_not_kept(
    cluster: tuple[Cluster, Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 2)
    made, timeline = cluster
    for name in ("a", "b", "c", "d"):
        told(made, "pods", "ADDED", None, decoded("pods", name=name))
    assert timeline.lost == 2 and len(timeline._waiting) == 2


async def test_what_could_not_be_written_waits_on(
    cluster: tuple[Cluster, Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import DatabaseError

    def broken(_: Any) -> None:
        raise DatabaseError("locked")

    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    with monkeypatch.context() as patched:
        patched.setattr(module, "_write", broken)
        with pytest.raises(DatabaseError):
            await timeline._write()
    await timeline._write()
    assert len(await read()) == 1


async def test_readers_hear_of_each_batch(cluster: tuple[Cluster, Timeline]) -> None:
    made, timeline = cluster
    heard: list[int] = []
    end = timeline.subscribe(lambda: heard.append(1))
    await timeline._write()  # nothing to write
    told(made, "deployments", "ADDED", None, scaled(3))
    await timeline._write()
    end()
    told(made, "deployments", "DELETED", scaled(3), None)
    await timeline._write()
    assert heard == [1]


async def test_after_a_restart_it_is_known_when_objects_changed_last(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    told(made, "deployments", "ADDED", None, scaled(3))
    told(made, "deployments", "MODIFIED", scaled(3), scaled(5, "2"))
    told(made, "pods", "MODIFIED", decoded("pods"), decoded("pods", version="2", status={"phase": "Running"}))
    told(made, "pods", "DELETED", decoded("pods"), None)
    await timeline._write()
    later = Timeline(made)  # type: ignore[arg-type]
    assert later.changed_at("u-deployments-web") is None
    await later._recall()
    at = later.changed_at("u-deployments-web")
    assert at is not None and at > NOW - timedelta(minutes=1)
    assert later.changed_at("u-pods-web") is None


async def test_a_hole_between_two_watches_begins_when_the_first_one_ended(
    cluster: tuple[Cluster, Timeline],
) -> None:
    _, first = cluster
    first.start()
    await first.close()
    (watched,) = (await sync_to_async(timeline_read)("prod", TimelineQuery(type="all"), EVERYTHING)).watched
    assert watched.until >= NOW
    second = Watched(watched.until + timedelta(minutes=4), watched.until + timedelta(minutes=9))
    assert gaps([watched, second]) == [(watched.until, second.since)]
    assert gaps([watched, Watched(watched.until + timedelta(minutes=1), second.until)]) == []


FEW = {
    plural: Visible(namespaces=frozenset({"shop"}))
    if plural in ("pods", "events")
    else Visible(denied=Forbidden("no"))
    for plural in KINDS
} | {"nodes": Visible(), "services": Visible(frozenset())}  # of Services nothing is known yet


@pytest.mark.parametrize(
    ("asked", "wanted", "expected"),
    [
        ({}, {"pods", "secrets"}, (["Secrets"], [], False)),
        ({"plural": "secrets"}, {"secrets"}, (["Secrets"], [], True)),
        ({"namespaces": ("shop", "other")}, {"pods", "nodes"}, ([], ["other"], False)),
        ({"namespaces": ("other",)}, {"pods", "nodes"}, ([], ["other"], True)),
        ({"namespaces": ("other",), "plural": "secrets"}, {"secrets"}, (["Secrets"], [], True)),
        ({"plural": "nodes"}, {"nodes"}, ([], [], False)),
        ({"plural": "nodes", "namespaces": ("shop",)}, {"nodes"}, ([], [], False)),
        ({"namespaces": ("other",)}, {"services"}, ([], [], False)),
    ],
)
def test_what_may_not_be_listed_is_told_apart_from_what_did_not_happen(
    asked: dict[str, Any], wanted: set[str], expected: tuple[list[str], list[str], bool]
) -> None:
    found = barred(TimelineQuery(**asked), FEW, wanted)
    assert (found["denied"], found["hidden"], found["forbidden"]) == expected


WIDGETS = TableKind.of(Resource(GVR("example.com", "v1", "widgets"), "Widget", "widget"))
WITH_WIDGETS = EVERYTHING | {WIDGETS.plural: Visible()}


def widget(size: int, version: str = "1", generation: int = 1, **meta: Any) -> Any:
    whole = {"name": "engine", "namespace": "shop", "uid": "u-w", "resourceVersion": version, **meta}
    whole |= {
        "generation": generation,
        "creationTimestamp": (NOW - timedelta(minutes=5)).isoformat(),
    }
    columns = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Size", "type": "integer"}]
    row = {"cells": ["engine", size], "object": {"metadata": whole}}
    table = {"metadata": {}, "columnDefinitions": columns, "rows": [row]}
    return WIDGETS.decode_object(json.dumps(table).encode())


@pytest.fixture
def custom(cluster: tuple[Cluster, Timeline]) -> tuple[Cluster, Timeline]:
    """The cluster offers widgets, and somebody looks at them."""
    made, timeline = cluster
    kinds = KINDS | {WIDGETS.plural: WIDGETS}
    made.kinds = kinds  # type: ignore[attr-defined]
    made.reader.cache.kinds = kinds
    made.watched = True  # type: ignore[attr-defined]
    made.cache.watches = lambda plural: made.watched  # type: ignore[attr-defined]
    timeline._task = SimpleNamespace()  # type: ignore[assignment]
    timeline.follow([WIDGETS.plural, "pods"])
    return made, timeline


async def read_widget(type: str = "all", **more: Any) -> Any:
    query = TimelineQuery(namespaces=("shop",), plural=WIDGETS.plural, name="engine", type=type, **more)
    return await sync_to_async(timeline_read)("prod", query, WITH_WIDGETS)


async def test_a_custom_kind_that_somebody_looks_at_tells_columns_labels_and_generation(
    custom: tuple[Cluster, Timeline],
) -> None:
    made, timeline = custom
    told(made, WIDGETS.plural, "ADDED", None, widget(3))
    told(made, WIDGETS.plural, "MODIFIED", widget(3), widget(5, "2", generation=2, labels={"team": "motors"}))
    await timeline._write()
    changed, added = (await read_widget()).moments
    assert (changed.type, added.type) == ("changed", "added")
    assert changed.fields == (
        ("metadata.generation", "1", "2"),
        ("metadata.labels[team]", "", "motors"),
        ("columns[Size]", "3", "5"),
    )
    (asked_for,) = [each for each in (await read_widget(type="spec")).moments if each.type == "changed"]
    assert [path for path, _, _ in asked_for.fields] == ["metadata.generation", "metadata.labels[team]"]


async def test_it_is_told_from_when_until_when_somebody_looked(custom: tuple[Cluster, Timeline]) -> None:
    made, timeline = custom
    await timeline._note_watches()
    (mark,) = (await read_widget()).watched
    await timeline._note_watches()  # just noted
    assert (await read_widget()).watched == (mark,)
    made.now.at += timedelta(seconds=module.TIDY_SECONDS)
    await timeline._note_watches()
    (noted,) = (await read_widget()).watched
    assert noted.since == mark.since
    assert noted.until - mark.until >= timedelta(seconds=module.TIDY_SECONDS)
    made.watched = False  # type: ignore[attr-defined]
    await timeline._note_watches()
    (ended,) = (await read_widget()).watched
    assert ended.since == mark.since and ended.until > mark.until
    await timeline._note_watches()
    made.watched = True  # type: ignore[attr-defined]
    await timeline._note_watches()
    first, second = (await read_widget()).watched
    assert first.since == mark.since and second.since > first.until
    whole = await sync_to_async(timeline_read)("prod", TimelineQuery(type="all"), EVERYTHING)
    assert whole.watched == (), "they say nothing of the rest of the cluster"


async def test_an_event_from_before_the_kind_was_known_is_found_by_the_uid(
    cluster: tuple[Cluster, Timeline],
) -> None:
    made, timeline = cluster
    about = {
        "kind": "Widget",
        "apiVersion": "example.com/v1",
        "namespace": "shop",
        "name": "engine",
        "uid": "u-w",
    }
    event = decoded(
        "events", name="e", involvedObject=about, reason="Stuck", count=1, lastTimestamp=NOW.isoformat()
    )
    told(made, "events", "ADDED", None, event)
    await timeline._write()
    assert (await read_widget()).moments == ()
    (moment,) = (await read_widget(uid="u-w")).moments
    assert moment.title == "Stuck"


async def test_what_a_custom_object_made_is_told_with_it_and_pods_with_their_workload(
    custom: tuple[Cluster, Timeline],
) -> None:
    made, timeline = custom
    by_widget = {
        "kind": "Widget",
        "apiVersion": "example.com/v1",
        "name": "engine",
        "uid": "u-w",
        "controller": True,
    }
    database = decoded("statefulsets", name="db", metadata={"ownerReferences": [by_widget]})
    made.objects[("statefulsets", "shop", "db")] = database
    by_set = {"kind": "StatefulSet", "apiVersion": "apps/v1", "name": "db", "uid": "u-statefulsets-db"}
    pod = decoded("pods", name="db-0", metadata={"ownerReferences": [by_set | {"controller": True}]})
    told(made, "statefulsets", "ADDED", None, database)
    told(made, "pods", "ADDED", None, pod)
    await timeline._write()
    assert [each.name for each in (await read_widget()).moments] == ["db"]
    of_db = await read(TimelineQuery(namespaces=("shop",), plural="statefulsets", name="db", type="all"))
    assert {each.name for each in of_db} == {"db", "db-0"}


async def test_a_kind_that_somebody_looks_at_while_others_are_marked_disturbs_nothing(
    custom: tuple[Cluster, Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, timeline = custom
    gears = TableKind.of(Resource(GVR("example.com", "v1", "gears"), "Gear", "gear"))
    kinds = KINDS | {WIDGETS.plural: WIDGETS, gears.plural: gears}
    made.kinds = made.reader.cache.kinds = kinds  # type: ignore[attr-defined]

    def in_database(work: Any) -> Any:
        async def writes(*given: Any) -> None:
            timeline.follow([gears.plural])

        return writes

    monkeypatch.setattr(module, "in_database", in_database)
    await timeline._note_watches()
    await timeline._note_watches()
    assert all(watch.noted is not None for watch in timeline._watches.values())
    assert gears.plural in timeline._watches
