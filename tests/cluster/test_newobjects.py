"""The forms of new objects on a real API server, as a script sends them: preview, apply, undo, and every refusal."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.newobjects.registry import NEW_OBJECTS, new_object
from dashboard.actions.newobjects.typed import read_form
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kinds.catalogue import Kinds
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from sandbox.api import ApiError
from tests.formed import Script, open_creation

from .place import Place, on, rule, until
from .stopping import STOPPED, stopped_way

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

# What each form is tried with, besides a name and a namespace.
TRIED: dict[str, dict[str, str]] = {
    "deployments": {
        "image": "nginx:1.27", "replicas": "1", "port": "80", "requests_cpu": "10m",
        "env.name": "LOG", "env.source": "value", "env.from": "info", "readiness": "http",
    },
    "services": {
        "selector.key": "app", "selector.value": "web", "ports.port": "80", "ports.target": "http", "type": "ClusterIP",
    },
    "ingresses": {
        "rules.host": "shop.example.com", "rules.path": "/", "rules.service": "web", "rules.port": "80",
        "tls.secret": "web-tls",
    },
    "configmaps": {"data.key": "LOG", "data.value": "info"},
    "secrets": {"data.key": "password", "data.value": "hunter2"},
    "persistentvolumeclaims": {"size": "1Gi", "class": "standard"},
    "poddisruptionbudgets": {"rule": "minAvailable", "amount": "1", "selector.key": "app", "selector.value": "web"},
    "namespaces": {},
}  # fmt: skip
QUOTA = {"hard": {"count/services": "0"}}


def test_every_form_is_tried() -> None:
    assert list(TRIED) == [form.plural for form in NEW_OBJECTS]


class Here(Place):
    plural = ""

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.plural]

    @property
    def name(self) -> str:
        """What belongs to no namespace must not meet what another test makes."""
        return "web" if self.kind.gvr.namespaced else f"{self.namespace}-made"

    @property
    def path(self) -> str:
        return self.kind.gvr.path(self.namespace if self.kind.gvr.namespaced else None)

    def found(self) -> dict[str, Any] | None:
        """What people wrote of it; controllers go on with the rest."""
        try:
            found = self.api.get(f"{self.path}/{self.name}")
        except ApiError:
            return None
        meta = {key: found["metadata"].get(key) for key in ("uid", "labels", "deletionTimestamp")}
        return {"metadata": meta, **{key: found.get(key) for key in ("spec", "data")}}

    async def script(
        self, monkeypatch: pytest.MonkeyPatch, transport: Transport | None = None, **typed: str
    ) -> Script:
        client = AsyncClient()
        await client.aforce_login((await User.objects.aget_or_create(username="mara"))[0])
        kinds = Kinds()
        kinds.learn(await discover(self.transport))
        open_creation(monkeypatch, transport or self.transport, await self.objects(), kinds)
        sent = {"name": self.name, "namespace": self.namespace, **TRIED[self.plural], **typed}
        return Script(client, f"/c/tests/create/{self.plural}/", sent)

    reads = frozenset(
        {"namespaces", *(plural for form in NEW_OBJECTS for plural in {*form.reads, form.plural})}
    )


@pytest.fixture(params=TRIED)
def here(request: pytest.FixtureRequest, cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    place = Here(cluster, transport, namespace)
    place.plural = str(request.param)
    return place


async def test_previewed_applied_and_undone(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    script = await here.script(monkeypatch)
    shown = await script.preview()
    assert shown["token"] and shown["diff"]
    assert bool(shown["kubectl"]) is (here.plural != "secrets"), "no value stands in a command"
    assert here.found() is None, "a preview creates nothing"
    if here.plural == "ingresses":
        warned = [each["text"] for each in shown["notices"] if each["state"] == "warn"]
        assert any("Service web" in each for each in warned), "a script sees no inputs"
    made = await script.apply(shown["token"])
    assert await script.apply(shown["token"]) == made, "one token, one change"
    found = here.found()
    assert found is not None
    change = await Change.objects.aget()
    assert (change.state, change.action, change.plural, change.name) == (
        "done",
        "create",
        here.plural,
        here.name,
    )
    undo = Script(script.client, f"{made['url']}undo/", {"confirm": here.name})
    await undo.apply((await undo.preview())["token"])

    async def gone() -> Any:
        there = here.found()
        return there is None or there["metadata"]["deletionTimestamp"]

    assert await until(gone)
    assert [entry.result async for entry in AuditEntry.objects.order_by("pk")] == ["done", "done"]


async def test_its_kubectl_command_can_be_pasted_and_creates_the_same(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = await here.script(monkeypatch)
    shown = await script.preview()
    if here.plural == "secrets":
        assert shown["kubectl_note"].startswith("No command: a Secret's values")
        return

    def made() -> str:
        found = here.found() or {}
        for name in ("clusterIP", "clusterIPs", "finalizers"):
            (found.get("spec") or {}).pop(name, None)
        return json.dumps({**found, "metadata": found["metadata"]["labels"]}, sort_keys=True)

    await here.by_hand(shown["kubectl"], tmp_path)
    by_hand = made()
    here.api.delete(f"{here.path}/{here.name}?gracePeriodSeconds=0")

    async def gone() -> bool:
        return here.found() is None

    await until(gone, 120)
    await script.apply((await script.preview())["token"])
    assert made() == by_hand


async def test_a_name_that_is_taken_meanwhile_changes_nothing(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(monkeypatch)
    token = (await script.preview())["token"]
    other = new_object(here.plural)
    text = other.manifests(_read(here, script))[0]
    text["metadata"]["labels"] = {"made-by": "somebody-else"}
    here.api.post(here.path, text)
    before = here.found()
    status, answer = await script.post(step="apply", token=token)
    assert status == 409, answer
    status, answer = await script.post(step="preview")
    assert (status, answer["error"]["field"]) == (409, "name")
    assert f"{here.name} is there already" in answer["error"]["text"]
    assert here.found() == before


def _read(here: Here, script: Script) -> dict[str, Any]:
    sent = {name: [text] for name, text in script.typed.items()}
    return read_form(new_object(here.plural), sent).values


async def test_who_may_not_create_is_told_which_right_is_missing(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = here.kind.gvr.group
    async with here.restricted(rule(group, here.plural, "get", "list", "patch")) as reader:
        script = await here.script(monkeypatch, reader)
        status, answer = await script.post(step="preview")
    assert status == 403
    where = f" in namespace {here.namespace}" if here.kind.gvr.namespaced else ""
    assert f"Your account may not create {here.plural}{where}." in answer["error"]["text"]
    assert answer["error"]["field"] == ("namespace" if where else "name")
    assert here.found() is None


async def test_an_admission_policy_refuses_in_its_words(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    if not here.kind.gvr.namespaced:
        pytest.skip("The policy of these tests is for one namespace.")
    script = await here.script(monkeypatch)

    async def probe() -> None:
        await here.transport.request(
            "POST", here.kind.gvr, namespace=here.namespace, query={"dryRun": "All"}, content_type="application/json",
            body=_body(here, script),
        )  # fmt: skip

    rules = on("CREATE", here.kind.gvr.group, here.plural)
    refused = "a team label is needed"
    async with here.refusing(
        rules,
        expression="has(object.metadata.labels) && 'team' in object.metadata.labels",
        probe=probe,
        message=refused,
    ):
        status, answer = await script.post(step="preview")
    assert status == 422 and refused in answer["error"]["text"]
    assert here.found() is None


def _body(here: Here, script: Script) -> bytes:
    return json.dumps(new_object(here.plural).manifests(_read(here, script))[0]).encode()


async def test_what_a_quota_refuses_stands_at_the_input_that_it_counts(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(cluster, transport, namespace)
    here.plural = "services"
    here.make("/api/v1/namespaces/{ns}/resourcequotas", {"metadata": {"name": "small"}, "spec": QUOTA})

    async def counted() -> bool:
        found = here.api.get(f"/api/v1/namespaces/{namespace}/resourcequotas/small")
        return "count/services" in found.get("status", {}).get("hard", {})

    await until(counted)
    script = await here.script(monkeypatch)
    status, answer = await script.post(step="preview")
    assert status == 403 and "exceeded quota: small" in answer["error"]["text"]
    assert answer["error"]["field"] == "name"


async def test_what_comes_between_preview_and_apply_makes_nothing(
    here: Here, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    """A policy, and a quota that counts it."""
    script = await here.script(monkeypatch)
    token = (await script.preview())["token"]
    async with stopped_way(here.transport, here.namespace, stopped) as refused:
        other = await here.script(monkeypatch, refused)
        status, answer = await other.post(step="apply", token=token)
    assert (status, STOPPED in answer["error"]["text"]) == (422, True), answer
    assert here.found() is None
    if here.kind.gvr.namespaced:
        group = here.kind.gvr.group
        counted = f"count/{here.plural}.{group}" if group else f"count/{here.plural}"
        quota = {"metadata": {"name": "none"}, "spec": {"hard": {counted: "0"}}}
        here.make("/api/v1/namespaces/{ns}/resourcequotas", quota)
        script = await here.script(monkeypatch)

        async def told() -> bool:
            _, answer = await script.post(step="preview")
            return "exceeded quota: none" in str(answer)

        await until(told)
        status, answer = await script.post(step="apply", token=token)
        assert (status, "exceeded quota: none" in answer["error"]["text"]) == (403, True), answer
        assert here.found() is None
    assert not await Change.objects.aexists()
    assert {entry.result async for entry in AuditEntry.objects.all()} == {"refused"}


async def test_a_deployment_and_its_service_are_made_and_undone_together(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(cluster, transport, namespace)
    here.plural = "deployments"
    script = await here.script(monkeypatch, service="true")
    shown = await script.preview()
    assert [each["object"].split()[0] for each in shown["documents"]] == ["Service", "Deployment"]
    made = await script.apply(shown["token"])
    service = KINDS["services"].gvr.path(namespace, "web")
    assert here.found() is not None
    assert here.api.get(service)["spec"]["selector"] == {"app.kubernetes.io/name": "web"}
    status, answer = await script.post(step="preview")
    assert (status, answer["error"]["field"]) == (409, "name")
    undo = Script(script.client, f"{made['url']}undo/", {"confirm": "web"})
    await undo.apply((await undo.preview())["token"])

    async def gone() -> bool:
        try:
            return bool(here.api.get(service)["metadata"].get("deletionTimestamp"))
        except ApiError:
            return here.found() is None

    assert await until(gone)


async def test_a_read_only_context_is_refused(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = dataclasses.replace(here.transport.cluster, is_sandbox=False)
    monkeypatch.setattr(here.transport, "cluster", elsewhere)
    script = await here.script(monkeypatch)
    status, answer = await script.post(step="preview")
    assert (status, answer["error"]["title"]) == (403, "Read-only")


SECRETS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "opaque": ({"data.key": "word", "data.value": "canary-1"}, ("generic", "--from-literal=word=canary-1")),
    "registry": (
        {"server": "registry.example.com", "username": "canary-2", "password": "canary-3"},
        (
            "docker-registry", "--docker-server=registry.example.com", "--docker-username=canary-2",
            "--docker-password=canary-3",
        ),
    ),
    "basic-auth": (
        {"username": "canary-4", "password": "canary-5"},
        (
            "generic", "--type=kubernetes.io/basic-auth", "--from-literal=username=canary-4",
            "--from-literal=password=canary-5",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", SECRETS)
async def test_a_secret_is_what_kubectl_makes_and_is_never_sent_back(
    cluster: Sandbox,
    transport: Transport,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variant: str,
) -> None:
    here = Here(cluster, transport, namespace)
    here.plural = "secrets"
    typed, command = SECRETS[variant]
    script = await here.script(monkeypatch)
    typed |= {"name": "web", "namespace": namespace}
    page = Script(script.client, f"{script.url}?type={variant}", typed)
    said = [
        await page.client.post(page.url, {**typed, "step": step}, headers={"HX-Target": "preview"})
        for step in ("check", "preview", "yaml")
    ]
    preview = await page.preview()
    made = await page.apply(preview["token"])
    found = here.api.get(f"{here.path}/web")
    kubectl = [
        str(cluster.kubectl),
        "--kubeconfig",
        str(cluster.kubeconfig),
        "create",
        "secret",
        "-n",
        namespace,
    ]
    subprocess.run([*kubectl, command[0], "theirs", *command[1:]], check=True, capture_output=True)  # noqa: ASYNC221 # nothing else waits
    theirs = here.api.get(f"{here.path}/theirs")
    assert (found["type"], found["data"]) == (theirs["type"], theirs["data"])
    change = await Change.objects.aget()
    audit = [str(vars(each)) async for each in AuditEntry.objects.all()]
    heard = [
        *(answer.content.decode() for answer in said),
        json.dumps([preview, made, change.touched, change.inverse]), *audit, caplog.text,
    ]  # fmt: skip
    assert [each for each in heard if "canary" in each] == []
    assert {answer.status_code for answer in said} == {200}


async def test_a_policy_that_quotes_what_was_typed_into_a_secret_tells_nobody(
    cluster: Sandbox,
    transport: Transport,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = Here(cluster, transport, namespace)
    here.plural = "secrets"
    script = await here.script(monkeypatch)
    typed = SECRETS["registry"][0] | {"name": "web", "namespace": namespace}
    page = Script(script.client, f"{script.url}?type=registry", typed)
    token = (await page.preview())["token"]
    form = new_object("secrets", "registry")
    manifest = form.manifests(read_form(form, {key: [text] for key, text in typed.items()}).values)[0]
    config = manifest["stringData"][".dockerconfigjson"]
    secret = (*json.loads(config)["auths"]["registry.example.com"].values(), config)

    async def probe() -> None:
        await transport.request(
            "POST", here.kind.gvr, namespace=namespace, query={"dryRun": "All"}, content_type="application/json",
            body=json.dumps(manifest).encode(),
        )  # fmt: skip

    # A webhook may decode what it is sent; a policy can't, so this one knows it.
    async with here.refusing(
        on("CREATE", "", "secrets"), expression="false", probe=probe, message=f"Too weak: {', '.join(secret)}"
    ) as said:
        assert secret[1] in said
        refused = await page.client.post(
            page.url, {**typed, "step": "preview"}, headers={"HX-Target": "preview"}
        )
        answers = [await page.post(step="preview"), await page.post(step="apply", token=token)]
    assert {refused.status_code, *(status for status, _ in answers)} == {422}
    audit = [str(vars(each)) async for each in AuditEntry.objects.all()]
    told = [refused.content.decode(), *(answer["error"]["text"] for _, answer in answers), *audit]
    assert all("Too weak" in each and "(hidden)" in each for each in told) and audit
    heard = [*told, json.dumps(answers), caplog.text]
    assert [each for each in heard for one in secret if one in each] == []
