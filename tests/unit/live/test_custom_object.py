"""The page of an object of a kind without a module here: nothing on it asks the registry."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from dashboard.insight.mentions import Mention
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Ref
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live.screens.detail.cards import CARDS
from dashboard.live.screens.detail.cards.belongs import BelongsCard
from dashboard.live.screens.detail.cards.problems import ProblemsCard
from dashboard.live.screens.detail.tabs import TABS
from dashboard.queries.relations import mentioned, related

from .seen import everything, nothing, runtime

FLEETS = TableKind.of(Resource(GVR("example.com", "v1", "fleets", namespaced=False), "Fleet"))
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


def made_by(uid: str, **more: Any) -> dict[str, Any]:
    owner = {"apiVersion": "example.com/v1", "kind": "Gadget", "name": "g", "uid": uid, **more}
    return {"ownerReferences": [owner]}


def test_its_relations_are_its_owners_and_what_it_made_by_its_uid() -> None:
    found = runtime()
    found.cache.put("configmaps", {"metadata": {"name": "mine", **made_by("u")}})
    found.cache.put("configmaps", {"metadata": {"name": "of-another-of-that-name", **made_by("other")}})
    found.cache.put("secrets", {"metadata": {"name": "keys", **made_by("u")}})
    whole = related(found.reader, everything(), GADGETS.plural, owned())
    assert [(ref.kind, ref.name) for ref in whole.uses] == [("Deployment", "web")]
    assert {(ref.kind, ref.name): ways for ref, ways in whole.used_by.items()} == {
        ("ConfigMap", "mine"): ("owner",),
        ("Secret", "keys"): ("owner",),
    }
    assert whole.hidden == ()
    part = related(found.reader, everything(secrets=nothing("secrets")), GADGETS.plural, owned())
    assert [ref.name for ref in part.used_by] == ["mine"]
    assert part.hidden == ("secrets",)
    found.cache.remove("configmaps", "shop", "mine")
    assert not [
        ref
        for ref in related(found.reader, everything(), GADGETS.plural, owned()).used_by
        if ref.name == "mine"
    ]


def test_an_owner_of_a_custom_kind_is_what_discovery_tells_of_it() -> None:
    found = runtime()
    kinds = {**KINDS, GADGETS.plural: GADGETS, FLEETS.plural: FLEETS}
    found.cache.kinds = kinds
    fleet = {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "north", "uid": "f"}
    refs = [*made_by("u")["ownerReferences"], fleet, fleet | {"apiVersion": "gone.io/v1"}]
    found.cache.put("configmaps", {"metadata": {"name": "mine", "ownerReferences": refs}})
    config = found.reader.get("configmaps", "shop", "mine")
    uses = related(found.reader, everything(), "configmaps", config).uses
    assert Ref("Gadget", "shop", "g", GADGETS.plural) in uses
    assert Ref("Fleet", "", "north", FLEETS.plural) in uses
    assert Ref("Fleet", "shop", "north", "") in uses, "nothing is known of that API"


def test_what_its_spec_names_is_of_the_kinds_that_are_known() -> None:
    kinds = {**KINDS, FLEETS.plural: FLEETS}
    told = [
        Mention("spec.secretName", "Secret", "keys"),
        Mention("spec.tls[].secretName", "Secret", "keys"),
        Mention("spec.targetRef", "Deployment", "web", None),
        Mention("spec.fleetRef", "Fleet", "north", "example.com"),
        Mention("spec.otherRef", "Deployment", "web", "other.io"),
    ]
    assert mentioned(kinds, "shop", told) == {
        Ref("Secret", "shop", "keys", "secrets"): ("spec.secretName", "spec.tls[].secretName"),
        Ref("Deployment", "shop", "web", "deployments"): ("spec.targetRef",),
        Ref("Fleet", "", "north", FLEETS.plural): ("spec.fleetRef",),
    }
    assert mentioned(kinds, "", told[:1]) == {}, "without a namespace nobody knows where"
