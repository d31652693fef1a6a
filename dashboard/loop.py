"""Work that the event loop must not wait for.

One loop serves every page and every socket. What costs more than some milliseconds because of what somebody wrote runs
here, in two threads of its own: the loop gets its turn after a millisecond, and however many ask at once, two work. A
single call into C that takes long (a regular expression that backtracks) would hold the loop from there too: such are
bounded where they are made.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import ParamSpec, TypeVar

from dashboard.metrics import LOOP_HELD, LOOP_LAG, LOOP_LONGEST

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TURN_SECONDS = 0.001
SLICE_SECONDS = 0.01

_WORKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="off-loop")


async def off_loop(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``work`` in a thread. What it is given must not change meanwhile. What time it is there, is what time it is
    here (``dashboard/showing.py``).
    """
    work_here = partial(copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, work_here)


class Breath:
    """For long work on the loop: gives others their turn as soon as a slice of time is used up. That is one round of the
    loop, or ``rest`` seconds where nobody waits for the work: what others do takes many rounds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, *, rest: float = 0.0) -> None:
        self._clock = clock
        self._rest = rest
        self._began = clock()

    async def take(self) -> None:
        if self._clock() - self._began >= SLICE_SECONDS:
            await asyncio.sleep(self._rest)
            self._began = self._clock()


def short_turns() -> None:
    """Whoever waits for Python while a thread works gets it after a millisecond. By default it is five, and a page waits
    for it some twenty times: each waiting for a socket gives it away.
    """
    sys.setswitchinterval(TURN_SECONDS)


def waiting_work() -> int:
    """How many calls wait for one of the threads."""
    return _WORKERS._work_queue.qsize()


def spare_what_stays() -> None:
    """What is there now (what was imported: some hundred thousand objects) is never looked at again by Python's search
    for garbage, which holds everybody up for as long as it takes to look at all that may be in a cycle.
    """
    gc.collect()
    gc.freeze()


HELD_SECONDS = 0.1
PROBE_SECONDS = 0.05
NAMED = 4  # functions of the call, from where it is inward


class LoopGuard:
    """A thread that asks the loop again and again whether it is there, and looks at what it does when it is not.

    It logs names of functions and modules, never what they were given, and how much of the time the loop's thread really
    worked: on a busy machine it waits for its turn too.
    """

    def __init__(self, *, held: float = HELD_SECONDS, every: float = PROBE_SECONDS) -> None:
        self._held = held
        self._every = every
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """To be called on the loop that it guards."""
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, thread), name="loop-guard", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        longest = 0.0
        while not self._stopping.wait(self._every):
            there = threading.Event()
            asked, worked = time.monotonic(), _cpu_seconds(thread)
            answered: list[float] = []

            def answer(at: list[float] = answered, there: threading.Event = there) -> None:
                at.append(time.monotonic())
                there.set()

            try:
                loop.call_soon_threadsafe(answer)
            except RuntimeError:
                return  # the loop is closed
            seen = ""
            while not there.wait(self._held) and not self._stopping.is_set():
                seen = seen or _at_work(sys._current_frames().get(thread))
            if not answered:
                return
            lag = answered[0] - asked
            longest = max(longest, lag)
            LOOP_LAG.observe(lag)
            LOOP_LONGEST.set(longest)
            if seen:
                LOOP_HELD.inc()
                cpu = _cpu_seconds(thread) - worked
                logger.warning(
                    "the event loop was held for %.2f s (%.2f s of CPU time) by %s", lag, cpu, seen
                )


def _cpu_seconds(thread: int) -> float:
    """CPU time of a thread until now."""
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


def _at_work(frame: FrameType | None) -> str:
    """What a thread is in, by names, the innermost first; "" where it only waits."""
    names: list[str] = []
    while frame is not None and len(names) < NAMED:
        module, name = frame.f_globals.get("__name__", "?"), frame.f_code.co_qualname
        if not names and (module.startswith(("asyncio.", "selectors", "uvicorn.")) or name == "Runner.run"):
            return ""  # in its own select, or between two callbacks
        names.append(f"{module}.{name}")
        frame = frame.f_back
    return " in ".join(names)
