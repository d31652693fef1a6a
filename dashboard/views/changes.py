"""Following a change and taking it back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.actions.problems import StaleView
from dashboard.actions.secrets import ROTATE
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.errors import BadInput, ClusterError
from dashboard.insight.secretuse import READ
from dashboard.kube.config import slug
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.live.screens.change import ChangeScreen, change_of, object_context, what
from dashboard.live.screens.common import list_url
from dashboard.models import Change

from .actions import actor_of, conflict_context, error_context, preview_context
from .errors import clear_errors
from .pages import page
from .rotate import begin


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
    actor = actor_of(await request.auser())
    said: dict[str, Any] = {}
    status = 200
    screen = ObjectActionScreen(cluster, request.GET, made.plural, made.namespace or "-", made.name)
    # Who reads a Secret is told from more kinds than other changes touch.
    plurals = screen.plurals | (READ if made.action == ROTATE.name else frozenset())
    with cluster.cache.lease(plurals):
        await cluster.ready(plurals)
        try:
            step = request.POST.get("step", "preview")
            if step == "apply":
                undone = await change_undo_apply(
                    transport=cluster.transport,
                    actor=actor,
                    change_id=change,
                    token=request.POST.get("token", ""),
                )
                if undone.action == ROTATE.name:
                    await begin(cluster, undone)
                return HttpResponseRedirect(reverse("change", args=[undone.pk]))
            if step != "preview":
                raise BadInput(f"step is {step!r}: say preview or apply.", field="step")
        except StaleView as error:
            said["conflict"] = conflict_context(error)
            status = error.status
        except ClusterError as error:
            said["error"] = error_context(error)
            status = error.status
        if "error" not in said:
            try:
                found = await change_undo_preview(
                    transport=cluster.transport, actor=actor, change_id=change, objects=cluster.reader
                )
                said["preview"] = preview_context(cluster, found.preview)
                if found.conflict is not None:
                    said["conflict"] = conflict_context(found.conflict)
            except ClusterError as error:
                said["error"] = error_context(error)
                status = error.status
        return await _show(request, cluster, screen, made, status=status, **said)


async def _show(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: ObjectActionScreen,
    made: Change,
    *,
    status: int,
    **said: Any,
) -> HttpResponseBase:
    response = await page(
        request,
        cluster,
        screen,
        title=f"Undo {made.action} {made.namespace}/{made.name}",
        more={
            "title": "Undo",
            "object": object_context(cluster, made),
            "breadcrumbs": [
                (screen.kind.title, list_url(cluster, made.plural)),
                (made.namespace, list_url(cluster, made.plural, f"?namespace={made.namespace}")),
                (made.name, object_context(cluster, made)["url"]),
                ("Change", reverse("change", args=[made.pk])),
            ],
            "form_template": "forms/undo.html",
            "form": {
                "action_url": reverse("undo", args=[made.pk]),
                "sentence": f"This takes back what {made.user.get_username()} did: {_in_sentence(what(made))}.",
            },
            "readonly": None,
            "cluster_name": cluster.cluster.name,
            "preview": None,
            "conflict": None,
            "error": None,
            **said,
        },
    )
    response.status_code = status
    return response


def _in_sentence(words: str) -> str:
    """Words that begin a sentence, within one; the rest may be names, which stay as they are."""
    return words[:1].lower() + words[1:]
