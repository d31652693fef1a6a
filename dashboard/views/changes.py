"""Following a change and taking it back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.actions.secrets import ROTATE
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.insight.secretuse import READ
from dashboard.kube.config import slug
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.live.screens.change import ChangeScreen, change_of, what
from dashboard.models import Change

from .actions import Parts, actor_of, conflict_context, listed, preview_context, show_action, take_step
from .errors import clear_errors
from .pages import page
from .rotate import begin


class UndoScreen(ObjectActionScreen):
    """Who reads a Secret is told from more kinds than other changes touch."""

    @property
    def plurals(self) -> frozenset[str]:
        return super().plurals | (READ if self.kind.plural == "secrets" else frozenset())


@require_safe
@clear_errors
async def change(request: HttpRequest, change: int) -> HttpResponseBase:
    made = await change_of(change)
    if made.action == ROTATE.name:
        return HttpResponseRedirect(reverse("rotation", args=[change]))
    cluster = runtime.open(slug(made.context))
    return await page(request, cluster, ChangeScreen(cluster, request.GET, change), title="Change")


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def undo(request: HttpRequest, change: int) -> HttpResponseBase:
    """GET and ``step=preview`` show what undoing would do now; ``step=apply`` does it."""
    made = await change_of(change)
    cluster = runtime.open(slug(made.context))
    screen = UndoScreen(cluster, request.GET, made.plural, made.namespace or "-", made.name)
    actor = actor_of(await request.auser())

    async def apply(token: str) -> Change:
        undone = await change_undo_apply(
            transport=cluster.transport, actor=actor, change_id=change, token=token
        )
        if undone.action == ROTATE.name:
            await begin(cluster, undone)
        return undone

    async def preview() -> Parts:
        found = await change_undo_preview(
            transport=cluster.transport, actor=actor, change_id=change, objects=cluster.reader
        )
        parts: Parts = {"preview": preview_context(cluster, found.preview)}
        return parts | ({"conflict": conflict_context(found.conflict)} if found.conflict else {})

    async with listed(cluster, screen):
        said = await take_step(request, apply=apply, preview=preview)
        if said.done:
            return said.done
        where = ["-n", made.namespace] if made.namespace else []
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Undo",
            template="forms/undo.html",
            form={"sentence": f"This takes back what {made.user.get_username()} did: {_in_sentence(what(made))}."},
            kubectl=shell_line(["kubectl", "get", made.plural, made.name, *where, "-o", "yaml"]),
            crumbs=[("Change", reverse("change", args=[made.pk]))],
        )  # fmt: skip


def _in_sentence(words: str) -> str:
    """Words that begin a sentence, within one; the rest may be names, which stay as they are."""
    return words[:1].lower() + words[1:]
