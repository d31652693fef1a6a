"""What holds the loop is measured and named; what would hold it runs beside it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest

from dashboard.loop import SLICE_SECONDS, Breath, LoopGuard, off_loop, spare_what_stays
from dashboard.metrics import LOOP_HELD, LOOP_LAG, LOOP_LONGEST


async def test_work_beside_the_loop_leaves_it_free() -> None:
    may_end, turns = threading.Event(), 0
    task = asyncio.create_task(off_loop(may_end.wait, 60))
    while turns < 10:
        await asyncio.sleep(0)
        turns += 1
    assert not task.done()
    may_end.set()
    assert await task is True


async def test_long_work_on_the_loop_stops_at_each_slice_and_rests_where_nobody_waits() -> None:
    now, others = 0.0, 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    breath = Breath(lambda: now)
    for _ in range(40):
        now += SLICE_SECONDS / 4
        await breath.take()
    assert 9 <= others <= 11, "once a slice, not at each look at the clock"
    breath = Breath(lambda: now, rest=0.05)
    now += 2 * SLICE_SECONDS
    before = others
    await breath.take()
    assert others - before > 10, "others have many rounds"
    task.cancel()


def test_a_thread_gives_the_loop_its_turn_soon() -> None:
    """In a process of its own, as the server starts it: it is set for the whole process."""
    program = """
import asyncio, sys, django
django.setup()
from cluster_ui.asgi import application

async def main():
    told = iter([{"type": "lifespan.startup"}])
    begun = asyncio.Event()
    async def receive():
        for each in told:
            return each
        await asyncio.Event().wait()
    async def send(message):
        begun.set()
    task = asyncio.create_task(application({"type": "lifespan"}, receive, send))
    await asyncio.wait_for(begun.wait(), 60)
    print(sys.getswitchinterval())
    task.cancel()

asyncio.run(main())
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "cluster_ui.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert done.stdout.split() == ["0.001"], done.stderr


async def test_an_error_beside_the_loop_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await off_loop(lambda: 1 // 0)


def hold_the_loop(seconds: float, secret: str) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_what_holds_the_loop_is_logged_by_name_and_without_what_it_was_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "dashboard.loop")
    held, lags = LOOP_HELD._value.get(), LOOP_LAG._sum.get()
    guard = LoopGuard(held=0.05, every=0.01)
    guard.start()
    try:
        for _ in range(50):  # the guard's thread may be slow on a busy machine
            await asyncio.sleep(0.02)
            hold_the_loop(0.4, "s3cret")
            await asyncio.sleep(0.02)
            if "hold_the_loop" in caplog.text:
                break
    finally:
        guard.stop()
    (first, *_) = [record.getMessage() for record in caplog.records if "hold_the_loop" in record.getMessage()]
    assert "tests.unit.test_loop.hold_the_loop" in first
    assert "s3cret" not in caplog.text
    assert LOOP_HELD._value.get() > held
    assert LOOP_LAG._sum.get() > lags + 0.05
    assert LOOP_LONGEST._value.get() > 0.05


async def test_a_loop_that_rests_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    guard = LoopGuard(held=5.0, every=0.001)
    before = LOOP_LAG._sum.get()
    guard.start()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if LOOP_LAG._sum.get() > before:
            break
    guard.stop()
    assert LOOP_LAG._sum.get() > before
    assert caplog.text == ""


def test_what_is_imported_is_no_work_for_the_search_for_garbage() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.own = self

    try:
        spare_what_stays()
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10
        later = weakref.ref(Cycle())
        gc.collect()
        assert later() is None, "what came later is found as before"
    finally:
        gc.unfreeze()
