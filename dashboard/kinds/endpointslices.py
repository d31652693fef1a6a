"""EndpointSlices: the addresses behind a Service."""

from __future__ import annotations

from collections.abc import Sequence

from .base import GVR, Cell, Detail, Fact, Found, Kind, Row, State
from .facts import page
from .meta import Object, ObjectReference, Struct
from .references import meant, reference
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, plural, sort_keys

SERVICE_LABEL = "kubernetes.io/service-name"
_SHOWN = 3


class EndpointConditions(Struct, frozen=True, gc=False):
    """Whether the endpoint may get traffic; unset ``ready`` counts as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Struct, frozen=True, gc=False):
    """One pod, or whatever answers."""

    addresses: tuple[str, ...] | None = None
    conditions: EndpointConditions = EndpointConditions()
    target_ref: ObjectReference | None = None
    node_name: str = ""
    zone: str = ""
    hostname: str = ""

    @property
    def ready(self) -> bool:
        """Whether it gets traffic."""
        return self.conditions.ready is not False

    def pod_in(self, namespace: str) -> str:
        """The name of the pod of a namespace that answers here; "" where something else does."""
        ref = meant(self.target_ref, self.target_ref.namespace or namespace) if self.target_ref else None
        return ref.name if ref is not None and ref.plural == "pods" and ref.namespace == namespace else ""


class EndpointPort(Struct, frozen=True, gc=False):
    """A port that all endpoints of the slice listen on; no number stands for all ports."""

    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(Object, frozen=True, gc=False):
    """discovery.k8s.io/v1 EndpointSlice."""

    address_type: str = ""
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None

    @property
    def service(self) -> str:
        """The name of the Service it belongs to, or ""."""
        return self.metadata.labels.get(SERVICE_LABEL, "")


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("AddressType", "IPv4, IPv6 or host names."),
    col("Ports", "The ports that the pods listen on."),
    col("Endpoints", "The addresses of the pods."),
    col("Age", AGE_HELP),
)


def _with_more(words: Sequence[str]) -> str:
    """The first three, and how many more there are (``listWithMoreString``)."""
    text = ",".join(words[:_SHOWN])
    if len(words) > _SHOWN:
        return f"{text} + {len(words) - _SHOWN} more..."
    return text or "<unset>"


def _port(port: EndpointPort) -> str:
    if port.port is not None:
        return str(port.port)
    return "*" if port.name is None else port.name


def _addresses(endpoint_slice: EndpointSlice) -> list[str]:
    return [address for one in endpoint_slice.endpoints or () for address in one.addresses or ()]


def judge(endpoint_slice: EndpointSlice) -> tuple[State, str]:
    """No ready endpoint is critical, some that are not ready are a warning."""
    endpoints = endpoint_slice.endpoints or ()
    staying = [one for one in endpoints if not one.conditions.terminating]
    ready = sum(one.ready for one in endpoints)
    if not endpoints:
        return "warn", "it has no endpoints"
    if not ready:
        one = len(endpoints) == 1
        return (
            "bad",
            "its only endpoint is not ready" if one else f"none of {len(endpoints)} endpoints is ready",
        )
    if any(not one.ready for one in staying):
        return "warn", f"{ready} of {len(endpoints)} endpoints are ready"
    return "ok", ""


def row(endpoint_slice: EndpointSlice) -> Row:
    """The row, as ``printEndpointSlice`` writes it."""
    meta = endpoint_slice.metadata
    cells = (
        Cell(meta.name),
        Cell(endpoint_slice.address_type),
        Cell(_with_more([_port(port) for port in endpoint_slice.ports or ()])),
        Cell(_with_more(_addresses(endpoint_slice))),
        age(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(endpoint_slice), found_by=found_by(endpoint_slice))


def found_by(endpoint_slice: EndpointSlice) -> list[Found]:
    """Every address, those too that its column only counts."""
    return [("Endpoint", address) for address in _addresses(endpoint_slice)]


def detail(endpoint_slice: EndpointSlice) -> Detail:
    """The facts of the EndpointSlice's page."""
    meta, reason = endpoint_slice.metadata, judge(endpoint_slice)[1]
    endpoints = endpoint_slice.endpoints or ()
    facts = []
    if endpoint_slice.service:
        name = endpoint_slice.service
        facts.append(Fact("Service", name, link=reference("Service", meta.namespace, name)))
    facts.append(Fact("Ports", ", ".join(_port(port) for port in endpoint_slice.ports or ())))
    for one in endpoints:
        words = "ready" if one.ready else "ending" if one.conditions.terminating else "not ready"
        where = f"{words}, on node {one.node_name}" if one.node_name else words
        target = one.target_ref
        to = meant(target, target.namespace or meta.namespace) if target else None
        facts.append(Fact("Endpoint", ", ".join(one.addresses or ()), where, to))
    behind = f" behind Service {endpoint_slice.service}" if endpoint_slice.service else ""
    sentence = f"The addresses of {plural(len(endpoints), 'endpoint')}{behind}"
    return page(meta, sentence, facts, reason=reason)


ENDPOINTSLICES: Kind[EndpointSlice] = Kind(
    gvr=GVR("discovery.k8s.io", "v1", "endpointslices"),
    kind="EndpointSlice",
    title="EndpointSlices",
    singular="EndpointSlice",
    section="Network",
    rare=True,
    type=EndpointSlice,
    columns=COLUMNS,
    status_column="endpoints",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="An EndpointSlice lists the endpoints of a Service, and which of them are ready.",
)
