"""What a screen shows, in named parts, and the difference between two showings of it.

A part has a hash of its *facts*, not of its HTML: a relative time ticks in the browser, so it is no change.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from dashboard.kinds.legible import legible
from dashboard.metrics import TOO_LARGE
from dashboard.render import Part

logger = logging.getLogger(__name__)

MAX_FRAME = 256 * 1024  # bytes of a message to a browser, whatever it is
MAX_BODY = MAX_FRAME - 4096  # with room for its head and the names of its members
# Of a frame of several parts: a browser takes it in at once, and draws before the next one.
FULL = 64 * 1024 - 4096

Hashes = Mapping[str, str]


@dataclass(frozen=True)
class Chart:
    hash: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One showing. Lists are ordered; their keys are the ids of the elements."""

    regions: Mapping[str, Part] = field(default_factory=dict)
    lists: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)
    title: str = ""

    @classmethod
    def joined(cls, parts: Iterable[Snapshot]) -> Snapshot:
        """All of them as one showing; their parts have different names."""
        regions: dict[str, Part] = {}
        lists: dict[str, Mapping[str, Part]] = {}
        charts: dict[str, Chart] = {}
        title = ""
        for part in parts:
            regions |= part.regions
            lists |= part.lists
            charts |= part.charts
            title = part.title or title
        return cls(regions, lists, charts, title)

    @cached_property
    def have(self) -> Have:
        """What a browser has that was brought to this snapshot."""
        return Have(
            {key: part.hash for key, part in self.regions.items()},
            {name: {key: part.hash for key, part in rows.items()} for name, rows in self.lists.items()},
            {key: chart.hash for key, chart in self.charts.items()},
            self.title,
        )


@dataclass(frozen=True)
class Have:
    """What a browser has on screen: a hash for each part, by its id; lists in their order."""

    regions: Hashes = field(default_factory=dict)
    lists: Mapping[str, Hashes] = field(default_factory=dict)
    charts: Hashes = field(default_factory=dict)
    title: str = ""

    @property
    def key(self) -> Hashable:
        """Equal for equal ones, whatever the order of their parts; that of lists counts."""
        return (
            frozenset(self.regions.items()),
            frozenset((name, tuple(rows.items())) for name, rows in self.lists.items()),
            frozenset(self.charts.items()),
            self.title,
        )

    def with_other(self, other: Have) -> Have:
        """Both together."""
        return Have(
            {**self.regions, **other.regions},
            {**self.lists, **other.lists},
            {**self.charts, **other.charts},
            other.title or self.title,
        )

    @classmethod
    def read(cls, data: Any) -> Have:
        """From a browser's message; whatever is not of its shape counts as not there, and is sent anew."""

        def hashes(value: Any) -> Hashes:
            return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

        if not isinstance(data, dict):
            return cls()
        lists = data.get("lists")
        return cls(
            hashes(data.get("regions")),
            {
                str(name): {
                    str(row[0]): str(row[1]) for row in rows if isinstance(row, list) and len(row) == 2
                }
                for name, rows in (lists.items() if isinstance(lists, dict) else ())
                if isinstance(rows, list)
            },
            hashes(data.get("charts")),
        )


def frames(have: Have, now: Snapshot) -> tuple[str, ...]:
    """The bodies of the frames that bring a browser from what it has to ``now``, in order: JSON members, none larger
    than ``FULL`` unless it is one part by itself, nor than a frame may be; none at all when nothing differs.

    Of what does not fit into a frame by itself, ``http`` tells: the browser asks for the page anew. Screens show
    pieces, so that this does not happen.
    """
    packed = _Frames()
    for key, part in now.regions.items():
        if have.regions.get(key) != part.hash:
            packed.add("regions", key, [part.hash, part.html])
    for name, rows in now.lists.items():
        steps = list_steps(have.lists.get(name, {}), rows)
        for key in steps.get("rm", ()):
            packed.append(name, "rm", key)
        for row in steps.get("up", ()):
            packed.append(name, "up", row)
    for key, chart in now.charts.items():
        if have.charts.get(key) != chart.hash:
            packed.add("charts", key, [chart.hash, chart.data])
    if now.title != have.title and now.title:
        packed.add("title", "", legible(now.title))
    return packed.bodies()


class _Frames:
    """Puts pieces into as few frames as hold them, in order."""

    def __init__(self) -> None:
        self._bodies: list[str] = []
        self._open: dict[str, Any] = {}
        self._size = 0

    def add(self, member: str, key: str, value: Any) -> None:
        """A named part of the frame, or (without a key) the member itself."""
        if self._room(f"{member} {key}", json_text([member, key, value])):
            if key:
                self._open.setdefault(member, {})[key] = value
            else:
                self._open[member] = value

    def append(self, name: str, step: str, value: Any) -> None:
        """A step of a list; they stay in order."""
        if self._room(f"list {name}", json_text([name, step, value])):
            self._open.setdefault("lists", {}).setdefault(name, {}).setdefault(step, []).append(value)

    def _room(self, what: str, text: str) -> bool:
        size = len(text.encode())
        if size > MAX_BODY:
            logger.warning("%s is too large for a frame", what)
            TOO_LARGE.inc()
            self._open["http"] = True
            return False
        if self._size + size > FULL:
            self._close()
        self._size += size
        return True

    def _close(self) -> None:
        if self._open:
            self._bodies.append(json_text(self._open)[1:-1])
        self._open, self._size = {}, 0

    def bodies(self) -> tuple[str, ...]:
        self._close()
        return tuple(self._bodies)


def json_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def list_steps(old: Hashes, new: Mapping[str, Part]) -> dict[str, Any]:
    """How to turn a list into another: keys to remove, then rows to put after a key, in order.

    Rows that keep their order among themselves stay where they are (the longest such run), so a change of one row
    touches one row.
    """
    removed = [key for key in old if key not in new]
    place = {key: at for at, key in enumerate(key for key in old if key in new)}
    stay = _longest_rising([(key, place[key]) for key in new if key in place])
    up: list[list[str | None]] = []
    before: str | None = None
    for key, part in new.items():
        changed = old.get(key) != part.hash
        if changed or key not in stay:
            up.append([key, part.hash, part.html if changed else None, before])
        before = key
    return ({"rm": removed} if removed else {}) | ({"up": up} if up else {})


def _longest_rising(items: list[tuple[str, int]]) -> frozenset[str]:
    """The keys of a longest run of rising places (patience sorting)."""
    if all(a[1] < b[1] for a, b in pairwise(items)):
        return frozenset(key for key, _ in items)  # the common case: nothing moved
    tails: list[int] = []
    ends: list[int] = []  # the index in items of each tail
    parent: list[int] = []
    for index, (_, place) in enumerate(items):
        at = bisect_left(tails, place)
        parent.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(place)
            ends.append(index)
        else:
            tails[at] = place
            ends[at] = index
    chain = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(items[index][0])
        index = parent[index]
    return frozenset(chain)
