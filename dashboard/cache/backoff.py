"""How long to wait before the next attempt."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays that double from ``first`` to ``cap`` seconds; of each, a random part between half and all is taken."""

    def __init__(self, first: float, cap: float, rng: Callable[[], float]) -> None:
        self._first = first
        self._cap = cap
        self._rng = rng
        self._next = first

    def next(self, at_least: float | None = None) -> float:
        """The delay for another failure in a row, in seconds; never below what the server asked for."""
        delay = self._next * (1 + self._rng()) / 2
        self._next = min(self._next * 2, self._cap)
        # Everyone was told the same time: do not come back at once together.
        return delay if at_least is None else max(delay, at_least * (1 + self._rng() / 10))

    def reset(self) -> None:
        """After success: the next failure counts as the first."""
        self._next = self._first
