"""Where an Ingress leads: what the card says of each backend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.kinds import KINDS
from dashboard.live.screens.detail.cards.routes import RoutesCard
from dashboard.queries.relations import pods_of

from .seen import everything, runtime, session

ALIAS = {"metadata": {"name": "web"}, "spec": {"type": "ExternalName", "externalName": "shop.example"}}


def card(service: dict[str, Any]) -> str:
    found = runtime()
    backend = {"service": {"name": "web", "port": {"number": 443}}}
    found.cache.put("ingresses", {"metadata": {"name": "front"}, "spec": {"defaultBackend": backend}})
    found.cache.put("services", service)
    screen: Any = SimpleNamespace(
        runtime=found,
        session=session(found, everything()),
        kind=KINDS["ingresses"],
        namespace="shop",
        name="front",
    )
    obj = found.reader.get("ingresses", "shop", "front")
    return RoutesCard(screen).show(obj, None).regions["routes"].html  # type: ignore[arg-type]


def test_another_name_without_ports_takes_any_and_one_with_ports_only_those() -> None:
    assert "routes to shop.example" in card(ALIAS)
    one_port = {**ALIAS, "spec": {**ALIAS["spec"], "ports": [{"port": 80}]}}
    assert "has no port 443" in card(one_port)


def test_another_name_has_no_pods_be_there_a_selector_or_not() -> None:
    found = runtime()
    labels = {"app": "web"}
    found.cache.put("pods", {"metadata": {"name": "web-1", "labels": labels}})
    found.cache.put("services", {**ALIAS, "spec": {**ALIAS["spec"], "selector": labels}})
    assert pods_of(found.reader, "services", found.reader.get("services", "shop", "web")) == []
