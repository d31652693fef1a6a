"""What becomes of others by an object of a kind that leads to pods, whoever writes it: a form, YAML, or a restore."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.ingresses import Ingress
from dashboard.kinds.namespaces import Namespace
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.services import Service

from .admitting import namespace_impact
from .budgeting import budget_impact
from .impact import Impact
from .protocols import Objects
from .rerouting import ingress_impact, service_impact


def object_impact(objects: Objects, before: Any | None, after: Any) -> Impact:
    """What another one of these means. ``before``: None for one that is not there yet, which takes nothing from anybody:
    but a new budget may block.
    """
    match before, after:
        case ((PodDisruptionBudget() | None), PodDisruptionBudget()):
            return budget_impact(objects, before, after)
        case Service(), Service():
            return service_impact(objects, before, after)
        case Ingress(), Ingress():
            return ingress_impact(before, after)
        case Namespace(), Namespace():
            return namespace_impact(objects, before, after)
    return Impact(None, ())
