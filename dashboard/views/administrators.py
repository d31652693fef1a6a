"""What administrators of the dashboard alone may do: whoever else tries is refused in words, and the audit has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.http import HttpRequest

from dashboard.admins import is_admin
from dashboard.audit.refusals import Refusal, refused
from dashboard.clusters.keeping import refusal_keep
from dashboard.database import in_database
from dashboard.errors import ClusterError, Forbidden
from dashboard.live.acting import whom_to_ask

__all__ = ["administrator_required", "refusals_kept"]


async def administrator_required(
    request: HttpRequest, action: str, may: str, *, context: str = "", name: str = ""
) -> str:
    """The administrator's name. Raises Forbidden for everybody else: only administrators ``may``. ``action`` is what the
    audit calls it, also of a form that is only looked at or previewed.
    """
    who = (await request.auser()).get_username()
    if not await is_admin(request):
        words = f"Only administrators of the dashboard {may}."
        await refused(Refusal(action=action, detail=words, user_name=who, context=context, name=name))
        raise Forbidden(words, next_step=f"Ask {whom_to_ask()}.")
    return who


@asynccontextmanager
async def refusals_kept(
    request: HttpRequest, action: str, *, context: str = "", name: str = ""
) -> AsyncIterator[None]:
    """What is refused of an administrator's action ("": of a preview, by which nothing is tried) is in the audit."""
    try:
        yield
    except ClusterError as error:
        if action:
            by = (await request.auser()).get_username()
            await in_database(refusal_keep)(by=by, action=action, context=context, name=name, error=error)
        raise
