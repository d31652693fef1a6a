"""Moves unfinished operations on, in the background of each server process: those it begins and those it finds.

It lives from the database alone, so a browser that leaves, or a server that ends and starts again, changes nothing
but who goes on. Each operation acts as the person who began it; while that isn't possible it waits and says why.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from dashboard import clock
from dashboard.actions.engine import writes_ended
from dashboard.actions.hold import Hold, asked
from dashboard.actions.operation import Lost, OperationAction, operation_advance
from dashboard.actions.operations import (
    GIVEN_UP_AFTER,
    LEASE_SECONDS,
    operation_action,
    operation_begin,
    operation_set_aside,
    operation_waits,
    operations_claim,
    operations_missing,
    operations_release,
    operations_set_aside,
    required_action,
)
from dashboard.actions.settling import change_settle, changes_unsettled
from dashboard.actions.undo import changes_settle
from dashboard.database import AWAY, in_database
from dashboard.errors import ClusterError, Forbidden, NotSignedIn, Unavailable
from dashboard.kinds.rows import listed
from dashboard.kube.config import slug
from dashboard.kube.transport import hold
from dashboard.models import Change, Operation
from dashboard.sessions import is_an_issuers
from dashboard.sessionstore import SessionStore

from .acting import identity_of, mode_of, own_accounts, own_past, vouched
from .background import begin
from .runtime import Runtime, runtime
from .session import THE_INSTALLATION, Identity, Session

log = logging.getLogger(__name__)

Row = TypeVar("Row", Change, Operation)

MOVE_SECONDS = 1.0
LOOK_SECONDS = 5.0  # how soon another process' operation is taken over, besides its lease
SETTLE_SECONDS = 60.0
# A move that takes longer goes on beside the others, which do not wait for it; nor do leases wait to be renewed.
PATIENCE_SECONDS = 5.0
# The same for a look at a change without an end, and for the beginning of steps: a cluster may be away.
BESIDE_SECONDS = 1.0
# For what is being sent when the process is told to end; then another one goes on.
END_SECONDS = 5.0


class Operations:
    """One process' part in them. ``wake()`` when there is a new one."""

    def __init__(self, runtime: Runtime) -> None:
        self.holder = secrets.token_hex(8)
        self._runtime = runtime
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._work: dict[tuple[str, int], asyncio.Task[None]] = {}  # by what is done, and about which row
        self._holds: dict[int, Hold] = {}  # of those that this process has
        self._settled = float("-inf")
        self._told: dict[tuple[str, int], str] = {}
        self._failing: dict[int, datetime] = {}  # operations that could not be moved, since when

    def start(self) -> None:
        self._task = begin(THE_INSTALLATION, self._run(), "operations")

    async def stop(self) -> None:
        if self._task is not None:
            tasks = [self._task, *self._work.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await writes_ended(END_SECONDS)
            for each in self._holds.values():
                each.end()
            try:
                await in_database(operations_release)(self.holder)
            except AWAY as error:  # what has been held for long is taken over all the same
                log.warning("another process waits before it goes on with operations: %s", error)

    @property
    def moved(self) -> int:
        """How many operations this process moves."""
        return len(self._holds)

    def wake(self) -> None:
        self._news.set()

    async def _run(self) -> None:
        while True:
            moving = 0
            try:
                moving = await self.move()
            except AWAY as error:
                log.warning("operations wait: %s", error)
            except Exception:
                log.exception("moving operations on")
            self._news.clear()
            try:
                async with asyncio.timeout(MOVE_SECONDS if moving else LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def move(self) -> int:
        """One move of every operation that is free; how many there were. Claiming them again each time keeps them: one
        that is moving still is left to its move.
        """
        await in_database(clock.clock_compare)()
        await self._settle()
        await in_database(operations_set_aside)(clock.now())
        await self._all("begin", await in_database(operations_missing)(), self._begin, BESIDE_SECONDS)
        claimed = await self._claim()
        await self._all("operation", claimed, self._move, PATIENCE_SECONDS)
        return len(claimed)

    async def _all(
        self, what: str, rows: Sequence[Row], work: Callable[[Row], Awaitable[None]], seconds: float
    ) -> None:
        """Does ``work`` about each of these, all at once, and waits so long at most: what is under way still is left to
        itself.
        """
        for row in rows:
            if (what, row.pk) not in self._work:
                change = row.change if isinstance(row, Operation) else row
                who = Identity(change.user.get_username())
                self._work[what, row.pk] = begin(who, self._tried(row, work(row)), f"{what} {row.pk}")
        if under_way := [task for key, task in self._work.items() if key[0] == what]:
            await asyncio.wait(under_way, timeout=seconds)
            self._work = {key: task for key, task in self._work.items() if not task.done()}

    async def _claim(self) -> list[Operation]:
        began, held = asked(), self._holds
        claimed = await in_database(operations_claim)(self.holder, clock.now())
        self._holds = {}
        for operation in claimed:
            before = held.get(operation.pk)
            if before is not None and before.stands:
                before.renew(began, LEASE_SECONDS)
                self._holds[operation.pk] = before
            else:
                log.info("%s: moved by this process from now on", operation)
                self._holds[operation.pk] = Hold(began, LEASE_SECONDS)
        return claimed

    async def _settle(self) -> None:
        """Finds out how changes ended of which nobody has said so; those of which nothing tells are unknown at last."""
        await self._all("look", await changes_unsettled(clock.now()), self._look, BESIDE_SECONDS)
        loop = asyncio.get_running_loop()
        if loop.time() - self._settled > SETTLE_SECONDS:
            self._settled = loop.time()
            await changes_settle()

    async def _look(self, change: Change) -> None:
        session = await self._session(change)
        kinds = session.cluster.kinds
        await change_settle(transport=session.transport, change=change, now=clock.now(), kinds=kinds)

    async def _begin(self, change: Change) -> None:
        await operation_start(await self._session(change), change)

    async def _move(self, operation: Operation) -> None:
        action = required_action(operation)
        hold.set(self._holds[operation.pk].required)
        session = await self._session(operation.change)
        watched = action.watched(operation)
        with session.cluster.lease(watched, beside=True):
            await session.cluster.ready(watched)
            await session.review(watched)
            for plural in action.must_follow(operation):
                session.must_see(plural, operation.change.namespace)  # else it would look deleted
            await operation_advance(
                operation=operation,
                action=action,
                holder=self.holder,
                transport=session.transport,
                objects=session.reader,
                now=clock.now(),
            )
        await in_database(operation_waits)(operation, "")

    async def _session(self, change: Change) -> Session:
        """Of the person who made the change: what follows from it is done as that person, and as nobody else.

        Raises NotSignedIn while the account that it was made with is kept in no session that stands.
        """
        who = change.user.get_username()
        if not change.user.is_active:
            raise Forbidden(f"{who}, who started it, may not sign in any more.")
        cluster = self._runtime.open(slug(change.context))
        if not own_accounts(slug(change.context)):
            if change.created_at <= own_past(change.context):
                raise Forbidden(
                    f"{who} began it as themselves, and in {change.context} all act with one account now."
                )
            return cluster.session(Identity(who))
        found = await vouched(change.sign_in)  # nobody may have a page open
        if (
            found is None
            and mode_of(slug(change.context)) == "impersonate"
            and not await in_database(is_an_issuers)(change.user)
        ):
            # Without a session there are no groups of it; what is said of the person holds all the same. An issuer's
            # person is only who they are while it says so.
            return cluster.session(await identity_of(cluster.cluster, who, SessionStore()))
        if found is None or found[0] != change.user:
            raise NotSignedIn(f"{who}, who started it, is no longer signed in to {change.context}.")
        return cluster.session(await identity_of(cluster.cluster, who, found[1]))

    async def _tried(self, what: Change | Operation, work: Awaitable[None]) -> None:
        """One that fails holds up no other. Why it waits is kept with it, and logged once, not with every move."""
        key = (type(what).__name__, what.pk)
        try:
            await work
        except Lost:
            log.info("%s: another process has it now, or it was stopped", what)
        except ClusterError as error:
            if self._told.get(key) != error.message:
                log.warning("%s waits: %s", what, error.message)
            self._told[key] = error.message
            if isinstance(what, Operation) and isinstance(error, NotSignedIn):
                await self._halt(what)
            elif isinstance(what, Operation):
                await in_database(operation_waits)(what, error.message)
                await self._failed(what)
        except AWAY as error:
            log.warning("%s waits: %s", what, error)
        except Exception:
            if key not in self._told:
                log.exception("%s waits", what)
            self._told[key] = "broken"
        else:
            self._told.pop(key, None)
            self._failing.pop(what.pk, None)

    async def _halt(self, operation: Operation) -> None:
        """One whose person has no account in the cluster just now does not go on by itself when they have one again."""
        change, action = operation.change, operation_action(operation.change)
        who = change.user.get_username()
        why = f"{who}, who began it and alone can resume it, is no longer signed in to {change.context}"
        if action is not None:
            await in_database(operation_set_aside)(operation, action, why)

    async def _failed(self, operation: Operation) -> None:
        """One whose cluster is away for too long does not go on by itself when that comes back."""
        now = clock.now()
        action = operation_action(operation.change)
        if now - self._failing.setdefault(operation.pk, now) > GIVEN_UP_AFTER and action is not None:
            del self._failing[operation.pk]
            await in_database(operation_set_aside)(operation, action)


async def operation_start(session: Session, change: Change) -> None:
    """Begins the steps after a change that was written. Raises Unavailable while the objects that they depend on can't
    be told, and what else the API server says: nothing has begun then.
    """
    action: OperationAction | None = operation_action(change)
    if action is None:
        return
    with session.cluster.lease(action.planned_from, beside=True):
        await session.cluster.ready(action.planned_from)
        await session.review(action.planned_from)
        unknown = [
            plural
            for plural in sorted(action.must_know)
            if session.reader.knows(plural, change.namespace) is False
        ]
        if unknown:
            raise Unavailable(f"{listed(unknown, 'more kinds')} cannot be listed just now.")
        begun = await operation_begin(
            change=change,
            action=action,
            transport=session.transport,
            objects=session.reader,
            holder=operations.holder if action.by_beginner else "",
        )
        if begun.state == Operation.State.RUNNING:
            await action.begun(change, session.transport)


operations = Operations(runtime)
