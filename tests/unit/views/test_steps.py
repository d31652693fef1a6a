"""One step of a form: what leads on, what is shown anew, and what takes the preview's place."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from dashboard.actions.engine import Form as Form_
from dashboard.actions.problems import StaleView, Unsettled
from dashboard.actions.scale import SCALE
from dashboard.errors import (
    BadInput,
    ClusterError,
    Forbidden,
    Invalid,
    NotFound,
    Protected,
    ReadOnly,
    Unavailable,
)
from dashboard.kinds import KINDS
from dashboard.models import Change
from dashboard.views import form as forms
from dashboard.views.errors import error_response
from dashboard.views.form import ActionForm
from dashboard.views.steps import Parts, Shown, StepResult, refusal_context, take_step, told_error

from ..actions.fake import FakeTransport
from ..insight.world import World

POST = RequestFactory().post
CHANGE = Change(pk=7)


class Form:
    """Answers to the steps; an error is raised, anything else given."""

    def __init__(
        self, *, apply: Any = CHANGE, preview: Any = None, at_once: bool = True, failed: Any = None
    ) -> None:
        self._apply, self._preview = apply, preview
        self.at_once = at_once
        self.failed = failed or (lambda error: {"error": told_error(error)})
        self.tokens: list[str] = []

    async def apply(self, token: str) -> Change:
        self.tokens.append(token)
        return self._give(self._apply)

    async def preview(self) -> Shown:
        made: Parts = self._give(self._preview or {"preview": {"notices": ["the preview's own"]}})
        return Shown(preview=None, parts=made)

    def _give(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def take(self, request: Any) -> StepResult:
        return await take_step(request, self)


def stale() -> StaleView:
    return StaleView("web was changed by jon.", was="3 replicas", now="4 replicas", who="jon")


async def test_a_get_previews_only_where_there_is_nothing_to_type() -> None:
    get = RequestFactory().get("/")
    assert (await Form().take(get)).parts["preview"]
    assert (await Form(at_once=False).take(get)).parts == {}


async def test_what_was_applied_leads_on_to_its_change() -> None:
    form = Form()
    said = await form.take(POST("/", {"step": "apply", "token": "t"}))
    assert said.done is CHANGE
    assert form.tokens == ["t"]


async def test_a_conflict_is_shown_with_a_new_preview() -> None:
    said = await Form(apply=stale()).take(POST("/", {"step": "apply"}))
    assert said.done is None and said.status == 409
    assert said.parts["conflict"]["now"] == "4 replicas" and said.parts["preview"]


@pytest.mark.parametrize(("field", "state"), [("token", "warn"), ("confirm", "bad"), ("reason", "bad")])
async def test_a_mistake_beside_the_preview_keeps_it_with_a_word_on_top(field: str, state: str) -> None:
    wrong = BadInput("That is not what the preview showed.", field=field)
    said = await Form(apply=wrong).take(POST("/", {"step": "apply"}))
    assert said.status == 400 and "error" not in said.parts
    first, own = said.parts["preview"]["notices"]
    assert (first["state"], own) == (state, "the preview's own")
    assert "not what the preview showed" in first["text"]
    assert said.wrong == {field: wrong.message}


@pytest.mark.parametrize("step", ["apply", "preview", "neither"])
async def test_every_other_error_takes_the_place_of_a_preview(step: str) -> None:
    wrong = BadInput("Type digits only.", field="replicas")
    said = await Form(apply=wrong, preview=wrong).take(POST("/", {"step": step}))
    assert said.status == 400 and set(said.parts) == {"error"}
    assert said.parts["error"]["field"] in said.wrong


async def test_an_error_is_told_in_the_forms_own_way() -> None:
    threads = {threading.get_ident()}

    def tell(error: ClusterError) -> Parts:
        threads.add(threading.get_ident())
        return {"instead": "partials/clashes.html"}

    refused = Forbidden("You may not.")
    said = await Form(preview=refused, failed=tell).take(POST("/"))
    assert (said.parts, said.status) == ({"instead": "partials/clashes.html"}, 403)
    assert len(threads) == 2, "it may compare large texts: the event loop goes on meanwhile"


async def test_a_page_whose_preview_failed_is_there_all_the_same() -> None:
    said = await Form(preview=NotFound("gone")).take(RequestFactory().get("/"))
    assert said.status == 200 and said.parts["error"]["text"] == "gone"


async def test_an_error_before_the_form_could_be_read_stays_beside_what_was_typed() -> None:
    request = POST("/", headers={"hx-target": "preview"})
    response = await error_response(request, NotFound("There is no ConfigMap settings."))
    html = response.content.decode()  # type: ignore[attr-defined]
    assert response.status_code == 404
    assert html.lstrip().startswith('<div id="preview"') and "this form stays as it is" in html


async def test_a_lost_answer_is_said_even_where_the_form_cannot_be_read_any_more() -> None:
    """The cluster that swallowed an answer does not answer the next question either."""

    async def unreachable() -> None:
        raise Unavailable("The connection broke.")

    lost = Unsettled("Whether web was changed is not known.")
    said = await Form(apply=lost).take(POST("/", {"step": "apply"}))
    with pytest.raises(Unsettled):
        await said.or_else(unreachable())
    response = await error_response(POST("/", headers={"hx-target": "preview"}), lost)
    html = response.content.decode()  # type: ignore[attr-defined]
    assert "is not known" in html and "Nothing was written" not in html
    with pytest.raises(Unavailable):
        await (await Form().take(POST("/"))).or_else(unreachable())


@pytest.mark.parametrize("refused", ["", "form", "step"])
async def test_no_command_does_what_was_refused(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a budget, a right or the read-only context refuses is not offered to be copied."""
    shown: dict[str, Any] = {}

    async def page(*_: Any, more: dict[str, Any], **__: Any) -> HttpResponse:
        shown.update(more)
        return HttpResponse()

    monkeypatch.setattr(forms, "page", page)
    error = Protected("The budget allows 0 disruptions.")
    said = StepResult(error=error if refused == "step" else None)
    cluster: Any = SimpleNamespace(cluster=SimpleNamespace(slug="here", name="here"), kinds=KINDS)
    screen: Any = SimpleNamespace(
        kind=KINDS["deployments"], namespace="shop", name="web", action=SCALE, runtime=cluster,
        session=SimpleNamespace(cluster=cluster, reader=World()),
    )  # fmt: skip
    actor: Any = None
    form = ActionForm(RequestFactory().get("/"), screen, actor)

    async def read(_: object) -> Form_:
        refusal = ReadOnly("read-only") if refused == "form" else None
        return Form_(manifest=FakeTransport().manifest(), confirm="", refusal=refusal)

    monkeypatch.setattr(form, "read", read)
    await form._page(said)
    assert shown["kubectl"] == ("" if refused else "kubectl scale deployment/web -n shop --replicas=3")


def test_a_form_that_can_not_be_opened_calls_nothing_invalid_as_nothing_was_typed() -> None:
    error = Invalid("Deployment web has no earlier revision to roll back to.")
    told = refusal_context(error)
    assert (told["title"], told["text"]) == ("This can't be done now", error.message)
    assert told_error(error)["title"] == "Not valid", "of what was typed"
    assert refusal_context(Forbidden("You may not."))["title"] == Forbidden.title
