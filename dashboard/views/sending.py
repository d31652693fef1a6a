"""Files that are sent in pieces, for as long as whoever asked for them may have them (``middleware.while_standing``)."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import StreamingHttpResponse

from dashboard.live.acting import identity_of
from dashboard.live.runtime import runtime
from dashboard.live.session import Session
from dashboard.queries.access import Visible

# Whether a user, with the session as it is by now, may have the rest. Raises a ClusterError where that can't be told.
Allowance = Callable[[User, SessionBase], Awaitable[bool]]


class SentFile(StreamingHttpResponse):
    """A file in pieces; ``may`` is asked now and then while it is sent, and a no ends it without its end."""

    def __init__(self, pieces: AsyncIterable[bytes], *, may: Allowance, **response: Any) -> None:
        super().__init__(pieces, **response)
        self.may = may


def in_cluster(context: str, ask: Callable[[Session], Awaitable[bool]]) -> Allowance:
    """What is asked of a session in a context, as whoever they are there by then."""

    async def may(user: User, session: SessionBase) -> bool:
        cluster = runtime.open(context)
        identity = await identity_of(cluster.cluster, user.get_username(), session)
        return await ask(cluster.session(identity))

    return may


def still_listed(context: str, seen: Mapping[str, Visible]) -> Allowance:
    """That what was visible in a context may be listed still."""
    return in_cluster(context, lambda session: session.still_lists(seen))
