"""Moves unfinished operations on, in the background of each server process: those it begins and those it finds.

It lives from the database alone, so a browser that leaves, or a server that ends and starts again, changes nothing
but who goes on. Each operation acts as the person who began it; while that isn't possible it waits and says why.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from datetime import UTC, datetime

from dashboard.actions.operation import Lost, OperationAction, operation_advance
from dashboard.actions.operations import (
    GIVEN_UP_AFTER,
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
from dashboard.models import Change, Operation
from dashboard.sessions import is_an_issuers
from dashboard.sessionstore import SessionStore

from .acting import identity_of, mode_of, own_accounts, vouched
from .background import begin
from .runtime import Runtime, runtime
from .session import THE_INSTALLATION, Identity, Session

log = logging.getLogger(__name__)

MOVE_SECONDS = 1.0
LOOK_SECONDS = 5.0  # how soon another process' operation is taken over, besides its lease
SETTLE_SECONDS = 60.0
# A move that takes longer goes on beside the others, which do not wait for it.
PATIENCE_SECONDS = 5.0


class Operations:
    """One process' part in them. ``wake()`` when there is a new one."""

    def __init__(self, runtime: Runtime) -> None:
        self.holder = secrets.token_hex(8)
        self._runtime = runtime
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._moves: dict[int, asyncio.Task[None]] = {}  # by operation
        self._settled = float("-inf")
        self._told: dict[tuple[str, int], str] = {}
        self._failing: dict[int, datetime] = {}  # operations that could not be moved, since when

    def start(self) -> None:
        self._task = begin(THE_INSTALLATION, self._run(), "operations")

    async def stop(self) -> None:
        if self._task is not None:
            tasks = [self._task, *self._moves.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            try:
                await in_database(operations_release)(self.holder)
            except AWAY as error:  # what has been held for long is taken over all the same
                log.warning("another process waits before it goes on with operations: %s", error)

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
        await self._settle()
        await in_database(operations_set_aside)(datetime.now(UTC))
        for change in await in_database(operations_missing)():
            await self._tried(change, self._begin(change))
        claimed = await in_database(operations_claim)(self.holder, datetime.now(UTC))
        for operation in claimed:
            if operation.pk not in self._moves:
                who = Identity(operation.change.user.get_username())
                work = self._tried(operation, self._move(operation))
                self._moves[operation.pk] = begin(who, work, f"operation {operation.pk}")
        if self._moves:
            await asyncio.wait(self._moves.values(), timeout=PATIENCE_SECONDS)
            self._moves = {pk: task for pk, task in self._moves.items() if not task.done()}
        return len(claimed)

    async def _settle(self) -> None:
        """Finds out how changes ended of which nobody has said so; those of which nothing tells are unknown at last."""
        now = datetime.now(UTC)
        for change in await changes_unsettled(now):
            await self._tried(change, self._look(change, now))
        loop = asyncio.get_running_loop()
        if loop.time() - self._settled > SETTLE_SECONDS:
            self._settled = loop.time()
            await changes_settle()

    async def _look(self, change: Change, now: datetime) -> None:
        session = await self._session(change)
        await change_settle(transport=session.transport, change=change, now=now, kinds=session.cluster.kinds)

    async def _begin(self, change: Change) -> None:
        await operation_start(await self._session(change), change)

    async def _move(self, operation: Operation) -> None:
        action = required_action(operation)
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
                now=datetime.now(UTC),
            )
        await in_database(operation_waits)(operation, "")

    async def _session(self, change: Change) -> Session:
        """Of the person who made the change: what follows from it is done as that person, and as nobody else.

        Raises NotSignedIn while the account that it was made with is kept in no session that stands.
        """
        who = change.user.get_username()
        if not change.user.is_active:
            raise Forbidden(f"{who}, who began it, may not sign in any more.")
        cluster = self._runtime.open(slug(change.context))
        if not own_accounts(slug(change.context)):
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
            raise NotSignedIn(f"{who}, who began it, is no longer signed in to {change.context}.")
        return cluster.session(await identity_of(cluster.cluster, who, found[1]))

    async def _tried(self, what: Change | Operation, work: Awaitable[None]) -> None:
        """One that fails holds up no other. Why it waits is kept with it, and logged once, not with every move."""
        key = (type(what).__name__, what.pk)
        try:
            await work
        except Lost:
            return
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
        now = datetime.now(UTC)
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
