"""The rows of one kind, kept up to date by what its store tells: each made once a version of its object, counted by
state, label and text, and in the selections that somebody looks at. What a page costs is what has changed, not how many
objects there are.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from dashboard.cache.store import Delta, Store
from dashboard.kinds.base import Kind, Row
from dashboard.loop import SLICE_SECONDS

from .selections import Change, Selecting, Selection, made_in_slices

Key = tuple[str, str]  # namespace, name

# Cells that an address may ask for by the name of their column; a part of the text, in any case, is enough.
MATCHED: Mapping[str, tuple[str, ...]] = {"events": ("type", "reason", "object")}
SELECTIONS = 16  # kept of a kind: what some people look at
SELECTION_SECONDS = 60.0  # after which one that nobody asked for is not kept up to date any more
MANY = 10  # when more than one row in so many has changed, sorting anew is quicker than placing each


class Numbers:
    """What the rows of one namespace have in common, and how many of them: states, keys of labels, and the texts in the
    columns that a list is asked for by.
    """

    def __init__(self, columns: Iterable[int] = ()) -> None:
        self.states: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.texts: dict[int, Counter[str]] = {column: Counter() for column in columns}

    def add(self, row: Row) -> None:
        self.states[row.state] += 1
        self.labels.update(row.labels.keys())
        for column, texts in self.texts.items():
            texts[row.cells[column].text] += 1

    def take(self, row: Row) -> None:
        self.states[row.state] -= 1
        for key in row.labels:
            _one_less(self.labels, key)
        for column, texts in self.texts.items():
            _one_less(texts, row.cells[column].text)


def _one_less(numbers: Counter[str], text: str) -> None:
    """Texts come and go without end: one that nothing has any more is forgotten."""
    numbers[text] -= 1
    if not numbers[text]:
        del numbers[text]


class Making:
    """A selection that is being made, and what has changed since its rows were taken."""

    def __init__(self) -> None:
        self.changes: deque[Change] = deque()
        self.done = asyncio.Event()


class KindRows:
    """The rows of the objects in a store; ``make`` makes one, where it is not the kind alone that does. Belongs to the
    event loop, as the store does.
    """

    def __init__(
        self,
        kind: Kind[Any],
        store: Store[Any],
        clock: Callable[[], float] = time.monotonic,
        *,
        make: Callable[[Any], Row] | None = None,
    ) -> None:
        self.kind = kind
        self._make = make or kind.row
        self._store = store
        self._rows: dict[str, dict[str, tuple[Any, Row]]] = {}
        self._numbers: dict[str, Numbers] = {}
        self._selections: OrderedDict[Hashable, Selection] = OrderedDict()
        self._outdated: dict[Hashable, Selection] = {}  # to be made anew, by their names
        self._making: dict[Hashable, Making] = {}
        self._clock = clock
        self._columns = kind.columns
        self._changed: dict[Key, None] = {}
        self.close = store.subscribe(self._note)
        self._begin()

    def _begin(self) -> None:
        self._columns = self.kind.columns
        self._rows, self._numbers = {}, {}
        self._selections.clear()
        self._outdated.clear()
        self._making.clear()  # of rows that are no more
        self._changed = {(obj.metadata.namespace, obj.metadata.name): None for obj in self._store.values()}

    def _note(self, deltas: Sequence[Delta[Any]]) -> None:
        for delta in deltas:
            self._changed[delta.namespace, delta.name] = None

    def make_anew(self, keys: Iterable[Key]) -> None:
        """The rows of these objects would be others now, though the objects are not."""
        for namespace, name in keys:
            objects = self._rows.get(namespace, {})
            if (kept := objects.get(name)) is not None:
                objects[name] = None, kept[1]
                self._changed[namespace, name] = None

    def row(self, obj: Any) -> Row:
        """The row of an object; as long as that is in the store, always the same one."""
        if self.kind.columns is not self._columns:
            self._begin()
        namespace, name = obj.metadata.namespace, obj.metadata.name
        kept = self._rows.get(namespace, {}).get(name)
        if kept is not None and kept[0] is obj:
            return kept[1]
        if self._store.get(namespace, name) is not obj:
            return self._make(obj)  # what it was before, or has just been deleted
        self._changed.pop((namespace, name), None)
        return self._put(obj)

    def all(self, namespaces: frozenset[str] | None = None) -> list[Row]:
        """The rows in these namespaces (None: all), in no order."""
        self.settle()
        return [row for objects in self._within(self._rows, namespaces) for _, row in objects.values()]

    def states(self, namespaces: frozenset[str] | None = None) -> Counter[str]:
        """How many rows in these namespaces are in each state."""
        return +self._sum(namespaces, lambda numbers: numbers.states)

    def labels(self, namespaces: frozenset[str] | None = None) -> Counter[str]:
        """How many rows in these namespaces have a label of each key."""
        return self._sum(namespaces, lambda numbers: numbers.labels)

    def texts(self, column: str, namespaces: frozenset[str] | None = None) -> Counter[str]:
        """How many rows in these namespaces have each text in a column of ``MATCHED``."""
        place = next(each.order for each in self.kind.columns if each.key == column)
        return self._sum(namespaces, lambda numbers: numbers.texts[place])

    def _sum(self, namespaces: frozenset[str] | None, of: Callable[[Numbers], Counter[str]]) -> Counter[str]:
        self.settle()
        found: Counter[str] = Counter()
        for numbers in self._within(self._numbers, namespaces):
            found.update(of(numbers))
        return found

    @property
    def owed(self) -> int:
        """How many rows have to be looked at before the next answer."""
        return len(self._changed) + len(self._store) * (len(self._outdated) + len(self._making))

    async def catch_up(self) -> None:
        """Take in what has changed, and make the selections anew that are outdated by it, in slices."""
        while not self.settle(within=SLICE_SECONDS):  # noqa: ASYNC110 others have their turn
            await asyncio.sleep(0)
        for outdated in tuple(self._outdated.values()):
            await self.make(outdated.selecting)

    def has(self, name: Hashable) -> bool:
        """Whether a selection is there, so that to ask for it costs what has changed."""
        return name in self._selections

    async def make(self, selecting: Selecting) -> None:
        """Makes a selection in slices, before it is asked for."""
        name = selecting.name
        if name in self._selections:
            return
        if (making := self._making.get(name)) is not None:
            await making.done.wait()
            return
        making = self._making[name] = Making()
        try:
            rows = [row for objects in self._rows.values() for _, row in objects.values()]
            made = await made_in_slices(selecting, rows, making.changes)
            if self._making.get(name) is making:
                self._keep(made)
        finally:
            if self._making.get(name) is making:
                del self._making[name]
            making.done.set()

    def select(self, selecting: Selecting) -> Selection:
        """The rows that fit; not to be changed by the caller, and good until the next change. At once, whatever it costs:
        ``make`` it before where the rows are many.
        """
        self.settle()
        found = self._selections.get(selecting.name)
        if found is None:
            found = self._keep(Selection(selecting, self.all()))
        found.asked_at = self._clock()
        self._selections.move_to_end(selecting.name)
        return found

    def _keep(self, made: Selection) -> Selection:
        name = made.selecting.name
        self._outdated.pop(name, None)
        made.asked_at = self._clock()
        self._selections[name] = made
        if len(self._selections) > SELECTIONS:
            self._selections.popitem(last=False)
        return made

    @staticmethod
    def _within(by_namespace: dict[str, Any], namespaces: frozenset[str] | None) -> Iterable[Any]:
        if namespaces is None:
            return by_namespace.values()
        return [by_namespace[each] for each in namespaces if each in by_namespace]

    def settle(self, within: float = float("inf")) -> bool:
        """Bring rows, counts and selections to what the store holds now, or as far as that goes in so many seconds.
        Returns whether all of it is taken in.
        """
        if self.kind.columns is not self._columns:
            self._begin()
        began = self._clock()
        for kept in (self._selections, self._outdated):
            for name in [name for name, each in kept.items() if each.asked_at < began - SELECTION_SECONDS]:
                del kept[name]
        if len(self._changed) * MANY > len(self._store):
            self._outdated.update(self._selections)
            self._selections.clear()
        while self._changed:
            (namespace, name), _ = self._changed.popitem()
            obj = self._store.get(namespace, name)
            if obj is None:
                self._drop(namespace, name)
            else:
                self._put(obj)
            if self._clock() - began >= within:
                break
        return not self._changed

    def _put(self, obj: Any) -> Row:
        namespace, name = obj.metadata.namespace, obj.metadata.name
        objects = self._rows.setdefault(namespace, {})
        kept = objects.get(name)
        if kept is not None and kept[0] is obj:
            return kept[1]
        row = self._make(obj)
        objects[name] = obj, row
        self._count(kept[1] if kept else None, row)
        return row

    def _drop(self, namespace: str, name: str) -> None:
        objects = self._rows.get(namespace, {})
        if (kept := objects.pop(name, None)) is not None:
            self._count(kept[1], None)
        if not objects:
            self._rows.pop(namespace, None)
            self._numbers.pop(namespace, None)

    def _count(self, old: Row | None, new: Row | None) -> None:
        if old is not None:
            self._numbers[old.namespace].take(old)
        if new is not None:
            if (numbers := self._numbers.get(new.namespace)) is None:
                matched = MATCHED.get(self.kind.plural, ())
                numbers = Numbers(each.order for each in self.kind.columns if each.key in matched)
                self._numbers[new.namespace] = numbers
            numbers.add(new)
        for selection in self._selections.values():
            selection.change(old, new)
        for making in self._making.values():
            making.changes.append((old, new))
