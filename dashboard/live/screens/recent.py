"""What was changed last, out of the timeline: the question that follows "what is wrong?"."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboard import render
from dashboard.database import AWAY
from dashboard.kinds.difference import DIFFERENT
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Sight
from dashboard.queries.marks import named_change
from dashboard.queries.timeline import DELETION, TimelineEntry, TimelineQuery

from .common import iso, object_url
from .timeline_entries import ICONS, TERMINATING, TimelineReader

RECENT = 10  # changes that are shown
LOOKED_AT = 50  # entries of which these are made
PACE_SECONDS = 3.0
SAME_SECONDS = 5.0  # between what was done here and what came of it
WORDS = {"added": "created", "deleted": "deleted"}

# Of a field's path, what tells nothing more to who sees the kind.
_PREFIX = re.compile(r"^(spec\.(jobTemplate\.spec\.)?(template\.(spec\.)?)?|metadata\.)")

log = logging.getLogger(__name__)


class RecentChanges:
    """What somebody asked for, in some namespaces or in all: no Events, and nothing that controllers do by themselves."""

    def __init__(self, sight: Sight, namespaces: Collection[str]) -> None:
        self._runtime = sight.cluster
        query = TimelineQuery(
            namespaces=tuple(sorted(namespaces)),
            warnings=False,
            most=LOOKED_AT,
        )
        self._reader = TimelineReader(sight, query, pace=PACE_SECONDS)

    async def read(self) -> None:
        """Without the dashboard's own database nothing is known; the rest of the page is."""
        try:
            await self._reader.read()
        except AWAY:
            log.warning(
                "what changed last in %s could not be read", self._runtime.cluster.name, exc_info=True
            )

    def open(self, changed: Callable[[], None]) -> None:
        self._reader.open(changed)

    def close(self) -> None:
        self._reader.close()

    def rows(self) -> Mapping[str, render.Part]:
        told = once(
            [each for each in self._reader.found.moments if each.type != "done" or each.state == "ok"]
        )
        rows = [recent_row(self._runtime, each) for each in together(told)[:RECENT]]
        return {row["id"]: render.partial("change", row) for row in rows}

    def none(self) -> render.Part:
        """Why there are no rows, shown only then; ``since``: how far back nothing was changed."""
        found = self._reader.found
        since = found.older or (found.watched[0].since if found.watched else None)
        return render.region(
            "recent_none", {"known": self._reader.known, "since": iso(since) if since else ""}
        )


def once(moments: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """Of what was done in the dashboard, not also what was recorded of the same object right then. The newest first."""
    done = {_object(each): each.at for each in reversed(moments) if each.type == "done"}

    def told(each: TimelineEntry) -> bool:
        at = done.get(_object(each))
        return each.type == "done" or at is None or abs((each.at - at).total_seconds()) > SAME_SECONDS

    return [each for each in moments if told(each)]


def together(moments: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    """Changes of the same fields of one object as one, at the last of them: an autoscaler makes one after the other."""
    found: dict[Hashable, TimelineEntry] = {}
    for each in moments:
        paths = tuple(path for path, _, _ in each.fields)
        key = (*_object(each), paths) if each.type == "changed" else each.key
        last = found.get(key)
        if last is None:
            found[key] = each
            continue
        fields = tuple(
            (path, before, after)
            for (path, before, _), (_, _, after) in zip(each.fields, last.fields, strict=True)
        )
        back = all(before == after for _, before, after in fields)
        found[key] = replace(last, fields=last.fields if back else fields, times=last.times + 1)
    return list(found.values())


def _object(moment: TimelineEntry) -> tuple[str, str, str]:
    return moment.plural, moment.namespace, moment.name


def recent_row(runtime: ClusterRuntime, moment: TimelineEntry) -> dict[str, Any]:
    """What ``partials/change.html`` shows."""
    kind = runtime.kinds.get(moment.plural)
    there = kind is not None and moment.type != "deleted"
    return {
        "id": f"r-{moment.key}".replace("@", "-"),
        "icon": ICONS[moment.type],
        "title_parts": [
            (f"{kind.singular} " if kind else "", ""),
            (moment.name, "bold"),
            (f" {WORDS[moment.type]}" if moment.type in WORDS else "", ""),
        ],
        "text": " · ".join(filter(None, (moment.namespace, what_words(moment)))),
        "url": object_url(runtime, moment.plural, moment.namespace, moment.name) if there else "",
        "since": iso(moment.at.replace(microsecond=0)),
        "progress": None,
    }


def what_words(moment: TimelineEntry) -> str:
    """What somebody did, what one calls the change, or the first of the fields that were changed."""
    if moment.type == "done":
        return ", ".join(filter(None, (moment.title, moment.words)))
    if any(path in DELETION and not before for path, before, _ in moment.fields):
        return TERMINATING
    if not moment.fields:
        return ""
    times = f", changed {moment.times} times" if moment.times > 1 else ""
    if named := named_change(moment.fields):
        return f"{named}{times}"
    more = len(moment.fields) - 1 + moment.more
    return _field_words(*moment.fields[0]) + (f", and {more} more" if more else "") + times


def _field_words(path: str, before: str, after: str) -> str:
    path = _PREFIX.sub("", path)
    if not after:
        return f"{path} removed"
    if not before:
        return f"{path} set to {after}"
    return f"{path} changed" if after == f"{before}{DIFFERENT}" else f"{path}: {before} → {after}"
