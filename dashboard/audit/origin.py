"""Where what is done comes from: known to everything that a request or a socket begins, for its entries in the audit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

SIGN_IN = "cluster_ui_sign_in"  # under which a session says how it was signed in to
SESSION_SIGNS = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """``address``: of the browser, behind a trusted proxy; ``sign_in``: how somebody signed in, such as ``link``;
    ``session``: a part of the hash of the session's key, the same in all entries of a session.
    """

    address: str = ""
    sign_in: str = ""
    session: str = ""


_current: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 # frozen


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)


def set_origin(origin: Origin) -> None:
    """For the rest of a task that has no block of its own, such as a socket's."""
    _current.set(origin)


def current_origin() -> Origin:
    return _current.get()


def session_name(session_key: str | None) -> str:
    """What a session is called in the audit: nobody signs in with it."""
    if not session_key:
        return ""
    return hashlib.sha256(session_key.encode()).hexdigest()[:SESSION_SIGNS]
