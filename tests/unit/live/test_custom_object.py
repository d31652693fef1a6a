"""The page of an object of a kind without a module here: nothing on it asks the registry."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from django.http import QueryDict

from dashboard.insight.mentions import Mention
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Ref
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live.screens.action import ActionScreen
from dashboard.live.screens.common import ref_url
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.cards.topology import TopologyCard
from dashboard.live.screens.detail.tabs import TABS
from dashboard.queries.relations import mentioned, owners, related

from .seen import everything, nothing, runtime, session

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
    tabs = {tab for tab, found in TABS.items() if found.fits(GADGETS)}
    assert tabs == {"overview", "events", "yaml", "timeline"}


def test_its_owners_are_told_without_a_way_to_the_map() -> None:
    found = runtime()
    found.cache.put("deployments", {"metadata": {"name": "web", "uid": "d"}})
    screen: Any = SimpleNamespace(
        runtime=found, session=session(found, everything()), kind=GADGETS, namespace="shop", name="g"
    )
    html = TopologyCard(screen).show(owned(), None).regions["topology"].html  # type: ignore[arg-type]
    assert "/c/tests/deployments/shop/web/" in html
    assert "Open the map" not in html


def made_by(uid: str, **more: Any) -> dict[str, Any]:
    owner = {"apiVersion": "example.com/v1", "kind": "Gadget", "name": "g", "uid": uid, **more}
    return {"ownerReferences": [owner]}


def scaler(api_version: str) -> dict[str, Any]:
    target = {"apiVersion": api_version, "kind": "Gadget", "name": "g"}
    return {"metadata": {"name": f"of-{api_version.partition('.')[0]}"}, "spec": {"scaleTargetRef": target}}


def test_it_is_used_by_what_names_its_group_kind_and_name() -> None:
    found = runtime()
    found.cache.kinds = {**KINDS, GADGETS.plural: GADGETS}
    found.cache.put("horizontalpodautoscalers", scaler("example.com/v1"), scaler("other.com/v1"))
    source = {"apiGroup": "example.com", "kind": "Gadget", "name": "g"}
    found.cache.put(
        "persistentvolumeclaims", {"metadata": {"name": "copy"}, "spec": {"dataSourceRef": source}}
    )
    used = related(session(found, everything()).reader, GADGETS.plural, gadget()).used_by
    assert {(ref.kind, ref.name): ways for ref, ways in used.items()} == {
        ("PersistentVolumeClaim", "copy"): ("dataSource",),
        ("HorizontalPodAutoscaler", "of-example"): ("scales",),
    }
    (scaling,) = [
        one for one in found.reader.all("horizontalpodautoscalers") if one.metadata.name == "of-example"
    ]
    uses = related(session(found, everything()).reader, "horizontalpodautoscalers", scaling).uses
    assert list(uses) == [Ref("Gadget", "shop", "g", GADGETS.plural)], "so that its page links to it"


def test_its_relations_are_its_owners_and_what_it_made_by_its_uid() -> None:
    found = runtime()
    found.cache.kinds = {**KINDS, GADGETS.plural: GADGETS}
    found.cache.put("configmaps", {"metadata": {"name": "mine", **made_by("u")}})
    found.cache.put("configmaps", {"metadata": {"name": "of-another-of-that-name", **made_by("other")}})
    found.cache.put("secrets", {"metadata": {"name": "keys", **made_by("u")}})
    whole = related(session(found, everything()).reader, GADGETS.plural, owned())
    assert [(ref.kind, ref.name) for ref in whole.uses] == [("Deployment", "web")]
    assert {(ref.kind, ref.name): ways for ref, ways in whole.used_by.items()} == {
        ("ConfigMap", "mine"): ("owner",),
        ("Secret", "keys"): ("owner",),
    }
    assert whole.hidden == ()
    part = related(session(found, everything(secrets=nothing("secrets"))).reader, GADGETS.plural, owned())
    assert [ref.name for ref in part.used_by] == ["mine"]
    assert part.hidden == ("secrets",)
    found.cache.remove("configmaps", "shop", "mine")
    assert not [
        ref
        for ref in related(session(found, everything()).reader, GADGETS.plural, owned()).used_by
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
    uses = related(session(found, everything()).reader, "configmaps", config).uses
    assert Ref("Gadget", "shop", "g", GADGETS.plural) in uses
    assert Ref("Fleet", "", "north", FLEETS.plural) in uses
    assert Ref("Fleet", "shop", "north", group="gone.io") in uses, "nothing is known of that API"


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


def test_the_page_of_an_owner_that_is_not_known_is_not_that_of_kubernetes_own() -> None:
    owner = {
        "apiVersion": "gone.io/v1",
        "kind": "StatefulSet",
        "name": "ring",
        "uid": "r",
        "controller": True,
    }
    (above,) = owners(runtime().reader, KINDS, gadget(ownerReferences=[owner]))
    assert above == Ref("StatefulSet", "shop", "ring", group="gone.io")
    assert ref_url(runtime(), above) == ""


def test_a_form_does_not_call_ready_what_its_controller_has_said_nothing_of() -> None:
    def now(says: str, **meta: Any) -> dict[str, Any]:
        columns = [
            {"name": "Name", "type": "string", "format": "name"}, {"name": "Ready", "type": "string"},
        ]  # fmt: skip
        whole = {"metadata": {"name": "g", "namespace": "shop", "uid": "u", **meta}}
        table = {
            "metadata": {},
            "columnDefinitions": columns,
            "rows": [{"cells": ["g", says], "object": whole}],
        }
        kind = TableKind.of(Resource(GVR("example.com", "v1", "gadgets"), "Gadget", "gadget", ()))
        found = kind.decode_object(json.dumps(table).encode())
        reader = SimpleNamespace(get=lambda *_: found, row=lambda *_: kind.row(found))
        screen: Any = SimpleNamespace(
            session=SimpleNamespace(reader=reader), kind=kind, namespace="shop", name="g",
            expects_it=True, action=SimpleNamespace(fields=()),
        )  # fmt: skip
        return ActionScreen._now(screen)

    assert now("False")["word"] == "Ready False"
    assert now("")["word"] == "Ready is not reported"
    assert now("", deletionTimestamp="2026-01-01T00:00:00Z")["word"] == "being deleted"


def test_the_head_says_unknown_of_what_its_controller_has_said_nothing_of() -> None:
    kind = TableKind.of(Resource(GVR("example.com", "v1", "gizmos"), "Gizmo", "gizmo", ()))
    found = runtime()
    found.kinds = {**KINDS, kind.plural: kind}
    screen = DetailScreen(session(found), QueryDict(), kind.plural, "shop", "g")

    def word(says: str) -> str:
        whole = {"metadata": {"name": "g", "namespace": "shop", "uid": "u"}}
        columns = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Ready", "type": "string"}]
        rows = [{"cells": ["g", says], "object": whole}]
        table = {"metadata": {}, "columnDefinitions": columns, "rows": rows}
        screen.last = kind.decode_object(json.dumps(table).encode())
        return str(screen._head(kind.row(screen.last), kind.detail(screen.last), gone=False)["word"])

    assert [word(says) for says in ("", "Unknown", "False", "True")] == ["Unknown", "Unknown", "Warning", ""]
