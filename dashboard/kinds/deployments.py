"""Deployments: keep copies of a pod running and replace them step by step."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, ObjectMeta, Struct, find_condition
from .podspec import PodTemplate
from .rows import (
    AGE_HELP,
    NAME_HELP,
    age,
    col,
    columns,
    make_row,
    plural,
    ratio_key,
    shorten,
    sort_keys,
)
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


class RolloutMeta(ObjectMeta, frozen=True, gc=False):
    """metadata of a Deployment or one of its ReplicaSets."""

    @property
    def revision(self) -> str:
        """The rollout's number, or ""."""
        return self.note("deployment.kubernetes.io/revision") or ""

    @property
    def change_cause(self) -> str:
        """Why the revision was made, or ""."""
        return self.note("kubernetes.io/change-cause") or ""


class RollingUpdate(Struct, frozen=True, gc=False):
    """How many pods a rollout may take away or add at a time: numbers or percentages."""

    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class Strategy(Struct, frozen=True, gc=False):
    """RollingUpdate or Recreate."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Struct, frozen=True, gc=False):
    """spec of a Deployment."""

    replicas: int = 1
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()
    strategy: Strategy = Strategy()
    paused: bool = False
    min_ready_seconds: int = 0
    progress_deadline_seconds: int | None = None
    revision_history_limit: int | None = None


class DeploymentStatus(Struct, frozen=True, gc=False):
    """status of a Deployment."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: tuple[ObjectCondition, ...] | None = None


class Deployment(Object, frozen=True, gc=False):
    """apps/v1 Deployment."""

    metadata: RolloutMeta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Ready", "How many pods are ready, of how many are desired."),
    col("Up-to-date", "How many pods are up to date with the pod template.", num=True),
    col("Available", "How many pods have been ready for minReadySeconds.", num=True),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
    selector_column(),
)


def judge(deployment: Deployment) -> tuple[State, str]:
    """The state of the rollout, by the rules of ``kubectl rollout status``, and of what runs after it."""
    meta, spec, status = deployment.metadata, deployment.spec, deployment.status
    if meta.deletion_timestamp is not None:
        return "info", "being deleted"
    found = status.conditions or ()
    failure = find_condition(found, "ReplicaFailure")
    if failure is not None and failure.status == "True":
        return "bad", shorten(f"pods can't be created: {failure.message}")
    progressing = find_condition(found, "Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return (
            "bad",
            f"the rollout is not progressing: {status.available_replicas} of {spec.replicas} available",
        )
    if spec.paused:
        return "warn", "paused: changes are not rolled out until it is resumed"
    if meta.generation > status.observed_generation:
        return "info", "waiting for the controller to observe the last change"
    if status.updated_replicas < spec.replicas:
        return "info", f"rolling out: {status.updated_replicas} of {spec.replicas} pods are up to date"
    if status.replicas > status.updated_replicas:
        return (
            "info",
            f"rolling out: {plural(status.replicas - status.updated_replicas, 'old pod')} terminating",
        )
    if status.available_replicas >= spec.replicas:
        return "ok", "" if spec.replicas else "scaled to 0"
    missing = f"{status.available_replicas} of {spec.replicas} available"
    if progressing is not None and progressing.reason != "NewReplicaSetAvailable":
        return "info", f"rolling out: {missing}"
    return ("warn" if status.available_replicas else "bad"), missing


def row(deployment: Deployment) -> Row:
    """The row, as ``printDeployment`` writes it."""
    meta, spec, status = deployment.metadata, deployment.spec, deployment.status
    cells = (
        Cell(meta.name),
        Cell(f"{status.ready_replicas}/{spec.replicas}"),
        Cell(str(status.updated_replicas)),
        Cell(str(status.available_replicas)),
        age(meta.creation_timestamp),
        *container_cells(spec.template.spec),
        Cell(format_label_selector(spec.selector, empty="", invalid="<invalid>")),
    )
    name, _, *others = sort_keys(cells)
    sort = (name, ratio_key(status.ready_replicas, spec.replicas), *others)
    return make_row(meta, cells, sort, *judge(deployment), found_by=template_found(deployment))


def detail(deployment: Deployment) -> Detail:
    """The facts of the Deployment's page."""
    meta, spec, status = deployment.metadata, deployment.spec, deployment.status
    reason = judge(deployment)[1]
    size = plural(spec.replicas, "copy", "copies")
    sentence = f"Keeps {size} of its pod running: {status.ready_replicas} of {spec.replicas} ready"
    if not spec.replicas:
        sentence = "Runs no pods now"
    facts = [
        Fact("Ready", f"{status.ready_replicas} of {spec.replicas}", reason),
        Fact("Up to date", str(status.updated_replicas)),
        Fact("Available", str(status.available_replicas)),
        Fact("Strategy", spec.strategy.type, _strategy(spec.strategy)),
    ]
    if meta.revision:
        facts.append(Fact("Revision", meta.revision, meta.change_cause))
    facts.append(Fact("Selector", format_label_selector(spec.selector)))
    facts += template_facts(spec.template, meta.namespace)
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        conditions=conditions(status.conditions, bad_when_true=frozenset({"ReplicaFailure"})),
        containers=template_containers(spec.template.spec),
    )


def _strategy(strategy: Strategy) -> str:
    rolling = strategy.rolling_update
    if strategy.type == "Recreate":
        return "terminates all pods before it creates new ones"
    if rolling is None:
        return ""
    return f"at most {rolling.max_unavailable} unavailable and {rolling.max_surge} extra at a time"


DEPLOYMENTS: Kind[Deployment] = Kind(
    gvr=GVR("apps", "v1", "deployments"),
    kind="Deployment",
    title="Deployments",
    singular="Deployment",
    section="Workloads",
    short_names=("deploy",),
    type=Deployment,
    columns=COLUMNS,
    status_column="ready",
    row=row,
    detail=detail,
    scales=True,
    found_by=template_found,
    explain="A Deployment keeps replicas of a pod running and rolls out changes step by step.",
)
