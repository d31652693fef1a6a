"""What the forms of all actions do in the same way: preview, apply, and what is said of it, on a page or as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from django.http import HttpRequest
from django.urls import reverse

from dashboard.actions.action import Preview
from dashboard.actions.bulk_pace import ORDER_FIELD, TIMEOUT_FIELD
from dashboard.actions.diff import Line
from dashboard.actions.problems import StaleView, UnderWay
from dashboard.errors import BadInput, ClusterError, Invalid, ReadOnly
from dashboard.insight import Effect, Notice
from dashboard.kinds.rows import plural
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.common import fit_url, iso, ref_url
from dashboard.loop import off_loop
from dashboard.models import Change

from .attempts import refusals_audited
from .errors import error_context

Parts = dict[str, Any]
# Of a diff shown at once; the rest is a button away.
MAX_DIFF_LINES = 500
MAX_DIFF_LETTERS = 100_000
# What is said with an apply, and no preview depends on.
BESIDE = ("confirm", "reason", ORDER_FIELD, TIMEOUT_FIELD)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A preview, or None where nothing is to be written, with the ``parts`` of ``partials/preview.html``."""

    preview: Preview | None
    parts: Parts


class Steps(Protocol):
    """A form that goes in steps. ``at_once``: it can be previewed before anything is typed."""

    @property
    def at_once(self) -> bool: ...

    async def preview(self) -> Shown:
        """What would happen. Raises ClusterError."""

    async def apply(self, token: str) -> Change:
        """Makes it happen as the preview of ``token`` showed it. Raises ClusterError."""

    def failed(self, error: ClusterError) -> Parts:
        """What takes a preview's place; made in a thread: it may compare texts."""


@dataclass(slots=True)
class StepResult:
    """What stands beside a form: ``parts`` as ``partials/preview.html`` wants them, the answer's status, and ``wrong``:
    input → what is wrong with it. ``done`` is the change that was made; there is nothing to show then. ``error`` is what
    ended the step, ``preview`` what it showed.
    """

    parts: Parts = field(default_factory=dict)
    status: int = 200
    wrong: dict[str, str] = field(default_factory=dict)
    done: Change | None = None
    error: ClusterError | None = None
    preview: Preview | None = None

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


async def take_step(request: HttpRequest, form: Steps) -> StepResult:
    """One step of a form: POST previews, or applies with the token of a preview; GET previews at once where there is
    nothing to type first.

    What was shown and is so no more is answered with a new preview, never with less than was there: a conflict, a token
    of something else, a mistake in an input of ``BESIDE``, which no preview depends on. Every other error takes the
    preview's place.
    """
    said = StepResult()
    notice: dict[str, str] | None = None
    if request.method == "POST":
        try:
            if asked_step(request) == "apply":
                said.done = await _applied(request, form)
                return said
        except StaleView as error:
            said.parts["conflict"] = conflict_context(error)
            said.status = error.status
        except BadInput as error:
            if error.field not in ("token", *BESIDE):
                return await _failed(said, error, form)
            notice = {"state": "bad", **error_context(error)}
            if error.field == "token":
                notice |= {"state": "warn", "title": "This preview is new", "field": ""}
            said.status = error.status
            said.wrong[error.field] = error.message
        except ClusterError as error:
            return await _failed(said, error, form)
    elif not form.at_once:
        return said
    try:
        shown = await form.preview()
    except ClusterError as error:
        await _failed(said, error, form)
        if request.method != "POST":
            said.status = 200  # the page itself is there
    else:
        said.preview = shown.preview
        said.parts |= shown.parts
    if notice is not None and said.parts.get("preview"):
        said.parts["preview"]["notices"].insert(0, notice)
    return said


async def step_json(request: HttpRequest, form: Steps) -> Parts:
    """The same for a script. Raises ClusterError: a refusal is an error there, and never a preview."""
    if request.method == "POST" and asked_step(request) == "apply":
        change = await _applied(request, form)
        return {"change": change.pk, "url": reverse("change", args=[change.pk])}
    shown = await form.preview()
    found = preview_json(shown.preview)
    if conflict := shown.parts.get("conflict"):
        found["conflict"] = conflict
    return found


async def _applied(request: HttpRequest, form: Steps) -> Change:
    async with refusals_audited(request):
        return await form.apply(request.POST.get("token", ""))


def asked_step(request: HttpRequest) -> str:
    """The step of a form that was sent. Raises BadInput for none that there is."""
    step = request.POST.get("step", "preview")
    if step not in ("preview", "apply"):
        raise BadInput(f"step is {step!r}: use preview or apply.", field="step")
    return str(step)


async def _failed(said: StepResult, error: ClusterError, form: Steps) -> StepResult:
    said.parts |= await off_loop(form.failed, error)
    said.status, said.error = error.status, error
    if error.field:
        said.wrong[error.field] = error.message
    return said


# ---- What is said


def told_error(error: ClusterError) -> dict[str, str]:
    """An error beside the form, with the way to what is in its way."""
    found = error_context(error)
    if isinstance(error, UnderWay):
        found |= {"url": reverse("change", args=[error.change]), "link": f"Look at that {error.what}"}
    return found


def refusal_context(error: ClusterError, way_out: tuple[str, str] | None = None) -> dict[str, str]:
    """Why a form cannot be used, before anything is typed, and where to go."""
    url, link = (reverse("clusters"), "Clusters") if isinstance(error, ReadOnly) else way_out or ("", "")
    # Nothing has been typed that could be invalid: the object, as it is, is not one for this.
    title = {"title": "This can't be done now"} if isinstance(error, Invalid) else {}
    return {"url": url, "link": link} | told_error(error) | title


def conflict_context(error: StaleView) -> dict[str, str]:
    return {
        "text": f"{error.message} Nothing was written.",
        "who": "",  # the message names who it was
        "when": iso(error.when),
        "was": error.was,
        "now": error.now,
    }


def first_line(request: HttpRequest) -> int:
    """From which line of a long preview on its diff is asked for."""
    text = request.POST.get("from", "") or request.GET.get("from", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _part(diff: Sequence[Line], start: int) -> tuple[Sequence[Line], dict[str, int] | None]:
    """The lines of a diff that are shown at once, and where they stand when there are more."""
    start = start if start < len(diff) else 0
    end, size = start, 0
    while end < len(diff) and end - start < MAX_DIFF_LINES and size < MAX_DIFF_LETTERS:
        size += len(diff[end].text)
        end += 1
    shown = diff[start:end]
    if len(shown) == len(diff):
        return shown, None
    return shown, {"first": start + 1, "last": end, "total": len(diff), "next": end if end < len(diff) else 0}


def preview_context(runtime: ClusterRuntime, preview: Preview, start: int = 0) -> dict[str, Any]:
    """A preview as ``partials/preview.html`` wants it, its diff from the line ``start`` on as far as a page holds it."""
    told = preview.told
    diff, part = _part(preview.diff, start)
    return {
        **told_context(runtime, told),
        "diff": diff,
        "diff_part": part,
        "diff_words": preview.diff_words,
        "kubectl": told.kubectl,
        "kubectl_note": told.kubectl_note,
        "filled": filled_context(preview),
        "checked_at": iso(preview.checked_at.replace(microsecond=0)),
        "undo_words": told.undo_words
        if preview.token
        else "Nothing would change: there is nothing to apply.",
        "button": {"text": told.button, "danger": told.danger} if preview.token else None,
        "token": preview.token,
        "asks": preview.confirm,
    }


def preview_json(preview: Preview | None) -> Parts:
    """A preview for a script; without a token there is nothing to do. ``filled`` is there where the API server makes
    more than a typed text asks for, ``kubectl_note`` where the command needs something, or there is none."""
    if preview is None:
        return {
            "token": "",
            "headline": "",
            "effects": [],
            "notices": [],
            "diff": [],
            "kubectl": "",
        }
    return {
        "token": preview.token,
        **told_json(preview.told),
        "diff": [{"line": line.n, "sign": line.sign, "text": line.text} for line in preview.diff],
        **({"filled": _filled_json(preview)} if preview.filled else {}),
        "kubectl": preview.told.kubectl,
        **({"kubectl_note": preview.told.kubectl_note} if preview.told.kubectl_note else {}),
    }


def _filled_json(preview: Preview) -> list[Parts]:
    return [
        {
            "object": one.words,
            "fields": [{"field": each.field, "value": each.value, "was": each.was} for each in one.fields],
            "more": one.more,
        }
        for one in preview.filled
    ]


def filled_context(preview: Preview) -> Parts | None:
    """What the API server makes besides what was asked for; None for nothing."""
    counts = [len(one.fields) + one.more for one in preview.filled]
    if not counts:
        return None
    return {"title": f"The server adds or changes {plural(sum(counts), 'field')}", "objects": preview.filled}


class Described(Protocol):
    """What a preview says, of one object or of many."""

    @property
    def headline(self) -> Notice | None: ...
    @property
    def effects(self) -> Sequence[Effect]: ...
    @property
    def notices(self) -> Sequence[Notice]: ...


def told_json(told: Described) -> Parts:
    """The same of what it says."""
    headline = told.headline
    return {
        "headline": f"{headline.title}. {headline.text}".strip() if headline else "",
        "effects": [
            {
                "state": each.state,
                "text": "".join(text for text, _ in each.text),
                "note": each.note,
                "word": each.word,
            }
            for each in told.effects
        ],
        "notices": [{"state": each.state, "title": each.title, "text": each.text} for each in told.notices],
    }


def told_context(runtime: ClusterRuntime, told: Described) -> Parts:
    """What a preview says, for ``partials/preview.html``."""
    return {
        "headline": _notice(runtime, told.headline) if told.headline else None,
        "effects": [_effect(runtime, effect) for effect in told.effects],
        "notices": [_notice(runtime, notice) for notice in told.notices],
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
        "group": effect.group,
        "url": fit_url(runtime, effect.ref.plural, effect.ref.namespace, effect.ref.name)
        if effect.fit and effect.ref is not None
        else ref_url(runtime, effect.ref),
    }


def typed_fields(request: HttpRequest) -> Mapping[str, str]:
    """What was sent, the last of each name."""
    return {key: str(text) for key, text in request.POST.items()}
