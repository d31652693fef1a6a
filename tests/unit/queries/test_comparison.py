"""What differs between two moments: what came, went and was changed, of what is known at both and may be seen."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.queries import comparison
from dashboard.queries.access import Visible
from dashboard.queries.comparison import (
    COMPARED,
    Comparison,
    KindChanges,
    ObjectChange,
    compared,
    read_at_both,
    seen_of,
)
from dashboard.queries.seenreader import SeenReader
from tests.unit.insight.world import World, deployment, node, pod
from tests.unit.live.seen import everything, nothing, runtime

PLURALS = ("nodes", "pods", "deployments", "configmaps")


def at(version: str, manifest: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return manifest | {"metadata": manifest["metadata"] | {"resourceVersion": version} | metadata}


def differing(before: World, after: World) -> Comparison:
    then, now = ({plural: world.all(plural) for plural in PLURALS} for world in (before, after))
    return compared(then, now)


def configmap(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", **metadata}, "data": {"k": "CANARY"}}


def test_what_came_went_was_changed_or_is_another_one_of_its_name() -> None:
    before, after = World(), World()
    for world, version, replicas in ((before, "1", 2), (after, "2", 3)):
        world.add("deployments", at(version, deployment("web", replicas=replicas)))
        world.add("configmaps", at(version, configmap("again", uid=f"again-{version}")))
        world.add("configmaps", at("1", configmap("same")))
    before.add("configmaps", at("1", configmap("old")))
    after.add("configmaps", at("2", configmap("new")))
    found = differing(before, after)
    assert {(each.what, each.plural, each.name) for each in found.changes} == {
        ("changed", "deployments", "web"), ("recreated", "configmaps", "again"), ("deleted", "configmaps", "old"),
        ("created", "configmaps", "new"),
    }  # fmt: skip
    [scaled] = [each for each in found.changes if each.what == "changed"]
    assert scaled == ObjectChange("changed", "deployments", "shop", "web", (("spec.replicas", "2", "3"),))
    assert found.kinds == {
        "deployments": KindChanges(changed=1), "configmaps": KindChanges(created=2, deleted=2)
    }  # fmt: skip
    assert (found.more, found.partly) == (0, [])
    assert "CANARY" not in repr(found)


def test_what_a_cluster_reports_by_itself_is_no_change_and_what_controllers_make_is_counted_alone() -> None:
    before, after = World(), World()
    for world, version, reason in ((before, "1", ""), (after, "2", "Evicted")):
        status = {"status": {"phase": "Running", "reason": reason}}
        world.add("pods", at(version, pod("reports", owner=None) | status))
        world.add(
            "nodes", at(version, node("n") | {"status": {"nodeInfo": {"kubeletVersion": f"v{version}"}}})
        )
        world.add("pods", at(version, pod(f"web-{version}")))
    found = differing(before, after)
    assert (found.changes, found.kinds) == ([], {"pods": KindChanges(created=1, deleted=1)})


def test_a_kind_that_is_not_known_at_one_of_the_moments_did_not_come_or_go() -> None:
    there, none = {"pods": World(("pods", pod("web"))).all("pods")}, {"pods": None}
    assert compared(there, none) == compared(none, there) == compared(there, {}) == Comparison({}, [], 0, [])
    assert not {"events", "endpointslices"} & {*COMPARED}


def test_so_many_are_named_and_their_fields_compared_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparison, "MAX_CHANGES", 3)
    monkeypatch.setattr(comparison, "MAX_LOOKED_AT", 2)
    before, after = World(), World()
    for number in range(5):
        after.add("configmaps", at("1", configmap(f"new-{number}")))
        before.add("deployments", at("1", deployment(f"web-{number}", replicas=1)))
        after.add("deployments", at("2", deployment(f"web-{number}", replicas=2)))
    found = differing(before, after)
    assert (len(found.changes), found.more) == (3, 4)
    assert found.kinds["configmaps"] == KindChanges(created=5)
    assert found.kinds["deployments"] == KindChanges(changed=2)
    assert found.partly == [KINDS["deployments"].title]


def reader(*, scopes: frozenset[str] | None = None, **less: Any) -> SeenReader:
    made = runtime()
    made.cache.put("nodes", node("n"))
    for namespace in ("shop", "bank"):
        made.cache.put("pods", at("1", pod("web"), namespace=namespace, uid=namespace))
    made.cache.scopes = lambda _: scopes
    return SeenReader(made.reader, everything(**less))


def seen(found: SeenReader, plural: str, *chosen: str) -> set[str] | None:
    objects = seen_of(found, plural, frozenset(chosen) or None)
    return None if objects is None else {one.metadata.namespace for one in objects}


def test_only_what_may_be_seen_is_compared() -> None:
    found = reader(pods=Visible(frozenset({"shop"})), nodes=nothing("nodes"))
    assert seen(found, "pods") == {"shop"} and seen(found, "pods", "bank") == set()
    assert seen(found, "nodes") is None
    assert seen(found.again(), "pods") is None
    whole = reader()
    assert seen(whole, "pods") == {"shop", "bank"} and seen(whole, "pods", "bank") == {"bank"}
    assert seen(whole, "nodes", "bank") == {""}, "nodes are in no namespace"


def test_a_namespace_that_is_read_since_did_not_come_into_being_then() -> None:
    shop, whole = reader(scopes=frozenset({"shop"})), reader()
    both = frozenset({"shop", "bank"})
    for then, now in ((shop, whole), (whole, shop)):
        assert read_at_both(then, now, "pods", None) == read_at_both(then, now, "pods", both) == {"shop"}
    assert read_at_both(whole, whole, "pods", None) is None
    assert read_at_both(whole, whole, "pods", both) == both
