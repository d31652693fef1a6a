"""As whom somebody acts in a cluster: as the installation says of the context (``CLUSTER_UI_ACT_AS``, docs/adr/0058).

``installation``: with the context's own credentials, like everybody. ``user``: with a token of their own, which their
session keeps. ``impersonate``: with the context's own credentials, as the user and groups that an administrator said.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q, QuerySet
from django.utils.crypto import constant_time_compare

from dashboard.admins import GROUPS, NO_NAMES
from dashboard.clusters.rules import every_rule, past_of_contexts, rules_of
from dashboard.credentials import is_shown_issuers, load
from dashboard.database import in_database
from dashboard.errors import BadInput, Forbidden, NoAccount, NotSignedIn
from dashboard.kube.acting import Acting, Bearer, impersonation_required
from dashboard.kube.config import Cluster, slug, unslug
from dashboard.models import AccountMapping
from dashboard.sessions import is_renewal_due, session_renewed
from dashboard.sessionstore import SessionStore

from .session import Identity

SHARED = "installation"
NEVER = datetime.min.replace(tzinfo=UTC)
OF_A_CLUSTER = "token:"  # how the dashboard calls whom only a cluster knows: ``token:<context>/<user>``
_MARK = secrets.token_bytes(32)  # of this process: what names an account tells nothing of its token


def mode_of(context: str) -> str:
    """How people act in a context, by its slug: as the settings say of it by its name, as was said when it was added, or
    as the settings say of every one.
    """
    modes: dict[str, str] = settings.CLUSTER_UI_ACT_AS
    return modes.get(context) or rules_of(context).act_as or modes[""]


def modes_of_contexts() -> dict[str, str]:
    """What is said of single contexts, by name."""
    added = {context: rules.act_as for context, rules in every_rule().items() if rules.act_as}
    said = added | {context: mode for context, mode in settings.CLUSTER_UI_ACT_AS.items() if context}
    return {unslug(context): mode for context, mode in said.items()}


def own_past(context: str) -> datetime:
    """Until when people acted as themselves in a context, by its name, that all share now; NEVER elsewhere."""
    return NEVER if own_accounts(slug(context)) else past_of_contexts().get(context, NEVER)


def own_accounts(context: str) -> bool:
    """Whether people act in a context as themselves."""
    return mode_of(context) != SHARED


def unknown_contexts(slugs: Collection[str]) -> list[str]:
    """What the settings say of contexts that are none of these, a sentence a setting: in one whose name is misspelled
    everybody would act as the installation. None where no context is known at all.
    """
    said = {
        "CLUSTER_UI_ACT_AS": settings.CLUSTER_UI_ACT_AS,
        "CLUSTER_UI_OIDC_CONTEXTS": settings.CLUSTER_UI_OIDC_CONTEXTS,
    }
    missing = {name: sorted(set(named) - {"", "*", *slugs}) for name, named in said.items()}
    return [
        f"{name} names {', '.join(map(repr, wrong))}, and no context is called that: what it says is not in force. "
        "Write contexts as in the addresses of their pages."
        for name, wrong in missing.items()
        if wrong and slugs
    ]


def identity_in(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    """Who somebody with this session is in a cluster. Reads the database: call it in a thread.

    Raises NotSignedIn for somebody without a token that holds, Forbidden where they have no account.
    """
    if mode_of(cluster.slug) == "impersonate":
        return _impersonated(cluster, user_name, session)
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


def contexts_named(clusters: Sequence[Cluster], user_name: str, session: SessionBase) -> list[Cluster]:
    """Those of which somebody may know that they are there: in which they act, or would once they had signed in. One
    question to the database, however many contexts there are: call it in a thread.
    """
    mapped = set[str]()
    if any(mode_of(each.slug) == "impersonate" for each in clusters):
        mapped = set(_mappings(user_name, session).values_list("context", flat=True))
    modes = {each.slug: mode_of(each.slug) for each in clusters}
    shared = not user_name.startswith(OF_A_CLUSTER)
    known = {"user": True, SHARED: shared}
    return [each for each in clusters if known.get(modes[each.slug], "" in mapped or each.slug in mapped)]


def _with_own_token(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    found = load(session, cluster.slug)
    if found is not None and found.server not in ("", cluster.server):
        found = None  # it was shown to another cluster, which had this name then
    if found is None or found.has_expired(datetime.now(UTC)):
        raise _sign_in_first(cluster, session, expired=found is not None)
    known_as = (found.user, tuple(sorted(found.groups)))
    return _identity(user_name, session, Bearer(found.token), found.user, known_as)


def _impersonated(cluster: Cluster, user_name: str, session: SessionBase) -> Identity:
    """What is said of the person counts before what is said of their groups, that of the context before that of all."""
    every = _mappings(user_name, session).filter(context__in=("", cluster.slug))
    ranked = defaultdict[tuple[bool, bool], list[AccountMapping]](list)
    for each in every:
        ranked[each.subject != AccountMapping.Subject.USER, not each.context].append(each)
    if not ranked:
        raise NoAccount(
            f"You ({user_name}) are not mapped to a user of {cluster.name}.",
            next_step=f"Ask {whom_to_ask()}.",
        )
    found = ranked[min(ranked)]
    if len(users := sorted({each.cluster_user for each in found})) > 1:
        raise NoAccount(
            f"Your groups are mapped to different users of {cluster.name}: {', '.join(users)}.",
            next_step=f"Ask {whom_to_ask()} to map you to one.",
        )
    extra = defaultdict[str, set[str]](set)
    for each in found:
        for key, values in each.extra.items():
            extra[key].update(values)
    groups = {group for each in found for group in each.cluster_groups}
    try:
        acting = impersonation_required(users[0], groups, extra)
    except BadInput as wrong:  # such as what several groups say, which together is too much
        raise NoAccount(
            f"Your mapping for {cluster.name} can't be used. {wrong.message}",
            next_step=f"Ask {whom_to_ask()} to map you to one.",
        ) from wrong
    return _identity(user_name, session, acting, acting.user, acting)


def _mappings(user_name: str, session: SessionBase) -> QuerySet[AccountMapping]:
    """What is said of the person and of their groups, in whichever context."""
    return AccountMapping.objects.filter(
        Q(subject=AccountMapping.Subject.USER, name=user_name)
        | Q(subject=AccountMapping.Subject.GROUP, name__in=session.get(GROUPS, []))
    )


def whom_to_ask() -> str:
    """Who may say as whom people act."""
    named = sorted(name for name in settings.CLUSTER_UI_ADMINS if not name.startswith(NO_NAMES))
    return (
        f"an administrator of this dashboard ({', '.join(named)})" if named else "whoever runs this dashboard"
    )


def _identity(
    user_name: str, session: SessionBase, acting: Acting, cluster_user: str, known_as: Hashable
) -> Identity:
    """Another token, user or group is another account."""
    facts = msgspec.json.encode((type(acting).__name__, acting, repr(known_as)))
    mark = hashlib.blake2b(facts, key=_MARK, digest_size=8).hexdigest()
    return Identity(
        user_name, f"{cluster_user or 'somebody'} ({mark})", acting=acting, known_as=known_as,
        sign_in=session.session_key or "",
    )  # fmt: skip


def _sign_in_first(cluster: Cluster, session: SessionBase, *, expired: bool) -> NotSignedIn:
    why = "Your sign-in to it has expired." if expired else "You have not signed in to it."
    if not expired and not is_shown_issuers(cluster.slug) and load(session) is not None:
        why += " It is not shown what you signed in to the dashboard with (CLUSTER_UI_OIDC_CONTEXTS)."
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
    signed = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return (user, session) if any(constant_time_compare(given, each) for each in signed) else None


async def vouched(session_key: str | None) -> tuple[User, SessionStore] | None:
    """The same from the event loop, once the issuer that began the session, if one did, was asked anew where its word
    soon ends: None too where that refuses.
    """
    found = await in_database(standing)(session_key)
    if found is None or not is_renewal_due(found[1]):
        return found
    return await in_database(standing)(session_key) if await session_renewed(found[1]) else None


_words: dict[
    str, tuple[float, asyncio.Task[tuple[User, SessionStore] | None]]
] = {}  # when each was asked for


async def vouched_lately(session_key: str | None, seconds: float) -> tuple[User, SessionStore] | None:
    """As ``vouched``, by a word at most so many seconds old: the pages that are open in one session ask once for all."""
    key, now = session_key or "", time.monotonic()
    asked = _words.get(key)
    if asked is None or now - asked[0] > seconds or (asked[1].done() and not _is_word(asked[1])):
        for other in [other for other, (at, task) in _words.items() if now - at > seconds and task.done()]:
            del _words[other]
        asked = _words[key] = now, asyncio.create_task(vouched(session_key))
    return await asyncio.shield(asked[1])


def _is_word(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None
