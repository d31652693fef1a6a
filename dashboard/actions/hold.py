"""How long this process may still write for an operation that it moves.

The lease in the database keeps others away until it ends, but the process that has it may be stopped for longer: by a
machine that swaps or is migrated, by a database that does not answer. When it goes on, another one may be at the same
step. What it records is refused by the database then, which has another holder and version; what it sends to the cluster
is refused here (docs/adr/0077).
"""

from __future__ import annotations

import time

from .operation import Lost

# A request that leaves just before the end of the lease has so long to arrive.
MARGIN_SECONDS = 3.0
# Goes on while the machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Hold:
    """One operation's, from a lease on. Once it is over it stays so: the operation may have had another process since."""

    def __init__(self, asked: tuple[float, float], lease: float) -> None:
        self.renew(asked, lease)

    def renew(self, asked: tuple[float, float], lease: float) -> None:
        """The database gave a lease of so many seconds, after it was ``asked()``."""
        steady, wall = asked
        self._ends = (steady + lease - MARGIN_SECONDS, wall + lease - MARGIN_SECONDS)

    @property
    def stands(self) -> bool:
        return all(now < end for now, end in zip(asked(), self._ends, strict=True))

    def end(self) -> None:
        self._ends = (float("-inf"), float("-inf"))

    def required(self) -> None:
        """Raises Lost when it is over by either clock: a virtual machine that is held notices by the wall's alone."""
        if not self.stands:
            raise Lost


def asked() -> tuple[float, float]:
    """The moment before the database is asked for a lease, by both clocks, in seconds."""
    return time.clock_gettime(_CLOCK), time.time()
