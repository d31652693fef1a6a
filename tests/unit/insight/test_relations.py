"""What uses what, in the contract's words, both ways."""

from __future__ import annotations

from typing import Any

from dashboard.insight.relations import uses
from dashboard.insight.usedby import Users, used_by

from .world import World, meta


def spec(**more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "x", **more}]}


def world() -> World:
    everything = World()
    labels = {"app": "web"}
    container = {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "a"}}}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "volumeMounts": [
            {"name": "files", "mountPath": "/f"},
            {"name": "one", "mountPath": "/o", "subPath": "k"},
        ],
    }
    volumes = [
        {"name": "files", "configMap": {"name": "settings"}},
        {"name": "one", "secret": {"secretName": "tls"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
    ]
    pod_spec = {**spec(**container), "volumes": volumes, "nodeName": "n1", "serviceAccountName": "robot"}
    everything.add("pods", {"metadata": meta("web-1", ("ReplicaSet", "web-5d4f"), labels), "spec": pod_spec})
    everything.add("services", {"metadata": meta("web"), "spec": {"selector": labels}})
    everything.add(
        "poddisruptionbudgets", {"metadata": meta("web"), "spec": {"selector": {"matchLabels": labels}}}
    )
    everything.add(
        "horizontalpodautoscalers",
        {
            "metadata": meta("web"),
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3},
        },
    )
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
    }
    everything.add(
        "ingresses",
        {
            "metadata": meta("shop"),
            "spec": {"rules": [{"host": "x", "http": {"paths": [path]}}], "tls": [{"secretName": "tls"}]},
        },
    )
    everything.add("persistentvolumeclaims", {"metadata": meta("data"), "spec": {"volumeName": "pv-1"}})
    for plural, name in (("configmaps", "settings"), ("configmaps", "other")):
        everything.add(plural, {"metadata": meta(name)})
    everything.add("nodes", {"metadata": {"name": "n1"}})
    everything.add("persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": {}})
    return everything


def told(relations: Any) -> dict[str, tuple[str, ...]]:
    return {f"{ref.kind}/{ref.name}": ways for ref, ways in relations.items()}


def test_a_pod_uses_what_its_spec_names_and_where_it_runs() -> None:
    everything = world()
    assert told(uses(everything, "pods", everything.get("pods", "shop", "web-1"))) == {
        "ReplicaSet/web-5d4f": ("owner",),
        "Secret/db": ("env",),
        "ConfigMap/settings": ("envFrom", "volume"),
        "Secret/tls": ("volume", "subPath"),
        "PersistentVolumeClaim/data": ("claim",),
        "ServiceAccount/robot": ("serviceAccount",),
        "Node/n1": ("runsOn",),
    }


def test_what_uses_an_object_is_the_other_side_of_it() -> None:
    everything = world()

    def users(plural: str, name: str, namespace: str = "shop") -> dict[str, tuple[str, ...]]:
        return told(
            used_by(everything, Users.among(everything), plural, everything.get(plural, namespace, name))
        )

    assert users("configmaps", "settings") == {"Pod/web-1": ("envFrom", "volume")}
    assert users("configmaps", "other") == {}
    assert users("pods", "web-1") == {
        "PodDisruptionBudget/web": ("protects",),
        "Service/web": ("selects",),
    }
    assert users("services", "web") == {"Ingress/shop": ("backend",)}
    assert users("nodes", "n1", "") == {"Pod/web-1": ("runsOn",)}
    assert users("persistentvolumes", "pv-1", "") == {"PersistentVolumeClaim/data": ("bound",)}


def test_an_object_owned_by_one_of_any_kind_is_found_by_its_owners_uid() -> None:
    everything = world()
    plan = {"apiVersion": "example.com/v1", "kind": "Plan", "name": "nightly", "uid": "plan"}
    made = everything.add("configmaps", {"metadata": meta("made") | {"ownerReferences": [plan]}})
    users = Users.among(everything)
    assert told(users.made_by("plan")) == {"ConfigMap/made": ("owner",)}
    freed = everything.add("configmaps", {"metadata": meta("made")})
    users.change("configmaps", made, freed)
    assert users.made_by("plan") == {}


def test_targets_of_autoscalers_and_ingresses_are_named() -> None:
    everything = world()
    scaler = everything.get("horizontalpodautoscalers", "shop", "web")
    assert told(uses(everything, "horizontalpodautoscalers", scaler)) == {"Deployment/web": ("scales",)}
    ingress = everything.get("ingresses", "shop", "shop")
    assert told(uses(everything, "ingresses", ingress)) == {
        "Service/web": ("backend",),
        "Secret/tls": ("tls",),
    }
