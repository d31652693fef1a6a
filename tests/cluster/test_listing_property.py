"""Whatever Roles and bindings there are: of every kind the dashboard lists what the API server lists to the same user."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.kinds import KINDS
from sandbox import Sandbox
from sandbox.api import ApiError
from tools.server import Server

from .people import GROUP, Person
from .place import RBAC, until
from .test_every_action import TRIED

pytestmark = pytest.mark.cluster

PLURALS = sorted(KINDS)
NAMESPACES = ("oak", "elm")
# What a rule may be for: a verb that has nothing to do with lists must give none.
RULE = st.fixed_dictionaries(
    {
        "verbs": st.sets(
            st.sampled_from(["list", "list", "get", "watch", "patch", "*"]), min_size=1, max_size=3
        ),
        "plurals": st.sets(st.sampled_from([*PLURALS, "*"]), min_size=1, max_size=8),
        "names": st.sampled_from([(), (), (), ("scale",)]),
    }
)
GRANT = st.tuples(st.sampled_from([*NAMESPACES, ""]), st.booleans(), st.lists(RULE, min_size=1, max_size=3))


class Grove:
    """Two namespaces with objects, and one user of the cluster after the other, each with rights of their own."""

    def __init__(self, cluster: Sandbox, server: Server) -> None:
        self.api, self.server = cluster.api(), server
        self.mark = secrets.token_hex(3)
        self.namespaces = {word: f"{word}-{self.mark}" for word in NAMESPACES}
        for name in self.namespaces.values():
            self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
            for case, (plural, manifest, *_) in TRIED.items():
                if KINDS[plural].gvr.namespaced:
                    made = {"metadata": {"name": case.replace(" ", "-")}} | dict(manifest)
                    self.api.post(KINDS[plural].gvr.path(name), made)
        self.made = list[str]()
        self.users = 0
        self.trust = ssl.create_default_context(cafile=str(self.api.pki / "ca.crt"))
        self.trust.load_cert_chain(self.api.pki / "admin.crt", self.api.pki / "admin.key")

    def grant(self, grants: list[tuple[str, bool, list[dict[str, Any]]]]) -> str:
        """A new user with these: in a namespace by a Role or a ClusterRole, or in the whole cluster."""
        self.users += 1
        user = f"user-{self.users}-{self.mark}"
        for at, (where, shared, rules) in enumerate(grants):
            name = f"{user}-{at}"
            within = f"/namespaces/{self.namespaces[where]}" if where else ""
            kind = "ClusterRole" if shared or not where else "Role"
            roles = f"{RBAC}/clusterroles" if kind == "ClusterRole" else f"{RBAC}{within}/roles"
            bindings = f"{RBAC}{within}/rolebindings" if where else f"{RBAC}/clusterrolebindings"
            self._make(roles, name, {"rules": [_rule(each) for each in rules]})
            subject = {"kind": "User", "name": user, "apiGroup": GROUP}
            ref = {"apiGroup": GROUP, "kind": kind, "name": name}
            self._make(bindings, name, {"roleRef": ref, "subjects": [subject]})
        return user

    def _make(self, path: str, name: str, manifest: dict[str, Any]) -> None:
        self.api.post(path, {"metadata": {"name": name}} | manifest)
        self.made.append(f"{path}/{name}")

    async def lists(
        self, client: aiohttp.ClientSession, user: str, plural: str
    ) -> set[tuple[str, str]] | None:
        """What ``kubectl get --as`` shows, in all namespaces or else in each; None where it is refused everywhere."""
        gvr = KINDS[plural].gvr
        whole = await self._list(client, user, gvr.path(None))
        if whole is not None or not gvr.namespaced:
            return whole
        parts = [await self._list(client, user, gvr.path(each)) for each in self.namespaces.values()]
        seen = [part for part in parts if part is not None]
        return set[tuple[str, str]]().union(*seen) if seen else None

    async def _list(self, client: aiohttp.ClientSession, user: str, path: str) -> set[tuple[str, str]] | None:
        url = f"https://127.0.0.1:{self.api.port}{path}"
        async with client.get(url, headers={"Impersonate-User": user}, ssl=self.trust) as answer:
            assert answer.status in (200, 403), (path, answer.status)
            items = (await answer.json())["items"] if answer.status == 200 else None
        if items is None:
            return None
        return {(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in items}

    def clean(self) -> None:
        for path in (*self.made, *(f"/api/v1/namespaces/{name}" for name in self.namespaces.values())):
            with suppress(OSError, ApiError):
                self.api.delete(path)


def _rule(drawn: dict[str, Any]) -> dict[str, Any]:
    plurals = sorted(drawn["plurals"])
    every = "*" in plurals
    groups = ["*"] if every else sorted({KINDS[plural].gvr.group for plural in plurals})
    rule = {"verbs": sorted(drawn["verbs"]), "resources": plurals, "apiGroups": groups}
    return rule | ({"resourceNames": list(drawn["names"])} if drawn["names"] else {})


@pytest.fixture(scope="module")
def grove(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grove]:
    home = tmp_path_factory.mktemp("grove") / "home"
    with Server(home, cluster.kubeconfig, CLUSTER_UI_ACT_AS="impersonate") as server:
        made = Grove(cluster, server)
        yield made
        made.clean()


async def differences(grove: Grove, user: str, owner: Person, mara: Person) -> list[str]:
    mapped = {"subject": "user", "name": "mara", "context": "tests", "user": user}
    assert (await owner.post("/people/", **mapped))[0] == 302
    wrong = list[str]()
    async with aiohttp.ClientSession() as client:
        for plural in PLURALS:
            said = ""

            async def same(plural: str = plural) -> bool:
                nonlocal said
                truth = await grove.lists(client, user, plural)
                status, text = await mara.get(f"/c/tests/{plural}/?format=json")
                answer = json.loads(text)
                if truth is None or status != 200:
                    said = f"{plural}: {status} instead of {truth}: {text[:300]}"
                    return truth is None and status == 403
                # A StorageClass that is the default has that behind its name, as kubectl shows it.
                shown = {(row["namespace"], row["name"].removesuffix(" (default)")) for row in answer["rows"]}
                said = f"{plural}: {sorted(shown ^ truth)[:5]} of {len(truth)}, {answer['total']}"
                return shown == truth and answer["total"] == len(truth)

            try:
                await until(same, 15)  # other tests may be making objects meanwhile
            except TimeoutError:
                wrong.append(said)
    return wrong


@pytest.fixture(scope="module")
def runner(grove: Grove) -> Iterator[tuple[asyncio.Runner, Person, Person]]:
    with asyncio.Runner() as runner:
        owner, mara = runner.run(_signed_in(grove.server))
        yield runner, owner, mara
        for person in (owner, mara):
            runner.run(person.client.close())


async def _signed_in(server: Server) -> tuple[Person, Person]:
    owner, mara = Person(server), Person(server)
    await owner.begin()
    await mara.begin("mara")
    return owner, mara


@given(grants=st.lists(GRANT, min_size=0, max_size=3))
@settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_every_list_is_what_the_api_server_lists_to_the_same_user(
    grove: Grove, runner: tuple[asyncio.Runner, Person, Person], grants: list[Any]
) -> None:
    loop, owner, mara = runner
    user = grove.grant(grants)
    assert loop.run(differences(grove, user, owner, mara)) == []
