"""An owner or target is the object that it says, not another one of that kind or name."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.action import Target
from dashboard.actions.autoscale import Autoscale
from dashboard.actions.recreation import recreation_flaw
from dashboard.actions.revisions import pods_of
from dashboard.errors import Invalid
from dashboard.insight import findings, findings_for, scale_impact
from dashboard.insight.configmapuse import consumers
from dashboard.insight.deletion import deletion_impact
from dashboard.insight.ownership import controllers, pod_owner
from dashboard.insight.pausing import pause_impact
from dashboard.insight.removal import Removal, removal_impact
from dashboard.insight.secretuse import secret_consumers
from dashboard.insight.survey import Survey
from dashboard.insight.suspending import suspend_impact
from dashboard.insight.topology import areas
from dashboard.insight.traffic import service_ends
from dashboard.insight.usage import topmost
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.queries.relations import owners

from .world import NOW, World, condition, deployment, endpoints, meta, pod, replicaset, service

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


def clone(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "clones.example.com/v1", "kind": kind, "name": name, "uid": "c", "controller": True}


def test_an_autoscaler_of_a_custom_deployment_does_not_go_on_scaling_a_paused_one() -> None:
    scaler = {
        "metadata": meta("web"),
        "spec": {"scaleTargetRef": clone("Deployment", "web"), "maxReplicas": 4},
    }
    world = World(("horizontalpodautoscalers", scaler))
    impact = pause_impact(world, world.add("deployments", deployment()), NOW)
    assert "Scaling still works" in [text_of(each.text) for each in impact.effects]


def test_the_pods_of_a_revision_are_those_of_its_replicaset() -> None:
    world = World(("pods", pod("web-1")), ("pods", owned("web-2", "ReplicaSet", "web-5d4f", CLONES)))
    world.add("pods", owned("web-3", "ReplicaSet", "web-5d4f", "apps/v1", uid="before"))
    world.add("replicasets", replicaset("web-5d4f"))
    target = Target.of("dev", KINDS["deployments"], "shop", "web")
    assert [one.metadata.name for one in pods_of(world, target, "deployments-web", "web-5d4f")] == ["web-1"]


@pytest.mark.parametrize("seen", [True, False])
def test_a_deletion_takes_the_pods_of_the_workload_and_not_all_that_have_its_labels(seen: bool) -> None:
    world = World(("deployments", deployment()), ("pods", pod("web-1", labels={"app": "web"})))
    if seen:
        world.add("replicasets", replicaset("web-5d4f"))
    world.add("pods", owned("ring-0", "StatefulSet", "ring", CLONES, labels={"app": "web"}))
    world.add("pods", owned("web-2", "Deployment", "web", CLONES, labels={"app": "web"}))
    gone = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    impact = removal_impact(
        Removal(plural="deployments", manifest=gone, propagation="Background", objects=world)
    )
    assert impact.headline is not None and impact.headline.title.startswith("1 pod stops")


def test_the_owner_that_recreates_or_scales_an_object_is_named_with_its_group() -> None:
    owner = clone("Deployment", "web")
    meta_ = {"name": "web-1", "namespace": "shop", "ownerReferences": [owner]}
    manifest = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta_}
    removal = Removal(plural="replicasets", manifest=manifest, propagation="Background", objects=World())
    titles = [each.title for each in removal_impact(removal).notices]
    assert "Deployment.clones.example.com web will recreate it" in titles
    assert recreation_flaw(manifest) == "Deployment.clones.example.com web creates it, not you."
    with pytest.raises(Invalid) as refused:
        Autoscale().check(manifest, {})
    assert "Deployment.clones.example.com web keeps the number of replicas" in refused.value.message
    made = World().add("replicasets", {**replicaset("web-1"), "metadata": meta_})
    assert (
        KINDS["replicasets"]
        .detail(made)
        .sentence.startswith("One revision of Deployment.clones.example.com web")
    )
    made = World().add("pods", owned("x", "StatefulSet", "ring", CLONES))
    effects = deletion_impact(World(), made, NOW, evict=False, grace=None).effects
    assert "StatefulSet.clones.example.com is not one of Kubernetes' own kinds" in [e.note for e in effects]


def test_a_job_of_a_custom_cronjob_does_not_keep_kubernetes_own_from_running() -> None:
    active = {"active": [{"kind": "Job", "name": "nightly-1", "uid": "jobs-nightly-1"}]}
    spec = {"schedule": "0 3 * * *", "concurrencyPolicy": "Forbid"}
    world = World(("cronjobs", {"metadata": meta("nightly"), "spec": spec, "status": active}))
    made = {"metadata": {**meta("nightly-1"), "ownerReferences": [clone("CronJob", "nightly")]}, "spec": {}}
    impact = suspend_impact(world, world.add("jobs", made | {"status": {"active": 1}}), NOW)
    assert not [each for each in impact.effects if "skips its runs" in text_of(each.text)]


def test_an_endpoint_of_another_kind_is_no_pod() -> None:
    slice_ = endpoints("web", ("web-1", True))
    slice_["endpoints"][0]["targetRef"] |= {"apiVersion": "clones.example.com/v1"}
    world = World(("services", service()), ("endpointslices", slice_), ("pods", pod("web-1")))
    made = world.all("services")[0]
    assert not Survey(world, NOW).endpoints(made)
    assert not [each for each in service_ends(world, made).pods if each.ready]
