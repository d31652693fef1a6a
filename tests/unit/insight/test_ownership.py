"""An owner or target is the object that it says, not another one of that kind or name."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import findings, findings_for, scale_impact
from dashboard.insight.configmapuse import consumers
from dashboard.insight.deletion import deletion_impact
from dashboard.insight.ownership import controllers, pod_owner
from dashboard.insight.secretuse import secret_consumers
from dashboard.insight.survey import Survey
from dashboard.insight.topology import areas
from dashboard.insight.usage import topmost
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.queries.relations import owners

from .world import NOW, World, condition, deployment, meta, pod

CLONES = "clones.example.com/v1beta1"
CLONE = Ref("StatefulSet", "shop", "ring", group="clones.example.com")
# Kinds of Kubernetes' own that make pods, and their group.
MAKERS = {"StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1", "Job": "batch/v1"}


def owned(name: str, kind: str, owner: str, api_version: str, uid: str = "", **more: Any) -> dict[str, Any]:
    manifest = pod(name, owner=None, **more)
    reference = {"apiVersion": api_version, "kind": kind, "name": owner, "controller": True}
    manifest["metadata"]["ownerReferences"] = [reference | {"uid": uid or f"uid-{api_version}-{owner}"}]
    return manifest


def lost(name: str, api_version: str = CLONES, uid: str = "") -> dict[str, Any]:
    """A pod of StatefulSet ring that can't be scheduled."""
    unschedulable = [condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")]
    manifest = owned(name, "StatefulSet", "ring", api_version, uid, phase="Pending", node="",
                     conditions=unschedulable)  # fmt: skip
    manifest["status"].pop("containerStatuses")
    return manifest


def test_an_owner_that_is_another_object_by_now_or_the_object_itself_is_nobody() -> None:
    """Everywhere alike: links, sums, the timeline and diagnosis ask the same function."""
    selfish = owned("web", "Pod", "web", "v1", uid="same")
    selfish["metadata"]["uid"] = "same"
    left = owned("web", "StatefulSet", "ring", "apps/v1", uid="before")
    for world in (World(("pods", selfish)), World(("pods", left), ("statefulsets", ring()))):
        (one,) = world.all("pods")
        assert controllers(world, one) == owners(world, KINDS, one) == []
        assert topmost(world, one) is None
        assert pod_owner(world, one) == Ref("Pod", "shop", "web", "pods")


def ring(uid: str = "ring") -> dict[str, Any]:
    """Kubernetes' own StatefulSet ring, which is healthy."""
    return {
        "metadata": meta("ring") | {"uid": uid},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"of": "apps"}}, "template": {"metadata": {}}},
        "status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    }


def test_pods_of_a_custom_statefulset_are_not_those_of_kubernetes_own() -> None:
    world = World(("pods", lost("ring-a")), ("pods", lost("ring-b")), ("statefulsets", ring()))
    found = findings(world, NOW)
    assert [one.ref for one in found] == [CLONE]
    assert text_of(found[0].text).startswith("StatefulSet.clones.example.com ring in shop: 2 of its pods")
    assert not findings_for(world, "statefulsets", "shop", "ring", NOW)
    plural, group = "statefulsets.clones.example.com", CLONE.group
    assert findings_for(world, plural, "shop", "ring", NOW, group=group, kind="StatefulSet") == found
    for other in (("other.example.com", "shop", "ring"), (group, "shop", "wing"), (group, "bank", "ring")):
        assert not findings_for(world, plural, *other[1:], NOW, group=other[0], kind="StatefulSet")
    # One without a namespace has pods in those of others.
    assert findings_for(world, plural, "", "ring", NOW, group=group, kind="StatefulSet") == found


def test_what_an_owner_of_that_name_made_before_it_was_recreated_is_not_its_own() -> None:
    world = World(("pods", lost("ring-0", "apps/v1", "before")), ("statefulsets", ring("after")))
    old = world.all("pods")[0]
    alone = Ref("Pod", "shop", "ring-0", "pods")
    assert Survey(world, NOW).owner(old) == pod_owner(world, old) == alone
    assert topmost(world, old) is None
    assert [one.ref for one in findings(world, NOW)] == [alone]


@pytest.mark.parametrize("kind", MAKERS)
def test_no_owner_of_another_group_is_taken_for_kubernetes_own(kind: str) -> None:
    world = World(
        ("pods", owned("own", kind, "x", MAKERS[kind])), ("pods", owned("other", kind, "x", "a.b/v1"))
    )
    own, other = world.all("pods")
    assert Survey(world, NOW).owner(own).plural and not Survey(world, NOW).owner(other).plural
    assert pod_owner(world, own).plural and not pod_owner(world, other).plural
    assert topmost(world, own) is not None and topmost(world, other) is None
    said = [
        text_of(effect.text) for effect in deletion_impact(world, other, NOW, evict=False, grace=None).effects
    ]
    assert f"{kind}.a.b x decides whether there is a new one" in said, said


def test_a_custom_kind_named_node_does_not_make_static_pods() -> None:
    world = World(("pods", owned("x", "Node", "x", "mesh.example.com/v1")))
    assert Survey(world, NOW).owner(world.all("pods")[0]).group == "mesh.example.com"


def test_the_map_keeps_them_apart() -> None:
    world = World(("pods", lost("ring-a")), ("statefulsets", ring()))
    refs = {one.ref: len(one.pods) for app in areas(world, ["shop"])[0].apps for one in app.workloads}
    assert refs == {CLONE: 1, Ref("StatefulSet", "shop", "ring", "statefulsets"): 0}


def test_an_autoscaler_scales_what_it_names() -> None:
    target = {"apiVersion": "clones.example.com/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": meta("web"), "spec": {"scaleTargetRef": target, "maxReplicas": 4}}
    world = World(("horizontalpodautoscalers", scaler)).reading("deployments")
    assert not findings(world, NOW), "that there is no Deployment of Kubernetes' own says nothing"
    made = world.add("deployments", deployment())
    assert not [one for one in scale_impact(world, made, 5, NOW).notices if "Autoscaler" in one.title]
    target["apiVersion"] = "extensions/v1beta1"
    world.add("horizontalpodautoscalers", scaler)
    assert [one for one in scale_impact(world, made, 5, NOW).notices if "Autoscaler" in one.title]


def test_a_pod_of_a_custom_job_uses_its_configuration_by_itself() -> None:
    manifest = owned("train-0", "Job", "train", "batch.volcano.sh/v1alpha1")
    manifest["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    found = consumers(World(("pods", manifest)), "shop", "settings")
    assert [one.ref.name for one in found] == ["train-0"]


def test_what_an_operator_made_speaks_for_itself() -> None:
    """Its kind has no rules here, so a ReplicaSet or pod of it is not left to anybody else."""
    manifest = owned("train-0", "Job", "train", "batch.volcano.sh/v1alpha1")
    manifest["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "login"}}]
    world = World(("pods", manifest))
    assert [one.ref.name for one in secret_consumers(world, "shop", "login", "key")] == ["train-0"]

    refusal = (
        'pods "web-1-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3'
    )
    failure = condition("ReplicaFailure", "True", "FailedCreate", refusal)
    made = {
        "metadata": meta("web-1"),
        "spec": {
            "replicas": 1,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
        "status": {"conditions": [failure]},
    }
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": "web",
        "uid": "r",
        "controller": True,
    }
    made["metadata"]["ownerReferences"] = [owner]
    assert [one.rule for one in findings(World(("replicasets", made)), NOW)] == ["workload-quota"]
