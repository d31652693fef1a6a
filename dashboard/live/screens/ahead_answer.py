"""The answer of the page of capacity for scripts: ``/c/<context>/capacity/?format=json``."""

from __future__ import annotations

from typing import Any

from dashboard.insight.ahead import pieces
from dashboard.insight.usage import NodeTally

from .ahead import SIZED, Ahead, Limited


def ahead_answer(ahead: Ahead) -> dict[str, Any]:
    """CPU in cores, memory in bytes, times in seconds, shares from 0 to 1; null for what is not known, or may not be
    seen.
    """
    told = ahead.told
    fitting, found, spare, quotas, volumes = told or (None, None, None, (), ())
    return {
        "fit": None
        if fitting is None
        else {
            "kind": fitting.ref.kind,
            "namespace": fitting.ref.namespace,
            "name": fitting.ref.name,
            "more": fitting.pods,
            "preempting": fitting.preempting if fitting.more.preempting is not None else None,
            "at_least": fitting.limited,
            "on_nodes": fitting.more.pods,
            "nodes": [{"name": node, "pods": pods} for node, pods in fitting.more.nodes],
            "why_no_more": [{"why": why, "nodes": nodes} for why, nodes in fitting.why],
            "quota": None
            if fitting.quota is None
            else {
                "name": fitting.quota.quota,
                "pods": fitting.quota.pods,
                "resource": fitting.quota.resource,
            },
            "unsure": fitting.unsure,
        },
        "zones": None
        if not ahead.knows("nodes", "pods")
        else [
            {"name": zone, "nodes": [_node(name, tally) for name, tally in nodes]}
            for zone, nodes in ahead.zones().items()
        ],
        "quotas": [_limited(each) for each in quotas] if ahead.knows("resourcequotas") else None,
        "volumes": [_limited(each) for each in volumes] if ahead.knows("persistentvolumeclaims") else None,
        "fragmentation": None
        if found is None or not ahead.knows("nodes", "pods")
        else {
            "usual_pod": found.size,
            "on_paper": found.on_paper,
            "really": found.really,
            "largest": found.largest,
        },
        "spare_nodes": None
        if spare is None or not ahead.knows(*pieces.PLURALS)
        else {
            "nodes": list(spare.nodes),
            "pods_that_move": spare.moves,
            "with_scratch_data": spare.scratch,
            "after": {"cpu": spare.after[0], "memory": spare.after[1]},
            "stay": [{"name": name, "why": why} for name, why in spare.kept],
            "tried": spare.tried,
        },
        "requests": None
        if not ahead.knows("pods", *SIZED)
        else [
            {
                "plural": each.workload[0],
                "namespace": each.workload[1],
                "name": each.workload[2],
                "container": each.container,
                **{
                    resource: {
                        "requests": one.now,
                        "suggested": one.then,
                        "half": one.used.half,
                        "p90": one.used.most,
                        "peak": one.used.peak,
                        "span": one.used.span,
                    }
                    for resource, one in each.found.items()
                },
            }
            for each in ahead.sized
        ],
    }


def _node(name: str, tally: NodeTally) -> dict[str, Any]:
    def of(resource: str) -> dict[str, Any]:
        total = getattr(tally.asked, resource)
        return {
            "used": getattr(tally.use, resource) if tally.use is not None else None,
            "requested": total.requested,
            "limits": total.limit,
            "without_limit": total.unlimited,
            "allocatable": tally.of.get(resource),
        }

    return {"name": name, "pods": tally.asked.pods, "cpu": of("cpu"), "memory": of("memory")}


def _limited(each: Limited) -> dict[str, Any]:
    told = each.forecast
    return {
        "namespace": each.ref.namespace,
        "name": each.ref.name,
        "what": each.what,
        "share": each.share,
        "state": told.state,
        "full": told.words,
        "early": told.early,
        "late": told.late,
        "span": told.span,
    }
