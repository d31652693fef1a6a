"""Who may do what: what is worked out from the objects of RBAC, held against the API server's own authorizer."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.insight.authority import Ask, Authority, Grant, account_groups, account_name
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from sandbox.api import Api

from .place import RBAC, Listed, until
from .roles import GROUP, REVIEWS, is_allowed

pytestmark = pytest.mark.cluster

RESOURCES = (
    ("", "pods"), ("", "pods/exec"), ("", "pods/log"), ("", "secrets"), ("", "*"), ("", "*/log"), ("apps", "deployments"),
    ("apps", "deployments/scale"), ("apps", "*"), ("apps", "*/scale"), ("*", "*"), ("*", "configmaps"), ("", "nodes"),
    ("example.com", "things"), ("", "serviceaccounts/token"),
)  # fmt: skip
VERBS = ("get", "list", "create", "patch", "delete", "impersonate", "*")
NAMES = ("web", "db", "api")
URLS = ("/metrics", "/metrics/*", "/apis/*", "/api", "*", "/healthz*")
PLURALS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
SEEDS = (7, 20, 33)


class World:
    """Roles and bindings that chance made, in two namespaces and everywhere."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api, self.chance = api, random.Random(seed)  # nothing secret
        self.mark = f"who-{seed}-{secrets.token_hex(3)}"
        self.spaces = [f"{self.mark}-{each}" for each in ("a", "b")]
        self.users = [f"{self.mark}-user-{each}" for each in range(4)]
        self.groups = [f"{self.mark}-group-{each}" for each in range(3)]
        self.accounts = [(space, name) for space in self.spaces for name in ("robot", "cart")]
        self.made: list[str] = []

    def build(self) -> None:
        for space in self.spaces:
            self.api.post("/api/v1/namespaces", {"metadata": {"name": space}})
        shared = [self._role("clusterroles", "") for _ in range(14)]
        self._aggregated()
        own = {space: [self._role("roles", space) for _ in range(5)] for space in self.spaces}
        for _ in range(9):
            self._bind("", "ClusterRole", self.chance.choice(shared))
        self._bind("", "ClusterRole", f"{self.mark}-gathers")
        for space in self.spaces:
            for _ in range(7):
                self._bind(
                    space, "ClusterRole", self.chance.choice([*shared, "view", f"{self.mark}-no-such"])
                )
                self._bind(space, "Role", self.chance.choice([*own[space], f"{self.mark}-no-such"]))

    def clean(self) -> None:
        for path in self.made:
            self.api.delete(path)
        for space in self.spaces:
            self.api.delete(f"/api/v1/namespaces/{space}")

    def _post(self, plural: str, space: str, manifest: dict[str, Any]) -> str:
        name = f"{self.mark}-{len(self.made)}" if "name" not in manifest else manifest.pop("name")
        path = f"{RBAC}/namespaces/{space}/{plural}" if space else f"{RBAC}/{plural}"
        self.api.post(path, {"metadata": {"name": name, "labels": manifest.pop("labels", {})}, **manifest})
        self.made.append(f"{path}/{name}")
        return name

    def _rule(self, addresses: bool) -> dict[str, Any]:
        pick = self.chance
        verbs = pick.sample(VERBS, pick.randint(1, 2))
        if addresses and pick.random() < 0.2:
            return {"nonResourceURLs": pick.sample(URLS, pick.randint(1, 2)), "verbs": verbs}
        chosen = pick.sample(RESOURCES, pick.randint(1, 2))
        rule = {
            "apiGroups": sorted({g for g, _ in chosen}),
            "resources": [r for _, r in chosen],
            "verbs": verbs,
        }
        return rule | ({"resourceNames": pick.sample(NAMES, 2)} if pick.random() < 0.3 else {})

    def _role(self, plural: str, space: str) -> str:
        rules = [self._rule(addresses=not space) for _ in range(self.chance.randint(0, 3))]
        labels = {"gathered": self.mark} if not space and self.chance.random() < 0.3 else {}
        return self._post(plural, space, {"rules": rules, "labels": labels})

    def _aggregated(self) -> None:
        selectors = [{"matchLabels": {"gathered": self.mark}}]
        manifest = {
            "name": f"{self.mark}-gathers",
            "aggregationRule": {"clusterRoleSelectors": selectors},
            "rules": [],
        }
        self._post("clusterroles", "", manifest)

    def _bind(self, space: str, kind: str, role: str) -> None:
        subjects = [self._subject(space) for _ in range(self.chance.randint(0, 2))]
        ref = {"apiGroup": GROUP, "kind": kind, "name": role}
        self._post(
            "rolebindings" if space else "clusterrolebindings", space, {"roleRef": ref, "subjects": subjects}
        )

    def _subject(self, space: str) -> dict[str, str]:
        home, name = self.chance.choice(self.accounts)
        own_groups = [*self.groups, f"system:serviceaccounts:{home}"]
        return self.chance.choice(
            [
                {"kind": "User", "apiGroup": GROUP, "name": self.chance.choice(self.users)},
                {"kind": "User", "apiGroup": GROUP, "name": account_name(home, name)},
                {"kind": "Group", "apiGroup": GROUP, "name": self.chance.choice(own_groups)},
                {"kind": "ServiceAccount", "name": name, "namespace": home},
            ]
        )

    def asks(self, count: int) -> Iterator[Ask]:
        pick = self.chance
        for _ in range(count):
            verb = pick.choice([*VERBS[:-1], "update", "watch"])
            if pick.random() < 0.15:
                yield Ask(
                    verb, url=pick.choice(["/metrics", "/metrics/x", "/apis", "/apis/apps", "/healthz", "/x"])
                )
                continue
            group, resource = pick.choice([each for each in RESOURCES if "*" not in "".join(each)])
            resource, _, subresource = resource.partition("/")
            namespace = "" if resource == "nodes" else pick.choice(["", *self.spaces, "default"])
            name = pick.choice(["", *NAMES, "other"])
            yield Ask(verb, resource, group, subresource, namespace, name)

    def people(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for user in self.users:
            yield user, tuple(self.chance.sample(self.groups, self.chance.randint(0, 2)))
        for home, name in self.accounts:
            yield account_name(home, name), account_groups(home)
        yield f"{self.mark}-root", ("system:masters",)


def server_says(api: Api, user: str, groups: tuple[str, ...], ask: Ask) -> bool:
    if ask.url:
        asked = {"path": ask.url, "verb": ask.verb}
        spec = {"user": user, "groups": [*groups], "nonResourceAttributes": asked}
        return bool(api.post(REVIEWS, {"spec": spec})["status"]["allowed"])
    attributes = {
        "verb": ask.verb, "group": ask.group, "resource": ask.resource, "subresource": ask.subresource,
        "namespace": ask.namespace, "name": ask.name,
    }  # fmt: skip
    return is_allowed(api, user, attributes, groups)


def known_as(grant: Grant) -> str:
    """A subject as the API server knows it."""
    subject = grant.subject
    if subject.kind == "ServiceAccount":
        return f"User {account_name(subject.namespace, subject.name)}"
    return f"{subject.kind} {subject.name}"


async def seen(transport: Transport) -> Authority:
    found = await Listed.now(transport, "", PLURALS)
    return Authority(**{plural: found.all(plural) for plural in PLURALS})


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_answer_is_the_api_servers(cluster: Sandbox, transport: Transport, seed: int) -> None:
    world = World(cluster.api(), seed)
    world.build()
    try:
        gathers = f"{RBAC}/clusterroles/{world.mark}-gathers"

        async def gathered() -> bool:
            """The controller has copied the rules."""
            listed = world.api.get(f"{RBAC}/clusterroles?labelSelector=gathered%3D{world.mark}")["items"]
            rules = [rule for one in listed for rule in one.get("rules") or ()]
            copied = world.api.get(gathers).get("rules") or []
            return all(rule in copied for rule in rules)

        await until(gathered)
        found = await seen(transport)
        people = list(world.people())
        asks = list(world.asks(150))

        async def alike() -> bool:
            """The authorizer hears of objects a moment later than a list does."""
            wrong = []
            for ask in asks:
                named = {known_as(grant) for grant in found.who_can(ask).whole} | {"Group system:masters"}
                for user, groups in people:
                    says = server_says(world.api, user, groups, ask)
                    listed = not named.isdisjoint([f"User {user}", *(f"Group {each}" for each in groups)])
                    if {says} != {found.may(user, groups, ask), listed}:
                        wrong.append((user, groups, ask, says))
            return not wrong

        await until(alike)
    finally:
        world.clean()
