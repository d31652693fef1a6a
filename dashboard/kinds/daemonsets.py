"""DaemonSets: one pod on every node."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct
from .podspec import PodTemplate
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, plural, sort_keys
from .selectors import LabelSelector, format_label_selector, format_labels
from .statefulsets import UpdateStrategy
from .templates import (
    CONTAINERS,
    IMAGES,
    container_cells,
    selector_column,
    template_containers,
    template_facts,
    template_found,
)


class DaemonSetSpec(Struct, frozen=True, gc=False):
    """spec of a DaemonSet."""

    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()
    update_strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0


class DaemonSetStatus(Struct, frozen=True, gc=False):
    """status of a DaemonSet; numbers of nodes."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_ready: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    number_misscheduled: int = 0
    conditions: tuple[ObjectCondition, ...] | None = None


class DaemonSet(Object, frozen=True, gc=False):
    """apps/v1 DaemonSet."""

    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Desired", "The number of nodes that should run its pod.", num=True),
    col("Current", "The number of those nodes that have one.", num=True),
    col("Ready", "The number of nodes on which it is ready.", num=True),
    col("Up-to-date", "The number of nodes on which it is up to date.", num=True),
    col("Available", "The number of nodes on which it has been ready for minReadySeconds.", num=True),
    col("Node Selector", "The labels of the nodes that it runs on."),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
    selector_column(),
)


def judge(daemon_set: DaemonSet) -> tuple[State, str]:
    """The state of the rollout, by the rules of ``kubectl rollout status``, and of what runs after it."""
    meta, spec, status = daemon_set.metadata, daemon_set.spec, daemon_set.status
    wanted = status.desired_number_scheduled
    if meta.deletion_timestamp is not None:
        return "info", "being deleted"
    if meta.generation > status.observed_generation:
        return "info", "waiting for the controller to observe the last change"
    if status.updated_number_scheduled < wanted:
        if spec.update_strategy.type == "OnDelete":
            return "warn", "the new revision applies when pods are deleted manually"
        return "info", f"rolling out: {status.updated_number_scheduled} of {wanted} pods are up to date"
    if status.number_available < wanted:
        return (
            "warn" if status.number_available else "bad"
        ), f"{status.number_available} of {wanted} available"
    if status.number_misscheduled:
        return "warn", f"runs on {plural(status.number_misscheduled, 'node')} where it should not"
    return "ok", "" if wanted else "no node matches"


def row(daemon_set: DaemonSet) -> Row:
    """The row, as ``printDaemonSet`` writes it."""
    meta, spec, status = daemon_set.metadata, daemon_set.spec, daemon_set.status
    cells = (
        Cell(meta.name),
        Cell(str(status.desired_number_scheduled)),
        Cell(str(status.current_number_scheduled)),
        Cell(str(status.number_ready)),
        Cell(str(status.updated_number_scheduled)),
        Cell(str(status.number_available)),
        Cell(format_labels(spec.template.spec.node_selector)),
        age(meta.creation_timestamp),
        *container_cells(spec.template.spec),
        Cell(format_label_selector(spec.selector)),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(daemon_set), found_by=template_found(daemon_set))


def detail(daemon_set: DaemonSet) -> Detail:
    """The facts of the DaemonSet's page."""
    meta, spec, status = daemon_set.metadata, daemon_set.spec, daemon_set.status
    reason = judge(daemon_set)[1]
    wanted = plural(status.desired_number_scheduled, "node")
    facts = [
        Fact("Ready", f"{status.number_ready} of {status.desired_number_scheduled}", reason),
        Fact("Up to date", str(status.updated_number_scheduled)),
        Fact("Available", str(status.number_available)),
        Fact("Update strategy", spec.update_strategy.type),
        Fact("Node selector", format_labels(spec.template.spec.node_selector)),
        Fact("Selector", format_label_selector(spec.selector)),
    ]
    facts += template_facts(spec.template, meta.namespace)
    ready = f"{status.number_ready} of {status.desired_number_scheduled} ready"
    sentence = f"Runs one pod on each of {wanted}: {ready}"
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        conditions=conditions(status.conditions),
        containers=template_containers(spec.template.spec),
    )


DAEMONSETS: Kind[DaemonSet] = Kind(
    gvr=GVR("apps", "v1", "daemonsets"),
    kind="DaemonSet",
    title="DaemonSets",
    singular="DaemonSet",
    section="Workloads",
    short_names=("ds",),
    type=DaemonSet,
    columns=COLUMNS,
    status_column="ready",
    row=row,
    detail=detail,
    found_by=template_found,
    explain="A DaemonSet ensures that all nodes, or all nodes with certain labels, run a copy of a pod.",
)
