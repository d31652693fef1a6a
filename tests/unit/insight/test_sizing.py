"""Whether pods of another size find room: on the nodes and in limit ranges, beside what they use now."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.sizing import memory_notices, sizing_impact
from dashboard.insight.words import text_of
from dashboard.kinds.usage import PodUse, Use

from .test_restart import RS, daemonset
from .world import NOW, World, deployment, meta, node, pod, replicaset

OLD = {"requests": {"cpu": "500m", "memory": "1Gi"}}


def spec(**resources: dict[str, str]) -> dict[str, Any]:
    return {"containers": [{"name": "app", "resources": resources}]}


def world(nodes: int = 1, pods: int = 2, **others: Any) -> World:
    """Nodes of 4 CPU and 8 GiB with pods of ``OLD``."""
    made = World(
        *(("nodes", node(f"node-{number}")) for number in range(1, nodes + 1)), ("replicasets", replicaset())
    )
    for number in range(pods):
        manifest = pod(
            f"web-{number}", owner=RS, node=f"node-{number % nodes + 1}", container={"resources": OLD}
        )
        made.add("pods", manifest)
    return made


def told(
    made: World, replicas: int = 2, *, strategy: dict[str, Any] | None = None, **resources: dict[str, str]
) -> Any:
    rolling = {"strategy": strategy} if strategy else {}
    web = made.add("deployments", deployment(replicas=replicas, template=spec(**OLD), **rolling))
    other = World().add("deployments", deployment(replicas=replicas, template=spec(**resources), **rolling))
    return sizing_impact(made, web, other, NOW)


def title(impact: Any) -> str:
    return impact.headline.title if impact.headline else ""


def test_the_size_of_a_pod_is_told_with_what_it_was() -> None:
    impact = told(world(), requests={"cpu": "1", "memory": "1Gi"})
    assert text_of(impact.effects[0].text) == "Each pod requests 1 CPU and 1 GiB memory"
    assert impact.effects[0].note == "500m CPU and 1 GiB memory before"
    assert text_of(impact.effects[1].text) == "All 2 fit on the nodes"
    assert title(impact) == "" and not impact.danger


@pytest.mark.parametrize(
    ("request_", "said", "danger"),
    [
        ({"cpu": "5"}, "No node is large enough", True),
        ({"memory": "9Gi"}, "No node is large enough", True),
        ({"cpu": "3"}, "1 of 2 pods can be scheduled", False),
        ({"cpu": "2"}, "", False),  # both fit once the old ones are gone, of which one may go first
    ],
)
def test_pods_that_fit_nowhere_come_first(request_: dict[str, str], said: str, danger: bool) -> None:
    strategy = {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    impact = told(world(), strategy=strategy, requests=request_)
    assert title(impact) == said
    assert impact.danger is danger


def test_a_rollout_that_finds_no_room_beside_the_old_pods_cant_begin() -> None:
    impact = told(
        world(pods=2),
        requests={"cpu": "2", "memory": "4Gi"},
        strategy={"rollingUpdate": {"maxUnavailable": 0}},
    )
    assert title(impact) == ""
    crowded = world(pods=2)
    crowded.add("pods", pod("other", owner=None, container={"resources": {"requests": {"cpu": "1"}}}))
    impact = told(
        crowded, requests={"cpu": "1500m"}, strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    )
    assert title(impact) == ""
    impact = told(crowded, replicas=1, requests={"cpu": "2500m"})
    assert title(impact) == "The rollout of web can't start"
    assert "no room for one more pod" in impact.headline.text


def test_a_limit_range_refuses_what_is_outside_of_it() -> None:
    made = world()
    limit = {"type": "Container", "min": {"cpu": "200m"}, "max": {"memory": "2Gi"}}
    made.add("limitranges", {"metadata": meta("bounds"), "spec": {"limits": [limit]}})
    small, large, fine = (
        told(made, **each).notices
        for each in (
            {"requests": {"cpu": "100m"}},
            {"limits": {"memory": "3Gi"}},
            {"requests": {"cpu": "200m"}, "limits": {"memory": "2Gi"}},
        )
    )
    assert small[0].text == "app may have at least 200m cpu."
    assert large[0].text == "app may have at most 2 GiB memory."
    assert not any("LimitRange" in notice.title for notice in fine)


def test_a_daemonset_counts_nodes() -> None:
    made = world(nodes=3, pods=0)
    made.add(
        "pods", pod("other", owner=None, node="node-2", container={"resources": {"requests": {"cpu": "3"}}})
    )
    old, new = (
        daemonset(3, spec={"template": {"spec": spec(**OLD)}}),
        daemonset(3, spec={"template": {"spec": spec(requests={"cpu": "2"})}}),
    )
    impact = sizing_impact(made, made.add("daemonsets", old), World().add("daemonsets", new), NOW)
    assert title(impact) == "2 of 3 pods can be scheduled"


@pytest.mark.parametrize(("mib", "killed"), [(300, True), (200, False)])
def test_a_limit_below_what_is_used_kills(mib: int, killed: bool) -> None:
    made = world()
    web = made.add("deployments", deployment(replicas=2, template=spec(**OLD)))
    other = World().add("deployments", deployment(replicas=2, template=spec(limits={"memory": "256Mi"})))
    used = {("shop", "web-1"): PodUse(0.0, {"app": Use(0.1, mib * 2**20)})}
    notices = list(memory_notices(made, web, other, NOW, used))
    assert [notice.title for notice in notices] == (["app uses 300 MiB of memory now"] if killed else [])
