"""What runs without anybody waiting for it: under whose name, is said where it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .session import Identity


def begin(identity: Identity, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Runs ``work`` on the event loop, as somebody: who started it, or the installation. The task is named by both."""
    return asyncio.create_task(work, name=f"{name} as {identity}")
