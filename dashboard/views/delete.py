"""The form that deletes a pod: GET shows it with a preview, POST previews or applies."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.actions.pods import pod_delete_apply, pod_delete_form, pod_delete_preview
from dashboard.actions.problems import StaleView
from dashboard.errors import BadInput, ClusterError, NotFound
from dashboard.live.runtime import runtime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.live.screens.common import object_url

from .actions import actor_of, conflict_context, error_context, preview_context, show_action
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
    said: dict[str, Any] = {}
    errors: dict[str, str] = {}
    status = 200
    grace, confirm = request.POST.get("grace", ""), request.POST.get("confirm", "")
    with cluster.cache.lease(screen.plurals):
        await screen.prepare()
        await cluster.ready(screen.plurals)
        actor = actor_of(await request.auser())
        transport, known = cluster.transport, cluster.cache.denied("poddisruptionbudgets") is None
        form = await pod_delete_form(
            transport=transport,
            namespace=screen.namespace,
            name=name,
            objects=cluster.reader,
            budgets_known=known,
        )
        try:
            step = request.POST.get("step", "preview")
            if step == "apply":
                change = await pod_delete_apply(
                    transport=transport,
                    actor=actor,
                    namespace=screen.namespace,
                    name=name,
                    grace=grace,
                    confirm=confirm,
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
            if isinstance(error, BadInput) and error.field:
                errors[error.field] = error.message
        # A name that was not typed right takes nothing back: the preview stays, with the message in it.
        if form.refusal is None and ("error" not in said or "confirm" in errors):
            try:
                preview = await pod_delete_preview(
                    transport=transport,
                    actor=actor,
                    namespace=screen.namespace,
                    name=name,
                    grace=grace,
                    objects=cluster.reader,
                    budgets_known=known,
                )
                said["preview"] = preview_context(cluster, preview)
                if "confirm" in errors:
                    wrong = said.pop("error")
                    said["preview"]["notices"].insert(0, {"state": "bad", **wrong})
            except ClusterError as error:
                said["error"] = error_context(error)
                status = error.status if request.method == "POST" else 200
                if isinstance(error, BadInput) and error.field:
                    errors[error.field] = error.message
        return await show_action(
            request,
            cluster,
            screen,
            title="Delete",
            template="forms/delete.html",
            form={
                "action_url": f"{object_url(cluster, plural, screen.namespace, name)}delete/",
                "grace": grace,
                "own_grace": form.own_grace,
                "confirm": form.confirm,
                "name": name,
                "typed": confirm,
                "errors": errors,
            },
            refusal=form.refusal,
            status=status,
            said=said,
        )
