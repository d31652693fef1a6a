"""IngressClasses: which controller serves which Ingresses."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row
from .facts import page
from .meta import Object, Struct
from .references import reference
from .rows import AGE_HELP, NAME_HELP, NONE, age, col, columns, deleted_state, make_row, sort_keys


class Parameters(Struct, frozen=True, gc=False):
    """An object with further settings of the controller."""

    api_group: str | None = None
    kind: str = ""
    name: str = ""
    scope: str | None = None
    namespace: str | None = None


class IngressClassSpec(Struct, frozen=True, gc=False):
    """spec of an IngressClass."""

    controller: str = ""
    parameters: Parameters | None = None


class IngressClass(Object, frozen=True, gc=False):
    """networking.k8s.io/v1 IngressClass."""

    spec: IngressClassSpec = IngressClassSpec()

    @property
    def is_default(self) -> bool:
        """Whether Ingresses that name no class get this one (``HasDefaultAnnotation``)."""
        return self.metadata.note("ingressclass.kubernetes.io/is-default-class") == "true"


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Controller", "The controller that handles Ingresses that use this class."),
    col("Parameters", "An object with further parameters for that controller."),
    col("Age", AGE_HELP),
)


def row(ingress_class: IngressClass) -> Row:
    """The row, as ``printIngressClass`` writes it."""
    meta, spec = ingress_class.metadata, ingress_class.spec
    cells = (
        Cell(meta.name + (" (default)" if ingress_class.is_default else "")),
        Cell(spec.controller),
        Cell(_parameters(spec.parameters)) if spec.parameters else NONE,
        age(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


def _parameters(parameters: Parameters) -> str:
    group = "" if parameters.api_group is None else f".{parameters.api_group}"
    return f"{parameters.kind}{group}/{parameters.name}"


def detail(ingress_class: IngressClass) -> Detail:
    """The facts of the class's page."""
    meta, spec = ingress_class.metadata, ingress_class.spec
    default = "Ingresses without a class use it" if ingress_class.is_default else ""
    facts = [
        Fact("Controller", spec.controller),
        Fact("Default", "Yes" if ingress_class.is_default else "No", default),
    ]
    if spec.parameters is not None:
        parameters = spec.parameters
        namespace = parameters.namespace or ""
        to = reference(parameters.kind, namespace, parameters.name, parameters.api_group or "")
        note = f"in namespace {namespace}" if namespace else "of the whole cluster"
        facts.append(Fact("Parameters", _parameters(parameters), note, to))
    sentence = f"Ingresses that use this class are handled by controller {spec.controller}"
    return page(meta, f"{sentence}; {default}" if default else sentence, facts)


INGRESSCLASSES: Kind[IngressClass] = Kind(
    gvr=GVR("networking.k8s.io", "v1", "ingressclasses", namespaced=False),
    kind="IngressClass",
    title="IngressClasses",
    singular="IngressClass",
    section="Network",
    rare=True,
    type=IngressClass,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="An IngressClass names the controller that implements the Ingresses that use it.",
)
