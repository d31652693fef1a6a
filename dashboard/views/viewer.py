"""Whose request it is, and so what may be seen of a cluster."""

from __future__ import annotations

from django.http import HttpRequest

from dashboard.live.runtime import runtime
from dashboard.live.session import Identity, Session


async def session_of(request: HttpRequest, context: str) -> Session:
    """The session of a request in a cluster. Raises NotFound for a context that no configuration names, and a
    ClusterError for somebody who has no account there. The middleware let nobody in who is not signed in.
    """
    return runtime.open(context).session(await identity_of(request))


async def identity_of(request: HttpRequest) -> Identity:
    """Who asks. Everybody acts as the installation so far."""
    return Identity((await request.auser()).get_username())
