"""What scaling touches, in the words a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import Impact, scale_hint, scale_impact
from dashboard.insight.words import text_of

from .world import NOW, World, condition, deployment, endpoints, meta, node, pod, replicaset, service

SIZE = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}}}]}


def world(*more: tuple[str, dict[str, Any]], pods: int = 3, template: dict[str, Any] = SIZE) -> World:
    made = World(
        ("deployments", deployment(replicas=pods, template=template)), ("replicasets", replicaset()), *more
    )
    for index in range(pods):
        manifest = pod(f"web-{index}")
        manifest["spec"] |= template
        made.add("pods", manifest)
    return made


def impact(found: World, replicas: int) -> Impact:
    return scale_impact(found, found.get("deployments", "shop", "web"), replicas, NOW)


def told(found: Impact) -> dict[str, str]:
    return {text_of(effect.text): effect.note for effect in found.effects}


def ingress(*behind: str) -> dict[str, Any]:
    paths = [
        {
            "path": f"/{name}",
            "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}},
        }
        for name in behind
    ]
    return {"metadata": meta("shop"), "spec": {"rules": [{"host": "shop.example", "http": {"paths": paths}}]}}


def test_scaling_to_zero_says_which_service_and_ingress_stop() -> None:
    found = impact(
        world(
            ("services", service()), ("services", service("api", {"app": "api"})), ("ingresses", ingress("web", "api")),
            ("endpointslices", endpoints("web", ("web-0", True), ("web-1", True), ("web-2", True))),
        ),
        0,
    )  # fmt: skip
    assert found.danger
    assert found.headline is not None
    assert found.headline.title == "Service web will have no ready endpoints"
    assert found.headline.text == (
        "These 3 pods are all it has. From then on shop.example/web answers 503, until it is scaled up again."
    )
    assert told(found) == {
        "Service web loses 3 of 3 endpoints": "ClusterIP, port 80; also used inside the cluster by name",
        "Ingress shop, at shop.example/web, answers 503": "the other path is not affected",
        "3 pods are terminated": "each has 30 s to finish its requests, then it is killed",
        "750m CPU and 1.5 GiB memory become free": "on node-1",
        "ConfigMaps, Secrets and volumes stay as they are": "nothing is deleted but the pods",
    }
    assert [effect.word for effect in found.effects][:2] == ["stops", "stops"]


def test_a_service_with_other_pods_behind_it_only_loses_some() -> None:
    found = impact(
        world(
            ("services", service()), ("pods", pod("other", owner=None)),
            ("endpointslices", endpoints("web", ("web-0", True), ("web-1", True), ("other", True), ("web-2", False))),
        ),
        0,
    )  # fmt: skip
    assert "Service web loses 2 of 3 endpoints" in told(found)
    assert found.headline is not None and found.headline.title == "Nothing of web will run"


def test_a_service_without_slices_is_judged_by_its_pods() -> None:
    assert "Service web loses 3 of 3 endpoints" in told(impact(world(("services", service())), 0))


def test_a_service_that_answers_nobody_now_does_not_stop() -> None:
    found = impact(world(("services", service()), ("endpointslices", endpoints("web", ("web-0", False)))), 0)
    assert "Service web has no ready endpoints now" in told(found)
    assert found.headline is not None and found.headline.title == "Nothing of web will run"


def test_fewer_pods_keep_the_service_and_say_how_many_seconds_they_have() -> None:
    found = impact(world(("services", service()), template=SIZE | {"terminationGracePeriodSeconds": 5}), 1)
    assert found.headline is None and not found.danger
    assert "Service web keeps 1 endpoint of this Deployment" in told(found)
    assert told(found)["2 pods are terminated"].startswith("each has 5 s to finish")


def test_nothing_changes_at_the_same_number() -> None:
    found = impact(world(("services", service())), 3)
    assert found.effects == ()
    assert found.headline is not None and found.headline.title == "web already has 3 replicas"


def hpa(least: int | None, most: int, desired: int = 4, target: str = "web") -> tuple[str, dict[str, Any]]:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "maxReplicas": most}
    spec |= {} if least is None else {"minReplicas": least}
    return "horizontalpodautoscalers", {
        "metadata": meta(f"{target}-hpa"), "spec": spec, "status": {"desiredReplicas": desired},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("replicas", "text"),
    [
        (0, "At 0 it is disabled (ScalingDisabled) and will not scale the workload up. "
            "With 1 or 2 it would set it back to 3 within about 15 s."),
        (1, "It would set it back to 3 within about 15 s. To stay below, lower its minimum."),
        (5, "It goes on from here: up within about 15 s, down after up to 5 minutes, as its metrics ask (now 4)."),
        (20, "It would set it back to 12 within about 15 s. To stay above, raise its maximum."),
    ],
)  # fmt: skip
def test_an_autoscaler_says_what_it_will_do(replicas: int, text: str) -> None:
    notices = impact(world(hpa(3, 12), hpa(1, 2, target="other")), replicas).notices
    assert [(notice.title, notice.text) for notice in notices] == [
        ("HorizontalPodAutoscaler web-hpa keeps 3 to 12 replicas", text)
    ]


def test_an_autoscaler_without_a_minimum_has_one() -> None:
    assert impact(world(hpa(None, 4)), 0).notices[0].title.endswith("keeps 1 to 4 replicas")


def budget() -> tuple[str, dict[str, Any]]:
    return "poddisruptionbudgets", {
        "metadata": meta("web"), "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip


def test_a_disruption_budget_is_said_not_to_prevent_it() -> None:
    assert "PodDisruptionBudget web does not prevent this" in told(impact(world(budget()), 1))
    assert "PodDisruptionBudget web does not prevent this" not in told(impact(world(budget()), 5))


def test_more_pods_that_do_not_fit_are_counted() -> None:
    small = node()
    small["status"]["allocatable"] = {"cpu": "2", "memory": "64Gi", "pods": "110"}
    found = impact(world(("nodes", small)), 10)
    assert found.headline is not None and found.headline.title == "Only 5 of 7 more pods can be scheduled"
    assert told(found)["1750m CPU and 3.5 GiB memory more requested: 5 of 7 more pods fit"] == (
        "the others stay Pending"
    )


@pytest.mark.parametrize(
    "manifest",
    [
        node(unschedulable=True),
        node(taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]),
        node() | {"metadata": {"name": "n", "labels": {"disk": "slow"}}},
    ],
)
def test_nodes_that_do_not_take_the_pod_do_not_count(manifest: dict[str, Any]) -> None:
    found = impact(world(("nodes", manifest), template=SIZE | {"nodeSelector": {"disk": "fast"}}), 4)
    assert found.headline is not None and found.headline.title.startswith("None of 1 more pod")


def test_tolerated_and_selected_nodes_count_and_what_was_not_reckoned_is_said() -> None:
    good = node(taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}])
    good["metadata"]["labels"] = {"zone": "a"}
    expression = {"key": "zone", "operator": "In", "values": ["a"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    template = SIZE | {
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "db"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    }
    found = impact(world(("nodes", good), template=template), 4)
    assert told(found)["250m CPU and 512 MiB memory more requested"] == (
        "all of them fit on the nodes; not evaluated: volumes"
    )


def quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> tuple[str, dict[str, Any]]:
    return "resourcequotas", {
        "metadata": meta("small"), "spec": {"hard": hard} | spec, "status": {"hard": hard, "used": used},
    }  # fmt: skip


def test_a_quota_says_how_many_of_the_pods_start() -> None:
    limits = {"pods": "10", "requests.memory": "3Gi"}
    found = impact(world(quota(limits, {"pods": "3", "requests.memory": "1536Mi"})), 8)
    assert "3 of 5 pods start" in told(found)


def test_the_hint_tells_the_tightest_bound() -> None:
    found = world(quota({"pods": "14"}, {"pods": "3"}), ("nodes", node()))
    deployed = found.get("deployments", "shop", "web")
    assert scale_hint(found, deployed) == "The quota of shop allows 11 more pods of this size."
    found = world(("nodes", node()))
    assert scale_hint(found, deployed) == "The nodes have capacity for 13 more pods of this size."
    assert scale_hint(world(quota({"pods": "1"}, {}, scopes=["BestEffort"])), deployed) == ""
    only = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    assert scale_hint(world(quota({"pods": "1"}, {}, scopeSelector=only)), deployed) == ""


def test_pods_that_are_gone_or_not_its_own_do_not_end() -> None:
    found = world()
    leaving = pod("web-leaving")
    leaving["metadata"] |= {"deletionTimestamp": "2026-03-01T11:59:00Z"}
    found.add("pods", leaving)
    found.add("pods", pod("bare", owner=None, conditions=[condition("Ready", "True")]))
    assert "on node-1" in told(impact(found, 0)).values()
