"""What the forms of all actions do in the same way: preview, apply, and what is said when it goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from dashboard.actions.action import Actor, Preview
from dashboard.actions.problems import StaleView
from dashboard.errors import BadInput, ClusterError, Invalid, ReadOnly
from dashboard.insight import Effect, Notice
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.action import ActionScreen
from dashboard.live.screens.common import iso, list_url, object_url, ref_url
from dashboard.models import Change

from .pages import page

Parts = dict[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Said:
    """What stands beside a form: ``parts`` as ``partials/preview.html`` wants them, the answer's status, and ``wrong``:
    input → what is wrong with it. ``done`` leads on to the change that was made; there is nothing to show then.
    ``error`` is what ended the step.
    """

    parts: Parts = field(default_factory=dict)
    status: int = 200
    wrong: dict[str, str] = field(default_factory=dict)
    done: HttpResponseRedirect | None = None
    error: ClusterError | None = None

    async def or_else(self, reading: Awaitable[T]) -> T:
        """What the form is filled with. Where it cannot be read, the error of the step is what a person must know: it may
        be that a change was sent and its answer lost.
        """
        try:
            return await reading
        except ClusterError as error:
            if self.error is None:
                raise
            raise self.error from error


def error_parts(error: ClusterError) -> Parts:
    return {"error": error_context(error)}


async def take_step(
    request: HttpRequest,
    *,
    apply: Callable[[str], Awaitable[Change]],
    preview: Callable[[], Awaitable[Parts]],
    at_once: bool = True,
    beside: Collection[str] = (),
    tell: Callable[[ClusterError], Parts] = error_parts,
    then: str = "change",
) -> Said:
    """One step of a form: POST previews, or applies with the token of a preview; GET previews ``at_once`` where there is
    nothing to type first.

    What was shown and is so no more is answered with a new preview, never with less than was there: a conflict, a token
    of something else, a mistake in an input of ``beside``, which no preview depends on. Every other error takes the
    preview's place, as ``tell`` words it. ``then`` is the page on which the change is followed.
    """
    said = Said()
    notice: dict[str, str] | None = None
    if request.method == "POST":
        try:
            step = request.POST.get("step", "preview")
            if step == "apply":
                change = await apply(request.POST.get("token", ""))
                said.done = HttpResponseRedirect(reverse(then, args=[change.pk]))
                return said
            if step != "preview":
                raise BadInput(f"step is {step!r}: say preview or apply.", field="step")
        except StaleView as error:
            said.parts["conflict"] = conflict_context(error)
            said.status = error.status
        except BadInput as error:
            if error.field not in ("token", *beside):
                return _failed(said, error, tell)
            notice = {"state": "bad", **error_context(error)}
            if error.field == "token":
                notice |= {"state": "warn", "title": "This preview is new", "field": ""}
            said.status = error.status
            said.wrong[error.field] = error.message
        except ClusterError as error:
            return _failed(said, error, tell)
    elif not at_once:
        return said
    try:
        said.parts |= await preview()
    except ClusterError as error:
        _failed(said, error, tell)
        if request.method != "POST":
            said.status = 200  # the page itself is there
    if notice is not None and said.parts.get("preview"):
        said.parts["preview"]["notices"].insert(0, notice)
    return said


def _failed(said: Said, error: ClusterError, tell: Callable[[ClusterError], Parts]) -> Said:
    said.parts |= tell(error)
    said.status, said.error = error.status, error
    if isinstance(error, BadInput) and error.field:
        said.wrong[error.field] = error.message
    return said


@asynccontextmanager
async def listed(cluster: ClusterRuntime, screen: ActionScreen) -> AsyncIterator[None]:
    """With everything at hand that a preview reads. Raises what the screen says to whoever may not see the object."""
    with cluster.cache.lease(screen.plurals):
        await screen.prepare()
        await cluster.ready(screen.plurals)
        yield


async def show_action(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: ActionScreen,
    said: Said,
    *,
    title: str,
    template: str,
    form: Mapping[str, Any],
    kubectl: str,
    refusal: ClusterError | None = None,
    way_out: tuple[str, str] | None = None,
    crumbs: Collection[tuple[str, str]] = (),
) -> HttpResponseBase:
    """The page of an action: its form, and beside it what was said.

    A ``refusal`` takes the place of a form in which nothing was typed yet; ``way_out`` is then where to go, and the
    link's text. ``kubectl`` does the same, as long as no preview says it in full; ``crumbs`` lead here from the object.
    """
    kind = screen.kind
    url = object_url(cluster, kind.plural, screen.namespace, screen.name)
    where = list_url(cluster, kind.plural, f"?namespace={screen.namespace}")
    showing = page(
        request,
        cluster,
        screen,
        title=f"{title} {screen.name}",
        more={
            "title": title,
            "object": {
                "plural": kind.plural,
                "kind": kind.kind,
                "namespace": screen.namespace,
                "name": screen.name,
                "url": url,
            },
            "breadcrumbs": [
                (kind.title, list_url(cluster, kind.plural)),
                (screen.namespace, where),
                (screen.name, url),
                *crumbs,
            ],
            "form_template": template,
            "form": {"action_url": request.path, "errors": said.wrong, **form},
            "readonly": refusal_context(refusal, way_out) if refusal and request.method != "POST" else None,
            "kubectl": kubectl,
            "cluster_name": cluster.cluster.name,
            "preview": None,
            "conflict": None,
            "error": None,
            **said.parts,
        },
    )
    response = await said.or_else(showing)
    response.status_code = said.status
    return response


def actor_of(user: User | AnonymousUser) -> Actor:
    """Who acts. The middleware let nobody in without a session."""
    if not isinstance(user, User):
        raise TypeError("A change needs somebody who is signed in.")
    return Actor(user=user, name=user.get_username())


def error_context(error: ClusterError) -> dict[str, str]:
    """An error beside the form: what was refused, by whom as far as it is known, and the way out. ``field`` is the input
    at fault.
    """
    text = error.message
    if isinstance(error, Invalid):
        text += "".join(
            f" {cause.field}: {cause.message}" for cause in error.causes if cause.message not in text
        )
    at = error.field if isinstance(error, BadInput) else ""
    return {"title": error.title, "text": f"{text} {error.next_step}".strip(), "field": at}


def refusal_context(error: ClusterError, way_out: tuple[str, str] | None = None) -> dict[str, str]:
    """Why a form cannot be used, before anything is typed, and where to go."""
    url, link = (reverse("clusters"), "Clusters") if isinstance(error, ReadOnly) else way_out or ("", "")
    return {
        "title": error.title,
        "text": f"{error.message} {error.next_step}".strip(),
        "url": url,
        "link": link,
    }


def conflict_context(error: StaleView) -> dict[str, str]:
    return {
        "text": f"{error.message} Nothing was written.",
        "who": "",  # the message names who it was
        "when": iso(error.when),
        "was": error.was,
        "now": error.now,
    }


def preview_context(runtime: ClusterRuntime, preview: Preview) -> dict[str, Any]:
    """A preview as ``partials/preview.html`` wants it."""
    told = preview.told
    return {
        "headline": _notice(runtime, told.headline) if told.headline else None,
        "effects": [_effect(runtime, effect) for effect in told.effects],
        "notices": [_notice(runtime, notice) for notice in told.notices],
        "diff": preview.diff,
        "diff_words": preview.diff_words,
        "kubectl": told.kubectl,
        "checked_at": iso(preview.checked_at.replace(microsecond=0)),
        "undo_words": told.undo_words
        if preview.token
        else "Nothing would change: there is nothing to apply.",
        "button": {"text": told.button, "danger": told.danger} if preview.token else None,
        "token": preview.token,
    }


def _notice(runtime: ClusterRuntime, notice: Notice) -> dict[str, str]:
    return {
        "state": notice.state,
        "title": notice.title,
        "text": notice.text,
        "url": ref_url(runtime, notice.ref),
        "link": notice.link,
    }


def _effect(runtime: ClusterRuntime, effect: Effect) -> dict[str, Any]:
    return {
        "state": effect.state,
        "icon": effect.icon,
        "text_parts": list(effect.text),
        "note": effect.note,
        "word": effect.word,
        "url": ref_url(runtime, effect.ref),
    }
