"""The time that all server processes agree on: their database's.

When a lease ends, and how long a step has taken, is judged by whichever process looks next, on another machine perhaps
whose clock is wrong. SQLite is on this machine, and so is its time.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db import connection

from dashboard.metrics import CLOCK_AHEAD

log = logging.getLogger(__name__)

TOLERATED = timedelta(seconds=1)
LOGGED_FROM = timedelta(seconds=30)

_ahead = timedelta(0)  # how far this machine is before the database
_told = False


def now() -> datetime:
    """The present, in UTC, as the database has it."""
    return datetime.now(UTC) - _ahead


def clock_compare() -> None:
    """Compares this machine's clock with the database's; a difference is told in the log, once until it has gone. Raises
    OperationalError for a database that does not answer: what was known stands.
    """
    global _ahead, _told
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
        took = datetime.now(UTC) - before
    ahead = before + took / 2 - there
    _ahead = ahead if abs(ahead) > TOLERATED + took else timedelta(0)
    CLOCK_AHEAD.set(_ahead.total_seconds())
    if abs(_ahead) > LOGGED_FROM and not _told:
        log.warning(
            "this machine's clock and the database's differ by %.0f s: operations go by the database's, but sessions and "
            "sign-in links end too early or too late",
            abs(_ahead.total_seconds()),
        )
    _told = abs(_ahead) > LOGGED_FROM
