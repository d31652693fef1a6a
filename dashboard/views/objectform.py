"""The form by which an object that is there is edited: the inputs of a new one, filled, checked while somebody types."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render

from dashboard.actions.action import Manifest, Order
from dashboard.actions.diff import Line, diff_lines
from dashboard.actions.edit_any import EDIT_ANY, packed, unpacked
from dashboard.actions.edit_form import NotByForm, form_of
from dashboard.actions.editforms.checks import edits_checked, edits_look, edits_read
from dashboard.actions.editforms.editing import Edits, ObjectForm
from dashboard.actions.editforms.registry import EDITINGS
from dashboard.actions.engine import Form, action_order, change_access, change_read
from dashboard.actions.newobjects.form import Checks, Look
from dashboard.errors import ClusterError, Forbidden, Invalid
from dashboard.loop import off_loop
from dashboard.models import Change

from .form import ActionForm
from .inputs import TypedInputs, placed, sent_texts, warned
from .newobject import CHECK
from .steps import Parts, Shown, StepResult, first_line, preview_context, told_context


class ObjectFormView(ActionForm):
    """What was typed stays in it. ``base``: the object as it was when the form was filled, packed."""

    at_once = False
    told: Parts  # what stands beside the inputs as long as there is no preview

    @cached_property
    def sent(self) -> dict[str, list[str]]:
        """What was typed, by the inputs of the kind."""
        names = EDITINGS[self.target.plural].names
        texts = sent_texts(self.request.POST)
        return {name: each for name, each in texts.items() if name.partition(".")[0] in names}

    def order(self, *, confirm: str = "", reason: str = "") -> Order:
        typed = {
            "typed": json.dumps(self.sent),
            "plural": self.target.plural,
            "base": str(self.request.POST.get("base", "")),
        }
        return action_order(
            transport=self.session.transport,
            actor=self.actor,
            target=self.target,
            action=self.action,
            typed=typed,
            confirm=confirm,
            reason=reason,
        )

    async def ordered(self, **consent: str) -> Order:
        """In a thread: what the form was filled with may be large."""
        return await off_loop(lambda: self.order(**consent))

    # ---- Steps

    async def preview(self) -> Shown:
        order = await self.ordered()
        try:
            manifest = await change_read(transport=order.transport, target=self.target)
        except Forbidden:
            await change_access(transport=order.transport, target=self.target, action=self.action)
            raise  # it may be changed, and not be read
        await self.action.ready(self.target, manifest, self.session.reader)
        form = form_of(self.target.plural, order.wanted["base"] or manifest)
        if (wrong := edits_read(form.edits(self.sent), whole=True).refusal()) is not None:
            raise wrong
        # Checks look at more than the object: at nothing for whoever may not change that.
        await change_access(transport=order.transport, target=self.target, action=self.action)
        edits, checks = await self._checked(form)
        if (refusal := checks.refusal()) is not None:
            raise refusal
        try:
            shown = await self.shown(order, manifest)
        except (Forbidden, Invalid) as error:
            placed(form, error)
            raise
        if shown.preview is None or not shown.preview.token:
            return shown
        told = shown.preview.told
        told = dataclasses.replace(
            told,
            headline=told.headline or checks.headline,
            effects=tuple(dict.fromkeys((*told.effects, *checks.effects))),
            notices=(*told.notices, *checks.notices, *warned(form.inputs, checks, edits.changed_places())),
        )
        preview = dataclasses.replace(shown.preview, told=told)
        parts = shown.parts | {"preview": preview_context(self.cluster, preview, first_line(self.request))}
        return Shown(preview=preview, parts=parts)

    async def apply(self, token: str) -> Change:
        try:
            return await super().apply(token)
        except Invalid as error:
            base = await off_loop(unpacked, str(self.request.POST.get("base", "")))
            if base is not None:
                placed(form_of(self.target.plural, base), error)
            raise

    async def _checked(self, form: ObjectForm) -> tuple[Edits, Checks]:
        edits = form.edits(self.sent if self.request.method == "POST" else {})
        return edits, await edits_checked(edits, self._look(edits))

    def _look(self, edits: Edits) -> Look:
        return edits_look(
            edits,
            target=self.target,
            objects=self.session.reader,
            transport=self.session.transport,
            now=datetime.now(UTC),
            whole=self.request.POST.get("step", CHECK) != CHECK,
        )

    # ---- Answers

    async def step(self) -> StepResult:
        if self.request.POST.get("step") == CHECK:
            return StepResult()
        return await super().step()

    async def fragment(self, said: StepResult) -> HttpResponseBase:
        base = await off_loop(unpacked, str(self.request.POST.get("base", "")))
        if base is None:
            base = said.preview.before if said.preview else (await self.read(None)).manifest
        form = await self._filled(base, said)
        context = {"s": {**self.beside(said), "form": form}}
        return render(self.request, "partials/create_answer.html", context, status=said.status)

    async def read(self, manifest: Manifest | None) -> Form:
        """The form as it is; as it was filled where the object can't be read any more."""
        try:
            return await super().read(manifest)
        except ClusterError:
            base = await off_loop(unpacked, str(self.request.POST.get("base", "")))
            if base is None:
                raise
            base["metadata"].setdefault("uid", "gone")
            return Form(manifest=base, confirm="", refusal=None)

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        self.told = {}
        if isinstance(form.refusal, NotByForm):
            return {}
        sent = str(self.request.POST.get("base", ""))
        base = await off_loop(unpacked, sent) or form.manifest
        return {
            **await self._filled(base, said),
            "base": sent or await off_loop(packed, form.manifest),
            "unshown": EDITINGS[self.target.plural].unshown(base),
            "yaml_url": f"{self.url}{EDIT_ANY.name}/",
        }

    async def _filled(self, base: Manifest, said: StepResult) -> Parts:
        """The inputs, and what stands beside them as long as there is no preview."""
        form = form_of(self.target.plural, base)
        edits, checks = await self._checked(form)
        if said.error is not None and said.error.field:
            checks.at(said.error.field, "bad", f"{said.error.message} {said.error.next_step}".strip())
        inputs = TypedInputs(
            form=form,
            typed=edits.texts,
            reading=edits.reading,
            look=self._look(edits),
            cluster=self.cluster,
            stay=self.request.headers.get("HX-Target") == "preview",
        )
        self.told = {}
        if said.preview is None:
            lines = await off_loop(_changes, form, self.sent)
            checked = {**told_context(self.cluster, checks), "missing": inputs.missing(), "diff": lines}
            self.told = {"instead": "partials/create_checks.html", "checks": checked}
        return {"sections": inputs.sections(checks), "as_yaml": False, "unsent": False}

    def beside(self, said: StepResult) -> dict[str, Any]:
        return super().beside(said) | self.told

    def elsewhere(self, form: Form) -> str:
        leads = EDITINGS[self.target.plural].leads_to
        return f"{self.url}{leads}/" if leads else ""

    def way_out(self, refusal: ClusterError) -> tuple[str, str] | None:
        return (f"{self.url}{EDIT_ANY.name}/", "Edit as YAML") if isinstance(refusal, NotByForm) else None

    def refused(self, error: ClusterError) -> dict[str, str]:
        self.told = {}
        return super().refused(error)


def _changes(form: ObjectForm, sent: dict[str, list[str]]) -> Sequence[Line]:
    """What was changed so far, before anybody asked the API server."""
    return diff_lines(form.base, form.made(sent))
