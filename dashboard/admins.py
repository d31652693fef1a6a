"""Who administers the dashboard itself: allows changes to a cluster, sees everybody's doings, says who is who.

The owner of the local link, and whom ``CLUSTER_UI_ADMINS`` names: local users by their name, ``oidc-sub:SUBJECT`` for
people and ``group:NAME`` for groups of the OpenID Connect issuer. A name that its people have there is nobody's for good:
it is whose it is who comes first by it. Groups that a cluster tells of count nothing here: whoever runs one of several
clusters could hand them out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from dashboard.database import in_database
from dashboard.signin import OWNER

GROUPS = "cluster_ui_groups"  # where a session says which groups the issuer's token named
SUBJECT = "cluster_ui_subject"  # and whom it vouches for
OF_ISSUER = "oidc:"  # how the names of its people begin; a local user's holds no colon
GROUP_PREFIX, SUBJECT_PREFIX = "group:", "oidc-sub:"
NO_NAMES = (GROUP_PREFIX, SUBJECT_PREFIX, OF_ISSUER)


async def is_admin(request: HttpRequest) -> bool:
    """Whether who asks administers the dashboard."""
    user = await request.auser()
    return user.is_authenticated and await is_administrator(user.get_username(), request.session)


async def is_administrator(user_name: str, session: SessionBase) -> bool:
    """Whether the user of this name, who has this session, administers the dashboard."""
    subject = await in_database(session.get)(SUBJECT, "")
    return administers(user_name, await groups_of(session), subject)


async def groups_of(session: Any) -> list[str]:
    """The groups of whoever has this session (of a request or a socket), as the issuer told them at the sign-in."""
    found: list[str] = await session.aget(GROUPS, [])
    return found


def administers(user_name: str, groups: Collection[str], subject: str = "") -> bool:
    """Whether somebody of this name, these groups of the issuer and this subject there ("": none) does."""
    named = settings.CLUSTER_UI_ADMINS
    return (
        user_name == OWNER
        or (user_name in named and not user_name.startswith(NO_NAMES))
        or (bool(subject) and f"{SUBJECT_PREFIX}{subject}" in named)
        or any(f"{GROUP_PREFIX}{group}" in named for group in groups)
    )
