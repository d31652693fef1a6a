"""Moves unfinished rotations on, in the background of each server process: those it begins and those it finds.

It lives from the database alone, so a browser that leaves, or a server that ends and starts again, changes nothing
but who goes on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from datetime import UTC, datetime

from asgiref.sync import sync_to_async

from dashboard.actions.backups import backups_prune
from dashboard.actions.rotation import (
    FOLLOWED,
    Lost,
    rotation_advance,
    rotation_begin,
    rotations_claim,
    rotations_missing,
    rotations_release,
)
from dashboard.actions.settling import change_settle, changes_unsettled
from dashboard.actions.undo import changes_settle
from dashboard.errors import ClusterError, Unavailable
from dashboard.insight.secretuse import READ, RESTARTABLE
from dashboard.kinds.rows import listed
from dashboard.kube.config import slug
from dashboard.models import Change, Rotation

from .runtime import ClusterRuntime, Runtime, runtime

log = logging.getLogger(__name__)

MOVE_SECONDS = 1.0
LOOK_SECONDS = 5.0  # how soon another process' rotation is taken over, besides its lease
SETTLE_SECONDS = 60.0


class Rotations:
    """One process' part in them. ``wake()`` when there is a new one."""

    def __init__(self, runtime: Runtime) -> None:
        self.holder = secrets.token_hex(8)
        self._runtime = runtime
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._settled = float("-inf")
        self._told: dict[tuple[str, int], str] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await sync_to_async(rotations_release)(self.holder)

    def wake(self) -> None:
        self._news.set()

    async def _run(self) -> None:
        while True:
            moving = 0
            try:
                moving = await self.move()
            except Exception:
                log.exception("moving rotations on")
            self._news.clear()
            try:
                async with asyncio.timeout(MOVE_SECONDS if moving else LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def move(self) -> int:
        """One move of every rotation that is free; how many there were."""
        await self._settle()
        for change in await sync_to_async(rotations_missing)():
            await self._tried(change, self._begin(change))
        claimed = await sync_to_async(rotations_claim)(self.holder, datetime.now(UTC))
        await asyncio.gather(*(self._tried(rotation, self._move(rotation)) for rotation in claimed))
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
        cluster = self._runtime.open(slug(change.context))
        await change_settle(transport=cluster.transport, change=change, now=now)

    async def _begin(self, change: Change) -> None:
        await rotation_start(self._runtime.open(slug(change.context)), change)

    async def _move(self, rotation: Rotation) -> None:
        cluster = self._runtime.open(slug(rotation.change.context))
        with cluster.cache.lease(FOLLOWED):
            await cluster.ready(FOLLOWED)
            await rotation_advance(
                rotation=rotation,
                holder=self.holder,
                transport=cluster.transport,
                objects=cluster.reader,
                now=datetime.now(UTC),
            )

    async def _tried(self, what: Change | Rotation, work: Awaitable[None]) -> None:
        """One that fails holds up no other. Why it waits is logged once, not with every move."""
        key = (type(what).__name__, what.pk)
        try:
            await work
        except Lost:
            return
        except ClusterError as error:
            if self._told.get(key) != error.message:
                log.warning("%s waits: %s", what, error.message)
            self._told[key] = error.message
        except Exception:
            if key not in self._told:
                log.exception("%s waits", what)
            self._told[key] = "broken"
        else:
            self._told.pop(key, None)


async def rotation_start(cluster: ClusterRuntime, change: Change) -> None:
    """Begins the restarts after a value that was written. Raises Unavailable while who reads it cannot be told, and
    what else the API server says: nothing has begun then.
    """
    with cluster.cache.lease(READ):
        await cluster.ready(READ)
        unknown = [plural for plural in RESTARTABLE if cluster.cache.knows(plural, change.namespace) is False]
        if unknown:
            raise Unavailable(f"{listed(unknown, 'more kinds')} cannot be listed just now.")
        await rotation_begin(change=change, transport=cluster.transport, objects=cluster.reader)
        await backups_prune(change=change, transport=cluster.transport)


rotations = Rotations(runtime)
