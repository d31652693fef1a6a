"""The page of one object: its head, and the tab that the address names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict

from dashboard import render, showing
from dashboard.errors import NotFound, NotKept, Unavailable
from dashboard.insight.deletion import replacement_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Ref, Row
from dashboard.kinds.tablestates import UNREPORTED
from dashboard.live.logfeed import LogFeed, Position
from dashboard.live.screen import Screen
from dashboard.live.screens.common import (
    fit_url,
    fresh_part,
    iso,
    kind_of,
    links_after,
    list_url,
    listed,
    not_read,
    object_url,
    unreachable,
    what_if,
)
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import cell
from dashboard.queries.reader import JUDGES
from dashboard.queries.relations import owners

from ..backedup import restore_url
from . import shown
from .piece import Tab
from .tabs import TABS
from .telling import Telling

# Events and Secrets may be many, and only add to what the rest tells.
LATER = frozenset({"events", "secrets"})
# A controller makes a pod anew as soon as the old one is being deleted, which may be before anybody looks.
REPLACED_WITHIN = timedelta(seconds=31)
# How often that is looked for, and how long between: two seconds in all.
LOOKS = 20
LOOK_SECONDS = 0.1
# What stands above a pod, as far as the dashboard knows of it.
ABOVE = frozenset({"replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"})
# Status columns that hold a word, not a number or an address.
WORDS = frozenset({"status", "type", "phase", "state", "health", "health-status"})
UNKNOWN = "Unknown"
STATE_WORDS = {"info": "Changing", "warn": "Warning", "bad": "Critical"}


class DetailScreen(Screen):
    page = "pages/detail.html"

    def __init__(
        self,
        session: Session,
        params: QueryDict,
        plural: str,
        namespace: str,
        name: str,
        tab: str = "overview",
        *,
        last_shown: str | None = None,
    ) -> None:
        super().__init__(session)
        self.kind = kind_of(self.runtime, plural)
        self.namespace = "" if namespace == "-" else namespace
        self.name = name
        if bool(self.namespace) != self.kind.gvr.namespaced:
            raise NotFound(f"There is no {self.kind.singular} at this address.")
        if tab not in TABS or not TABS[tab].fits(self.kind):
            raise NotFound(f"A {self.kind.singular} has no page {tab}.")
        if not self._offered(TABS[tab]):
            raise NotKept(
                f"{TABS[tab].title} are not known of the past: what is recorded is what lists and overviews show.",
            )
        self.params = params
        self.last: Any = None
        self.gone_at = ""
        self.last_shown = shown.read(last_shown, self.namespace, self.name)
        self.ends_since: datetime | None = None  # when it was first seen being deleted, or gone
        self.telling = Telling(self)
        self.tab = TABS[tab](self)

    def _offered(self, tab: type[Tab]) -> bool:
        return tab.fits(self.kind) and (tab.recorded or showing.moment() is None)

    @property
    def shows(self) -> Hashable:
        return (self.kind.plural, self.namespace, self.name, self.tab.id, self.tab.key)

    @property
    def key(self) -> Hashable:
        return (super().key, self.session.identity.account if self.tab.of_viewer else "")

    @property
    def plurals(self) -> frozenset[str]:
        # A plugin's pieces and rules may read what this cluster does not offer.
        return (self._head_plurals | self.tab.plurals_of(self.kind)) & self.runtime.kinds.keys()

    @property
    def waits_for(self) -> frozenset[str]:
        later = LATER - {self.kind.plural}
        return ((self._head_plurals | self.tab.waits_of(self.kind)) - later) & self.runtime.kinds.keys()

    @property
    def _head_plurals(self) -> frozenset[str]:
        return JUDGES.get(self.kind.plural, frozenset()) | {self.kind.plural}

    async def prepare(self) -> None:
        await self.session.review(self.plurals | ABOVE)  # what led here is told when it is gone
        seen = self.visible[self.kind.plural]
        if seen.denied is not None:
            raise seen.denied
        await self.runtime.ready({self.kind.plural})
        self.last = self.newest()
        if self.last is None:
            failure = unreachable(self.session, self.kind.plural)
            if isinstance(failure, NotFound):
                raise NotFound(
                    f"{self.kind.title} are not served any more.",
                    next_step=f"The API server has no {self.kind.plural} now: the definition was deleted, or what serves "
                    "them is gone. Should it come back, their list shows them.",
                ) from failure
            if failure is not None:
                raise failure
            if not listed(self.session, self.kind.plural):
                raise Unavailable(
                    f"{self.kind.title} are still being read, so it is not known yet whether {self.name} is there.",
                    next_step="Load the page again in a moment.",
                )
            raise await self._not_there()
        await self.tab.prepare()

    async def _not_there(self) -> NotFound:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        if self.last_shown is None:
            return NotFound(
                f"There is no {self.kind.singular} {self.name}{where}.",
                next_step="It may have been deleted, or recreated under another name.",
                links=links_after(self.runtime, self.kind.plural, self.namespace, self.name),
            )
        # The browser showed it before its connection was lost, and whose it was.
        self.last = self.last_shown
        if self.last_shown.at is not None:
            self.ends_since = self.last_shown.at
        above = ABOVE & self.runtime.kinds.keys()
        with self.runtime.lease(above):
            await self.runtime.ready(above)
            await self.session.review(self.plurals | ABOVE)
            await self._replaced()
            links = self._links()
        return NotFound(
            f"{self.kind.kind} {self.name}{where} was deleted while this page was not connected.",
            links=links,
        )

    async def require(self, verb: str, subresource: str | None = None) -> None:
        """For what is read past the cache. Raises Forbidden when the user may not do this to the object."""
        await self.session.require(
            verb,
            self.kind.gvr,
            namespace=self.namespace or None,
            name=self.name,
            subresource=subresource,
        )

    def newest(self) -> Any:
        """The object as it is, or as it was last."""
        present = self._present()
        return self.last if present is None else present

    def _present(self) -> Any | None:
        return self.session.reader.get(self.kind.plural, self.namespace, self.name)

    def row(self, obj: Any) -> Row:
        """Its row, with the state that other objects give it where the user may list those."""
        return self.session.reader.judged_row(self.kind.plural, obj)

    def snapshot(self) -> Snapshot:
        present = self._present()
        if present is not None:
            self.last, self.gone_at = present, ""
        elif not self.gone_at:
            self.gone_at = iso(showing.now().replace(microsecond=0))
        ending = present is None or present.metadata.deletion_timestamp is not None
        self.ends_since = (self.ends_since or showing.now()) if ending else None
        obj = self.last
        row = self.row(obj)
        detail = self.kind.detail(obj)
        around = Snapshot(
            regions={
                "not-known": render.region("not_known", {"text": self._not_known()}),
                "detail-head": render.region("detail_head", self._head(row, detail, gone=present is None)),
                "fresh": fresh_part(self.session, self.waits_for | (self.plurals & {"events"})),
            }
        )
        return Snapshot.joined([around, self.tab.show(obj, detail)])

    def _not_known(self) -> str:
        """What of the page cannot be relied on, as what it is made of could not be read."""
        return not_read(self.session, self.plurals & KINDS.keys())

    def _head(self, row: Row, detail: Detail, *, gone: bool) -> dict[str, Any]:
        column = next((c for c in self.kind.columns if c.key == self.kind.status_column), None)
        says = cell(row, column).text if column is not None else ""
        word = says if column is not None and column.key in WORDS else ""
        if self.kind.discovered and row.state == "info" and says.lower() in UNREPORTED:
            word = UNKNOWN
        return {
            "kind": self.kind.kind,
            "title": self.name,
            "word": word
            if word == UNKNOWN or (word and self.kind.judges(word))
            else STATE_WORDS.get(row.state, ""),
            "state": row.state,
            "sentence": detail.sentence,
            "gone": {
                "at": self.gone_at,
                "text": "What you see is how it was last.",
                "links": self._links(),
            }
            if gone
            else None,
            "controller": shown.told(self.last.metadata),
            "what_if": {}
            if gone or showing.moment() is not None
            else what_if(self.runtime, self.kind.plural, self.namespace, self.name),
            "fit_url": ""
            if gone or showing.moment() is not None
            else fit_url(self.runtime, self.kind.plural, self.namespace, self.name),
            "restore_url": "" if gone else self._restore_url(),
        }

    def _restore_url(self) -> str:
        """Where it is restored from a backup; "" for what its controller makes again, and of the past."""
        if showing.moment() is not None or self.last.metadata.controller is not None:
            return ""
        return restore_url(self.runtime, self.kind, self.namespace, self.name)

    def _links(self) -> list[dict[str, str]]:
        """Where to go on from the object, once it is deleted."""
        url = self._restore_url()
        restore = [{"text": "Restore from a backup", "url": url}] if url else []
        return restore + links_after(
            self.runtime,
            self.kind.plural,
            self.namespace,
            self.name,
            owners=owners(self.session.reader, self.runtime.kinds, self.last),
            replacement=self._replacement(),
        )

    def _replacement(self) -> Ref | None:
        """The pod that its controller made instead of this one, as far as there is one yet."""
        if not self._controlled or self.ends_since is None:
            return None
        since = self.ends_since - REPLACED_WITHIN
        new = replacement_of(self.session.reader, self.namespace, self.last.metadata.controller.uid, since)
        return None if new is None else Ref("Pod", self.namespace, new.metadata.name, "pods")

    @property
    def _controlled(self) -> bool:
        """Whether it is a pod that another may take the place of."""
        return self.kind.plural == "pods" and self.last.metadata.controller is not None

    async def _replaced(self) -> None:
        """Waits a moment for the pod that takes the place of one with a controller: it may be about to be made, and the
        page of what is not there is not live."""
        for _ in range(LOOKS):
            if not self._controlled or self.ends_since is None or self._replacement() is not None:
                return
            await asyncio.sleep(LOOK_SECONDS)

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
                if self._offered(tab)
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
