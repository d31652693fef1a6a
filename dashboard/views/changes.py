"""Following a change and taking it back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.actions.action import Action, Manifest
from dashboard.actions.bulk import Bulk
from dashboard.actions.confirmation import why_in
from dashboard.actions.engine import Form
from dashboard.actions.operations import operation_action
from dashboard.actions.registry import action_named, action_of
from dashboard.actions.undo import UndoPreview, change_undo_apply, change_undo_preview
from dashboard.actions.undoing import undo_action
from dashboard.edge import body_limit
from dashboard.kube.config import slug
from dashboard.kube.shell import shell_line
from dashboard.live.screens import operation_screen
from dashboard.live.screens.action import ActionScreen
from dashboard.live.screens.bulk import BulkUndoScreen
from dashboard.live.screens.change import ChangeScreen, change_of, may_read, unnamed, what
from dashboard.live.screens.operation import OperationScreen
from dashboard.models import Change

from .attempts import actor_of
from .bulk import BODY, BulkUndoForm
from .errors import asks_json, clear_errors
from .form import ActionForm, listed
from .operations import begun
from .pages import page
from .steps import Parts, Shown, StepResult, conflict_context, first_line, preview_context
from .viewer import session_of


class UndoScreen(ActionScreen):
    """What the change touched stays beside the way back, whether or not the action is offered for it."""

    change: Change

    def find(self, action: str) -> Action:
        return action_named(action, self.kind.plural)

    @property
    def plurals(self) -> frozenset[str]:
        """What the way back reads, which may be another action: what was created is deleted."""
        back = undo_action(action_named, self.change).reads if self.change.inverse else frozenset[str]()
        return super().plurals | (back & self.runtime.kinds.keys())

    @property
    def expects_it(self) -> bool:
        """Neither what creates it again nor what takes away an object that was created beside it needs it."""
        if not self.change.inverse:
            return True
        beside = action_of(self.change).creation(self.change) is not None
        return not (beside or undo_action(action_named, self.change).creates)

    async def prepare(self) -> None:
        """Raises Forbidden for whoever may not list the object: what was done to it is told here."""
        with unnamed(self.session, self.change):
            await super().prepare()
            self.session.must_see(self.kind.plural, self.namespace)


class UndoForm(ActionForm):
    """There is nothing to type: the change is known."""

    change: Change
    found: UndoPreview | None = None  # what the way back is, once that is known

    @property
    def title(self) -> str:
        return "Undo"

    @property
    def at_once(self) -> bool:
        return True

    @property
    def template(self) -> str:
        return "forms/undo.html"

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        return [("Change", reverse("change", args=[self.change.pk]))]

    async def preview(self) -> Shown:
        self.found = found = await change_undo_preview(
            transport=self.session.transport,
            actor=self.actor,
            change_id=self.change.pk,
            objects=self.session.reader,
            kinds=self.cluster.kinds,
        )
        parts: Parts = {"preview": preview_context(self.cluster, found.preview, first_line(self.request))}
        if found.conflict:
            parts["conflict"] = conflict_context(found.conflict)
        return Shown(preview=found.preview, parts=parts)

    async def apply(self, token: str) -> Change:
        undone = await change_undo_apply(
            transport=self.session.transport,
            actor=self.actor,
            change_id=self.change.pk,
            token=token,
            kinds=self.cluster.kinds,
            **await self.consent(),
        )
        return await begun(self.session, undone)

    async def read(self, manifest: Manifest | None) -> Form:
        """The change is all there is to know, also of an object that is gone."""
        why = self.found.why if self.found is not None else why_in(self.target.context)
        return Form(manifest=manifest or {}, confirm=why, refusal=None)

    @property
    def to_confirm(self) -> str:
        return self.found.confirm if self.found is not None else self.target.name

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        words = what(self.change, with_values=await may_read(self.session, self.change))
        who = self.change.user.get_username()
        return {"sentence": f"This undoes what {who} did: {_in_sentence(words)}."}

    def command(self, form: Form) -> str:
        return shell_line(
            ["kubectl", "get", self.target.plural, self.target.name, *self.target.flags, "-o", "yaml"]
        )


@require_safe
@clear_errors
async def change(request: HttpRequest, change: int) -> HttpResponseBase:
    made = await change_of(change)
    session = await session_of(request, slug(made.context))
    cluster = session.cluster
    operates = operation_action(made) is not None
    screen: ChangeScreen | OperationScreen = (
        operation_screen(session, request.GET, change, made.action)
        if operates
        else ChangeScreen(session, request.GET, change)
    )
    screen.change = made
    if asks_json(request):
        with cluster.lease(screen.plurals):
            await cluster.ready(screen.waits_for)
            await screen.prepare()
            return JsonResponse(await screen.told())
    if operates:
        return HttpResponseRedirect(reverse("operation", args=[change, made.action]))
    return await page(request, cluster, screen, title="Change")


@body_limit(BODY)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def undo(request: HttpRequest, change: int) -> HttpResponseBase:
    """GET and ``step=preview`` show what undoing would do now; ``step=apply`` does it."""
    made = await change_of(change)
    session = await session_of(request, slug(made.context))
    actor = actor_of(await request.auser(), session)
    if isinstance(bulk := action_of(made), Bulk):
        many = BulkUndoScreen(session, request.GET, made.plural, bulk.of.name)
        many.change = made
        async with listed(many):
            return await BulkUndoForm(request, many, actor, made).answer()
    screen = UndoScreen(session, request.GET, made.plural, made.namespace or "-", made.name, made.action)
    screen.change = made
    form = UndoForm(request, screen, actor)
    form.change = made
    async with listed(screen):
        return await form.answer()


def _in_sentence(words: str) -> str:
    """Words that begin a sentence, within one; the rest may be names, which stay as they are."""
    return words[:1].lower() + words[1:]
