"""Which deleted objects can be created again, and what is left out of them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.create_yaml import CREATE
from dashboard.actions.recreation import MAX_BYTES, holds_more, recreated, recreation_flaw, without_addresses


def manifest(api_version: str, kind: str, **more: Any) -> dict[str, Any]:
    meta = {
        "name": "web",
        "uid": "u1",
        "resourceVersion": "7",
        "managedFields": [{}],
        **more.pop("metadata", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "status": {"ready": 1}, **more}


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("policy/v1", "PodDisruptionBudget"),
        ("example.com/v1", "Ring"),
    ],
)
def test_these_can(api_version: str, kind: str) -> None:
    assert recreation_flaw(manifest(api_version, kind)) == ""


def test_what_was_created_of_a_custom_kind_with_a_name_of_kubernetes_own_is_undone_as_that() -> None:
    assert not CREATE.flaw(manifest("clones.example.com/v1beta1", "StatefulSet"))
    assert "undone as apps/v1" in CREATE.flaw(manifest("apps/v1beta2", "StatefulSet"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (manifest("v1", "Secret", data={"a": "c2VjcmV0"}), "never kept"),
        (manifest("v1", "Namespace"), "can't be recreated"),
        (manifest("v1", "PersistentVolumeClaim"), "another volume"),
        (manifest("batch/v1", "Job"), "once more"),
        (manifest("v1", "Event"), "not the same"),
        (manifest("coordination.k8s.io/v1", "Lease"), "not the same"),
        (manifest("example.com/v1", "Ring", metadata={"finalizers": ["example.com/bucket"]}), "finalizers"),
        (
            manifest("apps/v1", "ReplicaSet", metadata={
                "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}]
            }),
            "Deployment web creates it",
        ),
        (manifest("v1", "ConfigMap", data={"a": "x" * MAX_BYTES}), "larger than"),
    ],
)  # fmt: skip
def test_these_cannot_and_it_is_said_why(given: dict[str, Any], why: str) -> None:
    assert why in recreation_flaw(given)


def test_nothing_of_the_old_object_but_its_content_is_kept() -> None:
    notes = {"deployment.kubernetes.io/revision": "3", "team": "shop"}
    meta = {"annotations": notes, "finalizers": ["foregroundDeletion"], "labels": {"app": "web"}}
    given = manifest("apps/v1", "Deployment", metadata=meta, spec={"replicas": 2})
    assert recreated(given) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"team": "shop"}},
        "spec": {"replicas": 2},
    }
    assert given["metadata"]["uid"] == "u1", "the given one is left alone"


def test_a_service_without_its_addresses_stays_headless() -> None:
    spec = {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": [{"port": 80, "nodePort": 30080}]}
    assert without_addresses({"spec": spec})["spec"] == {"ports": [{"port": 80}]}
    assert without_addresses({"spec": {"clusterIP": "None"}})["spec"] == {"clusterIP": "None"}


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (manifest("v1", "Namespace"), True),
        (manifest("v1", "PersistentVolumeClaim"), True),
        (manifest("v1", "PersistentVolume"), True),
        (manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition"), True),
        (manifest("example.com/v1", "Database", metadata={"finalizers": ["example.com/data"]}), True),
        (manifest("example.com/v1", "Namespace"), False),
        (manifest("v1", "ConfigMap"), False),
        (manifest("v1", "Secret"), False),
    ],
)
def test_what_is_put_into_some_is_lost_with_them(given: dict[str, Any], more: bool) -> None:
    assert holds_more(given) is more
    assert CREATE.on({"propagation": "Background"}).confirmed(given) is more
