"""Rollout states by kubectl's rules, in its order."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import rollout_status, workload_rollout

from .world import NOW, World, condition, deployment, pod, replicaset, waiting

FAILED = [condition("Progressing", "False", "ProgressDeadlineExceeded")]


@pytest.mark.parametrize(
    ("manifest", "state", "text", "percent"),
    [
        (deployment(generation=2), "progressing", "Its controller has not observed it yet.", 0),
        (deployment(available=1, conditions=FAILED), "failed", "1 of 3 pods available when its progress", 33),
        (deployment(updated=1, current=3), "progressing", "1 of 3 pods created so far.", 33),
        (deployment(current=4), "progressing", "1 old pod terminating.", 75),
        (deployment(available=2), "progressing", "2 of 3 pods available.", 66),
        (deployment(), "done", "3 of 3 pods available.", 100),
        (deployment(replicas=0), "done", "It has no pods.", 100),
        (deployment(replicas=0, current=3, updated=3), "progressing", "", 0),
        (deployment(updated=1, current=4, paused=True), "paused", "It continues when it is resumed.", 25),
    ],
)
def test_states(manifest: dict[str, Any], state: str, text: str, percent: int) -> None:
    if manifest["spec"]["replicas"] == 0 and manifest["status"]["replicas"]:
        manifest["status"]["updatedReplicas"] = 0
    rollout = rollout_status(World().add("deployments", manifest), [], [], NOW)
    assert (rollout.state, rollout.percent) == (state, percent)
    assert text in rollout.text


@pytest.mark.parametrize("finalizers", [[], ["foregroundDeletion"], ["example.com/hold"]])
def test_what_is_being_deleted_is_not_rolled_out(finalizers: list[str]) -> None:
    """Its status stays as it was, and says nothing any more."""
    manifest = deployment(updated=1, current=4)
    manifest["metadata"] |= {"deletionTimestamp": "2026-03-01T11:00:00Z", "finalizers": finalizers}
    world = World()
    made = world.add("deployments", manifest)
    for found in (rollout_status(made, [], [], NOW), workload_rollout(world, made, NOW, generation=9)):
        assert (found.state, found.headline) == ("failed", "web is being deleted")
        assert all(name in found.text for name in finalizers)


def test_a_pod_that_cannot_come_up_makes_it_stuck_and_is_named() -> None:
    world = World(
        ("replicasets", replicaset("web-old", revision="9")), ("replicasets", replicaset("web-new", revision="10")),
        ("pods", pod("old-1", owner=("ReplicaSet", "web-old"))),
        ("pods", pod("new-1", owner=("ReplicaSet", "web-new"), phase="Pending", ready=False,
                     state=waiting("ErrImagePull", "not found"))),
        ("pods", pod("alien", owner=("ReplicaSet", "other"))),
    )  # fmt: skip
    rollout = rollout_status(
        world.add("deployments", deployment(updated=1, current=4)),
        world.all("replicasets"),
        world.all("pods"),
        NOW,
    )
    assert rollout.state == "stuck"
    assert rollout.text.startswith("Pod new-1 cannot pull its image")
    assert [(one.name, one.new) for one in rollout.sets] == [("web-new", True), ("web-old", False)]
    assert [[(mark.name, mark.state) for mark in one.pods] for one in rollout.sets] == [
        [("new-1", "bad")], [("old-1", "ok")],
    ]  # fmt: skip


def test_pods_that_cannot_be_made_make_it_stuck() -> None:
    refused = [condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small")]
    rollout = rollout_status(
        World().add("deployments", deployment(updated=1, current=1, conditions=refused)), [], [], NOW
    )
    assert (rollout.state, rollout.text) == ("stuck", "Pods can't be created: exceeded quota: small")


def test_one_that_was_created_paused_waits_for_nobody() -> None:
    """It has no ReplicaSet and gets none: kubectl would wait without end."""
    paused = World().add("deployments", deployment(updated=0, current=0, paused=True))
    assert rollout_status(paused, (), (), NOW).state == "paused"
