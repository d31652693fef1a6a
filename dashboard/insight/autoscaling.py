"""What a HorizontalPodAutoscaler by CPU utilization would do now, told before it is created or edited.

Rules: kubernetes.io, Horizontal Pod Autoscaling, "Algorithm details"; kubernetes/kubernetes, pkg/controller/podautoscaler
(``GetResourceReplicas``, ``--horizontal-pod-autoscaler-tolerance``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.metrics import MetricSpec
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.references import meant, title
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet
from dashboard.kinds.usage import PodUse

from .capacity import container_requests
from .impact import Effect, Impact, Notice, selector_of
from .ownership import controllers
from .protocols import Objects
from .words import bold, parts

TOLERANCE = Decimal("0.1")  # as the controller manager has it by default
Workload = Deployment | StatefulSet | ReplicaSet
SCALED = frozenset({"deployments", "statefulsets", "replicasets"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``cpu`` is the target utilization in percent of the request; None where it scales by other metrics alone."""

    least: int
    most: int
    cpu: int | None


def autoscaler_of(objects: Objects, ref: Ref, but: str = "") -> HorizontalPodAutoscaler | None:
    """What scales a workload already, as far as the objects tell, ``but`` the one of that name."""
    found: HorizontalPodAutoscaler
    for found in objects.all("horizontalpodautoscalers", ref.namespace):
        meta = found.metadata
        if meta.deletion_timestamp is None and meta.name != but and _scaled(found) == ref:
            return found
    return None


def _scaled(autoscaler: HorizontalPodAutoscaler) -> Ref:
    return meant(autoscaler.spec.scale_target_ref, autoscaler.metadata.namespace)


def unrequested(spec: PodSpec) -> list[str]:
    """The containers without a CPU request: with any of them, utilization can't be computed."""
    return [one.name for one in spec.containers or () if not container_requests(one).get("cpu")]


def measured_utilization(
    objects: Objects, ref: Ref, workload: Workload, used: Mapping[tuple[str, str], PodUse]
) -> int | None:
    """What the running pods of a workload use of what they request, in percent; None without measurements."""
    selector, cores, requested = selector_of(workload.spec.selector), 0.0, Decimal(0)
    for pod in objects.all("pods", ref.namespace):
        use = used.get((ref.namespace, pod.metadata.name))
        if (
            use is None
            or pod.status.phase != "Running"
            or pod.metadata.deletion_timestamp is not None
            or not selector.matches(pod.metadata.labels)
            or ref not in controllers(objects, pod)
        ):
            continue
        cores += use.total.cpu
        requested += sum(
            (container_requests(one).get("cpu", Decimal(0)) for one in pod.spec.containers or ()), Decimal(0)
        )
    return int(100 * cores / float(requested)) if requested else None


def reported_utilization(autoscaler: HorizontalPodAutoscaler) -> int | None:
    """What the autoscaler itself measured last, in percent."""
    measured = autoscaler.status.current_metrics or ()
    for spec, status in zip(autoscaler.spec.metrics or (), measured, strict=False):
        if _is_cpu(spec) and status.resource is not None:
            return status.resource.current.average_utilization
    return None


def wanted_replicas(current: int, utilization: int, bounds: Bounds) -> int:
    """How many replicas it sets: ceil(current × utilization / target), the same within the tolerance, within bounds."""
    wanted = current
    if bounds.cpu is not None and abs(Decimal(utilization) / bounds.cpu - 1) > TOLERANCE:
        wanted = -(-current * utilization // bounds.cpu)
    return min(max(wanted, bounds.least), bounds.most)


def autoscale_impact(
    ref: Ref, workload: Workload | None, bounds: Bounds, utilization: int | None, *, others: int = 0
) -> Impact:
    """What it does once it has these bounds. ``workload`` is what it scales, None where that is not known;
    ``utilization`` of its CPU requests, None without metrics; ``others`` counts the metrics besides CPU.
    """
    headline = Notice(
        "info", f"Keeps {title(ref)} between {bounds.least} and {plural(bounds.most, 'replica')}", ""
    )
    if workload is not None:
        headline = _now(workload, bounds, utilization)
    lost = _lost_claims(workload, bounds) if isinstance(workload, StatefulSet) else None
    effects = tuple(_effects(ref, workload, bounds, utilization, others))
    return Impact(headline, effects, (lost,) if lost else (), takes_claims(workload, bounds))


def takes_claims(workload: Workload | None, bounds: Bounds) -> bool:
    """Whether what it scales has more pods than it allows, and the claims of those that go are deleted after them."""
    lost = _lost_claims(workload, bounds) if isinstance(workload, StatefulSet) else None
    return lost is not None and lost.state == "bad"


def _lost_claims(workload: StatefulSet, bounds: Bounds) -> Notice | None:
    """What a scale-down takes along; None where it keeps the claims, or can't come."""
    spec = workload.spec
    kept = spec.persistent_volume_claim_retention_policy.when_scaled != "Delete"
    if kept or not spec.volume_claim_templates or not spec.replicas:
        return None
    text = "whenScaled is Delete: the claims of the pods that go are deleted with their data, and no undo restores it."
    if spec.replicas > bounds.most:
        return Notice("bad", f"It scales {workload.metadata.name} down at once, and claims are deleted", text)
    if bounds.least == bounds.most:
        return None
    return Notice("warn", "Each time it scales down, claims are deleted", text)


def paused_impact(objects: Objects, autoscaler: HorizontalPodAutoscaler) -> Impact:
    """What stops when both of its policies are disabled; its bounds are kept nevertheless."""
    ref, workload, bounds = scaled_by(objects, autoscaler)
    current = autoscaler.status.current_replicas if workload is None else workload.spec.replicas
    text = "Load changes nothing until it is resumed. It can be scaled by hand meanwhile."
    headline = Notice("warn", f"{title(ref)} stays at {plural(current, 'replica')}", text)
    between = f"{bounds.least} and {plural(bounds.most, 'replica')}"
    effect = Effect("info", "scale", parts("It still keeps to its bounds"), f"between {between}", "", ref)
    return Impact(headline, (effect,))


def resumed_impact(
    objects: Objects, autoscaler: HorizontalPodAutoscaler, utilization: int | None = None
) -> Impact:
    """What it does once its policies let it scale again; ``utilization`` as measured, if it reports none itself."""
    ref, workload, bounds = scaled_by(objects, autoscaler)
    others = sum(not _is_cpu(each) for each in autoscaler.spec.metrics or ())
    reported = reported_utilization(autoscaler)
    return autoscale_impact(
        ref, workload, bounds, utilization if reported is None else reported, others=others
    )


def written_impact(
    objects: Objects, autoscaler: HorizontalPodAutoscaler, utilization: int | None = None
) -> Impact:
    """What one does that is written as a whole, by YAML or from a backup: with it whatever a form would have refused."""
    ref, workload, bounds = scaled_by(objects, autoscaler)
    within = workload is None or bounds.least <= workload.spec.replicas <= bounds.most
    if autoscaler.spec.paused and within:
        impact = paused_impact(objects, autoscaler)
    else:
        impact = resumed_impact(objects, autoscaler, utilization)
    other = autoscaler_of(objects, ref, but=autoscaler.metadata.name)
    if other is None:
        return impact
    text = "While two select the same pods, neither scales by its metrics (AmbiguousSelector). Edit that one instead."
    title_ = f"HorizontalPodAutoscaler {other.metadata.name} scales {title(ref)} already"
    return replace(impact, notices=(Notice("bad", title_, text), *impact.notices))


def scaled_by(objects: Objects, autoscaler: HorizontalPodAutoscaler) -> tuple[Ref, Workload | None, Bounds]:
    """What it scales, as far as that is known, and within which bounds."""
    ref = _scaled(autoscaler)
    found = objects.get(ref.plural, ref.namespace, ref.name) if ref.plural in SCALED else None
    return ref, found, bounds_of(autoscaler)


def bounds_of(autoscaler: HorizontalPodAutoscaler) -> Bounds:
    """What it keeps to as it is."""
    spec = autoscaler.spec
    targets = (each.resource.target for each in spec.metrics or () if each.resource and _is_cpu(each))
    cpu = next((each.average_utilization for each in targets if each.average_utilization), None)
    least = 1 if spec.min_replicas is None else spec.min_replicas
    return Bounds(least=least, most=spec.max_replicas, cpu=cpu)


def _is_cpu(metric: MetricSpec) -> bool:
    return metric.resource is not None and metric.resource.name == "cpu"


def _now(workload: Workload, bounds: Bounds, utilization: int | None) -> Notice:
    name, current = workload.metadata.name, workload.spec.replicas
    if current == 0:
        text = "At 0 replicas an autoscaler is disabled. Scale it to at least 1 to start autoscaling."
        return Notice("warn", f"{name} stays at 0 replicas", text)
    if bounds.cpu is not None and (missing := unrequested(workload.spec.template.spec)):
        which = "Container" if len(missing) == 1 else "Containers"
        verb = "has" if len(missing) == 1 else "have"
        text = (
            f"{which} {listed(missing)} of {name} {verb} no CPU request. Set one in the pod template first."
        )
        return Notice("bad", "Can't compute utilization: no CPU request", text)
    within = min(max(current, bounds.least), bounds.most)
    if bounds.cpu is None or utilization is None:
        text = (
            ""
            if bounds.cpu is None
            else "There are no CPU metrics of its pods now. Without them it only keeps to its bounds."
        )
        if within != current:
            return Notice("warn", f"{name} is scaled from {current} to {within}", text)
        title = f"{name} stays at {plural(current, 'replica')} for now"
        return Notice("info" if bounds.cpu is None else "warn", title, text)
    wanted = wanted_replicas(current, utilization, bounds)
    text = f"Its pods use {utilization} % of the CPU that they request; the target is {bounds.cpu} %."
    if wanted == current:
        return Notice("info", f"{name} stays at {plural(current, 'replica')} for now", text)
    return Notice(
        "warn" if wanted < current else "info", f"{name} is scaled from {current} to {wanted}", text
    )


def _effects(
    ref: Ref, workload: Workload | None, bounds: Bounds, utilization: int | None, others: int
) -> Iterator[Effect]:
    between = f"{bounds.least} and {plural(bounds.most, 'replica')}"
    note = "it sets the number of replicas: setting it by hand does not last"
    yield Effect("info", "scale", parts(bold(title(ref)), f" is kept between {between}"), note, "", ref)
    if bounds.cpu is not None and workload is not None and utilization is not None:
        low, high = (bounds.cpu * share // 100 for share in (90, 110))
        text = parts(f"From {low} % to {high} % of utilization it changes nothing")
        yield Effect("ok", "ok", text, "the default tolerance is 10 %")
    if others:
        text = parts(f"{plural(others, 'other metric')} {'stays' if others == 1 else 'stay'} as before")
        yield Effect("info", "info", text, "the metric that asks for the most replicas counts")
    if bounds.least == bounds.most:
        yield Effect(
            "warn",
            "warn",
            parts("It never changes the number of replicas"),
            "minimum and maximum are the same",
        )
