"""The frame around every page: the kinds at the side with their counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.kinds import KINDS, SECTIONS, Kind
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible

from .common import list_url, listed, rights_key, visibility


class ChromeScreen(Screen):
    pace = 1.0

    def __init__(self, runtime: ClusterRuntime, params: QueryDict) -> None:
        super().__init__(runtime)
        self.chosen = frozenset(params.getlist("namespace")) - {""} or None
        self.visible: dict[str, Visible] = {}

    @property
    def key(self) -> Hashable:
        return ("chrome", self.chosen, rights_key(self.visible))

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset(KINDS)

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset()  # a count appears when its kind has been listed

    async def prepare(self) -> None:
        self.runtime.usage.touch()  # the frame is around every page: somebody looks at this cluster
        self.visible = await visibility(self.runtime, KINDS)

    def snapshot(self) -> Snapshot:
        items = {plural: self._item(plural) for plural in KINDS}
        regions = {f"nav-{plural}": render.region("nav_item", item) for plural, item in items.items()}
        for title, kinds in SECTIONS:
            folded = [items[kind.plural] for kind in kinds if kind.rare]
            if folded:
                marks = {state: sum(item[state] for item in folded) for state in ("bad", "warn")}
                section = _section_id(title)
                regions[f"nav-more-{section}"] = render.region("nav_more", {"section": section, **marks})
        return Snapshot(regions=regions)

    def _item(self, plural: str) -> dict[str, Any]:
        seen = self.visible.get(plural, Visible())
        item: dict[str, Any] = {"plural": plural, "count": None, "bad": 0, "warn": 0, "denied": ""}
        if seen.denied is not None:
            return item | {"denied": seen.denied.message}
        if not listed(self.runtime, plural):
            return item
        namespaces = seen.within(self.chosen) if KINDS[plural].gvr.namespaced else None
        states = self.runtime.reader.states(plural, namespaces)
        return item | {
            "count": states.total(),
            "bad": states["bad"],
            # An Event of type Warning tells of something; it is not itself in need of a person.
            "warn": 0 if plural == "events" else states["warn"],
        }

    def context(self) -> Mapping[str, Any]:
        """The sections at the side: ``id``, ``title``, ``items`` and, folded away, ``more``."""
        keep = QueryDict(mutable=True)
        keep.setlist("namespace", sorted(self.chosen or ()))
        query = f"?{keep.urlencode()}" if self.chosen else ""
        return {
            "query": query,
            "sections": [
                {
                    "id": _section_id(title),
                    "title": title,
                    "items": [self._place(kind, query) for kind in kinds if not kind.rare],
                    "more": [self._place(kind, query) for kind in kinds if kind.rare],
                }
                for title, kinds in SECTIONS
            ],
        }

    def _place(self, kind: Kind[Any], query: str) -> dict[str, Any]:
        return {
            "plural": kind.plural,
            "title": kind.title,
            "explain": kind.explain,
            "namespaced": kind.gvr.namespaced,
            "names": " ".join((kind.plural, kind.singular, *kind.short_names)).lower(),
            "url": list_url(self.runtime, kind.plural, query if kind.gvr.namespaced else ""),
        }


def _section_id(title: str) -> str:
    return title.lower().replace(" ", "-")
