"""What happened in the cluster, or in some namespaces: ``/c/<context>/timeline/``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.live.retention import kept_words
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.live.timeline import RECORDED
from dashboard.queries.timeline import CHANGE_WORDS, TimelineQuery

from .common import fresh_part, not_read
from .timeline_entries import TimelineReader


class TimelineScreen(Screen):
    page = "pages/timeline.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.query = TimelineQuery.read(params)
        self.reader = TimelineReader(self.session, self.query)

    @property
    def shows(self) -> Hashable:
        return self.query

    @property
    def plurals(self) -> frozenset[str]:
        return RECORDED

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset()  # it comes out of the database

    async def prepare(self) -> None:
        await self.session.review(RECORDED)
        await self.reader.read()

    def open(self, changed: Any) -> None:
        self.reader.open(changed)

    def close(self) -> None:
        self.reader.close()

    def snapshot(self) -> Snapshot:
        state = self.reader.state(self._wanted())
        older = self._url(before=state["older"]) if state["older"] else ""
        return Snapshot(
            regions={
                "moments-state": render.region(
                    "moments_state",
                    state | {"older_url": older, "unknown": self._unknown()} | self._everything(),
                ),
                "fresh": fresh_part(self.session, RECORDED),
            },
            lists={"moments": self.reader.rows()},
        )

    def _wanted(self) -> frozenset[str]:
        """The kinds that the address asks for."""
        query = self.query
        if query.type == "event":
            return frozenset({"events"})
        return frozenset({query.plural} - {""}) or RECORDED

    def _unknown(self) -> str:
        """Of what the record may tell, nobody knows while the cluster does not answer."""
        return not_read(self.session, self._wanted() & KINDS.keys())

    def _everything(self) -> dict[str, str]:
        return {} if self.query.type else {"everything_url": self._url(type="all")}

    def _url(self, **changes: str) -> str:
        query = self.query
        pairs = [("namespace", namespace) for namespace in query.namespaces]
        kept = {"kind": query.plural, "type": query.type, "q": query.q} | changes
        pairs += [(key, value) for key, value in kept.items() if value]
        url = reverse("timeline", args=[self.runtime.cluster.slug])
        return f"{url}?{urlencode(pairs)}" if pairs else url

    def context(self) -> Mapping[str, Any]:
        query = self.query
        return {
            "path": reverse("timeline", args=[self.runtime.cluster.slug]),
            "kept": kept_words(),
            "q": query.q,
            "kind": query.plural,
            "kinds": [(kind.plural, kind.title) for kind in KINDS.values() if kind.plural in RECORDED],
            "since": query.since.isoformat() if query.since else "",
            "before": query.before.isoformat() if query.before else "",
            "newest_url": self._url(),
            "keep": [("namespace", namespace) for namespace in query.namespaces],
            "types": [
                {"id": type_, "word": word, "url": self._url(type=type_), "current": query.type == type_}
                for type_, word in CHANGE_WORDS.items()
            ],
        }
