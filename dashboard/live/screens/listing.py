"""The list of a kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.newobjects.registry import has_form
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Column, State
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.selectors import OR
from dashboard.kube.shell import shell_line
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.live.timeline import RECORDED
from dashboard.queries.access import Visible
from dashboard.queries.kindrows import MATCHED
from dashboard.queries.lists import (
    DEFAULT_SORT,
    LABEL,
    ByUse,
    Listing,
    ListQuery,
    greatest_first,
    label_of,
    listing,
    measured_columns,
    selecting_of,
    shown_columns,
    sorts_by_use,
    usual_columns,
)
from dashboard.queries.logs import KINDS_WITH_LOGS
from dashboard.queries.reader import JUDGES, NEEDED, Namespaces
from dashboard.queries.selections import Selecting

from .chrome import nav_item
from .common import (
    fresh_part,
    kind_of,
    list_url,
    listed,
    not_known,
    unreachable,
)
from .measured import Measured
from .rowparts import RowParts

CHIP_WORDS = {
    "need": "Critical",
    "look": "Warning",
    "changing": "Changing",
    "fine": "Healthy",
    "done": "Finished",
}
EVENT_WORDS = CHIP_WORDS | {"look": "Warnings", "fine": "Normal"}
LABELS_OFFERED = 50
OPTIONS = 50  # offered for a column that is asked for by its text
CHIP_STATES: Mapping[str, State] = {
    "need": "bad",
    "look": "warn",
    "changing": "info",
    "fine": "ok",
    "done": "done",
}


def _names(namespaces: Iterable[str]) -> str:
    """Some namespaces in words: a few by name."""
    return enumerated(sorted(namespaces), more="more")


class ListScreen(Screen):
    page = "pages/list.html"
    partly = True

    def __init__(self, session: Session, params: QueryDict, plural: str) -> None:
        super().__init__(session)
        self.kind = kind_of(self.runtime, plural)
        self.measured = Measured(self.session, plural)
        self.parts = RowParts(self.runtime, plural, self.measured)
        self.query = ListQuery.read(plural, params)
        self.label_error = ""
        self._columns_shown: tuple[tuple[Column, ...], render.Part] | None = None

    @property
    def seen(self) -> Visible:
        """Where the kind itself may be seen."""
        return self.visible.get(self.kind.plural, Visible())

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those of a kind without a module here are known with its first Table, and may change."""
        return shown_columns(self.kind, self.query.chosen, measured=True)

    @property
    def shows(self) -> Hashable:
        return self.query

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({self.kind.plural}) | JUDGES.get(self.kind.plural, frozenset())

    async def prepare(self) -> None:
        await self.session.review(self.plurals | {"namespaces"})
        await self.measured.prepare(self.seen)
        if listed(self.session, self.kind.plural):
            self.query.check(self.kind)
        await self._make()

    def behind(self) -> bool:
        ready = self.session.reader.selects(self.kind.plural, self._selecting, self._chosen)
        return not ready or super().behind()

    async def catch_up(self) -> None:
        await super().catch_up()
        await self._make()

    async def _make(self) -> None:
        """The rows, and in their order."""
        await self.session.reader.make_rows(self.kind.plural)
        await self.session.reader.make(self.kind.plural, self._selecting, self._chosen)

    @property
    def _selecting(self) -> Selecting:
        return selecting_of(self.kind, self.query, self._by_use)[0]

    @property
    def _by_use(self) -> ByUse | None:
        return self.measured.as_read() if sorts_by_use(self.query) else None

    def open(self, changed: Callable[[], None]) -> None:
        self.measured.open(changed)

    def close(self) -> None:
        self.measured.close()

    @property
    def _chosen(self) -> Namespaces:
        return frozenset(self.query.namespaces) or None if self.kind.gvr.namespaced else None

    @property
    def namespaces(self) -> Namespaces:
        """The chosen namespaces that may be seen."""
        return self.seen.within(self._chosen)

    @property
    def refusal(self) -> Forbidden | None:
        """Why nothing of this may be seen, if it may not."""
        return self.seen.refusal(self.kind.plural, self._chosen)

    @property
    def known(self) -> bool:
        """Whether what is in the list is all there is, as far as it may be seen."""
        return listed(self.session, self.kind.plural)

    @property
    def failure(self) -> ClusterError | None:
        """Why it is not known, where it could not be read."""
        return unreachable(self.session, self.kind.plural)

    @property
    def _unjudged(self) -> str:
        """Why it cannot be said how these objects are, which others must tell; "" where it can."""
        plural = self.kind.plural
        if plural not in NEEDED:
            return ""
        if plural not in self.session.reader.judged:
            denied = [
                KINDS[each].title for each in sorted(NEEDED[plural]) if self.visible[each].denied is not None
            ]
            return f"You may not list {enumerated(denied) or 'what is behind them'} wherever they are."
        return not_known(self.session, NEEDED[plural])

    def listing(self, *, page_size: int | None = 100) -> Listing:
        return listing(
            self.session.reader,
            self.kind,
            self.query,
            self._chosen,
            page_size=page_size,
            by_use=self._by_use,
        )

    def snapshot(self) -> Snapshot:
        found = self.listing()
        columns = self.columns
        self.label_error = found.label_error
        return Snapshot(
            regions={
                "list-head": render.region("list_head", self._head(found)),
                "list-state": render.region("list_state", self._state(found)),
                "list-cols": self._heads_of(columns),
                "fresh": fresh_part(self.session, {self.kind.plural}),
                **self._count(),
            },
            lists={"rows": self.parts.of(found.rows, columns)},
            charts={"rows-usage": self.measured.values(found.rows, columns)} if self.measured.shown else {},
        )

    def _count(self) -> dict[str, render.Part]:
        """The number at the side: nobody else watches a kind without a module here."""
        if not self.kind.discovered or not listed(self.session, self.kind.plural):
            return {}
        plural = self.kind.plural
        count = self.session.reader.count(plural, self._chosen)
        return {f"nav-{plural}": render.region("nav_item", nav_item(plural, count))}

    def _heads_of(self, columns: tuple[Column, ...]) -> render.Part:
        """The heads of the table; made anew only for other columns."""
        if self._columns_shown is None or self._columns_shown[0] != columns:
            part = render.region("list_cols", {"columns": self._heads(columns)})
            self._columns_shown = columns, part
        return self._columns_shown[1]

    def _heads(self, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
        sort = self.query.sort or DEFAULT_SORT.get(self.kind.plural, "")
        return [
            {
                "key": column.key,
                "title": column.title,
                "num": column.num,
                "wide": column.wide,
                "help": column.help,
                "status": column.key == self.kind.status_column,
                "sorted": {column.key: "asc", f"-{column.key}": "desc"}.get(sort, ""),
                "falls": greatest_first(column),
                "sort_url": self._url(sort=self._next_sort(column, sort), page=1),
            }
            for column in columns
        ]

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
            # Of no rows, how many the filter left out; of those not listed yet, nothing is known.
            "known": listed(self.session, self.kind.plural) and self.refusal is None,
            "total": found.total or found.in_scope,
            "shown_from": found.first,
            "shown_to": found.last,
            "page": found.page,
            "pages": found.pages,
            "prev_url": self._url(page=found.page - 1) if found.page > 1 else "",
            "next_url": self._url(page=found.page + 1) if found.page < found.pages else "",
            # Of objects that cannot be judged, none is healthy; of a part of them, no count is true.
            "quick": chips
            if (len(chips) > 2 and self.known and not self._unjudged) or self.query.state
            else [],
        }

    def _state(self, found: Listing) -> dict[str, Any]:
        """Why there are no rows, or not all: five different states, each with a way out; state "" says nothing."""
        title = self.kind.title
        if (refusal := self.refusal) is not None:
            return self._forbidden(refusal)
        failure = unreachable(self.session, self.kind.plural)
        if isinstance(failure, NotFound):
            return self._not_served()
        if not listed(self.session, self.kind.plural):
            return self._not_listed(failure)
        if found.label_error:
            return {
                "state": "no-match",
                "title": "This label filter cannot be read",
                "field": "labels",
                "text": found.label_error,
                "next": {"text": "Clear the label filter", "url": self._url(labels="", page=1)},
            }
        unknown = self._unknown_namespaces()
        if unknown and len(unknown) == len(self.query.namespaces):
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
            where = (
                "in the chosen namespaces"
                if self.query.namespaces
                else "in this cluster"
                if self.seen.namespaces is None
                else f"in {_names(self.seen.namespaces)}, where you may look"
            )
            return {
                "state": "empty",
                "title": f"No {title} {where}",
                "text": self.kind.explain,
                "next": {"text": "Show all namespaces", "url": self._url(namespaces=(), page=1)}
                if self.query.namespaces
                else None,
            }
        if (missing := self._missing) is not None:
            return {
                "state": "partly",
                "title": f"Only {title} that you may see",
                "text": f"You may list {self.kind.plural} in {_names(self.namespaces or ())}, not in {missing}.",
                "next": None,
            }
        if unjudged := self._unjudged:
            return {"state": "partly", "title": f"Whether these {title} work is not known.", "text": unjudged}
        if unknown:
            rest = tuple(name for name in self.query.namespaces if name not in unknown)
            return {
                "state": "partly",
                "title": f"There is no namespace {_names(unknown)}.",
                "text": f"These are the {title} of {_names(rest)}.",
                "next": {"text": "Leave it out", "url": self._url(namespaces=rest, page=1)},
            }
        return {"state": ""}

    def _forbidden(self, refusal: Forbidden) -> dict[str, Any]:
        where = f" in namespace {refusal.namespace}" if refusal.namespace else ""
        seen = self.seen.namespaces
        return {
            "state": "forbidden",
            "title": f"You may not see {self.kind.title}{where}",
            "text": f"You may in {_names(seen)}." if seen else "Your account lacks a right in this cluster.",
            "verb": refusal.verb or "list",
            "resource": refusal.resource or self.kind.plural,
            "where": where,
            "next": {"text": "Show what you may see", "url": self._url(namespaces=(), page=1)}
            if seen
            else None,
        }

    @property
    def _missing(self) -> str | None:
        """Where of what was asked for nothing may be seen, in words; None when all of it is shown."""
        if self.seen.namespaces is None:
            return None
        if self._chosen is None:
            return "the whole cluster"
        hidden = self._chosen - self.seen.namespaces
        return _names(hidden) if hidden else None

    def _unknown_namespaces(self) -> list[str]:
        """The chosen namespaces that are not there."""
        reader = self.session.reader
        if not (self.kind.gvr.namespaced and reader.reads("namespaces")):
            return []
        return [name for name in self.query.namespaces if reader.get("namespaces", "", name) is None]

    def _not_listed(self, failure: ClusterError | None) -> dict[str, Any]:
        if failure is None:
            title = f"Reading {self.kind.title}…"
            if so_far := self.session.reader.count(self.kind.plural):
                text = f"{so_far:,} so far, the others follow."
                return {"state": "partly", "title": title, "text": text, "next": None}
            return {"state": "loading", "title": title, "text": "", "next": None}
        if self.kind.discovered and self._answers_otherwise:
            return {
                "state": "unreachable",
                "title": f"The API server cannot list {self.kind.title}",
                "text": f"It answers for other kinds, but says of this one: {failure.message}",
                "next": self._definition,
            }
        return {
            "state": "unreachable",
            "title": "The cluster does not answer",
            "text": failure.message,
            "next": {"text": "Look at the clusters", "url": "/clusters/"},
        }

    @property
    def _answers_otherwise(self) -> bool:
        """Whether the watch of any other kind goes on: then it is this one that fails, say by its conversion."""
        return any(self.session.reader.status(plural).state == "live" for plural in KINDS)

    def _not_served(self) -> dict[str, Any]:
        """The definition of a custom kind was deleted, or the API server behind it is gone."""
        return {
            "state": "gone",
            "title": f"{self.kind.title} are not served any more",
            "text": f"The API server has no {self.kind.plural} now: the definition was deleted, or what serves them "
            "is gone. Should it come back, they appear here.",
            "next": self._definition,
        }

    @property
    def _definition(self) -> dict[str, str] | None:
        """Where a custom kind is defined."""
        if not self.kind.discovered:
            return None
        url = list_url(self.runtime, DEFINITIONS.key, f"?q={quote(self.kind.gvr.group)}")
        return {"text": "Look at the definitions of custom kinds", "url": url}

    def context(self) -> Mapping[str, Any]:
        return {
            "kind": {
                "plural": self.kind.plural,
                "title": self.kind.title,
                "singular": self.kind.singular,
                "explain": self.kind.explain,
                "namespaced": self.kind.gvr.namespaced,
                "has_logs": self.kind.plural in KINDS_WITH_LOGS,
            },
            "choice": self._choice(),
            "remembered": ",".join(self.query.remembered),
            "timeline_url": self._timeline_url,
            "measured": self.measured.shown,
            "q": self.query.q,
            "labels": self.query.labels,
            "label_error": self.label_error,
            "matches": self._matches(),
            "keep": [("namespace", namespace) for namespace in self.query.namespaces]
            + [
                (key, value)
                for key, value in (
                    ("state", self.query.state),
                    ("sort", self.query.sort),
                    ("columns", ",".join(self.query.columns)),
                )
                if value
            ],
            "path": list_url(self.runtime, self.kind.plural),
            "create_url": self._create_url,
            "create_words": f"Create {self.kind.singular}" if has_form(self.kind.plural) else "Create",
            "exports": {form: self._export_url(form) for form in ("json", "csv", "tsv")},
            "kubectl": self._kubectl(),
        }

    @property
    def _create_url(self) -> str:
        """Where objects are created, by the form of the kind or else from YAML, in the one namespace looked at; "" for
        Events, which nobody writes by hand."""
        if self.kind.plural == "events":
            return ""
        where = [("namespace", self.query.namespaces[0])] if len(self.query.namespaces) == 1 else []
        if has_form(self.kind.plural):
            query = f"?{urlencode(where)}" if where else ""
            return reverse("create_form", args=[self.runtime.cluster.slug, self.kind.plural]) + query
        query = urlencode([("kind", self.kind.plural), *where])
        return f"{reverse('create', args=[self.runtime.cluster.slug])}?{query}"

    @property
    def _timeline_url(self) -> str:
        """What happened to objects of this kind, where that is recorded."""
        if self.kind.plural not in RECORDED:
            return ""
        return f"{reverse('timeline', args=[self.runtime.cluster.slug])}?kind={self.kind.plural}"

    def _next_sort(self, column: Column, sort: str) -> str:
        """The other direction of what is sorted by it, else the one that a reader looks for first."""
        first, second = column.key, f"-{column.key}"
        if greatest_first(column):
            first, second = second, first
        return second if sort == first else first

    def _matches(self) -> list[dict[str, Any]]:
        """The fields that ask for one column's text, each with what is most often in it."""
        if not (keys := MATCHED.get(self.kind.plural)):
            return []
        given = dict(self.query.match)
        titles = {column.key: column.title for column in self.kind.columns}
        plural, namespaces = self.kind.plural, self.namespaces
        return [
            {
                "key": key,
                "title": titles[key],
                "value": given.get(key, ""),
                "options": [
                    text
                    for text, _ in self.session.reader.texts(plural, key, namespaces).most_common(OPTIONS)
                ],
            }
            for key in keys
        ]

    def _export_url(self, form: str) -> str:
        url = self._url(page=1, columns=self.query.chosen)
        return f"{url}{'&' if '?' in url else '?'}format={form}"

    def _choice(self) -> dict[str, Any]:
        """The columns to choose from: those of the kind, the chosen labels, and the labels that its objects have."""
        shown = {column.key for column in self.columns}
        chosen = self.query.chosen
        labels = self.session.reader.labels(self.kind.plural, self._chosen)
        return {
            "url": reverse("columns", args=[self.runtime.cluster.slug, self.kind.plural]),
            "usual": not chosen,
            "columns": [
                {
                    "key": column.key,
                    "title": column.title,
                    "shown": column.key in shown,
                    # Without a choice, how wide the screen is decides.
                    "wide": column.wide and not chosen,
                }
                for column in measured_columns(self.kind, usual_columns(self.kind))
                if column.key != "name"
            ]
            + [
                {"key": key, "title": f"label {label}", "shown": True, "wide": False}
                for key in chosen
                if (label := label_of(key)) is not None
            ],
            "labels": [key for key, _ in labels.most_common(LABELS_OFFERED) if LABEL + key not in chosen],
        }

    def _kubectl(self) -> str:
        """The same list by kubectl (which cannot filter by text: that part is left out).

        Namespace and labels come from the address, which anybody may have written: they are quoted.
        """
        labels: list[str] = []
        nodes = [word.removeprefix("node:") for word in self.query.q.split() if word.startswith("node:")]
        if nodes and self.kind.plural == "pods":
            labels.append(f"--field-selector=spec.nodeName={nodes[0]}")
        if (kind := dict(self.query.match).get("type")) in ("Normal", "Warning"):
            labels.append(f"--field-selector=type={kind}")
        shown = [label for key in self.query.chosen if (label := label_of(key)) is not None]
        labels += ["-L", ",".join(shown)] if shown else []
        wheres: list[list[str]] = [[]]
        if self.kind.gvr.namespaced:
            # kubectl takes one namespace or all of them.
            wheres = [["-n", namespace] for namespace in self.query.namespaces] or [["-A"]]
        # And one selector.
        selectors = [["-l", one] for one in self.query.labels.split(OR)] if self.query.labels else [[]]
        commands = [
            shell_line(["kubectl", "get", self.kind.plural, *where, *selector, *labels, "-o", "wide"])
            for where in wheres
            for selector in selectors
        ]
        return "; ".join(commands)
