"""Who administers the dashboard: the owner and whom the setting names, nobody by a name that merely looks alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.cache import SessionStore
from django.test import RequestFactory

from dashboard.admins import GROUPS, SUBJECT, administers, is_admin


@pytest.fixture(autouse=True)
def named(settings: Any) -> None:
    settings.CLUSTER_UI_ADMINS = frozenset({"mara", "oidc:jon", "group:platform", "oidc-sub:7", "oidc-sub:"})


@pytest.mark.parametrize(
    ("user", "groups", "yes"),
    [
        ("owner", [], True),
        ("mara", [], True),
        ("oidc:jon", [], False),
        ("oidc-sub:7", [], False),
        ("anna", ["dev", "platform"], True),
        ("anna", ["dev"], False),
        ("oidc:owner", [], False),
        ("oidc:mara", [], False),
        ("jon", [], False),
        ("platform", [], False),
        ("group:platform", [], False),
        ("anna", ["mara"], False),
        ("anna", ["group:platform"], False),
        ("", [], False),
    ],
)
def test_only_who_is_named_as_what_they_are(user: str, groups: list[str], yes: bool) -> None:
    assert administers(user, groups) is yes


@pytest.mark.parametrize(("subject", "yes"), [("7", True), ("8", False), ("", False)])
def test_people_of_the_issuer_are_named_by_its_subject(subject: str, yes: bool) -> None:
    assert administers("oidc:jon", [], subject) is yes


@pytest.mark.django_db(transaction=True)  # a connection that an earlier test left is looked at
async def test_a_request_is_asked_for_its_user_and_the_groups_of_its_session() -> None:
    async def asked(user: Any, groups: list[str], subject: str = "") -> bool:
        async def auser() -> Any:
            return user

        request: Any = RequestFactory().get("/")
        request.auser, request.session = auser, SessionStore()
        request.session[GROUPS], request.session[SUBJECT] = groups, subject
        return await is_admin(request)

    assert await asked(User(username="anna"), ["platform"])
    assert await asked(User(username="oidc:anna"), [], "7")
    assert not await asked(User(username="anna"), [])
    assert not await asked(AnonymousUser(), ["platform"])
