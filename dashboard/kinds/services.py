"""Services: a permanent address before pods that come and go."""

from __future__ import annotations

import msgspec

from .base import GVR, Cell, Detail, Fact, Found, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct
from .rows import AGE_HELP, age, age_key, col, columns, listed, make_row, natural, or_none
from .selectors import format_labels


class ServicePort(Struct, frozen=True, gc=False):
    """One port: ``port`` at the Service's address, ``target_port`` (number or name) at the pods."""

    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0
    app_protocol: str = ""


class ServiceSpec(Struct, frozen=True, gc=False):
    """spec of a Service."""

    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] | None = msgspec.field(name="clusterIPs", default=None)
    external_ips: tuple[str, ...] | None = msgspec.field(name="externalIPs", default=None)
    external_name: str = ""
    ports: tuple[ServicePort, ...] | None = None
    selector: dict[str, str] | None = None
    session_affinity: str = ""
    load_balancer_source_ranges: tuple[str, ...] | None = None
    external_traffic_policy: str = ""
    internal_traffic_policy: str = ""
    publish_not_ready_addresses: bool = False
    health_check_node_port: int = 0
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")


class Ingress(Struct, frozen=True, gc=False):
    """An address that a load balancer answers on."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(Struct, frozen=True, gc=False):
    """status.loadBalancer, alike in Services and Ingresses."""

    ingress: tuple[Ingress, ...] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses or host names, each once, sorted (``loadBalancerStatusStringer``)."""
        return tuple(sorted({one.ip or one.hostname for one in self.ingress or ()} - {""}))

    def found_by(self) -> list[Found]:
        """Addresses and host names."""
        each = [("Address", text) for one in self.ingress or () for text in (one.ip, one.hostname)]
        return [found for found in each if found[1]]


class ServiceStatus(Struct, frozen=True, gc=False):
    """status of a Service."""

    load_balancer: LoadBalancer = LoadBalancer()
    conditions: tuple[ObjectCondition, ...] | None = None


class Service(Object, frozen=True, gc=False):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @property
    def headless(self) -> bool:
        """Whether it has no address of its own: DNS answers with those of its pods."""
        return (self.spec.cluster_ips or ())[:1] == ("None",)


COLUMNS = columns(
    col("Name", "The name, also its DNS name inside the namespace."),
    col("Type", "ClusterIP: reachable inside the cluster. NodePort and LoadBalancer: from outside too."),
    col("Cluster-IP", "Its IP address inside the cluster; None: headless, DNS returns the pods' addresses."),
    col("External-IP", "Its external IP address, if it has one."),
    col("Port(s)", "Its ports; after a colon the node port."),
    col("Age", AGE_HELP),
    col("Selector", "The labels of the pods that it routes traffic to.", wide=True),
)


def external_ip(service: Service) -> str:
    """The External-IP column (``getServiceExternalIP``)."""
    spec = service.spec
    if spec.type == "ExternalName":
        return spec.external_name
    external = spec.external_ips or ()
    if spec.type == "LoadBalancer":
        return ",".join((*service.status.load_balancer.addresses, *external)) or "<pending>"
    if spec.type in ("ClusterIP", "NodePort"):
        return ",".join(external) or "<none>"
    return "<unknown>"


def _port(port: ServicePort) -> str:
    node_port = f":{port.node_port}" if port.node_port > 0 else ""
    return f"{port.port}{node_port}/{port.protocol}"


def judge(service: Service) -> tuple[State, str]:
    """A load balancer without an address is still being made; whether pods answer, endpoints tell."""
    if service.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    if service.spec.type == "LoadBalancer" and external_ip(service) == "<pending>":
        return "info", "external IP pending"
    return "ok", ""


def row(service: Service) -> Row:
    """The row, as ``printService`` writes it."""
    meta, spec = service.metadata, service.spec
    state, reason = judge(service)
    cluster_ip = or_none(spec.cluster_ips[0]) if spec.cluster_ips else or_none("")
    external = external_ip(service)
    ports = or_none(",".join(map(_port, spec.ports or ())))
    selector = format_labels(spec.selector)
    cells = (
        Cell(meta.name),
        Cell(spec.type),
        cluster_ip,
        Cell(external),
        ports,
        age(meta.creation_timestamp),
        Cell(selector),
    )
    sort = (
        natural(meta.name),
        spec.type,
        natural(cluster_ip.text),
        natural(external),
        natural(ports.text),
        age_key(meta.creation_timestamp),
        natural(selector),
    )
    return make_row(meta, cells, sort, state, reason, found_by=found_by(service))


def found_by(service: Service) -> list[Found]:
    """Every address it answers at, inside and outside."""
    spec = service.spec
    return [
        *(("Cluster IP", ip) for ip in spec.cluster_ips or () if ip != "None"),
        *(("External IP", ip) for ip in spec.external_ips or ()),
        *service.status.load_balancer.found_by(),
    ]


_AT_NODES = " and at external IPs that route to its nodes"
_REACH = {
    "ClusterIP": "inside the cluster",
    "NodePort": "inside the cluster and on a port of every node",
    "LoadBalancer": "inside the cluster and from outside, through a load balancer",
}


def detail(service: Service) -> Detail:
    """The facts of the Service's page."""
    meta, spec = service.metadata, service.spec
    reason = judge(service)[1]
    headless = bool(spec.cluster_ips and spec.cluster_ips[0] == "None")
    facts = [Fact("Type", f"{spec.type} (headless)" if headless else spec.type)]
    if spec.type == "ExternalName":
        sentence = f"Another name for {spec.external_name}"
        facts.append(Fact("External name", spec.external_name))
    else:
        how = "The addresses of its pods" if headless else "A permanent address"
        sentence = f"{how}, reachable {_REACH.get(spec.type, '')}"
        sentence += _AT_NODES if spec.external_ips and spec.type == "ClusterIP" else ""
        facts.append(Fact("Cluster IP", ", ".join(spec.cluster_ips or ()) or "<none>"))
        facts.append(Fact("External IP", external_ip(service).replace(",", ", ")))
    host = f"{meta.name}.{meta.namespace}.svc"
    facts.append(Fact("Host name", host, "inside the cluster"))
    facts += [
        Fact("Port", f"{port.name} {_port(port)}".strip(), _target(service, port))
        for port in spec.ports or ()
    ]
    without = (
        "" if spec.selector or spec.type == "ExternalName" else "its endpoints are managed by something else"
    )
    facts.append(Fact("Selector", format_labels(spec.selector), without))
    if spec.session_affinity == "ClientIP":
        facts.append(Fact("Session affinity", "ClientIP", "requests of a client go to the same pod"))
    if spec.external_traffic_policy == "Local":
        facts.append(Fact("External traffic", "Local", "only to pods on the node that received it"))
    if spec.ports:
        ports = [f"{port.port}/{port.protocol}" for port in spec.ports]
        sentence += f", on {'ports' if len(ports) > 1 else 'port'} {listed(ports)}"
    return page(meta, sentence, facts, reason=reason, conditions=conditions(service.status.conditions))


def _target(service: Service, port: ServicePort) -> str:
    if service.spec.type == "ExternalName" or not port.target_port:
        return ""
    return f"to port {port.target_port} of {'the pods' if service.spec.selector else 'its endpoints'}"


SERVICES: Kind[Service] = Kind(
    gvr=GVR("", "v1", "services"),
    kind="Service",
    title="Services",
    singular="Service",
    section="Network",
    short_names=("svc",),
    type=Service,
    columns=COLUMNS,
    status_column="external-ip",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="A Service exposes a set of pods at one stable address and balances traffic between them.",
)
