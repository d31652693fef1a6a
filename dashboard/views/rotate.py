"""The form that rotates a Secret, whose value is never part of an answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render

from dashboard.actions.engine import Form
from dashboard.actions.replace_secret import REPLACE_SECRET
from dashboard.actions.rotate import VALUE, ImmutableSecret, secret_sizes
from dashboard.actions.rotation_hook import hooks
from dashboard.errors import ClusterError, Invalid
from dashboard.kinds.rows import OFFERED
from dashboard.queries.keys import KeyWindow

from .form import ActionForm
from .steps import StepResult

MAX_KEYS = 50  # that have an input each; the others keep their values


class RotateForm(ActionForm):
    """A new value for one key or, with ``several``, for some of them, each in an input of its own. What was typed stays
    in the form: an answer to it is never in place of the form.
    """

    async def part(self) -> HttpResponseBase | None:
        if self.request.headers.get("HX-Target") != "pick-key":
            return None
        form = self.keys(await self.read(None))
        return render(self.request, "forms/rotate_keys.html", {"s": {"form": form}})

    async def step(self) -> StepResult:
        # Without scripts the form is sent to have other keys of it shown.
        if self.request.POST.get("step") == "find" or "go" in self.request.POST:
            return StepResult()
        return await super().step()

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        asked = self.request.POST if self.request.method == "POST" else self.request.GET
        jobs = hooks(self.session.reader, self.target.namespace)
        chosen = asked.get("job", "")
        # One that is chosen by the address of the page is offered too.
        offered = sorted({*jobs[:OFFERED], *({chosen} & {*jobs})})
        other = _other_query(form, asked)
        return {
            "type": form.manifest.get("type", "Opaque"),
            "jobs": [{"name": name, "chosen": name == chosen} for name in offered],
            "more_jobs": len(jobs) - len(offered),
            **(several_keys(form, said) if asked.get("several") else self.keys(form)),
            "several": bool(asked.get("several")),
            "other_url": f"{self.url}{self.action.name}/{other}" if other else "",
        }

    def keys(self, form: Form) -> dict[str, Any]:
        """The keys that are shown to choose from, as ``forms/rotate_keys.html`` wants them."""
        sizes = secret_sizes(form.manifest)
        asked = self.request.POST if self.request.method == "POST" else self.request.GET
        key = asked.get("key", "")
        chosen = key if key in sizes else next(iter(sizes), "") if len(sizes) == 1 else ""
        window = KeyWindow.of(
            sizes, {"q": asked.get("q", ""), "page": asked.get("go") or asked.get("page", "1")}
        )
        shown = window.names if chosen in ("", *window.names) else (chosen, *window.names)
        keys = [{"name": name, "bytes": sizes[name], "chosen": name == chosen} for name in shown]
        return {"window": window, "keys": keys}

    def elsewhere(self, form: Form) -> str:
        """What can't be changed is replaced."""
        return f"{self.url}{REPLACE_SECRET.name}/" if isinstance(form.refusal, ImmutableSecret) else ""

    def refused(self, error: ClusterError) -> dict[str, str]:
        found = super().refused(error)
        return found | {"title": "It cannot be rotated"} if isinstance(error, Invalid) else found


def _other_query(form: Form, asked: QueryDict) -> str:
    """What leads to the form for several keys, or for one; "" where there is only one."""
    if len(secret_sizes(form.manifest)) < 2:
        return ""
    query = {} if asked.get("several") else {"several": "1"}
    query |= {"job": str(asked["job"])} if asked.get("job") else {}
    return f"?{urlencode(query)}"


def several_keys(form: Form, said: StepResult) -> dict[str, Any]:
    """The keys of a Secret with an input each, as ``forms/secret_values.html`` wants them."""
    sizes = secret_sizes(form.manifest)
    keys = [
        {"name": key, "bytes": size, "id": f"value-{at}", "error": said.wrong.get(f"{VALUE}{key}", "")}
        for at, (key, size) in enumerate(list(sizes.items())[:MAX_KEYS])
    ]
    return {"keys": keys, "more": max(0, len(sizes) - MAX_KEYS)}
