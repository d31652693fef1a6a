"""Events: what happened to objects lately."""

from __future__ import annotations

from datetime import datetime

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import page
from .meta import Message, Object, ObjectReference, Struct
from .references import meant, title
from .rows import NAME_HELP, age, age_key, col, columns, make_row, natural, shorten

# What Go's strings.TrimSpace trims; Python's strip() takes four control characters more.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class EventSeries(Struct, frozen=True, gc=False):
    """How often an event came again, in the newer API."""

    count: int = 0
    last_observed_time: datetime | None = None


class EventSource(Struct, frozen=True, gc=False):
    """Who reported it, in the older API."""

    component: str = ""
    host: str = ""


class Event(Object, frozen=True, gc=False):
    """v1 Event."""

    involved_object: ObjectReference = ObjectReference()
    type: str = ""
    reason: str = ""
    message: Message = ""
    count: int = 0
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""
    reporting_instance: str = ""
    action: str = ""

    @property
    def first_seen(self) -> datetime | None:
        """When it happened first."""
        return self.first_timestamp or self.event_time

    @property
    def last_seen(self) -> datetime | None:
        """When it happened last."""
        if self.series is not None:
            return self.series.last_observed_time
        return self.last_timestamp or self.first_seen

    @property
    def times(self) -> int:
        """How often it happened."""
        return self.series.count if self.series is not None else self.count or 1

    @property
    def reporter(self) -> str:
        """Who reported it, and from where (``formatEventSource``)."""
        component = self.source.component or self.reporting_component
        instance = self.source.host or self.reporting_instance
        return f"{component}, {instance}" if instance else component


COLUMNS = columns(
    col("Last Seen", "How long ago it last happened."),
    col("Type", "Normal or Warning."),
    col("Reason", "A short, machine-readable reason."),
    col("Object", "The object it is about."),
    col("Subobject", "Which part of the object.", wide=True),
    col("Source", "The component that reported it.", wide=True),
    col("Message", "What happened."),
    col("First Seen", "How long ago it first happened.", wide=True),
    col("Count", "How often it happened.", wide=True, num=True),
    col("Name", NAME_HELP, wide=True),
)


def judge(event: Event) -> tuple[State, str]:
    """An Event of type Warning is a warning."""
    return ("warn" if event.type == "Warning" else "ok"), ""


def row(event: Event) -> Row:
    """The row, as ``printEvent`` writes it."""
    meta, involved = event.metadata, event.involved_object
    kind = involved.kind.lower()
    target = f"{kind}/{involved.name}" if involved.name else kind
    message = event.message.strip(_SPACE)
    cells = (
        age(event.last_seen),
        Cell(event.type),
        Cell(event.reason),
        Cell(target),
        Cell(involved.field_path),
        Cell(event.reporter),
        Cell(message),
        age(event.first_seen),
        Cell(str(event.times)),
        Cell(meta.name),
    )
    sort = (
        age_key(event.last_seen),
        event.type,
        event.reason.lower(),
        natural(target),
        involved.field_path,
        event.reporter,
        natural(message),
        age_key(event.first_seen),
        event.times,
        natural(meta.name),
    )
    return make_row(meta, cells, sort, *judge(event))


def detail(event: Event) -> Detail:
    """The facts of the event."""
    involved = event.involved_object
    target = meant(involved, involved.namespace)
    facts = [
        Fact("Object", title(target), involved.field_path, target),
        Fact("Type", event.type),
        Fact("Reason", event.reason),
        Fact("Reported by", event.reporter, event.action),
        Fact("Count", str(event.times)),
    ]
    if event.first_seen is not None:
        facts.append(Fact("First seen", "", since=event.first_seen))
    if event.last_seen is not None:
        facts.append(Fact("Last seen", "", since=event.last_seen))
    what = "A warning" if event.type == "Warning" else "A note"
    message = shorten(event.message, 300)
    sentence = f"{what} about {involved.kind} {involved.name}".rstrip()
    return page(event.metadata, sentence, facts, reason=message)


EVENTS: Kind[Event] = Kind(
    gvr=GVR("", "v1", "events"),
    kind="Event",
    title="Events",
    singular="Event",
    section="Cluster",
    short_names=("ev",),
    type=Event,
    columns=COLUMNS,
    status_column="type",
    row=row,
    detail=detail,
    explain="An Event reports what happened to an object; by default it is kept for one hour.",
)
