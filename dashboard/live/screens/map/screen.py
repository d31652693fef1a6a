"""The map: the applications of the chosen namespaces, or of one object, live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard import render, showing
from dashboard.errors import BadInput
from dashboard.insight.losing.effects import PLURALS
from dashboard.insight.losing.marks import MARKS, Mark, NodeLoss, node_loss
from dashboard.insight.relations import uses
from dashboard.insight.topology import READ, App, Area, areas
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, State
from dashboard.kinds.rows import plural
from dashboard.live.screen import Screen
from dashboard.live.screens.common import (
    fresh_part,
    list_url,
    listed,
    map_url,
    not_known,
    ref_url,
    unreachable,
)
from dashboard.live.screens.listing import CHIP_STATES, CHIP_WORDS
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.bounds import chosen_of
from dashboard.queries.frozen import Frozen
from dashboard.queries.lists import RANK, STATES
from dashboard.queries.reader import JUDGED_BY
from dashboard.queries.relations import owners

from ..detail.piece import Rereading
from .boxes import CAPTIONS, CLOSE, TIGHT, WIDE, Boxes, Limits, key_of, readers, size, to_spare
from .filter import MapFilter, kinds
from .table import table_rows, unused_row

MAX_NAME, MAX_NODES = 253, 400  # letters; nodes to choose from
MAX_BOXES = 200  # boxes on the page, and rows of the table (rule 2 of the design)
UNUSED = 6
VIEWS = ("map", "list")
DRAWN = READ - {"endpointslices", "horizontalpodautoscalers"}
SYSTEM = ("kube-system", "kube-public", "kube-node-lease")


class MapScreen(Screen):
    page = "pages/map.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = frozenset(chosen_of(params, "namespace")) or None
        self.view = params.get("view", "map")
        if self.view not in VIEWS:
            raise BadInput(f"view is {self.view!r}: use map or list.", field="view")
        self.focus = _focus(params.get("focus", ""))
        self.filter = MapFilter.read(params)
        self.lose = params.get("lose", "")[:MAX_NAME]  # a node: what becomes of its pods if it is lost
        self.changed: Callable[[], None] | None = None
        self._loss: NodeLoss | None = None
        self._told_at = 0.0
        self._telling = Rereading(self, self._tell, lambda: self._loss)

    @property
    def shows(self) -> Hashable:
        return (self.chosen, self.view, self.focus, self.filter, self.lose)

    @property
    def plurals(self) -> frozenset[str]:
        read = READ | JUDGED_BY["ingresses"] | {"namespaces"} | ({self.focus.plural} if self.focus else set())
        return read | (set(PLURALS) if self.lose else set())

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        if self.focus is not None:
            await self.session.reader.know_users()
        if self.lose:
            await self._tell()

    def open(self, changed: Callable[[], None]) -> None:
        self.changed = changed

    def close(self) -> None:
        self.changed = None
        self._telling.stop()

    async def _tell(self) -> None:
        """What becomes of each pod of the node, in a thread."""
        self._told_at = self.session.reader.changed_at(self.plurals)
        objects = Frozen(self.session.reader, self.visible)
        self._loss = await off_loop(node_loss, objects, self.lose, showing.now())

    def snapshot(self) -> Snapshot:
        seen = self.session.reader
        wanted = self._wanted(self.focus) if self.focus else None
        found = areas(seen, self._namespaces())
        every = [app for area in found for app in area.apps]
        whole = [app for app in every if wanted is None or not wanted.isdisjoint(app.refs)]
        boxes = Boxes(self.session, readers(every), CLOSE, self.focus, to_spare(every))
        if self.lose:
            boxes.lost, boxes.marks = self.lose, self._marks()
        apps, states = self._filtered(boxes, whole)
        boxes.limits = self._limits(apps)
        drawn = _fitting(boxes, apps, boxes.columns, _boxes_of) if self.view == "map" else {}
        listed = _fitting(boxes, apps, partial(table_rows, boxes), len)
        rows = [row for area in found for row in self._rows(boxes, area, listed)]
        if len(rows) > MAX_BOXES:  # what nobody reads comes after what runs
            rows = [row for app in apps for row in listed.get(app, ())][:MAX_BOXES]
        return Snapshot(
            regions={
                "map-head": render.region("map_head", self._head(apps, len(whole), states)),
                "list-state": render.region("list_state", self._state(apps, len(whole))),
                "map-rest": render.region(
                    "map_rest", self._rest(apps, drawn if self.view == "map" else listed)
                ),
                "fresh": fresh_part(self.session, self.plurals),
            },
            lists={
                "map-apps": self._parts(boxes, found, drawn) if self.view == "map" else {},
                "map-rows": {row["id"]: render.partial("map_row", {"row": row}) for row in rows},
            },
        )

    def _marks(self) -> dict[str, Mark]:
        """How each pod on the lost node is marked, by uid."""
        if self.session.reader.changed_at(self.plurals) != self._told_at:
            self._telling.soon()
        pods = self._loss.pods if self._loss is not None else ()
        return {each.fate.pod.metadata.uid: each.mark for each in pods}

    def _filtered(self, boxes: Boxes, apps: Sequence[App]) -> tuple[list[App], Counter[State]]:
        """The applications that the filter asks for, and, but for the state, how many there are of each state."""
        states = {app: state for app in apps if (state := self.filter.fitting(boxes, app)) is not None}
        wanted = STATES.get(self.filter.state)
        found = [app for app, state in states.items() if wanted is None or state in wanted]
        boxes.hits = frozenset(ref for app in found for ref in self.filter.marked(boxes, app))
        return found, Counter(states.values())

    @property
    def _narrowed(self) -> bool:
        """Whether it is not all of the namespaces."""
        return self.focus is not None or bool(self.filter)

    def _limits(self, apps: Sequence[App]) -> Limits:
        if self.focus is not None:
            return CLOSE
        return WIDE if sum(size(app, WIDE) for app in apps) <= MAX_BOXES else TIGHT

    def _namespaces(self) -> list[str]:
        there = frozenset[str]().union(*(self.session.reader.namespaces(each) for each in READ)) - {""}
        if self.focus is not None and self.focus.namespace:
            there &= {self.focus.namespace}
        elif self.chosen is not None:
            there &= self.chosen
        return sorted(there, key=lambda name: (name in SYSTEM, name))

    def _wanted(self, focus: Ref) -> set[Ref]:
        """What on the map the focus is, or what it is connected to where it is not on the map itself."""
        reader = self.session.reader
        obj = reader.get(focus.plural, focus.namespace, focus.name)
        wanted = {focus}
        if obj is None:
            return wanted
        if focus.plural in ("replicasets", "jobs"):  # what made it stands for it
            return wanted | set(owners(reader, self.runtime.kinds, obj)[:1])
        if focus.plural not in DRAWN:
            wanted |= {*uses(reader, focus.plural, obj), *reader.used_by(focus.plural, obj)}
        return wanted

    def _parts(
        self, boxes: Boxes, found: Sequence[Area], drawn: Mapping[App, list[dict[str, Any]]]
    ) -> dict[str, render.Part]:
        """Each application as a part of its own, under the name of its namespace."""
        parts: dict[str, render.Part] = {}
        for area in found:
            here = [app for app in area.apps if app in drawn]
            if not here and self._narrowed:
                continue
            if here or area.unused:
                parts[f"area-{area.namespace}"] = self._heading(area)
            alone = [app for app in here if app.alone and not self.focus]
            for app in here:
                if app not in alone:
                    key = f"app-{key_of(app.first)}"
                    row = {"id": key, "app": app.first.name, "columns": drawn[app]}
                    parts[key] = render.partial("map_app", row)
            if alone:
                key = f"alone-{area.namespace}"
                parts[key] = render.partial(
                    "map_alone", {"id": key, "boxes": [boxes.alone(app) for app in alone]}
                )
        return parts

    def _rows(
        self, boxes: Boxes, area: Area, listed: Mapping[App, list[dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        """The area as rows of the table."""
        for app in area.apps:
            yield from listed.get(app, ())
        if area.unused and not self._narrowed:
            yield unused_row(boxes, area, UNUSED)

    def _heading(self, area: Area) -> render.Part:
        unused = [] if self._narrowed else area.unused
        links = [
            {"kind": ref.kind, "name": ref.name, "url": ref_url(self.runtime, ref)} for ref in unused[:UNUSED]
        ]
        context = {
            "id": f"area-{area.namespace}",
            "name": area.namespace,
            "url": map_url(self.runtime, query=f"?namespace={area.namespace}"),
            "unused": links,
            "more": max(0, len(unused) - UNUSED),
        }
        return render.partial("map_area", context)

    def _head(self, apps: Sequence[App], whole: int, states: Counter[State]) -> dict[str, Any]:
        """The counts, each with where it leads."""
        pods = sum(len(one.pods) for app in apps for one in app.workloads)
        total = sum(states.values())
        chips = [("all", "All", total)]
        chips += [(chip, word, states[CHIP_STATES[chip]]) for chip, word in CHIP_WORDS.items()]
        return {
            "known": listed(self.session, "pods"),  # else none of them is
            "words": f"{len(apps)} of {plural(whole, 'application')}"
            if len(apps) != whole
            else plural(whole, "application"),
            "pods": plural(pods, "pod"),
            "pods_url": "" if self._narrowed else list_url(self.runtime, "pods", self._namespace_query),
            "chips": [
                {
                    "id": chip,
                    "word": word,
                    "count": count,
                    "state": CHIP_STATES.get(chip, ""),
                    "url": self._url(filter=replace(self.filter, state="" if chip == "all" else chip)),
                    "current": self.filter.state == chip or (chip == "all" and not self.filter.state),
                }
                for chip, word, count in chips
                if chip == "all" or count or self.filter.state == chip
            ],
            "focus": self._focus_words(),
            "loss": self._legend() if self.lose else None,
        }

    def _legend(self) -> dict[str, Any]:
        """The marks of the pods of the lost node, with how many have each."""
        loss, counts = (
            self._loss,
            Counter(each.mark for each in self._loss.pods) if self._loss is not None else {},
        )
        return {
            "node": self.lose,
            "there": self.session.reader.get("nodes", "", self.lose) is not None,
            "known": loss is not None and loss.known,
            "marks": [
                {
                    "state": each.state,
                    "icon": each.icon,
                    "word": each.word,
                    "text": each.text,
                    "count": counts[each],
                }
                for each in MARKS
                if counts.get(each)
            ],
            "url": f"{reverse('resilience', args=[self.runtime.cluster.slug])}?lose=node/{self.lose}",
            "back": self._url(lose=""),
        }

    @property
    def _namespace_query(self) -> str:
        pairs = [("namespace", name) for name in sorted(self.chosen or ())]
        return f"?{urlencode(pairs)}" if pairs else ""

    def _url(self, **changes: Any) -> str:
        """This map with some of its address changed."""
        view, filter_ = changes.get("view", self.view), changes.get("filter", self.filter)
        pairs = [("namespace", name) for name in sorted(changes.get("chosen", self.chosen) or ())]
        if self.focus is not None:
            pairs.append(("focus", key_of(self.focus)))
        pairs += [("view", view)] if view != "map" else []
        pairs += [("lose", lose)] if (lose := changes.get("lose", self.lose)) else []
        pairs += filter_.pairs
        return map_url(self.runtime, query=f"?{urlencode(pairs, safe='/')}" if pairs else "")

    def _focus_words(self) -> dict[str, str] | None:
        if self.focus is None:
            return None
        return {
            "kind": self.focus.kind,
            "name": self.focus.name,
            "url": ref_url(self.runtime, self.focus),
            "all": map_url(
                self.runtime, query=f"?namespace={self.focus.namespace}" if self.focus.namespace else ""
            ),
        }

    def _state(self, apps: Sequence[App], whole: int = 0) -> dict[str, Any]:
        """Why there is nothing, or not all; see ``list_state``."""
        failure = unreachable(self.session, "pods")
        denied = [
            KINDS[each].title for each in KINDS if each in READ and self.visible[each].denied is not None
        ]
        missing = not_known(self.session, READ)
        if failure is not None and not listed(self.session, "pods"):
            return {"state": "unreachable", "title": "The cluster does not answer", "text": failure.message}
        if any(self.session.reader.status(each).state == "starting" for each in READ):
            return {"state": "loading", "title": "Reading the cluster…", "text": ""}
        if len(denied) == len(READ):
            return {
                "state": "forbidden",
                "title": "You may not see any of this",
                "text": "Your account lacks rights.",
            }
        if denied or missing:
            refused = f"You may not list {', '.join(denied)}." if denied else ""
            return {
                "state": "partly",
                "title": "Not everything is shown.",
                "text": " ".join(filter(None, (refused, missing))),
            }
        return {"state": ""} if apps else self._nothing(whole)

    def _nothing(self, whole: int) -> dict[str, Any]:
        if whole:
            return {
                "state": "no-match",
                "title": f"None of {plural(whole, 'application')} match{'es' * (whole == 1)}",
                "text": "The filter leaves nothing.",
                "next": {"text": "Clear the filters", "url": self._url(filter=MapFilter())},
            }
        back = {"text": "Show the whole map", "url": map_url(self.runtime)}
        if self.focus is not None:
            title = f"{self.focus.kind} {self.focus.name} is not connected to anything here"
            return {"state": "no-match", "title": title, "text": "Or it is not there any more.", "next": back}
        where = "in the chosen namespaces" if self.chosen else "in this cluster"
        return {
            "state": "empty",
            "title": f"No workloads, Services or Ingresses {where}",
            "text": "As soon as there are some, they are drawn here.",
            "next": back if self.chosen else None,
        }

    def _rest(self, apps: Sequence[App], drawn: Container[App]) -> dict[str, Any]:
        """The applications that there is no room for, by namespace."""
        left: dict[str, int] = {}
        for app in apps:
            if app not in drawn:
                left[app.namespace] = left.get(app.namespace, 0) + 1
        links = [
            {"name": name, "count": count, "url": self._url(chosen=[name])}
            for name, count in sorted(left.items())
        ]
        return {"count": sum(left.values()), "links": links}

    def context(self) -> Mapping[str, Any]:
        keep = [("namespace", name) for name in sorted(self.chosen or ())]
        keep += [("focus", key_of(self.focus))] if self.focus is not None else []
        keep += [("view", self.view)] if self.view != "map" else []
        keep += [("state", self.filter.state)] if self.filter.state else []
        return {
            "view": self.view,
            "captions": CAPTIONS,
            "map_url": self._url(view="map"),
            "list_url": self._url(view="list"),
            "path": map_url(self.runtime),
            "keep": keep,
            "q": self.filter.q,
            "kind": self.filter.kind,
            "kinds": kinds(),
            "app": self.filter.app,
            "lose": self.lose,
            "nodes": sorted(each.metadata.name for each in self.session.reader.all("nodes"))[:MAX_NODES],
        }


def _focus(text: str) -> Ref | None:
    """``<plural>/<namespace or ->/<name>`` as a reference. Raises BadInput."""
    if not text:
        return None
    parts = text.split("/")
    if len(parts) != 3 or parts[0] not in KINDS or not parts[2]:
        raise BadInput(
            f"focus is {text!r}: use plural/namespace/name, such as deployments/shop/web.", field="focus"
        )
    return Ref(KINDS[parts[0]].kind, "" if parts[1] == "-" else parts[1], parts[2], parts[0])


def _boxes_of(columns: list[dict[str, Any]]) -> int:
    return sum(len(column["boxes"]) for column in columns)


def _fitting(
    boxes: Boxes,
    apps: Sequence[App],
    draw: Callable[[App], list[dict[str, Any]]],
    size: Callable[[list[dict[str, Any]]], int],
) -> dict[App, list[dict[str, Any]]]:
    """The applications for which there is room, as they are drawn; those that need a look come first."""
    room = MAX_BOXES
    drawn: dict[App, list[dict[str, Any]]] = {}
    for app in sorted(apps, key=lambda app: RANK[boxes.state(app)]):
        found = draw(app)
        room -= size(found)
        if room < 0 and drawn:
            break
        drawn[app] = found
    return drawn
