"""Namespaces: rooms with their own names, rights and quotas."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct
from .rows import AGE_HELP, NAME_HELP, age, age_key, col, columns, make_row, natural, shorten


class NamespaceStatus(Struct, frozen=True, gc=False):
    """status of a Namespace."""

    phase: str = ""
    conditions: tuple[ObjectCondition, ...] | None = None


class Namespace(Object, frozen=True, gc=False):
    """v1 Namespace."""

    status: NamespaceStatus = NamespaceStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Status", "Active, or Terminating while everything in it is deleted."),
    col("Age", AGE_HELP),
)

# What still stands in the way of a deletion; the other conditions only tell that nothing went wrong.
_BLOCKERS = frozenset(
    {
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
        "NamespaceDeletionContentFailure",
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
    }
)


def judge(namespace: Namespace) -> tuple[State, str]:
    """While it is deleted, what it waits for."""
    if namespace.status.phase != "Terminating":
        return "ok", ""
    waits = [
        one for one in namespace.status.conditions or () if one.type in _BLOCKERS and one.status == "True"
    ]
    stuck = any(one.type != "NamespaceContentRemaining" for one in waits)
    return "warn" if stuck else "info", shorten(waits[-1].message) if waits else ""


def row(namespace: Namespace) -> Row:
    """The row, as ``printNamespace`` writes it."""
    meta, phase = namespace.metadata, namespace.status.phase
    state, reason = judge(namespace)
    cells = (Cell(meta.name), Cell(phase), age(meta.creation_timestamp))
    return make_row(meta, cells, (natural(meta.name), phase, age_key(meta.creation_timestamp)), state, reason)


def detail(namespace: Namespace) -> Detail:
    """The facts of the Namespace's page."""
    phase, reason = namespace.status.phase, judge(namespace)[1]
    sentence = f"A scope for names, access rules and quotas: {phase}"
    judged = conditions(namespace.status.conditions, bad_when_true=_BLOCKERS)
    facts = [Fact("Status", phase, reason)]
    return page(namespace.metadata, sentence, facts, reason=reason, conditions=judged)


NAMESPACES: Kind[Namespace] = Kind(
    gvr=GVR("", "v1", "namespaces", namespaced=False),
    kind="Namespace",
    title="Namespaces",
    singular="Namespace",
    section="Cluster",
    short_names=("ns",),
    type=Namespace,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    explain="A namespace is a scope for names, access rules and quotas.",
)
