"""The answer of the page of resilience for scripts: ``/c/<context>/resilience/?lose=…&format=json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.insight.losing import Consequences, Loss
from dashboard.insight.losing.report import Preparedness


def losing_answer(
    losses: Sequence[Loss], told: Consequences, prepared: Sequence[Preparedness] | None
) -> dict[str, Any]:
    """As the public contract has it, with what is not known named; ``prepared`` None: it is not known."""
    return {
        "lose": [str(loss) for loss in losses],
        "unknown": [str(loss) for loss in told.unknown],
        "not_read": list(told.unread),
        "headline": told.headline.title,
        "state": "unknown" if told.headline.state == "info" else told.headline.state,
        "known": told.known,
        "pods": [
            {
                "namespace": each.pod.metadata.namespace,
                "name": each.pod.metadata.name,
                "fate": each.fate,
                "why": each.why,
                "node": each.node,
            }
            for each in told.pods
        ],
        "services": [
            {
                "namespace": each.ref.namespace,
                "name": each.ref.name,
                "before": each.before,
                "after": each.after,
            }
            for each in told.services
        ],
        "workloads": [
            {
                "kind": each.ref.kind,
                "namespace": each.ref.namespace,
                "name": each.ref.name,
                "before": each.before,
                "after": each.after,
                "wanted": each.wanted,
                "quorum": each.quorum or None,
            }
            for each in told.workloads
        ],
        "budgets": [
            {
                "namespace": each.ref.namespace,
                "name": each.ref.name,
                "before": each.before,
                "after": each.after,
                "desired": each.desired,
                "broken": each.broken,
            }
            for each in told.budgets
        ],
        "data": [
            {
                "kind": each.ref.kind,
                "namespace": each.ref.namespace,
                "name": each.ref.name,
                "what": each.title,
                "fate": each.state,
                "why": each.why,
                "pods": list(each.pods),
            }
            for each in told.data
        ],
        "report": None
        if prepared is None
        else [
            {
                "kind": each.ref.kind,
                "namespace": each.ref.namespace,
                "name": each.ref.name,
                "replicas": each.replicas,
                "score": each.score,
                "weaknesses": [
                    {"rule": one.rule, "weight": one.weight, "text": one.text} for one in each.weaknesses
                ],
            }
            for each in prepared
        ],
    }
