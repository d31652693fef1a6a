"""What is found in a cluster: ``/c/<context>/search/?q=``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible
from dashboard.queries.reader import JUDGED_BY, judgeable
from dashboard.queries.search import LIMIT, Answer, Hit, SearchQuery, scopes, search

from .common import (
    fresh_part,
    freshness,
    list_url,
    listed,
    object_url,
    rights_key,
    unreachable,
    visibility,
)
from .detail.screen import STATE_WORDS, WORDS

SLOW = frozenset({"events"})  # they may be many, and nobody waits for them


class SearchScreen(Screen):
    """``only``: the kinds to look at, when not all of them are wanted."""

    page = "pages/search.html"
    pace = 2.0

    def __init__(
        self, runtime: ClusterRuntime, params: QueryDict, only: frozenset[str] | None = None
    ) -> None:
        super().__init__(runtime)
        self.query = SearchQuery.read(params)
        self.kinds: Mapping[str, Kind[Any]] = KINDS
        if self.query.plural and self.query.plural not in self.kinds:
            raise NotFound(
                f"There is no kind {self.query.plural}.", next_step="Leave the kind out to search every kind."
            )
        wanted = only if only is not None else frozenset(self.kinds)
        self._plurals = frozenset({self.query.plural}) if self.query.plural else wanted
        self.visible: dict[str, Visible] = {}

    @property
    def key(self) -> Hashable:
        return ("search", self.query, self._plurals, rights_key(self.visible))

    @property
    def plurals(self) -> frozenset[str]:
        return self._plurals

    @property
    def waits_for(self) -> frozenset[str]:
        return self._plurals - SLOW if self.query.words else frozenset()

    async def prepare(self) -> None:
        judges = (JUDGED_BY.get(plural, frozenset()) for plural in self._plurals)
        self.visible = await visibility(self.runtime, self._plurals.union(*judges))

    def answer(self, limit: int = LIMIT) -> Answer:
        """What is found, of what the user may list. Nothing while nothing is asked for."""
        seen = {plural: self.visible[plural] for plural in self._plurals}
        where = scopes(self.kinds, seen, self.query.chosen)
        judged = judgeable(self.visible)
        return search(self.runtime.reader, self.kinds, self.query, where, judged=judged, limit=limit)

    def snapshot(self) -> Snapshot:
        found = self.answer() if self.query.words else Answer()
        return Snapshot(
            regions={
                "found": render.region("found", self._facts(found)),
                "fresh": fresh_part(self.runtime, self._plurals),
            }
        )

    def _facts(self, found: Answer) -> dict[str, Any]:
        shown: dict[str, list[Hit]] = {}
        for hit in found.hits:
            shown.setdefault(hit.kind.plural, []).append(hit)
        others = [plural for plural in found.counts if plural not in shown]
        return {
            "state": self._state(found),
            "q": self.query.q,
            "like": found.like,
            "total": found.total,
            "groups": [self._group(plural, hits, found) for plural, hits in shown.items()],
            "others": [
                {"title": self.kinds[plural].title, "count": found.counts[plural], "url": self._list(plural)}
                for plural in others
            ],
            "namespaces": list(self.query.namespaces),
            "everywhere_url": self.url(namespaces=()) if self.query.namespaces else "",
            "every_kind_url": self.url(plural="") if self.query.plural else "",
            "denied": self.denied(),
            "waiting": self.waiting(),
            "places": [
                (kind.title, list_url(self.runtime, kind.plural))
                for kind in self.kinds.values()
                if not kind.rare
            ],
        }

    def _group(self, plural: str, hits: list[Hit], found: Answer) -> dict[str, Any]:
        more = 0 if found.like else found.counts.get(plural, len(hits)) - len(hits)
        return {
            "plural": plural,
            "title": self.kinds[plural].title,
            "count": len(hits) + max(0, more),
            "more": max(0, more),
            "url": self._list(plural),
            "hits": [self.hit(each) for each in hits],
        }

    def hit(self, hit: Hit) -> dict[str, Any]:
        """A hit as facts: for the page, and for scripts."""
        kind, row = hit.kind, hit.row
        status = next((row.cells[c.order].text for c in kind.columns if c.key == kind.status_column), "")
        word = status if kind.status_column in WORDS else STATE_WORDS.get(row.state, "")
        return {
            "plural": kind.plural,
            "kind": kind.singular,
            "namespace": row.namespace,
            "name": row.name,
            "parts": hit.name,
            "url": object_url(self.runtime, kind.plural, row.namespace, row.name),
            "state": row.state,
            "word": word,
            "reason": row.reason,
            "why": [{"label": each.label, "parts": each.parts} for each in hit.why],
        }

    def _state(self, found: Answer) -> str:
        if not self.query.words:
            return "ask"
        if found.hits:
            return ""
        if all(self.visible[plural].denied is not None for plural in self._plurals):
            return "forbidden"
        if any(unreachable(self.runtime, plural) for plural in self.unlisted()):
            return "unreachable"
        return "loading" if self.unlisted() - SLOW else "no-match"

    def unlisted(self) -> frozenset[str]:
        """The kinds that may be searched but whose objects are not known yet."""
        return frozenset(
            plural
            for plural in self._plurals
            if self.visible[plural].denied is None and not listed(self.runtime, plural)
        )

    def waiting(self) -> list[str]:
        """Their titles."""
        return [kind.title for kind in self.kinds.values() if kind.plural in self.unlisted()]

    def denied(self) -> list[str]:
        """The titles of the kinds that the user may list nowhere."""
        return [
            kind.title
            for kind in self.kinds.values()
            if kind.plural in self._plurals and self.visible[kind.plural].denied is not None
        ]

    @property
    def fresh(self) -> str:
        """The freshness of what is searched: one of the four words."""
        return str(freshness(self.runtime, self._plurals)["state"])

    def _list(self, plural: str) -> str:
        return list_url(self.runtime, plural, self.query.list_query(self.kinds[plural]))

    def url(self, **changes: Any) -> str:
        """The address of this search with some of it changed."""
        kept = {"namespaces": self.query.namespaces, "plural": self.query.plural} | changes
        params = QueryDict(mutable=True)
        if self.query.q:
            params["q"] = self.query.q
        params.setlist("namespace", list(kept["namespaces"]))
        if kept["plural"]:
            params["kind"] = kept["plural"]
        url = reverse("search", args=[self.runtime.cluster.slug])
        return f"{url}?{params.urlencode()}" if params.urlencode() else url

    def context(self) -> Mapping[str, Any]:
        return {
            "path": reverse("search", args=[self.runtime.cluster.slug]),
            "q": self.query.q,
            "kind": self.query.plural,
            "kinds": [(kind.plural, kind.title) for kind in self.kinds.values()],
            "keep": [("namespace", namespace) for namespace in self.query.namespaces],
        }
