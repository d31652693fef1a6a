"""What became of a change whose end was not recorded: its process ended, or the API server or the database was away.

What it was about to write is in its record, so the object itself tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dashboard.errors import NotFound
from dashboard.kinds.base import Kind
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from . import records
from .action import change_target, sides
from .engine import change_is_of, change_made_after_all, change_read
from .operations import GIVEN_UP_AFTER
from .registry import action_of

# Its own process may still be at it: that the object has what was wanted is news only after a while, that it has not
# only once no request can be under way any more.
MADE_AFTER = timedelta(seconds=10)
NOT_MADE_AFTER = timedelta(minutes=2)


async def changes_unsettled(now: datetime) -> list[Change]:
    """Changes that were about to be written, and of which nobody has said how that ended."""
    found = Change.objects.filter(
        state__in=(Change.State.SENDING, Change.State.UNKNOWN),
        created_at__gt=now - GIVEN_UP_AFTER,
        created_at__lt=now - MADE_AFTER,
    ).exclude(touched={})
    return await in_database(list)(found.select_related("user"))


async def change_settle(
    *, transport: Transport, change: Change, now: datetime, kinds: Mapping[str, Kind[Any]]
) -> None:
    """Looks at the object: when it has what the change wanted, the change is recorded as made; when it still has what
    was there before, as not made. Raises what reading the object raises.
    """
    action = action_of(change).recorded(change)
    if action is None:
        return
    target = change_target(change, kinds)
    written = action.subject(target)
    was, made = sides(change)
    try:
        found = await change_read(transport=transport, target=written, source=action.source(written))
    except NotFound:
        if written == target and change.uid:
            return
        is_now = was  # it was to be created
    else:
        if written == target and not change_is_of(change, found):
            return
        is_now = action.touched(found)
        if is_now == made:
            await change_made_after_all(change, action, found, was, made)
            return
    if is_now != was:
        return
    if change.state == Change.State.SENDING and change.created_at < now - NOT_MADE_AFTER:
        detail = f"The dashboard stopped before it was sent: it is still {action.words(was)}."
        await in_database(records.found_undone)(change, detail)
