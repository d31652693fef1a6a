"""What is recorded of a cluster is what it was, without a value that must not be kept, within its bounds."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from dashboard.cache.recording import unpacked
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.live import recorder as module
from dashboard.live import retention
from dashboard.models import Recording, RecordingPiece
from dashboard.queries.access import Visible
from dashboard.queries.problemspans import problems_read
from dashboard.queries.recordings import Known, Span, known

from ..kinds.shapes import SHAPES
from .recorded import BEGAN, Recorded, held, pod
from .seen import everything, nothing

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def pieces(type_: str = "") -> list[RecordingPiece]:
    rows = RecordingPiece.objects.order_by("pk")
    return list(rows.filter(type=type_) if type_ else rows)


@sync_to_async
def spans(context: str = "prod") -> list[tuple[datetime, datetime]]:
    return [(span.since, span.until) for span in known(context).spans]


async def test_every_moment_is_as_it_was_whatever_the_kind() -> None:
    """Random changes of objects of all shapes, over two and a half hours with snapshots between them."""
    rng = random.Random(7)
    there = Recorded()
    shapes = [(plural, manifest) for plural, make in SHAPES.items() for manifest in make()]
    for plural, manifest in rng.sample(shapes, len(shapes) // 2):
        there.put(plural, manifest)
    await there.recorder.step()
    seen: dict[datetime, Any] = {}
    for _ in range(150):
        there.pass_time(seconds=rng.uniform(0.1, 2))
        for plural, manifest in rng.sample(shapes, 3):
            name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace", "shop")
            if rng.random() < 0.3:
                there.remove(plural, namespace if KINDS[plural].gvr.namespaced else "", name)
            else:
                labels = {"turn": str(rng.random())}
                there.put(plural, manifest | {"metadata": manifest["metadata"] | {"labels": labels}})
        seen[there.now] = there.held()
        there.pass_time(seconds=rng.uniform(1, 110))
        if rng.random() < 0.5:
            await there.recorder.step()
    await there.recorder.flush()
    assert len(await pieces("head")) >= 3
    for at in rng.sample(sorted(seen), 40):
        moment = await there.read(at)
        assert moment is not None
        assert held(moment.stores) == seen[at], at
        assert moment.unreadable == 0


async def test_no_value_is_in_it_but_its_size() -> None:
    there = Recorded()
    there.put(
        "pods",
        pod("web-1", annotations={"kubectl.kubernetes.io/last-applied-configuration": "CANARY-applied"}),
    )
    there.put("configmaps", {"metadata": {"name": "settings"}, "data": {"key": "CANARY-text"},
                             "binaryData": {"bin": "Q0FOQVJZ"}})  # fmt: skip
    there.put("secrets", {"metadata": {"name": "login", "annotations": {"note": "CANARY-secret"}}})
    await there.recorder.step()
    there.pass_time(seconds=5)
    there.put("pods", pod("web-1", "Failed"))
    await there.recorder.flush()
    raw = b"".join(unpacked(each.packed) for each in await pieces())
    assert b"web-1" in raw
    assert b"settings" in raw
    assert b"PASSWORD" in raw
    assert b"CANARY" not in raw
    assert b"Q0FOQVJZ" not in raw
    moment = await there.read(there.now)
    assert moment is not None
    found = moment.stores["configmaps"].get("shop", "settings")
    assert found.sizes == {"key": len("CANARY-text"), "bin": 6}
    container = moment.stores["pods"].get("shop", "web-1").spec.containers[0]
    assert container.env[0].value == len("CANARY-variable")


async def test_one_process_records_and_another_takes_over() -> None:
    there = Recorded()
    second = there.another()
    await there.recorder.step()
    await second.step()
    assert len(await pieces("head")) == 1
    there.pass_time(seconds=30)
    there.put("pods", pod("web-1"))
    await second.step()
    assert await pieces("changes") == []
    # The first one is killed.
    there.pass_time(seconds=61)
    await second.step()
    assert await spans() == [(BEGAN, BEGAN), (there.now, there.now)]
    # It was not dead: it hears that it records no more, and writes nothing.
    there.put("pods", pod("web-2"))
    await there.recorder.step()
    await second.step()
    newest = await sync_to_async(Recording.objects.latest)("pk")
    assert [each.recording_id for each in await pieces("changes")] == [newest.pk]
    assert await there.read(BEGAN + timedelta(seconds=30)) is None


async def test_what_is_closed_is_taken_over_at_once() -> None:
    there = Recorded()
    await there.recorder.step()
    there.pass_time(seconds=4)
    there.put("pods", pod("web-1"))
    await there.recorder.close()
    second = there.another()
    there.pass_time(seconds=1)
    await second.step()
    assert await spans() == [(BEGAN, BEGAN + timedelta(seconds=4)), (there.now, there.now)]


async def test_a_database_that_is_away_loses_nothing_until_too_much_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = Recorded()
    await there.recorder.step()

    def away(*_: Any) -> bool:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write", away)
        there.put("pods", pod("web-1"))
        with pytest.raises(OperationalError):
            await there.recorder.step()
    there.pass_time(seconds=20)
    await there.recorder.step()
    moment = await there.read(BEGAN)
    assert moment is not None
    assert len(moment.stores["pods"]) == 1
    monkeypatch.setattr(module, "WAITING", 3)
    there.pass_time(seconds=20)
    ended = there.now - timedelta(seconds=20)
    there.put("pods", *(pod(f"web-{number}") for number in range(5)))
    there.pass_time(seconds=61)
    await there.recorder.step()
    assert await spans() == [(BEGAN, ended), (there.now, there.now)]


async def test_what_could_not_be_watched_is_told_as_such() -> None:
    there = Recorded()
    there.refusals["secrets"] = Forbidden("The account may not list secrets.")
    await there.recorder.step()
    there.pass_time(seconds=10)
    there.states["pods"] = "reconnecting"
    await there.recorder.flush()
    moment = await there.read(there.now)
    assert moment is not None
    assert moment.states["secrets"].denied == "The account may not list secrets."
    assert moment.states["pods"].state == "reconnecting"
    before = await there.read(BEGAN)
    assert before is not None
    assert before.states["pods"].state == "live"


async def test_it_stays_within_its_days_and_bytes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)
    there = Recorded()
    there.now = began = datetime.now(UTC) - timedelta(days=8)
    for hour in range(8 * 24):
        there.pass_time(hours=1)
        there.put("pods", pod(f"web-{hour}", note=str(hour)))
        await there.recorder.step()
    await retention.Retention().sweep(datetime.now(UTC))
    found = await spans()
    assert began + timedelta(days=1) <= found[0][0] <= began + timedelta(days=1, hours=1)
    assert await there.read(began + timedelta(hours=5)) is None
    stored = sum(each.stored_bytes for each in await pieces())
    settings.CLUSTER_UI_REWIND_MIB = stored / 2**21
    await retention.Retention().sweep(datetime.now(UTC))
    left = await pieces()
    assert stored / 3 < sum(each.stored_bytes for each in left) <= stored / 2
    [(since, until)] = await spans()
    assert until - since > timedelta(days=2)
    for each in left:
        if each.type == "head":
            assert await there.read(each.at) is not None
    settings.CLUSTER_UI_REWIND_DAYS = 0.0001
    await sync_to_async(Recording.objects.update)(until=datetime.now(UTC) - timedelta(days=2))
    await retention.Retention().sweep(datetime.now(UTC) + timedelta(minutes=1))
    assert await pieces() == []
    assert await sync_to_async(Recording.objects.count)() == 0


def test_gaps_are_what_lies_between() -> None:
    def at(minute: int) -> datetime:
        return BEGAN + timedelta(minutes=minute)

    found = Known((Span(at(0), at(10)), Span(at(12), at(30))))
    assert found.gaps(at(5), at(20)) == [Span(at(10), at(12))]
    assert found.gaps(at(-5), at(40)) == [Span(at(-5), at(0)), Span(at(10), at(12)), Span(at(30), at(40))]
    assert found.nearest(at(11)) == (at(10), at(12))
    assert not found.has(at(11))
    assert found.has(at(12))


async def test_what_is_wrong_begins_and_ends_and_is_told_to_who_may_see_it() -> None:
    there = Recorded()
    there.put("nodes", node("worker", "False"))
    await there.recorder.step()
    began = there.now
    there.pass_time(minutes=5)
    await there.recorder.step()
    there.put("nodes", node("worker", "True"))
    ended = there.pass_time(minutes=1)
    await there.recorder.step()
    await there.recorder.step()

    @sync_to_async
    def told(**less: Visible) -> list[Any]:
        return problems_read("prod", BEGAN, there.now, everything(**less))

    [wrong] = await told()
    assert (wrong.plural, wrong.name, wrong.severity) == ("nodes", "worker", "bad")
    assert wrong.since <= began
    assert wrong.until == ended
    assert "not ready" in wrong.text.lower()
    assert await told(nodes=nothing("nodes")) == []
    # Who may not see all that it was found out from learns that there was something, not what.
    [hidden] = await told(pods=Visible(frozenset({"shop"})))
    assert hidden.text == ""
    assert await sync_to_async(problems_read)("other", BEGAN, there.now, everything()) == []


def node(name: str, ready: str) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "KubeletNotReady",
        "message": "runtime network not ready",
    }
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}
