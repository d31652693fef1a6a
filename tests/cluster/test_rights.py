"""What deploy/rbac.yaml grants, asked of a real API server for each right that the code asks for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboard.actions.undo import ACTIONS
from dashboard.kinds import KINDS
from sandbox import Sandbox
from sandbox.api import Api

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    document["metadata"]["name"]: document["rules"]
    for document in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
    if document["kind"] == "ClusterRole"
}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")
# Which kinds each action is for; a rotation restarts others, keeps backups and removes old ones.
ON = {
    "scale": ("deployments",),
    "restart": RESTARTABLE,
    "rotate": ("secrets",),
    "edit": ("configmaps",),
    "delete": ("pods",),
    "evict": ("pods",),
}
BESIDES = [
    *(("get", plural, "") for plural in ("deployments", "statefulsets", "daemonsets", "configmaps", "pods")),
    *(("patch", plural, "") for plural in RESTARTABLE),
    *((verb, "secrets", "") for verb in ("get", "create", "delete")),
]
ASKED = sorted(
    {
        *BESIDES,
        *(
            (action.verb, plural, action.subresource)
            for name, action in ACTIONS.items()
            for plural in ON[name]
        ),
        *((verb, plural, "") for plural in KINDS for verb in ("list", "watch")),
        ("list", "serviceaccounts", ""),
        ("get", "pods", "log"),
    }
)
# What the dashboard has no use for: nothing of it may be granted.
NEVER = [
    ("update", "secrets", ""), ("deletecollection", "secrets", ""), ("update", "configmaps", ""),
    ("create", "configmaps", ""), ("delete", "configmaps", ""), ("create", "pods", ""), ("create", "pods", "exec"),
    ("delete", "deployments", ""), ("update", "deployments", ""), ("create", "serviceaccounts", "token"),
    ("patch", "nodes", ""), ("delete", "namespaces", ""), ("impersonate", "users", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def account(cluster: Sandbox) -> Iterator[str]:
    """The user name of a ServiceAccount with the roles of the file, under names of their own."""
    api: Api = cluster.api()
    name = f"test-{secrets.token_hex(4)}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    roles = [f"{name}-{role}" for role in RULES]
    for role, rules in zip(roles, RULES.values(), strict=True):
        api.post(f"{RBAC}/clusterroles", {"metadata": {"name": role}, "rules": rules})
        api.post(
            f"{RBAC}/clusterrolebindings",
            {
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "cluster-ui", "namespace": name}],
            },
        )
    yield f"system:serviceaccount:{name}:cluster-ui"
    for role in roles:
        api.delete(f"{RBAC}/clusterrolebindings/{role}")
        api.delete(f"{RBAC}/clusterroles/{role}")
    api.delete(f"/api/v1/namespaces/{name}")


def allowed(cluster: Sandbox, account: str, right: tuple[str, str, str]) -> bool:
    verb, plural, subresource = right
    group = KINDS[plural].gvr.group if plural in KINDS else ""
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
    if plural not in KINDS or KINDS[plural].gvr.namespaced:
        attributes["namespace"] = "default"
    review = {"spec": {"user": account, "groups": [], "resourceAttributes": attributes}}
    answer: dict[str, Any] = cluster.api().post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def words(right: tuple[str, str, str]) -> str:
    verb, plural, subresource = right
    return f"{verb} {plural}{'/' if subresource else ''}{subresource}"


def test_every_action_is_looked_at() -> None:
    assert ON.keys() == ACTIONS.keys()


@pytest.mark.parametrize("right", ASKED, ids=words)
def test_what_the_code_asks_for_is_granted(
    cluster: Sandbox, account: str, right: tuple[str, str, str]
) -> None:
    assert allowed(cluster, account, right)


@pytest.mark.parametrize("right", NEVER, ids=words)
def test_what_it_never_asks_for_is_not(cluster: Sandbox, account: str, right: tuple[str, str, str]) -> None:
    assert not allowed(cluster, account, right)
