"""What the tests of changes share: a namespace with one way to it, an account with few rights, a rule that refuses."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, ClassVar

from dashboard.errors import Forbidden, Invalid
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from sandbox.api import Api, ApiError

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MERGE = "application/merge-patch+json"
SETTLE_SECONDS = 60.0

Rule = dict[str, Any]  # of a Role, or of an admission policy


class Listed:
    """The objects of a namespace as the API server lists them now."""

    def __init__(self, found: dict[str, Sequence[Any]]) -> None:
        self._found = found

    @classmethod
    async def now(
        cls,
        transport: Transport,
        namespace: str,
        plurals: Collection[str],
        kinds: Mapping[str, Kind[Any]] = KINDS,
    ) -> Listed:
        found = {}
        for plural in plurals:
            kind = kinds[plural]
            within = namespace if kind.gvr.namespaced else None
            response = await transport.request(
                "GET", kind.gvr, namespace=within, accept=kind.accept, query=kind.query
            )
            found[plural] = kind.decode_list(response.body).items
        return cls(found)

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self._found.get(plural, ())

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return next((one for one in self.all(plural) if one.metadata.name == name), None)

    def reads(self, plural: str, namespace: str = "") -> bool:
        return plural in self._found


class Place:
    """A namespace, one user's way to it, and the administrator's. ``reads`` are the kinds that ``objects`` lists."""

    reads: ClassVar[Collection[str]] = ()

    def __init__(self, cluster: Sandbox, transport: Transport, namespace: str) -> None:
        self.sandbox, self.api = cluster, cluster.api()
        self.transport = transport
        self.namespace = namespace

    def make(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Creates an object; ``{ns}`` in the path is the namespace."""
        return self.api.post(path.format(ns=self.namespace), manifest)

    async def by_hand(self, command: str, folder: Path) -> None:
        """Pastes a command into a shell."""
        path = f"{self.sandbox.kubectl.parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "KUBECONFIG": str(self.sandbox.kubeconfig)}
        run = await asyncio.create_subprocess_exec(
            "sh", "-c", command, env=environment, cwd=folder, stdout=PIPE, stderr=STDOUT, stdin=DEVNULL
        )
        said, _ = await asyncio.wait_for(run.communicate(), 60)
        assert run.returncode == 0, f"{command}: {said.decode()}"

    async def objects(self) -> Listed:
        return await Listed.now(self.transport, self.namespace, self.reads)

    @asynccontextmanager
    async def restricted(self, *rules: Rule) -> AsyncIterator[Transport]:
        """A way in as the ServiceAccount "reader", with the Role "reader" of these rules."""
        account = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.api.post(account, {"metadata": {"name": "reader"}})
        self.make(f"{RBAC}/namespaces/{{ns}}/roles", {"metadata": {"name": "reader"}, "rules": list(rules)})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
        subject = {"kind": "ServiceAccount", "name": "reader", "namespace": self.namespace}
        self.make(
            f"{RBAC}/namespaces/{{ns}}/rolebindings",
            {"metadata": {"name": "reader"}, "roleRef": role, "subjects": [subject]},
        )
        answer = self.api.post(f"{account}/reader/token", {"spec": {"expirationSeconds": 600}})
        owner = self.transport.cluster
        connection = dataclasses.replace(owner.connection, user={"token": answer["status"]["token"]})
        transport = Transport(dataclasses.replace(owner, user="reader", connection=connection))
        try:
            yield transport
        finally:
            await transport.close()

    async def allow_only(
        self, transport: Transport, *rules: Rule, refused: str, name: str, subresource: str | None = None
    ) -> None:
        """Leaves the "reader" these rules, and waits until a patch of the object (of the kind ``refused``) is refused."""
        self.api.patch(f"{RBAC}/namespaces/{self.namespace}/roles/reader", {"rules": list(rules)})

        async def is_refused() -> bool:
            try:
                await transport.request(
                    "PATCH", KINDS[refused].gvr, namespace=self.namespace, name=name, subresource=subresource,
                    query={"dryRun": "All"}, body=b"{}", content_type=MERGE,
                )  # fmt: skip
            except Forbidden:
                return True
            return False

        await until(is_refused)

    @asynccontextmanager
    async def refusing(
        self, *rules: Rule, expression: str, probe: Callable[[], Awaitable[Any]], **validation: str
    ) -> AsyncIterator[str]:
        """A ValidatingAdmissionPolicy for the namespace, once it refuses ``probe``; gives what it says.

        ``validation`` is ``message`` or ``messageExpression``.
        """
        name = f"test-{secrets.token_hex(4)}"
        # Who acts from here is refused; controllers go on.
        people = {"name": "people", "expression": "!request.userInfo.username.startsWith('system:')"}
        spec = {
            "matchConstraints": {"resourceRules": list(rules)},
            "matchConditions": [people],
            "validations": [{"expression": expression, **validation}],
        }
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}

        async def said() -> str:
            try:
                await probe()
            except Invalid as error:
                return error.message
            return ""

        try:
            for plural, made in (("policies", spec), ("policybindings", binding)):
                self.api.post(
                    f"{ADMISSION}/validatingadmission{plural}", {"metadata": {"name": name}, "spec": made}
                )
            yield str(await until(said))
        finally:
            for plural in ("policybindings", "policies"):
                with suppress(ApiError):  # one that was never made
                    self.api.delete(f"{ADMISSION}/validatingadmission{plural}/{name}")

    @asynccontextmanager
    async def mutating(
        self, *rules: Rule, patch: str, when: str, probe: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[None]:
        """A MutatingAdmissionPolicy for the namespace, in force once ``probe`` sees its work. ``patch`` is a CEL list of
        JSON patches, made where ``when`` holds.
        """
        name = f"test-{secrets.token_hex(4)}"
        spec = {
            "matchConstraints": {"resourceRules": list(rules)},
            "matchConditions": [{"name": "when", "expression": when}],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        }
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        binding = {"policyName": name, "matchResources": here}
        try:
            for plural, made in (("policies", spec), ("policybindings", binding)):
                self.api.post(
                    f"{ADMISSION}/mutatingadmission{plural}", {"metadata": {"name": name}, "spec": made}
                )
            await until(probe)
            yield
        finally:
            for plural in ("policybindings", "policies"):
                with suppress(ApiError):  # one that was never made
                    self.api.delete(f"{ADMISSION}/mutatingadmission{plural}/{name}")


class _Steady(Api):
    @cached_property
    def kept(self) -> HTTPSConnection:
        made = super().connection(60.0)
        made.close = lambda: None  # type: ignore[method-assign]
        return made

    def connection(self, timeout: float) -> HTTPSConnection:
        return self.kept


@contextmanager
def steady(cluster: Sandbox) -> Iterator[Api]:
    """The API over one connection: a handshake for each of very many requests takes longer than what they ask for."""
    made = _Steady(cluster.api().port, cluster.api().pki)
    try:
        yield made
    finally:
        HTTPSConnection.close(made.kept)


def rule(group: str, resource: str, *verbs: str) -> Rule:
    """A rule of a Role."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def on(operation: str, group: str, resource: str) -> Rule:
    """What an admission policy looks at."""
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": [operation],
        "resources": [resource],
    }


async def until(check: Callable[[], Awaitable[Any]], seconds: float = SETTLE_SECONDS) -> Any:
    """What ``check`` gives, once that is anything."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await check():
                return found
            await asyncio.sleep(0.2)
