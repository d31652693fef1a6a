"""The steps of replacing a ConfigMap by its editor: what was typed is merged with what is there, and shown; then made."""

from __future__ import annotations

import dataclasses
import re

from dashboard.errors import BadInput
from dashboard.insight import Objects
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Actor, Order, Target
from .configmap_editing import Edited, edit_planned, with_edit_notices
from .configmap_plan import Draft, Plan
from .engine import change_apply, change_preview
from .replace import REPLACE, in_full

MAX_NAME = 253
# IsDNS1123Subdomain of k8s.io/apimachinery/pkg/util/validation.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def read_name(typed: str) -> str:
    """The name that the new one gets; "" for the next free one. Raises BadInput for what can't be one."""
    name = typed.strip()
    if name and (len(name) > MAX_NAME or not _NAME.fullmatch(name)):
        raise BadInput(
            f"“{name[:60]}” can't be a name: small letters, digits, “-” and “.” can be in it, at most "
            f"{MAX_NAME}, a letter or digit first and last.",
            next_step="Choose another name; nothing was sent.",
            field="new_name",
        )
    return name


async def configmap_replace_preview(
    *, transport: Transport, actor: Actor, target: Target, name: str, draft: Draft, objects: Objects
) -> Edited:
    """What replacing it would do; ``name`` is what was typed. Errors as of ``configmap_edit_preview``; BadInput for a
    name that can't be, or is taken.
    """
    made = read_name(name)
    manifest, found, flaws = await edit_planned(
        transport=transport, target=target, draft=draft, objects=objects, action=REPLACE
    )
    if not found.mine:
        return Edited(preview=None, merged=found.merged)
    order = _order(transport, actor, target, made, found)
    preview = await change_preview(order=order, objects=objects, manifest=manifest)
    return Edited(preview=with_edit_notices(preview, found, flaws), merged=found.merged)


async def configmap_replace_apply(
    *,
    transport: Transport,
    actor: Actor,
    target: Target,
    name: str,
    draft: Draft,
    token: str,
    objects: Objects,
    confirm: str = "",
    reason: str = "",
) -> Change:
    """Make the new one as it was shown. Errors as of ``configmap_replace_preview`` and ``change_apply``."""
    made = read_name(name)
    # What rules it out is looked at with the write: of two submits, the second one's steps may be under way.
    _, found, _ = await edit_planned(transport=transport, target=target, draft=draft, objects=objects)
    order = dataclasses.replace(_order(transport, actor, target, made, found), confirm=confirm, reason=reason)
    return await change_apply(order=order, token=token)


def _order(transport: Transport, actor: Actor, target: Target, made: str, found: Plan) -> Order:
    wanted = {"name": made, **in_full(found.result)}
    return Order(transport=transport, actor=actor, target=target, action=REPLACE.on(wanted), wanted=wanted)
