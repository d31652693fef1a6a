"""People with accounts of their own in one cluster, as scripts use a dashboard: two namespaces, each with its words."""

from __future__ import annotations

import asyncio
import html
import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from sandbox import Sandbox
from tools.server import Server

from .place import RBAC

GROUP = "rbac.authorization.k8s.io"


class Two:
    """Two namespaces of a cluster, ``rose`` and ``teal``, with the same objects under names that hold their own word, and
    ServiceAccounts with different rights in them. No other word holds either.
    """

    def __init__(self, cluster: Sandbox) -> None:
        self.cluster, self.api = cluster, cluster.api()
        mark = secrets.token_hex(3)
        self.rose, self.teal, self.home = f"rosegarden-{mark}", f"tealharbour-{mark}", f"people-{mark}"
        self.bound: list[str] = []
        self.values: dict[str, str] = {}
        self.api.post("/api/v1/namespaces", {"metadata": {"name": self.home}})
        for word in (self.rose, self.teal):
            self._fill(word)

    def _fill(self, word: str) -> None:
        api, labels = self.api, {"app": f"web-{word}"}
        api.post("/api/v1/namespaces", {"metadata": {"name": word}})
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [{"name": f"c-{word}", "image": "web:1"}],
                "nodeSelector": {
                    "no": word
                },  # it never runs: its Events and problems are there to be told of
            },
        }
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        self.values[word] = f"canary-{secrets.token_hex(8)}"
        for path, manifest in (
            (
                f"/apis/apps/v1/namespaces/{word}/deployments",
                {"metadata": {"name": f"web-{word}"}, "spec": spec},
            ),
            (
                f"/api/v1/namespaces/{word}/configmaps",
                {"metadata": {"name": f"web-{word}"}, "data": {"k": word}},
            ),
            (
                f"/api/v1/namespaces/{word}/secrets",
                {"metadata": {"name": f"web-{word}"}, "stringData": {"password": self.values[word]}},
            ),
            (
                f"/api/v1/namespaces/{word}/services",
                {"metadata": {"name": f"web-{word}"}, "spec": {"selector": labels, "ports": [{"port": 80}]}},
            ),
        ):
            api.post(path, manifest)

    def account(
        self, name: str, roles: Mapping[str, Iterable[Mapping[str, Any]]], cluster_role: str = ""
    ) -> str:
        """The token of a new ServiceAccount in a third namespace, with rules in namespaces or a ClusterRole."""
        home = f"/api/v1/namespaces/{self.home}/serviceaccounts"
        self.api.post(home, {"metadata": {"name": name}})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.home}
        self.grant(name, [subject], roles, cluster_role)
        answer = self.api.post(f"{home}/{name}/token", {"spec": {"expirationSeconds": 3600}})
        return str(answer["status"]["token"])

    def grant(
        self,
        name: str,
        subjects: list[dict[str, str]],
        roles: Mapping[str, Iterable[Mapping[str, Any]]],
        cluster_role: str = "",
    ) -> None:
        for namespace, rules in roles.items():
            where = f"{RBAC}/namespaces/{namespace}"
            self.api.post(f"{where}/roles", {"metadata": {"name": name}, "rules": list(rules)})
            ref = {"apiGroup": GROUP, "kind": "Role", "name": name}
            self.api.post(
                f"{where}/rolebindings", {"metadata": {"name": name}, "roleRef": ref, "subjects": subjects}
            )
        if cluster_role:
            bound = f"{name}-{self.home}"
            ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": cluster_role}
            self.api.post(
                f"{RBAC}/clusterrolebindings",
                {"metadata": {"name": bound}, "roleRef": ref, "subjects": subjects},
            )
            self.bound.append(bound)

    def name_of(self, account: str) -> str:
        return f"system:serviceaccount:{self.home}:{account}"

    async def truth(self, token: str, path: str, **headers: str) -> tuple[int, Any]:
        """What the API server itself answers to whoever has this token, as ``kubectl --token`` asks it."""
        trusted = ssl.create_default_context(cafile=str(self.api.pki / "ca.crt"))
        async with aiohttp.ClientSession(f"https://127.0.0.1:{self.api.port}") as client:
            sent = {"Authorization": f"Bearer {token}", **headers}
            async with client.get(path, headers=sent, ssl=trusted) as response:
                return response.status, await response.json()

    def clean(self) -> None:
        for name in self.bound:
            self.api.delete(f"{RBAC}/clusterrolebindings/{name}")
        for word in (self.rose, self.teal, self.home):
            self.api.delete(f"/api/v1/namespaces/{word}")


class Person:
    """A browser, or a script, of somebody: their cookies and what they ask."""

    def __init__(self, server: Server) -> None:
        # The server closes connections that were idle for 5 s: one that it is closing takes no POST.
        connector = aiohttp.TCPConnector(keepalive_timeout=2)
        jar = aiohttp.CookieJar(unsafe=True)
        self.client = aiohttp.ClientSession(server.base, cookie_jar=jar, connector=connector)
        self.server = server

    async def get(self, url: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(url, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text()

    async def json(self, url: str) -> Any:
        status, text = await self.get(url)
        assert status == 200, (url, status, text[:500])
        return json.loads(text)

    async def post(self, url: str, **fields: str) -> tuple[int, str]:
        async with self.client.post(url, data=fields, allow_redirects=False) as response:
            return response.status, await response.text()

    async def sign_in(self, token: str, context: str = "tests") -> tuple[int, str]:
        """With a token, by the form of the sign-in page."""
        _, page = await self.get(f"/login/token/?context={context}")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, page[-2000:]
        answer = await self.post("/login/token/", token=token, context=context, csrfmiddlewaretoken=found[1])
        await self._take_token()
        return answer

    async def begin(self, user: str = "owner", link: str = "") -> None:
        """Signs in as a local user, by a link."""
        link = link or await asyncio.to_thread(self.server.signin_link, user)
        _, page = await self.get(link.removeprefix(self.server.base))
        form = dict(re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', page))
        assert (await self.post("/login/link/", **form))[0] == 302
        await self._take_token()

    async def _take_token(self) -> None:
        """For what it posts from now on."""
        _, page = await self.get("/changes/")
        if found := re.search(r'"X-CSRFToken": "([^"]+)"', html.unescape(page)):
            self.client.headers["X-CSRFToken"] = found[1]

    @asynccontextmanager
    async def socket(self, path: str = "/ws/c/tests/") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.client.ws_connect(path, origin=self.server.base) as opened:
            yield opened


@asynccontextmanager
async def people(server: Server, count: int = 1) -> AsyncIterator[list[Person]]:
    """So many, none of them signed in."""
    made = [Person(server) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            await each.client.close()
