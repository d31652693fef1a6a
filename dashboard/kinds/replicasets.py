"""ReplicaSets: one version of a Deployment's pods."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .deployments import RolloutMeta
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct, find_condition
from .podspec import PodTemplate
from .references import meant, title
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, shorten, sort_keys
from .selectors import LabelSelector, format_label_selector
from .templates import (
    CONTAINERS,
    IMAGES,
    container_cells,
    selector_column,
    template_containers,
    template_facts,
    template_found,
)


class ReplicaSetSpec(Struct, frozen=True, gc=False):
    """spec of a ReplicaSet."""

    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()


class ReplicaSetStatus(Struct, frozen=True, gc=False):
    """status of a ReplicaSet."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: tuple[ObjectCondition, ...] | None = None


class ReplicaSet(Object, frozen=True, gc=False):
    """apps/v1 ReplicaSet."""

    metadata: RolloutMeta
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Desired", "How many pods are desired.", num=True),
    col("Current", "How many pods there are.", num=True),
    col("Ready", "How many pods are ready.", num=True),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
    selector_column(),
)


def judge(replica_set: ReplicaSet) -> tuple[State, str]:
    """An old revision scaled to 0 is done; fewer ready pods than desired are a warning."""
    meta, spec, status = replica_set.metadata, replica_set.spec, replica_set.status
    if meta.deletion_timestamp is not None:
        return "info", "being deleted"
    failure = find_condition(status.conditions or (), "ReplicaFailure")
    if failure is not None and failure.status == "True":
        return "bad", shorten(f"pods can't be created: {failure.message}")
    if spec.replicas == 0:
        return ("done", "scaled to 0") if status.replicas == 0 else ("info", "scaling to 0")
    if status.replicas != spec.replicas:
        return "info", f"scaling from {status.replicas} to {spec.replicas}"
    if status.ready_replicas < spec.replicas:
        return "warn", f"{status.ready_replicas} of {spec.replicas} ready"
    return "ok", ""


def row(replica_set: ReplicaSet) -> Row:
    """The row, as ``printReplicaSet`` writes it."""
    meta, spec, status = replica_set.metadata, replica_set.spec, replica_set.status
    cells = (
        Cell(meta.name),
        Cell(str(spec.replicas)),
        Cell(str(status.replicas)),
        Cell(str(status.ready_replicas)),
        age(meta.creation_timestamp),
        *container_cells(spec.template.spec),
        Cell(format_label_selector(spec.selector)),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(replica_set), found_by=template_found(replica_set))


def detail(replica_set: ReplicaSet) -> Detail:
    """The facts of the ReplicaSet's page."""
    meta, spec, status = replica_set.metadata, replica_set.spec, replica_set.status
    reason = judge(replica_set)[1]
    owner = meta.controller
    what = f"One revision of {title(meant(owner, meta.namespace))}" if owner else "A set of identical pods"
    ready = f"{status.ready_replicas} of {spec.replicas} ready"
    sentence = f"{what}: {ready}" if spec.replicas else f"{what}: it runs no pods now"
    facts = [
        Fact("Ready", f"{status.ready_replicas} of {spec.replicas}", reason),
        Fact("Current", str(status.replicas)),
        Fact("Available", str(status.available_replicas)),
    ]
    if meta.revision:
        facts.append(Fact("Revision", meta.revision, meta.change_cause))
    facts.append(Fact("Selector", format_label_selector(spec.selector)))
    facts += template_facts(spec.template, meta.namespace)
    return page(
        meta,
        sentence,
        facts,
        reason="" if reason == ready else reason,
        conditions=conditions(status.conditions, bad_when_true=frozenset({"ReplicaFailure"})),
        containers=template_containers(spec.template.spec),
    )


REPLICASETS: Kind[ReplicaSet] = Kind(
    gvr=GVR("apps", "v1", "replicasets"),
    kind="ReplicaSet",
    title="ReplicaSets",
    singular="ReplicaSet",
    section="Workloads",
    short_names=("rs",),
    rare=True,
    type=ReplicaSet,
    columns=COLUMNS,
    status_column="ready",
    row=row,
    detail=detail,
    scales=True,
    found_by=template_found,
    explain="A ReplicaSet keeps replicas of a pod running; a Deployment creates one for each revision.",
)
