"""What is sealed in the database: by purpose, with keys that are rotated."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

from dashboard.live.acting import standing
from dashboard.sealing import KeyLost, is_sealed_anew, seal, unseal

ONE, OTHER = b"tests: one purpose", b"tests: another"


def test_what_was_sealed_is_read_for_its_purpose_alone() -> None:
    sealed = seal(ONE, b"canary")
    assert "canary" not in sealed and unseal(ONE, sealed) == b"canary"
    for purpose, text in ((OTHER, sealed), (ONE, sealed[:-8] + "AAAAAAA="), (ONE, "ü"), (ONE, "")):
        with pytest.raises(KeyLost):
            unseal(purpose, text)


def test_keys_are_rotated_and_a_lost_one_is_told(settings: Any) -> None:
    settings.SECRET_KEY = "the first key, long enough for anybody"
    sealed = seal(ONE, b"canary")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second key of this house", [settings.SECRET_KEY]
    assert unseal(ONE, sealed) == b"canary" and not is_sealed_anew(ONE, sealed)
    assert is_sealed_anew(ONE, seal(ONE, b"canary"))
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(KeyLost):
        unseal(ONE, sealed)


@pytest.mark.django_db
def test_a_session_stands_while_its_key_is_a_fallback(settings: Any) -> None:
    settings.SECRET_KEY = "the first key, long enough for anybody"
    user, session = User.objects.create(username="mara"), SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session.save()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second key of this house", [settings.SECRET_KEY]
    assert standing(session.session_key) is not None
    settings.SECRET_KEY_FALLBACKS = []
    assert standing(session.session_key) is None
