"""The columns CPU and Memory of a list of pods or nodes, as ``kubectl top`` writes them.

All of them are new every 15 s. So they are no part of a row: a row's hash leaves them out, and they go to the
browser by themselves, as a few bytes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from dashboard import render
from dashboard.insight.usage import Tally
from dashboard.kinds.base import Column, Row
from dashboard.kinds.units import NONE, percent, top_cpu, top_memory
from dashboard.kinds.usage import Use
from dashboard.live.session import Sight
from dashboard.live.snapshot import Chart
from dashboard.queries.access import Visible
from dashboard.queries.lists import MEASURED, ByUse
from dashboard.queries.usage import UsageRights, usage_rights


class Measured:
    """What is measured of the rows of a list; for kinds that nothing is measured of, it is empty."""

    def __init__(self, sight: Sight, plural: str) -> None:
        self._sight = sight
        self._runtime = sight.cluster
        self._plural = plural
        self._rights = UsageRights()
        self._unsubscribe: Callable[[], None] | None = None
        self._told: tuple[object, UsageRights, dict[str, Mapping[str, str]]] = (None, self._rights, {})

    @property
    def shown(self) -> bool:
        return self._plural in MEASURED

    async def prepare(self, visible: Visible) -> None:
        if self.shown:
            self._runtime.usage.touch()
            self._rights = await usage_rights(self._sight, **{self._plural: visible})

    def open(self, changed: Callable[[], None]) -> None:
        if self.shown:
            self._unsubscribe = self._runtime.usage.subscribe(changed)

    def close(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def use(self, row: Row) -> Use | None:
        """What the object of a row uses, where that is known and may be seen."""
        return _use(self._plural, self._runtime.usage.tally, self._rights, row)

    def as_read(self) -> ByUse:
        """The same of this reading, also when there is a later one."""
        tally = self._runtime.usage.tally
        return ByUse((tally, self._rights), partial(_use, self._plural, tally, self._rights))

    def texts(self, row: Row) -> Mapping[str, str]:
        """The cells of a row, by column; the same ones until there is another reading."""
        if not self.shown:
            return {}
        tally = self._runtime.usage.tally
        if self._told[:2] != (tally, self._rights):
            self._told = tally, self._rights, {}
        texts = self._told[2].get(row.uid)
        if texts is None:
            texts = self._told[2][row.uid] = self._words(row)
        return texts

    def _words(self, row: Row) -> Mapping[str, str]:
        use = self.use(row)
        if use is None:
            return dict.fromkeys(("cpu", "memory"), NONE)
        cpu, memory = top_cpu(use.cpu), top_memory(use.memory)
        if self._plural == "nodes":
            of = self._runtime.usage.tally.nodes[row.name].of
            cpu = f"{cpu}, {percent(use.cpu, of.get('cpu'))}"
            memory = f"{memory}, {percent(use.memory, of.get('memory'))}"
        return {"cpu": cpu, "memory": memory}

    def values(self, rows: Iterable[Row], columns: Iterable[Column]) -> Chart:
        """The cells of all rows in those of the columns, by the rows' ids: what ``[data-values]`` takes."""
        keys = [column.key for column in columns if column in MEASURED.get(self._plural, ())]
        texts = {f"row-{row.uid}": [self.texts(row)[key] for key in keys] for row in rows}
        return Chart(render.facts_hash(texts), texts)


def _use(plural: str, tally: Tally, rights: UsageRights, row: Row) -> Use | None:
    if plural == "nodes":
        node = tally.nodes.get(row.name) if rights.sees_nodes else None
        return node.use if node else None
    pod = tally.pods.get(row.uid) if rights.sees_pods_in(row.namespace) else None
    return pod.total if pod else None
