"""The form that scales a Deployment: GET shows it, POST previews or applies."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from dashboard.actions.deployments import (
    deployment_scale_apply,
    deployment_scale_form,
    deployment_scale_preview,
)
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import runtime
from dashboard.live.screens.scale import ScaleScreen
from dashboard.models import Change

from .actions import Parts, actor_of, listed, preview_context, show_action, take_step
from .errors import clear_errors


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def scale(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = ScaleScreen(cluster, request.GET, plural, namespace, name)
    typed = request.POST.get("replicas", "")
    actor = actor_of(await request.auser())

    async def apply(token: str) -> Change:
        return await deployment_scale_apply(
            transport=cluster.transport, actor=actor, namespace=namespace, name=name, replicas=typed, token=token
        )  # fmt: skip

    async def preview() -> Parts:
        found = await deployment_scale_preview(
            transport=cluster.transport, actor=actor, namespace=namespace, name=name, replicas=typed,
            objects=cluster.reader,
        )  # fmt: skip
        return {"preview": preview_context(cluster, found)}

    async with listed(cluster, screen):
        said = await take_step(request, apply=apply, preview=preview, at_once=False)
        if said.done:
            return said.done
        form = await said.or_else(
            deployment_scale_form(
                transport=cluster.transport, namespace=namespace, name=name, objects=cluster.reader
            )
        )
        where = ["kubectl", "scale", f"deployment/{name}", "-n", namespace, f"--replicas={form.current}"]
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Scale",
            template="forms/scale.html",
            form={
                "replicas": typed if request.method == "POST" else form.replicas,
                "current": form.current,
                "hint": form.hint,
            },
            kubectl=shell_line(where),
            refusal=form.refusal,
        )
