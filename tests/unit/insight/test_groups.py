"""One cause is one problem, however many objects it touches."""

from __future__ import annotations

from typing import Any

from dashboard.insight import findings, problems

from .world import (
    NOW,
    World,
    condition,
    deployment,
    endpoints,
    ingress,
    node,
    pod,
    replicaset,
    service,
    waiting,
)


def unpulled(name: str, image: str) -> list[tuple[str, dict[str, Any]]]:
    state = waiting("ImagePullBackOff", "dial tcp: lookup registry.invalid: no such host")
    made = pod(f"{name}-1", owner=("ReplicaSet", f"{name}-x"), phase="Pending", ready=False, state=state)
    made["spec"]["containers"][0]["image"] = image
    return [
        ("pods", made),
        ("replicasets", replicaset(f"{name}-x", name)),
        ("deployments", deployment(name, replicas=1, available=0)),
    ]


def test_what_follows_is_told_with_its_cause() -> None:
    world = World(
        ("nodes", node(ready="Unknown")), ("pods", pod(ready=False)), ("replicasets", replicaset()),
        ("deployments", deployment(replicas=1, available=0)), ("services", service()), ("ingresses", ingress("web")),
        ("endpointslices", endpoints("web", ("web-1", False))),
    )  # fmt: skip
    (problem,) = problems(findings(world, NOW))
    assert problem.lead.kind == "Node"
    assert [one.kind for one in problem.follow] == ["Deployment", "Service", "Ingress"]


def test_a_registry_that_is_away_is_one_problem_for_all_its_images() -> None:
    world = World(
        *unpulled("a", "registry.invalid/a:1"),
        *unpulled("b", "registry.invalid/b:1"),
        *unpulled("c", "other.invalid/c:1"),
    )
    found = problems(findings(world, NOW))
    assert [(one.lead.name, [each.name for each in one.alike]) for one in found] == [("a", ["b"]), ("c", [])]


def test_nodes_that_went_silent_together_are_one_problem() -> None:
    world = World(*(("nodes", node(f"node-{index}", ready="Unknown")) for index in range(40)))
    (problem,) = problems(findings(world, NOW))
    assert len(problem.alike) == 39


def test_consequence_whose_cause_may_not_be_seen_stands_for_itself() -> None:
    world = World(("nodes", node(ready="Unknown")), ("pods", pod(ready=False)))
    seen = [one for one in findings(world, NOW) if one.kind != "Node"]
    assert [one.lead.kind for one in problems(seen)] == ["ReplicaSet"]


def test_same_rule_with_another_cause_is_another_problem() -> None:
    broken = [condition("Ready", "True"), condition("DiskPressure", "True")]
    world = World(("nodes", node("a", conditions=broken)), ("nodes", node("b", conditions=broken)))
    assert len(problems(findings(world, NOW))) == 2
