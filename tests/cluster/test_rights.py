"""What deploy/rbac.yaml grants, asked of a real API server for each right that the code asks for."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboard.actions.action import Action, Target
from dashboard.actions.debug import DEBUG
from dashboard.actions.delete import EVICT
from dashboard.actions.edit_form import EditForm
from dashboard.actions.registry import ACTIONS
from dashboard.actions.revisions import CONTROLLERREVISIONS
from dashboard.actions.shell import VERBS
from dashboard.kinds import KINDS
from sandbox import Sandbox
from sandbox.api import Api

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
FILE = list(yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()))
RULES = {each["metadata"]["name"]: each["rules"] for each in FILE if each["kind"] == "ClusterRole"}
BOUND = {each["roleRef"]["name"] for each in FILE if each["kind"] == "ClusterRoleBinding"}
OBJECTS = "cluster-ui-objects"
SHELL, DEBUGGING = "cluster-ui-shell", "cluster-ui-debug"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# The actions for objects of every kind, and the kinds for which they are granted to all who may change something.
FOR_ALL_KINDS = {"delete": "pods", "edit": "configmaps"}
# What nobody changes through the dashboard unless another role says so, and what has a role of its own.
NOT_OF_APPLICATIONS = {
    "secrets", "events", "endpointslices", "limitranges", "resourcequotas", "roles", "rolebindings",
    *(plural for plural, kind in KINDS.items() if not kind.gvr.namespaced),
}  # fmt: skip
# Which kinds each action is for: a rotation restarts others, keeps backups and removes old ones, a deletion may be an
# eviction.
ON = {
    action: ["pods"] if action is EVICT else [plural for plural, kind in KINDS.items() if action.fits(kind)]
    for action in ACTIONS
}


RESTARTABLE = ("deployments", "statefulsets", "daemonsets")


def _of_objects(action: Action, plural: str) -> bool:
    """Whether its right is with the role that is bound to nobody: whole objects, as YAML or by form."""
    if action.name == EditForm.name:
        return plural not in RESTARTABLE
    return action is not EVICT and FOR_ALL_KINDS.get(action.name, plural) != plural


def _written(action: Action, plural: str) -> str:
    """The kind that an action on another one writes."""
    return action.subject(Target.of("dev", KINDS[plural], "shop", "web")).plural


BESIDES = [
    *(
        ("get", plural, "")
        for plural in ("deployments", "statefulsets", "daemonsets", "cronjobs", "configmaps", "pods")
    ),
    *(("patch", plural, "") for plural in (*RESTARTABLE, "cronjobs")),
    ("delete", "configmaps", ""),
    *((verb, "secrets", "") for verb in ("get", "create", "delete")),
    # The undo of what created an object deletes that.
    *(
        ("delete", _written(action, plural), "")
        for action, plurals in ON.items()
        for plural in plurals
        if action.undone_by == "delete"
    ),
]
ASKED = sorted(
    {
        *BESIDES,
        *(
            (action.verb, _written(action, plural), action.subresource)
            for action, plurals in ON.items()
            for plural in plurals
            if not _of_objects(action, plural) and action is not DEBUG
        ),
        *((verb, plural, "") for plural in KINDS for verb in ("list", "watch")),
        ("list", "serviceaccounts", ""),
        ("get", "pods", "log"),
        ("list", "controllerrevisions", ""),
    }
)
ASKED_OF_OBJECTS = sorted(
    (verb, plural, "")
    for action, plurals in ON.items()
    for plural in plurals
    if _of_objects(action, plural) and plural not in NOT_OF_APPLICATIONS
    for verb in {action.verb, "create"}  # an undo creates again what was deleted
)
# What the dashboard has no use for: nothing of it may be granted.
NEVER = [
    ("update", "secrets", ""), ("deletecollection", "secrets", ""), ("update", "configmaps", ""),
    ("deletecollection", "configmaps", ""), ("create", "pods", ""), ("create", "pods", "exec"),
    ("patch", "pods", "ephemeralcontainers"),
    ("delete", "deployments", ""), ("update", "deployments", ""), ("create", "serviceaccounts", "token"),
    ("update", "nodes", ""), ("delete", "nodes", ""), ("delete", "namespaces", ""), ("impersonate", "users", ""),
]  # fmt: skip


@contextmanager
def granted(cluster: Sandbox, roles: Iterable[str]) -> Iterator[str]:
    """The user name of a ServiceAccount with these roles of the file, under names of their own."""
    api: Api = cluster.api()
    name = f"test-{secrets.token_hex(4)}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    names = {role: f"{name}-{role}" for role in roles}
    for role, own in names.items():
        api.post(f"{RBAC}/clusterroles", {"metadata": {"name": own}, "rules": RULES[role]})
        api.post(
            f"{RBAC}/clusterrolebindings",
            {
                "metadata": {"name": own},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": own},
                "subjects": [{"kind": "ServiceAccount", "name": "cluster-ui", "namespace": name}],
            },
        )
    yield f"system:serviceaccount:{name}:cluster-ui"
    for own in names.values():
        api.delete(f"{RBAC}/clusterrolebindings/{own}")
        api.delete(f"{RBAC}/clusterroles/{own}")
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def account(cluster: Sandbox) -> Iterator[str]:
    """What the file grants as it is."""
    with granted(cluster, BOUND) as account:
        yield account


@pytest.fixture(scope="module")
def writer(cluster: Sandbox) -> Iterator[str]:
    """The same with the role that is bound to nobody."""
    with granted(cluster, {*BOUND, OBJECTS}) as account:
        yield account


def allowed(cluster: Sandbox, account: str, right: tuple[str, str, str]) -> bool:
    verb, plural, subresource = right
    gvr = KINDS[plural].gvr if plural in KINDS else {"controllerrevisions": CONTROLLERREVISIONS}.get(plural)
    group = gvr.group if gvr else ""
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
    of_texts = {action.name for action, plurals in ON.items() if not plurals}
    # They are about whatever their YAML or archive holds; repoint is a step: its rights are among those asked besides.
    assert of_texts == {"backup", "create", "create-all", "drill", "repoint", "restore", "velero-restore"}
    assert RULES.keys() - BOUND == {OBJECTS, SHELL, DEBUGGING}
    assert RULES[SHELL] == [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": [*VERBS]}]
    assert RULES[DEBUGGING] == [
        {"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"]}
    ]


@pytest.mark.parametrize("right", ASKED, ids=words)
def test_what_the_code_asks_for_is_granted(
    cluster: Sandbox, account: str, right: tuple[str, str, str]
) -> None:
    assert allowed(cluster, account, right)


@pytest.mark.parametrize("right", ASKED_OF_OBJECTS, ids=words)
def test_what_actions_on_every_kind_ask_for_is_in_a_role_of_its_own(
    cluster: Sandbox, writer: str, right: tuple[str, str, str]
) -> None:
    assert allowed(cluster, writer, right)


@pytest.mark.parametrize("plural", sorted(NOT_OF_APPLICATIONS - {"secrets"}))
def test_what_no_application_is_made_of_is_in_no_role(cluster: Sandbox, writer: str, plural: str) -> None:
    assert not any(allowed(cluster, writer, (verb, plural, "")) for verb in ("create", "update", "delete"))


@pytest.mark.parametrize("right", NEVER, ids=words)
def test_what_it_never_asks_for_is_not(cluster: Sandbox, account: str, right: tuple[str, str, str]) -> None:
    assert not allowed(cluster, account, right)
