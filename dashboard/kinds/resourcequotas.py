"""ResourceQuotas: how much a namespace may use."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import page
from .meta import Object, Struct
from .quantity import parse
from .rows import AGE_HELP, NAME_HELP, age, age_key, col, columns, listed, make_row, natural

_FULL, _NEARLY = Decimal(1), Decimal("0.9")


class Scope(Struct, frozen=True, gc=False):
    """One entry of scopeSelector.matchExpressions."""

    scope_name: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class ScopeSelector(Struct, frozen=True, gc=False):
    """spec.scopeSelector: which pods are counted, such as those of a PriorityClass."""

    match_expressions: tuple[Scope, ...] | None = None


class QuotaSpec(Struct, frozen=True, gc=False):
    """spec of a ResourceQuota."""

    hard: dict[str, str] = msgspec.field(default_factory=dict)
    scopes: tuple[str, ...] | None = None
    scope_selector: ScopeSelector | None = None

    @property
    def required(self) -> tuple[Scope, ...]:
        """What a pod must match to be counted, all of it."""
        chosen = self.scope_selector.match_expressions or () if self.scope_selector else ()
        return (*(Scope(scope_name=each, operator="Exists") for each in self.scopes or ()), *chosen)

    @property
    def counts_only(self) -> tuple[str, ...]:
        """The scopes of the pods that it counts, in words; none: it counts all."""
        chosen = self.scope_selector.match_expressions or () if self.scope_selector else ()
        words = (" ".join((each.scope_name, each.operator, *(each.values or ()))) for each in chosen)
        return (*(self.scopes or ()), *words)


class QuotaStatus(Struct, frozen=True, gc=False):
    """status of a ResourceQuota; quantities as texts."""

    hard: dict[str, str] = msgspec.field(default_factory=dict)
    used: dict[str, str] = msgspec.field(default_factory=dict)


class ResourceQuota(Object, frozen=True, gc=False):
    """v1 ResourceQuota."""

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()

    def share(self, resource: str) -> Decimal:
        """How much of a limit is used: 0 none, 1 all; 1 for a limit of 0."""
        hard = parse(self.status.hard[resource])
        return parse(self.status.used.get(resource, "0")) / hard if hard else _FULL


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Request", "The requests and object counts used, of their limits."),
    col("Limit", "The sum of limits used, of what is allowed."),
    col("Age", AGE_HELP),
)


def judge(quota: ResourceQuota) -> tuple[State, str]:
    """A used-up limit refuses new objects."""
    # A limit of 0 forbids something on purpose.
    limits = [name for name in sorted(quota.status.hard) if parse(quota.status.hard[name])]
    full = [name for name in limits if quota.share(name) >= _FULL]
    if full:
        return "warn", f"exhausted: {listed(full)}"
    nearly = [name for name in limits if quota.share(name) >= _NEARLY]
    return ("warn", f"nearly exhausted: {listed(nearly)}") if nearly else ("ok", "")


def _is_limit(resource: str) -> bool:
    return resource.startswith("limits.")


def row(quota: ResourceQuota) -> Row:
    """The row, as ``printResourceQuota`` writes it."""
    meta, hard, used = quota.metadata, quota.status.hard, quota.status.used
    words: tuple[list[str], list[str]] = ([], [])
    shares: tuple[list[Decimal], list[Decimal]] = ([], [])
    for resource in sorted(hard):
        words[_is_limit(resource)].append(f"{resource}: {used.get(resource, '0')}/{hard[resource]}")
        shares[_is_limit(resource)].append(quota.share(resource))
    cells = (
        Cell(meta.name),
        Cell(", ".join(words[0])),
        Cell(", ".join(words[1])),
        age(meta.creation_timestamp),
    )
    fullest = [max(each, default=Decimal(-1)) for each in shares]
    sort = (natural(meta.name), *fullest, age_key(meta.creation_timestamp))
    return make_row(meta, cells, sort, *judge(quota))


def detail(quota: ResourceQuota) -> Detail:
    """The facts of the ResourceQuota's page."""
    meta, hard, used = quota.metadata, quota.status.hard, quota.status.used
    reason = judge(quota)[1]
    facts = [
        Fact(resource, f"{used.get(resource, '0')} of {hard[resource]}", f"{quota.share(resource):.0%} used")
        for resource in sorted(hard)
    ]
    if quota.spec.counts_only:
        facts.append(Fact("Counts only", ", ".join(quota.spec.counts_only)))
    sentence = f"Limits how much namespace {meta.namespace} may use"
    return page(meta, sentence, facts, reason=reason)


RESOURCEQUOTAS: Kind[ResourceQuota] = Kind(
    gvr=GVR("", "v1", "resourcequotas"),
    kind="ResourceQuota",
    title="ResourceQuotas",
    singular="ResourceQuota",
    section="Configuration",
    short_names=("quota",),
    rare=True,
    type=ResourceQuota,
    columns=COLUMNS,
    status_column="request",
    row=row,
    detail=detail,
    explain="A ResourceQuota limits the total CPU, memory, storage and object count of a namespace.",
)
