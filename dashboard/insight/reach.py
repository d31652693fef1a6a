"""A Service in plain words: what stays the same, what changes behind it, and how to reach it from where.

Sources: Kubernetes' pages on Services (types, headless Services, traffic policies) and on DNS for Services and pods
(``<service>.<namespace>.svc.<cluster domain>``; the domain is nearly always ``cluster.local``, and leaving it out works).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.kinds.base import Ref
from dashboard.kinds.endpointslices import EndpointSlice
from dashboard.kinds.ingresses import Ingress
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.services import Service, ServicePort

from .protocols import Objects
from .relations import selector_of

_WEB = {
    "http": "http",
    "https": "https",
    "web": "http",
    "kubernetes.io/ws": "http",
    "kubernetes.io/wss": "https",
}
_KEPT = "addresses that are managed elsewhere, as it has no selector"


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach it ``from_`` somewhere: an address or a command, "" when there is none yet, and what to know."""

    from_: str
    address: str
    note: str = ""
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The sentences, and the ways: those from inside the cluster first."""

    sentences: tuple[str, ...]
    ways: tuple[Way, ...]


def reach_of(objects: Objects, service: Service) -> Reach:
    """What a Service is to those who want to reach it."""
    if service.spec.type == "ExternalName":
        return _alias(service)
    return Reach(tuple(_sentences(objects, service)), tuple(_ways(objects, service)))


def _alias(service: Service) -> Reach:
    meta, target = service.metadata, service.spec.external_name
    sentence = (
        f"It is only a DNS alias: the cluster's DNS answers with {target} (CNAME). No traffic is balanced, and no "
        "port is mapped; the server must accept this host name."
    )
    return Reach(
        (sentence,), (Way("In the cluster", f"{meta.name}.{meta.namespace}", f"resolves to {target}"),)
    )


def _sentences(objects: Objects, service: Service) -> Iterator[str]:
    ready, all_ = _addresses(objects, service)
    now = f"now {plural(len(ready), 'ready address', 'ready addresses')}"
    if not ready and not objects.reads("endpointslices", service.metadata.namespace):
        now = "how many of them are ready is not known"
    if len(all_) > len(ready):
        now += (
            f" and {len(all_) - len(ready)} that {'is' if len(all_) - len(ready) == 1 else 'are'} not ready"
        )
    now += f" ({listed(ready)})" if ready else ""
    if service.headless:
        whose = "the addresses of its pods" if service.spec.selector else _KEPT
        yield f"It has no address of its own: its name resolves to {whose}."
        yield f"Those change with each new pod: {now}. So resolve the name again, rather than caching an address."
    else:
        stays = listed(service.spec.cluster_ips or ()) or "not given yet"
        yield f"Its address ({stays}) and its name stay the same for as long as it exists."
        who = "pods are replaced, each with a new address" if service.spec.selector else f"are {_KEPT}"
        yield f"Behind it {who}: {now}."
        yield "New connections are shared among the ready ones."
    yield _from_where(service)
    yield from _policies(service)


def _from_where(service: Service) -> str:
    spec = service.spec
    if spec.type == "LoadBalancer":
        when = "" if service.status.load_balancer.addresses else ", once that has an address"
        return f"It can be reached from inside the cluster, and from outside through a load balancer{when}."
    if spec.type == "NodePort":
        return "It can be reached from inside the cluster, and from outside at a port of every node."
    if spec.external_ips:
        return "It can be reached from inside the cluster, and at external IPs that route to its nodes."
    return "It can be reached from inside the cluster only, unless an Ingress or a Gateway routes to it."


def _policies(service: Service) -> Iterator[str]:
    spec = service.spec
    if spec.session_affinity == "ClientIP":
        yield "A client's connections stay with one pod (session affinity ClientIP)."
    if spec.load_balancer_source_ranges:
        yield f"The load balancer is asked to let in only {listed(spec.load_balancer_source_ranges)}."
    if spec.external_traffic_policy == "Local":
        yield "From outside, a node passes traffic only to its own pods (external traffic policy Local)."
    if spec.internal_traffic_policy == "Local":
        yield "From inside, a node passes traffic only to its own pods (internal traffic policy Local)."
    if spec.publish_not_ready_addresses:
        yield "Pods that are not ready are included (publishNotReadyAddresses)."


def _addresses(objects: Objects, service: Service) -> tuple[list[str], list[str]]:
    """The ready addresses behind it, and all of them, each once and sorted."""
    slices: Sequence[EndpointSlice] = objects.all("endpointslices", service.metadata.namespace)
    endpoints = [
        endpoint
        for each in slices
        if each.service == service.metadata.name
        for endpoint in each.endpoints or ()
    ]
    ready = {one for endpoint in endpoints if endpoint.ready for one in endpoint.addresses or ()}
    every = {one for endpoint in endpoints for one in endpoint.addresses or ()}
    return sorted(ready), sorted(every)


def _ways(objects: Objects, service: Service) -> Iterator[Way]:
    yield from _inside(objects, service)
    yield from _outside(objects, service)
    yield from _by_ingress(objects, service)
    port = next((each for each in service.spec.ports or () if each.protocol == "TCP"), None)
    if port is not None and service.spec.selector and _runs(objects, service):
        meta = service.metadata
        local = port.port if port.port > 1023 else port.port + 8000
        yield Way(
            "From your own machine",
            f"kubectl port-forward -n {meta.namespace} service/{meta.name} {local}:{port.port}",
            f"then {_url(port, 'localhost', local)}; it forwards to one of the pods, for as long as the command runs",
        )


def _runs(objects: Objects, service: Service) -> bool:
    """Whether kubectl finds a pod for it, which it does by the selector; where pods are not known, it may."""
    namespace = service.metadata.namespace
    return not objects.reads("pods", namespace) or any(
        pod.status.phase == "Running" and selector_of("services", service).matches(pod.metadata.labels)
        for pod in objects.all("pods", namespace)
    )


def _inside(objects: Objects, service: Service) -> Iterator[Way]:
    meta = service.metadata
    for port in service.spec.ports or ():
        numbers = _direct(objects, service, port) if service.headless else [port.port]
        named = f", port {port.name}" if port.name and len(service.spec.ports or ()) > 1 else ""
        note = "" if service.headless else _target(port)
        if len(numbers) > 1:
            note = f"its pods have different numbers for this port: {listed(map(str, numbers))}"
        for number in numbers:
            yield Way(f"In namespace {meta.namespace}{named}", _url(port, meta.name, number), note)
            yield Way(f"In other namespaces{named}", _url(port, f"{meta.name}.{meta.namespace}", number))
    if service.headless:
        yield from _one_pod(objects, service)


def _direct(objects: Objects, service: Service, port: ServicePort) -> list[int]:
    """A headless Service changes no port: the pods' own is the one to ask for, by name where it has one; pods may have
    different numbers of that name.
    """
    if isinstance(port.target_port, int):
        return [port.target_port or port.port]
    found = {
        each.port
        for endpoint_slice in objects.all("endpointslices", service.metadata.namespace)
        if endpoint_slice.service == service.metadata.name
        for each in endpoint_slice.ports or ()
        if (each.name or "", each.protocol) == (port.name, port.protocol) and each.port
    }
    return sorted(found) or [port.port]


def _one_pod(objects: Objects, service: Service) -> Iterator[Way]:
    """The name of one pod behind a headless Service, where pods have names there, as a StatefulSet's do."""
    meta = service.metadata
    names = sorted(
        endpoint.hostname
        for each in objects.all("endpointslices", meta.namespace)
        if each.service == meta.name
        for endpoint in each.endpoints or ()
        if endpoint.hostname
    )
    if names:
        more = f" (and so for {len(names) - 1} more)" if len(names) > 1 else ""
        note = f"the name stays with the pod of that number{more}"
        yield Way("A specific pod", f"{names[0]}.{meta.name}.{meta.namespace}", note)


def _outside(objects: Objects, service: Service) -> Iterator[Way]:
    spec = service.spec
    ports = spec.ports or ()
    balancers = service.status.load_balancer.addresses
    if spec.type == "LoadBalancer" and not balancers:
        yield Way(
            "From outside",
            "",
            "external IP pending: no load balancer has been provisioned yet",
        )
    for address in (*balancers, *(spec.external_ips or ())):
        for port in ports:
            yield Way("From outside", _url(port, address, port.port))
    if any(port.node_port for port in ports):
        address = _node_address(objects)
        for port in ports:
            if port.node_port:
                local = spec.external_traffic_policy == "Local"
                note = (
                    "at a node that runs one of its pods"
                    if local
                    else "at this or any other node that your network reaches"
                )
                yield Way("Through a node", _url(port, address or "<a node>", port.node_port), note)


def _node_address(objects: Objects) -> str:
    """An address of some node, one for outside if there is any."""
    found = [
        (one.type != "ExternalIP", one.address)
        for node in objects.all("nodes")
        for one in node.status.addresses or ()
        if one.type in ("ExternalIP", "InternalIP")
    ]
    return min(found)[1] if found else ""


def _by_ingress(objects: Objects, service: Service) -> Iterator[Way]:
    for ingress in objects.all("ingresses", service.metadata.namespace):
        yield from _paths(ingress, service.metadata.name)


def _paths(ingress: Ingress, service: str) -> Iterator[Way]:
    ref = reference("Ingress", ingress.metadata.namespace, ingress.metadata.name)
    addresses = ingress.status.load_balancer.addresses
    note = f"the name must resolve to {listed(addresses)}" if addresses else "the Ingress has no address yet"
    anywhere = _host(addresses[0]) if addresses else "<any host>"
    for rule in ingress.spec.rules or ():
        for path in (rule.http.paths if rule.http else None) or ():
            if path.backend.service is not None and path.backend.service.name == service:
                scheme = "https" if _secured(ingress, rule.host) else "http"
                host = rule.host.replace("*", "<any name>", 1) or anywhere
                address = f"{scheme}://{host}{path.path or '/'}"
                yield Way("From outside", address, note if rule.host else "", ref)
    default = ingress.spec.default_backend
    if default is not None and default.service is not None and default.service.name == service:
        yield Way("From outside", f"http://{anywhere}/", "requests that match no other rule", ref)


def _secured(ingress: Ingress, host: str) -> bool:
    """Whether TLS covers a host: by its name, by a wildcard for its first label, or as every host."""
    wildcard = f"*.{host.partition('.')[2]}"
    return any(
        not each.hosts or host in each.hosts or wildcard in each.hosts for each in ingress.spec.tls or ()
    )


def _target(port: ServicePort) -> str:
    same = port.target_port in ("", 0, port.port)
    return "" if same else f"routes to targetPort {port.target_port} of the pods"


def _url(port: ServicePort, host: Any, number: int | str) -> str:
    """``http://web`` where the port says that it speaks HTTP, else ``web:5432``."""
    scheme = _WEB.get(port.app_protocol) or _WEB.get(port.name.partition("-")[0])
    if scheme is None and port.port in (80, 443):
        scheme = "http" if port.port == 80 else "https"
    host = _host(host)
    if scheme is None:
        return f"{host}:{number}" + ("" if port.protocol == "TCP" else f" ({port.protocol})")
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" + ("" if number == usual else f":{number}")


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
