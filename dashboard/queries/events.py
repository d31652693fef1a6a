"""Events of some objects or namespaces, those that say the same made one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from .reader import Namespaces, Reader

# An object as an Event names it: kind, namespace, name. Some controllers leave the uid out.
Named = tuple[str, str, str]


@dataclass(frozen=True)
class EventGroup:
    """Events of one object with the same type, reason and message; ``latest`` is the last of them.

    ``count`` is how often it happened in all of them, ``first`` and ``last`` are when.
    """

    latest: Any
    count: int
    first: datetime | None
    last: datetime | None

    @property
    def id(self) -> str:
        """The same for the group's next Event."""
        return f"event-{blake2b(repr(_same(self.latest)).encode(), digest_size=8).hexdigest()}"


def latest_events(reader: Reader, namespaces: Namespaces, count: int) -> Sequence[EventGroup]:
    """The latest of some namespaces, newest first."""
    return grouped(reader.cache.store("events").values(namespaces))[:count]


def events_of(
    reader: Reader, namespaces: Namespaces, uids: Collection[str], names: Collection[Named]
) -> Sequence[EventGroup]:
    """Those about these objects, newest first."""
    found = [
        event
        for event in reader.cache.store("events").values(namespaces)
        if (about := event.involved_object).uid in uids
        or (not about.uid and (about.kind, about.namespace, about.name) in names)
    ]
    return grouped(found)


def grouped(events: Iterable[Any]) -> list[EventGroup]:
    """Events that say the same of the same object as one, newest first.

    An Event object counts its repetitions only while its reporter remembers it; after that the same becomes another.
    """
    groups: dict[tuple[str, ...], list[Any]] = {}
    for event in events:
        groups.setdefault(_same(event), []).append(event)
    made = [_group(same) for same in groups.values()]
    made.sort(key=lambda group: (_seconds(group.last), group.latest.metadata.name), reverse=True)
    return made


def _same(event: Any) -> tuple[str, ...]:
    about = event.involved_object
    who = about.uid or f"{about.namespace}/{about.name}"
    return about.kind, who, about.field_path, event.type, event.reason, event.message


def _group(events: list[Any]) -> EventGroup:
    latest = max(events, key=lambda event: _seconds(_last(event)))
    firsts = [first for event in events if (first := event.first_seen or event.metadata.creation_timestamp)]
    return EventGroup(
        latest,
        sum(event.times for event in events),
        min(firsts, default=None),
        _last(latest),
    )


def _last(event: Any) -> datetime | None:
    """When it last happened; kubectl falls back to when it was written too."""
    last: datetime | None = event.last_seen or event.metadata.creation_timestamp
    return last


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
