"""How an object is connected, as steps from left to right: the way of a request to it, its owners, what it made."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.insight.relations import pod_labels
from dashboard.insight.traffic import PodEnd, SliceEnd, ingresses_to, service_ends, services_of
from dashboard.insight.usedby import ref_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind, Ref
from dashboard.kinds.rows import listed, plural
from dashboard.live.screens.common import map_url
from dashboard.live.snapshot import Snapshot
from dashboard.queries.reader import JUDGED_BY
from dashboard.queries.relations import children, owners

from ..piece import Card
from .part import url_of

ITEMS = 4  # in one step
Step = dict[str, Any]
Item = dict[str, Any]


class TopologyCard(Card):
    main = "cards/topology.html"
    plurals = JUDGED_BY["services"] | {"ingresses"}

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset({"deployments", "replicasets"})

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        kind = self.screen.kind.plural
        steps = self._service_chain(obj) if kind == "services" else self._chain(obj)
        # The map knows no kind without a module here.
        url = map_url(self.screen.runtime, ref_of(kind, obj)) if kind in KINDS else ""
        return Snapshot(regions={"topology": render.region("topology", {"chain": steps, "map": url})})

    def _sees(self, kind_plural: str) -> bool:
        return self.screen.session.reader.sees(kind_plural, self.screen.namespace)

    def _chain(self, obj: Any) -> list[Step]:
        """The steps; none when it stands alone."""
        runtime, kind = self.screen.runtime, self.screen.kind
        reader = self.screen.session.reader
        before = self._entries(obj)
        above = [_step("which created", [self._item(ref)]) for ref in owners(reader, runtime.kinds, obj)]
        made = children(reader, kind.plural, obj)
        below = [self._item(ref, row.reason, row.state) for ref, row in made]
        if not (before or above or below):
            return []
        here = _step(
            "which created" if above else "This",
            [{"kind": kind.kind, "name": self.screen.name, "here": True}],
        )
        steps = [*before, *above, here]
        if above and not before:
            steps[0]["caption"] = "Belongs to"
        elif before:
            steps[len(before)]["caption"] = (
                "which sends to pods of" if kind.plural != "pods" or above else "which sends to"
            )
        if below:
            steps.append(_step("which created", below))
        return steps

    def _entries(self, obj: Any) -> list[Step]:
        """The Ingresses and Services through which requests come to its pods."""
        reader = self.screen.session.reader
        labels = pod_labels(self.screen.kind.plural, obj)
        if labels is None or not self._sees("services"):
            return []
        services = services_of(reader, self.screen.namespace, labels)
        if not services:
            return []
        steps = self._ingress_step([service.metadata.name for service in services])
        items = [
            self._item(ref_of("services", one), _ports(one), *self._judged("services", one))
            for one in services
        ]
        return [*steps, _step("which route to" if steps else "Requests come through", items)]

    def _ingress_step(self, services: list[str]) -> list[Step]:
        if not self._sees("ingresses"):
            return []
        found = ingresses_to(self.screen.session.reader, self.screen.namespace, services)
        items = [self._item(ref_of("ingresses", one), listed(places)) for one, places in found]
        return [_step("Requests enter at", items)] if items else []

    def _judged(self, kind_plural: str, obj: Any) -> tuple[str]:
        return (self.screen.session.reader.judged_row(kind_plural, obj).state,)

    def _service_chain(self, service: Any) -> list[Step]:
        """Service → EndpointSlices → pods, ready or not, with ports as numbers."""
        here = {
            "kind": "Service",
            "name": self.screen.name,
            "here": True,
            "note": _ports(service),
            "state": "ok",
        }
        before = self._ingress_step([self.screen.name])
        steps = [*before, _step("which route to" if before else "This", [here])]
        if not (self._sees("endpointslices") and self._sees("pods")):
            return steps
        ends = service_ends(self.screen.session.reader, service)
        if ends.slices:
            steps.append(_step("with the addresses in", [self._slice(one) for one in ends.slices]))
        pods = sorted(ends.pods, key=lambda end: end.ready)
        if pods:
            steps.append(_step("which are those of", [self._pod(end) for end in pods]))
        return steps if len(steps) > 1 else []

    def _slice(self, end: SliceEnd) -> Item:
        words = f"{end.slice.address_type} · {end.ready} of {end.total} ready"
        return self._item(ref_of("endpointslices", end.slice), words, "ok" if end.ready else "bad")

    def _pod(self, end: PodEnd) -> Item:
        lost = [at.port.target_port for at in end.ports if at.number is None]
        ways = [f"{at.port.port} → {at.number}" for at in end.ports if at.number is not None]
        words = "ready" if end.ready else "not ready: gets no traffic"
        if lost:
            words += f", has no port {listed(map(str, lost))}"
        note = " · ".join([words, listed(ways)] if ways else [words])
        return self._item(ref_of("pods", end.pod), note, "ok" if end.ready and not lost else "warn")

    def _item(self, ref: Ref, note: str = "", state: str = "ok") -> Item:
        url = url_of(self.screen, ref)
        return {"kind": ref.kind, "name": ref.name, "url": url, "note": note, "state": state, "here": False}


def _step(caption: str, items: list[Item]) -> Step:
    more = len(items) - ITEMS
    rest = items[ITEMS - 1 :] if more > 0 else []
    fine = all(item["state"] == "ok" for item in rest)
    said = f"and {plural(len(rest), 'more', 'more')}{', all healthy' if fine else ''}" if rest else ""
    return {"caption": caption, "items": items[: ITEMS - 1] if rest else items, "more": said}


def _ports(service: Any) -> str:
    if service.spec.type == "ExternalName":
        return f"stands for {service.spec.external_name}"
    ports = [
        f"{port.port}" + (f" → {port.target_port}" if port.target_port not in (0, port.port) else "")
        for port in service.spec.ports or ()
    ]
    return f"port{'s' if len(ports) > 1 else ''} {listed(ports)}" if ports else ""
