"""The form that rotates a Secret, whose value is never part of an answer."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render

from dashboard.actions.engine import Form
from dashboard.actions.replace_secret import REPLACE_SECRET
from dashboard.actions.rotate import ImmutableSecret, secret_sizes
from dashboard.actions.rotation_hook import hooks
from dashboard.errors import ClusterError, Invalid
from dashboard.kinds.rows import OFFERED
from dashboard.queries.keys import KeyWindow

from .form import ActionForm
from .steps import StepResult


class RotateForm(ActionForm):
    """A new value for one key. What was typed stays in the form: an answer to it is never in place of the form."""

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
        return {
            "type": form.manifest.get("type", "Opaque"),
            "jobs": [{"name": name, "chosen": name == chosen} for name in offered],
            "more_jobs": len(jobs) - len(offered),
            **self.keys(form),
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
