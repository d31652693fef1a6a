"""Keeps the kinds of a cluster equal to what its API server offers.

A custom kind comes and goes with its definition: whoever hears of a change of definitions calls ``notice()``. The API
server takes some seconds until its own list tells of it, so it is asked several times. Where definitions may not be
watched, and for what comes in other ways (an aggregated API server), it is asked every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from dashboard.errors import ClusterError
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport

__all__ = ["Discovery"]

logger = logging.getLogger(__name__)


class Discovery:
    """``wanted`` says whether somebody looks: nothing is asked for nobody. All times in seconds."""

    def __init__(
        self,
        transport: Transport,
        kinds: Kinds,
        *,
        wanted: Callable[[], bool] = lambda: True,
        every: float = 60.0,
        retry: float = 5.0,
        seldom: float = 2.0,
        after_change: tuple[float, ...] = (0.2, 1.0, 3.0, 8.0),
    ) -> None:
        self._transport = transport
        self._kinds = kinds
        self._wanted = wanted
        self._every = every
        self._retry = retry
        self._seldom = seldom
        self._after_change = after_change
        self._coming: list[float] = []
        self._news = asyncio.Event()
        self._asked = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        self._offered: tuple[Resource, ...] = ()
        # Whether the API server has told once what it offers.
        self.told = False
        self._asked_at = float("-inf")

    def start(self) -> None:
        """Begins to ask, unless it has; needs a running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="discovery")

    async def known(self, timeout: float) -> None:  # noqa: ASYNC109 part of the promise
        """Waits for the first answer, or failure, for at most ``timeout`` seconds."""
        self.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._asked.wait()

    async def anew(self, timeout: float) -> None:  # noqa: ASYNC109 part of the promise
        """Asks at once, unless it just has, and waits for the answer: for somebody who looks for a kind in vain."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._asked_at > self._seldom:
            self._asked_at = loop.time()
            self._asked.clear()
            self._news.set()
        await self.known(timeout)

    def notice(self, _: Sequence[Any] = ()) -> None:
        """Definitions have changed."""
        self._coming = list(self._after_change)
        self._news.set()

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when other kinds are offered. Returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    async def close(self) -> None:
        """Asks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._ask()
            except Exception:  # an answer that we fail to understand must not end it for ever
                logger.exception("asking what the API server offers")
                self._failed = True
            self._asked.set()
            self._asked_at = asyncio.get_running_loop().time()
            await self._pause()
            while not self._wanted() and self._asked.is_set():
                await self._pause()

    async def _ask(self) -> None:
        try:
            offered = await discover(self._transport, self._offered)
        except ClusterError as error:
            logger.info("The API server does not say what it offers: %s", error.message)
            self._failed = True
            return
        self._failed = False
        self.told = True
        self._offered = offered
        if self._kinds.learn(offered):
            for callback in tuple(self._callbacks):
                callback()

    async def _pause(self) -> None:
        """Until it is time to ask again."""
        usual = self._retry if self._failed else self._every
        try:
            async with asyncio.timeout(self._coming.pop(0) if self._coming else usual):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()
        if self._coming:
            await asyncio.sleep(self._coming.pop(0))
