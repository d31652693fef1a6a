"""What the containers of a workload had better request, by what they used; filled into the form that sets it."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.insight.ahead.requests import Suggestion, percentiles, suggestion
from dashboard.insight.capacity import amounts, container_requests
from dashboard.insight.usage import RESOURCES, Workload
from dashboard.kinds.podspec import Container
from dashboard.live.session import Sight


def suggested(sight: Sight, workload: Workload, container: str) -> dict[str, Suggestion]:
    """By resource, for a container of a workload's template; none where its requests suit, or it is not there."""
    found = next((one for one in _containers(sight, workload) if one.name == container), None)
    if found is None:
        return {}
    asked = container_requests(found)
    points = sight.cluster.usage.of_containers.points((workload, container))
    limits = amounts(found.resources.limits if found.resources else None)

    def most(resource: str) -> float | None:
        return float(limits[resource]) if resource in limits else None

    return {
        resource: one
        for column, resource in enumerate(RESOURCES)
        if (used := percentiles(points, column)) is not None
        and (one := suggestion(resource, used, float(asked.get(resource, 0)), most(resource))) is not None
    }


def typed(container: str, found: Mapping[str, Suggestion]) -> dict[str, str]:
    """The inputs of the form for one container."""
    return {f"requests_{resource}.{container}": one.quantity for resource, one in found.items()}


def typed_for(sight: Sight, workload: Workload) -> dict[str, str]:
    """The same for all its containers; of whoever may see what they use."""
    made: dict[str, str] = {}
    for one in _containers(sight, workload):
        made |= typed(one.name, suggested(sight, workload, one.name))
    return made


def _containers(sight: Sight, workload: Workload) -> tuple[Container, ...]:
    plural, namespace, name = workload
    found = sight.reader.get(plural, namespace, name)
    if found is None:
        return ()
    spec = found.spec.template.spec
    return (*(spec.containers or ()), *(one for one in spec.init_containers or () if one.sidecar))
