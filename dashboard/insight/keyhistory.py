"""Which values a ConfigMap's keys had when: what records of changes and the fields' owners tell, and no more.

See docs/adr/0037.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

SECOND = timedelta(seconds=1)  # as exactly as the API server tells a time


class Held(NamedTuple):
    """What stands for a key's value as variables have it, which only text in ``data`` becomes, and as files have it;
    "" where there is none.
    """

    variable: str = ""
    file: str = ""


class Since(NamedTuple):
    """From when on a value has been there at the latest. ``ours``: it was written through the dashboard."""

    at: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class Write:
    """One change of keys, made between ``at`` and ``until``; ``asked`` is when, by the dashboard's own clock. ``since``
    is of the values that were there before; ``seen`` is when the object that held them was first seen, which holds for
    keys that were not there too.
    """

    at: datetime
    until: datetime
    asked: datetime
    was: Mapping[str, Held]
    made: Mapping[str, Held]
    since: Mapping[str, Since] = field(default_factory=dict)
    seen: datetime | None = None


class Span(NamedTuple):
    """A key had a value from ``since`` on; ``until`` None: it still has. ``variable`` and ``file``: whether variables,
    and files, made of it are as those of now; None where it is not known what is there now.
    """

    since: datetime
    until: datetime | None
    variable: bool | None
    file: bool | None


Spans = tuple[Span, ...]  # of one key, in order of time


@dataclass(frozen=True)
class KeyHistory:
    """The known changes of keys, oldest first, and what they hold ``now``, None where that is not known; ``since`` and
    ``seen`` are of these as those of a ``Write`` are of the values before it.
    """

    writes: tuple[Write, ...] = ()
    now: Mapping[str, Held] | None = None
    since: Mapping[str, Since] = field(default_factory=dict)
    version: str = ""
    seen: datetime | None = None

    @cached_property
    def spans(self) -> Mapping[str, Spans]:
        """What is known of each key. Keys that were changed together have the same."""
        found: dict[str, list[Span]] = {}
        last: dict[str, Write] = {}
        for write in self.writes:
            for key, value in write.was.items():
                begin = _begin(last.get(key), key, value, write.since.get(key), write.seen)
                self._add(found, key, value, begin, write.until)
                last[key] = write
        if self.now is not None:
            for key in {*last, *self.now}:
                value = self.now.get(key, Held())
                begin = _begin(last.get(key), key, value, self.since.get(key), self.seen)
                self._add(found, key, value, begin, None)
        return {key: tuple(spans) for key, spans in found.items()}

    def _add(
        self,
        found: dict[str, list[Span]],
        key: str,
        value: Held,
        begin: datetime | None,
        until: datetime | None,
    ) -> None:
        if begin is not None:
            variable = file = None
            if self.now is not None:
                now = self.now.get(key, Held())
                variable, file = value.variable == now.variable, value.file == now.file
            found.setdefault(key, []).append(Span(begin, until, variable, file))

    def after_restart(self, created: datetime, asked: datetime | None) -> datetime:
        """When a pod can have been created at the earliest: in the second of a write, a restart that was asked for no
        sooner came after it.
        """
        if asked is None:
            return created
        after = (
            write.until for write in self.writes
            if write.at <= created < write.until and asked >= write.asked.replace(microsecond=0)
        )  # fmt: skip
        return max(after, default=created)


def _begin(
    last: Write | None, key: str, value: Held, since: Since | None, seen: datetime | None
) -> datetime | None:
    """From when on a key is known to have had this value. Between two writes, it kept it when the second found what the
    first made, and nobody else had written it; else since its owner wrote it, or the object was seen as it was then.
    """
    known = [] if seen is None else [seen]
    if last is not None and last.made[key] == value and (since is None or since.ours):
        known.append(last.at)
    elif since is not None:
        known.append(since.at)
    return min(known, default=None)


def between(spans: Spans, start: datetime, end: datetime) -> tuple[Span, ...]:
    """The spans in which a key was read between two moments; none where not all the time between is known."""
    found, known_to = [], start
    for span in spans:
        if span.since < end and (span.until is None or span.until > start):
            if span.since > known_to:
                return ()
            known_to = span.until or end
            found.append(span)
    return tuple(found) if known_to >= end else ()
