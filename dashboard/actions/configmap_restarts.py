"""The restarts that an edit of a ConfigMap asks for: which are needed, begun with it, and followed on its page."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from dashboard.errors import ClusterError, Forbidden
from dashboard.insight import Objects, workload_rollout
from dashboard.insight.configmapuse import broken_consumers, consumers
from dashboard.insight.environment import Content
from dashboard.insight.restart import restart_outlook
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from .action import FOLLOWED_FOR, Actor, Following, Target, rollout_progress
from .configmap_history import changed_keys
from .configmap_reading import configmap_values
from .configmap_values import content_of
from .engine import action_order, change_access, change_apply, change_preview
from .restart import RESTART


async def configmap_restart(
    *, transport: Transport, actor: Actor, change: Change, chosen: Collection[str], objects: Objects
) -> None:
    """Restart those of the workloads that need it which were chosen ("deployments/web"), once for a change. Each restart
    is a change of its own; what became of each is kept in ``change.result["restarts"]``.
    """
    needed = restarts_needed(objects, change.namespace, change.name, changed_keys(change))
    wanted = [ref for ref in needed if f"{ref.plural}/{ref.name}" in chosen]
    again = Change.objects.filter(pk=change.pk, result__has_key="restarts")
    # One statement decides, so that the second of two submits restarts nothing.
    if not wanted or not await in_database(
        Change.objects.filter(pk=change.pk).exclude(pk__in=again.values("pk")).update
    )(result={**change.result, "restarts": []}):
        return
    done: list[dict[str, Any]] = []
    for ref in wanted:
        done.append(await _restart(transport, actor, change, ref, objects))
        change.result = {**change.result, "restarts": done}
        await in_database(change.save)(update_fields=["result"])


async def _restart(
    transport: Transport, actor: Actor, change: Change, ref: Ref, objects: Objects
) -> dict[str, Any]:
    """Restarts one workload; what following it needs, or what was said instead."""
    kept: dict[str, Any] = {"plural": ref.plural, "name": ref.name, "said": ""}
    try:
        # Somebody may have written it since: what new pods would read is what it holds now.
        there = await configmap_values(transport=transport, namespace=ref.namespace, name=change.name)
        if said := _pointless(objects, change.name, content_of(there), ref):
            return kept | {"said": said}
        # Whoever confirmed the edit has chosen its restarts with it.
        order = action_order(
            transport=transport,
            actor=actor,
            target=_target(transport, ref),
            action=RESTART,
            typed={},
            confirm=ref.name,
            reason=change.reason,
        )
        preview = await change_preview(order=order, objects=objects)
        made = await change_apply(order=order, token=preview.token)
    except ClusterError as error:
        return kept | {"said": f"{error.message} {error.next_step}".strip()}
    return kept | {"change": made.pk, "generation": made.result.get("generation") or 0, "uid": made.uid}


async def restarts_offered(
    transport: Transport, objects: Objects, name: str, after: Content, needed: tuple[Ref, ...]
) -> dict[Ref, str]:
    """Why each of them is not restarted from here; "" for those that can be."""

    async def refusal(ref: Ref) -> str:
        found = objects.get(ref.plural, ref.namespace, ref.name)
        if found is not None and found.metadata.deletion_timestamp:
            return "It is being deleted."
        try:
            await change_access(transport=transport, target=_target(transport, ref), action=RESTART)
        except Forbidden as error:
            return error.message
        return _pointless(objects, name, after, ref)

    return dict(zip(needed, await asyncio.gather(*map(refusal, needed)), strict=True))


def _pointless(objects: Objects, name: str, content: Content, ref: Ref) -> str:
    """Why a restart brings no pod up with what the ConfigMap ``name`` holds, as a sentence; "" where it does."""
    if broken := broken_consumers(objects, ref.namespace, name, content).get(ref):
        key, why = next(iter(broken.items()))
        return f"Its new pods would not start: {key} {why}."
    workload = objects.get(ref.plural, ref.namespace, ref.name)
    return restart_outlook(workload).held if workload is not None else ""


def restarts_needed(objects: Objects, namespace: str, name: str, keys: Collection[str]) -> tuple[Ref, ...]:
    """The workloads whose containers see new values of these keys only when they are restarted."""
    return tuple(
        each.ref
        for each in consumers(objects, namespace, name)
        if each.restartable and each.needs_restart(keys)
    )


def restart_followed(change: Change, kept: Mapping[str, Any], objects: Objects, now: datetime) -> Following:
    """One of the restarts that began with an edit."""
    ref = Ref(KINDS[kept["plural"]].kind, change.namespace, kept["name"], kept["plural"])
    if kept["said"]:
        headline = f"{ref.kind} {ref.name} was not restarted"
        return Following(ref=ref, state="warn", headline=headline, text=kept["said"], change=None, done=True)
    workload = objects.get(ref.plural, ref.namespace, ref.name)
    if workload is None or workload.metadata.uid != kept["uid"]:
        headline = f"{ref.kind} {ref.name} is gone"
        return Following(ref=ref, state="done", headline=headline, text="", change=kept["change"], done=True)
    rollout = workload_rollout(objects, workload, now, kept["generation"])
    found = rollout_progress(rollout)
    late = not found.done and now - change.created_at > FOLLOWED_FOR
    return Following(
        ref=ref,
        state="warn" if late and found.state == "info" else found.state,
        headline=found.headline,
        text=f"{found.text} It has taken more than an hour: it is not waited for any more."
        if late
        else found.text,
        change=kept["change"],
        done=found.done or late or rollout.state == "paused",
    )


def _target(transport: Transport, ref: Ref) -> Target:
    return Target.of(transport.cluster.name, KINDS[ref.plural], ref.namespace, ref.name)
