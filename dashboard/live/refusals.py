"""A task in each server process tells how often what was refused came again (``audit/refusals.py``)."""

from __future__ import annotations

import asyncio
import logging
import math
import time

from dashboard.audit.refusals import refusals
from dashboard.database import in_database

from .background import begin
from .session import THE_INSTALLATION

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0


class RefusalsTold:
    """One process' part in it."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = begin(THE_INSTALLATION, self._run(), "refusals")

    async def stop(self) -> None:
        """What is still being counted is told at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._tell(math.inf)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self._tell(time.time())

    async def _tell(self, now: float) -> None:
        try:
            await in_database(refusals.tell)(now)
        except Exception:
            log.exception("telling how much was refused")


refusals_told = RefusalsTold()
