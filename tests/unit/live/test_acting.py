"""As whom somebody acts in a cluster, and how long."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User

from dashboard.credentials import ClusterCredential, store
from dashboard.errors import Forbidden, NotSignedIn, TooManyRequests
from dashboard.kube.acting import Bearer
from dashboard.kube.config import Cluster, Connection
from dashboard.kube.transport import Transport
from dashboard.live import runtime as module
from dashboard.live.acting import identity_in, mode_of, standing, unknown_contexts
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import THE_INSTALLATION, Identity
from dashboard.sessionstore import SessionStore

CLUSTER = Cluster(
    name="dev", slug="dev", server="https://dev:6443", source="kubeconfig", source_detail="", user="admin",
    namespace="", is_sandbox=False,
    connection=Connection(
        cluster={"server": "https://dev:6443", "certificate-authority": "/ca.crt"},
        user={"client-certificate": "/admin.crt", "client-key": "/admin.key", "token": "admins", "as": "somebody"},
    ),
)  # fmt: skip


@pytest.fixture
def session() -> SessionStore:
    made = SessionStore("k" * 32)
    made._session_cache = {}  # read already
    return made


@pytest.fixture(autouse=True)
def modes(settings: Any) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "dev": "user"}


def credential(token: str = "canary", **facts: Any) -> ClusterCredential:  # noqa: S107
    known = {"kind": "token", "token": token, "context": "dev", "user": "mara", "groups": ("ops",)}
    return ClusterCredential(**(known | facts))


def test_a_context_has_its_own_mode() -> None:
    assert (mode_of("dev"), mode_of("prod")) == ("user", "installation")


def test_a_context_that_is_not_there_is_told(settings: Any) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "dev": "user", "prdo": "user"}
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"*", "dve"})
    first, second = unknown_contexts(["dev", "prod"])
    assert first.startswith("CLUSTER_UI_ACT_AS names 'prdo',")
    assert second.startswith("CLUSTER_UI_OIDC_CONTEXTS names 'dve',")
    assert unknown_contexts([]) == [], "without any cluster there is nothing to compare"
    assert unknown_contexts(["dev", "prdo", "dve"]) == []


async def test_the_log_says_at_the_start_which_context_is_not_there(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "prdo": "user"}

    def away(*_: Any) -> Any:
        raise Forbidden("not here")

    monkeypatch.setattr(module.Runtime, "clusters", lambda _: (CLUSTER,))
    monkeypatch.setattr(module.Runtime, "open", away)
    await module.Runtime()._first_attempt()
    assert "'prdo'" in caplog.text


def test_without_a_token_one_is_asked_to_sign_in(session: SessionStore) -> None:
    with pytest.raises(NotSignedIn, match="have not signed in"):
        identity_in(CLUSTER, "mara", session)
    store(session, credential(context="prod"))
    with pytest.raises(NotSignedIn):
        identity_in(CLUSTER, "mara", session)
    store(session, credential(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(NotSignedIn, match="expired"):
        identity_in(CLUSTER, "mara", session)


def test_a_token_that_was_shown_to_another_cluster_of_that_name_is_not_shown_to_this_one(
    session: SessionStore,
) -> None:
    store(session, credential(server="https://dev-before:6443"))
    with pytest.raises(NotSignedIn):
        identity_in(CLUSTER, "mara", session)
    store(session, credential(server=CLUSTER.server))
    assert identity_in(CLUSTER, "mara", session).acting == Bearer("canary")


def test_the_token_of_the_issuer_reaches_no_context_that_is_not_named(
    session: SessionStore, settings: Any
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "user"}
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"prod"})
    store(session, credential(kind="oidc", context=""))
    with pytest.raises(NotSignedIn, match="CLUSTER_UI_OIDC_CONTEXTS"):
        identity_in(CLUSTER, "mara", session)
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"dev"})
    assert identity_in(CLUSTER, "mara", session).acting == Bearer("canary")


def test_who_has_the_same_token_shares_an_account_and_nobody_else(session: SessionStore) -> None:
    store(session, credential())
    mara = identity_in(CLUSTER, "mara", session)
    assert identity_in(CLUSTER, "jon", session).account == mara.account
    for other in (credential("another"), credential(groups=("dev",)), credential(user="jon")):
        store(session, other)
        assert identity_in(CLUSTER, "mara", session).account != mara.account
    store(session, credential(groups=("a", "b")))
    before = identity_in(CLUSTER, "mara", session)
    store(session, credential(groups=("b", "a")))
    assert identity_in(CLUSTER, "mara", session).account == before.account
    assert "canary" not in f"{mara!r} {mara} {mara.account}"
    assert mara.sign_in == "k" * 32


def test_whom_only_a_cluster_knows_does_not_act_as_the_installation_elsewhere(session: SessionStore) -> None:
    other = Cluster(
        **{name: getattr(CLUSTER, name) for name in Cluster.__slots__} | {"name": "prod", "slug": "prod"}
    )
    assert identity_in(other, "mara", session) == Identity("mara")
    with pytest.raises(Forbidden, match="prod"):
        identity_in(other, "token:dev/mara", session)


async def test_a_token_is_all_that_its_transport_shows() -> None:
    cluster, credentials = Bearer("mine").of(CLUSTER, Transport(CLUSTER).credentials)
    transport = Transport(cluster, credentials=credentials)
    used = await transport.credentials.get()
    assert (used.authorization, used.certificate, used.key) == ("Bearer mine", b"", b"")
    assert transport._identity(used, __import__("multidict").CIMultiDict()) == {
        "Authorization": "Bearer mine"
    }
    assert cluster.connection.cluster == CLUSTER.connection.cluster
    assert transport.own_token and not Transport(CLUSTER).own_token


@pytest.mark.django_db(transaction=True)
def test_a_session_stands_until_it_is_over_or_its_user_disabled() -> None:
    user = User.objects.create(username="mara")
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session.create()
    found = standing(session.session_key)
    assert found is not None and found[0] == user
    assert standing(None) is standing("") is standing("x" * 32) is None
    User.objects.update(is_active=False)
    assert standing(session.session_key) is None
    User.objects.update(is_active=True)
    session.set_expiry(-1)
    session.save()
    assert standing(session.session_key) is None
    session.flush()
    assert standing(session.session_key) is None


class Closing:
    """A transport that says whether it is open."""

    def __init__(self, cluster: Any, **_: Any) -> None:
        self.cluster, self.is_open, self.credentials = cluster, True, None

    async def close(self) -> None:
        self.is_open = False


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, settings: Any) -> ClusterRuntime:
    settings.CLUSTER_UI_TIMELINE = False
    monkeypatch.setattr(module, "Transport", Closing)
    return ClusterRuntime(CLUSTER)


def acting(name: str) -> Identity:
    return Identity(name, name, acting=Bearer(name))


async def test_an_account_that_nobody_uses_is_closed_and_the_installations_never(
    runtime: ClusterRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, another = runtime.session(acting("mara")), runtime.session(acting("jon"))
    transports: list[Any] = [mine.transport, another.transport, runtime.session(THE_INSTALLATION).transport]
    assert len(set(transports)) == 3
    assert runtime.session(acting("mara")).transport is transports[0]
    await runtime.close_idle()
    assert all(each.is_open for each in transports), "used just now"
    again = another.again()
    del another
    later = time.monotonic() + module.ACCOUNT_IDLE_SECONDS + 1
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    await runtime.close_idle()
    assert all(each.is_open for each in transports), "somebody has a session of each"
    del again
    await runtime.close_idle()
    assert [each.is_open for each in transports] == [True, False, True]
    assert runtime.session(acting("jon")).transport is not transports[1]
    await runtime.close()
    assert not any(each.is_open for each in transports)


async def test_accounts_are_bounded(runtime: ClusterRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ACCOUNTS", 2)
    kept = [runtime.session(acting("a")), runtime.session(acting("b"))]
    with pytest.raises(TooManyRequests, match="2 accounts"):
        runtime.session(acting("c"))
    assert runtime.session(acting("a")).transport is kept[0].transport
    await runtime.close()
