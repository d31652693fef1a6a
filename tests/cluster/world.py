"""A world for people with different rights: two namespaces with something of everything in them, and who may do what."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dashboard.actions.action import Action, Target
from dashboard.actions.registry import action_named
from dashboard.actions.revisions import REVISION
from dashboard.kinds import KINDS
from dashboard.recovery.velero import BACKUPS
from sandbox import Sandbox
from sandbox.api import ApiError
from tests.nodes import make_node, spec_for

from .matrixroles import ROLES
from .people import GROUP
from .place import RBAC, SETTLE_SECONDS
from .test_every_action import AT, CHANGED, POD, TRIED
from .velerokinds import define, undefine

# What is changed before anything is asked: a Deployment is scaled, a Secret rotated.
FOLLOWED, RENEWED = "followed", "renewed"
# Where each role counts: in the whole cluster, or in one of the namespaces. ``elsewhere`` is a configurator next door.
PLACES: Mapping[str, tuple[str, str]] = {
    "viewer": ("viewer", ""),
    "operator": ("operator", "here"),
    "configurator": ("configurator", "here"),
    "narrow": ("narrow", "here"),
    "elsewhere": ("configurator", "there"),
    "keeper": ("reader", "here"),
    "reader": ("reader", ""),
    "administrator": ("administrator", ""),
}
PEOPLE = tuple(PLACES)
NOWHERE = POD | {"restartPolicy": "Never", "nodeSelector": {"no": "node"}}
MODES = ("user", "impersonate")


@dataclass(frozen=True, slots=True)
class Tried:
    """An action with an object that it is tried on: what is typed makes a preview of it."""

    action: Action
    target: Target
    typed: Mapping[str, str]


class World:
    """``here`` has an object for each action, ``there`` a few whose names hold its own word, which nothing else holds."""

    def __init__(self, cluster: Sandbox) -> None:
        self.api = cluster.api()
        self.mark = secrets.token_hex(3)
        self.here, self.there = f"birchwood-{self.mark}", f"tealharbour-{self.mark}"
        self.home = f"people-{self.mark}"
        for name in (self.here, self.there, self.home):
            self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        self.roles = [self._role(name) for name in ROLES]
        self.bound = [self._bind(person, *place) for person, place in PLACES.items()]
        self.nodes, self.volumes = list[str](), list[str]()
        self.held = {mode: self._held_node() for mode in MODES}
        self.tried = [self._tried(case) for case in TRIED]
        self._make("deployments", FOLLOWED, {"spec": _running(FOLLOWED)})
        self._make("secrets", RENEWED, {"stringData": {"password": "old"}})
        self._make("secrets", "canary", {"stringData": {"password": "old"}})
        self._make("configmaps", "plain", {"data": {"LOG": "info"}})
        self._make("pods", "bare", {"spec": POD})
        undefine(self.api)
        define(self.api)
        self.api.post(BACKUPS.path(self.here), {
            "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": self.name("nightly")},
            "spec": {"includedNamespaces": [self.here]}, "status": {"phase": "Completed"},
        })  # fmt: skip
        for plural, manifest in (
            ("deployments", {"spec": _running("web")}),
            ("configmaps", {"data": {"k": self.there}}),
            ("secrets", {"stringData": {"k": self.there}}),
            ("services", {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ):
            name = f"web-{self.there}"
            self.api.post(KINDS[plural].gvr.path(self.there), {"metadata": {"name": name}} | manifest)

    # ---- Objects

    def name(self, word: str) -> str:
        return f"{word}-{self.mark}"

    def _make(self, plural: str, word: str, manifest: dict[str, Any]) -> dict[str, Any]:
        gvr = KINDS[plural].gvr
        path = gvr.path(self.here if gvr.namespaced else None)
        named = {"metadata": {**manifest.get("metadata", {}), "name": self.name(word)}}
        return self.api.post(path, manifest | named)

    def _tried(self, case: str) -> Tried:
        plural, manifest, typed, _ = TRIED[case]
        word, gvr = case.replace(" ", "-"), KINDS[plural].gvr
        name = self.name(word)
        if plural == "jobs":  # none may complete meanwhile
            manifest = {"spec": manifest["spec"] | {"template": {"spec": NOWHERE}}}
        if (
            plural == "pods"
        ):  # without labels, or a ReplicaSet takes it for its own, and deletes what it has too many
            manifest = {"spec": manifest["spec"]}
        made = self._make(plural, word, manifest)
        if case in CHANGED:
            if plural == "deployments":
                wait_for(lambda: self._revision(name) == "1")
            self.api.patch(f"{gvr.path(self.here if gvr.namespaced else None)}/{name}", CHANGED[case])
        if plural == "nodes":
            self.nodes.append(name)
        if plural == "persistentvolumeclaims":
            self._bound_to(made)
        given = {key: text.replace("name: web", f"name: {name}", 1) for key, text in typed.items()}
        if "confirm" in given:
            given["confirm"] = name
        target = Target.of("tests", KINDS[plural], self.here, name)
        word = case.split()[0]
        return Tried(action_named(AT.get(word, word), plural), target, given)

    def _revision(self, name: str) -> str:
        found = self.api.get(KINDS["deployments"].gvr.path(self.here, name))
        return str(found["metadata"].get("annotations", {}).get(REVISION, ""))

    def _bound_to(self, claim: dict[str, Any]) -> None:
        """Gives a claim a volume, as its provisioner would."""
        meta, spec = claim["metadata"], claim["spec"]
        ref = {"kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"]}
        volume = {
            "capacity": {"storage": "1Gi"}, "accessModes": spec["accessModes"], "claimRef": ref,
            "storageClassName": spec["storageClassName"], "hostPath": {"path": "/nowhere"},
        }  # fmt: skip
        self.volumes.append(self.name("volume"))
        self._make("persistentvolumes", "volume", {"spec": volume})

    def _held_node(self) -> str:
        """A node whose one pod a budget holds there: its drain goes on until somebody stops it."""
        node = make_node(self.api, self.here)
        self.nodes.append(node)
        labels = {"held": node}
        budget = {"minAvailable": 1, "selector": {"matchLabels": labels}}
        self.api.post(
            KINDS["poddisruptionbudgets"].gvr.path(self.here), {"metadata": {"name": node}, "spec": budget}
        )
        pod = {"metadata": {"name": node, "labels": labels}, "spec": spec_for(self.here, node)}
        self.api.post(KINDS["pods"].gvr.path(self.here), pod)
        return node

    def holds(self, node: str) -> bool:
        """Whether its pod runs, and its budget knows it."""
        budget = self.api.get(KINDS["poddisruptionbudgets"].gvr.path(self.here, node))
        return bool(budget.get("status", {}).get("currentHealthy") == 1)

    def written(self) -> dict[str, Any]:
        """What people write of everything that actions were tried on."""
        found = {}
        for tried in self.tried:
            target = tried.target
            path = target.gvr.path(target.namespace or None, target.name)
            obj = self.api.get(path)
            obj.get("spec", {}).pop("taints", None)  # the node controller's
            found[path] = {key: obj.get(key) for key in ("spec", "data")}
        return found

    @property
    def names(self) -> dict[str, str]:
        """What stands in braces in the table of routes."""
        return {
            "slug": "tests", "mark": self.mark, "here": self.here, "there": self.there,
            "deployment": self.name("scale"), FOLLOWED: self.name(FOLLOWED), "secret": self.name("canary"),
            RENEWED: self.name(RENEWED), "velero_backup": self.name("nightly"),
            "configmap": self.name("versions"), "pod": self.name("bare"), "node": self.name("drain"),
            "claim": self.name("expand"),
        }  # fmt: skip

    # ---- People

    def user(self, person: str) -> str:
        """Whom somebody is impersonated as."""
        return f"{person}-{self.mark}@example.com"

    def token(self, person: str) -> str:
        path = f"/api/v1/namespaces/{self.home}/serviceaccounts/{person}/token"
        return str(self.api.post(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])

    def _role(self, role: str) -> str:
        self.api.post(f"{RBAC}/clusterroles", {"metadata": {"name": self.name(role)}, "rules": ROLES[role]})
        return self.name(role)

    def _bind(self, person: str, role: str, where: str) -> str:
        """The path of the binding."""
        self.api.post(f"/api/v1/namespaces/{self.home}/serviceaccounts", {"metadata": {"name": person}})
        subjects = [
            {"kind": "ServiceAccount", "name": person, "namespace": self.home},
            {"kind": "User", "name": self.user(person), "apiGroup": GROUP},
        ]
        ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": self.name(role)}
        within = {"here": self.here, "there": self.there}.get(where)
        path = f"{RBAC}/namespaces/{within}/rolebindings" if within else f"{RBAC}/clusterrolebindings"
        name = self.name(person)
        self.api.post(path, {"metadata": {"name": name}, "roleRef": ref, "subjects": subjects})
        return f"{path}/{name}"

    def clean(self) -> None:
        gone = [
            *self.bound,
            *(f"{RBAC}/clusterroles/{name}" for name in self.roles),
            *(f"/api/v1/nodes/{name}" for name in self.nodes),
            *(f"/api/v1/persistentvolumes/{name}" for name in self.volumes),
            *(f"/api/v1/namespaces/{name}" for name in (self.here, self.there, self.home)),
        ]
        undefine(self.api)
        for path in gone:
            with suppress(OSError, ApiError):  # what is left goes with the sandbox
                self.api.delete(path)


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": POD}
    return {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
