"""What scaling says of anything else that has a scale subresource."""

from __future__ import annotations

from dashboard.actions.action import typed_object
from dashboard.insight import scale_hint, workload_rollout
from dashboard.insight.ordinals import scale_impact
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref
from dashboard.kinds.replicasets import ReplicaSet

from .world import NOW, World, deployment, endpoints, meta, node, pod, replicaset, service

RING = Ref("Ring", "shop", "ring", "", "example.com")
SCALE = {
    "kind": "Scale",
    "metadata": {"name": "ring", "namespace": "shop", "uid": "u1"},
    "spec": {"replicas": 2},
    "status": {"replicas": 2, "selector": "app=ring"},
}


def test_a_custom_kind_is_judged_by_its_scale_alone() -> None:
    labels = {"app": "ring"}
    world = World(
        ("services", service("ring", labels)),
        ("pods", pod("ring-0", owner=None, labels=labels)),
        ("endpointslices", endpoints("ring", ("ring-0", True))),
        (
            "horizontalpodautoscalers",
            {
                "metadata": meta("ring"),
                "spec": {
                    "scaleTargetRef": {"kind": "Ring", "name": "ring", "apiVersion": "example.com/v1"},
                    "maxReplicas": 4,
                },
            },
        ),
    )
    scale = typed_object("rings.example.com", SCALE)
    found = scale_impact(world, scale, 5, NOW, RING)
    effects = {text_of(effect.text): effect.note for effect in found.effects}
    assert effects["5 replicas instead of 2"] == "what a replica is, the controller of Ring decides"
    assert "Service ring gets 3 more endpoints once they are ready" in effects
    one = scale_impact(world, scale, 3, NOW, RING)
    assert "Service ring gets 1 more endpoint once it is ready" in [
        text_of(each.text) for each in one.effects
    ]
    assert [notice.title for notice in found.notices] == [
        "HorizontalPodAutoscaler ring keeps 1 to 4 replicas"
    ]
    assert scale_hint(world, scale) == ""
    stopped = scale_impact(world, scale, 0, NOW, RING)
    assert stopped.danger and stopped.headline is not None
    assert stopped.headline.title == "Service ring will have no ready endpoints"


def test_the_replicas_of_a_replicationcontroller_are_pods() -> None:
    scale = typed_object("replicationcontrollers", SCALE)
    for ref, more, less in (
        (Ref("ReplicationController", "shop", "ring"), "3 pods start", "1 pod is terminated"),
        (
            Ref("ReplicationController", "shop", "ring", "", "example.com"),
            "5 replicas instead of 2",
            "1 replica instead of 2",
        ),
    ):
        up, down = (scale_impact(World(), scale, count, NOW, ref).effects for count in (5, 1))
        assert text_of(up[0].text) == more
        assert text_of(down[0].text) == less


def test_without_a_selector_nothing_is_guessed_about_pods() -> None:
    world = World(("services", service()), ("pods", pod("web-0", owner=None)))
    scale = typed_object("rings.example.com", SCALE | {"status": {}})
    assert [text_of(effect.text) for effect in scale_impact(world, scale, 5, NOW, RING).effects] == [
        "5 replicas instead of 2"
    ]


def test_the_pods_of_a_replicaset_are_its_own() -> None:
    labels = {"app": "web"}
    sets = replicaset() | {
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}},
        }
    }
    world = World(("replicasets", sets), ("services", service()))
    for number in range(2):
        world.add("pods", pod(f"web-{number}"))
    world.add("endpointslices", endpoints("web", ("web-0", True), ("web-1", True)))
    found = scale_impact(world, world.get("replicasets", "shop", "web-5d4f"), 0, NOW)
    assert "Service web loses 2 of 2 endpoints" in {text_of(effect.text) for effect in found.effects}


def test_a_replicaset_is_followed_until_it_has_its_pods() -> None:
    def state(desired: int, there: int, ready: int) -> tuple[str, int]:
        manifest = replicaset()
        manifest["spec"]["replicas"] = desired
        manifest["status"] = {"replicas": there, "readyReplicas": ready}
        world = World(("replicasets", manifest))
        one: ReplicaSet = world.get("replicasets", "shop", "web-5d4f")
        rollout = workload_rollout(world, one, NOW)
        return rollout.headline.removeprefix("web-5d4f").lstrip(": "), rollout.percent

    assert state(3, 1, 1) == ("creates new pods", 33)
    assert state(3, 3, 2) == ("waits for its pods", 66)
    assert state(1, 3, 3) == ("terminates pods", 33)
    assert state(3, 3, 3) == ("rollout complete", 100)
    assert state(0, 0, 0) == ("is scaled to 0", 100)


def test_more_replicas_lead_to_how_many_more_fit() -> None:
    world = World(("nodes", node("a")), ("deployments", deployment()))
    web = typed_object("deployments", deployment() | {"kind": "Deployment"})
    ref = Ref("Deployment", "shop", "web", "deployments")
    more, fewer = (scale_impact(world, web, replicas, NOW, ref) for replicas in (50, 0))
    assert [each.ref for each in more.effects if each.fit] == [ref]
    assert not any(each.fit for each in fewer.effects)
