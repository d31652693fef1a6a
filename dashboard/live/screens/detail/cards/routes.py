"""Where an Ingress leads: each host and path, its Service and port, and how many pods answer there."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.insight.traffic import Route, routes, service_ends
from dashboard.insight.usedby import ref_of
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.rows import listed, plural
from dashboard.live.screens.common import map_url, object_url
from dashboard.live.snapshot import Snapshot

from ..piece import Card

SHOWN = 100


class RoutesCard(Card):
    main = "cards/routes.html"
    plurals = frozenset({"services", "endpointslices", "pods"})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "ingresses"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = routes(self.screen.session.reader, obj)
        region = {
            "map": map_url(self.screen.runtime, ref_of("ingresses", obj)),
            "routes": [self._row(route) for route in found[:SHOWN]],
            "left_out": max(0, len(found) - SHOWN),
        }
        return Snapshot(regions={"routes": render.region("routes", region)})

    def _row(self, route: Route) -> dict[str, Any]:
        state, word, url = self._judge(route)
        return {
            "place": route.place,
            "path_type": route.path_type,
            "target": route.resource or f"{route.service_name}:{route.port_words}",
            "url": url,
            "state": state,
            "word": word,
        }

    def _judge(self, route: Route) -> tuple[str, str, str]:
        """State, words and the Service's page. A broken link says at which joint."""
        if route.resource:
            return "ok", "not a Service: the ingress controller knows what it is", ""
        reader = self.screen.session.reader
        if route.service is None:
            if not reader.reads("services", self.screen.namespace):
                return "ok", "", ""
            return "bad", f"There is no Service {route.service_name}: requests end here", ""
        url = object_url(self.screen.runtime, "services", self.screen.namespace, route.service_name)
        if route.service.spec.type == "ExternalName" and (route.port or not route.service.spec.ports):
            return "ok", f"routes to {route.service.spec.external_name}", url
        if route.port is None:
            return "bad", f"Service {route.service_name} has no port {route.port_words}", url
        if not all(reader.reads(kind, self.screen.namespace) for kind in ("pods", "endpointslices")):
            return "ok", "", url
        ends = service_ends(reader, route.service)
        if not ends.total:
            return "bad", "no pods behind it: requests get 503", url
        at = sorted(
            {
                port.number
                for end in ends.pods
                for port in end.ports
                if port.port is route.port and port.number
            }
        )
        words = f"{ends.ready} of {plural(ends.total, 'pod')} ready"
        if at:
            words += f", at port{'s' if len(at) > 1 else ''} {listed(map(str, at))}"
        return ("ok" if ends.ready == ends.total else "warn" if ends.ready else "bad"), words, url
