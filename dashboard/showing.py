"""What time it is for what is being shown: now, or the moment in the past that somebody looks at (docs/adr/0070)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_SHOWN: ContextVar[datetime | None] = ContextVar("shown", default=None)


def now() -> datetime:
    """The moment that ages and durations count up to."""
    return _SHOWN.get() or datetime.now(UTC)


def moment() -> datetime | None:
    """The moment in the past that is shown; None for the present."""
    return _SHOWN.get()


@contextmanager
def at(moment: datetime | None) -> Iterator[None]:
    """Within it, in tasks and threads begun there as well, it is ``moment``; None: it is now, as for everybody."""
    token = _SHOWN.set(moment)
    try:
        yield
    finally:
        _SHOWN.reset(token)
