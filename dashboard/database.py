"""The dashboard's own database, asked from the event loop, and what to say when it does not answer.

A connection goes back to the pool as soon as a question is answered: a page that waits for a cluster holds none.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from channels.db import aclose_old_connections, database_sync_to_async
from django.db import InterfaceError, OperationalError, connection

from .errors import DatabaseUnavailable

P = ParamSpec("P")
R = TypeVar("R")

# What a database raises that is locked, full, gone, or has no connection left. Others of its errors are faults of ours.
AWAY = (OperationalError, InterfaceError)


def in_database(ask: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """As ``sync_to_async``, with a connection that is neither broken from before nor kept for afterwards."""
    made: Callable[P, Coroutine[Any, Any, R]] = database_sync_to_async(ask)
    return made


async def release_connection() -> None:
    """Gives back what others of Django's functions have used."""
    await aclose_old_connections()


def waiting_for_connections() -> int:
    """How many questions wait for a connection of this process' pool; 0 where there is no pool."""
    pool = getattr(connection, "_connection_pools", {}).get(connection.alias)
    return int(pool.get_stats().get("requests_waiting", 0)) if pool is not None else 0


def database_unavailable(error: Exception, *, done: str = "") -> DatabaseUnavailable:
    """The error in words; ``done`` says what came of what was asked."""
    text = f"{error} {type(error.__cause__).__name__}"
    if "locked" in text or "LockNotAvailable" in text:
        why = "Another program has locked the dashboard's own database."
    elif "PoolTimeout" in text or "TooManyRequests" in text:
        why = "The dashboard's own database is away, or all connections to it are in use."
    elif "no such table" in text or "UndefinedTable" in text:
        why = "The dashboard's own database has no such tables: it is another one, or manage.py migrate has not been run."
    else:
        why = "The dashboard's own database can't be reached, or can't write."
    return DatabaseUnavailable(
        f"{done} {why}".strip(),
        next_step=(
            "The cluster is not affected. Try again in a moment; if that does not help, check the database and its disk."
        ),
    )
