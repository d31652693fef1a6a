"""The form that restarts a workload. There is nothing to type: GET shows the preview, POST again, or applies it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.actions.problems import StaleView
from dashboard.actions.restarts import (
    restart_command,
    workload_restart_apply,
    workload_restart_form,
    workload_restart_preview,
)
from dashboard.errors import BadInput, ClusterError
from dashboard.live.runtime import runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.live.screens.common import object_url

from .actions import actor_of, conflict_context, error_context, preview_context, show_action
from .errors import clear_errors


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def restart(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = ObjectActionScreen(cluster, request.GET, plural, namespace, name)
    said: dict[str, Any] = {}
    status = 200
    with cluster.cache.lease(screen.plurals):
        await screen.prepare()
        await cluster.ready(screen.plurals)
        actor = actor_of(await request.auser())
        transport = cluster.transport
        form = await workload_restart_form(
            transport=transport, plural=plural, namespace=screen.namespace, name=name
        )
        try:
            step = request.POST.get("step", "preview")
            if step == "apply":
                change = await workload_restart_apply(
                    transport=transport,
                    actor=actor,
                    plural=plural,
                    namespace=screen.namespace,
                    name=name,
                    token=request.POST.get("token", ""),
                )
                return HttpResponseRedirect(reverse("change", args=[change.pk]))
            if step != "preview":
                raise BadInput(f"step is {step!r}: say preview or apply.", field="step")
        except StaleView as error:
            said["conflict"] = conflict_context(error)
            status = error.status
        except ClusterError as error:
            said["error"] = error_context(error)
            status = error.status
        if "error" not in said and form.refusal is None:
            try:
                preview = await workload_restart_preview(
                    transport=transport,
                    actor=actor,
                    plural=plural,
                    namespace=screen.namespace,
                    name=name,
                    objects=cluster.reader,
                )
                said["preview"] = preview_context(cluster, preview)
            except ClusterError as error:
                said["error"] = error_context(error)
                status = error.status if request.method == "POST" else 200
        return await show_action(
            request,
            cluster,
            screen,
            title="Restart",
            template="forms/restart.html",
            form={
                "action_url": f"{object_url(cluster, plural, screen.namespace, name)}restart/",
                "restarted_at": form.restarted_at,
            },
            refusal=form.refusal,
            kubectl=restart_command(screen.kind.kind, screen.namespace, name),
            status=status,
            said=said,
        )
