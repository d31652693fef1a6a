"""The form that scales a Deployment: GET shows it, POST previews or applies."""

from __future__ import annotations

import shlex
from typing import Any, TypedDict

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import Actor
from dashboard.actions.deployments import (
    ScaleForm,
    deployment_scale_apply,
    deployment_scale_form,
    deployment_scale_preview,
)
from dashboard.actions.problems import StaleView
from dashboard.errors import BadInput, ClusterError
from dashboard.kube.transport import Transport
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.common import list_url, object_url
from dashboard.live.screens.scale import ScaleScreen

from .actions import actor_of, conflict_context, error_context, preview_context, refusal_context
from .errors import clear_errors
from .pages import page


class Where(TypedDict):
    transport: Transport
    actor: Actor
    namespace: str
    name: str


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def scale(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = ScaleScreen(cluster, request.GET, plural, namespace, name)
    with cluster.cache.lease(screen.plurals):
        await cluster.ready(screen.plurals)
        await screen.prepare()
        actor = actor_of(await request.auser())
        where = Where(transport=cluster.transport, actor=actor, namespace=namespace, name=name)
        form = await _form(cluster, screen)
        if request.method != "POST":
            return await _show(request, cluster, screen, form)
        step = request.POST.get("step", "preview")
        typed = request.POST.get("replicas", "")
        said: dict[str, Any] = {}
        status = 200
        try:
            if step == "apply":
                change = await deployment_scale_apply(
                    **where, replicas=typed, token=request.POST.get("token", "")
                )
                return HttpResponseRedirect(reverse("change", args=[change.pk]))
            if step != "preview":
                raise BadInput(f"step is {step!r}: say preview or apply.", field="step")
        except StaleView as error:
            # Shown with a new preview: the person decides again, on what is now.
            said["conflict"] = conflict_context(error)
            status = error.status
            form = await _form(cluster, screen)
        except BadInput as error:
            return await _show(request, cluster, screen, form, typed=typed, wrong=error)
        except ClusterError as error:
            said["error"] = error_context(error)
            return await _show(request, cluster, screen, form, typed=typed, status=error.status, **said)
        try:
            preview = await deployment_scale_preview(**where, replicas=typed, objects=cluster.reader)
            said["preview"] = preview_context(cluster, preview)
        except BadInput as error:
            return await _show(request, cluster, screen, form, typed=typed, wrong=error)
        except ClusterError as error:
            said["error"] = error_context(error)
            status = error.status
        return await _show(request, cluster, screen, form, typed=typed, status=status, **said)


async def _form(cluster: ClusterRuntime, screen: ScaleScreen) -> ScaleForm:
    return await deployment_scale_form(
        transport=cluster.transport, namespace=screen.namespace, name=screen.name, objects=cluster.reader
    )


async def _show(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: ScaleScreen,
    form: ScaleForm,
    *,
    typed: str | None = None,
    wrong: BadInput | None = None,
    status: int = 200,
    **said: Any,
) -> HttpResponseBase:
    url = object_url(cluster, "deployments", screen.namespace, screen.name)
    errors = {}
    if wrong is not None:
        errors = {wrong.field: wrong.message}
        said["error"] = error_context(wrong)
        status = wrong.status
    response = await page(
        request,
        cluster,
        screen,
        title=f"Scale {screen.name}",
        more={
            "title": "Scale",
            "object": {
                "plural": "deployments",
                "kind": "Deployment",
                "namespace": screen.namespace,
                "name": screen.name,
                "url": url,
            },
            "breadcrumbs": [
                ("Deployments", list_url(cluster, "deployments")),
                (screen.namespace, list_url(cluster, "deployments", f"?namespace={screen.namespace}")),
                (screen.name, url),
            ],
            "form_template": "forms/scale.html",
            "form": {
                "action_url": f"{url}scale/",
                "replicas": form.replicas if typed is None else typed,
                "current": form.current,
                "hint": form.hint,
                "errors": errors,
            },
            "readonly": refusal_context(form.refusal, url) if form.refusal else None,
            "kubectl": shlex.join(
                [
                    "kubectl",
                    "scale",
                    f"deployment/{screen.name}",
                    "-n",
                    screen.namespace,
                    f"--replicas={form.current}",
                ]
            ),
            "cluster_name": cluster.cluster.name,
            "preview": None,
            "conflict": None,
            "error": None,
            **said,
        },
    )
    response.status_code = status
    return response
