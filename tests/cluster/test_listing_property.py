"""Whatever Roles and bindings there are: of every kind the dashboard lists what the API server lists to the same user,
cell by cell, counts as many, and exports them; whether it impersonates them or has their token.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
import secrets
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dashboard.kinds import KINDS
from sandbox import Sandbox
from sandbox.api import Api, ApiError
from tests.unit.kinds.server import printed
from tools.server import Server

from .people import GROUP, Person, people
from .place import RBAC, steady, until
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
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGE = re.compile(r"\b(\d+[smhdy])+\b")  # it goes on between two answers
COUNT = re.compile(r'id="nav-([a-z]+)" class="cnt">(.*?)</a>', re.DOTALL)
DEFAULT = " (default)"  # which kubectl puts behind the name of the default StorageClass
# A kind's rows by namespace and name: their cells by column, without ages.
Rows = dict[tuple[str, str], dict[str, str]]
GRANT = st.tuples(st.sampled_from([*NAMESPACES, ""]), st.booleans(), st.lists(RULE, min_size=1, max_size=3))


class Grove:
    """Two namespaces with objects, and one user of the cluster after the other, each with rights of their own."""

    def __init__(self, api: Api, server: Server) -> None:
        self.api, self.server = api, server
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
            subjects = [
                {"kind": "User", "name": user, "apiGroup": GROUP},
                {"kind": "ServiceAccount", "name": user, "namespace": self.namespaces["oak"]},
            ]
            ref = {"apiGroup": GROUP, "kind": kind, "name": name}
            self._make(bindings, name, {"roleRef": ref, "subjects": subjects})
        return user

    def token(self, user: str) -> str:
        """Of a ServiceAccount that has the same rights."""
        accounts = f"/api/v1/namespaces/{self.namespaces['oak']}/serviceaccounts"
        self.api.post(accounts, {"metadata": {"name": user}})
        answer = self.api.post(f"{accounts}/{user}/token", {"spec": {"expirationSeconds": 3600}})
        return str(answer["status"]["token"])

    def _make(self, path: str, name: str, manifest: dict[str, Any]) -> None:
        self.api.post(path, {"metadata": {"name": name}} | manifest)
        self.made.append(f"{path}/{name}")

    async def lists(self, client: aiohttp.ClientSession, user: str, plural: str) -> Rows | None:
        """What ``kubectl get --as`` shows, in all namespaces or else in each; None where it is refused everywhere."""
        gvr = KINDS[plural].gvr
        whole = await self._list(client, user, gvr.path(None))
        if whole is not None or not gvr.namespaced:
            return whole
        parts = [await self._list(client, user, gvr.path(each)) for each in self.namespaces.values()]
        seen = [part for part in parts if part is not None]
        return {key: row for part in seen for key, row in part.items()} if seen else None

    async def _list(self, client: aiohttp.ClientSession, user: str, path: str) -> Rows | None:
        url, sent = f"https://127.0.0.1:{self.api.port}{path}", {"Impersonate-User": user, "Accept": TABLE}
        async with client.get(url, headers=sent, ssl=self.trust) as answer:
            assert answer.status in (200, 403), (path, answer.status)
            if answer.status == 403:
                return None
            table = await answer.json()
        keys = list[str]()
        for column in table["columnDefinitions"]:
            key = re.sub("[^a-z0-9]+", "-", column["name"].lower()).strip("-")
            keys.append(f"{key}-2" if key in keys else key)
        return {
            (row["object"]["metadata"].get("namespace", ""), row["object"]["metadata"]["name"]): {
                key: AGE.sub("T", printed(cell)) for key, cell in zip(keys, row["cells"], strict=True)
            }
            for row in table["rows"] or ()
        }

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
    """One dashboard with the cluster twice: in ``tests`` it impersonates, in ``own`` it has people's tokens."""
    folder: Path = tmp_path_factory.mktemp("grove")
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["contexts"] += [{**config["contexts"][0], "name": "own"}]
    (folder / "config").write_text(yaml.safe_dump(config))
    settings = {"CLUSTER_UI_ACT_AS": "tests=impersonate,own=user", "CLUSTER_UI_SIGN_IN": "link,token"}
    with steady(cluster) as api, Server(folder / "home", folder / "config", **settings) as server:
        made = Grove(api, server)
        yield made
        made.clean()


async def compare(grove: Grove, user: str, owner: Person, mara: Person) -> None:
    """Everything that is shown to this user, in either mode, with what the API server lists to them."""
    mapped = {"subject": "user", "name": "mara", "context": "tests", "user": user}
    assert (await owner.post("/people/", **mapped))[0] == 302
    async with aiohttp.ClientSession() as client, people(grove.server) as (flora,):
        assert (await flora.sign_in(grove.token(user), "own"))[0] == 302
        ways, truth, said = {"tests": mara, "own": flora}, dict[str, Rows | None](), ""

        async def same(plural: str, forms: Mapping[str, str]) -> bool:
            nonlocal said
            rows = truth[plural] = await grove.lists(client, user, plural)
            for context, form in forms.items():
                url = f"/c/{context}/{plural}/?format={form}"
                status, text = await ways[context].get(url)
                if rows is None and status == 403:
                    continue
                if rows is None or status != 200:
                    said = f"{url}: {status} instead of {rows}: {text[:300]}"
                    return False
                if wrong := (listed if form == "json" else exported)(text, rows):
                    said = f"{url}: {wrong}"
                    return False
            return True

        async def counted() -> bool:
            nonlocal said
            for context, person in ways.items():
                shown = dict(COUNT.findall((await person.get(f"/c/{context}/"))[1]))
                for plural, rows in truth.items():
                    right = None if rows is None else len(rows)
                    if (count := _count(shown[plural])) != right:
                        said = f"{context}: {count} {plural} are counted instead of {right}"
                        truth[plural] = await grove.lists(client, user, plural)
                        return False
            return True

        try:  # other tests may be making objects meanwhile
            for at, plural in enumerate(PLURALS, grove.users):
                # What one has as JSON the other has as CSV; with the next user it is the other way round.
                forms = ("json", "csv") if at % 2 else ("csv", "json")
                await until(partial(same, plural, dict(zip(ways, forms, strict=True))), 30)
            await until(counted, 30)
        except TimeoutError:
            pytest.fail(said)


def listed(text: str, truth: Rows) -> str:
    """What a list as JSON says otherwise than the API server; "" for nothing."""
    answer, shown = json.loads(text), Rows()
    for row in answer["rows"]:
        del row["uid"]
        key = row.pop("namespace"), row["name"].removesuffix(DEFAULT)
        shown[key] = {column: AGE.sub("T", cell) for column, cell in row.items()}
    for key in sorted({*shown, *truth}):
        if shown.get(key) != truth.get(key):
            return f"{key}: {shown.get(key)} instead of {truth.get(key)}"
    if not answer["total"] == len(answer["rows"]) == len(truth):
        return f"{len(answer['rows'])} rows of {answer['total']} instead of {len(truth)}"
    return ""


def exported(text: str, truth: Rows) -> str:
    """The same of one as CSV, whose cells are for spreadsheets: by its names."""
    names = Counter(row["name"].removesuffix(DEFAULT) for row in csv.DictReader(StringIO(text, newline="")))
    names.subtract(name for _, name in truth)
    wrong = {name: count for name, count in names.items() if count}
    return str(wrong) if wrong else ""


def _count(shown: str) -> int | None:
    """What stands at the side of a kind; None for a lock, -1 for no number yet."""
    if "you may not list these" in shown:
        return None
    number = re.search(r'class="n(?: old)?">(\d+)', shown)
    return int(number[1]) if number else -1


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


def _everything(where: str) -> list[Any]:
    return [(where, False, [{"verbs": {"list"}, "plurals": {"*"}, "names": ()}])]


@given(grants=st.lists(GRANT, min_size=0, max_size=3))
@example(grants=_everything(""))
@example(grants=_everything("oak"))
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],  # a smaller example would take minutes
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_list_is_what_the_api_server_lists_to_the_same_user(
    grove: Grove, runner: tuple[asyncio.Runner, Person, Person], grants: list[Any]
) -> None:
    loop, owner, mara = runner
    user = grove.grant(grants)
    loop.run(compare(grove, user, owner, mara))
