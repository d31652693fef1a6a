"""What is in a namespace: how many objects of each kind and how they are, and what holds for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard import render
from dashboard.kinds import SECTIONS
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.catalogue import BUILT_IN
from dashboard.kinds.selectors import format_label_selector
from dashboard.live.screens.common import list_url, listed, object_url
from dashboard.live.snapshot import Snapshot

from ..piece import Card, ViewerPiece

NAMED = 8  # LimitRanges or NetworkPolicies by their names
CUSTOM = 60  # kinds without a module here that are counted
LEVEL = "pod-security.kubernetes.io/enforce"
# What tells of other objects, or is made of them, is no content of its own.
_NOT_COUNTED = frozenset({"events", "endpointslices"})
_COUNTED = tuple(
    (title, tuple(kind for kind in kinds if kind.gvr.namespaced and kind.plural not in _NOT_COUNTED))
    for title, kinds in SECTIONS
)


class ContentsCard(Card, ViewerPiece):
    main = "cards/contents.html"
    plurals = frozenset(kind.plural for _, kinds in _COUNTED for kind in kinds)
    _task: asyncio.Task[None] | None = None
    _undo: Callable[[], None] | None = None

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "namespaces"

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset()  # a count appears when its kind has been listed

    @property
    def _custom(self) -> list[Kind[Any]]:
        served = self.screen.runtime.kinds.served
        return [kind for kind in served if kind.gvr.namespaced and kind.gvr.group not in BUILT_IN][:CUSTOM]

    async def prepare(self) -> None:
        for plural in self.plurals:
            await self.session.reader.make_rows(plural)

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        ask = self.session.counts.ask([kind.plural for kind in self._custom], frozenset({self.screen.name}))
        self._undo, self._task = self.session.counts.on_change(changed), asyncio.create_task(ask)

    def close(self) -> None:
        super().close()
        if self._task is not None and self._undo is not None:
            self._undo()
            self._task.cancel()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        name, session = self.screen.name, self.session
        sections = [(title, [self._count(kind) for kind in kinds]) for title, kinds in _COUNTED]
        counted = [self._counted(kind) for kind in self._custom]
        sections.append(("Custom kinds", [each for each in counted if each]))
        every = [each for _, kinds in sections for each in kinds]
        marks = {state: sum(each[state] for each in every) for state in ("bad", "warn")}
        slug = session.cluster.cluster.slug
        facts = {
            **marks,
            "issues_url": f"{reverse('overview', args=[slug])}?{urlencode({'namespace': name})}",
            "sections": [
                {"title": title, "kinds": there}
                for title, kinds in sections
                if (there := [k for k in kinds if k["count"]])
            ],
            "none": not any(each["count"] for each in every),
            "unread": any(each["count"] is None and not each["denied"] for each in every),
            "denied": [each["title"] for each in every if each["denied"]],
            "limits": self._limits(),
            "policies": self._policies(),
            "level": obj.metadata.labels.get(LEVEL, ""),
            "access_url": f"{reverse('access', args=[slug])}?{urlencode({'namespace': name})}",
        }
        return Snapshot(regions={"contents": render.region("contents", facts)})

    def _count(self, kind: Kind[Any]) -> dict[str, Any]:
        """``count``: None where it is not known (yet)."""
        name, reader = self.screen.name, self.session.reader
        url = list_url(self.screen.runtime, kind.plural, f"?{urlencode({'namespace': name})}")
        made = {"title": kind.title, "url": url, "count": None, "bad": 0, "warn": 0, "denied": False}
        if not reader.sees(kind.plural, name):
            return made | {"denied": reader.unknown(kind.plural) is None}
        if not listed(self.session, kind.plural):
            return made
        states = reader.states(kind.plural, frozenset({name}))
        return made | {"count": states.total(), "bad": states["bad"], "warn": states["warn"]}

    def _counted(self, kind: Kind[Any]) -> dict[str, Any] | None:
        """Of a kind that nobody watches: as its number was last asked for."""
        name = self.screen.name
        count = self.session.counts.of(kind.plural, frozenset({name}))
        if not count.total:
            return None
        url = list_url(self.screen.runtime, kind.plural, f"?{urlencode({'namespace': name})}")
        return {"title": kind.title, "url": url, "count": count.total, "bad": 0, "warn": 0, "denied": False}

    def _limits(self) -> dict[str, Any]:
        return self._named(
            "limitranges",
            lambda limits: " and ".join(dict.fromkeys(each.each for each in limits.spec.limits or ())),
        )

    def _policies(self) -> dict[str, Any]:
        def pods(policy: Any) -> str:
            selector = format_label_selector(policy.spec.pod_selector, empty="")
            return f"pods with {selector}" if selector else "every pod"

        return self._named("networkpolicies", pods)

    def _named(self, plural: str, words: Callable[[Any], str]) -> dict[str, Any]:
        """Each by its name with what it is about; ``known``: whether these are all."""
        name, reader = self.screen.name, self.session.reader
        found = sorted(reader.all(plural, name), key=lambda each: each.metadata.name)
        return {
            "known": reader.reads(plural, name),
            "denied": not reader.sees(plural, name),
            "all_url": list_url(self.screen.runtime, plural, f"?{urlencode({'namespace': name})}"),
            "more": max(0, len(found) - NAMED),
            "items": list(self._items(plural, found[:NAMED], words)),
        }

    def _items(self, plural: str, found: list[Any], words: Callable[[Any], str]) -> Iterator[dict[str, str]]:
        for each in found:
            url = object_url(self.screen.runtime, plural, self.screen.name, each.metadata.name)
            yield {"name": each.metadata.name, "url": url, "words": words(each)}
