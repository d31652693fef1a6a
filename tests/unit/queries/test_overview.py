"""Nodes and their pods: what of them a user may see."""

from __future__ import annotations

from typing import Any

from dashboard.insight.usage import Sizes
from dashboard.queries.access import Visible
from dashboard.queries.overview import NodePods, nodes_and_pods
from tests.unit.live.seen import everything, nothing, runtime, session


def pod(name: str, namespace: str) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": "n", "containers": [container]},
    }


def found(**less: Visible) -> list[NodePods]:
    world = runtime()
    allocatable = {"cpu": "2", "memory": "4Gi"}
    world.cache.put("nodes", {"metadata": {"name": "n"}, "status": {"allocatable": allocatable}})
    world.cache.put("pods", pod("web", "shop"), pod("db", "data"))
    return nodes_and_pods(session(world, everything(**less)).reader, Sizes(), None)


def test_all_of_it_with_what_is_requested() -> None:
    (node,) = found()
    assert [row.name for row in node.pods] == ["db", "web"]
    assert node.asked is not None and (node.asked.cpu, node.asked.cpu_of) == (1.0, 2.0)


def test_nodes_that_may_not_be_listed_are_not_there() -> None:
    assert found(nodes=nothing("nodes")) == []


def test_who_may_see_some_pods_is_not_told_what_all_of_them_request() -> None:
    (some,) = found(pods=Visible(frozenset({"shop"})))
    assert [row.name for row in some.pods] == ["web"] and some.asked is None
    (none,) = found(pods=nothing("pods"))
    assert none.pods == () and none.asked is None
