"""The Events of an object and, where it makes others, of those."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.references import reference
from dashboard.kube.shell import shell_line
from dashboard.live.screens.common import list_url, none_part, not_told, object_url
from dashboard.live.screens.events import event_rows
from dashboard.live.snapshot import Snapshot
from dashboard.queries.events import EventGroup
from dashboard.queries.relations import MAKES, owned

from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen

EVENTS = 100
COMMANDS = 4  # of kubectl: it tells of one object's Events at a time


class EventsTab(Tab):
    id = "events"
    title = "Events"
    shortcut = "e"
    template = "tabs/events.html"
    plurals = frozenset({"events"})

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.makes = screen.kind.plural in MAKES
        self.made = self.makes and screen.params.get("made") != "0"
        self.warnings = screen.params.get("type") == "Warning"

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return cls.plurals | makes_of(kind.plural)

    @property
    def key(self) -> Hashable:
        return self.made, self.warnings

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = events_about(self.screen, obj, None, made=self.made)
        chips = self._chips(found)
        if self.warnings:
            found = [group for group in found if group.latest.type == "Warning"]
        rows = event_rows(self.screen.runtime, found[:EVENTS])
        return Snapshot(
            regions={
                "events-head": render.region("events_head", {"chips": chips, "more": len(found) > EVENTS}),
                "events-none": no_events(self.screen),
            },
            lists={"events": rows},
        )

    def _chips(self, found: Sequence[EventGroup]) -> list[dict[str, Any]]:
        warnings = sum(group.latest.type == "Warning" for group in found)
        known = not not_told(self.screen.session, ("events",))
        return [
            {
                "word": word,
                "count": count if known or count else None,
                "url": self._url(warnings=only),
                "current": self.warnings == only,
                "state": "warn" if only else "",
            }
            for word, count, only in (("All", len(found), False), ("Warnings", warnings, True))
        ]

    def _url(self, *, warnings: bool | None = None, made: bool | None = None) -> str:
        screen = self.screen
        warnings = self.warnings if warnings is None else warnings
        made = self.made if made is None else made
        asked = ([("type", "Warning")] if warnings else []) + (
            [("made", "0")] if self.makes and not made else []
        )
        url = object_url(screen.runtime, screen.kind.plural, screen.namespace, screen.name, "events")
        return f"{url}?{urlencode(asked)}" if asked else url

    def context(self) -> Mapping[str, Any]:
        screen = self.screen
        about = f"{screen.kind.kind.lower()}/{screen.name}"
        namespaces = [("namespace", screen.namespace)] if screen.namespace else []
        query = urlencode([*namespaces, ("object", about)])
        return {
            "events_list": list_url(screen.runtime, "events", f"?{query}"),
            "made": {"on": self.made, "url": self._url(made=not self.made)} if self.makes else None,
        }

    def kubectl(self) -> list[str]:
        screen = self.screen
        types = ["--types=Warning"] if self.warnings else []
        return ["events", "--for", f"{screen.kind.plural}/{screen.name}", *screen.kubectl_namespace, *types]

    def command_line(self) -> str:
        commands = [self.kubectl()]
        obj = self.screen.newest()
        if self.made and obj is not None:
            for plural, each in list(made_by(self.screen, obj))[: COMMANDS - 1]:
                commands.append([*self.kubectl()[:2], f"{plural}/{each.metadata.name}", *self.kubectl()[3:]])
        return "; ".join(shell_line(["kubectl", *words]) for words in commands)


def no_events(screen: DetailScreen) -> render.Part:
    """What stands where there is no Event."""
    unknown = not_told(screen.session, ("events",))
    text = unknown or "No events: Kubernetes keeps them for about an hour."
    return none_part("events-none", text, known=not unknown)


def makes_of(plural: str) -> frozenset[str]:
    """The kinds of what objects of a kind make, and those make."""
    made = MAKES.get(plural)
    return frozenset() if made is None else frozenset({*made, "pods"})


def made_by(screen: DetailScreen, obj: Any) -> Iterator[tuple[str, Any]]:
    """What an object made and what that made, as far as it may be seen."""
    reader = screen.session.reader
    middle = [
        (plural, each) for plural in MAKES.get(screen.kind.plural, ()) for each in owned(reader, plural, obj)
    ]
    yield from middle
    for owner in [obj] if not MAKES.get(screen.kind.plural) else [each for _, each in middle]:
        yield from (("pods", pod) for pod in owned(reader, "pods", owner))


def events_about(
    screen: DetailScreen, obj: Any, count: int | None, *, made: bool = False
) -> Sequence[EventGroup]:
    """The latest Events about the object, and with ``made`` about what it made, that may be seen."""
    namespaces = frozenset({screen.namespace}) if screen.namespace else None
    objects = [(screen.kind.plural, obj), *(made_by(screen, obj) if made else ())]
    uids = {each.metadata.uid for _, each in objects}
    kinds = screen.runtime.kinds
    named = {
        reference(kinds[plural].kind, each.metadata.namespace, each.metadata.name, kinds[plural].gvr.group)
        for plural, each in objects
    }
    if screen.kind.plural == "nodes":
        uids.add(screen.name)  # the kubelet reports its node's Events with the node's name as uid
    found = screen.session.reader.events_about(namespaces, uids, named)
    return found if count is None else found[:count]
