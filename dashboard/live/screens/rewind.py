"""The past on screen: the bar that says which moment it is and leads to others, and the overview as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import showing
from dashboard.insight import Problem
from dashboard.kinds import KINDS
from dashboard.kinds.duration import human_duration
from dashboard.kinds.rows import plural as counted
from dashboard.live.past import PastCluster
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.comparison import (
    COMPARED,
    MAX_CHANGES,
    Comparison,
    KindChanges,
    ObjectChange,
    compared,
    read_at_both,
    seen_of,
)
from dashboard.queries.marks import MAX_MARKS, TAIL, Mark, change_words, problem_marks
from dashboard.queries.overview import NodePods
from dashboard.queries.problemspans import Wrong
from dashboard.queries.recordings import Known, Span

from .common import iso, list_url, object_url, ref_url
from .overview import OverviewScreen

RANGES = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
USUAL = "6h"
TICKS = 6
TICK_MINUTES = (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)
SHOWN_CHANGES, SHOWN_FIELDS = 8, 3
SHOWN_GAPS = 4  # in words, the newest first; the slider has all
ICONS = {"created": "plus", "deleted": "x", "recreated": "restart", "changed": "file"}


@dataclass(frozen=True)
class Shown:
    """The span that the slider shows, around a moment: up to now where that is near enough."""

    name: str
    since: datetime
    until: datetime

    @classmethod
    def around(cls, at: datetime, now: datetime, params: QueryDict) -> Shown:
        """What the address asks for with ``span``."""
        name = params.get("span", USUAL)
        name = name if name in RANGES else USUAL
        length = RANGES[name]
        until = min(now, at + length / 2) if at < now - length * 0.75 else now
        return cls(name, until - length, until)

    def place(self, at: datetime) -> float:
        """Where a moment stands on it, in percent."""
        share = (at - self.since) / (self.until - self.since)
        return round(100 * min(1.0, max(0.0, share)), 2)


def bar(
    cluster: PastCluster,
    shown: Shown,
    found: Known,
    changes: Sequence[Mark],
    wrong: Sequence[Wrong],
    now: datetime,
    url: Moments,
) -> dict[str, Any]:
    """What the bar is made of (``partials/rewind.html``)."""
    at, moment = cluster.moment.at, cluster.moment
    marks = sorted(
        [*changes, *problem_marks(wrong, shown.since, shown.until)], key=lambda each: (each.at, each.name)
    )
    minutes = int((shown.until - shown.since).total_seconds() // 60)
    before = max((each for each in marks if each.at < at), key=lambda each: each.at, default=None)
    after = min((each for each in marks if each.at > at), key=lambda each: each.at, default=None)
    gaps = [
        each for each in found.gaps(shown.since, shown.until) if each.until < now or each.since < now - TAIL
    ]
    return {
        "at": iso(at),
        "since": iso(shown.since),
        "long_ago": human_duration((now - at).total_seconds()),
        # The worse on top.
        "problems": [_stretch(shown, each) for each in sorted(wrong, key=lambda one: one.severity == "bad")],
        "postmortem_url": _postmortem_url(cluster, at, now),
        "minutes": minutes,
        "value": round((at - shown.since).total_seconds() / 60),
        "place": shown.place(at),
        "rest": round(100 - shown.place(at), 2),
        "ticks": [
            {"x": shown.place(each), "at": iso(each), "words": f"{each:%H:%M}"} for each in _ticks(shown)
        ],
        "gaps": [_gap(shown, each) for each in gaps],
        "missed": [
            {"since": iso(each.since), "until": iso(each.until)} for each in gaps[: -SHOWN_GAPS - 1 : -1]
        ],
        "missed_more": max(0, len(gaps) - SHOWN_GAPS),
        "marks": [_mark(cluster, shown, each, at) for each in marks if shown.since <= each.at <= shown.until],
        "cut": len(changes) >= MAX_MARKS,
        "previous": None if before is None else _step(cluster, before, url),
        "next": None if after is None else _step(cluster, after, url),
        "spans": [
            {"name": name, "url": url.with_span(name), "current": name == shown.name} for name in RANGES
        ],
        "now_url": url.now,
        "snapshot_at": iso(moment.snapshot_at),
        "changes": moment.changes,
        "unreadable": moment.unreadable,
        "kept_since": iso(found.since),
        "not_watched": _not_watched(cluster),
    }


@dataclass(frozen=True)
class Moments:
    """Addresses of the page that is shown, at other moments; ``params`` without ``at``."""

    path: str
    params: QueryDict

    def at(self, moment: datetime) -> str:
        query = self.params.copy()
        query["at"] = iso(moment)
        return f"{self.path}?{query.urlencode(safe=':')}"

    def with_span(self, name: str) -> str:
        query = self.params.copy()
        query["span"] = name
        return f"{self.path}?{query.urlencode(safe=':')}"

    @property
    def now(self) -> str:
        query = self.params.copy()
        for key in ("at", "span"):
            query.pop(key, None)
        return f"{self.path}?{query.urlencode()}" if query else self.path


def _step(cluster: PastCluster, mark: Mark, url: Moments) -> dict[str, str]:
    # At the end of its second: what changed then is to be seen.
    at = mark.at.replace(microsecond=0) + timedelta(seconds=1)
    return {"url": url.at(at), "at": iso(at), "words": f"{_subject(mark)} {mark.words}"}


def _subject(mark: Mark) -> str:
    kind = KINDS[mark.plural].kind if mark.plural in KINDS else mark.plural
    return f"{kind} {mark.name}"


def _mark(cluster: PastCluster, shown: Shown, mark: Mark, at: datetime) -> dict[str, Any]:
    return {
        "x": shown.place(mark.at),
        "sort": mark.sort,
        "at": iso(mark.at),
        "subject": _subject(mark),
        "namespace": mark.namespace,
        "words": mark.words,
        "url": object_url(cluster, mark.plural, mark.namespace, mark.name),
    }


def _stretch(shown: Shown, wrong: Wrong) -> dict[str, Any]:
    x = shown.place(wrong.since)
    width = max(0.2, round(shown.place(wrong.until or shown.until) - x, 2))
    return {"x": x, "width": width, "state": wrong.severity}


def _postmortem_url(cluster: PastCluster, at: datetime, now: datetime) -> str:
    """Of the half hour around the moment."""
    since, until = at - timedelta(minutes=15), min(now, at + timedelta(minutes=15))
    path = reverse("postmortem", args=[cluster.cluster.slug])
    return f"{path}?from={iso(since.replace(microsecond=0))}&to={iso(until.replace(microsecond=0))}"


def _gap(shown: Shown, gap: Span) -> dict[str, Any]:
    x = shown.place(gap.since)
    return {"x": x, "width": max(0.2, round(shown.place(gap.until) - x, 2))}


def _ticks(shown: Shown) -> list[datetime]:
    minutes = (shown.until - shown.since).total_seconds() / 60
    step = timedelta(minutes=next((each for each in TICK_MINUTES if minutes / each <= TICKS + 1), 1440))
    day = shown.since.replace(hour=0, minute=0, second=0, microsecond=0)
    first = day + step * (int((shown.since - day) / step) + 1)
    return [first + step * number for number in range(TICKS + 2) if first + step * number < shown.until]


def _not_watched(cluster: PastCluster) -> list[str]:
    """The kinds of which nothing was known then, by title."""
    states = cluster.moment.states
    return [kind.title for plural, kind in KINDS.items() if plural not in states or not states[plural].listed]


class PastOverviewScreen(OverviewScreen):
    """The overview of a moment: each number with what it is now beside it, and what has changed since."""

    page = "pages/overview_past.html"

    def __init__(self, session: Session, params: QueryDict, present: Session) -> None:
        super().__init__(session, params)
        self.all_changes = params.get("changes") == "all"
        self.present = OverviewScreen(present, params)
        self._tiles_now: Mapping[str, str] = {}
        self._wrong_now: Sequence[Problem] = ()
        self._compared = Comparison()

    async def prepare(self) -> None:
        """Raises ClusterError as the overview does."""
        await self.session.review(self.plurals)
        await self._judge()
        with showing.at(None):
            now = self.present
            with now.runtime.lease(now.plurals):
                await now.runtime.ready(now.waits_for)
                self._wrong_now = await now.judge()
                self._tiles_now = {
                    each["id"]: f"{each['value']} {each['of']}".strip() for each in now.tiles()
                }
                readers = self.session.reader, now.session.reader
                within = {plural: read_at_both(*readers, plural, self.chosen) for plural in COMPARED}
                both = [
                    {plural: seen_of(reader, plural, within[plural]) for plural in COMPARED}
                    for reader in readers
                ]
        self._compared = await off_loop(compared, *both)

    def snapshot(self) -> Snapshot:
        made = super().snapshot()
        lists = {key: rows for key, rows in made.lists.items() if key not in ("changes", "recent")}
        return Snapshot(made.regions, lists)

    def _verdict(self, wrong: Sequence[Problem], nodes: Sequence[NodePods]) -> dict[str, Any]:
        """In the past tense."""
        told = super()._verdict(wrong, nodes)
        bad = sum(problem.lead.severity == "bad" for problem in wrong)
        if wrong:
            count = f"{counted(bad, 'critical issue')}" if bad else counted(len(wrong), "warning")
            told["headline"] = f"The cluster{self._where} had {count}."
        elif told["state"] == "ok":
            told["headline"] = f"The cluster{self._where} was healthy."
        return told

    def _tiles(self, nodes: Sequence[NodePods]) -> list[dict[str, Any]]:
        return [
            {**tile, "spark": "", "now": self._tiles_now.get(tile["id"], "")}
            for tile in super()._tiles(nodes)
        ]

    def context(self) -> Mapping[str, Any]:
        now, then = (
            {_cause(each): each for each in problems} for problems in (self._wrong_now, self._wrong)
        )  # fmt: skip
        resolved = [each for key, each in then.items() if key not in now]
        new = [each for key, each in now.items() if key not in then]
        found = self._compared
        most = MAX_CHANGES if self.all_changes else SHOWN_CHANGES
        return {
            **super().context(),
            "at": iso(self.runtime.shown_at),
            "resolved": self._in_short(resolved),
            "resolved_count": len(resolved),
            "new": self._in_short(new),
            "new_count": len(new),
            "still": len(then) - len(resolved),
            "kinds": [
                {"title": KINDS[plural].title, "words": _counts(each), "url": list_url(self.runtime, plural)}
                for plural, each in found.kinds.items()
            ],
            "changes": [self._changed(each) for each in found.changes[:most]],
            "changes_count": len(found.changes) + found.more,
            "changes_more": max(0, len(found.changes) - most) + found.more,
            "partly": found.partly,
            "changes_url": "" if self.all_changes else self._changes_url(),
        }

    def _in_short(self, found: Sequence[Problem]) -> list[dict[str, str]]:
        """Problems in short: what, where, and its page."""
        return [
            {
                "text": "".join(text for text, _ in each.lead.text),
                "url": ref_url(self.runtime, each.lead.ref),
            }
            for each in found[:SHOWN_CHANGES]
        ]

    def _changed(self, change: ObjectChange) -> dict[str, Any]:
        kind = KINDS[change.plural]
        return {
            "icon": ICONS[change.what],
            "kind": kind.kind,
            "name": change.name,
            "namespace": change.namespace,
            "words": change_words(change.fields) if change.what == "changed" else change.what,
            "fields": change.fields[:SHOWN_FIELDS],
            "more": max(0, len(change.fields) - SHOWN_FIELDS),
            "url": object_url(self.runtime, change.plural, change.namespace, change.name),
        }

    def _changes_url(self) -> str:
        query = QueryDict(mutable=True)
        query.setlist("namespace", sorted(self.chosen or ()))
        query["changes"] = "all"
        return f"{reverse('overview', args=[self.runtime.cluster.slug])}?{query.urlencode()}"


def _cause(problem: Problem) -> tuple[str, Any]:
    return problem.lead.rule, problem.lead.ref


def _counts(found: KindChanges) -> str:
    words = (("created", found.created), ("deleted", found.deleted), ("changed", found.changed))
    return ", ".join(f"{count} {word}" for word, count in words if count)
