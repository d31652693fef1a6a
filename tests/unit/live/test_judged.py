"""What objects behind a Service say of it: told by lists, the menu and its own page to who may list those objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds.base import Ref
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.live.screens.detail.screen import DetailScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map.boxes import WIDE, Boxes
from dashboard.queries.access import Visible

from .seen import everything, nothing, runtime, sees, session

NOTHING_BEHIND = {
    "metadata": {"name": "web"}, "spec": {"selector": {"app": "gone"}, "ports": [{"port": 80}]},
}  # fmt: skip


NO_CERTIFICATE = {
    "metadata": {"name": "web"}, "spec": {"tls": [{"hosts": ["shop.example"], "secretName": "gone"}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
}  # fmt: skip


def world() -> Any:
    found = runtime()
    found.cache.put("services", NOTHING_BEHIND)
    return found


def in_list(found: Any, visible: Mapping[str, Visible], plural: str = "services") -> str:
    screen = ListScreen(session(found), QueryDict(""), plural)
    sees(screen, dict(visible))
    (row,) = screen.listing().rows
    return row.state


def in_menu(found: Any, visible: Mapping[str, Visible]) -> str:
    screen = ChromeScreen(session(found), QueryDict(""))
    sees(screen, dict(visible))
    item = screen._item("services")
    return "bad" if item["bad"] else "warn" if item["warn"] else "ok"


def on_its_page(found: Any, visible: Mapping[str, Visible]) -> str:
    screen = DetailScreen(session(found), QueryDict(""), "services", "shop", "web", "timeline")
    sees(screen, dict(visible))
    screen.last = found.reader.get("services", "shop", "web")
    return screen.row(screen.last).state


def on_the_map(found: Any, visible: Mapping[str, Visible]) -> str:
    boxes = Boxes(session(found, visible), {}, WIDE, None, frozenset())
    row = boxes.row(Ref("Service", "shop", "web", "services"))
    assert row is not None
    return row.state


@pytest.mark.parametrize("place", [in_list, in_menu, on_its_page, on_the_map])
def test_a_service_is_judged_for_who_may_list_what_is_behind_it(place: Any) -> None:
    found = world()
    assert place(found, everything()) in ("bad", "warn")
    assert place(found, everything(pods=nothing("pods"))) == "ok"


def test_an_ingress_is_judged_by_its_services_where_classes_may_not_be_listed() -> None:
    found = runtime()
    backend = {"service": {"name": "gone", "port": {"number": 80}}}
    spec = {"defaultBackend": backend, "ingressClassName": "gone"}
    found.cache.put("ingresses", NO_CERTIFICATE | {"spec": spec})
    assert in_list(found, everything(ingressclasses=nothing("ingressclasses")), "ingresses") == "bad"
    assert in_list(found, everything(services=nothing("services")), "ingresses") == "ok"


def test_that_there_is_no_secret_of_a_name_is_told_only_to_who_may_list_secrets() -> None:
    found = runtime()
    found.cache.put("ingresses", NO_CERTIFICATE)
    assert in_list(found, everything(), "ingresses") == "warn"
    assert in_list(found, everything(secrets=nothing("secrets")), "ingresses") == "ok"
    assert in_list(found, everything(), "ingresses") == "warn"
