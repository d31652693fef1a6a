"""PriorityClasses: which pods go first when there is no room for all."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row
from .facts import page
from .meta import Object
from .rows import AGE_HELP, NAME_HELP, age, age_key, col, columns, deleted_state, make_row, natural


class PriorityClass(Object, frozen=True, gc=False):
    """scheduling.k8s.io/v1 PriorityClass."""

    value: int = 0
    global_default: bool = False
    description: str = ""
    preemption_policy: str | None = None


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Value", "The priority of its pods: higher is scheduled first.", num=True),
    col("Global-Default", "Whether pods without a class get it."),
    col("Age", AGE_HELP),
    col("PreemptionPolicy", "Whether its pods may preempt pods of lower priority."),
)


def row(priority: PriorityClass) -> Row:
    """The row, as ``printPriorityClass`` writes it."""
    meta = priority.metadata
    default, policy = str(priority.global_default).lower(), priority.preemption_policy or ""
    cells = (
        Cell(meta.name),
        Cell(str(priority.value)),
        Cell(default),
        age(meta.creation_timestamp),
        Cell(policy),
    )
    sort = (natural(meta.name), priority.value, default, age_key(meta.creation_timestamp), policy)
    return make_row(meta, cells, sort, *deleted_state(meta))


def detail(priority: PriorityClass) -> Detail:
    """The facts of the PriorityClass's page."""
    never = priority.preemption_policy == "Never"
    pushes = (
        "they do not preempt other pods"
        if never
        else "they preempt pods of lower priority when they can't be scheduled"
    )
    facts = [
        Fact("Priority", f"{priority.value:,}", "higher is scheduled first; without a class it is 0"),
        Fact("Preemption policy", priority.preemption_policy or "PreemptLowerPriority", pushes),
        Fact(
            "Default",
            "Yes" if priority.global_default else "No",
            "new pods without a class get it" if priority.global_default else "",
        ),
        Fact("Description", priority.description),
    ]
    return page(priority.metadata, f"Its pods have priority {priority.value:,}; {pushes}", facts)


PRIORITYCLASSES: Kind[PriorityClass] = Kind(
    gvr=GVR("scheduling.k8s.io", "v1", "priorityclasses", namespaced=False),
    kind="PriorityClass",
    title="PriorityClasses",
    singular="PriorityClass",
    section="Configuration",
    short_names=("pc",),
    rare=True,
    type=PriorityClass,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A PriorityClass defines which pods are scheduled first and which may be preempted.",
)
