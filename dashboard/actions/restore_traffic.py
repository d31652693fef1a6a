"""What becomes of requests, and of drains, by the Services, Ingresses and PodDisruptionBudgets that a restore writes.
What stands beside them is asked of the API server, as the user.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from dashboard.errors import ClusterError
from dashboard.insight import Objects
from dashboard.insight.words import text_of
from dashboard.insight.written import object_impact
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed
from dashboard.kube.transport import Transport
from dashboard.recovery.cleaning import MISSHAPEN, Manifest
from dashboard.recovery.restoring import Planned

from .action import typed_object
from .readbeside import ReadBeside, listed_beside

_BESIDE = MappingProxyType(
    {
        "services": ("pods", "ingresses"),
        "ingresses": (),
        "poddisruptionbudgets": ("pods", "poddisruptionbudgets"),
    }
)


async def with_traffic(transport: Transport, plans: Sequence[Planned]) -> list[Planned]:
    """The plans, those of these kinds with who is not answered any more, and whose drains block."""
    found = [plan for plan in plans if plan.writes and _is_one(plan)]
    beside = ReadBeside()
    asked = {(plural, each.placed.namespace) for each in found for plural in _BESIDE[each.placed.gvr.plural]}
    unread = set()
    for plural, namespace in sorted(asked):
        items: Sequence[Any] = ()
        whole = False
        with suppress(ClusterError):
            items, whole = await listed_beside(transport, plural, namespace)
        if whole:
            beside.found[plural, namespace] = items
        else:
            unread.add((plural, namespace))
    _with_restored(beside, found)
    told = {}
    for plan in found:
        with suppress(*MISSHAPEN):  # the API server refuses it
            told[plan.key] = _told(beside, plan, unread)
    return [told.get(plan.key, plan) for plan in plans]


def _is_one(plan: Planned) -> bool:
    gvr = plan.placed.gvr
    return gvr.plural in _BESIDE and gvr.group == KINDS[gvr.plural].gvr.group


def _with_restored(beside: ReadBeside, plans: Sequence[Planned]) -> None:
    """They lead to one another as they will be."""
    for plan in plans:
        key = plan.placed.gvr.plural, plan.placed.namespace
        if key in beside.found:
            with suppress(*MISSHAPEN):
                there = [each for each in beside.found[key] if each.metadata.name != plan.placed.name]
                beside.found[key] = (*there, typed_object(key[0], _placed(plan, plan.made)))


def _told(objects: Objects, plan: Planned, unread: Collection[tuple[str, str]]) -> Planned:
    plural = plan.placed.gvr.plural
    before = None if plan.live is None else typed_object(plural, _placed(plan, plan.live))
    impact = object_impact(objects, before, typed_object(plural, _placed(plan, plan.made)))
    head = impact.headline
    notes = [f"{head.title}. {head.text}"] if head is not None else []
    notes += [f"{text_of(each.text)}{f': {each.note}' if each.note else ''}." for each in impact.effects]
    missing = [KINDS[each].title for each in _BESIDE[plural] if (each, plan.placed.namespace) in unread]
    if missing and (plan.live is not None or plural == "poddisruptionbudgets"):
        notes.append(f"Not all {listed(missing)} there could be read: what it means for them is not known.")
    return replace(plan, notes=(*plan.notes, *notes), cuts=impact.danger)


def _placed(plan: Planned, manifest: Manifest | None) -> Manifest:
    made = dict(manifest or {})
    where = {"namespace": plan.placed.namespace, "name": plan.placed.name}
    return {**made, "apiVersion": plan.placed.gvr.api_version, "metadata": {**made["metadata"], **where}}
