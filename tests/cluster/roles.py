"""Accounts with just some rights, and what somebody with such an account was let do."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dashboard.actions.rights import Right
from dashboard.actions.roles import rules
from dashboard.kinds.base import GVR
from dashboard.kube.transport import Transport
from sandbox.api import Api

from .place import RBAC, until

GROUP = "rbac.authorization.k8s.io"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def manifest_rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """The rules that grant these rights, as in a manifest."""
    made = rules(dict.fromkeys(rights, ()))
    return [
        {"apiGroups": [each.group], "resources": [*each.resources], "verbs": [*each.verbs]} for each in made
    ]


def is_allowed(api: Api, user: str, attributes: dict[str, str], groups: Iterable[str] = ()) -> bool:
    """The API server's own answer."""
    spec = {"user": user, "groups": [*groups], "resourceAttributes": attributes}
    return bool(api.post(REVIEWS, {"spec": spec})["status"]["allowed"])


def attributes_of(right: Right, namespace: str = "") -> dict[str, str]:
    return {
        "verb": right.verb,
        "group": right.gvr.group,
        "resource": right.gvr.plural,
        "subresource": right.subresource,
        "namespace": namespace if right.gvr.namespaced else "",
    }


@asynccontextmanager
async def account_with(
    api: Api, owner: Transport, namespace: str, rights: Iterable[Right]
) -> AsyncIterator[Transport]:
    """A way in as a ServiceAccount with these rights in a namespace, "" for everywhere, once they are in force."""
    rights = list(rights)
    name, home = f"has-{secrets.token_hex(4)}", namespace or "default"
    accounts = f"/api/v1/namespaces/{home}/serviceaccounts"
    within = f"/namespaces/{namespace}/rolebindings" if namespace else "/clusterrolebindings"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": home}
    ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
    meta = {"metadata": {"name": name}}
    api.post(accounts, meta)
    api.post(f"{RBAC}/clusterroles", meta | {"rules": manifest_rules(rights)})
    api.post(f"{RBAC}{within}", meta | {"roleRef": ref, "subjects": [subject]})
    user = f"system:serviceaccount:{home}:{name}"

    async def in_force() -> bool:
        return all(is_allowed(api, user, attributes_of(each, namespace)) for each in rights)

    await until(in_force)
    token = api.post(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    connection = dataclasses.replace(owner.cluster.connection, user={"token": token})
    transport = Transport(dataclasses.replace(owner.cluster, user=name, connection=connection))
    try:
        yield transport
    finally:
        await transport.close()
        api.delete(f"{RBAC}{within}/{name}")
        api.delete(f"{RBAC}/clusterroles/{name}")
        api.delete(f"{accounts}/{name}")


def taken_by(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> set[str]:
    """The rights by which its requests were let in, as ``str(Right)`` writes them; reviews, which everybody may ask for,
    apart.
    """
    found: set[str] = set()
    request = transport.request

    async def recorded(method: str, target: GVR | str, **asked: Any) -> Any:
        answer = await request(method, target, **asked)  # type: ignore[arg-type]
        if isinstance(target, GVR):
            verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, "")
            verb = verb or ("get" if asked.get("name") else "list")
            found.add(str(Right(verb, target, asked.get("subresource") or "")))
        return answer

    monkeypatch.setattr(transport, "request", recorded)
    return found
