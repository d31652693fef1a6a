"""The list of a kind."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import ClusterError, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Column
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible, visible
from dashboard.queries.lists import (
    DEFAULT_SORT,
    MATCHED,
    MEASURED,
    Listing,
    ListQuery,
    cell,
    listing,
    measured_columns,
    shown_columns,
)
from dashboard.queries.logs import KINDS_WITH_LOGS
from dashboard.queries.reader import JUDGED_BY

from .common import fresh_part, list_url, listed, rights_key, row_part, unreachable
from .measured import Measured

CHIP_WORDS = {
    "need": "Need a person",
    "look": "Worth a look",
    "changing": "Changing",
    "fine": "Fine",
    "done": "Finished",
}
EVENT_WORDS = CHIP_WORDS | {"look": "Warnings", "fine": "Normal"}
CHIP_STATES = {"need": "bad", "look": "warn", "changing": "info", "fine": "ok", "done": "done"}


class ListScreen(Screen):
    page = "pages/list.html"

    def __init__(self, runtime: ClusterRuntime, params: QueryDict, plural: str) -> None:
        super().__init__(runtime)
        if plural not in KINDS:
            raise NotFound(f"There is no list of {plural}.", next_step="Choose one of the kinds at the side.")
        self.kind = KINDS[plural]
        self.exported = shown_columns(self.kind)
        self.columns = measured_columns(self.kind, self.exported)
        self.measured = Measured(runtime, plural)
        self.query = ListQuery.read(plural, params)
        self.visible = Visible()
        self.label_error = ""

    @property
    def key(self) -> Hashable:
        return ("list", self.query, rights_key({self.kind.plural: self.visible}), self.measured.key)

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({self.kind.plural}) | JUDGED_BY.get(self.kind.plural, frozenset())

    async def prepare(self) -> None:
        self.visible = await visible(self.runtime.transport, self.runtime.cache, self.kind.plural)
        await self.measured.prepare(self.visible)

    def open(self, changed: Callable[[], None]) -> None:
        self.measured.open(changed)

    def close(self) -> None:
        self.measured.close()

    def listing(self, *, page_size: int | None = 100) -> Listing:
        chosen = frozenset(self.query.namespaces) or None
        namespaces = self.visible.within(chosen if self.kind.gvr.namespaced else None)
        return listing(
            self.runtime.reader,
            self.query,
            namespaces,
            page_size=page_size,
            measure=self.measured.use,
        )

    def snapshot(self) -> Snapshot:
        found = self.listing()
        self.label_error = found.label_error
        return Snapshot(
            regions={
                "list-head": render.region("list_head", self._head(found)),
                "list-state": render.region("list_state", self._state(found)),
                "fresh": fresh_part(self.runtime, {self.kind.plural}),
            },
            lists={
                "rows": {
                    f"row-{row.uid}": row_part(
                        self.runtime, self.kind.plural, row, self.columns, self.measured.texts(row)
                    )
                    for row in found.rows
                }
            },
            charts={"rows-usage": self.measured.values(found.rows)} if self.measured.shown else {},
        )

    def _url(self, **changes: Any) -> str:
        return list_url(self.runtime, self.kind.plural, self.query.url_query(**changes) or "")

    def _head(self, found: Listing) -> dict[str, Any]:
        all_of_them = sum(found.counts.values())
        chips = [
            {
                "id": "all",
                "word": "All",
                "count": all_of_them,
                "url": self._url(state="", page=1),
                "current": not self.query.state,
                "state": "",
            }
        ]
        chips += [
            {
                "id": chip,
                "word": (EVENT_WORDS if self.kind.plural == "events" else CHIP_WORDS)[chip],
                "count": count,
                "url": self._url(state=chip, page=1),
                "current": self.query.state == chip,
                "state": CHIP_STATES[chip],
            }
            for chip, count in found.counts.items()
            if count or self.query.state == chip
        ]
        return {
            "total": found.total,
            "in_scope": found.in_scope,
            "shown_from": found.first,
            "shown_to": found.last,
            "page": found.page,
            "pages": found.pages,
            "prev_url": self._url(page=found.page - 1) if found.page > 1 else "",
            "next_url": self._url(page=found.page + 1) if found.page < found.pages else "",
            "quick": chips if len(chips) > 2 or self.query.state else [],
        }

    def _state(self, found: Listing) -> dict[str, Any]:
        """Why there are no rows, or not all: five different states, each with a way out; state "" says nothing."""
        title = self.kind.title
        refusal = self.visible.denied
        if refusal is not None:
            return {
                "state": "forbidden",
                "title": f"You may not see {title}",
                "text": "Your account lacks a right in this cluster.",
                "verb": refusal.verb or "list",
                "resource": refusal.resource or self.kind.plural,
                "next": None,
            }
        failure = unreachable(self.runtime, self.kind.plural)
        if not listed(self.runtime, self.kind.plural):
            return self._not_listed(failure)
        if found.label_error:
            return {
                "state": "no-match",
                "title": "This label filter cannot be read",
                "field": "labels",
                "text": found.label_error,
                "next": {"text": "Clear the label filter", "url": self._url(labels="", page=1)},
            }
        if unknown := self._unknown_namespaces():
            return {
                "state": "no-match",
                "title": f"There is no namespace {unknown[0]}",
                "text": "It may have been deleted, or the address is misspelt.",
                "next": {"text": "Show all namespaces", "url": self._url(namespaces=(), page=1)},
            }
        if found.total == 0 and found.in_scope > 0:
            return {
                "state": "no-match",
                "title": f"None of {found.in_scope} {title} match",
                "text": "The filter leaves nothing.",
                "next": {
                    "text": "Clear the filters",
                    "url": self._url(q="", labels="", state="", match=(), page=1),
                },
            }
        if found.total == 0:
            where = "in the chosen namespaces" if self.query.namespaces else "in this cluster"
            return {
                "state": "empty",
                "title": f"No {title} {where}",
                "text": self.kind.explain,
                "next": {"text": "Show all namespaces", "url": self._url(namespaces=(), page=1)}
                if self.query.namespaces
                else None,
            }
        if self.visible.namespaces is not None:
            names = ", ".join(sorted(self.visible.namespaces))
            return {
                "state": "partly",
                "title": f"Only {title} that you may see",
                "text": f"You may list {self.kind.plural} in {names}, not in the whole cluster.",
                "next": None,
            }
        return {"state": ""}

    def _unknown_namespaces(self) -> list[str]:
        """The chosen namespaces that are not there, when none of those that are has been chosen."""
        store = self.runtime.cache.store("namespaces")
        if not listed(self.runtime, "namespaces"):
            return []
        unknown = [name for name in self.query.namespaces if store.get("", name) is None]
        return unknown if len(unknown) == len(self.query.namespaces) else []

    def _not_listed(self, failure: ClusterError | None) -> dict[str, Any]:
        if failure is None:
            return {"state": "loading", "title": f"Reading {self.kind.title}…", "text": "", "next": None}
        return {
            "state": "unreachable",
            "title": "The cluster does not answer",
            "text": failure.message,
            "next": {"text": "Look at the clusters", "url": "/clusters/"},
        }

    def context(self) -> Mapping[str, Any]:
        sort = self.query.sort or DEFAULT_SORT.get(self.kind.plural, "")
        return {
            "kind": {
                "plural": self.kind.plural,
                "title": self.kind.title,
                "singular": self.kind.singular,
                "explain": self.kind.explain,
                "namespaced": self.kind.gvr.namespaced,
                "has_logs": self.kind.plural in KINDS_WITH_LOGS,
            },
            "columns": [
                {
                    "key": column.key,
                    "title": column.title,
                    "num": column.num,
                    "wide": column.wide,
                    "help": column.help,
                    "status": column.key == self.kind.status_column,
                    "sorted": {column.key: "asc", f"-{column.key}": "desc"}.get(sort, ""),
                    "sort_url": self._url(sort=self._next_sort(column, sort), page=1),
                }
                for column in self.columns
            ],
            "timeline_url": f"{reverse('timeline', args=[self.runtime.cluster.slug])}?kind={self.kind.plural}",
            "measured": self.measured.shown,
            "q": self.query.q,
            "labels": self.query.labels,
            "label_error": self.label_error,
            "matches": self._matches(),
            "keep": [("namespace", namespace) for namespace in self.query.namespaces]
            + [
                (key, value)
                for key, value in (("state", self.query.state), ("sort", self.query.sort))
                if value
            ],
            "path": list_url(self.runtime, self.kind.plural),
            "exports": {form: self._export_url(form) for form in ("json", "csv", "tsv")},
            "kubectl": self._kubectl(),
        }

    def _next_sort(self, column: Column, sort: str) -> str:
        """The other direction; of what is measured, the greatest come first."""
        first, second = column.key, f"-{column.key}"
        if column in MEASURED.get(self.kind.plural, ()):
            first, second = second, first
        return second if sort == first else first

    def _matches(self) -> list[dict[str, Any]]:
        """The fields that ask for one column's text, each with what is most often in it."""
        if not (keys := MATCHED.get(self.kind.plural)):
            return []
        given = dict(self.query.match)
        rows = self.listing(page_size=None).rows
        columns = {column.key: column for column in self.columns}
        return [
            {
                "key": key,
                "title": columns[key].title,
                "value": given.get(key, ""),
                "options": [
                    text for text, _ in Counter(cell(row, columns[key]).text for row in rows).most_common(50)
                ],
            }
            for key in keys
        ]

    def _export_url(self, form: str) -> str:
        url = self._url(page=1)
        return f"{url}{'&' if '?' in url else '?'}format={form}"

    def _kubectl(self) -> str:
        """The same list by kubectl (which cannot filter by text: that part is left out).

        Namespace and labels come from the address, which anybody may have written: they are quoted.
        """
        labels = ["-l", self.query.labels] if self.query.labels else []
        if (kind := dict(self.query.match).get("type")) in ("Normal", "Warning"):
            labels.append(f"--field-selector=type={kind}")
        wheres: list[list[str]] = [[]]
        if self.kind.gvr.namespaced:
            # kubectl takes one namespace or all of them.
            wheres = [["-n", namespace] for namespace in self.query.namespaces] or [["-A"]]
        commands = [
            shlex.join(["kubectl", "get", self.kind.plural, *where, *labels, "-o", "wide"])
            for where in wheres
        ]
        return "; ".join(commands)
