"""What happened between two moments, in order: changes, what was done here, Warnings, restarts, problems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db.models import Q
from django.http import QueryDict

from dashboard.audit.selecting import of_changes
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.kinds.legible import legible
from dashboard.models import AuditEntry, TimelineEvent

from .access import Visible
from .marks import TAIL, WITH_TEMPLATES, by_controllers, change_words
from .problemspans import problems_read
from .recordings import Span, known
from .seenclusters import context_in
from .timeline import asked_for, may_see, of_kinds, timeline_kept

MAX_ENTRIES = 1_000  # on a page, and in what is exported
MAX_READ = 5_000  # rows of each source
NEVER = datetime.min.replace(tzinfo=UTC)
LONGEST = timedelta(days=7)
RESOLVED = "resolved"  # what is counted besides the sorts
USUAL = timedelta(hours=1)
Sort = Literal["problem", "done", "deployment", "change", "warning", "restart"]
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")
_RESTARTS = re.compile(r"\[([^\]]+)\]\.restartCount$")


@dataclass(frozen=True)
class Entry:
    """One thing that happened; ``who`` by the name in the dashboard, where that is known. ``until``: when a problem was
    resolved, if it was within the span.
    """

    at: datetime
    sort: Sort
    state: str
    plural: str
    namespace: str
    name: str
    words: str
    who: str = ""
    reason: str = ""
    change: int | None = None
    until: datetime | None = None

    @property
    def subject(self) -> str:
        """``Deployment web``; "" where it is about no object."""
        kind = KINDS[self.plural].kind if self.plural in KINDS else self.plural
        return f"{kind} {self.name}".strip()


@dataclass(frozen=True)
class Happened:
    """Oldest first. ``cut``: more is left out; ``known_since``: what was changed before is kept no more."""

    entries: Sequence[Entry] = ()
    cut: bool = False
    gaps: Sequence[Span] = ()
    known_since: datetime = NEVER
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def people(self) -> list[tuple[str, int]]:
        """Who did something here, and how often, the busiest first."""
        return Counter(each.who for each in self.entries if each.who).most_common()


def span_in(params: QueryDict, now: datetime) -> Span:
    """From when until when an address asks for; the last hour without one. Raises BadInput."""
    until = _moment(params, "to", now) or now.replace(microsecond=0)
    since = _moment(params, "from", now) or until - USUAL
    if since >= until:
        raise BadInput("from is not before to: enter two times, the earlier one first.", field="from")
    if until - since > LONGEST:
        raise BadInput(f"That is more than {LONGEST.days} days: enter times that are nearer.", field="from")
    return Span(since, until)


def _moment(params: QueryDict, key: str, now: datetime) -> datetime | None:
    text = params.get(key, "")
    if not text:
        return None
    if not _RFC3339.fullmatch(text):
        raise BadInput(f"{key} is {text[:40]!r}: enter a time such as 2026-11-28T09:30:00Z.", field=key)
    try:
        found = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{key} is {text[:40]!r}: there is no such time.", field=key) from error
    if found > now:
        raise BadInput(f"{key} is {text[:40]!r}: that is in the future.", field=key)
    return found


def happened(
    context: str,
    span: Span,
    visible: Mapping[str, Visible],
    *,
    done_after: datetime,
    namespaces: Collection[str] = (),
) -> Happened:
    """Of what may be seen, in some namespaces or in all; call it through ``in_database``. What was done here is told from
    a moment on.
    """
    now = datetime.now(UTC)
    within = Q(namespace__in=namespaces) if namespaces else Q()
    found = [
        *_recorded(context, span, visible, within), *_done_here(context, span, visible, done_after, within),
        *_problems(context, span, visible, within),
    ]  # fmt: skip
    found.sort(key=lambda each: each.at)
    return Happened(
        found[:MAX_ENTRIES],
        len(found) > MAX_ENTRIES,
        [each for each in known(context).gaps(span.since, span.until) if each.since < now - TAIL],
        now - timeline_kept(),
        Counter(each.sort for each in found) + Counter(RESOLVED for each in found if each.until is not None),
    )


def _recorded(context: str, span: Span, visible: Mapping[str, Visible], within: Q) -> list[Entry]:
    rows = TimelineEvent.objects.filter(within, context=context, at__gte=span.since, at__lte=span.until)
    rows = rows.exclude(type=TimelineEvent.Type.WATCHING).filter(may_see(visible))
    told = rows.filter(notable=True).exclude(by_controllers()).order_by("at")[:MAX_READ]
    # A restart is what a kubelet reports: nobody asked for it.
    restarted = rows.filter(notable=False, plural="pods", type=TimelineEvent.Type.CHANGED).order_by("at")[
        :MAX_READ
    ]
    return [
        entry
        for row in (*told, *restarted)
        if (entry := _restart(row) or (_entry(row) if row.notable else None)) is not None
    ]


def _restart(row: TimelineEvent) -> Entry | None:
    if row.plural != "pods" or row.type != TimelineEvent.Type.CHANGED:
        return None
    told = []
    for path, before, after in row.what.get("fields", ()):
        container = _RESTARTS.search(path)
        if container is not None and after.isdecimal() and int(after) > int(before or 0):
            often = f" ({after} times so far)" if int(after) > 1 else ""
            told.append(f"container {container[1]} restarted{often}")
    return _of(row, "restart", "warn", "; ".join(told)) if told else None


def _entry(row: TimelineEvent) -> Entry | None:
    match row.type:
        case TimelineEvent.Type.EVENT:
            times = row.what.get("times", 1)
            often = f" ({times} times)" if times > 1 else ""
            return _of(
                row, "warning", "warn", f"{row.what.get('reason', '')}: {row.what.get('message', '')}{often}"
            )
        case TimelineEvent.Type.ADDED:
            return _of(row, "change", "ok", "created")
        case TimelineEvent.Type.DELETED:
            return _of(row, "change", "ok", "deleted")
    fields = [each for each in row.what.get("fields", ()) if asked_for(*each[:2])]
    if not fields:
        return None
    rolled = row.plural in WITH_TEMPLATES and any(path.startswith("spec.template") for path, *_ in fields)
    return _of(row, "deployment" if rolled else "change", "ok", change_words(fields))


def _of(row: TimelineEvent, sort: Sort, state: str, words: str) -> Entry:
    return Entry(row.at, sort, state, row.plural, row.namespace, row.name, words)


def _problems(context: str, span: Span, visible: Mapping[str, Visible], within: Q) -> Iterator[Entry]:
    """When each began, and until when it lasted, within the span; those that went on all through it at its beginning."""
    for each in problems_read(context, span.since, span.until, visible, within):
        about = each.plural, each.namespace, each.name
        before = " (since before)" if each.since < span.since else ""
        words = each.text or f"has a {'critical issue' if each.severity == 'bad' else 'warning'}"
        ended = each.until is not None and each.until <= span.until
        words = f"{words.removesuffix('.')}{before}{'' if ended else ', ongoing'}"
        yield Entry(
            max(each.since, span.since), "problem", each.severity, *about, words,
            until=each.until if ended else None,
        )  # fmt: skip


def _done_here(
    context: str, span: Span, visible: Mapping[str, Visible], after: datetime, within: Q
) -> list[Entry]:
    rows = AuditEntry.objects.select_related("change").filter(
        within, context=context_in(context), at__gte=span.since, at__lte=span.until, at__gt=after
    )
    rows = rows.filter(of_changes()).filter(of_kinds(visible)).order_by("at")
    states = {"done": "ok", "refused": "warn", "failed": "bad", "unknown": "warn"}
    return [
        Entry(
            row.at, "done", states[row.result], row.plural, row.namespace, row.name,
            (row.change.title if row.change else row.action) + ("" if row.result == "done" else f" ({row.result})"),
            row.user_name, row.reason, row.change_id,
        )
        for row in rows[:MAX_READ]
    ]  # fmt: skip


def as_markdown(cluster: str, span: Span, found: Happened, left_out: Sequence[str] = ()) -> str:
    """The page as Markdown, with room for what people know. ``left_out``: in sentences what its reader may not see."""
    lines = [
        f"# Post-mortem: {_text(cluster)}, {span.since:%Y-%m-%d %H:%M} – {_until(span)} UTC",
        "",
        "## Summary",
        "",
        *(f"- {words}" for words in summary(found)),
        "",
        "_Impact, cause and what is to be done: to be written._",
        "",
        "## What happened",
        "",
        "| Time (UTC) | Object | Namespace | What | Who | Why |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {_when(each, span)} | {_text(each.subject)} | {_text(each.namespace)} | {_text(each.words)} | "
        f"{_text(each.who)} | {_text(each.reason)} |"
        for each in found.entries
    ]
    if found.people:
        lines += ["", "## Who did what here", ""]
        lines += [f"- {_text(who)}: {count}" for who, count in found.people]
    lines += ["", "## What is not known", ""]
    missing = [*unknown(span, found), *map(_text, left_out)]
    lines += [f"- {words}" for words in missing] or ["- Nothing that the dashboard knows of."]
    return "\n".join([*lines, ""])


def over_days(span: Span) -> bool:
    """Whether a time alone does not tell which moment of a span it is."""
    return span.since.date() != span.until.date()


def _when(each: Entry, span: Span) -> str:
    form = DATE if over_days(span) else TIME
    return f"{each.at:{form}}" + (f"–{each.until:{form}}" if each.until is not None else "")


DATE, TIME = "%Y-%m-%d %H:%M:%S", "%H:%M:%S"
WORDS = {
    "problem": ("problem began", "problems began"),
    "resolved": ("problem was resolved", "problems were resolved"),
    "done": ("action here", "actions here"),
    "deployment": ("rollout", "rollouts"),
    "change": ("other change", "other changes"),
    "warning": ("Warning event", "Warning events"),
    "restart": ("container restart", "container restarts"),
}


def summary(found: Happened) -> list[str]:
    """How much of what, in words."""
    return [
        f"{found.counts[sort]} {one if found.counts[sort] == 1 else many}"
        for sort, (one, many) in WORDS.items()
        if found.counts[sort]
    ] or ["Nothing was recorded."]


def unknown(span: Span, found: Happened) -> list[str]:
    """What nobody watched, and what is kept no more."""
    told = [
        f"Not recorded: {gap.since:{DATE}} – {gap.until:{DATE if over_days(gap) else TIME}} UTC."
        for gap in found.gaps
    ]
    if span.since < found.known_since:
        told.append(f"What changed before {found.known_since:%Y-%m-%d %H:%M} UTC is kept no more.")
    if found.cut:
        told.append(f"Only the first {MAX_ENTRIES:,} entries are here: choose a shorter span for the others.")
    return told


def _until(span: Span) -> str:
    return f"{span.until:%Y-%m-%d %H:%M}" if over_days(span) else f"{span.until:%H:%M}"


def _text(text: str) -> str:
    """What others wrote, as words: nothing of it is Markdown, leaves its cell, or can't be seen."""
    return re.sub(r"([\\`*_{}\[\]<>|~#&])", r"\\\1", legible(" ".join(text.split())))
