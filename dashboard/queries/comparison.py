"""What differs between two moments: which objects came, went, and were changed in what somebody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dashboard.kinds import KINDS
from dashboard.kinds.difference import field_changes

from .reader import Namespaces
from .seenreader import SeenReader
from .timeline import asked_for

# What happened, and what repeats other objects, is told by these.
COMPARED = tuple(plural for plural in KINDS if plural not in ("events", "endpointslices"))
MAX_CHANGES = 200  # objects that are named
MAX_LOOKED_AT = 3_000  # objects of a kind whose fields are compared
What = Literal["created", "deleted", "changed", "recreated"]


@dataclass(frozen=True)
class ObjectChange:
    """``fields``: path, before, after, of those that somebody asked for."""

    what: What
    plural: str
    namespace: str
    name: str
    fields: tuple[tuple[str, str, str], ...] = ()


@dataclass
class KindChanges:
    created: int = 0
    deleted: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Comparison:
    """``changes``: of those that no controller made, up to ``MAX_CHANGES``, kind by kind; ``more``: how many are beyond
    these; ``partly``: the titles of kinds of which not all fields were compared.
    """

    kinds: Mapping[str, KindChanges] = field(default_factory=dict)
    changes: Sequence[ObjectChange] = ()
    more: int = 0
    partly: Sequence[str] = ()


def read_at_both(then: SeenReader, now: SeenReader, plural: str, chosen: Namespaces) -> Namespaces:
    """Of the chosen namespaces those that the dashboard read at both moments: in another one nothing came or went by
    being read since, or no longer.
    """
    found = chosen
    for scopes in (then.scopes(plural), now.scopes(plural)):
        if scopes is not None:
            found = scopes if found is None else found & scopes
    return found


def seen_of(reader: SeenReader, plural: str, namespaces: Namespaces) -> Sequence[Any] | None:
    """The objects of a kind that may be seen; None where that is not known, or not permitted."""
    if not reader.listed(plural) or not reader.may_see(plural):
        return None
    return reader.values(plural, namespaces if KINDS[plural].gvr.namespaced else None)


def compared(then: Mapping[str, Sequence[Any] | None], now: Mapping[str, Sequence[Any] | None]) -> Comparison:
    """Not for the event loop. A kind that is not known at one of the moments is left out."""
    kinds: dict[str, KindChanges] = {}
    changes: list[ObjectChange] = []
    partly: list[str] = []
    named = 0
    for plural in COMPARED:
        before, after = then.get(plural), now.get(plural)
        if before is None or after is None:
            continue
        found, cut = _of_kind(plural, before, after)
        counts = KindChanges()
        for obj, change in found:
            if change.what in ("created", "recreated"):
                counts.created += 1
            if change.what in ("deleted", "recreated"):
                counts.deleted += 1
            counts.changed += change.what == "changed"
            if obj.metadata.controller is None:
                named += 1
                if named <= MAX_CHANGES:
                    changes.append(change)
        if found:
            kinds[plural] = counts
        if cut:
            partly.append(KINDS[plural].title)
    return Comparison(kinds, changes, named - len(changes), partly)


def _of_kind(
    plural: str, before: Iterable[Any], after: Iterable[Any]
) -> tuple[list[tuple[Any, ObjectChange]], bool]:
    old = {(obj.metadata.namespace, obj.metadata.name): obj for obj in before}
    found: list[tuple[Any, ObjectChange]] = []
    looked_at = 0
    for obj in after:
        key = obj.metadata.namespace, obj.metadata.name
        was = old.pop(key, None)
        if was is None:
            found.append((obj, ObjectChange("created", plural, *key)))
        elif was.metadata.uid != obj.metadata.uid:
            found.append((obj, ObjectChange("recreated", plural, *key)))
        elif was.metadata.resource_version != obj.metadata.resource_version:
            looked_at += 1
            if looked_at <= MAX_LOOKED_AT and (fields := _asked(was, obj)):
                found.append((obj, ObjectChange("changed", plural, *key, fields)))
    found += [(obj, ObjectChange("deleted", plural, *key)) for key, obj in old.items()]
    return found, looked_at > MAX_LOOKED_AT


def _asked(was: Any, obj: Any) -> tuple[tuple[str, str, str], ...]:
    managed = obj.metadata.controller is not None
    return tuple(
        (path, before, after)
        for path, before, after in field_changes(was, obj)
        if asked_for(path, before, managed=managed)
    )
