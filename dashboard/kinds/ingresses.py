"""Ingresses: host names and paths from outside to Services."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Found, Kind, Row, State
from .facts import page
from .meta import Object, Struct
from .references import reference
from .rows import AGE_HELP, NAME_HELP, NONE, age, col, columns, listed, make_row, sort_keys
from .services import LoadBalancer


class BackendPort(Struct, frozen=True, gc=False):
    """A Service's port by number or name."""

    number: int = 0
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.number)


class ServiceBackend(Struct, frozen=True, gc=False):
    """The Service that answers."""

    name: str = ""
    port: BackendPort = BackendPort()


class ResourceBackend(Struct, frozen=True, gc=False):
    """Any other object that answers; no group is the core."""

    api_group: str | None = None
    kind: str = ""
    name: str = ""


class Backend(Struct, frozen=True, gc=False):
    """What answers."""

    service: ServiceBackend | None = None
    resource: ResourceBackend | None = None


class Path(Struct, frozen=True, gc=False):
    """A path and what answers there."""

    path: str = ""
    path_type: str | None = None
    backend: Backend = Backend()


class HTTPRule(Struct, frozen=True, gc=False):
    """The paths of a host."""

    paths: tuple[Path, ...] | None = None


class Rule(Struct, frozen=True, gc=False):
    """A host and its paths; no host stands for every host."""

    host: str = ""
    http: HTTPRule | None = None


class TLS(Struct, frozen=True, gc=False):
    """Hosts, and the Secret with their certificate."""

    hosts: tuple[str, ...] | None = None
    secret_name: str = ""


# How Ingresses named their class before ``spec.ingressClassName``; controllers go on reading it.
OLDER_CLASS = "kubernetes.io/ingress.class"


class IngressSpec(Struct, frozen=True, gc=False):
    """spec of an Ingress."""

    ingress_class_name: str | None = None
    default_backend: Backend | None = None
    rules: tuple[Rule, ...] | None = None
    tls: tuple[TLS, ...] | None = None


class IngressStatus(Struct, frozen=True, gc=False):
    """status of an Ingress."""

    load_balancer: LoadBalancer = LoadBalancer()


class Ingress(Object, frozen=True, gc=False):
    """networking.k8s.io/v1 Ingress."""

    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()

    @property
    def by_annotation(self) -> bool:
        """Whether its class stands in the older annotation alone."""
        return self.spec.ingress_class_name is None and bool(self._older)

    @property
    def class_name(self) -> str:
        """The class that it asks for, by either way; "" for none."""
        return self.spec.ingress_class_name or (self._older if self.by_annotation else "")

    @property
    def _older(self) -> str:
        return self.metadata.note(OLDER_CLASS) or ""


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Class", "The class, and so the controller, that implements it."),
    col("Hosts", "Its host names; * means all."),
    col("Address", "The addresses of the load balancer or ingress controller."),
    col("Ports", "80 for HTTP, 443 for HTTPS."),
    col("Age", AGE_HELP),
)

_SHOWN = 3
OLDER_WAY = f"by the older annotation {OLDER_CLASS}"


def hosts(rules: tuple[Rule, ...]) -> str:
    """The Hosts column (``formatHosts``): rules after the third host are only counted, by rules."""
    found: list[str] = []
    more = False
    for rule in rules:
        more = more or len(found) == _SHOWN
        if rule.host and not more:
            found.append(rule.host)
    text = ",".join(found) or "*"
    return f"{text} + {len(rules) - _SHOWN} more..." if more else text


def judge(ingress: Ingress) -> tuple[State, str]:
    """Without an address no controller has taken it up."""
    if ingress.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    if not ingress.status.load_balancer.addresses:
        return "warn", "no ingress controller has given it an address"
    return "ok", ""


def row(ingress: Ingress) -> Row:
    """The row, as ``printIngress`` writes it."""
    meta, spec = ingress.metadata, ingress.spec
    cells = (
        Cell(meta.name),
        NONE if spec.ingress_class_name is None else Cell(spec.ingress_class_name),
        Cell(hosts(spec.rules or ())),
        Cell(",".join(ingress.status.load_balancer.addresses)),
        Cell("80, 443" if spec.tls else "80"),
        age(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(ingress), found_by=found_by(ingress))


def found_by(ingress: Ingress) -> list[Found]:
    """Every host name, those too that its column only counts, and its addresses."""
    spec = ingress.spec
    named = [rule.host for rule in spec.rules or ()] + [
        host for tls in spec.tls or () for host in tls.hosts or ()
    ]
    return [
        *(("Host name", host) for host in dict.fromkeys(named) if host),
        *ingress.status.load_balancer.found_by(),
    ]


def detail(ingress: Ingress) -> Detail:
    """The facts of the Ingress's page, besides where its paths lead."""
    meta, spec = ingress.metadata, ingress.spec
    reason = judge(ingress)[1]
    names = [rule.host or "every host" for rule in spec.rules or ()] or ["every host"]
    facts = [
        Fact("Class", ingress.class_name or "<none>", OLDER_WAY if ingress.by_annotation else ""),
        Fact("Address", ", ".join(ingress.status.load_balancer.addresses), reason),
    ]
    for tls in spec.tls or ():
        covered = ", ".join(tls.hosts or ()) or "every host"
        secret = reference("Secret", meta.namespace, tls.secret_name) if tls.secret_name else None
        facts.append(Fact("Certificate", tls.secret_name or "the controller's own", f"for {covered}", secret))
    sentence = f"Routes external requests for {listed(dict.fromkeys(names))} to Services"
    return page(meta, sentence, facts, reason=reason)


INGRESSES: Kind[Ingress] = Kind(
    gvr=GVR("networking.k8s.io", "v1", "ingresses"),
    kind="Ingress",
    title="Ingresses",
    singular="Ingress",
    section="Network",
    short_names=("ing",),
    type=Ingress,
    columns=COLUMNS,
    status_column="address",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="An Ingress routes external HTTP and HTTPS requests to Services by host and path.",
)
