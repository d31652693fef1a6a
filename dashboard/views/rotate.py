"""The form that rotates a Secret: GET shows it, POST previews or applies. The value is never part of an answer."""

from __future__ import annotations

import logging
from typing import TypedDict

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.actions.action import Actor
from dashboard.actions.problems import UnderWay
from dashboard.actions.rotate_words import rotate_command
from dashboard.actions.rotation_control import rotation_go_on, rotation_stop
from dashboard.actions.secrets import (
    read_value,
    secret_rotate_apply,
    secret_rotate_form,
    secret_rotate_preview,
)
from dashboard.errors import ClusterError, Invalid
from dashboard.kube.config import slug
from dashboard.kube.transport import Transport
from dashboard.live.rotations import rotation_start, rotations
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.change import change_of
from dashboard.live.screens.rotate import RotateScreen, RotationScreen
from dashboard.models import Change

from .actions import (
    Parts,
    actor_of,
    error_context,
    listed,
    preview_context,
    refusal_context,
    show_action,
    take_step,
)
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
    key = (request.POST if request.method == "POST" else request.GET).get("key", "")
    actor = actor_of(await request.auser())

    def where() -> Where:
        return Where(
            transport=cluster.transport,
            actor=actor,
            namespace=namespace,
            name=name,
            key=key,
            value=read_value(request.POST.get("value", ""), request.POST.get("encoding", "")),
        )

    async def apply(token: str) -> Change:
        change = await secret_rotate_apply(**where(), token=token)
        await begin(cluster, change)
        return change

    async def preview() -> Parts:
        return {
            "preview": preview_context(
                cluster, await secret_rotate_preview(**where(), objects=cluster.reader)
            )
        }

    async with listed(cluster, screen):
        form = await secret_rotate_form(transport=cluster.transport, namespace=namespace, name=name)
        said = await take_step(
            request, apply=apply, preview=preview, at_once=False, tell=_told, then="rotation"
        )
        if said.done is not None:
            return said.done
        chosen = key if key in form.keys else next(iter(form.keys), "") if len(form.keys) == 1 else ""
        # What was typed stays in the form: an answer to it is never in place of the form.
        refused = form.refusal if request.method != "POST" else None
        if refused is not None:
            said.parts["readonly"] = _refusal(refused)
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Rotate",
            template="forms/rotate.html",
            form={
                "type": form.type,
                "keys": [
                    {"name": each, "bytes": size, "chosen": each == chosen}
                    for each, size in form.keys.items()
                ],
            },
            kubectl="" if refused else rotate_command(namespace, name, chosen or "KEY"),
            refusal=refused,
        )


async def begin(cluster: ClusterRuntime, change: Change) -> None:
    """Begins the restarts of a value that was written. What fails here is begun in the background a little later."""
    try:
        await rotation_start(cluster, change)
    except ClusterError as error:
        log.warning("the restarts after %s begin later: %s", change, error.message)
    except Exception:
        # The value is written: whoever wrote it must get to the page that follows it.
        log.exception("the restarts after %s begin later", change)
    rotations.wake()


@require_safe
@clear_errors
async def rotation(request: HttpRequest, change: int) -> HttpResponseBase:
    """Following a rotation."""
    cluster = runtime.open(slug((await change_of(change)).context))
    screen = RotationScreen(cluster, request.GET, change)
    return await page(request, cluster, screen, title="Rotate")


@require_POST
@clear_errors
async def stop(request: HttpRequest, change: int) -> HttpResponseBase:
    """No further restart of a rotation begins."""
    made = await change_of(change)
    await rotation_stop(actor=actor_of(await request.auser()), change=made)
    return HttpResponseRedirect(reverse("rotation", args=[change]))


@require_POST
@clear_errors
async def go_on(request: HttpRequest, change: int) -> HttpResponseBase:
    """A rotation goes on where it stopped."""
    made = await change_of(change)
    transport = runtime.open(slug(made.context)).transport
    await rotation_go_on(transport=transport, actor=actor_of(await request.auser()), change=made)
    rotations.wake()
    return HttpResponseRedirect(reverse("rotation", args=[change]))


def _refusal(error: ClusterError) -> dict[str, str]:
    """Why the form cannot be used; the page itself leads back to the Secret."""
    found = refusal_context(error)
    if isinstance(error, UnderWay):
        return found | _error(error)
    if isinstance(error, Invalid):
        found["title"] = "It cannot be rotated"
    return found


def _told(error: ClusterError) -> Parts:
    return {"error": _error(error)}


def _error(error: ClusterError) -> dict[str, str]:
    """An error beside the form, with the way to what is in its way."""
    found = error_context(error)
    if isinstance(error, UnderWay):
        found |= {"url": reverse("rotation", args=[error.change]), "link": "Look at that rotation"}
    return found
