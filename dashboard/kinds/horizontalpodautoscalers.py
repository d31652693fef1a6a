"""HorizontalPodAutoscalers: change the number of pods by their load."""

from __future__ import annotations

from datetime import datetime

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct, find_condition
from .metrics import MetricSpec, MetricStatus, load_key, name_of, target_texts, targets, unread
from .references import meant, title
from .rows import AGE_HELP, NAME_HELP, UNSET, age, col, columns, listed, make_row, shorten, sort_keys


class ScaleTarget(Struct, frozen=True, gc=False):
    """What is scaled."""

    kind: str = ""
    name: str = ""
    api_version: str = ""


# A selectPolicy that lets nothing be done in its direction (autoscaling/v2, ``DisabledPolicySelect``).
DISABLED = "Disabled"


class ScalingRules(Struct, frozen=True, gc=False):
    """How it scales in one direction."""

    select_policy: str | None = None


class Behavior(Struct, frozen=True, gc=False):
    """How it scales up and down."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class AutoscalerSpec(Struct, frozen=True, gc=False):
    """spec of a HorizontalPodAutoscaler."""

    scale_target_ref: ScaleTarget = ScaleTarget()
    min_replicas: int | None = None
    max_replicas: int = 0
    metrics: tuple[MetricSpec, ...] | None = None
    behavior: Behavior | None = None

    @property
    def paused(self) -> bool:
        """Whether load changes nothing: no policy lets it scale, up or down."""
        rules = (self.behavior.scale_up, self.behavior.scale_down) if self.behavior else (None,)
        return all(each is not None and each.select_policy == DISABLED for each in rules)


class AutoscalerStatus(Struct, frozen=True, gc=False):
    """status of a HorizontalPodAutoscaler."""

    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: tuple[MetricStatus, ...] | None = None
    conditions: tuple[ObjectCondition, ...] | None = None
    last_scale_time: datetime | None = None


class HorizontalPodAutoscaler(Object, frozen=True, gc=False):
    """autoscaling/v2 HorizontalPodAutoscaler."""

    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Reference", "The workload that it scales."),
    col("Targets", "The current and the target value of each metric."),
    col("MinPods", "The minimum number of replicas.", num=True),
    col("MaxPods", "The maximum number of replicas.", num=True),
    col("Replicas", "How many pods there are now.", num=True),
    col("Age", AGE_HELP),
)


def judge(autoscaler: HorizontalPodAutoscaler) -> tuple[State, str]:
    """By its conditions: unable to scale or to measure, switched off, at its limit, scaling."""
    spec, status = autoscaler.spec, autoscaler.status
    found = status.conditions or ()
    if autoscaler.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    able, active = find_condition(found, "AbleToScale"), find_condition(found, "ScalingActive")
    if able is not None and able.status == "False":
        return "bad", shorten(f"can't scale: {able.message}")
    if active is not None and active.status == "False":
        if active.reason == "ScalingDisabled":
            return "warn", "disabled: its target is scaled to 0"
        return "bad", shorten(f"can't read its metrics: {active.message}")
    if spec.paused:
        return "warn", "paused: load changes nothing"
    if active is not None and (missing := unread(spec.metrics or (), status.current_metrics or ())):
        return (
            "warn",
            f"no value of {len(missing)} of {len(spec.metrics or ())} metrics: {listed(map(name_of, missing))}",
        )
    limited = find_condition(found, "ScalingLimited")
    if limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas":
        return "warn", f"needs more than its maximum of {spec.max_replicas}"
    if status.desired_replicas != status.current_replicas:
        return "info", f"scaling from {status.current_replicas} to {status.desired_replicas}"
    return "ok", ""


def row(autoscaler: HorizontalPodAutoscaler) -> Row:
    """The row, as ``printHorizontalPodAutoscaler`` writes it."""
    meta, spec, status = autoscaler.metadata, autoscaler.spec, autoscaler.status
    cells = (
        Cell(meta.name),
        Cell(f"{spec.scale_target_ref.kind}/{spec.scale_target_ref.name}"),
        Cell(targets(spec.metrics or (), status.current_metrics or ())),
        UNSET if spec.min_replicas is None else Cell(str(spec.min_replicas)),
        Cell(str(spec.max_replicas)),
        Cell(str(status.current_replicas)),
        age(meta.creation_timestamp),
    )
    name, reference, _, *others = sort_keys(cells)
    load = load_key(spec.metrics or (), status.current_metrics or ())
    return make_row(meta, cells, (name, reference, load, *others), *judge(autoscaler))


def detail(autoscaler: HorizontalPodAutoscaler) -> Detail:
    """The facts of the HorizontalPodAutoscaler's page."""
    meta, spec, status = autoscaler.metadata, autoscaler.spec, autoscaler.status
    reason, scaled = judge(autoscaler)[1], meant(spec.scale_target_ref, meta.namespace)
    least = 1 if spec.min_replicas is None else spec.min_replicas
    facts = [
        Fact("Scales", title(scaled), link=scaled),
        Fact("Pods", str(status.current_replicas), f"between {least} and {spec.max_replicas}"),
        Fact("Desired", str(status.desired_replicas), reason),
    ]
    measures = target_texts(spec.metrics or (), status.current_metrics or ())
    facts += [Fact("Metric", text, "current / target") for text in measures]
    if status.last_scale_time is not None:
        facts.append(Fact("Last scaled", "", since=status.last_scale_time))
    sentence = f"Keeps {title(scaled)} between {least} and {spec.max_replicas} pods by load"
    judged = conditions(status.conditions, neutral=frozenset({"ScalingLimited"}))
    sentence += f"; now {status.current_replicas}"
    return page(meta, sentence, facts, reason=reason, conditions=judged)


HORIZONTALPODAUTOSCALERS: Kind[HorizontalPodAutoscaler] = Kind(
    gvr=GVR("autoscaling", "v2", "horizontalpodautoscalers"),
    kind="HorizontalPodAutoscaler",
    title="HorizontalPodAutoscalers",
    singular="HorizontalPodAutoscaler",
    section="Workloads",
    short_names=("hpa",),
    rare=True,
    type=HorizontalPodAutoscaler,
    columns=COLUMNS,
    status_column="replicas",
    row=row,
    detail=detail,
    explain="A HorizontalPodAutoscaler scales a workload up and down to match demand.",
)
