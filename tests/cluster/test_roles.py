"""The roles in ``deploy/``, asked of a real API server: each may do what it is for and nothing else, on the dashboard's
pages too, whose own account may do no more than its file says.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import get_resolver, reverse

from dashboard.actions.abilities import ROLES, abilities, rights_of, rights_of_the_cache
from dashboard.actions.action import RoleName
from dashboard.actions.revisions import CONTROLLERREVISIONS
from dashboard.actions.rights import Right
from dashboard.actions.roles import role_name
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.usage import NODE_METRICS, POD_METRICS
from dashboard.kinds.webhooks import WEBHOOKS
from dashboard.kube.subjectreviews import SUBJECT_REVIEWS
from sandbox import Sandbox
from tools.server import Server

from .people import Person, Two, people
from .place import RBAC
from .roles import GROUP, attributes_of, is_allowed

pytestmark = pytest.mark.cluster

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
VERBS = (
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate",
)  # fmt: skip
SUBRESOURCES = {
    "pods": ("log", "exec", "attach", "portforward", "eviction", "ephemeralcontainers", "proxy", "status"),
    "nodes": ("proxy", "status"),
    "serviceaccounts": ("token",),
    "services": ("proxy",),
    "namespaces": ("finalize",),
    **dict.fromkeys(("deployments", "statefulsets", "replicasets"), ("scale", "status")),
}
OTHERS = (
    CONTROLLERREVISIONS, NODE_METRICS, POD_METRICS, DEFINITIONS.gvr, GVR("", "v1", "users", False),
    GVR("", "v1", "groups", False), GVR("certificates.k8s.io", "v1", "certificatesigningrequests", False),
    *(kind.gvr for kind in WEBHOOKS), SUBJECT_REVIEWS,
)  # fmt: skip
# Every page of a cluster that needs no more than its name.
PAGES = [
    reverse(str(pattern.name), args=["tests"])
    for pattern in get_resolver().url_patterns
    if str(pattern.pattern).startswith("c/") and pattern.pattern.converters.keys() == {"context"}
]
# What a page says of a missing right; "these" stands in the menu.
REFUSED = re.compile(r"\bmay not (?:list|get|read|watch) (?!these<)([^.<]*)")
# What no role holds: how full volumes are, and whether the cluster encrypts Secrets, is told to those who were given it.
NO_ROLES = ("nodes/proxy", "/metrics of the API server")
# Everything of a cluster that somebody could want to do.
EVERYTHING = [
    Right(verb, gvr, subresource)
    for gvr in (*(kind.gvr for kind in KINDS.values()), *OTHERS)
    for subresource in ("", *SUBRESOURCES.get(gvr.plural, ()))
    for verb in VERBS
]


def documents(file: str) -> dict[str, dict[str, Any]]:
    """The ClusterRoles of a file."""
    found = yaml.safe_load_all((DEPLOY / f"{file}.yaml").read_text())
    return {one["metadata"]["name"]: one for one in found if one["kind"] == "ClusterRole"}


class Granted:
    """The ClusterRoles of ``deploy/`` in a cluster under names of their own, and who has them."""

    def __init__(self, cluster: Sandbox) -> None:
        self.two, self.api = Two(cluster), cluster.api()
        self.mark = secrets.token_hex(3)
        self.made: list[str] = []

    def role(self, manifest: dict[str, Any]) -> str:
        name = f"{manifest['metadata']['name']}-{self.mark}-{len(self.made)}"
        self.api.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": manifest["rules"]})
        self.made.append(name)
        return name

    def account(self, name: str, *manifests: dict[str, Any]) -> str:
        """The token of an account that has these everywhere."""
        token = self.two.account(name, {}, self.role(manifests[0]))
        for manifest in manifests[1:]:
            bound = self.role(manifest)
            subject = {"kind": "ServiceAccount", "name": name, "namespace": self.two.home}
            ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": bound}
            self.api.post(
                f"{RBAC}/clusterrolebindings",
                {"metadata": {"name": bound}, "roleRef": ref, "subjects": [subject]},
            )
            self.two.bound.append(bound)
        return token

    def clean(self) -> None:
        self.two.clean()
        for name in self.made:
            self.api.delete(f"{RBAC}/clusterroles/{name}")


@pytest.fixture(scope="module")
def granted(cluster: Sandbox) -> Iterator[Granted]:
    made = Granted(cluster)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def tokens(granted: Granted) -> dict[RoleName, str]:
    found = documents("roles")
    return {role: granted.account(role, found[role_name(role)]) for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_is_for_and_nothing_else(
    granted: Granted, tokens: dict[RoleName, str], role: RoleName
) -> None:
    user, held = granted.two.name_of(role), rights_of(role)
    wrong = [
        f"{'may' if right not in held else 'may not'} {right}"
        for right in EVERYTHING
        if is_allowed(granted.api, user, attributes_of(right, granted.two.rose)) is not (right in held)
    ]
    assert not wrong
    assert held.keys() <= {*EVERYTHING}, "everything is asked about"


@pytest.mark.parametrize("mode", ["user", "impersonate"])
def test_the_account_of_the_dashboard_may_do_what_its_file_says_and_nothing_else(
    granted: Granted, mode: str
) -> None:
    granted.account(f"itself-{mode}", *documents(f"rbac-{mode}").values())
    user = granted.two.name_of(f"itself-{mode}")
    held = {*rights_of_the_cache(), *(Right(verb, KINDS["secrets"].gvr) for verb in ("list", "watch"))}
    wrong = [
        str(right)
        for right in EVERYTHING
        if is_allowed(granted.api, user, attributes_of(right, granted.two.rose)) is not (right in held)
    ]
    assert not wrong, "not even `impersonate users`, as long as nobody is named"
    named = product(("users", "groups"), ("jane@example.com", "shop-team", "system:masters", "system:admin"))
    may = {
        name
        for resource, name in named
        if is_allowed(granted.api, user, {"verb": "impersonate", "resource": resource, "name": name})
    }
    assert may == ({"jane@example.com", "shop-team"} if mode == "impersonate" else set())


@pytest.fixture(scope="module")
def server(cluster: Sandbox, granted: Granted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard whose own account has what ``deploy/rbac-user.yaml`` grants."""
    home = tmp_path_factory.mktemp("roles")
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    kubeconfig["users"][0]["user"] = {"token": granted.account("itself", *documents("rbac-user").values())}
    (home / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    settings = {"CLUSTER_UI_ACT_AS": "user", "CLUSTER_UI_SIGN_IN": "link,token"}
    with Server(home / "home", home / "kubeconfig", **settings) as server:
        yield server


@pytest.mark.parametrize("role", ROLES)
async def test_the_pages_of_a_role_open_and_no_other(
    server: Server, granted: Granted, tokens: dict[RoleName, str], role: RoleName
) -> None:
    sees = {
        each.kind.plural
        for each in abilities()
        if each.name == "see" and ROLES.index(each.role) <= ROLES.index(role)
    }
    word = granted.two.rose
    async with people(server) as (person,):
        assert (await person.sign_in(tokens[role]))[0] == 302
        for plural in KINDS:
            status, text = await person.get(f"/c/tests/{plural}/?format=json&namespace={word}")
            assert status == (200 if plural in sees else 403), (plural, text[:300])
        web = f"/c/tests/deployments/{word}/web-{word}/"
        for tab in ("", "yaml/", "events/", "logs/"):
            assert (await person.get(web + tab))[0] == 200, tab
        status, _ = await person.get(f"/c/tests/secrets/{word}/web-{word}/")
        assert (status == 200) is ("secrets" in sees)


@pytest.mark.parametrize("role", ROLES)
async def test_no_page_of_a_role_lacks_a_right_to_read(
    server: Server, tokens: dict[RoleName, str], role: RoleName
) -> None:
    """Every page of the cluster for who may read least and most, and of each kind an object's for the lowest role that
    sees it: what it is made of may be read by that role, but for what it says and no role holds.
    """
    order = ROLES.index(role)
    sees = {each.kind: ROLES.index(each.role) for each in abilities() if each.name == "see"}
    others = {kind.title for kind, lowest in sees.items() if lowest > order}
    titles = {kind.title for kind in sees}
    wrong, opened = [], 0

    async def look(person: Person, page: str) -> bool:
        """Notes what is wrong with a page; False where it is gone."""
        status, text = await person.get(page)
        for what in REFUSED.findall(text):
            named = titles & set(re.findall(r"\w+", what))
            if not what.startswith(NO_ROLES) and not (named and named <= others):
                wrong.append((page, what))
        if status not in (200, 404):
            wrong.append((page, str(status)))
        return status == 200

    async with people(server) as (person,):
        assert (await person.sign_in(tokens[role]))[0] == 302
        for page in PAGES if order in (0, len(ROLES) - 1) else []:
            assert await look(person, page), page
        for kind in (kind for kind, lowest in sees.items() if lowest == order):
            _, text = await person.get(f"/c/tests/{kind.plural}/?format=json")
            for row in json.loads(text)["rows"][:9]:  # other tests delete theirs
                name = row["name"].partition(" ")[0]  # without "(default)"
                at = f"/c/tests/{kind.plural}/{row.get('namespace') or '-'}/{name}/"
                if await look(person, at) and await look(person, f"{at}yaml/"):
                    opened += 1
                    break
    assert wrong == []
    assert opened >= sum(lowest == order for lowest in sees.values()) / 3
