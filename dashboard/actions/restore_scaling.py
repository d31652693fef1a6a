"""What the HorizontalPodAutoscalers that a restore writes do to what they scale, which is asked of the API server, as the
user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from dashboard.errors import ClusterError
from dashboard.insight.autoscaling import SCALED, scaled_by, takes_claims, written_impact
from dashboard.kinds import KINDS
from dashboard.kinds.horizontalpodautoscalers import HORIZONTALPODAUTOSCALERS, HorizontalPodAutoscaler
from dashboard.kinds.references import title
from dashboard.kube.transport import Transport
from dashboard.recovery.cleaning import MISSHAPEN
from dashboard.recovery.restoring import Planned

from .action import Manifest, pointer
from .readbeside import ReadBeside, listed_beside
from .scaling_bounds import written_autoscaler
from .value_impact import Coming

_READ = SCALED | {HORIZONTALPODAUTOSCALERS.plural}


async def with_scaling(transport: Transport, plans: Sequence[Planned]) -> list[Planned]:
    """The plans, those of autoscalers with what becomes of the replicas and claims of what they scale."""
    found = {plan.key: each for plan in plans if plan.writes and (each := _autoscaler(plan)) is not None}
    beside = ReadBeside()
    for namespace in {each.metadata.namespace for each in found.values()}:
        for plural in _READ:
            with suppress(ClusterError):  # the namespace is restored with it, or may not be read
                beside.found[plural, namespace], _ = await listed_beside(transport, plural, namespace)
    world = Coming(beside, [*_with_replicas(plans)] if found else [])
    return [_told(world, plan, found[plan.key]) if plan.key in found else plan for plan in plans]


def _autoscaler(plan: Planned) -> HorizontalPodAutoscaler | None:
    gvr = plan.placed.gvr
    with suppress(*MISSHAPEN):  # the API server refuses it
        return written_autoscaler(gvr.plural, _placed(plan)) if gvr.group == "autoscaling" else None
    return None


def _with_replicas(plans: Sequence[Planned]) -> Iterator[tuple[str, Manifest]]:
    """What is restored with them, where it brings a number of its own."""
    for plan in plans:
        gvr = plan.placed.gvr
        counted = isinstance(pointer(plan.made or {}, "/spec/replicas"), int)
        if plan.writes and counted and gvr.plural in SCALED and gvr.group == KINDS[gvr.plural].gvr.group:
            with suppress(*MISSHAPEN):
                yield gvr.plural, _placed(plan)


def _placed(plan: Planned) -> Manifest:
    made = dict(plan.made or {})
    where = {"namespace": plan.placed.namespace, "name": plan.placed.name}
    return made | {"metadata": {**made["metadata"], **where}}


def _told(world: Coming, plan: Planned, autoscaler: HorizontalPodAutoscaler) -> Planned:
    ref, workload, bounds = scaled_by(world, autoscaler)
    if workload is None:
        return plan
    impact, replicas = written_impact(world, autoscaler), workload.spec.replicas
    within = min(max(replicas, bounds.least), bounds.most)
    notes = [f"{each.title}. {each.text}" for each in impact.notices]
    if replicas and within != replicas:
        notes = [f"It scales {title(ref)} from {replicas} to {within}.", *notes]
    return replace(plan, notes=(*plan.notes, *notes), loses=takes_claims(workload, bounds))
