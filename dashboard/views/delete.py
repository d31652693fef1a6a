"""The form that deletes a pod: GET shows it with a preview, POST previews or applies."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from dashboard.actions.pods import pod_delete_apply, pod_delete_form, pod_delete_preview
from dashboard.errors import NotFound
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.models import Change

from .actions import Parts, actor_of, listed, preview_context, show_action, take_step
from .errors import clear_errors


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def delete(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    if plural != "pods":
        raise NotFound("Only pods can be deleted here.")
    cluster = runtime.open(context)
    screen = ObjectActionScreen(cluster, request.GET, plural, namespace, name)
    grace, confirm = request.POST.get("grace", ""), request.POST.get("confirm", "")
    actor = actor_of(await request.auser())

    async def apply(token: str) -> Change:
        return await pod_delete_apply(
            transport=cluster.transport, actor=actor, namespace=screen.namespace, name=name, grace=grace,
            confirm=confirm, token=token,
        )  # fmt: skip

    async def preview() -> Parts:
        found = await pod_delete_preview(
            transport=cluster.transport, actor=actor, namespace=screen.namespace, name=name, grace=grace,
            objects=cluster.reader, budgets_known=budgets_known(),
        )  # fmt: skip
        return {"preview": preview_context(cluster, found)}

    def budgets_known() -> bool:
        return cluster.cache.denied("poddisruptionbudgets") is None

    async with listed(cluster, screen):
        said = await take_step(request, apply=apply, preview=preview, beside=("confirm",))
        if said.done:
            return said.done
        form = await said.or_else(
            pod_delete_form(
                transport=cluster.transport, namespace=screen.namespace, name=name, objects=cluster.reader,
                budgets_known=budgets_known(),
            )
        )  # fmt: skip
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Delete",
            template="forms/delete.html",
            form={
                "grace": grace,
                "own_grace": form.own_grace,
                "confirm": form.confirm,
                "name": name,
                "typed": confirm,
            },
            kubectl=shell_line(["kubectl", "delete", "pod", name, "-n", screen.namespace]),
            refusal=form.refusal,
        )
