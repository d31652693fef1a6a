"""One scripted API server and one transport to it for each test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio

from dashboard.cache.reflector import Reflector, ReflectorStatus, Timing
from dashboard.cache.store import Store
from dashboard.kinds.base import Object
from dashboard.kube.transport import Transport

from .scripted import THING, ScriptedServer, cluster_at, copied, until

# Faster than in earnest, all but the grace.
FAST = Timing(silence=5.0, grace=1.0, settled=0.05, backoff=(0.01, 0.05), refused=(0.02, 0.05))


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest_asyncio.fixture
async def transport(server: ScriptedServer, tmp_path: Path) -> AsyncIterator[Transport]:
    made = Transport(cluster_at(tmp_path, server.url))
    yield made
    await made.close()


class Copy:
    """A store, its reflector, and what was seen of both."""

    def __init__(self, server: ScriptedServer, transport: Transport, timing: Timing, **options: Any) -> None:
        self.server = server
        self.store: Store[Object] = Store(THING)
        self.deltas: list[tuple[str, str]] = []
        self.states: list[str] = []
        self.store.subscribe(lambda deltas: self.deltas.extend((delta.type, delta.name) for delta in deltas))
        self.reflector = Reflector(
            transport, THING, self.store, timing=timing, on_status=self._note, **options
        )

    def _note(self, status: ReflectorStatus) -> None:
        if self.states[-1:] != [status.state]:
            self.states.append(status.state)

    @property
    def state(self) -> str:
        return self.reflector.status.state

    async def live(self) -> None:
        await until(lambda: self.state == "live" and self.server.watchers > 0, "live")

    async def exact(self, seconds: float = 60.0) -> None:
        """Waits until the copy is the server's state."""
        await until(
            lambda: copied(self.store.values()) == self.server.state() and self.state == "live",
            f"exact: {self.state} {self.reflector.status.reason}",
            seconds=seconds,
        )


@pytest_asyncio.fixture
async def reflecting(server: ScriptedServer, transport: Transport) -> AsyncIterator[Callable[..., Copy]]:
    """Starts a reflector; the keywords are Timing's, and ``options`` the Reflector's."""
    tasks: list[asyncio.Task[None]] = []

    def start(*, options: dict[str, Any] | None = None, **timing: Any) -> Copy:
        copy = Copy(server, transport, replace(FAST, **timing), **options or {})
        tasks.append(asyncio.create_task(copy.reflector.run()))
        return copy

    yield start
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
