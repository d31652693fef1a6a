"""The page of an object of a kind without a module here: nothing on it asks the registry."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from dashboard.kinds.base import GVR
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live.screens.detail.cards import CARDS
from dashboard.live.screens.detail.cards.belongs import BelongsCard
from dashboard.live.screens.detail.cards.problems import ProblemsCard
from dashboard.live.screens.detail.tabs import TABS
from dashboard.queries.relations import related

from .seen import everything, nothing, runtime

GADGETS = TableKind.of(Resource(GVR("example.com", "v1", "gadgets"), "Gadget", "gadget", ()))


def gadget(**meta: Any) -> Any:
    whole = {"metadata": {"name": "g", "namespace": "shop", "uid": "u", **meta}}
    columns = [{"name": "Name", "type": "string", "format": "name"}]
    table = {"metadata": {}, "columnDefinitions": columns, "rows": [{"cells": ["g"], "object": whole}]}
    return GADGETS.decode_object(json.dumps(table).encode())


def owned() -> Any:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": "d",
        "controller": True,
    }
    return gadget(ownerReferences=[owner])


def test_what_rests_on_the_registry_is_left_out() -> None:
    assert ProblemsCard not in {card for card in CARDS if card.fits(GADGETS)}
    tabs = {tab for tab, found in TABS.items() if found.fits(GADGETS)}
    assert tabs == {"overview", "events", "yaml", "timeline"}


def test_its_owners_are_told_without_a_way_to_the_map() -> None:
    found = runtime()
    screen: Any = SimpleNamespace(
        runtime=found, kind=GADGETS, namespace="shop", name="g", visible=everything()
    )
    html = BelongsCard(screen).show(owned(), None).regions["belongs"].html  # type: ignore[arg-type]
    assert "/c/tests/deployments/shop/web/" in html
    assert "Open the map" not in html


def test_its_relations_are_its_owners_and_what_it_owns() -> None:
    world = runtime()
    owner = {"apiVersion": "example.com/v1", "kind": "Gadget", "name": "g", "uid": "u"}
    world.cache.put("configmaps", {"metadata": {"name": "made", "ownerReferences": [owner]}})
    world.cache.put("pods", {"metadata": {"name": "other", "ownerReferences": [owner | {"uid": "another"}]}})
    found = related(world.reader, everything(), GADGETS.plural, owned())
    assert [(ref.kind, ref.name) for ref in found.uses] == [("Deployment", "web")]
    assert [(ref.kind, ref.name) for ref in found.used_by] == [("ConfigMap", "made")]
    less = related(world.reader, everything(configmaps=nothing("configmaps")), GADGETS.plural, owned())
    assert less.used_by == {}
