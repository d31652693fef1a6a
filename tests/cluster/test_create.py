"""Creating from YAML on a real API server: order, dry runs, other owners, refusals, what is left undone, undo."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions import creation, records
from dashboard.actions.action import Actor
from dashboard.actions.operations import operation_resume
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import Kinds
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from sandbox import Sandbox
from sandbox.api import ApiError
from tests.formed import Script, carried_on, open_creation

from .place import Place, until
from .stopping import STOPPED, stopped_way

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

HTMX = {"HX-Request": "true", "HX-Target": "preview"}
CANARY = "canary-6127-value"
# As people write it: what needs the others stands first, a namespace is named only where it differs.
APP = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec:
  rules:
  - host: web.example.com
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        envFrom: [{{configMapRef: {{name: web}}}}, {{secretRef: {{name: web}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: web}}
stringData: {{password: {CANARY}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{LOG: info}}
"""
ORDER = ["secrets", "configmaps", "services", "deployments", "ingresses"]
# As the API server lists them: what they are stands above all of them.
KEYS = f"""apiVersion: v1
kind: SecretList
items:
- metadata: {{{{name: web}}}}
  stringData:
    fine: {CANARY}
    {{}}: {CANARY}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {LOG: debug}\n"


class Here(Place):
    reads = frozenset({"namespaces", "deployments", "replicasets", "pods"})

    def path(self, plural: str, namespace: str = "") -> str:
        return KINDS[plural].gvr.path(namespace or self.namespace)

    def get(self, plural: str, namespace: str = "") -> dict[str, Any]:
        return self.api.get(f"{self.path(plural, namespace)}/web")

    def has(self, plural: str, namespace: str = "") -> bool:
        try:
            self.get(plural, namespace)
        except ApiError:
            return False
        return True

    async def script(
        self,
        client: AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        text: str,
        transport: Transport | None = None,
        **typed: str,
    ) -> Script:
        await client.aforce_login((await User.objects.aget_or_create(username="mara"))[0])
        kinds = Kinds()
        kinds.learn(await discover(self.transport))
        open_creation(monkeypatch, transport or self.transport, await self.objects(), kinds)
        return Script(client, "/c/tests/create/", {"yaml": text, "namespace": self.namespace, **typed})


@pytest.fixture
def here(cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    return Here(cluster, transport, namespace)


@pytest.fixture
def fresh(cluster: Sandbox) -> Iterator[str]:
    """The name of a namespace that is not there."""
    name = f"new-{secrets.token_hex(4)}"
    yield name
    try:
        cluster.api().delete(f"/api/v1/namespaces/{name}")
    except ApiError:
        return


def states(preview: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["object"].split("/")[0].split(" ")[0], each["state"]) for each in preview["documents"]]


async def test_an_application_is_created_in_the_order_that_it_needs(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    preview = await script.preview()
    kinds = ["Secret", "ConfigMap", "Service", "Deployment", "Ingress"]
    assert states(preview) == [(kind, "new") for kind in kinds]
    assert [each["line"] for each in preview["documents"]] == [29, 34, 24, 10, 2]
    assert not any(map(here.has, ORDER)), "a preview creates nothing"
    filled = {each["object"]: each["fields"] for each in preview["filled"]}
    assert filled.keys() - {"Ingress web"} == {"Service web", "Deployment web"}, "of a Secret nothing is told"
    assert {"field": "spec.strategy.type", "value": "RollingUpdate", "was": ""} in filled["Deployment web"]
    assert "spec.template.spec.containers[web].imagePullPolicy" in {
        each["field"] for each in filled["Deployment web"]
    }
    assert {"field": "spec.ports[0].protocol", "value": "TCP", "was": ""} in filled["Service web"]
    made = await script.apply(preview["token"])
    assert set(made) == {"change", "url"}
    assert all(map(here.has, ORDER))
    changes = [each async for each in Change.objects.order_by("pk")]
    assert [each.plural for each in changes] == ORDER
    assert [each.action for each in changes] == ["create-all", *["create"] * 4]
    results = [each async for each in (await Operation.objects.aget()).results.order_by("position")]
    assert [(each.plural, each.state) for each in results] == [(each, "done") for each in ORDER]
    stored = here.get("secrets")
    assert base64.b64decode(stored["data"]["password"]).decode() == CANARY
    managers = {
        (each["manager"], each["operation"]) for each in here.get("deployments")["metadata"]["managedFields"]
    }
    assert ("cluster-ui", "Apply") in managers

    # The same text once more: nothing to do.
    again = await script.preview()
    assert again["token"] == "" and {each["state"] for each in again["documents"]} == {"same"}
    assert "filled" not in again

    # Each is undone by itself.
    undo = Script(async_client, f"/changes/{changes[3].pk}/undo/", {})
    await undo.apply((await undo.preview())["token"])
    assert not here.has("deployments") and here.has("configmaps")


async def test_its_kubectl_command_makes_all_of_it(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    shown = await script.preview()
    assert shown["kubectl_note"] == "objects.yaml is a file with this text."
    (tmp_path / "objects.yaml").write_text(APP)
    await here.by_hand(shown["kubectl"], tmp_path)
    assert all(map(here.has, ORDER))
    script = await here.script(async_client, monkeypatch, APP)
    again = await script.preview()
    assert [state for _, state in states(again)] == ["same"] * 5 and not again["token"]


async def test_all_are_undone_together_but_what_was_changed_since(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, SETTINGS.replace("debug", "info"))
    await script.apply((await script.preview())["token"])
    script.typed["yaml"] = APP.replace("LOG: info", "LOG: trace")
    made = await script.apply((await script.preview())["token"])
    undo = Script(async_client, f"{made['url']}undo/", {})
    preview = await undo.preview()
    does = [each["text"] for each in preview["effects"]]
    assert does[:4] == [
        "Ingress web is deleted", "Deployment web is deleted", "Service web is deleted",
        "ConfigMap web gets its old values back",
    ]  # fmt: skip
    here.api.delete(f"{here.path('services')}/web")
    undone = await undo.apply(preview["token"])
    assert not any(map(here.has, ("ingresses", "deployments", "services", "secrets")))
    assert here.get("configmaps")["data"] == {"LOG": "info"}
    operation = await Operation.objects.aget(change=undone["change"])
    results = [(each.plural, each.text) async for each in operation.results.order_by("position")]
    assert operation.state == "done" and ("services", "It is gone already") in results
    status, answer = await undo.post(step="preview")
    assert status == 409 and answer["error"]["text"].startswith("Undone by mara")


async def test_a_namespace_and_what_is_in_it(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, fresh: str
) -> None:
    text = f"{SETTINGS}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {fresh}}}\n"
    script = await here.script(async_client, monkeypatch, text, namespace=fresh)
    preview = await script.preview()
    assert states(preview) == [("Namespace", "new"), ("ConfigMap", "untried")]
    assert f"Namespace {fresh}" in preview["documents"][1]["text"]
    await script.apply(preview["token"])
    assert here.get("configmaps", fresh)["data"] == {"LOG": "debug"}


async def test_a_budget_that_blocks_every_drain_says_so_also_before_its_namespace_is_there(
    here: Here, fresh: str, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {selector: {}, RULE}\n"
    blocks = "It allows 0 disruptions: node drains will block"
    script = await here.script(async_client, monkeypatch, budget.replace("RULE", "maxUnavailable: 0%"))
    shown = await script.preview()
    assert blocks in str(shown["headline"]) and shown["token"]
    made = await script.apply(shown["token"])
    script.typed["yaml"] = budget.replace("RULE", "maxUnavailable: 1")
    changed = await script.preview()
    assert not changed["headline"]
    made = await script.apply(changed["token"])
    undo = Script(async_client, f"{made['url']}undo/", {})
    assert blocks in str((await undo.preview())["headline"])

    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {fresh}}}\n"
    text = f"{namespace}---\n{budget.replace('RULE', 'minAvailable: 100%')}"
    script = await here.script(async_client, monkeypatch, text, namespace=fresh)
    shown = await script.preview()
    assert states(shown) == [("Namespace", "new"), ("PodDisruptionBudget", "untried")]
    assert f"PodDisruptionBudget web: {blocks}" in str(shown["notices"])


async def test_a_kind_and_an_object_of_it(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    kind: dict[str, Any] = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                }},
            }],
        },
    }  # fmt: skip
    text = f"apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: web}}\nspec: {{size: 3}}\n---\n{json.dumps(kind)}"
    try:
        script = await here.script(async_client, monkeypatch, text)
        preview = await script.preview()
        assert states(preview) == [("CustomResourceDefinition", "new"), ("Gadget", "untried")]
        await script.apply(preview["token"])
        gadget = here.api.get(f"/apis/{group}/v1/namespaces/{here.namespace}/gadgets/web")
        assert gadget["spec"] == {"size": 3}
        # What the new kind's schema refuses is told at its line by now.
        script.typed["yaml"] = text.replace("size: 3", "size: big")
        status, answer = await script.post(step="preview")
        assert status in (400, 422) and "spec.size" in answer["error"]["text"]
    finally:
        here.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}")


async def test_what_is_there_is_changed_and_gets_its_old_values_back(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, SETTINGS.replace("debug", "info"))
    await script.apply((await script.preview())["token"])
    here.api.patch(f"{here.path('configmaps')}/web?fieldManager=kubectl-edit", {"data": {"OTHER": "kept"}})
    script.typed["yaml"] = SETTINGS
    preview = await script.preview()
    assert states(preview) == [("ConfigMap", "changed")]
    signs = [(line["sign"], line["text"].strip()) for line in preview["diff"] if line["sign"] in "+-"]
    assert ("-", "LOG: info") in signs and ("+", "LOG: debug") in signs
    made = await script.apply(preview["token"])
    assert here.get("configmaps")["data"] == {"LOG": "debug", "OTHER": "kept"}
    undo = Script(async_client, f"{made['url']}undo/", {})
    await undo.apply((await undo.preview())["token"])
    assert here.get("configmaps")["data"] == {"LOG": "info", "OTHER": "kept"}


async def test_what_somebody_else_owns_is_a_conflict_that_names_them(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {"metadata": {"name": "web"}, "data": {"LOG": "info"}}
    here.api.post(f"{here.path('configmaps')}?fieldManager=argocd-controller", manifest)
    script = await here.script(
        async_client, monkeypatch, f"{SETTINGS}---\n{SETTINGS.replace('web', 'other')}"
    )
    status, answer = await script.post(step="preview")
    said = answer["error"]["text"]
    assert status == 409 and "data.LOG" in said and "argocd-controller" in said and "Document 1" in said
    page = await async_client.post(script.url, script.typed | {"step": "preview"}, headers=HTMX)
    html = page.content.decode()
    assert page.status_code == 409 and "argocd-controller" in html
    assert "ConfigMap web: " in html and "Document" not in html, "where it is, is said once"
    assert here.get("configmaps")["data"] == {"LOG": "info"}
    assert not await Change.objects.aexists()


async def test_what_an_account_may_not_do_is_told_for_each_object(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "list"]}
    async with here.restricted(rule) as transport:
        secret = SETTINGS.replace("ConfigMap", "Secret").replace("\ndata:", "\nstringData:")
        text = f"{SETTINGS}---\n{secret}"
        script = await here.script(async_client, monkeypatch, text, transport)
        status, answer = await script.post(step="preview")
        assert status == 403 and "patch secrets" in answer["error"]["text"], answer
        assert "Document 2" in answer["error"]["text"] and "debug" not in answer["error"]["text"]
        assert not here.has("configmaps")
        script.typed["yaml"] = SETTINGS
        preview = await script.preview()
        assert any("undo" in each["title"] for each in preview["notices"]), "it may not delete"
        await script.apply(preview["token"])
        assert here.has("configmaps")


async def test_a_quota_refuses_before_anything_is_made(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"services.nodeports": "0"}}}
    made = here.api.post(f"/api/v1/namespaces/{here.namespace}/resourcequotas", quota)
    assert made["spec"]["hard"]
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
        "spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}\n"
    )
    script = await here.script(async_client, monkeypatch, f"{SETTINGS}---\n{service}")

    async def refused() -> bool:
        status, answer = await script.post(step="preview")
        return status == 403 and "exceeded quota" in answer["error"]["text"]

    await until(refused)  # the controller counts first
    assert not here.has("configmaps")


async def test_a_policy_refuses_before_anything_is_made(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    token = (await script.preview())["token"]
    async with stopped_way(here.transport, here.namespace, stopped) as refused:
        script = await here.script(async_client, monkeypatch, APP, refused)
        for fields in ({"step": "preview"}, {"step": "apply", "token": token}):
            status, answer = await script.post(**fields)
            assert (status, STOPPED in answer["error"]["text"]) == (422, True), answer
    assert not any(map(here.has, ORDER))
    assert not await Change.objects.aexists()
    assert [each.result async for each in AuditEntry.objects.all()] == ["refused"]


@pytest.mark.parametrize("again", [False, True])
async def test_what_was_there_and_is_deleted_or_recreated_meanwhile_is_not_overwritten(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    path, other = f"{here.path('configmaps')}/other", SETTINGS.replace("name: web", "name: other")
    theirs = {"metadata": {"name": "other"}, "data": {"LOG": "info"}}
    here.api.post(here.path("configmaps"), theirs)
    script = await here.script(async_client, monkeypatch, f"{SETTINGS}---\n{other.replace('LOG', 'LEVEL')}")
    token = (await script.preview())["token"]
    here.api.delete(path)
    if again:
        here.api.post(here.path("configmaps"), theirs)
    await script.apply(token)
    operation = await Operation.objects.aget()
    results = {each.name: each async for each in operation.results.all()}
    assert (results["web"].state, results["other"].state, operation.state) == ("done", "failed", "stopped")
    words = "deleted and recreated since" if again else "deleted since"
    assert words in results["other"].text
    if again:
        assert here.api.get(path)["data"] == theirs["data"]
    else:
        with pytest.raises(ApiError):
            here.api.get(path)


async def test_it_stops_at_what_is_refused_says_so_and_goes_on_when_resumed(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SETTINGS.replace("name: web", "name: other")
    text = f"{SETTINGS}---\n{other}---\n{SETTINGS.replace('name: web', 'name: zlast')}"
    script = await here.script(async_client, monkeypatch, text)
    token = (await script.preview())["token"]
    # Somebody creates the second one meanwhile.
    here.api.post(here.path("configmaps"), {"metadata": {"name": "other"}, "data": {"theirs": "yes"}})
    made = await script.apply(token)
    operation = await Operation.objects.aget()
    results = [each async for each in operation.results.order_by("position")]
    assert [(each.name, each.state) for each in results] == [
        ("web", "done"),
        ("other", "failed"),
        ("zlast", "waiting"),
    ]
    assert "created since the preview" in results[1].text and operation.state == "stopped"
    assert here.api.get(f"{here.path('configmaps')}/other")["data"] == {"theirs": "yes"}
    assert made["change"] == operation.change_id
    assert [each.result async for each in AuditEntry.objects.order_by("pk")].count("failed") >= 1

    # Once that is out of the way, it goes on where it stopped.
    here.api.delete(f"{here.path('configmaps')}/other")
    actor = Actor(user=await User.objects.aget(), name="mara")
    change = await Change.objects.select_related("user").aget(pk=made["change"])
    await operation_resume(transport=here.transport, actor=actor, change=change)
    await carried_on(operation, here.transport, await here.objects())
    states_now = [each.state async for each in operation.results.order_by("position")]
    assert states_now == ["done", "done", "done"]


async def test_what_a_server_that_ended_had_not_made_is_said(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    token = (await script.preview())["token"]
    # The process begins the steps and ends before the first of them: its memory is gone, and another one goes on.
    memory = iter([object()])
    monkeypatch.setattr(creation, "text_kept", lambda _: next(memory, None))
    await script.apply(token)
    operation = await Operation.objects.aget()
    results = [(each.plural, each.state, each.text) async for each in operation.results.order_by("position")]
    assert [state for _, state, _ in results] == ["done", "failed", "waiting", "waiting", "waiting"]
    assert "create it again from its YAML" in results[1][2] and operation.state == "stopped"
    # Sent again, what was made is as it should be, and the rest is made.
    monkeypatch.undo()
    script = await here.script(async_client, monkeypatch, APP)
    preview = await script.preview()
    assert [each["state"] for each in preview["documents"]] == ["same", *["new"] * 4]
    await script.apply(preview["token"])
    assert all(map(here.has, ORDER))


async def test_what_somebody_creates_at_the_same_moment_is_not_deleted_by_an_undo(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, SETTINGS)
    token = (await script.preview())["token"]
    intend = records.intend

    def at_the_same_moment(*args: Any) -> None:
        intend(*args)
        theirs = {"metadata": {"name": "web"}, "data": {"theirs": "yes"}}
        here.api.post(f"{here.path('configmaps')}?fieldManager=kubectl-create", theirs)

    monkeypatch.setattr(records, "intend", at_the_same_moment)
    made = await script.apply(token)
    assert here.get("configmaps")["data"] == {"LOG": "debug", "theirs": "yes"}
    status, answer = await Script(async_client, f"{made['url']}undo/", {}).post(step="preview")
    assert status == 409 and "somebody else created it" in answer["error"]["text"]
    assert here.has("configmaps")


async def test_what_a_form_of_the_dashboard_set_is_told_as_such(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    await script.apply((await script.preview())["token"])
    scale = f"{here.path('deployments')}/web?fieldManager=cluster-ui"
    here.api.patch(scale, {"spec": {"replicas": 1}})
    status, answer = await script.post(step="preview")
    assert status == 409 and "spec.replicas was set by a form of this dashboard" in answer["error"]["text"]


async def test_a_text_that_was_changed_after_its_preview_is_not_applied(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{SETTINGS}---\n{SETTINGS.replace('name: web', 'name: other')}"
    script = await here.script(async_client, monkeypatch, text)
    token = (await script.preview())["token"]
    script.typed["yaml"] = text.replace("debug", "trace")
    status, answer = await script.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (400, "token")
    assert not here.has("configmaps") and not await Change.objects.aexists()


async def test_no_value_of_a_secret_is_anywhere_but_in_the_secret(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await here.script(async_client, monkeypatch, APP)
    pages = []
    for typed in (
        {},
        {"yaml": APP.replace("port: 80}", "port: eighty}")},
        {"yaml": APP.replace("kind: Service", "kind: Nothing")},
        {"yaml": f"{APP}\n---\na: [1"},
    ):
        pages.append((await script.post(step="preview", **typed))[1])
        answer = await async_client.post(script.url, script.typed | typed | {"step": "preview"}, headers=HTMX)
        pages.append(answer.content.decode())
    status, answer = await script.post(step="apply", token="none", reason=f"because {CANARY}")
    pages.append(answer)
    token = (await script.preview())["token"]
    status, answer = await script.post(step="apply", token=token, reason=f"because {CANARY}")
    assert (status, answer["error"]["field"]) == (422, "reason")
    await script.apply(token)
    script.typed["yaml"] = APP.replace(CANARY, f"{CANARY}-2")
    changed = await script.preview()
    pages += [answer, token, changed]
    assert [each["state"] for each in changed["documents"]].count("changed") == 1
    await script.apply(changed["token"])
    encoded = base64.b64encode(CANARY.encode()).decode()
    stored = [
        row
        for model in (Change, AuditEntry, Operation)
        async for row in model.objects.values()  # type: ignore[attr-defined]
    ]
    everything = json.dumps([pages, stored], default=str)
    assert CANARY not in everything and encoded.rstrip("=") not in everything
    assert base64.b64decode(here.get("secrets")["data"]["password"]).decode() == f"{CANARY}-2"
    # It can't be undone: its old value is nowhere.
    change = await Change.objects.filter(plural="secrets").alatest("pk")
    undo = Script(async_client, f"/changes/{change.pk}/undo/", {})
    status, answer = await undo.post(step="preview")
    assert status == 409 and "never kept" in answer["error"]["text"]


async def test_pods_and_jobs_which_get_something_generated_are_created_as_shown(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = "{containers: [{name: web, image: nginx}], restartPolicy: Never}"
    text = (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {pod}\n---\n"
        f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: web}}\nspec: {{template: {{spec: {pod}}}}}\n---\n{SETTINGS}"
    )
    script = await here.script(async_client, monkeypatch, text)
    await script.apply((await script.preview())["token"])
    assert all(map(here.has, ("pods", "jobs", "configmaps")))
    assert (await Operation.objects.aget()).state == "done"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"{SETTINGS}---\napiVersion: v1\nkind: Gizmo\nmetadata: {{name: a}}\n", 7, "no kind Gizmo"),
        (
            f"{SETTINGS}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{generateName: a-}}\n",
            8,
            "generateName",
        ),
        (f"{SETTINGS}---\n{SETTINGS}", 6, "twice"),
        (
            f"{SETTINGS}---\napiVersion: v1\nkind: ConfigMap\ndata: {{a: 1}}\nmetadata: {{name: b}}\n",
            8,
            "data",
        ),
        (f"{SETTINGS}---\n\tapiVersion: v1\n", 6, "tab"),
        (f"{SETTINGS}---\n{KEYS.format('bad key')}", 12, "bad key"),
        (f"{SETTINGS}---\n{KEYS.replace('stringData', 'data').format('key')}", 11, "base64"),
        (
            f"{SETTINGS}---\napiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {{name: a}}\n",
            6,
            "apps/v1beta1",
        ),
    ],
)
async def test_what_is_wrong_is_told_at_its_line(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, text: str, line: int, says: str
) -> None:
    script = await here.script(async_client, monkeypatch, text)
    page = await async_client.post(script.url, script.typed | {"step": "preview"}, headers=HTMX)
    html = page.content.decode()
    assert page.status_code >= 400 and f'data-line="{line}"' in html and says in html, html[:1500]
    assert CANARY not in html
    assert not here.has("configmaps")


async def test_in_production_the_number_of_objects_is_typed(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["test?"]
    script = await here.script(async_client, monkeypatch, APP)
    token = (await script.preview())["token"]
    for confirm in ("", "web", "4"):
        status, answer = await script.post(step="apply", token=token, confirm=confirm)
        assert (status, answer["error"]["field"]) == (422, "confirm")
    script.typed["confirm"] = "5"
    status, answer = await script.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (422, "reason")
    script.typed["reason"] = "the shop opens"
    await script.apply(token)
    assert all(map(here.has, ORDER))
    script.typed |= {"yaml": SETTINGS.replace("web", "lone"), "confirm": ""}
    token = (await script.preview())["token"]
    assert (await script.post(step="apply", token=token))[0] == 422
    script.typed["confirm"] = "lone"
    await script.apply(token)
