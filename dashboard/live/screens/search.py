"""What is found in a cluster: ``/c/<context>/search/?q=``.

Kinds with a module here are watched, and answer at once. All others are listed for the search (``Unwatched``), and what
is found of them follows; what was not searched is said.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Row
from dashboard.kinds.legible import legible
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.reader import JUDGES, Namespaces
from dashboard.queries.search import LIMIT, Answer, Hit, SearchQuery, kinds_meant, scopes, searching

from .common import (
    fresh_part,
    freshness,
    list_url,
    listed,
    not_read,
    object_url,
    unreachable,
)
from .detail.screen import STATE_WORDS, WORDS

SLOW = frozenset({"events"})  # they may be many, and nobody waits for them
PATIENCE_SECONDS = 0.25  # for kinds that must be listed first: most answer in that time
NAMED = 6  # kinds or namespaces in a sentence


class SearchScreen(ViewerScreen):
    """``only``: the kinds to look at, when not all of them are wanted. ``found`` is what the last look found."""

    page = "pages/search.html"
    pace = 2.0

    def __init__(
        self,
        session: Session,
        params: QueryDict,
        only: frozenset[str] | None = None,
        patience: float = PATIENCE_SECONDS,
        limit: int = LIMIT,
    ) -> None:
        super().__init__(session)
        self.query = SearchQuery.read(params)
        self.kinds: Mapping[str, Kind[Any]] = self.runtime.kinds
        if self.query.plural and self.query.plural not in self.kinds:
            raise NotFound(
                f"There is no kind {self.query.plural}.", next_step="Leave the kind out to search every kind."
            )
        wanted = only if only is not None else frozenset(KINDS)
        self._plurals = frozenset({self.query.plural}) if self.query.plural else wanted
        self._every = only is None and not self.query.plural
        self._patience = patience
        self._limit = limit
        self.found = Answer()
        self._undo: list[Callable[[], None]] = []

    @property
    def shows(self) -> Hashable:
        return (self.query, self._plurals, self._every)

    @property
    def plurals(self) -> frozenset[str]:
        return self._plurals

    @property
    def _asked_about(self) -> frozenset[str]:
        judges = (JUDGES.get(plural, frozenset()) for plural in self._plurals)
        return self._plurals.union(*judges)

    @property
    def waits_for(self) -> frozenset[str]:
        return self._plurals - SLOW if self.query.words else frozenset()

    async def prepare(self) -> None:
        if self._every and self.query.words:
            await self.runtime.discovery.known(self._patience)
        others = self._others()
        watched = frozenset(kind.plural for kind in others if self.session.reader.watches(kind.plural))
        await self.session.review(self._asked_about | watched)
        if others:
            await self.session.unwatched.ask(
                (kind.plural for kind in others if kind.plural not in watched), self._patience
            )
        await self.catch_up()

    def behind(self) -> bool:
        return True  # what has all words is found in a thread, each time

    async def catch_up(self) -> None:
        await super().catch_up()
        if self.query.words:
            self.found = await off_loop(self._searching())

    def _others(self) -> tuple[Kind[Any], ...]:
        """The kinds that nobody need watch, when they are searched too."""
        return self.runtime.kinds.served if self._every and self.query.words else ()

    def _unwatched(self) -> list[Kind[Any]]:
        """Those of them that nobody watches."""
        reader = self.session.reader
        return [
            each
            for each in self._others()
            if not (each.plural in self.visible and reader.watches(each.plural))
        ]

    def _searching(self) -> Callable[[], Answer]:
        """What is to be done for an answer, of the rows as they are now: in a thread, where one can wait for it."""
        unwatched = self._unwatched()
        cached = self._plurals | {each.plural for each in self._others()}.difference(
            each.plural for each in unwatched
        )
        reading = self.query.reading(self.kinds)
        chosen = self.query.chosen(reading)
        where = scopes(self.kinds, {plural: self.visible[plural] for plural in cached}, chosen)
        rows = {kind.plural: self._rows(kind, chosen) for kind in unwatched}
        return searching(
            self.session.reader,
            self.kinds,
            self.query,
            where,
            reading=reading,
            unwatched=rows,
            limit=self._limit,
        )

    def _rows(self, kind: Kind[Any], chosen: Namespaces) -> list[Row]:
        """What was listed of a kind, in the chosen namespaces."""
        listing = self.session.unwatched.of(kind.plural)
        if not kind.gvr.namespaced:
            chosen = None
        return [row for row in (listing.rows if listing else ()) if chosen is None or row.namespace in chosen]

    def open(self, changed: Callable[[], None]) -> None:
        """What is listed for it comes in later."""
        if self._every:
            self._undo = [
                self.session.unwatched.on_change(changed),
                self.runtime.discovery.on_change(changed),
            ]

    def close(self) -> None:
        for undo in self._undo:
            undo()

    def snapshot(self) -> Snapshot:
        return Snapshot(
            regions={
                "found": render.region("found", self._facts(self.found)),
                "fresh": fresh_part(self.session, self._plurals),
            }
        )

    def _facts(self, found: Answer) -> dict[str, Any]:
        shown: dict[str, list[Hit]] = {}
        for hit in found.hits:
            shown.setdefault(hit.kind.plural, []).append(hit)
        others = [plural for plural in found.counts if plural not in shown]
        return {
            "state": self._state(found),
            "trouble": not_read(self.session, self._plurals & KINDS.keys()),
            "q": self.query.q,
            "like": found.like,
            "total": found.total,
            "groups": [self._group(plural, hits, found) for plural, hits in shown.items()],
            "others": [
                {
                    "title": self.kinds[plural].title,
                    "count": found.counts[plural],
                    "url": self._list(plural, found),
                }
                for plural in others
            ],
            "kinds": self.named(),
            "missed": self.missed(),
            "namespaces": list(self.query.namespaces),
            "everywhere_url": self.url(namespaces=()) if self.query.namespaces else "",
            "every_kind_url": self.url(plural="") if self.query.plural else "",
            "denied": self.denied(),
            "waiting": self.waiting(),
            "places": [
                (kind.title, list_url(self.runtime, kind.plural)) for kind in KINDS.values() if not kind.rare
            ],
        }

    def _group(self, plural: str, hits: list[Hit], found: Answer) -> dict[str, Any]:
        more = 0 if found.like else found.counts.get(plural, len(hits)) - len(hits)
        return {
            "plural": plural,
            "title": self.kinds[plural].title,
            "count": len(hits) + max(0, more),
            "more": max(0, more),
            "url": self._list(plural, found),
            "hits": [self.hit(each) for each in hits],
        }

    def hit(self, hit: Hit) -> dict[str, Any]:
        """A hit as facts: for the page, and for scripts."""
        kind, row = hit.kind, hit.row
        at = next((c.order for c in kind.columns if c.key == kind.status_column), len(row.cells))
        status = row.cells[at].text if at < len(row.cells) else ""
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
            "why": [
                {"label": each.label, "parts": [(legible(text), mark) for text, mark in each.parts]}
                for each in hit.why
            ],
        }

    def _state(self, found: Answer) -> str:
        if not self.query.words:
            return "ask"
        if found.hits:
            return ""
        listings = (self.session.unwatched.of(kind.plural) for kind in self._unwatched())
        others = any(each is not None and not each.denied for each in listings)
        if not others and all(self.visible[plural].denied is not None for plural in self._plurals):
            return "forbidden"
        if any(unreachable(self.session, plural) for plural in self.unlisted()):
            return "unreachable"
        return "loading" if self.unlisted() - SLOW else "no-match"

    def total(self, found: Answer) -> int | None:
        """How many are found; None where nothing is, and not all could be searched."""
        unknown = not found.hits and self._state(found) in ("unreachable", "loading")
        return None if unknown else found.total

    def unlisted(self) -> frozenset[str]:
        """The kinds that may be searched but whose objects are not known yet."""
        return frozenset(
            plural
            for plural in self._plurals
            if self.visible[plural].denied is None and not listed(self.session, plural)
        )

    def waiting(self) -> list[str]:
        """Their titles."""
        unlisted = self.unlisted()
        return [kind.title for kind in self.kinds.values() if kind.plural in unlisted]

    def denied(self) -> list[str]:
        """The titles of the kinds that the user may list nowhere."""
        return [
            kind.title
            for kind in self.kinds.values()
            if kind.plural in self._plurals and self.visible[kind.plural].denied is not None
        ]

    def named(self) -> list[dict[str, str]]:
        """The lists of the kinds themselves that the words name, in the namespaces that they name."""
        offered = (*KINDS.values(), *self.runtime.kinds.served) if self._every else ()
        place = replace(self.found.reading, words=())
        spaces = place.namespaces
        where = ", ".join(spaces) if len(spaces) <= NAMED else f"{len(spaces)} namespaces"
        return [
            {
                "title": kind.title,
                "where": where if kind.gvr.namespaced else "",
                "group": kind.gvr.group if kind.discovered else "",
                "url": list_url(self.runtime, kind.plural, self.query.list_query(kind, place)),
            }
            for kind in kinds_meant(offered, self.found.reading)
        ]

    def pending(self) -> list[str]:
        """The titles of the kinds that are listed for this search and have not answered yet."""
        if self._every and self.query.words and not self.runtime.discovery.told:
            return ["custom and other kinds"]  # which there are, the API server has not said yet
        return [kind.title for kind in self._unwatched() if self.session.unwatched.of(kind.plural) is None]

    def missed(self) -> list[dict[str, Any]]:
        """What was not searched and why: a sentence that ends in the titles of those kinds, best known first."""
        listings = [(kind, self.session.unwatched.of(kind.plural)) for kind in self._unwatched()]
        read = [(kind.title, listing) for kind, listing in listings if listing is not None]
        denied = [title for title, listing in read if listing.denied]
        silent = [title for title, listing in read if listing.trouble and not listing.denied]
        partly = [title for title, listing in read if listing.more]
        failed = [plural for plural in self.unlisted() if unreachable(self.session, plural)]
        unread = [self.kinds[plural].title for plural in self.kinds if plural in failed]
        reading = [title for title in self.waiting() if title not in unread]
        return [
            _missed(icon, why, titles)
            for icon, why, titles in (
                ("lock", "Not searched, because you may not list them", self.denied() + denied),
                (
                    "busy",
                    "Not searched yet, because they are still being read",
                    reading + self.pending(),
                ),
                ("plug", "Could not be searched, because the cluster does not answer about them", unread),
                ("plug", "Not searched, because their API gives no answer that can be read", silent),
                ("warn", "Searched in part, because there are too many; their own lists find all", partly),
            )
            if titles
        ]

    @property
    def fresh(self) -> str:
        """The freshness of what is searched: one of the four words."""
        return str(freshness(self.session, self._plurals)["state"])

    def _list(self, plural: str, found: Answer) -> str:
        return list_url(self.runtime, plural, self.query.list_query(self.kinds[plural], found.reading))

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
            "kinds": [(kind.plural, kind.title) for kind in KINDS.values()],
            "others": [
                (kind.plural, f"{kind.title} ({kind.gvr.group or 'Kubernetes itself'})")
                for kind in self.runtime.kinds.served
            ],
            "keep": [("namespace", namespace) for namespace in self.query.namespaces],
        }


def _missed(icon: str, why: str, titles: Iterable[str]) -> dict[str, Any]:
    named = list(dict.fromkeys(titles))
    return {"icon": icon, "why": why, "titles": named[:NAMED], "rest": named[NAMED:]}
