"""A process that is killed at any point of an operation: before and after each question to its database and each request
to the cluster. Another one goes on, everything is written once, and told once.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard import clock
from dashboard.actions.operations import LEASE_SECONDS, operation_begin
from dashboard.actions.rotate import ROTATE
from dashboard.actions.scale import SCALE
from dashboard.actions.settling import change_settle, changes_unsettled
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change, Operation

from ..insight.world import NOW, World
from .test_bulk import Somebody, webs
from .test_rotation import Api, deployment, move, written

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process has ended."""


class Process:
    """One that ends at a point, counted from 1; 0: never."""

    def __init__(self) -> None:
        self.ends_at, self.points, self.ended = 0, 0, False

    def begin(self, ends_at: int) -> None:
        self.ends_at, self.points, self.ended = ends_at, 0, False

    def point(self) -> None:
        self.points += 1
        self.ended = self.ended or self.points == self.ends_at
        if self.ended:  # and nothing of it does anything any more
            raise Killed

    def between(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def called(*args: Any, **kwargs: Any) -> Any:
            self.point()
            answer = await call(*args, **kwargs)
            self.point()
            return answer

        return called


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    made = Process()
    for name, module in tuple(sys.modules.items()):
        if (
            name.startswith("dashboard.actions.")
            and (real := getattr(module, "in_database", None)) is not None
        ):
            monkeypatch.setattr(
                module, "in_database", lambda ask, real=real: made.between(real(ask))
            )  # each module's own name of it
    return made


async def moved_to_its_end(
    process: Process, change: Change, ends_at: int, one_move: Callable[[str, float], Awaitable[Any]]
) -> bool:
    """Moves an operation to its end, by a second process from the point on at which the first one ends; whether it came
    to that point.
    """
    process.begin(ends_at)
    holder, seconds, killed = "a", 0.0, False
    for _ in range(60):
        try:
            await one_move(holder, seconds)
        except Killed:
            process.begin(0)
            holder, killed = "b", True
        seconds += LEASE_SECONDS + 1
        if (await Operation.objects.aget(change=change)).state == Operation.State.DONE:
            return killed
    raise AssertionError(f"killed at point {ends_at}, it did not come to its end")


async def told(change: Change, action: str) -> int:
    """How many entries of the audit say that it was done."""
    entries = AuditEntry.objects.filter(action=action, result="done", user_name=change.user.get_username())
    return await entries.acount()


async def test_many_objects_are_changed_once_each(process: Process) -> None:
    for ends_at in range(1, 500):
        cluster = webs(2)
        somebody = await sync_to_async(Somebody)(cluster, SCALE, f"mara-{ends_at}", replicas="3")
        change = await somebody.begun()
        cluster.request = process.between(cluster.request)  # type: ignore[method-assign]

        async def one_move(holder: str, seconds: float, somebody: Somebody = somebody) -> None:
            await somebody.move(holder, NOW + timedelta(seconds=seconds))

        killed = await moved_to_its_end(process, change, ends_at, one_move)
        assert cluster.replicas() == {"web-0": 3, "web-1": 3}, ends_at
        assert sorted(key[2] for _, key in cluster.writes) == ["web-0", "web-1"], f"{ends_at}: each once"
        assert await told(change, "scale") == 2, f"{ends_at}: each is told once"
        if not killed:
            assert ends_at > 20, "it has points"
            return
    raise AssertionError("it has no end")


async def test_workloads_are_restarted_once_each(process: Process) -> None:
    """After the new value of a Secret."""
    for ends_at in range(1, 500):
        api: Any = Api("mail", "web")
        change = await sync_to_async(written)()
        user = await User.objects.acreate(username=f"mara-{ends_at}")
        change.user = user
        await change.asave()
        process.begin(0)
        objects = World(deployment("mail"), deployment("web"))
        await operation_begin(action=ROTATE, change=change, transport=api, objects=objects)
        api.request = process.between(api.request)

        async def one_move(holder: str, seconds: float, api: Any = api) -> None:
            now = World(*(deployment(name, kept["generation"]) for name, kept in api.kept.items()))
            await move(api, now, seconds, holder)

        killed = await moved_to_its_end(process, change, ends_at, one_move)
        process.begin(0)
        for unsettled in await changes_unsettled(
            clock.now() + timedelta(minutes=1)
        ):  # as the server does meanwhile
            await change_settle(transport=api, change=unsettled, now=clock.now(), kinds=KINDS)
        assert api.writes == ["mail", "web"], ends_at
        assert await told(change, "restart") == 2, f"{ends_at}: each is told once"
        if not killed:
            assert ends_at > 20, "it has points"
            return
    raise AssertionError("it has no end")
