"""How far an edit of a ConfigMap has come: who still runs with the old values, and the restarts that began with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from dashboard.insight import Objects
from dashboard.insight.configmapuse import READ, RESTARTABLE, consumers, started_with
from dashboard.insight.keyhistory import KeyHistory
from dashboard.insight.protocols import unlisted, unread
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, State
from dashboard.kinds.deletion import deletion_waits
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed, plural
from dashboard.models import Change

from .action import Progress, gone_progress
from .configmap_history import changed_keys, own_history
from .configmap_restarts import restart_followed


def edit_progress(change: Change, objects: Objects, now: datetime, history: KeyHistory | None) -> Progress:
    """How far an edit has come. ``history`` None: what its record tells, as if nothing had been written since."""
    found = objects.get("configmaps", change.namespace, change.name)
    if found is None or found.metadata.uid != change.uid:
        return gone_progress(change, found)
    if found.metadata.deletion_timestamp:
        return Progress(
            state="warn",
            headline=f"{change.name} is being deleted",
            text=f"What was saved goes with it. {deletion_waits(found.metadata.finalizers)}",
            percent=None,
        )
    following = tuple(
        restart_followed(change, kept, objects, now) for kept in change.result.get("restarts", ())
    )
    started = started_with(
        objects, change.namespace, change.name, changed_keys(change), history or own_history(change)
    )
    begun = {each.ref for each in following if each.change is not None and not each.done}
    rest, unknown = (
        {ref: count for ref, count in found.items() if ref not in begun}
        for found in (started.stale, started.unknown)
    )
    hangs = any(each.state in ("bad", "warn") and each.change is not None for each in following)
    goes_on = any(not each.done for each in following)
    untold = _untold(change, objects)
    saved = "Undone" if change.undoes_id else "Saved"
    headline, state = saved, "ok"
    if hangs:
        headline, state = f"{saved}; a restart hangs", "bad"
    elif rest:
        headline, state = f"{saved}; restart required", "warn"
    elif unknown:
        headline, state = f"{saved}; a restart may be required", "warn"
    elif goes_on:
        headline, state = f"{saved}; restarting", "info"
    elif untold:
        state = "info"
    return Progress(
        state=cast(State, state),
        headline=headline,
        text=_text(change, rest, unknown, goes_on, untold, objects),
        percent=None,
        done=not goes_on and set(untold) <= set(unlisted(objects, READ, change.namespace)),
        restart=tuple(ref for ref in {**rest, **unknown} if ref.plural in RESTARTABLE),
        following=following,
    )


def _text(
    change: Change,
    rest: Mapping[Ref, int],
    unknown: Mapping[Ref, int],
    goes_on: bool,
    untold: Sequence[str],
    objects: Objects,
) -> str:
    said = []
    if rest:
        said.append(f"The old values still run in {_whose(rest)}: a restart brings the new ones.")
    if unknown:
        said.append(
            f"It is not known which values {_whose(unknown)} started with: a restart brings the present ones."
        )
    if said:
        return " ".join(said)
    if goes_on:
        return "New pods replace those with the old values."
    if untold:
        kinds = listed([KINDS[each].title for each in untold])
        return f"{kinds} could not be read: whether pods have old values is not known."
    if not consumers(objects, change.namespace, change.name):
        return "No pod and no workload here uses it."
    return "Every pod that reads it only at its start has the present values. Files in volumes follow by themselves."


def _untold(change: Change, objects: Objects) -> tuple[str, ...]:
    """The kinds without which it cannot be told that no pod has old values: where somebody uses it, only the pods."""
    used = consumers(objects, change.namespace, change.name)
    return unread(objects, {"pods"} if used else READ, change.namespace)


def _whose(pods: Mapping[Ref, int]) -> str:
    return listed([f"{title(ref)} ({plural(count, 'pod')})" for ref, count in pods.items()])
