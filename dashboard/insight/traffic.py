"""The way of a request: Ingress host and path → Service → EndpointSlices → pods, with ports as numbers.

A named target port may be another number on every pod: the first container that names it for the protocol counts,
then sidecars (``FindPort`` of k8s.io/kubernetes/pkg/api/v1/pod).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.kinds.endpointslices import EndpointSlice
from dashboard.kinds.ingresses import Backend, Ingress
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import ContainerPort
from dashboard.kinds.services import Service, ServicePort

from .pod_health import is_ready
from .protocols import Objects
from .relations import selector_of

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PortAt:
    """A Service's port and the number it leads to at one pod; None: no container names such a port."""

    port: ServicePort
    number: int | None


@dataclass(frozen=True, slots=True)
class PodEnd:
    """A pod behind a Service; ``ready``: it gets traffic now."""

    pod: Pod
    ready: bool
    ports: tuple[PortAt, ...]


@dataclass(frozen=True, slots=True)
class SliceEnd:
    """An EndpointSlice of a Service, and how many of its endpoints get traffic."""

    slice: EndpointSlice
    ready: int
    total: int


@dataclass(frozen=True, slots=True)
class ServiceEnds:
    """What is behind a Service. ``pods``: ready ones first, then by name."""

    slices: tuple[SliceEnd, ...]
    pods: tuple[PodEnd, ...]

    @property
    def ready(self) -> int:
        """How many endpoints get traffic: by the slices, or by the pods where there is no slice (yet)."""
        return sum(one.ready for one in self.slices) if self.slices else sum(one.ready for one in self.pods)

    @property
    def total(self) -> int:
        """How many endpoints there are; pods that are in no slice (yet) count too."""
        return max(sum(one.total for one in self.slices), len(self.pods))


@dataclass(frozen=True, slots=True)
class Route:
    """Where an Ingress leads requests. ``service`` is None when there is none of that name; ``port`` when it has no
    such port. ``resource``: the backend is no Service but this object (kind and name).
    """

    host: str
    path: str
    path_type: str
    service_name: str
    port_words: str
    service: Service | None
    port: ServicePort | None
    resource: str = ""

    @property
    def place(self) -> str:
        """``shop.example/checkout``; what no rule matches is "every other address"."""
        return f"{self.host}{self.path}" if self.host else "every other address"


def service_ends(objects: Objects, service: Service) -> ServiceEnds:
    """The EndpointSlices of a Service and the pods that these name or the Service selects."""
    meta = service.metadata
    slices = [one for one in objects.all("endpointslices", meta.namespace) if one.service == meta.name]
    ready: dict[str, bool] = {}
    for one in slices:
        for endpoint in one.endpoints or ():
            if name := endpoint.pod_in(meta.namespace):
                ready[name] = ready.get(name, False) or endpoint.ready
    pods = _selected(objects, service)
    for name in ready:
        if name not in pods and (pod := objects.get("pods", meta.namespace, name)) is not None:
            pods[name] = pod
    ends = [
        PodEnd(
            pod, ready.get(name, False) if slices else is_ready(pod), tuple(ports_at(service, pod))
        )
        for name, pod in pods.items()
    ]  # fmt: skip
    ends.sort(key=lambda end: (not end.ready, end.pod.metadata.name))
    return ServiceEnds(tuple(map(_slice_end, sorted(slices, key=lambda one: one.metadata.name))), tuple(ends))


def ports_at(service: Service, pod: Pod) -> Iterator[PortAt]:
    """The Service's ports as the pod answers them."""
    for port in service.spec.ports or ():
        yield PortAt(port, port_number(port, pod))


def routes(objects: Objects, ingress: Ingress) -> tuple[Route, ...]:
    """Each host and path of an Ingress in its order, the default backend last."""
    found = []
    for rule in ingress.spec.rules or ():
        for path in (rule.http.paths or ()) if rule.http else ():
            place = (rule.host or "*", path.path or "/", path.path_type or "")
            found.append(_route(objects, ingress, *place, path.backend))
    if ingress.spec.default_backend is not None:
        found.append(_route(objects, ingress, "", "", "", ingress.spec.default_backend))
    return tuple(found)


def _route(
    objects: Objects, ingress: Ingress, host: str, path: str, path_type: str, backend: Backend
) -> Route:
    resource = f"{backend.resource.kind} {backend.resource.name}" if backend.resource is not None else ""
    target = backend.service
    if target is None:
        return Route(host, path, path_type, "", "", None, None, resource)
    service = objects.get("services", ingress.metadata.namespace, target.name)
    port = None if service is None else next((
        one for one in service.spec.ports or ()
        if (one.name == target.port.name if target.port.name else one.port == target.port.number)
    ), None)  # fmt: skip
    return Route(host, path, path_type, target.name, str(target.port), service, port, resource)


def _selected(objects: Objects, service: Service) -> dict[str, Any]:
    selector = selector_of("services", service)
    return {
        pod.metadata.name: pod
        for pod in ([] if selector.nothing else objects.all("pods", service.metadata.namespace))
        if selector.matches(pod.metadata.labels) and pod.status.phase not in _ENDED
    }


def _slice_end(one: EndpointSlice) -> SliceEnd:
    endpoints = one.endpoints or ()
    return SliceEnd(one, sum(endpoint.ready for endpoint in endpoints), len(endpoints))


def port_number(port: ServicePort, pod: Pod) -> int | None:
    """The number that a Service's port has at a pod; None: no container has a port with that name."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    return next((
        one.container_port for one in declared(pod)
        if one.name == port.target_port and one.protocol == port.protocol
    ), None)  # fmt: skip


def declared(pod: Pod) -> list[ContainerPort]:
    """The ports of a pod's containers, then those of its sidecars."""
    sidecars = [one for one in pod.spec.init_containers or () if one.sidecar]
    return [port for one in (*(pod.spec.containers or ()), *sidecars) for port in one.ports or ()]


def services_of(objects: Objects, namespace: str, labels: Mapping[str, str]) -> list[Service]:
    """The Services that select pods with these labels, by name."""
    found = [
        one for one in objects.all("services", namespace) if selector_of("services", one).matches(labels)
    ]
    return sorted(found, key=lambda one: one.metadata.name)


def ingresses_to(
    objects: Objects, namespace: str, services: Collection[str]
) -> list[tuple[Ingress, list[str]]]:
    """The Ingresses that lead to one of the Services, by name, each with the hosts and paths that do."""
    found = []
    for ingress in sorted(objects.all("ingresses", namespace), key=lambda one: one.metadata.name):
        places = [route.place for route in routes(objects, ingress) if route.service_name in services]
        if places:
            found.append((ingress, list(dict.fromkeys(places))))
    return found
