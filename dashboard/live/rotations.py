"""Moves unfinished rotations on, in the background of each server process: those it begins and those it finds.

It lives from the database alone, so a browser that leaves, or a server that ends and starts again, changes nothing
but who goes on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime

from asgiref.sync import sync_to_async

from dashboard.actions.rotation import (
    FOLLOWED,
    Lost,
    rotation_advance,
    rotation_begin,
    rotations_claim,
    rotations_missing,
    rotations_release,
)
from dashboard.actions.undo import changes_settle
from dashboard.errors import ClusterError
from dashboard.insight.secretuse import READ
from dashboard.kube.config import slug
from dashboard.models import Change, Rotation

from .runtime import Runtime, runtime

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
                await asyncio.wait_for(self._news.wait(), MOVE_SECONDS if moving else LOOK_SECONDS)
            except TimeoutError:
                continue

    async def move(self) -> int:
        """One move of every rotation that is free; how many there were."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._settled > SETTLE_SECONDS:
            self._settled = loop.time()
            await changes_settle()
        for change in await sync_to_async(rotations_missing)():
            await self._begin(change)
        claimed = await sync_to_async(rotations_claim)(self.holder, datetime.now(UTC))
        await asyncio.gather(*(self._move(rotation) for rotation in claimed))
        return len(claimed)

    async def _begin(self, change: Change) -> None:
        try:
            cluster = self._runtime.open(slug(change.context))
            with cluster.cache.lease(READ):
                await cluster.ready(READ)
                await rotation_begin(change=change, transport=cluster.transport, objects=cluster.reader)
        except ClusterError as error:
            log.warning("rotation of %s waits: %s", change, error.message)

    async def _move(self, rotation: Rotation) -> None:
        try:
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
        except Lost:
            return
        except ClusterError as error:
            log.warning("%s waits: %s", rotation, error.message)


rotations = Rotations(runtime)
