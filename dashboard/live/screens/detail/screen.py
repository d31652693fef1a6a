"""The page of one object: its head, and the tab that the address names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.errors import Forbidden, NotFound
from dashboard.kinds.base import Detail, Row
from dashboard.kube.access import allowed
from dashboard.live.logfeed import LogFeed, Position
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.screens.common import (
    fresh_part,
    iso,
    kind_of,
    list_url,
    object_url,
    rights_key,
    unreachable,
    visibility,
)
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible
from dashboard.queries.lists import cell
from dashboard.queries.reader import JUDGED_BY, judgeable

from .tabs import TABS
from .telling import Telling

# Events and Secrets may be many, and only add to what the rest tells.
LATER = frozenset({"events", "secrets"})
# Status columns that hold a word, not a number or an address.
WORDS = frozenset({"status", "type", "phase", "state", "health", "health-status"})
STATE_WORDS = {"info": "Changing", "warn": "Worth a look", "bad": "Needs a person"}


class DetailScreen(Screen):
    page = "pages/detail.html"

    def __init__(
        self,
        runtime: ClusterRuntime,
        params: QueryDict,
        plural: str,
        namespace: str,
        name: str,
        tab: str = "overview",
    ) -> None:
        super().__init__(runtime)
        self.kind = kind_of(runtime, plural)
        self.namespace = "" if namespace == "-" else namespace
        self.name = name
        if bool(self.namespace) != self.kind.gvr.namespaced:
            raise NotFound(f"There is no {self.kind.singular} at this address.")
        if tab not in TABS or not TABS[tab].fits(self.kind):
            raise NotFound(f"A {self.kind.singular} has no page {tab}.")
        self.params = params
        self.visible: dict[str, Visible] = {}
        self.last: Any = None
        self.gone_at = ""
        self.telling = Telling(self)
        self.tab = TABS[tab](self)

    @property
    def key(self) -> Hashable:
        return (
            "detail",
            self.kind.plural,
            self.namespace,
            self.name,
            self.tab.id,
            self.tab.key,
            rights_key(self.visible),
        )

    @property
    def plurals(self) -> frozenset[str]:
        return self._head_plurals | self.tab.plurals_of(self.kind)

    @property
    def waits_for(self) -> frozenset[str]:
        return (self._head_plurals | self.tab.waits_of(self.kind)) - LATER

    @property
    def _head_plurals(self) -> frozenset[str]:
        return JUDGED_BY.get(self.kind.plural, frozenset()) | {self.kind.plural}

    async def prepare(self) -> None:
        self.visible = await visibility(self.runtime, self.plurals)
        seen = self.visible[self.kind.plural]
        if seen.denied is not None:
            raise seen.denied
        await self.runtime.ready({self.kind.plural})
        self.last = self.newest()
        if self.last is None:
            failure = unreachable(self.runtime, self.kind.plural)
            if isinstance(failure, NotFound):
                raise NotFound(
                    f"{self.kind.title} are not served any more.",
                    next_step=f"The API server has no {self.kind.plural} now: the definition was deleted, or what serves "
                    "them is gone. Should it come back, their list shows them.",
                ) from failure
            if failure is not None:
                raise failure
            raise NotFound(
                f"There is no {self.kind.singular} {self.name}"
                + (f" in namespace {self.namespace}." if self.namespace else "."),
                next_step="It may have been deleted, or be reborn under another name: look at the list.",
            )
        await self.tab.prepare()

    async def require(self, verb: str, subresource: str | None = None) -> None:
        """For what is read past the cache. Raises Forbidden when the user may not do this to the object."""
        decision = await allowed(
            self.runtime.transport,
            verb,
            self.kind.gvr,
            namespace=self.namespace or None,
            name=self.name,
            subresource=subresource,
        )
        if not decision.allowed:
            resource = f"{self.kind.plural}/{subresource}" if subresource else self.kind.plural
            raise Forbidden(
                f"You may not {verb} {resource}.", verb=verb, resource=resource, namespace=self.namespace
            )

    def newest(self) -> Any:
        """The object as it is, or as it was last."""
        present = self._present()
        return self.last if present is None else present

    def _present(self) -> Any | None:
        seen = self.visible[self.kind.plural].namespaces
        if seen is not None and self.namespace and self.namespace not in seen:
            return None
        return self.runtime.reader.get(self.kind.plural, self.namespace, self.name)

    def row(self, obj: Any) -> Row:
        """Its row, with the state that other objects give it where the user may list those."""
        return self.runtime.reader.judged_row(self.kind.plural, obj, judgeable(self.visible))

    def snapshot(self) -> Snapshot:
        present = self._present()
        if present is not None:
            self.last, self.gone_at = present, ""
        elif not self.gone_at:
            self.gone_at = iso(datetime.now(UTC).replace(microsecond=0))
        obj = self.last
        row = self.row(obj)
        detail = self.kind.detail(obj)
        around = Snapshot(
            regions={
                "detail-head": render.region("detail_head", self._head(row, detail, gone=present is None)),
                "fresh": fresh_part(self.runtime, self.waits_for | (self.plurals & {"events"})),
            }
        )
        return Snapshot.joined([around, self.tab.show(obj, detail)])

    def _head(self, row: Row, detail: Detail, *, gone: bool) -> dict[str, Any]:
        column = next((c for c in self.kind.columns if c.key == self.kind.status_column), None)
        word = cell(row, column).text if column is not None and column.key in WORDS else ""
        return {
            "kind": self.kind.kind,
            "title": self.name,
            "word": word if word and self.kind.judges(word) else STATE_WORDS.get(row.state, ""),
            "state": row.state,
            "sentence": detail.sentence,
            "gone": {
                "at": self.gone_at,
                "text": "What you see is how it was last."
                + (" A workload makes a new pod under another name." if self.kind.plural == "pods" else ""),
                "url": list_url(self.runtime, self.kind.plural, self._namespace_query),
                "link": f"Look at the {self.kind.title}",
            }
            if gone
            else None,
        }

    def feed(self, position: Position, wake: Callable[[], None]) -> LogFeed | None:
        return self.tab.feed(position, wake)

    def open(self, changed: Callable[[], None]) -> None:
        self.tab.open(changed)

    def close(self) -> None:
        self.tab.close()

    @property
    def url(self) -> str:
        return object_url(self.runtime, self.kind.plural, self.namespace, self.name)

    @property
    def _namespace_query(self) -> str:
        return f"?namespace={self.namespace}" if self.namespace else ""

    def context(self) -> Mapping[str, Any]:
        url = self.url
        crumbs = [(self.kind.title, list_url(self.runtime, self.kind.plural))]
        if self.namespace:
            crumbs.append((self.namespace, list_url(self.runtime, self.kind.plural, self._namespace_query)))
        return {
            "plural": self.kind.plural,
            "kind": self.kind.kind,
            "explain": self.kind.explain,
            "name": self.name,
            "namespace": self.namespace,
            "breadcrumbs": crumbs,
            "tab_template": self.tab.template,
            "tabs": [
                {
                    "id": tab.id,
                    "title": tab.title,
                    "shortcut": tab.shortcut,
                    "url": url if tab.id == "overview" else f"{url}{tab.id}/",
                    "current": tab.id == self.tab.id,
                }
                for tab in TABS.values()
                if tab.fits(self.kind)
            ],
            "url": self.url,
            "kubectl": self.tab.command_line(),
            **self.tab.context(),
        }

    @property
    def kubectl_namespace(self) -> list[str]:
        return ["-n", self.namespace] if self.namespace else []

    @property
    def kubectl_name(self) -> list[str]:
        """How kubectl is told of the object: ``pods web-1 -n shop``."""
        return [self.kind.plural, self.name, *self.kubectl_namespace]
