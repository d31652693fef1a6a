"""Archives that this process reads whole: few at once, in threads of their own, and one after the other for each person.

Reading one takes as long as it is large, whoever asked. Somebody who asks again and again waits for their own reading,
and takes neither the threads nor the memory of the others.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from dashboard.errors import TooManyRequests

T = TypeVar("T")

AT_ONCE = 2
MAX_OF_ONE = 2  # of one person, under way and waiting: whoever changes the form asks again
MAX_OF_ALL = 8


class Readings:
    """A bound by person and one over all; both count until the thread is done, though nobody waits for it any more."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=MAX_OF_ALL, thread_name_prefix="archive")
        self._gate = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._asked: Counter[Hashable] = Counter()
        self._turns: dict[Hashable, threading.Lock] = {}

    async def read(self, whose: Hashable, work: Callable[..., T], *given: Any) -> T:
        """Calls ``work`` in a thread for somebody. Raises TooManyRequests where too many are read already."""
        gone = threading.Event()
        with self._lock:
            if (mine := self._asked[whose] >= MAX_OF_ONE) or self._asked.total() >= MAX_OF_ALL:
                raise TooManyRequests(
                    "Other backups are being read for you."
                    if mine
                    else "Many backups are being read just now.",
                    next_step="Try again in a minute.",
                )
            self._asked[whose] += 1
            turn = self._turns.setdefault(whose, threading.Lock())
        job = self._threads.submit(self._in_turn, turn, gone, partial(work, *given))
        job.add_done_callback(partial(self._done, whose))
        try:
            return await asyncio.wrap_future(job)
        finally:
            gone.set()

    def _in_turn(self, turn: threading.Lock, gone: threading.Event, work: Callable[[], T]) -> T:
        with turn, self._gate:
            if gone.is_set():  # whoever asked has asked for something else, or left
                raise CancelledError
            return work()

    def _done(self, whose: Hashable, _: object) -> None:
        with self._lock:
            self._asked[whose] -= 1
            if not self._asked[whose]:
                del self._asked[whose], self._turns[whose]


readings = Readings()
