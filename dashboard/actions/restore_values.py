"""Whose new pods do not start with the ConfigMaps and Secrets that a restore writes: a variable can't hold every value.

Who reads them is asked of the API server, as the user: on a command line there is no cache. That is done only where a
value might be in trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dashboard.errors import ClusterError, NotFound
from dashboard.insight.configmapuse import READ
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed
from dashboard.recovery.cleaning import MISSHAPEN
from dashboard.recovery.holding import Held
from dashboard.recovery.restoring import Planned, Restoring

from .readbeside import ReadBeside, listed_beside
from .value_impact import HOLDERS, Coming, may_break, value_effects


async def with_breaks(
    restoring: Restoring, plans: Sequence[Planned], objects: Sequence[Held]
) -> list[Planned]:
    """The plans, those of ConfigMaps and Secrets with whose new pods do not start. ``objects`` are all that is restored:
    who reads a value may be among them.
    """
    doubtful = [plan for plan in plans if plan.writes and _is_doubtful(plan)]
    if not doubtful:
        return list(plans)
    beside = ReadBeside()
    unread: dict[str, list[str]] = {}
    for namespace in sorted({plan.placed.namespace for plan in doubtful}):
        for plural in sorted(READ):
            known = True
            try:
                items, known = await listed_beside(restoring.transport, plural, namespace)
                beside.found[plural, namespace] = items
            except NotFound:  # the namespace is restored with it
                beside.found[plural, namespace] = ()
            except ClusterError:
                known = False
            if not known:
                unread.setdefault(namespace, []).append(KINDS[plural].title)
    stays = {plan.key for plan in plans if not plan.writes}
    coming = []
    for held in objects:
        if held.plural in READ and held.group == KINDS[held.plural].gvr.group and held.key not in stays:
            with suppress(*MISSHAPEN):  # its own plan says so
                coming.append((held.plural, _placed(restoring, held)))
    world = Coming(beside, coming)
    told = {plan.key: _told(plan, world, unread.get(plan.placed.namespace, [])) for plan in doubtful}
    return [told.get(plan.key, plan) for plan in plans]


def _is_doubtful(plan: Planned) -> bool:
    gvr = plan.placed.gvr
    if gvr.group or gvr.plural not in HOLDERS:
        return False
    try:
        return may_break(gvr.plural, plan.live, plan.made or {})
    except (AttributeError, TypeError, ValueError):  # the API server will refuse it
        return False


def _placed(restoring: Restoring, held: Held) -> dict[str, Any]:
    """An object of the backup as it will be; its uid tells it from one that is not there."""
    made, placed = restoring.wanted(held), restoring.placed(held)
    meta = {**made["metadata"], "namespace": placed.namespace, "name": placed.name, "uid": held.key}
    return {**made, "metadata": meta}


def _told(plan: Planned, world: Coming, unread: Sequence[str]) -> Planned:
    placed = plan.placed
    effects = value_effects(
        world, placed.gvr.plural, placed.namespace, placed.name, plan.live, plan.made or {}
    )
    notes = [f"{text_of(each.text)}: {_then(each.state == 'bad')}" for each in effects]
    if unread:
        kinds = listed(unread, "more kinds")
        notes.append(f"Not all {kinds} there could be read: whether they can use its values is not known.")
    broken = tuple(text_of(each.text[:2]) for each in effects if each.state == "bad")
    return replace(plan, notes=(*plan.notes, *notes), breaks=broken)


def _then(broken: bool) -> str:
    return "its new pods will not start." if broken else "its new containers start without."
