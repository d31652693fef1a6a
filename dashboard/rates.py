"""How many sockets one session may have, and how often it may ask something of them: token buckets that they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

# A person opens a page a second at most; a restarted server is met by all of a person's tabs at once.
SOCKETS = 100  # a tab each
SHELLS = 10  # each is a process in a container
LOOKS_AT_ONCE, LOOKS_A_SECOND = 60, 5.0
MESSAGES_AT_ONCE, MESSAGES_A_SECOND = 600, 50.0


class Rate:
    """``at_once`` after a rest, ``a_second`` in the long run."""

    def __init__(self, at_once: int, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._a_second = a_second
        self._clock = clock
        self._left = float(at_once)
        self._counted = clock()

    def take(self) -> float:
        """0 when one may go now, and has been counted; else the seconds until the next may."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._counted) * self._a_second)
        self._counted = now
        if self._left < 1:
            return (1 - self._left) / self._a_second
        self._left -= 1
        return 0.0


class SessionRates:
    """The rates of one session."""

    def __init__(self) -> None:
        self.looks = Rate(LOOKS_AT_ONCE, LOOKS_A_SECOND)
        self.messages = Rate(MESSAGES_AT_ONCE, MESSAGES_A_SECOND)
        self.sockets = 0  # that are open
        self.shells = 0  # that run

    def enter(self) -> bool:
        """Counts one more socket, unless there are too many."""
        if self.sockets >= SOCKETS:
            return False
        self.sockets += 1
        return True

    def leave(self) -> None:
        self.sockets -= 1

    @contextmanager
    def shell(self) -> Iterator[bool]:
        """Counts a shell as long as it runs; False where there are as many already."""
        if self.shells >= SHELLS:
            yield False
            return
        self.shells += 1
        try:
            yield True
        finally:
            self.shells -= 1


_known: WeakValueDictionary[str, SessionRates] = WeakValueDictionary()


def rates_of(session_key: str) -> SessionRates:
    """Those of a session, kept while one of its sockets has them."""
    found = _known.get(session_key)
    if found is None:
        found = _known[session_key] = SessionRates()
    return found
