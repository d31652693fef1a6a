"""Somebody's own way into a cluster: sealed in the session, readable to nobody else, in no report."""

from __future__ import annotations

import copy
import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from dashboard.credentials import CONTEXTS, TOKEN_BYTES, ClusterCredential, forget, load, store
from dashboard.errors import BadInput
from dashboard.sessionstore import SessionStore

TOKEN, REFRESH = "eyJhbGciOi.canary-token", "canary-refresh"


@pytest.fixture
def session() -> SessionStore:
    return SessionStore()


def credential(**facts: Any) -> ClusterCredential:
    return ClusterCredential(**({"kind": "token", "token": TOKEN, "refresh_token": REFRESH} | facts))


def test_what_was_stored_is_loaded(session: SessionStore) -> None:
    kept = credential(
        kind="oidc",
        expires_at=datetime(2030, 1, 2, tzinfo=UTC),
        user="mara@example.org",
        groups=("ops", "dev"),
    )
    store(session, kept)
    assert load(session) == kept


def test_a_context_has_its_own_before_the_issuers(session: SessionStore, settings: Any) -> None:
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"*"})
    everywhere, dev = credential(user="mara"), credential(context="dev", user="mara-in-dev")
    store(session, everywhere)
    store(session, dev)
    assert load(session, "dev") == dev
    assert load(session, "prod") == everywhere
    store(session, again := credential(context="dev", token="another"))
    assert load(session, "dev") == again
    forget(session, "dev")
    assert load(session, "dev") == everywhere
    forget(session)
    assert load(session, "dev") is None


def test_the_issuers_is_for_the_contexts_that_trust_it(session: SessionStore, settings: Any) -> None:
    store(session, issuers := credential(kind="oidc"))
    for named, shown in (
        ((), (False, False)),
        (("dev",), (True, False)),
        (("*",), (True, True)),
    ):
        settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset(named)
        assert tuple(load(session, context) == issuers for context in ("dev", "prod")) == shown
        assert load(session) == issuers, "the issuer itself is asked by it"


def test_that_of_one_context_is_none_for_another(session: SessionStore) -> None:
    store(session, credential(context="dev"))
    assert load(session, "prod") is None
    assert load(session) is None


def test_nothing_readable_is_in_the_session(session: SessionStore) -> None:
    store(session, credential(user="mara@example.org", context="dev"))
    plain = json.dumps(dict(session.items()))
    for word in (TOKEN, REFRESH, "mara"):
        assert word not in plain


@pytest.mark.django_db
def test_nothing_readable_is_in_the_database(session: SessionStore) -> None:
    store(session, credential())
    session.create()
    (row,) = Session.objects.all()
    assert TOKEN not in row.session_data
    assert TOKEN not in json.dumps(row.get_decoded())
    assert load(SessionStore(row.session_key)) == credential()


def test_another_secret_key_reads_nothing(session: SessionStore, settings: Any) -> None:
    store(session, credential())
    settings.SECRET_KEY = "another one"
    assert load(session) is None
    store(session, again := credential(token="new"))
    assert load(session) == again


def test_what_was_tampered_with_is_nothing(session: SessionStore) -> None:
    store(session, credential())
    (key,) = session.keys()
    session[key] = session[key][:-4] + "AAA="
    assert load(session) is None
    session[key] = 17
    assert load(session) is None


def test_one_session_keeps_a_bounded_number(session: SessionStore) -> None:
    for number in range(CONTEXTS + 3):
        store(session, credential(context=f"c{number}"))
    kept = [number for number in range(CONTEXTS + 3) if load(session, f"c{number}") is not None]
    assert kept == list(range(3, CONTEXTS + 3))


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "naïve", "x" * (TOKEN_BYTES + 1)])
def test_a_token_that_no_header_could_carry_is_refused(session: SessionStore, token: str) -> None:
    with pytest.raises(BadInput) as refused:
        store(session, credential(token=token))
    assert refused.value.field == "token"
    assert not token or token not in refused.value.message
    assert load(session) is None


def test_it_knows_when_it_has_expired() -> None:
    now = datetime.now(UTC)
    assert credential(expires_at=now - timedelta(seconds=1)).has_expired()
    assert not credential(expires_at=now + timedelta(minutes=1)).has_expired()
    assert not credential().has_expired()


def test_no_way_of_writing_it_out_shows_a_token() -> None:
    kept = credential(user="mara", context="dev")
    for text in (repr(kept), str(kept), f"{kept}", f"{[kept]!r}", repr({"a": copy.copy(kept)})):
        assert "canary" not in text


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("html", [False, True])
def test_a_report_of_an_error_shows_no_token(settings: Any, debug: bool, html: bool) -> None:
    settings.DEBUG = debug
    sent = "canary-token-" + "of-a-form"  # in no line of the program
    request = RequestFactory().post("/login/token/", {"token": sent}, HTTP_AUTHORIZATION=f"Bearer {sent}")
    request.COOKIES["cluster_ui_session"] = sent

    def fail() -> None:
        token, whole = request.POST["token"], [request.POST, {"nested": request.POST["token"]}]
        raise RuntimeError(f"it broke {len(token)} {len(whole)}")

    try:
        fail()
    except RuntimeError as error:
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
        text = reporter.get_traceback_html() if html else reporter.get_traceback_text()
        assert sent not in text
        assert "it broke" in text
        assert sent not in "".join(traceback.format_exception(error))
