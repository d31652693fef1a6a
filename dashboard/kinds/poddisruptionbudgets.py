"""PodDisruptionBudgets: how many pods may be taken away on purpose."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, plural, sort_keys
from .selectors import LabelSelector, format_label_selector


class BudgetSpec(Struct, frozen=True, gc=False):
    """spec of a PodDisruptionBudget: a number or a percentage."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = "IfHealthyBudget"


class BudgetStatus(Struct, frozen=True, gc=False):
    """status of a PodDisruptionBudget."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    conditions: tuple[ObjectCondition, ...] | None = None


class PodDisruptionBudget(Object, frozen=True, gc=False):
    """policy/v1 PodDisruptionBudget."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Min Available", "How many pods must stay available."),
    col("Max Unavailable", "How many pods may be unavailable."),
    col("Allowed Disruptions", "How many pods may be evicted now.", num=True),
    col("Age", AGE_HELP),
)


def judge(budget: PodDisruptionBudget) -> tuple[State, str]:
    """A budget that allows nothing blocks drains; one without pods protects nothing."""
    status = budget.status
    if budget.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    if not status.expected_pods:
        # Pods without a controller are not counted, and an eviction of theirs is refused all the same.
        alone = status.current_healthy > 0
        return (
            "warn",
            "its pods have no controller, so none may be evicted" if alone else "it protects no pods",
        )
    if status.disruptions_allowed:
        return "ok", ""
    healthy = f"{status.current_healthy} of {status.expected_pods} healthy, {status.desired_healthy} must be"
    return "warn", f"no pod may be evicted now: {healthy}"


def row(budget: PodDisruptionBudget) -> Row:
    """The row, as ``printPodDisruptionBudget`` writes it."""
    meta, spec = budget.metadata, budget.spec
    cells = (
        Cell(meta.name),
        Cell("N/A" if spec.min_available is None else str(spec.min_available)),
        Cell("N/A" if spec.max_unavailable is None else str(spec.max_unavailable)),
        Cell(str(budget.status.disruptions_allowed)),
        age(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(budget))


def detail(budget: PodDisruptionBudget) -> Detail:
    """The facts of the PodDisruptionBudget's page."""
    meta, spec, status = budget.metadata, budget.spec, budget.status
    reason, selector = judge(budget)[1], format_label_selector(spec.selector)
    if spec.min_available is not None:
        rule = f"at least {spec.min_available} must stay available"
    elif spec.max_unavailable is not None:
        rule = f"at most {spec.max_unavailable} may be unavailable"
    else:
        rule = "it sets no limit"
    facts = (
        Fact("Rule", rule),
        Fact("Allowed disruptions", str(status.disruptions_allowed), "pods that may be evicted now"),
        Fact(
            "Healthy",
            f"{status.current_healthy} of {status.expected_pods}",
            f"{status.desired_healthy} must be",
        ),
        Fact("Selector", selector, _selected(spec.selector) if selector == "<none>" else ""),
    )
    sentence = f"Protects {plural(status.expected_pods, 'pod')} from voluntary disruptions: {rule}"
    # DisruptionAllowed is False whenever the budget is used up, which is its purpose.
    judged = conditions(status.conditions, neutral=frozenset({"DisruptionAllowed"}))
    return page(meta, sentence, facts, reason=reason, conditions=judged)


def _selected(selector: LabelSelector | None) -> str:
    """An empty selector holds for every pod, none for no pod; kubectl writes both alike."""
    return "no pod" if selector is None else "every pod of the namespace"


PODDISRUPTIONBUDGETS: Kind[PodDisruptionBudget] = Kind(
    gvr=GVR("policy", "v1", "poddisruptionbudgets"),
    kind="PodDisruptionBudget",
    title="PodDisruptionBudgets",
    singular="PodDisruptionBudget",
    section="Workloads",
    short_names=("pdb",),
    rare=True,
    type=PodDisruptionBudget,
    columns=COLUMNS,
    status_column="allowed-disruptions",
    row=row,
    detail=detail,
    explain="A PodDisruptionBudget limits how many pods voluntary disruptions, such as a drain, may take down at once.",
)
