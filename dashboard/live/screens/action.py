"""What stands beside the form of an action on one object: how the object is at this moment."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from django.http import QueryDict

from dashboard import render
from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible, visible
from dashboard.queries.lists import cell

from .common import fresh_part, rights_key

# What a preview reads to say what a change of pods touches.
TOUCHED = frozenset(
    {
        "deployments",
        "replicasets",
        "pods",
        "services",
        "endpointslices",
        "ingresses",
        "horizontalpodautoscalers",
        "poddisruptionbudgets",
        "resourcequotas",
        "nodes",
    }
)


class ActionScreen(Screen):
    """The form of an action on one object of a kind. ``only`` are the kinds that it is for, with words for the others."""

    page = "pages/action.html"
    reads: ClassVar[frozenset[str]] = TOUCHED
    only: ClassVar[tuple[frozenset[str], str]] = (frozenset(KINDS), "")

    def __init__(
        self, runtime: ClusterRuntime, params: QueryDict, plural: str, namespace: str, name: str
    ) -> None:
        super().__init__(runtime)
        if plural not in KINDS:
            raise NotFound(f"There is no kind {plural}.", next_step="Choose one of the kinds at the side.")
        plurals, words = self.only
        if plural not in plurals:
            raise NotFound(words)
        self.kind = KINDS[plural]
        self.namespace = "" if namespace == "-" else namespace
        self.name = name
        self.visible = Visible()

    @property
    def key(self) -> Hashable:
        rights = rights_key({self.kind.plural: self.visible})
        return (type(self).__name__, self.kind.plural, self.namespace, self.name, rights)

    @property
    def plurals(self) -> frozenset[str]:
        return self.reads | {self.kind.plural}

    async def prepare(self) -> None:
        self.visible = await visible(self.runtime.transport, self.runtime.cache, self.kind.plural)
        if self.visible.denied is not None:
            raise self.visible.denied

    def context(self) -> Mapping[str, Any]:
        return {}


class ObjectActionScreen(ActionScreen):
    """Beside the form stands the object's own status, as in lists."""

    def snapshot(self) -> Snapshot:
        return Snapshot(
            regions={
                "object-now": render.region("object_now", self._now()),
                "fresh": fresh_part(self.runtime, {self.kind.plural, "pods"}),
            }
        )

    def _now(self) -> dict[str, Any]:
        found = self.runtime.reader.get(self.kind.plural, self.namespace, self.name)
        seen = self.visible.namespaces
        if found is None or (seen is not None and self.namespace and self.namespace not in seen):
            return {"gone": True, "state": "done", "word": "Gone", "sentence": ""}
        row = self.runtime.reader.row(self.kind.plural, found)
        column = next((one for one in self.kind.columns if one.key == self.kind.status_column), None)
        return {
            "gone": False,
            "state": row.state,
            "word": f"{column.title} {cell(row, column).text}" if column else "",
            "sentence": row.reason,
        }
