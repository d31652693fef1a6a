"""The frame around every page: the kinds at the side with their counts.

Kinds without a module here stand below the others, folded by API group. They are counted only where somebody has
unfolded their group (see ``Counts``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import BadInput
from dashboard.kinds import KINDS, SECTIONS, Kind
from dashboard.kinds.catalogue import BUILT_IN, DEFINITIONS
from dashboard.live.screen import Screen, ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible
from dashboard.queries.bounds import chosen_of

from .common import freshness, list_url, listed

MAX_NAMESPACES = 500  # to choose from; with a name that is none of them, the picker takes what was typed
REST = "-"  # the one group of what Kubernetes itself has besides


def in_group(kind: Kind[Any], group: str) -> bool:
    """Whether a kind stands in this group of the menu."""
    return kind.gvr.group in BUILT_IN if group == REST else kind.gvr.group == group


def other_count(session: Session, kind: Kind[Any], chosen: frozenset[str] | None) -> render.Part:
    """The count at the side of a kind without a module here, as far as it is known."""
    count = session.counts.of(kind.plural, chosen if kind.gvr.namespaced else None)
    denied = f"You may not list {kind.plural}." if count.denied else ""
    return render.region("nav_item", nav_item(kind.plural, count.total, denied=denied, more=count.more))


def nav_item(
    plural: str,
    count: int | None,
    *,
    bad: int = 0,
    warn: int = 0,
    denied: str = "",
    more: bool = False,
    old: bool = False,
) -> dict[str, Any]:
    """What a kind's count at the side is made of; ``count`` None: not known; ``more``: it is at least that; ``old``: it
    is from before the connection was lost.
    """
    facts = {"plural": plural, "count": count, "bad": bad, "warn": warn, "denied": denied}
    return {**facts, "more": more, "old": old}


class _Rendered(Mapping[str, str]):
    """Regions for a template that holds them, rendered when it asks."""

    def __init__(self, parts: Mapping[str, render.Part]) -> None:
        self._parts = {f"nav_{plural}".replace("-", "_"): part for plural, part in parts.items()}

    def __getitem__(self, name: str) -> str:
        return self._parts[name].fresh_html

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


class ChromeScreen(Screen):
    beside = True
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = chosen_in(params)

    @property
    def shows(self) -> Hashable:
        return self.chosen

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset(KINDS)

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset()  # a count appears when its kind has been listed

    async def prepare(self) -> None:
        self.runtime.usage.touch()  # the frame is around every page: somebody looks at this cluster
        await self.session.review(KINDS)
        for plural in KINDS:
            await self.session.reader.make_rows(plural)  # the counts are of all kinds

    def snapshot(self) -> Snapshot:
        items = {plural: self._item(plural) for plural in KINDS}
        regions = {f"nav-{plural}": render.region("nav_item", item) for plural, item in items.items()}
        return Snapshot(regions=regions | self._folded(items) | self._namespaces())

    def _namespaces(self) -> dict[str, render.Part]:
        """What the picker offers: the namespaces that may be listed, else those into which one may look."""
        chosen = self.chosen or frozenset()
        denied = self.visible["namespaces"].denied is not None
        if denied:
            known = frozenset[str]().union(*(each.namespaces or () for each in self.visible.values()))
        else:
            known = frozenset(each.metadata.name for each in self.session.reader.all("namespaces"))
        names = sorted(known | chosen)
        offered = sorted(chosen.union(names[:MAX_NAMESPACES]))
        items = {
            "all": not chosen,
            "denied": "You may not list the namespaces of this cluster: these are those that you may look into."
            if denied
            else "",
            "total": len(names),
            "items": [
                {"name": name, "checked": name in chosen, "closed": denied and name not in known}
                for name in offered
            ],
            "more": len(names) - len(offered),
        }
        if not chosen:
            summary = f"All {len(names)}" if names else "All"
        else:
            summary = next(iter(chosen)) if len(chosen) == 1 else f"{len(chosen)} of {len(names)}"
        return {
            "ns-summary": render.region(
                "ns_summary", {"summary": summary, "names": sorted(chosen) if len(chosen) > 1 else []}
            ),
            "ns-items": render.region("ns_items", items),
        }

    def _folded(self, items: Mapping[str, Mapping[str, Any]]) -> dict[str, render.Part]:
        """The marks of the kinds that each section folds away."""
        regions = {}
        for title, kinds in SECTIONS:
            folded = [items[kind.plural] for kind in kinds if kind.rare]
            if folded:
                marks = {state: sum(item[state] for item in folded) for state in ("bad", "warn")}
                section = _section_id(title)
                regions[f"nav-more-{section}"] = render.region("nav_more", {"section": section, **marks})
        return regions

    def _item(self, plural: str) -> dict[str, Any]:
        seen = self.visible.get(plural, Visible())
        chosen = self.chosen if KINDS[plural].gvr.namespaced else None
        if (refusal := seen.refusal(plural, chosen)) is not None:
            return nav_item(plural, None, denied=refusal.message)
        if not listed(self.session, plural):
            return nav_item(plural, None)
        states = self.session.reader.states(plural, chosen)
        # An Event of type Warning tells of something; it is not itself in need of a person.
        warn = 0 if plural == "events" else states["warn"]
        old = freshness(self.session, [plural])["state"] == "reconnecting"
        return nav_item(plural, states.total(), bad=states["bad"], warn=warn, old=old)

    def context(self) -> Mapping[str, Any]:
        """The sections at the side: ``id``, ``title``, ``items`` and, folded away, ``more``."""
        query = namespace_query(self.chosen)
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


class OthersScreen(ViewerScreen):
    """The kinds without a module here, at the side of every page: their numbers are counted as the viewer's account."""

    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = chosen_in(params)
        self._grouped: tuple[tuple[Kind[Any], ...], list[dict[str, Any]]] = ((), [])
        self._undo: list[Callable[[], None]] = []

    @property
    def shows(self) -> Hashable:
        return self.chosen

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({DEFINITIONS.key})  # so that discovery hears of custom kinds that come and go

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset()

    async def prepare(self) -> None:
        """Nothing is asked for: whoever unfolds a group has its kinds counted."""

    def snapshot(self) -> Snapshot:
        served, groups = self.runtime.kinds.served, self._groups()
        others = {kind.plural: other_count(self.session, kind, self.chosen) for kind in served}
        regions = {f"nav-{plural}": part for plural, part in others.items()}
        regions["nav-others"] = render.region(
            "nav_others", {"groups": groups, "r": _Rendered(others)}, groups
        )
        return Snapshot(regions=regions)

    def context(self) -> Mapping[str, Any]:
        return {}

    def _groups(self) -> list[dict[str, Any]]:
        """The kinds without a module here, by API group; made anew only when other ones are served."""
        served = self.runtime.kinds.served
        if self._grouped[0] is not served:
            self._grouped = served, self._make_groups(served)
        return self._grouped[1]

    def _make_groups(self, served: tuple[Kind[Any], ...]) -> list[dict[str, Any]]:
        """The groups of Kubernetes itself are one, and the last."""
        custom = [kind for kind in served if kind.gvr.group not in BUILT_IN]
        found = [
            (group, [self._entry(kind) for kind in kinds])
            for group, kinds in groupby(custom, key=lambda kind: kind.gvr.group)
        ]
        rest = sorted((kind for kind in served if kind.gvr.group in BUILT_IN), key=lambda kind: kind.title)
        if rest:
            found.append(("", [self._entry(kind) for kind in rest]))
        return [
            {
                "id": group or REST,
                "title": group or "More of Kubernetes",
                "items": items,
                "counts_url": reverse("counts", args=[self.runtime.cluster.slug, group or REST]),
            }
            for group, items in found
        ]

    def _entry(self, kind: Kind[Any]) -> dict[str, Any]:
        words = (kind.plural, kind.gvr.plural, kind.kind, *kind.short_names)
        return {
            "plural": kind.plural,
            "title": kind.title,
            "namespaced": kind.gvr.namespaced,
            "names": " ".join(dict.fromkeys(word.lower() for word in words if word)),
            "url": list_url(self.runtime, kind.plural, self._query if kind.gvr.namespaced else ""),
        }

    def open(self, changed: Callable[[], None]) -> None:
        self._undo = [self.runtime.discovery.on_change(changed), self.session.counts.on_change(changed)]

    def close(self) -> None:
        for undo in self._undo:
            undo()

    @property
    def _query(self) -> str:
        """The chosen namespaces, as part of an address."""
        return namespace_query(self.chosen)


def chosen_in(params: QueryDict) -> frozenset[str] | None:
    """The namespaces that an address chooses; None: all."""
    with suppress(BadInput):  # the page inside the frame says so
        return frozenset(chosen_of(params, "namespace")) or None
    return None


def namespace_query(chosen: frozenset[str] | None) -> str:
    """The chosen namespaces, as part of an address."""
    keep = QueryDict(mutable=True)
    keep.setlist("namespace", sorted(chosen or ()))
    return f"?{keep.urlencode()}" if chosen else ""


def _section_id(title: str) -> str:
    return title.lower().replace(" ", "-")
