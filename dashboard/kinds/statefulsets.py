"""StatefulSets: numbered pods that keep their names and volumes."""

from __future__ import annotations

import msgspec

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, ObjectMeta, Struct
from .persistentvolumeclaims import ClaimSpec, PersistentVolumeClaim
from .podspec import PodTemplate
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, plural, ratio_key, sort_keys
from .selectors import LabelSelector, format_label_selector
from .templates import (
    CONTAINERS,
    IMAGES,
    container_cells,
    template_containers,
    template_facts,
    template_found,
)


class Partition(Struct, frozen=True, gc=False):
    """A rolling update leaves pods below ``partition`` as they are; ``max_surge`` only in DaemonSets."""

    partition: int = 0
    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class UpdateStrategy(Struct, frozen=True, gc=False):
    """RollingUpdate or OnDelete; alike in StatefulSets and DaemonSets."""

    type: str = "RollingUpdate"
    rolling_update: Partition | None = None


class ClaimTemplate(Struct, frozen=True, gc=False):
    """A claim that every pod gets for itself: ``<name>-<pod>``."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ClaimSpec = ClaimSpec()

    def claim(self, namespace: str, pod: str) -> PersistentVolumeClaim:
        """The claim of one pod, as the controller creates it."""
        name = f"{self.metadata.name}-{pod}"
        meta = msgspec.structs.replace(self.metadata, name=name, namespace=namespace)
        return PersistentVolumeClaim(metadata=meta, spec=self.spec)


class ClaimRetention(Struct, frozen=True, gc=False):
    """Whether claims are kept (Retain) or deleted with their pods (Delete)."""

    when_deleted: str = "Retain"
    when_scaled: str = "Retain"


class Ordinals(Struct, frozen=True, gc=False):
    """The number of the first pod."""

    start: int = 0


class StatefulSetSpec(Struct, frozen=True, gc=False):
    """spec of a StatefulSet."""

    replicas: int = 1
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()
    update_strategy: UpdateStrategy = UpdateStrategy()
    volume_claim_templates: tuple[ClaimTemplate, ...] | None = None
    persistent_volume_claim_retention_policy: ClaimRetention = ClaimRetention()
    ordinals: Ordinals = Ordinals()


class StatefulSetStatus(Struct, frozen=True, gc=False):
    """status of a StatefulSet."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[ObjectCondition, ...] | None = None


class StatefulSet(Object, frozen=True, gc=False):
    """apps/v1 StatefulSet."""

    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()

    @property
    def partition(self) -> int:
        """Pods with a lower number keep the old revision."""
        rolling = self.spec.update_strategy.rolling_update
        return rolling.partition if rolling else 0


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Ready", "How many pods are ready, of how many are desired."),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
)


def judge(stateful_set: StatefulSet) -> tuple[State, str]:
    """The state of the rollout, by the rules of ``kubectl rollout status``, and of what runs after it."""
    meta, spec, status = stateful_set.metadata, stateful_set.spec, stateful_set.status
    if meta.deletion_timestamp is not None:
        return "info", "being deleted"
    if meta.generation > status.observed_generation:
        return "info", "waiting for the controller to observe the last change"
    if status.replicas != spec.replicas:
        return "info", f"scaling from {status.replicas} to {spec.replicas}"
    updating = bool(status.update_revision) and status.update_revision != status.current_revision
    if updating and spec.update_strategy.type == "OnDelete":
        return "warn", "the new revision applies when pods are deleted manually"
    target = spec.replicas - stateful_set.partition
    if updating and status.updated_replicas < target:
        return "info", f"rolling out: {status.updated_replicas} of {target} pods are up to date"
    if status.ready_replicas < spec.replicas:
        ready = f"{status.ready_replicas} of {spec.replicas} ready"
        if updating and not stateful_set.partition:
            return "info", f"rolling out: {ready}"
        return ("warn" if status.ready_replicas else "bad"), ready
    return "ok", "" if spec.replicas else "scaled to 0"


def row(stateful_set: StatefulSet) -> Row:
    """The row, as ``printStatefulSet`` writes it."""
    meta, spec, status = stateful_set.metadata, stateful_set.spec, stateful_set.status
    ready = Cell(f"{status.ready_replicas}/{spec.replicas}")
    cells = (Cell(meta.name), ready, age(meta.creation_timestamp), *container_cells(spec.template.spec))
    name, _, *others = sort_keys(cells)
    sort = (name, ratio_key(status.ready_replicas, spec.replicas), *others)
    return make_row(meta, cells, sort, *judge(stateful_set), found_by=template_found(stateful_set))


def detail(stateful_set: StatefulSet) -> Detail:
    """The facts of the StatefulSet's page."""
    meta, spec, status = stateful_set.metadata, stateful_set.spec, stateful_set.status
    reason = judge(stateful_set)[1]
    size = plural(spec.replicas, "numbered pod")
    ready = f"{status.ready_replicas} of {spec.replicas} ready"
    sentence = f"Keeps {size} with stable names and volumes: {ready}"
    if not spec.replicas:
        sentence = "Runs no pods now"
    facts = [
        Fact("Ready", f"{status.ready_replicas} of {spec.replicas}", reason),
        Fact("Up to date", str(status.updated_replicas)),
        Fact("Update strategy", spec.update_strategy.type, _strategy(stateful_set)),
        Fact("Order", spec.pod_management_policy, _ORDER.get(spec.pod_management_policy, "")),
    ]
    if spec.service_name:
        facts.append(Fact("Governing Service", spec.service_name, "gives each pod a host name"))
    kept = spec.persistent_volume_claim_retention_policy
    for template in spec.volume_claim_templates or ():
        note = f"when scaled down: {kept.when_scaled}, when deleted: {kept.when_deleted}"
        facts.append(Fact("Volume for each pod", template.metadata.name, note))
    facts.append(Fact("Selector", format_label_selector(spec.selector)))
    facts += template_facts(spec.template, meta.namespace)
    return page(
        meta,
        sentence,
        facts,
        reason="" if reason == ready else reason,
        conditions=conditions(status.conditions),
        containers=template_containers(spec.template.spec),
    )


_ORDER = {
    "OrderedReady": "one pod after the other, each ready before the next",
    "Parallel": "all pods at once",
}


def _strategy(stateful_set: StatefulSet) -> str:
    if stateful_set.spec.update_strategy.type == "OnDelete":
        return "a pod gets the new revision when it is deleted manually"
    partition = stateful_set.partition
    return (
        f"pods below number {partition} keep the old revision"
        if partition
        else "from the last pod to the first"
    )


STATEFULSETS: Kind[StatefulSet] = Kind(
    gvr=GVR("apps", "v1", "statefulsets"),
    kind="StatefulSet",
    title="StatefulSets",
    singular="StatefulSet",
    section="Workloads",
    short_names=("sts",),
    type=StatefulSet,
    columns=COLUMNS,
    status_column="ready",
    row=row,
    detail=detail,
    scales=True,
    found_by=template_found,
    explain="A StatefulSet manages pods with stable names and persistent volumes, as databases need.",
)
