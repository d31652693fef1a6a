"""What happened, for a user: what was recorded and what was done through the dashboard, as far as the user may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import QueryDict

from dashboard.audit.selecting import of_changes
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.kinds.difference import ANNOTATIONS
from dashboard.models import AuditEntry, TimelineEvent

from .access import Visible
from .bounds import chosen_of, text_of
from .seenclusters import context_in

PAGE = 100
READ = 3  # rows for an entry of a page: several may be one moment, or none
LOOKED = 200  # rows that it looks through for an entry of a page that fits a filter
CHANGE_WORDS = {
    "": "Changes and warnings",
    "all": "Everything",
    "spec": "Spec changes",
    "object": "Created, changed, deleted",
    "event": "Events",
    "here": "Done in the dashboard",
}
# What controllers, the scheduler and the kubelet write; a column shows a field of whichever sort.
_REPORTED = ("status.", "columns[", "metadata.finalizers", "metadata.ownerReferences", "spec.claimRef")
_ASSIGNED = frozenset({"spec.nodeName", "spec.volumeName"})
# And of an object that a controller manages, what that controller writes, or the API server when a pod gets its node
# (the admission plugin PodTopologyLabels), or what notes something on each pod (a network plugin its address).
DELETION = frozenset({"metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds"})
_PLACE = frozenset({f"metadata.labels[topology.kubernetes.io/{place}]" for place in ("region", "zone")})
_MANAGED = DELETION | _PLACE | {"spec.replicas"}


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened. ``fields``: path, before, after; ``reported``: those that only followed, where they are
    kept apart; ``words`` of an Event or of what somebody did.
    """

    key: str
    at: datetime
    type: str  # added, changed, deleted, event, done
    plural: str
    namespace: str
    name: str
    fields: tuple[tuple[str, str, str], ...] = ()
    reported: tuple[tuple[str, str, str], ...] = ()
    more: int = 0
    title: str = ""
    words: str = ""
    state: str = "ok"
    times: int = 1
    change: int | None = None


@dataclass(frozen=True)
class Watched:
    """From when until when a server process watched; ``lost`` entries could not be kept meanwhile."""

    since: datetime
    until: datetime
    lost: int = 0


@dataclass(frozen=True)
class TimelineQuery:
    """What an address asks for: of all namespaces or of some, of a kind, of an object. ``type`` is a key of CHANGE_WORDS:
    without one, what somebody asked for and what warns, or without ``warnings`` only the former.

    ``most``: entries of a page. ``uid``: of the object, where its kind may not have been known yet when something of it
    was recorded.
    """

    namespaces: tuple[str, ...] = ()
    plural: str = ""
    name: str = ""
    type: str = ""
    q: str = ""
    before: datetime | None = None
    since: datetime | None = None
    uid: str = ""
    warnings: bool = True
    most: int = PAGE

    @classmethod
    def read(cls, params: QueryDict) -> TimelineQuery:
        """From an address. Raises BadInput, with the field's name, for what cannot be."""
        plural, type_ = params.get("kind", ""), params.get("type", "")
        if plural and plural not in KINDS:
            raise BadInput(f"kind is {plural!r}: use the plural of a kind, such as pods.", field="kind")
        if type_ and type_ not in CHANGE_WORDS:
            known = ", ".join(filter(None, CHANGE_WORDS))
            raise BadInput(f"type is {type_!r}: enter one of {known}.", field="type")
        return cls(
            namespaces=chosen_of(params, "namespace"),
            plural=plural,
            type=type_,
            q=text_of(params, "q"),
            before=_moment(params, "before"),
            since=_moment(params, "since"),
        )


@dataclass(frozen=True)
class Timeline:
    """The newest first; ``older``: the moment before which to look for more, if there may be any."""

    moments: tuple[TimelineEntry, ...] = ()
    older: datetime | None = None
    watched: tuple[Watched, ...] = field(default=())


def _moment(params: QueryDict, key: str) -> datetime | None:
    text = params.get(key, "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        aware = found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        aware = None
    if aware is None:
        raise BadInput(f"{key} is {text!r}: enter a time such as 2026-01-31T12:00:00Z.", field=key)
    return aware


ALL = datetime.min.replace(tzinfo=UTC)


def timeline_kept() -> timedelta:
    """How far back it goes."""
    return timedelta(days=settings.CLUSTER_UI_TIMELINE_DAYS)


def timeline_read(
    context: str, query: TimelineQuery, visible: Mapping[str, Visible], *, done_after: datetime = ALL
) -> Timeline:
    """A page of it, out of the database; call it through ``in_database``. What was done here is told from a moment on."""
    happened, read_to = _happenings(context, query, visible)
    done, done_to = _done_here(context, query, visible, done_after)
    # Beyond the nearer end of what was read of either, something may be missing.
    edge = max((each for each in (read_to, done_to) if each is not None), default=None)
    moments = [each for each in (*happened, *done) if edge is None or each.at >= edge]
    moments.sort(key=lambda each: (each.at, each.key), reverse=True)
    older = moments[query.most - 1].at if len(moments) > query.most else edge
    return Timeline(tuple(moments[: query.most]), older, tuple(_watched(context, query)))


def _happenings(
    context: str, query: TimelineQuery, visible: Mapping[str, Visible]
) -> tuple[list[TimelineEntry], datetime | None]:
    """The moments, and the oldest that was read, when there may be older ones."""
    if query.type == "here":
        return [], None
    oldest = datetime.now(UTC) - timeline_kept()
    rows = TimelineEvent.objects.filter(context=context, at__gt=oldest).exclude(
        type=TimelineEvent.Type.WATCHING
    )
    rows = rows.filter(may_see(visible)).filter(_asked(query))
    notable, parts = Q(notable=True), [Q()]
    if query.name:
        own = Q(plural=query.plural, name=query.name)
        # On its own page it matters when an object came and went, whoever made it.
        notable |= own & Q(type__in=(TimelineEvent.Type.ADDED, TimelineEvent.Type.DELETED))
        parts = [own, Q(owner_plural=query.plural, owner_name=query.name)]
        if query.uid:
            parts.append(Q(plural="", name=query.name, uid=query.uid))
    elif query.plural:
        rows = rows.filter(plural=query.plural)
    match query.type:
        case "":
            rows = rows.filter(notable)
            if not query.warnings:
                rows = rows.exclude(type=TimelineEvent.Type.EVENT)
        case "event":
            rows = rows.filter(type=TimelineEvent.Type.EVENT)
        case "object" | "spec":
            rows = rows.exclude(type=TimelineEvent.Type.EVENT)
    looked_to = None if query.name else _looked_to(context, query, oldest)
    if looked_to is not None:
        rows = rows.filter(at__gte=looked_to)
    # Each part by an index of its own: a database looks through everything for what is one or the other.
    most = READ * query.most
    read = {row.pk: row for part in parts for row in rows.filter(part).order_by("-at", "-id")[:most]}
    found = sorted(read.values(), key=lambda row: (row.at, row.pk), reverse=True)[:most]
    edge = found[-1].at if len(found) == most else looked_to
    return _grouped(found, asked=query.type in ("", "spec")), edge


def _looked_to(context: str, query: TimelineQuery, oldest: datetime) -> datetime | None:
    """The moment before which a page does not look, where so much was kept: of very much, a filter may fit to nothing."""
    rows = TimelineEvent.objects.filter(context=context, at__gt=oldest)
    if query.type == "":
        rows = rows.filter(notable=True)  # they have an index of their own
    if query.before:
        rows = rows.filter(at__lt=query.before)
    looked = LOOKED * query.most
    return next(iter(rows.order_by("-at").values_list("at", flat=True)[looked : looked + 1]), None)


def asked_for(path: str, before: str, *, managed: bool = False) -> bool:
    """Whether a field that had the value ``before`` is what somebody asks for, not what the cluster reports; ``managed``:
    of an object that has a controller.
    """
    if before and path in DELETION:
        return False  # it was being deleted before: the kubelet says that it may go now
    reported = path.startswith(_REPORTED) or path in _ASSIGNED
    return not (reported or (managed and (path in _MANAGED or path.startswith(ANNOTATIONS))))


def _asked(query: TimelineQuery) -> Q:
    """The filters that both sources have."""
    asked = Q(name__icontains=query.q) if query.q else Q()
    if query.namespaces:
        asked &= Q(namespace__in=query.namespaces)
    if query.before:
        asked &= Q(at__lt=query.before)
    if query.since:
        asked &= Q(at__gt=query.since)
    return asked


def may_see(visible: Mapping[str, Visible]) -> Q:
    """Objects, and Events, in the namespaces where the user may list their kind, or Events."""
    event = Q(type=TimelineEvent.Type.EVENT)
    objects = of_kinds({plural: each for plural, each in visible.items() if plural != "events"})
    events = visible.get("events")
    if events is None or events.denied is not None:
        return objects & ~event
    where = Q() if events.namespaces is None else Q(namespace__in=events.namespaces)
    return (objects & ~event) | (event & where)


def _grouped(rows: Sequence[TimelineEvent], *, asked: bool) -> list[TimelineEntry]:
    """Each as a moment; changes of one object that follow each other within seconds are one. Newest first. ``asked``:
    only changes in which something was asked for, that first.
    """
    found: list[TimelineEntry] = []
    for row in rows:
        moment = _of(row, split=asked)
        if asked and moment.type == "changed" and not moment.fields:
            continue
        last = found[-1] if found else None
        if last is not None and _one_change(moment, last):
            found[-1] = _with(
                last,
                fields=_joined(moment.fields, last.fields),
                reported=_joined(moment.reported, last.reported),
                more=last.more + moment.more,
            )
        else:
            found.append(moment)
    return [each for each in found if each.type != "changed" or each.fields]


def _one_change(earlier: TimelineEntry, later: TimelineEntry) -> bool:
    same = (earlier.plural, earlier.namespace, earlier.name) == (later.plural, later.namespace, later.name)
    both = earlier.type == later.type == "changed"
    return same and both and (later.at - earlier.at).total_seconds() < 5


def _joined(earlier: tuple[tuple[str, str, str], ...], later: tuple[tuple[str, str, str], ...]) -> Any:
    """Two changes in a row as one: from the first value to the last; what came back to where it was is none."""
    joined = {path: (before, after) for path, before, after in earlier}
    for path, before, after in later:
        joined[path] = (joined[path][0] if path in joined else before, after)
    return tuple((path, before, after) for path, (before, after) in joined.items() if before != after)


def _with(moment: TimelineEntry, **new: Any) -> TimelineEntry:
    return TimelineEntry(**{**moment.__dict__, **new})


def _of(row: TimelineEvent, *, split: bool) -> TimelineEntry:
    """``split``: what was reported is kept apart from what was asked for."""
    what = row.what
    fields = [(path, before, after) for path, before, after in what.get("fields", ())]
    return TimelineEntry(
        key=row.key,
        at=row.at,
        type=row.type,
        plural=row.plural,
        namespace=row.namespace,
        name=row.name,
        fields=tuple(each for each in fields if not split or asked_for(*each[:2])),
        reported=tuple(each for each in fields if split and not asked_for(*each[:2])),
        more=what.get("more", 0),
        title=what.get("reason", ""),
        words=what.get("message", ""),
        state="warn" if what.get("warning") else "ok",
        times=what.get("times", 1),
    )


def _done_here(
    context: str, query: TimelineQuery, visible: Mapping[str, Visible], after: datetime
) -> tuple[list[TimelineEntry], datetime | None]:
    """As :func:`_happenings`, of what was done through the dashboard."""
    if query.type in ("event", "object", "spec"):
        return [], None
    rows = AuditEntry.objects.select_related("change").filter(context=context_in(context), at__gt=after)
    rows = rows.filter(of_changes()).filter(of_kinds(visible)).filter(_asked(query))
    if query.plural:
        rows = rows.filter(plural=query.plural)
    if query.name:
        rows = rows.filter(name=query.name)
    most = READ * query.most
    found = list(rows.order_by("-at", "-id")[:most])
    return list(map(_entry, found)), found[-1].at if len(found) == most else None


def of_kinds(visible: Mapping[str, Visible]) -> Q:
    """Objects in the namespaces where the user may list their kind."""
    seen = Q(pk__in=[])
    for plural, each in visible.items():
        if each.denied is None:
            where = Q() if each.namespaces is None else Q(namespace__in=each.namespaces)
            seen |= Q(plural=plural) & where
    return seen


def _entry(row: AuditEntry) -> TimelineEntry:
    states = {"done": "ok", "refused": "warn", "failed": "bad", "unknown": "warn"}
    action = row.change.title if row.change else row.action
    return TimelineEntry(
        key=f"audit-{row.pk}",
        at=row.at,
        type="done",
        plural=row.plural,
        namespace=row.namespace,
        name=row.name,
        title=f"{row.user_name}: {action}" + ("" if row.result == "done" else f", {row.result}"),
        words=row.detail,
        state=states[row.result],
        change=row.change_id,
    )


def _watched(context: str, query: TimelineQuery) -> list[Watched]:
    """Of a kind without a module here its own marks, else those of the cluster."""
    plural = "" if query.plural in KINDS else query.plural
    rows = TimelineEvent.objects.filter(context=context, type=TimelineEvent.Type.WATCHING, plural=plural)
    rows = rows.order_by("at")
    found = [
        Watched(datetime.fromisoformat(row.what["since"]), row.at, row.what.get("lost", 0)) for row in rows
    ]
    return sorted(found, key=lambda each: each.since)
