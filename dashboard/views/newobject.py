"""The form of a new object: checked while somebody types, previewed and applied as its YAML would be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import VALUES_STAY, Actor
from dashboard.actions.creation_preview import creation_preview
from dashboard.actions.documents import TextObject
from dashboard.actions.newobjects.checks import checked, name_taken
from dashboard.actions.newobjects.form import Checks, Look
from dashboard.actions.newobjects.registry import NEW_OBJECTS, VARIANTS
from dashboard.actions.newobjects.typed import Reading, read_form, start
from dashboard.actions.permits import changes_required
from dashboard.edge import BODY_BYTES, body_limit
from dashboard.errors import ClusterError
from dashboard.kube.shell import piped, shell_line
from dashboard.live.screens.common import list_url, namespace_crumbs
from dashboard.live.screens.create import CreateScreen
from dashboard.live.screens.newobject import NewObjectScreen
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.queries.yamltext import as_yaml

from .attempts import actor_of
from .create import CreateForm
from .errors import clear_errors
from .form import listed
from .inputs import TypedInputs, placed, sent_texts, warned
from .steps import Parts, Shown, StepResult, first_line, preview_context, told_context, told_error
from .viewer import session_of

CHECK, AS_YAML = (
    "check",
    "yaml",
)  # steps besides those of every change: neither asks the API server to try anything


class NewObjectForm(CreateForm):
    """What was typed stays in it; the YAML that it makes is what is previewed and applied."""

    screen: NewObjectScreen

    def __init__(self, request: HttpRequest, session: Session, screen: NewObjectScreen, actor: Actor) -> None:
        super().__init__(request, session, screen, actor)
        self.form = screen.form
        self.title = self.form.title
        self.step = request.POST.get("step", "preview") if self.sent else ""

    # ---- What was typed

    @cached_property
    def typed(self) -> Mapping[str, Sequence[str]]:
        """What the inputs hold: what was sent; else what the address says, or the object that it was opened from."""
        if self.sent:
            return sent_texts(self.request.POST)
        given = {
            name: texts
            for name, texts in sent_texts(self.request.GET).items()
            if name not in self.form.secret_names
        }
        return start(self.form, {**self._filled(), **given})

    def _filled(self) -> Mapping[str, Sequence[str]]:
        if len(self.screen.source) != 3 or self.screen.source[0] not in self.form.offered_on:
            return {}
        plural, namespace, name = self.screen.source
        found = self.session.reader.get(plural, namespace.strip("-"), name)
        return {} if found is None else self.form.filled(plural, found, self.session.reader)

    @cached_property
    def reading(self) -> Reading:
        return read_form(self.form, self.typed)

    @property
    def text(self) -> str:
        return "---\n".join(map(as_yaml, self.form.manifests(self.reading.draft)))

    @property
    def shown_text(self) -> str:
        """The YAML as it may be sent back."""
        return "---\n".join(map(as_yaml, self.form.manifests(self.form.hidden(self.reading.draft))))

    # ---- Steps

    @cached_property
    def look(self) -> Look:
        return Look(
            values=self.reading.values,
            objects=self.session.reader,
            transport=self.session.transport,
            now=datetime.now(UTC),
            whole=self.step in ("preview", "apply"),
        )

    async def checks(self) -> Checks:
        return await checked(self.form, self.reading, self.look)

    async def _read(self) -> list[TextObject]:
        for place, text in (self.reading.wrong | self.reading.missing).items():
            checks = Checks()
            checks.at(place, "bad", text)
            if (error := checks.refusal()) is not None:
                raise error
        return await super()._read()

    async def preview(self) -> Shown:
        await changes_required(self.cluster.cluster)
        checks = await self.checks()
        if (refusal := checks.refusal()) is not None:
            raise refusal
        found = await creation_preview(
            transport=self.session.transport,
            actor=self.actor,
            objects=await self._read(),
            reader=self.session.reader,
        )
        self.creation = found
        if found.preview is None:
            raise placed(self.form, found.refused[0][1])
        there = next((each.one.target for each in found.tried if each.state in ("changed", "same")), None)
        if there is not None:
            error = name_taken(self.form, there.namespace, there.name)
            error.field = "name"
            raise error
        told = found.preview.told
        command, note = self._command()
        told = dataclasses.replace(
            told,
            headline=checks.headline or told.headline,
            effects=(*checks.effects, *(told.effects if len(found.tried) > 1 else ())),
            notices=(*checks.notices, *warned(self.form.inputs, checks), *told.notices),
            kubectl=command,
            kubectl_note=note,
        ).pasteable()
        preview = dataclasses.replace(found.preview, told=told)
        return Shown(
            preview=preview,
            parts={"preview": preview_context(self.cluster, preview, first_line(self.request))},
        )

    def _command(self) -> tuple[str, str]:
        """The same by kubectl, and what it needs, or why there is none."""
        if words := self.form.command(self.reading.values):
            return shell_line(words), self.form.command_note
        if self.form.secret_names:
            return "", VALUES_STAY
        made = self.form.manifests(self.reading.draft)
        whole = made[0] if len(made) == 1 else {"apiVersion": "v1", "kind": "List", "items": made}
        return piped(whole, ["kubectl", "create", "-f", "-"]), ""

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error)}

    # ---- Answers

    async def answer(self) -> HttpResponseBase:
        if self.step == AS_YAML and not self.form.secret_names:
            return await self._as_yaml()
        if self.step in (CHECK, AS_YAML):
            said = StepResult()
            return await (self._fragment(said) if self._beside_page else self._page(said))
        return await super().answer()

    async def _as_yaml(self) -> HttpResponseBase:
        """The page for YAML, with what was typed here so far."""
        form = _TypedAsYaml(self)
        response = await form._page(StepResult())
        response["HX-Retarget"], response["HX-Reselect"] = "#main", "#page"
        response["HX-Reswap"], response["HX-Push-Url"] = "innerHTML", form.url
        return response

    async def _fragment(self, said: StepResult) -> HttpResponseBase:
        context = {"s": {**self._beside(said), **await self._prepared(said)}}
        return render(self.request, "partials/create_answer.html", context, status=said.status)

    @property
    def _crumbs(self) -> list[tuple[str, str]]:
        kind, namespace = self.form.kind, self._namespace
        return [
            (kind.title, list_url(self.cluster, kind.plural)),
            *(namespace_crumbs(self.cluster, kind.plural, namespace) if kind.gvr.namespaced else ()),
        ]

    @property
    def _namespace(self) -> str:
        values = self.reading.values
        return str(
            (values.get("name") if self.form.plural == "namespaces" else values.get("namespace")) or ""
        )

    @property
    def _back(self) -> str:
        return list_url(self.cluster, self.form.plural)

    async def _prepared(self, said: StepResult) -> Parts:
        checks = await self.checks()
        if said.error is not None and said.error.field:
            checks.at(said.error.field, "bad", f"{said.error.message} {said.error.next_step}".strip())
        inputs = self._inputs()
        made: Parts = {
            "form": {
                **self._form(said),
                "sections": inputs.sections(checks),
                "as_yaml": not self.form.secret_names,
                "unsent": self.sent and bool(self.form.secret_names),
            },
            "breadcrumbs": self._crumbs,
            "kinds": self._kinds(),
            "variants": self._variants(),
            "kind": self.form.kind.singular,
            "plural": self.form.plural,
        }
        if said.preview is None:
            lines = (await off_loop(lambda: self.shown_text)).splitlines()
            made["instead"] = "partials/create_checks.html"
            made["checks"] = {
                **told_context(self.cluster, checks),
                "missing": inputs.missing(),
                "lines": lines,
            }
        return made

    def _kinds(self) -> list[Parts]:
        """The other forms, and YAML, in the same namespace."""
        namespace = self.reading.values.get("namespace")
        query = f"?{urlencode({'namespace': namespace})}" if namespace else ""
        slug = self.cluster.cluster.slug
        return [
            *(
                {
                    "title": each.word or each.kind.singular,
                    "url": reverse("create_form", args=[slug, each.plural]) + query,
                    "current": each.plural == self.form.plural,
                }
                for each in NEW_OBJECTS
            ),
            {"title": "YAML", "url": reverse("create", args=[slug]) + query, "current": False},
        ]

    def _variants(self) -> list[Parts]:
        """The forms of the same kind."""
        url = reverse("create_form", args=[self.cluster.cluster.slug, self.form.plural])
        kept = {"namespace": self._namespace} if self._namespace else {}
        return [
            {
                "title": each.variant_title,
                "url": f"{url}?{urlencode({'type': each.variant, **kept})}",
                "current": each is self.form,
            }
            for each in VARIANTS.get(self.form.plural, ())
        ]

    @property
    def _beside_page(self) -> bool:
        """Whether the inputs are on a page already, and stay."""
        return self.sent and self.request.headers.get("HX-Target") == "preview"

    def _form(self, said: StepResult) -> Parts:
        form = super()._form(said)
        form["consent"]["name"] = self.reading.values.get("name") or "the object's name"
        return form

    def _inputs(self) -> TypedInputs:
        return TypedInputs(
            form=self.form,
            typed=self.typed,
            reading=self.reading,
            look=self.look,
            cluster=self.cluster,
            stay=self._beside_page,
        )


class _TypedAsYaml(CreateForm):
    """The form for YAML, filled with what was typed into another one."""

    def __init__(self, form: NewObjectForm) -> None:
        super().__init__(form.request, form.session, CreateScreen(form.session, QueryDict()), form.actor)
        self.url = reverse("create", args=[self.cluster.cluster.slug])
        self._text = form.text

    @property
    def text(self) -> str:
        return self._text

    def _form(self, said: StepResult) -> Parts:
        return super()._form(said) | {"handed": True}

    def _may_be_secret(self) -> bool:
        """What a form makes is no Secret, though it may name one."""
        return False


def _body_bytes(where: Mapping[str, Any]) -> int:
    return next((form.body_bytes for form in NEW_OBJECTS if form.plural == where["plural"]), 0) or BODY_BYTES


@body_limit(_body_bytes)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
@sensitive_variables()
async def create_form(request: HttpRequest, context: str, plural: str) -> HttpResponseBase:
    """The inputs of the form; ``step=check``, ``preview``, ``apply`` and ``yaml``; see ARCHITECTURE.md."""
    session = await session_of(request, context)
    screen = NewObjectScreen(session, request.GET, plural)
    form = NewObjectForm(request, screen.session, screen, actor_of(await request.auser(), screen.session))
    if request.method != "POST":
        return await form.answer()
    async with listed(screen):
        return await form.answer()
