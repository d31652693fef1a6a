"""The form that restarts a workload. There is nothing to type: GET shows the preview, POST again, or applies it."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from dashboard.actions.restarts import (
    restart_command,
    workload_restart_apply,
    workload_restart_form,
    workload_restart_preview,
)
from dashboard.live.runtime import runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.models import Change

from .actions import Parts, actor_of, listed, preview_context, show_action, take_step
from .errors import clear_errors


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def restart(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = ObjectActionScreen(cluster, request.GET, plural, namespace, name)
    actor = actor_of(await request.auser())

    async def apply(token: str) -> Change:
        return await workload_restart_apply(
            transport=cluster.transport, actor=actor, plural=plural, namespace=screen.namespace, name=name, token=token
        )  # fmt: skip

    async def preview() -> Parts:
        found = await workload_restart_preview(
            transport=cluster.transport, actor=actor, plural=plural, namespace=screen.namespace, name=name,
            objects=cluster.reader,
        )  # fmt: skip
        return {"preview": preview_context(cluster, found)}

    async with listed(cluster, screen):
        said = await take_step(request, apply=apply, preview=preview)
        if said.done:
            return said.done
        form = await said.or_else(
            workload_restart_form(
                transport=cluster.transport, plural=plural, namespace=screen.namespace, name=name
            )
        )
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Restart",
            template="forms/restart.html",
            form={"restarted_at": form.restarted_at},
            kubectl=restart_command(screen.kind.kind, screen.namespace, name),
            refusal=form.refusal,
        )
