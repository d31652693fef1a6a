"""Decoding lists, watch lines and Tables; what is kept, what is not, and how much memory it takes."""

from __future__ import annotations

import gc
import json
import re
import tracemalloc
from typing import Any

import msgspec
import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.meta import MAX_MESSAGE

from .shapes import READY, condition, container, pod_spec, running

PODS, SECRETS, CONFIGMAPS = KINDS["pods"], KINDS["secrets"], KINDS["configmaps"]


def line(type_: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode()


def pod(number: int = 0, **metadata: Any) -> dict[str, Any]:
    meta = {
        "name": f"web-{number}",
        "namespace": "shop",
        "uid": f"uid-{number}",
        "resourceVersion": str(100 + number),
    }
    return {
        "metadata": meta | metadata,
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": "Running"},
    }


def secret_table(**more: Any) -> dict[str, Any]:
    meta = {"name": "login", "namespace": "shop", "uid": "u", "resourceVersion": "12"}
    kept: dict[str, Any] = meta | {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    }
    row = {
        "cells": ["login", "Opaque", 2, "3m"],
        "object": {"kind": "PartialObjectMetadata", "metadata": kept},
    }
    return {
        "kind": "Table",
        "metadata": {"resourceVersion": "12"},
        "columnDefinitions": None,
        "rows": [row],
    } | more


def test_list_page() -> None:
    meta = {"resourceVersion": "7", "continue": "more", "remainingItemCount": 3}
    page = PODS.decode_list(json.dumps({"metadata": meta, "items": [pod(0), pod(1)]}).encode())
    assert [item.metadata.name for item in page.items] == ["web-0", "web-1"]
    assert (page.resource_version, page.continue_, page.remaining) == ("7", "more", 3)


@pytest.mark.parametrize("items", [None, []])
def test_empty_lists(items: list[Any] | None) -> None:
    page = PODS.decode_list(json.dumps({"metadata": {"resourceVersion": "7"}, "items": items}).encode())
    assert (page.items, page.continue_, page.remaining) == ((), "", None)


@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED", "DELETED"])
def test_events(type_: str) -> None:
    event = PODS.decode_event(line(type_, pod(5)))
    assert (event.type, event.resource_version, event.status) == (type_, "105", None)
    assert event.object is not None
    assert event.object.metadata.name == "web-5"


def test_bookmarks() -> None:
    event = PODS.decode_event(
        line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "9"}, "spec": None})
    )
    assert (event.type, event.object, event.resource_version) == ("BOOKMARK", None, "9")


@pytest.mark.parametrize("plural", KINDS)
def test_errors_of_a_watch(plural: str) -> None:
    status = {
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "code": 410,
        "reason": "Expired",
        "message": "old",
    }
    event = KINDS[plural].decode_event(line("ERROR", status))
    assert (event.type, event.object) == ("ERROR", None)
    assert event.status is not None
    assert (event.status.code, event.status.reason, event.status.message) == (410, "Expired", "old")


def test_what_is_no_watch_line_is_refused() -> None:
    for broken in (
        b"",
        b"{}",
        b'{"type":"ADDED","object":{}}',
        b'{"type":"OTHER","object":{}}',
        b'{"type":"ADD',
    ):
        with pytest.raises(msgspec.DecodeError):
            PODS.decode_event(broken)


def test_secrets_come_from_tables_of_lists_and_watches() -> None:
    raw = json.dumps(
        secret_table(metadata={"resourceVersion": "20", "continue": "c", "remainingItemCount": 1})
    ).encode()
    page = SECRETS.decode_list(raw)
    assert (page.resource_version, page.continue_, page.remaining) == ("20", "c", 1)
    event = SECRETS.decode_event(line("MODIFIED", secret_table()))
    for secret in (*page.items, event.object, SECRETS.decode_object(json.dumps(secret_table()).encode())):
        assert (secret.metadata.name, secret.secret_type, secret.key_count) == ("login", "Opaque", 2)
    assert event.resource_version == "12"


def test_bookmarks_in_table_form() -> None:
    meta = {"name": "", "resourceVersion": "31", "annotations": {"k8s.io/initial-events-end": "true"}}
    row = {"cells": ["", "", 0, "<unknown>"], "object": {"kind": "PartialObjectMetadata", "metadata": meta}}
    table = secret_table(metadata={"resourceVersion": "31"}, rows=[row])
    event = SECRETS.decode_event(line("BOOKMARK", table))
    assert (event.type, event.object, event.resource_version) == ("BOOKMARK", None, "31")


def test_a_table_without_rows_is_no_secret() -> None:
    with pytest.raises(msgspec.ValidationError):
        SECRETS.decode_object(json.dumps(secret_table(rows=[])).encode())


def test_annotations_and_managed_fields_are_not_kept() -> None:
    noise: dict[str, Any] = {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"},
        "managedFields": [{"a": 1}],
    }
    kept = [
        PODS.decode_object(json.dumps(pod(**noise)).encode()),
        SECRETS.decode_object(json.dumps(secret_table()).encode()),
        CONFIGMAPS.decode_object(json.dumps(pod(**noise) | {"data": {"key": "hunter2"}}).encode()),
    ]
    for obj in kept:
        assert "hunter2" not in repr(obj)
        assert "managed" not in repr(obj)


def test_literal_environment_values_are_not_kept() -> None:
    obj = pod()
    obj["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "hunter2-in-a-variable"}]
    kept = PODS.decode_object(json.dumps(obj).encode())
    assert "hunter2" not in repr(kept)


def test_configmap_keys_have_sizes_in_bytes() -> None:
    obj = pod() | {
        "data": {"b": "größer", "a": ""},
        "binaryData": {"one": "AA==", "two": "AAE=", "three": "AAEC"},
    }
    detail = CONFIGMAPS.detail(CONFIGMAPS.decode_object(json.dumps(obj).encode()))
    sizes = {key.name: key.size_bytes for key in detail.keys}
    assert sizes == {"a": 0, "b": 8, "one": 1, "two": 2, "three": 3}


def test_what_pods_have_alike_is_kept_once() -> None:
    one, two = (PODS.decode_object(json.dumps(typical(number)).encode()) for number in (0, 1))
    assert one.status.phase is two.status.phase
    assert one.metadata.labels is two.metadata.labels
    assert one.spec.containers is two.spec.containers
    assert one.spec.volumes is two.spec.volumes
    assert one.spec.containers[0].volume_mounts[0].name == one.spec.volumes[0].name


def test_pods_that_differ_share_nothing_they_should_not() -> None:
    one, other = (PODS.decode_object(json.dumps(typical(number)).encode()) for number in (0, 10))
    assert (one.spec.containers[0].image, other.spec.containers[0].image) == (
        "example.test/web:1.0",
        "example.test/web:1.1",
    )


def typical(number: int) -> dict[str, Any]:
    """A pod of about 9 kB; ten have the same workload, hence the same containers."""
    names = ("web", "proxy", "log")
    secret = {"secretKeyRef": {"name": "shop-database", "key": "password"}}
    probe = {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10}
    tolerations = [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for key in ("not-ready", "unreachable")
    ]
    token = [{"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "kube-root-ca.crt"}}]
    volumes = [
        {"name": f"kube-api-access-{number:05}", "projected": {"sources": token}},
        {"name": "settings", "configMap": {"name": "shop-settings"}},
        {"name": "cache", "emptyDir": {}},
    ]
    spec = pod_spec(*names, tolerations=tolerations, volumes=volumes, nodeName=f"worker-{number % 50}")
    for one in spec["containers"]:
        one["image"] += f".{number // 10}"
        one["env"] = [{"name": f"SETTING_{n}", "value": "x" * 20} for n in range(10)]
        one["env"] += [{"name": "DATABASE_PASSWORD", "valueFrom": secret}]
        one["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
        one["volumeMounts"] = [
            {"name": volume["name"], "mountPath": f"/mnt/{place}"} for place, volume in enumerate(volumes)
        ]
        one |= {
            "livenessProbe": probe,
            "readinessProbe": probe,
            "ports": [{"name": "http", "containerPort": 8080}],
        }
    owner = {
        "kind": "ReplicaSet",
        "name": "web-7d9f8b6c5",
        "uid": "5b1a",
        "apiVersion": "apps/v1",
        "controller": True,
    }
    labels = {
        "app.kubernetes.io/name": "web",
        "app.kubernetes.io/part-of": "shop",
        "pod-template-hash": "7d9f8b6c5",
    }
    status = {
        "phase": "Running",
        "conditions": [*READY, condition("ContainersReady"), condition("PodReadyToStartContainers")],
        "containerStatuses": [container(name, running(), ready=True, started=True) for name in names],
        "podIPs": [{"ip": f"10.{number // 250}.0.{number % 250}"}],
        "qosClass": "Burstable",
    }
    meta = {"creationTimestamp": "2026-01-01T00:00:00Z", "labels": labels, "ownerReferences": [owner]}
    managed = [{"manager": "kubelet", "fieldsV1": {f"f:field-{n}": {".": {}} for n in range(60)}}]
    return pod(number, **meta, managedFields=managed) | {"spec": spec, "status": status}


def test_a_typical_pod_takes_at_most_six_kilobytes() -> None:
    raw = json.dumps({"metadata": {}, "items": [typical(number) for number in range(500)]}).encode()
    PODS.decode_list(raw)
    gc.collect()
    tracemalloc.start()
    try:
        page = PODS.decode_list(raw)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(page.items) == 500
    assert len(raw) / 500 > 7000
    assert size / 500 < 6000


def test_paths() -> None:
    pods, nodes = PODS.gvr, KINDS["nodes"].gvr
    assert pods.path() == "/api/v1/pods"
    assert pods.path("shop") == "/api/v1/namespaces/shop/pods"
    assert pods.path("shop", "web-1", "log") == "/api/v1/namespaces/shop/pods/web-1/log"
    assert nodes.path("ignored", "node-1") == "/api/v1/nodes/node-1"
    assert (
        KINDS["deployments"].gvr.path("shop", "web", "scale")
        == "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    )
    assert (
        GVR("rbac.test", "v1", "roles", False).path(name="system:a/b")
        == "/apis/rbac.test/v1/roles/system%3Aa%2Fb"
    )


@pytest.mark.parametrize("plural", ["events", "pods", "deployments", "persistentvolumes"])
def test_of_a_message_of_a_megabyte_the_beginning_is_kept(plural: str) -> None:
    """Each rule that looks for a cause reads it, some of them in the time of its length squared."""
    said = 'volume "' * 120_000
    state = {
        "name": "app",
        "state": {"waiting": {"message": said}},
        "lastState": {"terminated": {"message": said}},
    }
    status = {
        "message": said,
        "conditions": [{"type": "Ready", "message": said}],
        "containerStatuses": [state],
    }
    manifest = {"metadata": {"name": "a"}, "spec": {}, "message": said, "status": status}
    obj = KINDS[plural].decode_object(msgspec.json.encode(manifest))
    kept = [text for text in re.findall(r"message='([^']*)'", repr(obj)) if text]
    assert kept and {len(text) for text in kept} == {MAX_MESSAGE} and kept[0].endswith("…")


NULL = r"""runc failed: environment variable value can't contain null(\x00): "TOKEN=canary\x00 \"value": unknown"""


@pytest.mark.parametrize("plural", ["events", "pods"])
def test_the_value_of_a_variable_that_a_message_quotes_is_not_kept(plural: str) -> None:
    """It may be a Secret's, which whoever sees the pod may not read."""
    state = {"waiting": {"message": NULL}}
    status = {"message": NULL, "containerStatuses": [{"name": "app", "state": state, "lastState": state}]}
    manifest = {"metadata": {"name": "a"}, "spec": {}, "message": NULL, "status": status}
    kept = repr(KINDS[plural].decode_object(msgspec.json.encode(manifest)))
    assert "canary" not in kept and 'null(\\\\x00): "TOKEN"' in kept
