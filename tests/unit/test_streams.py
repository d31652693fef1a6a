"""A file that is being sent ends with the session that asked for it, whichever route it is of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import RequestAborted
from django.db import OperationalError
from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncClient

from dashboard import middleware
from dashboard.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


async def pieces(count: int = 4) -> AsyncIterator[bytes]:
    for number in range(count):
        yield str(number).encode()


@pytest.fixture
def word(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is answered to whoever asks for the session, the last of it again and again; asked with each piece."""
    answers: list[Any] = []

    async def vouched(key: str, age: float) -> Any:
        assert key == "abc"
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(middleware, "vouched_lately", vouched)
    monkeypatch.setattr(middleware, "STANDS_SECONDS", 0.0)
    return answers


async def sent(found: list[bytes]) -> None:
    async for piece in middleware.while_standing(pieces(), "abc"):
        found.append(piece)  # noqa: PERF401 what came before the end counts


async def test_it_is_sent_to_its_end_while_the_session_stands(word: list[Any]) -> None:
    word.append(("mara", None))
    found: list[bytes] = []
    await sent(found)
    assert found == [b"0", b"1", b"2", b"3"]


async def test_it_is_cut_off_once_the_session_has_ended(word: list[Any]) -> None:
    word.extend([("mara", None), None])
    found: list[bytes] = []
    with pytest.raises(RequestAborted):
        await sent(found)
    assert found == [b"0"]


async def test_a_database_that_is_away_for_a_moment_ends_nothing(
    word: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    word.append(OperationalError("locked"))
    found: list[bytes] = []
    await sent(found)
    assert len(found) == 4
    monkeypatch.setattr(middleware, "UNCONFIRMED_SECONDS", -1.0)
    with pytest.raises(RequestAborted):
        await sent(found)


async def test_every_route_that_sends_pieces_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one middleware before every view."""

    async def stands(request: HttpRequest) -> bool:
        request.session = SimpleNamespace(session_key="abc", get=lambda *_: "")  # type: ignore[assignment]
        return True

    asked: list[str | None] = []

    async def while_standing(given: Any, key: str | None) -> AsyncIterator[bytes]:
        asked.append(key)
        async for piece in given:
            yield piece

    monkeypatch.setattr(middleware, "stands", stands)
    monkeypatch.setattr(middleware, "while_standing", while_standing)

    async def view(_: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(pieces())

    request = HttpRequest()
    request.path = "/whatever/"
    response: Any = await middleware.session_required(view)(request)
    assert b"".join([piece async for piece in response.streaming_content]) == b"0123"
    assert asked == ["abc"]


async def test_an_export_of_somebody_who_was_disabled_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "STANDS_SECONDS", 0.0)
    await AuditEntry.objects.acreate(user_name="owner", action="scale", result="done")
    user, client = await User.objects.acreate(username="owner"), AsyncClient()
    await client.aforce_login(user)
    answer: Any = await client.get("/audit/?format=csv")
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)
    with pytest.raises(RequestAborted):
        [piece async for piece in answer.streaming_content]
