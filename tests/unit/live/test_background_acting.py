"""As whom work goes on in the background: as the person who started it, while whoever vouches for them does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User

from dashboard import sessions
from dashboard.clusters.rules import past_holds
from dashboard.credentials import ClusterCredential, store
from dashboard.errors import Forbidden, NotSignedIn
from dashboard.live.operations import Operations
from dashboard.live.session import INSTALLATION, Identity
from dashboard.models import AccountMapping, Change, ExternalIdentity, SignedIn
from dashboard.oidc import SignInRefused
from dashboard.sessionstore import SessionStore

from .test_acting import CLUSTER

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Operations:
    """Of which a session is only the identity."""
    opened = SimpleNamespace(cluster=CLUSTER, session=lambda identity: identity)
    return Operations(SimpleNamespace(open=lambda _: opened))  # type: ignore[arg-type]


@pytest.fixture(params=["user", "impersonate"])
def mode(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    settings.CLUSTER_UI_ACT_AS = {"": request.param}
    yield request.param


@sync_to_async
def begun(name: str, *, issuer: bool) -> Change:
    """A change of somebody with a token and a mapping; an issuer's word for them has ended."""
    user = User.objects.create(username=name)
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store(session, ClusterCredential(kind="token", token="canary", context="dev", user=name))
    if issuer:
        ExternalIdentity.objects.create(issuer="https://sso.example", subject="7", user=user)
        session[sessions.SUBJECT] = "7"
        session[sessions.UNTIL] = session[sessions.RENEW] = time.time() - 1
        store(session, ClusterCredential(kind="oidc", token="canary", refresh_token="canary-refresh"))
    session.create()
    SignedIn.objects.create(session_id=session.session_key, user=user)
    AccountMapping.objects.create(subject=AccountMapping.Subject.USER, name=name, cluster_user="mara")
    return Change.objects.create(nonce="n", user=user, context="dev", sign_in=session.session_key)


async def session_of(server: Operations, change: Change) -> Identity:
    found: Any = await server._session(change)
    assert isinstance(found, Identity)
    return found


async def test_whom_the_issuer_refuses_has_nothing_done_for_them(
    server: Operations, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(**_: str) -> None:
        raise SignInRefused("The account was disabled.")

    monkeypatch.setattr(sessions, "refresh", refused)
    change = await begun("oidc:mara", issuer=True)
    for _ in range(2):  # the first ends the session
        with pytest.raises(NotSignedIn, match="no longer signed in"):
            await session_of(server, change)


async def test_what_they_began_goes_on_while_nobody_looks(server: Operations, mode: str) -> None:
    change = await begun("oidc:mara", issuer=True)
    session = await sync_to_async(SessionStore)(change.sign_in)
    await session.aset(sessions.RENEW, time.time() + 60)
    await session.asave()
    assert (await session_of(server, change)).user == "oidc:mara"


async def test_what_is_said_of_a_local_user_holds_without_a_session(server: Operations, mode: str) -> None:
    change = await begun("mara", issuer=False)
    assert (await session_of(server, change)).user == "mara"
    await SessionStore(change.sign_in).adelete()
    if mode == "user":
        with pytest.raises(NotSignedIn):
            await session_of(server, change)
    else:
        assert (await session_of(server, change)).user == "mara"


async def test_what_somebody_began_as_themselves_does_not_go_on_with_the_account_of_all(
    server: Operations, mode: str, settings: Any
) -> None:
    change = await begun("mara", issuer=False)
    settings.CLUSTER_UI_ACT_AS = {"": "installation"}
    past_holds({"dev": change.created_at + timedelta(minutes=1)})
    try:
        with pytest.raises(Forbidden, match="began it as themselves"):
            await session_of(server, change)
    finally:
        past_holds({})
    assert (await session_of(server, change)).account == INSTALLATION, "elsewhere they act as always"
