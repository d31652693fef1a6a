"""Restarts that came to a halt long ago are not resumed by a server that starts: a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard.actions import rotate
from dashboard.actions.action import Actor
from dashboard.actions.operations import (
    GIVEN_UP_AFTER,
    is_set_aside,
    operation_begin,
    operation_leave,
    operation_resume,
    operation_stop,
    operations_release,
)
from dashboard.actions.rotate import ROTATE
from dashboard.errors import Conflict, NotFound
from dashboard.live.operations import Operations
from dashboard.live.session import Identity
from dashboard.models import AuditEntry, Change, Operation

from .test_rotation import Api, states, world, written

pytestmark = pytest.mark.django_db(transaction=True)


class Runtime:
    """One cluster, of which the objects are those of ``world``; ``away``: it cannot be opened."""

    def __init__(self) -> None:
        self.transport: Any = Api("mail", "web")
        self.transport.writes = []
        self.cluster = SimpleNamespace(name="dev")
        self.reader: Any = world()
        self.reader.knows = lambda *_: True
        self.identities: list[Identity] = []
        self.away = False

    def open(self, _: str) -> Runtime:
        if self.away:
            raise NotFound("No context is called dev.")
        return self

    def session(self, identity: Identity) -> Any:
        """Of the person who started it."""
        self.identities.append(identity)
        return SimpleNamespace(
            cluster=self,
            transport=self.transport,
            reader=self.reader,
            review=self.ready,
            must_see=lambda *_: None,
        )

    @contextmanager
    def lease(self, _: object, *, beside: bool) -> Iterator[None]:
        yield

    async def ready(self, _: object) -> None:
        return


@pytest.fixture
def runtime() -> Runtime:
    return Runtime()


@pytest.fixture
def server(runtime: Runtime) -> Operations:
    """A server that has just started."""
    return Operations(runtime)  # type: ignore[arg-type]


@pytest.fixture
def change() -> Change:
    return written()


async def age(change: Change, by: timedelta) -> None:
    """The change is older, and so is all that was done for it."""
    then = datetime.now(UTC) - by
    await Change.objects.filter(pk=change.pk).aupdate(created_at=then)
    await Operation.objects.filter(change=change).aupdate(created_at=then)
    await Operation.objects.filter(change=change, held_until__isnull=False).aupdate(held_until=then)


async def aside(change: Change) -> bool:
    rotation = await Operation.objects.select_related("change").aget(change=change)
    return await sync_to_async(is_set_aside)(rotation)


OLD, YOUNG = timedelta(days=30), GIVEN_UP_AFTER - timedelta(minutes=5)


@pytest.mark.parametrize("begun", ["not begun", "begun", "held", "moved"])
@pytest.mark.parametrize(("by", "goes_on"), [(OLD, False), (GIVEN_UP_AFTER, False), (YOUNG, True)])
async def test_a_server_that_starts_resumes_only_what_somebody_may_still_expect(
    server: Operations, runtime: Runtime, change: Change, begun: str, by: timedelta, goes_on: bool
) -> None:
    if begun != "not begun":
        await operation_begin(
            action=ROTATE, change=change, transport=runtime.transport, objects=runtime.reader
        )
    if begun == "held":
        await Operation.objects.aupdate(holder="killed", held_until=datetime.now(UTC))
    if begun == "moved":
        earlier = Operations(runtime)  # type: ignore[arg-type]
        await earlier.move()
        await sync_to_async(operations_release)(earlier.holder)
    sent = len(runtime.transport.writes)
    await age(change, by)
    await server.move()
    await server.move()
    state, _ = await states(change)
    assert state == ("running" if goes_on else "stopped")
    assert {str(each) for each in runtime.identities} <= {"mara as the installation"}, "nobody else acts"
    assert bool(runtime.identities) or not goes_on
    assert len(runtime.transport.writes) == (1 if goes_on else sent)
    assert await aside(change) is not goes_on
    if not goes_on:
        entry = await AuditEntry.objects.order_by("pk").alast()
        assert entry is not None and (entry.user_name, entry.action) == ("Cluster UI", "set restarts aside")


async def set_aside(server: Operations, runtime: Runtime, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=runtime.transport, objects=runtime.reader)
    await age(change, OLD)
    await server.move()
    assert await aside(change)


async def test_what_a_person_resumes_goes_on(server: Operations, runtime: Runtime, change: Change) -> None:
    await set_aside(server, runtime, change)
    actor = Actor(user=await User.objects.aget(), name="mara")
    await operation_resume(transport=runtime.transport, actor=actor, change=change)
    await server.move()
    assert runtime.transport.writes == ["mail"]
    assert not await aside(change)
    await operation_stop(actor=actor, change=change)
    assert not await aside(change)  # somebody stopped it: that is another thing


async def test_what_a_person_leaves_is_over(server: Operations, runtime: Runtime, change: Change) -> None:
    await set_aside(server, runtime, change)
    actor = Actor(user=await User.objects.aget(), name="mara")
    await operation_leave(actor=actor, change=change)
    assert await states(change) == ("done", ["left", "left"])
    assert "mara left it" in (await Operation.objects.aget(change=change)).steps[0]["text"]
    await server.move()
    assert runtime.transport.writes == []
    with pytest.raises(Conflict):
        await operation_leave(actor=actor, change=change)
    with pytest.raises(Conflict):
        await operation_resume(transport=runtime.transport, actor=actor, change=change)


async def test_no_old_backup_is_removed_for_what_is_set_aside(
    server: Operations, runtime: Runtime, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned: list[Change] = []

    async def prune(*, change: Change, **_: Any) -> None:
        pruned.append(change)

    monkeypatch.setattr(rotate, "backups_prune", prune)
    await age(change, OLD)
    await server.move()
    young = await sync_to_async(written)()
    await server.move()
    assert pruned == [young]


async def test_a_cluster_that_is_away_too_long_does_not_go_on_by_itself(
    server: Operations, runtime: Runtime, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=runtime.transport, objects=runtime.reader)
    runtime.away = True
    await server.move()
    await server.move()
    assert not await aside(change)
    server._failing = {pk: since - GIVEN_UP_AFTER for pk, since in server._failing.items()}
    await server.move()
    assert await aside(change)
    runtime.away = False
    await server.move()
    assert runtime.transport.writes == []
