"""A file that is being sent ends with the session that asked for it, whichever route it is of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import RequestAborted
from django.db import OperationalError
from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncClient

from dashboard import middleware
from dashboard.errors import Forbidden, NotFound, NotSignedIn, Unavailable
from dashboard.kube.access import Decision, Question
from dashboard.models import AuditEntry
from dashboard.queries.access import Visible
from dashboard.views import logs, sending
from dashboard.views.sending import Allowance

from .live import seen

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


async def sent(found: list[bytes], may: Allowance | None = None) -> None:
    async for piece in middleware.while_standing(pieces(), "abc", may):
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


@pytest.mark.parametrize(
    "lost", [False, Forbidden("No."), NotFound("No such context."), NotSignedIn("Expired.")]
)
async def test_it_is_cut_off_once_a_right_was_lost(word: list[Any], lost: Any) -> None:
    word.append(("mara", None))
    answers = [True, lost]

    async def may(user: Any, session: Any) -> bool:
        assert (user, session) == ("mara", None), "as they are by now"
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    found: list[bytes] = []
    with pytest.raises(RequestAborted):
        await sent(found, may)
    assert found == [b"0"]


async def test_a_cluster_that_is_away_for_a_moment_ends_nothing(
    word: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    word.append(("mara", None))

    async def may(*_: Any) -> bool:
        raise Unavailable("The cluster does not answer.")

    found: list[bytes] = []
    await sent(found, may)
    assert len(found) == 4
    monkeypatch.setattr(middleware, "UNCONFIRMED_SECONDS", -1.0)
    with pytest.raises(RequestAborted):
        await sent(found, may)


def test_every_view_that_sends_pieces_says_who_may_have_them() -> None:
    """By ``SentFile``, which can't be made without: a right that is lost ends what is being sent."""
    views = Path(sending.__file__).parent
    users = {path.name for path in views.rglob("*.py") if "StreamingHttpResponse" in path.read_text()}
    assert users == {"sending.py"}


async def test_what_was_listed_is_asked_for_again_as_whoever_they_are_by_now() -> None:
    found = seen.runtime()
    here = seen.session(found)
    allowed = {("list", "pods", "shop"), ("list", "nodes", None)}

    async def decide(question: Question) -> Decision:
        return Decision((question.verb, question.gvr.plural, question.namespace) in allowed, "")

    here.reviews.decide = here.reviews.decide_in = decide  # type: ignore[method-assign]
    shop, everywhere = Visible(frozenset({"shop"})), Visible()
    assert await here.still_lists({"pods": shop, "nodes": everywhere, "gone.example": everywhere})
    assert await here.still_lists({"secrets": Visible(frozenset(), Forbidden("No."))}), (
        "nothing was shown of it"
    )
    assert not await here.still_lists({"pods": Visible(frozenset({"shop", "blog"}))})
    assert not await here.still_lists({"pods": everywhere})


@pytest.mark.parametrize(("allowed", "may"), [({""}, True), ({"a", "b"}, True), ({"a"}, False)])
async def test_the_right_to_logs_may_be_one_to_those_of_some_pods(allowed: set[str], may: bool) -> None:
    here = seen.session(seen.runtime())

    async def decide(question: Question) -> Decision:
        assert (question.verb, question.subresource, question.namespace) == ("get", "log", "shop")
        return Decision((question.name or "") in allowed, "")

    here.reviews.decide = decide  # type: ignore[method-assign]
    assert await logs._reads_logs(here, "shop", ["a", "b"]) is may


async def test_an_export_of_the_audit_ends_for_who_administers_it_no_more(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(middleware, "STANDS_SECONDS", 0.0)
    settings.CLUSTER_UI_ADMINS = ["mara"]
    await AuditEntry.objects.acreate(user_name="jon", action="scale", result="done")
    user, client = await User.objects.acreate(username="mara"), AsyncClient()
    await client.aforce_login(user)
    for path in ("/audit/?format=csv", "/changes/?format=csv"):
        settings.CLUSTER_UI_ADMINS = ["mara"]
        answer: Any = await client.get(path)
        settings.CLUSTER_UI_ADMINS = []
        with pytest.raises(RequestAborted):
            [piece async for piece in answer.streaming_content]


async def test_every_route_that_sends_pieces_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one middleware before every view."""

    async def stands(request: HttpRequest) -> bool:
        request.session = SimpleNamespace(session_key="abc", get=lambda *_: "")  # type: ignore[assignment]
        return True

    asked: list[str | None] = []

    async def while_standing(given: Any, key: str | None, may: Any) -> AsyncIterator[bytes]:
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
