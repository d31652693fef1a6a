"""The form of an action, step by step, made from the action's declaration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from dashboard.actions.action import WAS, Action, Actor, Field, Manifest, Order, Target, typed_object
from dashboard.actions.engine import (
    Form,
    action_order,
    change_apply,
    change_form,
    change_preview,
    change_stale,
)
from dashboard.errors import ClusterError
from dashboard.insight import Objects
from dashboard.live.screen import Screen
from dashboard.live.screens.action import ActionScreen
from dashboard.live.screens.common import list_url, namespace_crumbs, object_url
from dashboard.loop import off_loop
from dashboard.models import Change

from .attempts import consent_parts, reason_of
from .errors import asks_json
from .operations import begun
from .pages import page
from .steps import (
    Parts,
    Shown,
    StepResult,
    conflict_context,
    first_line,
    preview_context,
    refusal_context,
    step_json,
    take_step,
    told_error,
    typed_fields,
)

SUGGESTED = 200  # letters of an input that an address fills in


class ActionForm:
    """The form of an action on one object, made from its declaration. An action whose form is its own has a class of its
    own: see ``FORMS`` in ``actions.py``.
    """

    def __init__(self, request: HttpRequest, screen: ActionScreen, actor: Actor) -> None:
        self.request, self.session, self.screen, self.actor = request, screen.session, screen, actor
        self.cluster = cluster = screen.runtime
        self.action: Action = screen.action
        self.target = Target.of(cluster.cluster.name, screen.kind, screen.namespace, screen.name)
        self.url = object_url(cluster, screen.kind.plural, screen.namespace, screen.name)

    @property
    def title(self) -> str:
        return self.action.title

    @property
    def template(self) -> str:
        return self.action.template

    @property
    def to_confirm(self) -> str:
        """What is typed where the change has to be confirmed."""
        return self.target.name

    @property
    def at_once(self) -> bool:
        return not self.action.typed

    # ---- Steps

    def order(self, *, confirm: str = "", reason: str = "") -> Order:
        return action_order(
            transport=self.session.transport,
            actor=self.actor,
            target=self.target,
            action=self.action,
            typed=typed_fields(self.request),
            confirm=confirm,
            reason=reason,
        )

    async def ordered(self, **consent: str) -> Order:
        """The same, where reading what was typed may take long."""
        return self.order(**consent)

    async def consent(self) -> dict[str, str]:
        """What is said with an apply, for an order: the name that was typed, and why. Raises BadReason."""
        return {
            "confirm": self.request.POST.get("confirm", ""),
            "reason": await off_loop(reason_of, self.request),
        }

    async def preview(self) -> Shown:
        return await self.shown(await self.ordered(), None)

    async def shown(self, order: Order, manifest: Manifest | None) -> Shown:
        """The preview of an order; ``manifest`` is the object where it was just read."""
        found = await change_preview(order=order, objects=self.session.reader, manifest=manifest)
        parts: Parts = {"preview": preview_context(self.cluster, found, first_line(self.request))}
        if overtaken := order.action.overtaken(found.before, order.wanted):
            action, was = overtaken
            stale = await change_stale(target=self.target, action=action, was=was, manifest=found.before)
            parts["conflict"] = conflict_context(stale)
        return Shown(preview=found, parts=parts)

    async def apply(self, token: str) -> Change:
        change = await change_apply(order=await self.ordered(**await self.consent()), token=token)
        return await begun(self.session, change)

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error)}

    # ---- Answers

    async def part(self) -> HttpResponseBase | None:
        """The answer to a request for a part of the form alone, where it has such parts."""
        return None

    async def step(self) -> StepResult:
        return await take_step(self.request, self)

    async def read(self, manifest: Manifest | None) -> Form:
        """The form as it is; ``manifest`` is the object where a preview has just read it."""
        return await change_form(
            transport=self.session.transport,
            target=self.target,
            action=self.action,
            objects=self.session.reader,
            manifest=manifest,
        )

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        """What the form's template wants in ``s.form``."""
        obj = typed_object(self.target.plural, form.manifest)
        fields = form.fields
        sent = self.request.POST if self.request.method == "POST" else self.suggested(fields)
        last, last_at = self.action.last(form.manifest)
        return {
            "intro": self.action.intro,
            "last": last,
            "last_at": last_at,
            "fields": [
                field_context(each, obj, self.session.reader, sent, said.wrong, last=each is fields[-1])
                for each in fields
            ],
        }

    def suggested(self, fields: Sequence[Field]) -> dict[str, str]:
        """What the address fills in: numbers that a page suggests. Nothing is done before it is sent."""
        return {
            each.name: self.request.GET[each.name][:SUGGESTED]
            for each in fields
            if each.name in self.request.GET
            and each.input in ("number", "amount")
            and not (each.choices or each.rows)
        }

    def command(self, form: Form) -> str:
        """The same by kubectl, as long as no preview says it in full."""
        return self.action.command(self.target, form.manifest)

    def refused(self, error: ClusterError) -> dict[str, str]:
        """Why the form cannot be used, before anything is typed, and where to go."""
        return refusal_context(error, self.way_out(error))

    def elsewhere(self, form: Form) -> str:
        """The address of the form that takes this one's place for the object as it is; "" for none."""
        return ""

    def way_out(self, refusal: ClusterError) -> tuple[str, str] | None:
        """Where to go when the form cannot be used, and the link's text."""
        return None

    def instead(self, form: Form) -> str:
        """A command that may be offered although the form was refused."""
        return ""

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """The way here from the object."""
        return []

    def beside(self, said: StepResult) -> dict[str, Any]:
        """What the preview's partial wants."""
        made_from = ""
        if said.preview is not None:
            obj = typed_object(self.target.plural, said.preview.before)
            steppers = (each for each in self.action.fields if each.stepper)
            made_from = next((each.value(obj) for each in steppers), "") if obj is not None else ""
        return {
            "object": {
                "plural": self.target.plural,
                "kind": self.target.kind,
                "namespace": self.target.namespace,
                "name": self.target.name,
                "url": self.url,
            },
            "made_from": made_from,
            "typed": not self.at_once,
            "preview": None,
            "conflict": None,
            "error": None,
            **said.parts,
        }

    async def answer(self) -> HttpResponseBase:
        """The answer to the request."""
        if asks_json(self.request):
            return JsonResponse(await step_json(self.request, self))
        if (part := await self.part()) is not None:
            return part
        said = await self.step()
        if said.done:
            return HttpResponseRedirect(reverse("change", args=[said.done.pk]))
        if self.request.method == "POST" and self.request.headers.get("HX-Target") == "preview":
            return await self.fragment(said)
        return await self._page(said)

    async def fragment(self, said: StepResult) -> HttpResponseBase:
        """What takes the place of the preview, beside inputs that stay."""
        return render(self.request, "partials/preview.html", {"s": self.beside(said)}, status=said.status)

    async def _page(self, said: StepResult) -> HttpResponseBase:
        """The form, and beside it what was said. A refusal takes the place of a form in which nothing was typed yet."""
        form = await said.or_else(self.read(said.preview.before if said.preview else None))
        if self.request.method != "POST" and (address := self.elsewhere(form)):
            return HttpResponseRedirect(address)
        refusal = form.refusal
        allowed = refusal is None and said.error is None
        kind, where = self.screen.kind, self.target.namespace
        showing = page(
            self.request,
            self.cluster,
            self.screen,
            title=" in ".join(filter(None, (f"{self.title} {self.target.name}", where))),
            more={
                "title": self.title,
                "breadcrumbs": [
                    (kind.title, list_url(self.cluster, kind.plural)),
                    *namespace_crumbs(self.cluster, kind.plural, where),
                    (self.target.name, self.url),
                    *self.crumbs,
                ],
                "form_template": self.template,
                "form": {
                    "action_url": self.request.path,
                    "errors": said.wrong,
                    "consent": consent_parts(
                        self.cluster.cluster.name,
                        self.request.POST,
                        why=form.confirm,
                        name=self.to_confirm,
                        spare=self.action.confirms_by_wanted,
                    ),
                    **await self.fields(form, said),
                },
                "readonly": self.refused(refusal) if refusal and self.request.method != "POST" else None,
                # A command does not go round what refused the form.
                "kubectl": self.command(form) if allowed else self.instead(form),
                "cluster_name": self.cluster.cluster.name,
                **self.beside(said),
            },
        )
        response = await said.or_else(showing)
        response.status_code = said.status
        return response


def field_context(
    field: Field, obj: Any, objects: Objects, sent: Mapping[str, Any], wrong: Mapping[str, str], *, last: bool
) -> dict[str, Any]:
    """An input as ``forms/field.html`` wants it; ``obj`` is None where there is no one object to tell of."""
    return {
        "name": field.name,
        "label": field.label,
        "value": sent.get(field.name, "" if obj is None else field.value(obj)),
        "current": "" if obj is None else field.value(obj),
        "was": sent.get(f"{WAS}{field.name}", "" if obj is None else field.value(obj)),
        "placeholder": "" if obj is None else field.placeholder(obj),
        "hint": "" if obj is None else field.hint(obj, objects),
        "stepper": field.stepper,
        "choices": field.choices,
        "rows": field.rows,
        "input": field.input,
        "group": field.group,
        "based": field.based,
        "required": field.required,
        "error": wrong.get(field.name, ""),
        "last": last,
    }


@asynccontextmanager
async def listed(screen: Screen) -> AsyncIterator[None]:
    """With everything at hand that a preview reads. Raises what the screen says to whoever may not see the object."""
    with screen.runtime.lease(screen.plurals):
        await screen.runtime.ready(screen.plurals)
        await screen.prepare()
        yield
