"""What is known of every session besides what it holds: whose, since when, from where, how, and until when it is vouched
for. All of it goes with the session.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import IntegrityError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from dashboard.admins import GROUPS, SUBJECT
from dashboard.audit.origin import SIGN_IN
from dashboard.credentials import ClusterCredential, load, store
from dashboard.database import AWAY, in_database
from dashboard.models import AuditEntry, ExternalIdentity, SignedIn
from dashboard.oidc import IssuerUnavailable, Person, SignInRefused, refresh
from dashboard.sessionstore import SessionStore

log = logging.getLogger(__name__)

BEGAN = "cluster_ui_began"
# Of a session that an issuer vouches for: until when, and from when on it is asked again.
UNTIL, RENEW = "cluster_ui_until", "cluster_ui_renew"
SEEN_SECONDS = 60  # so exactly is it known when a session was last seen
A_PERSON = 50  # sessions; the one not seen for the longest goes
RENEW_SECONDS = 90.0  # before the issuer's word ends it is asked again; where it is short, after half of it
RENEWING_SECONDS = 15.0  # for one process to ask it; longer than it may take (oidc.ANSWER_SECONDS)
BROWSER_LETTERS = 200


def session_describe(session: Any, way: str) -> None:
    """Notes in a session that has just begun how and when it did. It ends so long after that, however it is used."""
    session[SIGN_IN], session[BEGAN] = way, time.time()
    session.set_expiry(datetime.fromtimestamp(session[BEGAN] + settings.SESSION_COOKIE_AGE, UTC))


async def session_begun(request: HttpRequest, user: User) -> None:
    """Keeps a session that has just begun among its owner's: they see it, and end it with the others, whatever it asks
    for next.
    """
    await in_database(request.session.save)()  # not all have a key before
    if (key := request.session.session_key) is not None:
        await in_database(_seen)(key, _facts_of(request), _first(request.session, user))


async def session_seen(request: HttpRequest, user: User) -> None:
    """Keeps for its owner when and from where a session was last seen; at most once a minute it is written."""
    key = request.session.session_key
    if key is None or not _is_due(key):
        return
    try:
        await in_database(_seen)(key, _facts_of(request), _first(request.session, user))
    except AWAY as error:  # a page is not held up by this
        log.warning("when a session was last seen is not known: %s", error)


async def socket_seen(session: SessionStore, user: User, *, address: str, browser: str) -> None:
    """The same of a page that is open."""
    if (key := session.session_key) is not None and _is_due(key):
        await in_database(_seen)(key, _facts(address, browser), _first(session, user))


def _facts_of(request: HttpRequest) -> dict[str, Any]:
    return _facts(request.META.get("REMOTE_ADDR", ""), request.headers.get("User-Agent", ""))


def _facts(address: str, browser: str) -> dict[str, Any]:
    return {"address": _address(address), "browser": browser[:BROWSER_LETTERS]}


def _first(session: Any, user: User) -> dict[str, Any]:
    began = datetime.fromtimestamp(session.get(BEGAN) or time.time(), UTC)
    return {"user": user, "way": session.get(SIGN_IN, ""), "began_at": began}


def _address(text: str) -> str | None:
    """An address, if it is one: behind a proxy it is what that says."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _is_due(key: str) -> bool:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return caches["seen"].add(digest, True, SEEN_SECONDS)


def _seen(key: str, facts: dict[str, Any], first: dict[str, Any]) -> None:
    if SignedIn.objects.filter(session_id=key).update(seen_at=timezone.now(), **facts):
        return
    try:
        SignedIn.objects.create(session_id=key, **first, **facts)
    except IntegrityError:  # made, or ended, just now
        return
    kept = (
        SignedIn.objects.filter(user=first["user"]).order_by("-seen_at").values_list("session_id", flat=True)
    )
    Session.objects.filter(pk__in=list(kept[A_PERSON:])).delete()


def sessions_of(user: User) -> list[SignedIn]:
    """Those that stand, the one seen last first."""
    standing = SignedIn.objects.filter(user=user, session__expire_date__gt=timezone.now())
    return list(standing.order_by("-seen_at", "-pk"))


def sessions_end(user: User, *, which: int | None = None, but: str = "") -> int:
    """Ends one of somebody's sessions (``which``), or all but the one with a key; how many that were. Pages that are open
    hear of it within half a minute.
    """
    of_theirs = SignedIn.objects.filter(user=user).exclude(session_id=but)
    chosen = of_theirs if which is None else SignedIn.objects.filter(user=user, pk=which)
    keys = list(chosen.values_list("session_id", flat=True))
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


# --- Sessions that an issuer vouches for ---


def session_vouch(session: Any, person: Person) -> None:
    """Keeps in a session who the issuer says it is, until when, and the tokens, encrypted."""
    now, until = time.time(), person.expires_at.timestamp()
    session[GROUPS], session[SUBJECT] = list(person.groups), person.subject
    session[UNTIL], session[RENEW] = until, max(until - RENEW_SECONDS, (now + until) / 2)
    credential = ClusterCredential(
        kind="oidc", token=person.id_token, refresh_token=person.refresh_token, expires_at=person.expires_at,
        user=person.name, groups=person.groups,
    )  # fmt: skip
    store(session, credential)
    # However often it is renewed, it ends so long after its beginning; and what can't be renewed with the issuer's word.
    ends = float(session.get(BEGAN) or now) + settings.SESSION_COOKIE_AGE
    session.set_expiry(datetime.fromtimestamp(ends if person.refresh_token else min(ends, until), UTC))


def is_an_issuers(user: User) -> bool:
    """Whether it is an issuer who says that somebody is who they are. Reads the database: call it in a thread."""
    return ExternalIdentity.objects.filter(user=user).exists()


def is_renewal_due(session: Any) -> bool:
    """Whether the issuer is to be asked anew about a session that it began; it must have been read already."""
    return UNTIL in session and time.time() >= session.get(RENEW, 0)


async def session_renewed(session: Any) -> bool:
    """Whether the issuer still vouches for a session that it began, having been asked anew where its word soon ends:
    once, however many ask at once. The session must have been read already.
    """
    if not is_renewal_due(session):
        return True
    until, now = float(session[UNTIL]), time.time()
    if not await in_database(_claimed)(session.session_key):
        # Somebody else asks, or nobody could be reached just now: the last word holds to its end.
        return now < until or await _renewed_elsewhere(session.session_key)
    # To its end, though whoever asked may be gone: many an issuer takes a refresh token once, so the next must be kept.
    renewal = asyncio.create_task(_renew(session.session_key))
    _renewals.add(renewal)
    renewal.add_done_callback(_renewals.discard)
    return await asyncio.shield(renewal)


_renewals: set[asyncio.Task[bool]] = set()


async def _renewed_elsewhere(key: str) -> bool:
    deadline = time.monotonic() + RENEWING_SECONDS
    while time.monotonic() < deadline:
        until = await in_database(_until)(key)
        if until is None or until > time.time():
            return until is not None
        await asyncio.sleep(0.2)
    return False


def _claimed(key: str) -> bool:
    now = timezone.now()
    free = Q(renewing_until=None) | Q(renewing_until__lt=now)
    taken = SignedIn.objects.filter(free, session_id=key).update(
        renewing_until=now + timedelta(seconds=RENEWING_SECONDS)
    )
    return bool(taken)


def _until(key: str) -> float | None:
    found: float | None = SessionStore(key).get(UNTIL)
    return found


async def _renew(key: str) -> bool:
    """Asks the issuer. The claim is given back only where there is something new: the next try has to wait."""
    session = SessionStore(key)
    kept = await in_database(load)(session)
    until = float(session.get(UNTIL, 0))
    if kept is None or not kept.refresh_token or time.time() < session.get(RENEW, 0):
        return time.time() < until
    try:
        subject = session.get(SUBJECT) or await in_database(_subject)(session)
        person = await refresh(refresh_token=kept.refresh_token, subject=subject)
    except IssuerUnavailable as error:
        if time.time() < until:
            return True
        await in_database(_ended)(key, error.message)
        return False
    except SignInRefused as error:
        await in_database(_ended)(key, error.message)
        return False
    session_vouch(session, person)
    return await in_database(_renewal_keep)(session)


def _subject(session: SessionStore) -> str:
    """Whom the issuer is to vouch for, of a session that another version of the dashboard began: it may lack what this
    one writes into it, and goes on all the same.
    """
    known = ExternalIdentity.objects.filter(user=session.get(SESSION_KEY, 0)).first()
    return known.subject if known else ""


def _renewal_keep(session: SessionStore) -> bool:
    """Whether there is still a session to keep it in."""
    try:
        session.save()
    except UpdateError:
        return False
    SignedIn.objects.filter(session_id=session.session_key).update(renewing_until=None)
    return True


def _ended(key: str, why: str) -> None:
    found = SignedIn.objects.filter(session_id=key).select_related("user").first()
    Session.objects.filter(pk=key).delete()
    if found is not None:
        AuditEntry.objects.create(
            user_name=found.user.get_username(),
            action="session ended",
            detail=why,
            result=AuditEntry.Result.REFUSED,
        )
