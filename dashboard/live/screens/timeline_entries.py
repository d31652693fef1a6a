"""What happened, as rows; and the reader that keeps them up to date while somebody looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dashboard import render
from dashboard.database import AWAY, in_database
from dashboard.kinds import KINDS
from dashboard.live.acting import own_past
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Sight
from dashboard.queries.access import Visible
from dashboard.queries.timeline import (
    DELETION,
    Timeline,
    TimelineEntry,
    TimelineQuery,
    Watched,
    timeline_read,
)

from ..retention import kept_words
from .common import iso, object_url

FIELDS = 8  # lines of one change before the rest is folded
PACE_SECONDS = 1.0
ICONS = {"added": "plus", "changed": "gear", "deleted": "minus", "event": "info", "done": "user"}
TERMINATING = "began to terminate"
WORDS = {"added": "was created", "changed": "changed", "deleted": "was deleted"}
GAP_SECONDS = 150  # a mark is renewed every minute: shorter holes may be none

log = logging.getLogger(__name__)


class TimelineReader:
    """A page of the timeline; reads it anew when something was written. ``known``: whether it was read at all."""

    def __init__(self, sight: Sight, query: TimelineQuery, *, pace: float = PACE_SECONDS) -> None:
        self.found = Timeline()
        self.known = False
        self._sight = sight
        self._runtime = sight.cluster
        self._query = query
        self._pace = pace
        self._changed: Callable[[], None] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def about(self, uid: str) -> None:
        """Of which object, by its uid too."""
        self._query = replace(self._query, uid=uid)

    async def read(self) -> None:
        self.found = await in_database(timeline_read)(
            self._runtime.timeline.context,
            self._query,
            self._sight.visible,
            done_after=max(own_past(self._runtime.cluster.name), self._runtime.recognised.since),
        )
        self.known = True

    def open(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        if self._query.before is not None:
            return  # what is past does not change
        self._unsubscribe = self._runtime.timeline.subscribe(self._written)

    def close(self) -> None:
        self._changed = None
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()

    def _written(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._again())

    async def _again(self) -> None:
        await asyncio.sleep(self._pace)  # what is written in the meantime is read with it
        before = self.found
        try:
            await self.read()
        except AWAY as error:  # what was read before stays, until something is written again
            log.warning("the timeline of %s could not be read: %s", self._runtime.cluster.name, error)
        if self.found != before and self._changed is not None:
            self._changed()

    def rows(self) -> Mapping[str, render.Part]:
        rows = [moment_row(self._runtime, each) for each in self.found.moments]
        return {row["id"]: render.partial("timeline_entry", row) for row in rows}

    def state(self, wanted: Iterable[str]) -> dict[str, Any]:
        """Since when somebody has watched, where the record has holes, how to go further back, and what of the wanted
        kinds and namespaces is not shown because the reader may not list it.
        """
        moments, watched = self.found.moments, self.found.watched
        kind = self._runtime.kinds.get(self._query.plural)
        return {
            "since": iso(watched[0].since) if watched else "",
            "gaps": [{"from": iso(since), "until": iso(until)} for since, until in gaps(watched)[-3:]],
            "lost": sum(each.lost for each in watched),
            "older": self.found.older.isoformat() if self.found.older else "",
            "empty": not moments,
            "everything_url": "",
            "kept": kept_words(),
            "seldom": "" if kind is None or kind.plural in KINDS else kind.title,
            **barred(self._query, self._sight.visible, wanted),
        }


def barred(query: TimelineQuery, visible: Mapping[str, Visible], wanted: Iterable[str]) -> dict[str, Any]:
    """``denied``: kinds of those wanted that may not be listed, ``hidden``: namespaces asked for in which none of the
    others may be; ``forbidden``: nothing is left that could be shown. Of a kind of which it is not known yet where the
    user may list it, nothing is said.
    """
    kinds = sorted(plural for plural in wanted if visible[plural] != Visible(frozenset()))
    if query.namespaces:
        kinds = [plural for plural in kinds if KINDS[plural].gvr.namespaced]
    denied = [plural for plural in kinds if visible[plural].denied is not None]
    seen = [visible[plural].namespaces for plural in kinds if plural not in denied]
    hidden = [
        name for name in query.namespaces if all(each is not None and name not in each for each in seen)
    ]
    return {
        "denied": [KINDS[plural].title for plural in denied],
        "hidden": hidden if seen else [],
        "forbidden": bool(kinds) and (not seen or 0 < len(hidden) == len(query.namespaces)),
        "refused": kinds,
    }


def gaps(watched: Sequence[Watched]) -> list[tuple[datetime, datetime]]:
    """When none of the processes watched, in their order."""
    found = []
    seen_to = watched[0].until if watched else None
    for each in watched[1:]:
        assert seen_to is not None  # noqa: S101 # there is a first one
        if (each.since - seen_to).total_seconds() > GAP_SECONDS:
            found.append((seen_to, each.since))
        seen_to = max(seen_to, each.until)
    return found


def moment_row(runtime: ClusterRuntime, moment: TimelineEntry) -> dict[str, Any]:
    """What ``partials/timeline_entry.html`` shows."""
    kind = runtime.kinds.get(moment.plural)
    terminating = any(path in DELETION and not before for path, before, _ in moment.fields)
    fields, reported = (
        [
            {"path": path, "before": before, "after": after}
            for path, before, after in each
            if not (terminating and path in DELETION)
        ]
        for each in (moment.fields, moment.reported)
    )
    return {
        "id": f"m-{moment.key}".replace("@", "-"),
        "at": iso(moment.at.astimezone(UTC).replace(microsecond=0)),
        "type": moment.type,
        "icon": "warn" if moment.state == "warn" else "bad" if moment.state == "bad" else ICONS[moment.type],
        "state": moment.state,
        "kind": kind.singular if kind else "",
        "name": moment.name,
        "namespace": moment.namespace,
        "url": object_url(runtime, moment.plural, moment.namespace, moment.name) if kind else "",
        "word": TERMINATING if terminating else WORDS.get(moment.type, ""),
        "title": moment.title,
        "words": moment.words,
        "times": moment.times,
        "fields": fields[:FIELDS],
        "folded": fields[FIELDS:] + reported,
        "more": moment.more,
        "change": moment.change,
    }
