"""The form that rotates a Secret: GET shows it, POST previews or applies. The value is never part of an answer."""

from __future__ import annotations

import logging
from typing import Any, TypedDict

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.actions.action import Actor
from dashboard.actions.problems import StaleView
from dashboard.actions.rotation import rotation_begin
from dashboard.actions.secrets import (
    RotateForm,
    read_value,
    rotate_command,
    secret_rotate_apply,
    secret_rotate_form,
    secret_rotate_preview,
)
from dashboard.errors import BadInput, ClusterError
from dashboard.insight.secretuse import READ
from dashboard.kube.config import slug
from dashboard.kube.transport import Transport
from dashboard.live.rotations import rotations
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.change import change_of
from dashboard.live.screens.common import list_url, object_url
from dashboard.live.screens.rotate import RotateScreen, RotationScreen
from dashboard.models import Change

from .actions import actor_of, conflict_context, error_context, preview_context, refusal_context
from .errors import clear_errors
from .pages import page

log = logging.getLogger(__name__)


class Where(TypedDict):
    transport: Transport
    actor: Actor
    namespace: str
    name: str
    key: str
    value: bytes


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
@sensitive_variables()
async def rotate(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = RotateScreen(cluster, request.GET, plural, namespace, name)
    with cluster.cache.lease(screen.plurals):
        await screen.prepare()
        await cluster.ready(screen.plurals)
        form = await secret_rotate_form(transport=cluster.transport, namespace=namespace, name=name)
        key = (request.POST if request.method == "POST" else request.GET).get("key", "")
        if request.method != "POST":
            return await _show(request, cluster, screen, form, key=key)
        said: dict[str, Any] = {}
        status = 200
        try:
            where = Where(
                transport=cluster.transport,
                actor=actor_of(await request.auser()),
                namespace=namespace,
                name=name,
                key=key,
                value=read_value(request.POST.get("value", ""), request.POST.get("encoding", "")),
            )
        except BadInput as error:
            return await _show(request, cluster, screen, form, key=key, wrong=error)
        try:
            step = request.POST.get("step", "preview")
            if step == "apply":
                change = await secret_rotate_apply(**where, token=request.POST.get("token", ""))
                await begin(cluster, change)
                return HttpResponseRedirect(reverse("rotation", args=[change.pk]))
            if step != "preview":
                raise BadInput(f"step is {step!r}: say preview or apply.", field="step")
        except StaleView as error:
            # Shown with a new preview: the person decides again, on what is now.
            said["conflict"] = conflict_context(error)
            status = error.status
        except BadInput as error:
            return await _show(request, cluster, screen, form, key=key, wrong=error)
        except ClusterError as error:
            said["error"] = error_context(error)
            return await _show(request, cluster, screen, form, key=key, status=error.status, **said)
        try:
            preview = await secret_rotate_preview(**where, objects=cluster.reader)
            said["preview"] = preview_context(cluster, preview)
        except BadInput as error:
            return await _show(request, cluster, screen, form, key=key, wrong=error)
        except ClusterError as error:
            said["error"] = error_context(error)
            status = error.status
        return await _show(request, cluster, screen, form, key=key, status=status, **said)


async def begin(cluster: ClusterRuntime, change: Change) -> None:
    """Begins the restarts of a value that was written. What fails here is begun in the background a little later."""
    try:
        with cluster.cache.lease(READ):
            await cluster.ready(READ)
            await rotation_begin(change=change, transport=cluster.transport, objects=cluster.reader)
    except ClusterError as error:
        log.warning("the restarts after %s begin later: %s", change, error.message)
    rotations.wake()


@require_safe
@clear_errors
async def rotation(request: HttpRequest, change: int) -> HttpResponseBase:
    """Following a rotation."""
    cluster = runtime.open(slug((await change_of(change)).context))
    screen = RotationScreen(cluster, request.GET, change)
    return await page(request, cluster, screen, title="Rotate")


async def _show(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: RotateScreen,
    form: RotateForm,
    *,
    key: str,
    wrong: BadInput | None = None,
    status: int = 200,
    **said: Any,
) -> HttpResponseBase:
    url = object_url(cluster, "secrets", screen.namespace, screen.name)
    errors = {}
    if wrong is not None:
        errors = {wrong.field: wrong.message}
        said["error"] = error_context(wrong)
        status = wrong.status
    chosen = key if key in form.keys else next(iter(form.keys), "") if len(form.keys) == 1 else ""
    response = await page(
        request,
        cluster,
        screen,
        title=f"Rotate {screen.name}",
        more={
            "title": "Rotate",
            "object": {
                "plural": "secrets",
                "kind": "Secret",
                "namespace": screen.namespace,
                "name": screen.name,
                "url": url,
            },
            "breadcrumbs": [
                ("Secrets", list_url(cluster, "secrets")),
                (screen.namespace, list_url(cluster, "secrets", f"?namespace={screen.namespace}")),
                (screen.name, url),
            ],
            "form_template": "forms/rotate.html",
            "form": {
                "action_url": f"{url}rotate/",
                "type": form.type,
                "keys": [
                    {"name": name, "bytes": size, "chosen": name == chosen}
                    for name, size in form.keys.items()
                ],
                "errors": errors,
            },
            "readonly": refusal_context(form.refusal) if form.refusal else None,
            "kubectl": rotate_command(screen.namespace, screen.name, chosen or "KEY"),
            "cluster_name": cluster.cluster.name,
            "preview": None,
            "conflict": None,
            "error": None,
            **said,
        },
    )
    response.status_code = status
    return response
