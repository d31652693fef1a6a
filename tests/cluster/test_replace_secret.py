"""Replacing an immutable Secret of a real API server: workloads and Ingresses are pointed to the new one and back, and no
value is in an answer, a record or the log.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions import rollout_steps
from dashboard.actions.replace_secret import REPLACE_SECRET
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from sandbox import Sandbox
from sandbox.api import ApiError
from tests.formed import Script, open_forms

from . import test_replace
from .place import on, rule, until
from .test_replace import Shop, ends, told

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

OLD, KEPT, NEW = "old-canary-value", "kept-canary-value", "new-canary-value"
ENV = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]
FILES = {"name": "files", "secret": {"secretName": "db"}}
TLS = [{"hosts": ["shop.example.com"], "secretName": "db"}]


class Vault(Shop):
    """The same with an immutable Secret "db"."""

    reads = REPLACE_SECRET.reads | REPLACE_SECRET.follows
    action = REPLACE_SECRET

    @property
    def secrets(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets"

    def script(self, name: str = "db", **typed: str) -> Script:
        return Script(
            self.client,
            f"/c/sandbox/secrets/{self.namespace}/{name}/replace/",
            {"value.password": NEW} | typed,
        )

    def ingress(self) -> None:
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        rules = [
            {
                "host": "shop.example.com",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }
        ]
        self.make(
            "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
            {"metadata": {"name": "shop"}, "spec": {"rules": rules, "tls": TLS}},
        )

    def shown_by(self) -> str:
        found = self.api.get(f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/ingresses/shop")
        return str(found["spec"]["tls"][0]["secretName"])

    def data(self, name: str) -> dict[str, str]:
        found = self.api.get(f"{self.secrets}/{name}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in found.items()}

    def named(self) -> tuple[str, str]:
        spec = self.template("web")["spec"]
        env = spec["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["name"]
        return str(env), str(spec["volumes"][0]["secret"]["secretName"])


@pytest.fixture
async def vault(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Vault:
    monkeypatch.setattr(rollout_steps, "SETTLES_SECONDS", 1.0)
    monkeypatch.setattr(rollout_steps, "HANGS_SECONDS", 3.0)
    monkeypatch.setattr(test_replace, "NEEDS", {})  # its containers look at another variable
    here = Vault(cluster, transport, namespace)
    held = {"stringData": {"password": OLD, "user": KEPT}, "immutable": True}
    here.api.post(here.secrets, {"metadata": {"name": "db", "labels": {"team": "shop"}}} | held)
    here.client = AsyncClient()
    await here.client.aforce_login(await User.objects.acreate(username="mara"))
    here.session = open_forms(monkeypatch, transport, None)
    return here


async def test_all_who_use_it_are_pointed_to_the_new_one_and_back(
    vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    template: dict[str, Any] = {"container": {"env": ENV}, "volumes": [FILES]}
    vault.workload("web", **template)
    vault.ingress()
    await vault.up("web")
    shown = await vault.preview()
    effects = told(shown)
    assert effects["Ingress shop: TLS of shop.example.com"]["word"] == "stage 2"
    change = await vault.apply(shown["token"])
    await vault.begin(change)
    operation = await vault.follow(change)
    assert (operation.state, ends(operation)) == ("done", {"web": "done", "shop": "done"})
    assert (vault.named(), vault.shown_by()) == (("db-2", "db-2"), "db-2")
    assert vault.data("db-2") == {"password": NEW, "user": KEPT} and vault.data("db")["password"] == OLD
    made = vault.api.get(f"{vault.secrets}/db-2")
    assert (made["immutable"], made["type"], made["metadata"]["labels"]) == (True, "Opaque", {"team": "shop"})

    undone = await vault.undo(change)
    back = await vault.follow(undone)
    assert ends(back) == {"shop": "done", "web": "done", "db-2": "done"}
    assert (vault.named(), vault.shown_by()) == (("db", "db"), "db")
    with pytest.raises(ApiError):
        vault.api.get(f"{vault.secrets}/db-2")
    records = [vars(each) async for each in Change.objects.all()]
    records += [vars(each) async for each in AuditEntry.objects.all()]
    records += [vars(each) async for each in Operation.objects.all()]
    heard = repr((shown, records)) + caplog.text
    for text in (OLD, KEPT, NEW):
        assert text not in heard and base64.b64encode(text.encode()).decode() not in heard


async def test_a_policy_that_quotes_the_values_tells_nobody(vault: Vault) -> None:
    async def probe() -> None:
        await vault.transport.request(
            "POST", KINDS["secrets"].gvr, namespace=vault.namespace, query={"dryRun": "All"},
            content_type="application/json", body=b'{"metadata": {"name": "probe"}, "data": {"password": "cHJvYmU="}}',
        )  # fmt: skip

    quoted = "'You wrote ' + string(object.data.password)"
    async with vault.refusing(
        on("CREATE", "", "secrets"), expression="false", probe=probe, messageExpression=quoted
    ):
        await vault.look()
        status, answer = await vault.script().post(step="preview")
    assert status == 422 and "You wrote (hidden)" in answer["error"]["text"]
    assert base64.b64encode(NEW.encode()).decode() not in repr(answer)


async def test_whoever_may_not_create_secrets_is_told_which_right_is_missing(vault: Vault) -> None:
    async with vault.restricted(rule("", "secrets", "get", "list", "patch")) as reader:
        vault.session.transport = reader
        await vault.look()
        status, answer = await vault.script().post(step="preview")
    assert (
        status == 403 and f"may not create secrets in namespace {vault.namespace}" in answer["error"]["text"]
    )


async def test_one_that_was_deleted_and_recreated_is_a_conflict(vault: Vault) -> None:
    shown = await vault.preview()
    vault.api.delete(f"{vault.secrets}/db")

    async def gone() -> bool:
        try:
            vault.api.get(f"{vault.secrets}/db")
        except ApiError:
            return True
        return False

    await until(gone)
    vault.api.post(vault.secrets, {"metadata": {"name": "db"}, "stringData": {"password": OLD}})
    status, answer = await vault.script().post(step="apply", token=shown["token"])
    assert status == 409 and "recreated" in answer["error"]["text"]


async def test_while_it_is_replaced_it_is_not_replaced_again(vault: Vault) -> None:
    vault.workload("web", container={"env": ENV}, volumes=[FILES])
    await vault.up("web")
    early = await vault.preview()
    change = await vault.apply((await vault.preview())["token"])
    for sent in ({"step": "preview"}, {"step": "apply", "token": early["token"]}):
        await vault.look()
        status, answer = await vault.script().post(**sent)
        assert status == 409 and answer["error"]["title"] == "A replacement is under way", answer
        assert "is being pointed to db-2 already" in answer["error"]["text"]
    await vault.begin(change)
    await vault.follow(change)
    assert (await vault.preview())["token"]
