"""Creating objects from YAML: one text, its preview, and what becomes of each object."""

from __future__ import annotations

import asyncio
import copy
import re

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import Actor
from dashboard.actions.confirmation import why_in
from dashboard.actions.creation import creation_apply
from dashboard.actions.creation_preview import WORDS, Creation, creation_preview
from dashboard.actions.documents import TextObject, UnknownKind, read_objects
from dashboard.actions.manifesttext import Problem, problems_of
from dashboard.actions.permits import changes_required
from dashboard.edge import body_limit
from dashboard.errors import ClusterError, ReadOnly
from dashboard.live.screens.common import fields_url, list_url
from dashboard.live.screens.create import CreateScreen
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.models import Change, Operation

from ..database import in_database
from .attempts import actor_of, consent_parts, reason_of
from .errors import asks_json, clear_errors
from .form import listed
from .operations import begun
from .pages import DISCOVERY_SECONDS, page
from .steps import (
    Parts,
    Shown,
    StepResult,
    first_line,
    preview_context,
    refusal_context,
    step_json,
    take_step,
    told_error,
)
from .viewer import session_of
from .yamlform import problem_parts

BODY_BYTES = 4 * 2**20  # a text of 1 MiB, in which every byte may take three
LOOKS, LOOK_SECONDS = 100, 0.1  # most texts are through by then; what takes longer is followed
_MAY_BE_SECRET = re.compile(r"secret", re.IGNORECASE)


class CreateForm:
    """One text; what was typed stays in it, and is never sent back where it may hold a Secret."""

    at_once = False

    def __init__(self, request: HttpRequest, session: Session, screen: CreateScreen, actor: Actor) -> None:
        self.request, self.session, self.screen, self.actor = request, session, screen, actor
        self.cluster = session.cluster
        self.objects: list[TextObject] | None = None
        self.creation: Creation | None = None
        self.url = request.get_full_path()

    @property
    def text(self) -> str:
        return str(self.request.POST.get("yaml", ""))

    # ---- Steps

    async def _read(self) -> list[TextObject]:
        """The objects of the text. Kinds that are new here are asked for once more. Raises BadYaml and BadInput."""
        await self.cluster.discovery.known(timeout=DISCOVERY_SECONDS)
        try:
            self.objects = await off_loop(self._objects)
        except UnknownKind:
            await self.cluster.discovery.anew(timeout=DISCOVERY_SECONDS)
            self.objects = await off_loop(self._objects)
        return self.objects

    def _objects(self) -> list[TextObject]:
        return read_objects(
            self.text,
            namespace=str(self.request.POST.get("namespace", "")),
            context=self.cluster.cluster.name,
            kinds=self.cluster.kinds,
        )

    async def preview(self) -> Shown:
        await changes_required(self.cluster.cluster)
        found = await creation_preview(
            transport=self.session.transport,
            actor=self.actor,
            objects=await self._read(),
            reader=self.session.reader,
        )
        self.creation = found
        if found.preview is None:
            raise _refusal(found)
        return Shown(
            preview=found.preview,
            parts={"preview": preview_context(self.cluster, found.preview, first_line(self.request))},
        )

    async def apply(self, token: str) -> Change:
        objects = await self._read()
        change = await creation_apply(
            transport=self.session.transport,
            actor=self.actor,
            objects=objects,
            token=token,
            confirm=self.request.POST.get("confirm", ""),
            reason=await off_loop(reason_of, self.request),
        )
        await begun(self.session, change)
        await _ended(change)
        return change

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error), **problem_parts(self._problems(error))}

    def _problems(self, error: ClusterError) -> list[Problem]:
        """What is wrong, at its lines; of several objects each says which one it is about."""
        refused = self.creation.refused if self.creation is not None else []
        if not refused:
            return problems_of(error, None)
        several = len(self.objects or ()) > 1
        found = []
        for one, each in refused:
            lead = f"{one.target}: " if several else ""
            said = problems_of(each, one.document) or [Problem(one.document.line, each.message)]
            found += [Problem(problem.line, f"{lead}{problem.text}") for problem in said]
        return sorted(found, key=lambda problem: problem.line)

    # ---- Answers

    async def answer(self) -> HttpResponseBase:
        if asks_json(self.request):
            return JsonResponse(await self._json())
        said = StepResult() if self.request.method != "POST" else await take_step(self.request, self)
        if said.done:
            return HttpResponseRedirect(reverse("change", args=[said.done.pk]))
        if self.request.headers.get("HX-Target") == "preview":
            return await self._fragment(said)
        return await self._page(said)

    async def _fragment(self, said: StepResult) -> HttpResponseBase:
        """What takes the place of the preview."""
        return render(self.request, "partials/preview.html", {"s": self._beside(said)}, status=said.status)

    async def _json(self) -> Parts:
        said = await step_json(self.request, self)
        if self.creation is not None:
            said["documents"] = [
                {
                    "object": f"{each.one.target.kind} "
                    + "/".join(filter(None, (each.one.target.namespace, each.one.target.name))),
                    "document": each.one.number,
                    "line": each.one.document.line,
                    "state": each.state,
                    "text": WORDS[each.state]
                    if not each.needs
                    else f"can't be checked before {each.needs} is there",
                }
                for each in self.creation.tried
            ]
        return said

    @property
    def _back(self) -> str:
        """Where the form was opened from."""
        kind = self.request.GET.get("kind", "")
        if kind in self.cluster.kinds:
            return list_url(self.cluster, kind)
        return reverse("overview", args=[self.cluster.cluster.slug])

    def _beside(self, said: StepResult) -> Parts:
        return {
            "object": {"name": "", "url": self._back},
            "typed": True,
            "preview": None,
            "conflict": None,
            "error": None,
            **said.parts,
        }

    title = "Create from YAML"

    async def _page(self, said: StepResult) -> HttpResponseBase:
        refusal = None
        try:
            await changes_required(self.cluster.cluster)
        except ReadOnly as error:
            refusal = refusal_context(error)
        response = await page(
            self.request,
            self.cluster,
            self.screen,
            title=self.title,
            more={
                "readonly": None if self.sent else refusal,
                "cluster_name": self.cluster.cluster.name,
                **self._beside(said),
            },
            prepared=lambda: self._prepared(said),
        )
        response.status_code = said.status
        return response

    @property
    def sent(self) -> bool:
        """Whether the form was sent, and not just opened."""
        return self.request.method == "POST"

    def _form(self, said: StepResult) -> Parts:
        """What every form of new objects has."""
        context = self.cluster.cluster.name
        return {
            "action_url": self.url,
            "errors": said.wrong,
            "consent": consent_parts(
                context,
                self.request.POST,
                why=why_in(context),
                name="the object's name, or the number of several objects,",
                spare=True,
            ),
        }

    async def _prepared(self, said: StepResult) -> Parts:
        """The text, and the namespaces to choose from."""
        unsent = self.sent and self._may_be_secret()
        typed = self.request.POST if self.sent else self.request.GET
        form = {
            **self._form(said),
            "text": "" if unsent else self.text if self.sent else self._starter(),
            "unsent": unsent,
            "fields": {
                "url": fields_url(self.cluster),
                "text": "Fields of kinds",
                "base": fields_url(self.cluster),
            },
            "namespace": typed.get("namespace", ""),
        }
        crumbs = [("Overview", reverse("overview", args=[self.cluster.cluster.slug]))]
        return {"breadcrumbs": crumbs, "form": form, "namespaces": self.screen.namespaces}

    def _starter(self) -> str:
        """What an object of the kind that is looked at begins with, where it has no form."""
        kind = self.cluster.kinds.get(self.request.GET.get("kind", ""))
        if kind is None or not kind.starter:
            return ""
        return f"apiVersion: {kind.gvr.api_version}\nkind: {kind.kind}\nmetadata:\n  name:\n{kind.starter}"

    def _may_be_secret(self) -> bool:
        """Whether the text holds a Secret; of one that can't be read nobody knows."""
        if self.objects is None:
            return bool(_MAY_BE_SECRET.search(self.text))
        return any(one.secret for one in self.objects)


def _refusal(found: Creation) -> ClusterError:
    """The first refusal, as one of the whole text; the list of all, at their lines, keeps the words of each."""
    one, error = found.refused[0]
    if len(found.tried) > 1:
        error = copy.copy(error)
        more = f" {len(found.refused) - 1} more are refused." if len(found.refused) > 1 else ""
        line = one.document.line
        error.message = f"Document {one.number}, {one.words} (line {line}): {error.message}{more}"
    return error


async def _ended(change: Change) -> None:
    """Waits a while for the steps after a change: most have ended before a page could show them."""
    running = Operation.objects.filter(change=change, state=Operation.State.RUNNING)
    for _ in range(LOOKS):
        if not await in_database(running.exists)():
            return
        await asyncio.sleep(LOOK_SECONDS)


@body_limit(BODY_BYTES)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
@sensitive_variables()
async def create(request: HttpRequest, context: str) -> HttpResponseBase:
    """``yaml``, ``namespace``; ``step=preview`` and ``step=apply``; see ARCHITECTURE.md."""
    session = await session_of(request, context)
    screen = CreateScreen(session, request.GET)
    form = CreateForm(request, screen.session, screen, actor_of(await request.auser(), session))
    if request.method != "POST":
        return await form.answer()
    async with listed(screen):
        return await form.answer()
