"""What a deletion is said to take along: data by reclaim policies, dependents, users, finalizers."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.deletion import DeletionImpact
from dashboard.insight.removal import Dependents, Group, Propagation, Removal, removal_impact
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref

from .world import World, deployment, pod, replicaset


def told(
    plural: str,
    manifest: dict[str, Any],
    world: World | None = None,
    *,
    propagation: Propagation = "Background",
    depends: Dependents | None = None,
    used_by: dict[Ref, tuple[str, ...]] | None = None,
) -> DeletionImpact:
    return removal_impact(
        Removal(
            plural=plural, manifest=manifest, propagation=propagation, objects=world or World(),
            depends=depends or Dependents(), used_by=used_by or {},
        )
    )  # fmt: skip


def said(impact: DeletionImpact) -> str:
    effects = [f"{text_of(each.text)} [{each.word}] {each.note}" for each in impact.effects]
    notices = [f"{each.title}: {each.text}" for each in impact.notices]
    headline = f"{impact.headline.title}: {impact.headline.text}" if impact.headline else ""
    return "\n".join([headline, *effects, *notices])


def volume(policy: str) -> dict[str, Any]:
    claim = {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data"}
    spec = {"persistentVolumeReclaimPolicy": policy, "claimRef": claim}
    return {"kind": "PersistentVolume", "metadata": {"name": "pv-1"}, "spec": spec}


CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
    "spec": {"volumeName": "pv-1"},
}


@pytest.mark.parametrize(("policy", "lost"), [("Delete", True), ("Retain", False)])
def test_the_reclaim_policy_tells_whether_data_is_lost(policy: str, lost: bool) -> None:
    claimed = told("persistentvolumeclaims", CLAIM, World(("persistentvolumes", volume(policy))))
    assert ("data lost" in said(claimed)) is lost and claimed.danger is lost
    freed = told("persistentvolumes", volume(policy))
    assert ("data lost" in said(freed)) is lost


def test_a_claim_whose_volume_cannot_be_read_is_not_called_safe() -> None:
    assert "not evaluated" in said(told("persistentvolumeclaims", CLAIM))


@pytest.mark.parametrize(
    ("policy", "propagation", "word"),
    [
        ("Delete", "Background", "data lost"),
        ("Delete", "Orphan", "data kept"),
        ("Retain", "Background", "data kept"),
    ],
)
def test_the_claims_of_a_stateful_set_go_by_its_retention_policy(
    policy: str, propagation: Propagation, word: str
) -> None:
    world = World()
    for name in ("data-ring-0", "data-ring-1", "data-other-0", "data-ring-x"):
        world.add("persistentvolumeclaims", {"metadata": {"name": name, "namespace": "shop"}})
    spec = {
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy},
    }
    ring = {"kind": "StatefulSet", "metadata": {"name": "ring", "namespace": "shop"}, "spec": spec}
    impact = told("statefulsets", ring, world, propagation=propagation)
    assert f"2 claims of its pods {'are deleted' if word == 'data lost' else 'stay'} [{word}]" in said(impact)


def test_what_is_owned_goes_or_stays_and_what_has_another_owner_stays() -> None:
    depends = Dependents(
        owned=(Group("ReplicaSet", "ReplicaSets", 1, ("web-1",)), Group("Pod", "Pods", 5, ("a", "b", "c"))),
        shared=(Group("Secret", "Secrets", 1, ("kept",)),),
        unread=("Widgets",),
    )
    web = {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "finalizers": ["example.com/hold"]},
    }
    deleted = said(told("deployments", web, depends=depends))
    assert "1 ReplicaSet [deleted] web-1" in deleted and "5 Pods [deleted] a, b, c, 2 more" in deleted
    assert "1 Secret also owned by it [stays]" in deleted
    assert "example.com/hold" in deleted and "Widgets" in deleted
    orphaned = said(told("deployments", web, depends=depends, propagation="Orphan"))
    assert "5 Pods [stays]" in orphaned and "[deleted]" not in orphaned


def test_a_namespace_counts_what_is_in_it() -> None:
    depends = Dependents(inside=(Group("Pod", "Pods", 1200, ("a",)), Group("Widget", "Widgets", 1, ("w",))))
    impact = told("namespaces", {"kind": "Namespace", "metadata": {"name": "shop"}}, depends=depends)
    assert impact.danger and said(impact).startswith("Everything in shop is deleted: 1,201 objects")
    assert "1,200 Pods" in said(impact) and "1 Widget" in said(impact)


def test_who_uses_it_is_named_pods_by_number() -> None:
    users = {
        Ref("Deployment", "shop", "web", "deployments"): ("envFrom",),
        Ref("Pod", "shop", "web-1", "pods"): ("envFrom",),
        Ref("Pod", "shop", "web-2", "pods"): ("owner",),
    }
    text = said(told("configmaps", {"kind": "ConfigMap", "metadata": {"name": "c"}}, used_by=users))
    assert "Deployment web uses it" in text and "every key" in text and "1 pod uses it [] web-1" in text


_CONFIG: dict[str, Any] = {
    "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}]
}
_USES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "env": ("configmaps", "ConfigMap", {"containers": [{"name": "app", **_CONFIG}]}, "CreateContainerConfigError"),
    "volume": ("secrets", "Secret", {"volumes": [{"name": "v", "secret": {"secretName": "c"}}]}, "FailedMount"),
    "claim": (
        "persistentvolumeclaims", "PersistentVolumeClaim",
        {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}, "Pending",
    ),
    "serviceAccount": ("serviceaccounts", "ServiceAccount", {"serviceAccountName": "c"}, "refuses pods"),
    "class": ("priorityclasses", "PriorityClass", {"priorityClassName": "c"}, "refuses pods"),
}  # fmt: skip


def _losing(plural: str, kind: str, way: str, world: World, *more: Ref) -> DeletionImpact:
    users = {Ref("Deployment", "shop", "web", "deployments"): (way,), **dict.fromkeys(more, (way,))}
    manifest = {"kind": kind, "metadata": {"name": "c", "namespace": "shop"}}
    return told(plural, manifest, world, used_by=users)


@pytest.mark.parametrize("way", _USES)
def test_what_new_pods_need_is_warned_of_by_how_it_is_used(way: str) -> None:
    plural, kind, template, why = _USES[way]
    impact = _losing(plural, kind, way, World(("deployments", deployment(template=template))))
    assert impact.danger and impact.headline is not None and impact.headline.state == "bad"
    assert impact.headline.title == "New pods of Deployment web can't start"
    assert "Deployment web: new pods can't start" in said(impact) and why in said(impact)


@pytest.mark.parametrize(
    ("way", "template", "words"),
    [
        (
            "envFrom",
            {"containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "c", "optional": True}}]}]},
            "Deployment web uses it [] reads every key as an environment variable; optional",
        ),
        ("imagePullSecret", {"imagePullSecrets": [{"name": "c"}]}, "new pods may not get their images"),
    ],
)
def test_what_new_pods_can_do_without_is_no_danger(way: str, template: dict[str, Any], words: str) -> None:
    impact = _losing("secrets", "Secret", way, World(("deployments", deployment(template=template))))
    assert not impact.danger and impact.headline is None and words in said(impact)


def test_old_replicasets_share_one_line_and_a_deployment_speaks_for_its_own() -> None:
    template = {"containers": [{"name": "app", **_CONFIG}]}
    world, sets = World(("deployments", deployment(template=template))), []
    for number in range(5):
        one = replicaset(f"web-{number}")
        one["spec"] = {"replicas": 0 if number else 3, "template": {"spec": template}}
        world.add("replicasets", one)
        sets.append(Ref("ReplicaSet", "shop", f"web-{number}", "replicasets"))
    text = said(_losing("configmaps", "ConfigMap", "env", world, *sets))
    assert "4 old ReplicaSets use it [] web-1, web-2, web-3, 1 more; scaled to 0" in text
    assert "ReplicaSet web-" not in text


def test_a_node_tells_of_its_pods_and_a_controlled_object_of_its_owner() -> None:
    world = World(("pods", pod("web-1", node="n1")))
    assert "1 pod on it is deleted" in said(
        told("nodes", {"kind": "Node", "metadata": {"name": "n1"}}, world)
    )
    owner = {"kind": "Deployment", "name": "web", "controller": True}
    made = {"kind": "ReplicaSet", "metadata": {"name": "web-1", "ownerReferences": [owner]}}
    assert "Deployment web will recreate it" in said(told("replicasets", made))


@pytest.mark.parametrize("shared", [False, True])
def test_a_workload_says_which_services_lose_their_last_pods(shared: bool) -> None:
    labels = {"app": "web"}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    web = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    world = World(("deployments", web))
    for name in ("web-1", "web-2"):
        world.add("pods", pod(name, labels=labels))
    if shared:
        world.add("pods", pod("other", labels=labels | {"other": "yes"}, owner=None))
    ports = {"selector": labels, "ports": [{"port": 80}]}
    world.add("services", {"metadata": {"name": "front", "namespace": "shop"}, "spec": ports})
    impact = told("deployments", web, world)
    assert impact.headline is not None and impact.danger is not shared
    if shared:
        assert impact.headline.title == "2 pods stop, and nothing recreates them"
    else:
        assert impact.headline.title == "Service front has no ready endpoints then"
    assert told("deployments", web, world, propagation="Orphan").headline is None


def test_a_service_takes_its_name_from_its_clients() -> None:
    service = {"kind": "Service", "metadata": {"name": "front", "namespace": "shop"}, "spec": {}}
    assert "Clients of front can't reach its pods" in said(told("services", service))
