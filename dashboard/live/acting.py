"""As whom somebody acts in a cluster: as the installation says of the context (``CLUSTER_UI_ACT_AS``, docs/adr/0058).

``installation``: with the context's own credentials, like everybody. ``user``: with a token of their own, which their
session keeps.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

import msgspec
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.utils.crypto import constant_time_compare

from dashboard.credentials import ClusterCredential, load
from dashboard.database import in_database
from dashboard.errors import Forbidden, NotSignedIn
from dashboard.kube.acting import Acting, Bearer
from dashboard.kube.config import Cluster

from .session import Identity

SHARED = "installation"
OF_A_CLUSTER = "token:"  # how the dashboard calls whom only a cluster knows: ``token:<context>/<user>``
_MARK = secrets.token_bytes(32)  # of this process: what names an account tells nothing of its token


def mode_of(context: str) -> str:
    """How people act in a context, by its slug."""
    modes: dict[str, str] = settings.CLUSTER_UI_ACT_AS
    return modes.get(context) or modes[""]


def own_accounts(context: str) -> bool:
    """Whether people act in a context as themselves."""
    return mode_of(context) != SHARED


def identity_in(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    """Who somebody with this session is in a cluster. Reads the database: call it in a thread.

    Raises NotSignedIn for somebody without a token that holds, Forbidden where they have no account.
    """
    if not own_accounts(cluster.slug):
        if user_name.startswith(OF_A_CLUSTER):
            raise Forbidden(
                f"You signed in with a token of another cluster, and {cluster.name} is not opened by it.",
                next_step="Sign in another way, or choose the cluster of your token.",
            )
        return Identity(user_name)
    return _with_own_token(cluster, user_name, session)


async def identity_of(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    """The same, from the event loop."""
    if not own_accounts(cluster.slug):
        return identity_in(cluster, user_name, session)  # which asks nothing
    return await in_database(identity_in)(cluster, user_name, session)


def _with_own_token(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    found = load(session, cluster.slug)
    if found is None or found.has_expired(datetime.now(UTC)):
        raise sign_in_first(cluster, expired=found is not None)
    return _identity(user_name, session, Bearer(found.token), found)


def _identity(user_name: str, session: SessionBase, acting: Acting, known: ClusterCredential) -> Identity:
    """Another token, user or group is another account."""
    facts = msgspec.json.encode((acting, known.user, sorted(known.groups)))
    mark = hashlib.blake2b(facts, key=_MARK, digest_size=8).hexdigest()
    return Identity(
        user_name,
        f"{known.user or 'somebody'} ({mark})",
        acting=acting,
        known_as=(known.user, frozenset(known.groups)),
        sign_in=session.session_key or "",
    )


def sign_in_first(cluster: Cluster, *, expired: bool) -> NotSignedIn:
    why = "Your sign-in to it has expired." if expired else "You have not signed in to it."
    return NotSignedIn(
        f"In {cluster.name} you act with your own account. {why}",
        next_step="Sign in to the cluster, then load this page again.",
    )


def standing(session_key: str | None) -> tuple[User, SessionStore] | None:
    """Whose session this is, read anew, if it still stands: neither signed out, nor over, nor of a disabled user. Reads
    the database: call it in a thread.
    """
    if not session_key:
        return None
    session = SessionStore(session_key)
    user = get_user_model().objects.filter(pk=session.get(SESSION_KEY, 0), is_active=True).first()
    if user is None:
        return None
    given = str(session.get(HASH_SESSION_KEY, ""))
    return (user, session) if constant_time_compare(given, user.get_session_auth_hash()) else None
