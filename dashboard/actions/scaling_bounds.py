"""What the bounds of a HorizontalPodAutoscaler do to what it scales, whoever writes them: its form, YAML, or an undo."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from dashboard.errors import ClusterError
from dashboard.insight import Objects
from dashboard.insight.autoscaling import (
    Bounds,
    measured_utilization,
    scaled_by,
    takes_claims,
    written_impact,
)
from dashboard.kinds.base import Ref
from dashboard.kinds.horizontalpodautoscalers import HORIZONTALPODAUTOSCALERS, HorizontalPodAutoscaler
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.transport import Transport

from .action import Description, DryRun, Manifest, Order, Wanted, is_absent, pointer, typed_object
from .lost_claims import EMPTY

CLAIMS = "claims_go"  # in what is wanted, as decided: claims are deleted as soon as the bounds hold


def written_autoscaler(plural: str, manifest: Manifest) -> HorizontalPodAutoscaler | None:
    """The autoscaler that an object is; None for another kind, and for one that the API server will refuse."""
    if plural != HORIZONTALPODAUTOSCALERS.plural:
        return None
    if percent := pointer(manifest, "/spec/targetCPUUtilizationPercentage"):  # as version 1 says it
        target = {"type": "Utilization", "averageUtilization": percent}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
        manifest = {**manifest, "spec": {**manifest["spec"], "metrics": [metric]}}
    try:
        found: HorizontalPodAutoscaler | None = typed_object(plural, manifest)
    except msgspec.ValidationError:
        return None
    return found


def claims_decided(objects: Objects, plural: str, manifest: Manifest) -> Wanted:
    """For ``decide`` of an action that writes an object as a whole."""
    found = written_autoscaler(plural, manifest)
    return {} if found is None else bounds_decided(*scaled_by(objects, found)[1:])


def bounds_decided(workload: Any, bounds: Bounds) -> Wanted:
    """For ``decide`` of an action that writes the bounds."""
    return {CLAIMS: True} if takes_claims(workload, bounds) else {}


def without_claims(told: Description, wanted: Wanted) -> Description:
    """Says what no undo restores."""
    if not wanted.get(CLAIMS):
        return told
    undo = f"{told.undo_words} Deleted claims can't be restored: {EMPTY}"
    return dataclasses.replace(told, undo_words=undo)


async def with_autoscaling(order: Order, told: Description, dry: DryRun) -> Description:
    """What is told of an object that is written as a whole, with what an autoscaler does by that."""
    found = written_autoscaler(dry.target.plural, dry.after)
    if found is None:
        return told
    ref, workload, _ = scaled_by(dry.objects, found)
    impact = written_impact(
        dry.objects, found, await utilization(order.transport, dry.objects, ref, workload)
    )
    if is_absent(dry.before):
        told = dataclasses.replace(told, undo_words=f"{told.undo_words} The replicas stay as they are then.")
    told = dataclasses.replace(
        told,
        headline=impact.headline,
        effects=(*impact.effects, *told.effects),
        notices=(*told.notices, *impact.notices),
        danger=told.danger or impact.danger,
    )
    return without_claims(told, dry.wanted)


async def utilization(transport: Transport, objects: Objects, ref: Ref, workload: Any) -> int | None:
    """What the pods of a workload use now of what they request, in percent; None where that can't be measured."""
    if workload is None:
        return None
    try:
        used = await MetricsServer(transport).pods(frozenset({ref.namespace}))
    except ClusterError:
        return None
    return measured_utilization(objects, ref, workload, used)
