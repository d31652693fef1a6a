"""LimitRanges: what each container, pod and claim of a namespace may ask for, and what it gets unasked."""

from __future__ import annotations

import msgspec

from .base import GVR, Cell, Detail, Entry, Fact, Kind, Row
from .facts import page, table
from .meta import Object, Struct
from .rows import (
    CREATED_HELP,
    NAME_HELP,
    col,
    columns,
    created_at,
    deleted_state,
    listed,
    make_row,
    sort_keys,
)

_EACH = {"Container": "container", "Pod": "pod", "PersistentVolumeClaim": "volume claim"}
_HEADS = (
    "Each",
    "Resource",
    "At least",
    "At most",
    "Default request",
    "Default limit",
    "Limit ÷ request",
)

Amounts = dict[str, str]


class Limit(Struct, frozen=True, gc=False):
    """The limits of one type; quantities as texts, by resource."""

    type: str = ""
    min: Amounts = msgspec.field(default_factory=dict)
    max: Amounts = msgspec.field(default_factory=dict)
    default: Amounts = msgspec.field(default_factory=dict)
    default_request: Amounts = msgspec.field(default_factory=dict)
    max_limit_request_ratio: Amounts = msgspec.field(default_factory=dict)

    @property
    def all(self) -> tuple[Amounts, ...]:
        """Its amounts, as the table of the page has them."""
        return self.min, self.max, self.default_request, self.default, self.max_limit_request_ratio

    @property
    def each(self) -> str:
        """The type in words."""
        return _EACH.get(self.type, self.type)


class LimitRangeSpec(Struct, frozen=True, gc=False):
    """spec of a LimitRange."""

    limits: tuple[Limit, ...] | None = None


class LimitRange(Object, frozen=True, gc=False):
    """v1 LimitRange."""

    spec: LimitRangeSpec = LimitRangeSpec()


COLUMNS = columns(col("Name", NAME_HELP), col("Created At", CREATED_HELP))


def row(limit_range: LimitRange) -> Row:
    """The row, as the API server's default printer writes it."""
    meta = limit_range.metadata
    cells = (Cell(meta.name), created_at(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


def _rows(limit: Limit) -> list[tuple[Entry, ...]]:
    resources = sorted({resource for amounts in limit.all for resource in amounts})
    return [
        (Entry(limit.each), Entry(resource), *(Entry(amounts.get(resource, "")) for amounts in limit.all))
        for resource in resources
    ]


def detail(limit_range: LimitRange) -> Detail:
    """The facts of the LimitRange's page."""
    meta, limits = limit_range.metadata, limit_range.spec.limits or ()
    rows = [row for limit in limits for row in _rows(limit)]
    limited = table("Limits", _HEADS, rows, "None: it has no limits.")
    each = listed(dict.fromkeys(limit.each for limit in limits if any(limit.all)))
    gives = any(limit.default or limit.default_request for limit in limits)
    facts = [Fact("Refuses", "new pods and claims beyond it", "existing ones are not affected")]
    if gives:
        facts.append(Fact("Defaults", "default requests and limits", "in new pods"))
    sentence = f"Limits what each {each or 'object'} of namespace {meta.namespace} may request"
    sentence += ", and sets defaults" if gives else ""
    return page(meta, sentence if each else "It has no limits", facts if each else (), tables=(limited,))


LIMITRANGES: Kind[LimitRange] = Kind(
    gvr=GVR("", "v1", "limitranges"),
    kind="LimitRange",
    title="LimitRanges",
    singular="LimitRange",
    section="Configuration",
    short_names=("limits",),
    rare=True,
    type=LimitRange,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A LimitRange constrains what each container, pod or claim of a namespace may request.",
)
