"""What deleting a pod touches."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.deletion import asks_budgets, budgets_over, deletion_impact
from dashboard.insight.words import text_of

from .world import NOW, World, ago, endpoints, meta, pod, replicaset, service


def told(manifest: dict[str, Any], *others: tuple[str, dict[str, Any]], **how: Any) -> Any:
    world = World(*others)
    world.add("replicasets", replicaset())
    return deletion_impact(world, world.add("pods", manifest), NOW, **({"evict": False, "grace": None} | how))


def texts(impact: Any) -> list[str]:
    return [text_of(effect.text) for effect in impact.effects]


def budget(name: str, labels: dict[str, str], **status: int) -> dict[str, Any]:
    return {"metadata": meta(name), "spec": {"selector": {"matchLabels": labels}}, "status": status}


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (("ReplicaSet", "web-5d4f"), "Deployment web creates a new one"),
        (("StatefulSet", "db"), "StatefulSet db recreates web-1"),
        (("DaemonSet", "log"), "DaemonSet log creates a new one on node-1"),
        (("Job", "import"), "Job import starts another pod"),
        (("Node", "node-1"), "Its node's kubelet recreates it immediately"),
        (None, "It is not replaced"),
    ],
)
def test_what_comes_after_it(owner: tuple[str, str] | None, text: str) -> None:
    assert texts(told(pod(owner=owner)))[0] == text


def test_a_naked_pod_is_gone_for_good() -> None:
    impact = told(pod(owner=None))
    assert impact.danger and impact.headline.title == "web-1 is deleted permanently"


def test_the_last_endpoint_of_a_service_is_named() -> None:
    alone = told(pod(), ("services", service()), ("endpointslices", endpoints("web", ("web-1", True))))
    assert alone.danger and alone.headline.title == "Service web will be unavailable for a while"
    slices = endpoints("web", ("web-1", True), ("web-2", True))
    shared = told(pod(), ("services", service()), ("endpointslices", slices))
    assert not shared.danger and "Service web keeps 1 of 2 endpoints" in texts(shared)


def test_what_is_lost_and_what_stays() -> None:
    made = pod()
    made["spec"]["volumes"] = [
        {"name": "tmp", "emptyDir": {}}, {"name": "own", "ephemeral": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web"}},
    ]  # fmt: skip
    found = texts(told(made))
    assert "What is in emptyDir tmp is lost" in found
    assert "What is in volume own is lost" in found
    assert "Claim data-web and its data stay" in found


def test_budgets_are_found_by_their_selector_and_their_numbers_are_said() -> None:
    numbers = {"currentHealthy": 3, "expectedPods": 3, "desiredHealthy": 2, "disruptionsAllowed": 1}
    world = World(
        ("poddisruptionbudgets", budget("web", {"app": "web"}, **numbers)),
        ("poddisruptionbudgets", budget("db", {"app": "db"})),
    )
    one = world.add("pods", pod())
    assert [found.metadata.name for found in budgets_over(world, one)] == ["web"]
    notice = deletion_impact(world, one, NOW, evict=True, grace=None).notices[0]
    assert notice.title == "PodDisruptionBudget web covers it"
    assert "3 of 3 pods are healthy, 2 must be, so 1 pod may go" in notice.text


@pytest.mark.parametrize(
    ("owner", "state", "title"),
    [
        (("StatefulSet", "db"), "bad", "Two at once can damage its data"),
        (("ReplicaSet", "web-5d4f"), "warn", "Without a grace period"),
    ],
)
def test_no_time_to_finish_is_dangerous(owner: tuple[str, str], state: str, title: str) -> None:
    impact = told(pod(owner=owner), grace=0)
    assert impact.danger
    assert (impact.notices[-1].state, impact.notices[-1].title) == (state, title)


def test_a_pod_on_its_way_out_is_said_to_be() -> None:
    made = pod()
    made["metadata"]["deletionTimestamp"] = ago(seconds=5)
    assert told(made).headline.title == "web-1 is being deleted already"


@pytest.mark.parametrize(
    ("phase", "leaving", "asked"),
    [("Running", False, True), ("Pending", False, False), ("Succeeded", False, False), ("Running", True, False)],
)  # fmt: skip
def test_budgets_are_asked_only_for_pods_that_run(phase: str, leaving: bool, asked: bool) -> None:
    manifest = pod(phase=phase)
    if leaving:
        manifest["metadata"]["deletionTimestamp"] = ago(seconds=5)
    assert asks_budgets(World().add("pods", manifest)) is asked
    over = ("poddisruptionbudgets", budget("web", {"app": "web"}))
    notice = next(one for one in told(manifest, over, evict=True).notices if "covers it" in one.title)
    assert ("may refuse" in notice.text) is asked and ("no budget is checked" in notice.text) is not asked


@pytest.mark.parametrize(
    ("policy", "healthy", "allowed"),
    [
        ("AlwaysAllow", 1, "AlwaysAllow"),
        ("IfHealthyBudget", 2, "2 others are healthy"),
        ("IfHealthyBudget", 1, ""),
    ],
)
def test_a_budget_lets_an_unhealthy_pod_go_by_its_policy(policy: str, healthy: int, allowed: str) -> None:
    made = budget("web", {"app": "web"}, currentHealthy=healthy, expectedPods=3, desiredHealthy=2)
    made["spec"]["unhealthyPodEvictionPolicy"] = policy
    broken = told(pod(ready=False), ("poddisruptionbudgets", made), evict=True).notices[0]
    assert ("the budget allows it" in broken.text) is bool(allowed)
    assert allowed in broken.text
    assert "may refuse" in told(pod(), ("poddisruptionbudgets", made), evict=True).notices[0].text
