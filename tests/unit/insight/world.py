"""Objects as the API server sends them, decoded by their kinds, in a dictionary that fulfils the protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import RESOURCE_CLAIMS
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.secrets import Secret
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.kinds.webhooks import WEBHOOKS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ago(**passed: float) -> str:
    return (NOW - timedelta(**passed)).isoformat().replace("+00:00", "Z")


class World:
    """Objects by kind; ``add`` takes a manifest and gives back the decoded object."""

    def __init__(self, *manifests: tuple[str, dict[str, Any]]) -> None:
        self._kept: dict[str, dict[tuple[str, str], Any]] = {}
        self.version = ""
        for plural, manifest in manifests:
            self.add(plural, manifest)

    def add(self, plural: str, manifest: dict[str, Any]) -> Any:
        meta = {"uid": f"{plural}-{manifest['metadata']['name']}", "creationTimestamp": ago(hours=5)}
        return self.put(plural, manifest | {"metadata": meta | manifest["metadata"]})

    def put(self, plural: str, manifest: dict[str, Any]) -> Any:
        """The manifest just as it is."""
        kind = next((each for each in WEBHOOKS if each.plural == plural), None) or KINDS[plural]
        obj = kind.decode_object(json.dumps(manifest).encode())
        self._kept.setdefault(plural, {})[obj.metadata.namespace, obj.metadata.name] = obj
        return obj

    def reading(self, *plurals: str) -> World:
        """Kinds of which everything is known, be there objects of them or not."""
        for plural in plurals:
            self._kept.setdefault(plural, {})
        return self

    def of_version(self, version: str) -> World:
        """The API server's."""
        self.version = version
        return self

    def with_secret(self, name: str, type_: str, namespace: str = "shop") -> World:
        """A Secret as the cache knows it: no value, no key name."""
        meta = ObjectMeta(name=name, namespace=namespace, uid=f"secrets-{name}")
        self._kept.setdefault("secrets", {})[namespace, name] = Secret(
            metadata=meta, secret_type=type_, key_count=2
        )
        return self

    def with_resource_claims(self, *names: str) -> World:
        """All that there are, of which only the names are read."""
        self._kept[RESOURCE_CLAIMS] = {("shop", name): name for name in names}
        return self

    def with_table(self, resource: Resource, *rows: tuple[str, ...]) -> World:
        """Objects of a kind without a module, as the API server's Table has them; the first cell is the name."""
        kind = TableKind.of(resource, clock=lambda: NOW)
        names = ("Name", "Service", "Available", "Age")
        table = {
            "columnDefinitions": [{"name": name, "type": "string"} for name in names],
            "metadata": {},
            "rows": [
                {
                    "cells": cells,
                    "object": {"metadata": {"name": cells[0], "creationTimestamp": ago(hours=1)}},
                }
                for cells in rows
            ],
        }
        for obj in kind.decode_list(json.dumps(table).encode()).items:
            self._kept.setdefault(kind.plural, {})["", obj.metadata.name] = obj
        return self

    def reads(self, plural: str, namespace: str = "") -> bool:
        return plural in self._kept

    def remove(self, plural: str, namespace: str, name: str) -> None:
        self._kept.get(plural, {}).pop((namespace, name), None)

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        every = self._kept.get(plural, {}).values()
        return [obj for obj in every if namespace is None or obj.metadata.namespace == namespace]

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self._kept.get(plural, {}).get((namespace, name))


def condition(
    type_: str, status: str, reason: str = "", message: str = "", since: str = ""
) -> dict[str, str]:
    return {
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since or ago(minutes=10),
    }  # fmt: skip


def meta(
    name: str, owner: tuple[str, str] | None = None, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "namespace": "shop", "labels": labels or {}}
    if owner is not None:
        kind, owner_name = owner
        uid = f"{kind.lower()}s-{owner_name}"
        made["ownerReferences"] = [{"kind": kind, "name": owner_name, "uid": uid, "controller": True}]
    return made


def pod(
    name: str = "web-1",
    *,
    owner: tuple[str, str] | None = ("ReplicaSet", "web-5d4f"),
    labels: dict[str, str] | None = None,
    phase: str = "Running",
    ready: bool = True,
    node: str = "node-1",
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    restarts: int = 0,
    conditions: list[dict[str, str]] | None = None,
    container: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A pod with one container "app"; healthy unless told otherwise. ``more`` goes into the status."""
    status = {
        "phase": phase,
        "conditions": conditions
        or [condition("PodScheduled", "True"), condition("Ready", "True" if ready else "False")],
        "containerStatuses": [
            {
                "name": "app", "ready": ready, "restartCount": restarts, "started": True,
                "state": state or {"running": {"startedAt": ago(hours=1)}}, "lastState": last or {},
            }
        ],
    }  # fmt: skip
    spec = {"nodeName": node, "containers": [{"name": "app", "image": "shop/web:1.2"} | (container or {})]}
    return {"metadata": meta(name, owner, labels or {"app": "web"}), "spec": spec, "status": status | more}


def deployment(
    name: str = "web",
    *,
    replicas: int = 3,
    available: int | None = None,
    updated: int | None = None,
    current: int | None = None,
    conditions: list[dict[str, str]] | None = None,
    generation: int = 1,
    observed: int = 1,
    template: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    available = replicas if available is None else available
    template = {"metadata": {"labels": {"app": name}}, "spec": template or {"containers": [{"name": "app"}]}}
    return {
        "metadata": meta(name) | {"generation": generation},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        | spec,
        "status": {
            "observedGeneration": observed,
            "replicas": replicas if current is None else current,
            "updatedReplicas": replicas if updated is None else updated,
            "readyReplicas": available,
            "availableReplicas": available,
            "conditions": conditions or [],
        },
    }


def replicaset(name: str = "web-5d4f", owner: str = "web", revision: str = "1") -> dict[str, Any]:
    made = meta(name, ("Deployment", owner), {"app": owner})
    made["annotations"] = {"deployment.kubernetes.io/revision": revision}
    return {"metadata": made, "spec": {"replicas": 3}, "status": {"replicas": 3}}


def service(name: str = "web", selector: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "protocol": "TCP"}]
    selector = {"app": "web"} if selector is None else selector
    return {
        "metadata": meta(name),
        "spec": {"type": "ClusterIP", "ports": ports, "selector": selector} | spec,
    }


def endpoints(service_name: str, *pods: tuple[str, bool]) -> dict[str, Any]:
    made = meta(f"{service_name}-x1", labels={"kubernetes.io/service-name": service_name})
    return {
        "metadata": made,
        "addressType": "IPv4",
        "endpoints": [
            {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "namespace": "shop", "name": name}}
            for name, ready in pods
        ],
    }


def ingress(
    behind: str,
    *,
    name: str = "shop",
    host: str = "shop.example",
    port: int = 80,
    address: bool = True,
    **spec: Any,
) -> dict[str, Any]:
    backend = {"service": {"name": behind, "port": {"number": port}}}
    path = {"path": "/web", "pathType": "Prefix", "backend": backend}
    addresses = [{"ip": "192.0.2.1"}] if address else []
    return {
        "metadata": meta(name),
        "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]} | spec,
        "status": {"loadBalancer": {"ingress": addresses}},
    }


def node(
    name: str = "node-1", *, ready: str = "True", conditions: list[dict[str, str]] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": spec,
        "status": {
            "conditions": [condition("Ready", ready, message="kubelet said so"), *(conditions or [])],
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        },
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", **passed: float) -> dict[str, Any]:
    return {
        "terminated": {"exitCode": code, "reason": reason, "finishedAt": ago(**(passed or {"minutes": 1}))}
    }


def event(
    about: str,
    reason: str,
    message: str,
    *,
    kind: str = "Pod",
    path: str = "",
    type_: str = "Warning",
    **passed: float,
) -> dict[str, Any]:
    """An Event about an object of a World, by its uid (``pods-web-1``)."""
    moment = ago(**(passed or {"minutes": 2}))
    return {
        "metadata": {"name": f"{about}.{reason}", "namespace": "shop"},
        "involvedObject": {"kind": kind, "uid": about, "fieldPath": path},
        "type": type_, "reason": reason, "message": message, "firstTimestamp": moment, "lastTimestamp": moment,
    }  # fmt: skip
