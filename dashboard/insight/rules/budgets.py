"""PodDisruptionBudgets that stop every drain, protect nothing, or stand in each other's way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from dashboard.insight.finding import Evidence, Finding, Known, Step, because_of, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import find_condition
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import NOTHING, Selector, SelectorError, from_label_selector

from .templates import knows_templates, templates

# The disruption controller needs a moment, and pods may come after their budget.
COUNTING = timedelta(minutes=2)


def budgets(survey: Observed, known: Known) -> Iterator[Finding]:
    """Each by itself, then those of a namespace among each other."""
    by_namespace: dict[str, list[PodDisruptionBudget]] = defaultdict(list)
    for one in survey.all("poddisruptionbudgets"):
        by_namespace[one.metadata.namespace].append(one)
        if one.metadata.deletion_timestamp is not None:
            continue
        current = one.status.observed_generation >= one.metadata.generation
        ref = _ref(one)
        # A controller that cannot count does not say of which generation (failSafe of pkg/controller/disruption).
        found = _cannot_count(survey, one, ref)
        if found is None and current and survey.older(one.metadata.creation_timestamp, COUNTING):
            found = _protects_nothing(survey, one, ref) or _blocks(one, ref)
        if found is not None:
            yield found
    for namespace, group in by_namespace.items():
        if len(group) > 1:
            yield from _overlaps(survey, namespace, group)


def _ref(one: PodDisruptionBudget) -> Ref:
    return Ref("PodDisruptionBudget", one.metadata.namespace, one.metadata.name, "poddisruptionbudgets")


def _selector(one: PodDisruptionBudget) -> Selector:
    try:
        return from_label_selector(one.spec.selector)
    except SelectorError:
        return NOTHING


def _cannot_count(survey: Observed, one: PodDisruptionBudget, ref: Ref) -> Finding | None:
    allowed = find_condition(one.status.conditions or (), "DisruptionAllowed")
    if allowed is None or allowed.status != "False" or allowed.reason != "SyncFailed":
        return None
    if not survey.older(allowed.last_transition_time, COUNTING):
        return None
    text = parts(*subject(ref), " can't be computed, so no pod that it covers can be evicted.")
    step = Step(
        "Check that all its pods belong to a workload with a scale subresource, or give minAvailable as a number.",
        ref,
    )
    since = allowed.last_transition_time
    return Finding("budget-cannot-count", "warn", 26, ref, text, step, because_of(allowed), since)


def _protects_nothing(survey: Observed, one: PodDisruptionBudget, ref: Ref) -> Finding | None:
    known = survey.reads("pods", ref.namespace) and knows_templates(survey, ref.namespace)
    if one.status.expected_pods or not known:
        return None
    selector = _selector(one)
    if any(selector.matches(each.labels) for each in templates(survey, ref.namespace)):
        return None  # it is for a workload that runs no pods just now
    if next(survey.matching(ref.namespace, selector), None) is not None:
        return None
    text = parts(*subject(ref), " protects no pods: none has the labels that it selects.")
    step = Step("Correct its selector, or delete it.", ref, "yaml")
    evidence = (*stands("spec.selector", str(selector) or "none"), *stands("status.expectedPods", "0"))
    return Finding("budget-selects-nothing", "warn", 12, ref, text, step, evidence)


def _blocks(one: PodDisruptionBudget, ref: Ref) -> Finding | None:
    """All pods are needed, so that it refuses an eviction even when all are healthy."""
    status = one.status
    if (
        status.disruptions_allowed
        or not status.expected_pods
        or status.desired_healthy < status.expected_pods
    ):
        return None
    pods = "its only pod" if status.expected_pods == 1 else f"its {plural(status.expected_pods, 'pod')}"
    text = parts(*subject(ref), f" allows 0 disruptions of {pods}: node drains will block.")
    spec = one.spec
    allow = "Allow one to be unavailable (maxUnavailable: 1)"
    # A share of the pods, or none of however many, grows with them.
    more = isinstance(spec.min_available, int)
    step = Step(f"{allow}, or add a replica." if more else f"{allow}.", ref, "yaml")
    asks = (
        f"minAvailable {spec.min_available}"
        if spec.min_available is not None
        else f"maxUnavailable {spec.max_unavailable}"
    )
    count = (
        f"{status.current_healthy} healthy, {status.desired_healthy} must be, {status.expected_pods} in all"
    )
    evidence = (*stands("spec", asks), *stands("status", count))
    return Finding("budget-blocks", "warn", 14, ref, text, step, evidence)


def _overlaps(survey: Observed, namespace: str, group: Sequence[PodDisruptionBudget]) -> Iterator[Finding]:
    """The API server refuses to evict a pod that more than one budget covers."""
    selectors = [(one, _selector(one)) for one in group if one.metadata.deletion_timestamp is None]
    told: set[tuple[str, ...]] = set()
    for alike in survey.alike.get(namespace, ()):
        over = sorted(one.metadata.name for one, selector in selectors if selector.matches(alike.labels))
        if len(over) < 2 or tuple(over) in told:
            continue
        told.add(tuple(over))
        ref = Ref("PodDisruptionBudget", namespace, over[0], "poddisruptionbudgets")
        pod = alike.pods[0].metadata.name
        text = parts(
            *subject(ref),
            f" covers pods that {listed(over[1:])} covers too: none of them can be evicted, so drains fail.",
        )
        step = Step("Keep only one budget per pod.", ref, "yaml")
        evidence = (
            Evidence("Budgets over the same pod", listed(over)),
            Evidence(f"Pod {pod}", "its labels match all of them", Ref("Pod", namespace, pod, "pods")),
        )
        yield Finding("budget-overlap", "warn", 16, ref, text, step, evidence)
