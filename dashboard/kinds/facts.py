"""Facts that the pages of several kinds share."""

from __future__ import annotations

from collections.abc import Iterable

from .base import Condition, ContainerFact, Detail, Entry, Fact, KeyFact, State, Table
from .meta import ObjectCondition, ObjectMeta
from .podspec import PodSpec
from .references import meant, reference, title


def page(
    meta: ObjectMeta,
    sentence: str,
    facts: Iterable[Fact],
    *,
    reason: str = "",
    conditions: tuple[Condition, ...] = (),
    containers: tuple[ContainerFact, ...] = (),
    keys: tuple[KeyFact, ...] = (),
    tables: tuple[Table, ...] = (),
) -> Detail:
    """A Detail: the sentence with its reason, the facts that tell something, and those of the metadata."""
    whole = f"{sentence} – {reason.rstrip('.')}." if reason else f"{sentence}."
    told = (fact for fact in facts if fact.value or fact.note or fact.since)
    return Detail(whole, (*told, *_metadata_facts(meta)), conditions, containers, keys, tables)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Entry]], empty: str = "") -> Table:
    """A table without the columns that say nothing in any row."""
    heads, body = tuple(columns), [tuple(row) for row in rows]
    told = [at for at in range(len(heads)) if not body or any(row[at].text for row in body)]
    return Table(
        title,
        tuple(heads[at] for at in told),
        tuple(tuple(row[at] for at in told) for row in body),
        empty,
    )


def _metadata_facts(meta: ObjectMeta) -> list[Fact]:
    """Namespace, owners, finalizers while it is being deleted, and when it was made."""
    facts = []
    if meta.deletion_timestamp is not None:
        waits = f"waits for finalizer {', '.join(meta.finalizers)}" if meta.finalizers else ""
        facts.append(Fact("Being deleted", "", waits, since=meta.deletion_timestamp))
    for owner in meta.owner_references:
        note, to = "manages it" if owner.controller else "owns it", meant(owner, meta.namespace)
        facts.append(Fact("Owner", title(to), note, to))
    if meta.namespace:
        facts.append(Fact("Namespace", meta.namespace, link=reference("Namespace", "", meta.namespace)))
    if meta.creation_timestamp is not None:
        facts.append(Fact("Created", "", since=meta.creation_timestamp))
    return facts


def pod_spec_facts(spec: PodSpec, namespace: str) -> list[Fact]:
    """The service account. What else the spec names, the page tells among the relations."""
    account = spec.service_account_name
    if not account:
        return []
    return [Fact("Service account", account, link=reference("ServiceAccount", namespace, account))]


def conditions(
    found: Iterable[ObjectCondition] | None,
    *,
    bad_when_true: frozenset[str] = frozenset(),
    neutral: frozenset[str] = frozenset(),
) -> tuple[Condition, ...]:
    """Conditions, judged: True is good unless the type is in ``bad_when_true``; ``neutral`` is never bad."""
    return tuple(
        Condition(
            one.type,
            one.status,
            one.reason,
            one.message,
            one.last_transition_time,
            _state(one, bad_when_true, neutral),
        )
        for one in found or ()
    )


def _state(one: ObjectCondition, bad_when_true: frozenset[str], neutral: frozenset[str]) -> State:
    if one.type in neutral:
        return "ok"
    if one.status not in ("True", "False"):
        return "warn"
    return "ok" if (one.status == "True") != (one.type in bad_when_true) else "bad"
