"""Which endpoints answer on each port of a Service, by the ports of its EndpointSlices.

The EndpointSlice controller groups pods by the numbers that the Service's ports have at them: a port that a pod has not
is left out of that pod's slice, and its other endpoints answer all the same (k8s.io/endpointslice, getEndpointPorts).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dashboard.insight.observed import Observed
from dashboard.insight.traffic import port_number
from dashboard.kinds.endpointslices import Endpoint, EndpointSlice
from dashboard.kinds.pods import Pod
from dashboard.kinds.services import Service, ServicePort


class PortEnds(NamedTuple):
    """A Service's port and the names of the endpoints by what they do there: answer; would, but are not ready; are
    ready, but have no such port. A pod of two address families counts once.
    """

    port: ServicePort
    answering: frozenset[str]
    unready: frozenset[str]
    without: frozenset[str]

    @property
    def dead(self) -> bool:
        """Whether others get traffic, and nobody on this port."""
        return not self.answering and bool(self.without)


def port_ends(survey: Observed, service: Service) -> Iterator[PortEnds]:
    """Each port of a Service whose EndpointSlices are there."""
    slices = survey.slices.get((service.metadata.namespace, service.metadata.name), ())
    for port in service.spec.ports or () if slices else ():
        having: set[tuple[str, bool]] = set()
        others: set[str] = set()
        for one in slices:
            for endpoint in one.endpoints or ():
                if _has(survey, service, one, port, endpoint):
                    having.add((_name(endpoint), endpoint.ready))
                elif endpoint.ready:
                    others.add(_name(endpoint))
        answering = frozenset(name for name, ready in having if ready)
        unready = frozenset(name for name, ready in having if not ready) - answering
        yield PortEnds(port, answering, unready, frozenset(others) - answering)


def pod_behind(survey: Observed, service: Service, name: str) -> Pod | None:
    """The pod that an endpoint names; None for an address that somebody wrote down."""
    pod: Pod | None = survey.objects.get("pods", service.metadata.namespace, name)
    return pod


def _name(endpoint: Endpoint) -> str:
    return (
        endpoint.target_ref.name if endpoint.target_ref is not None else ", ".join(endpoint.addresses or ())
    )


def _has(
    survey: Observed, service: Service, one: EndpointSlice, port: ServicePort, endpoint: Endpoint
) -> bool:
    if one.ports:
        # kube-proxy finds a port by name and protocol.
        return any((each.name or "", each.protocol) == (port.name, port.protocol) for each in one.ports)
    if not service.spec.selector:
        return False
    if isinstance(port.target_port, int):
        return True  # a number is there at every pod
    pod = pod_behind(survey, service, _name(endpoint))
    return pod is None or port_number(port, pod) is not None
