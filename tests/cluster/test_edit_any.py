"""Editing objects as YAML on a real API server: other people's writes, refusals at their lines, Secrets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.edit_any import EDIT_ANY, editable_text, packed
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from tests.formed import Script, open_forms

from .place import Place

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

HTMX = {"HX-Request": "true", "HX-Target": "preview"}
LABELS = {"app": "web"}
CONTAINERS = [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]
WEB = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS}},
    },
}
CANARY, OTHER = "canary-4821-old", "canary-4821-new"


class Here(Place):
    reads = EDIT_ANY.reads

    def path(self, plural: str) -> str:
        return KINDS[plural].gvr.path(self.namespace)

    def get(self, plural: str) -> dict[str, Any]:
        return self.api.get(f"{self.path(plural)}/web")

    async def script(
        self, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, plural: str, **typed: str
    ) -> Script:
        who = typed.pop("who", "mara")
        await client.aforce_login((await User.objects.aget_or_create(username=who))[0])
        open_forms(monkeypatch, self.transport, await self.objects())
        return Script(client, f"/c/tests/{plural}/{self.namespace}/web/edit/", typed)


@pytest.fixture
def here(cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    return Here(cluster, transport, namespace)


async def test_only_what_was_typed_is_written_and_undone(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.api.post(here.path("deployments"), WEB)
    before = here.get("deployments")
    text = editable_text(before).replace("image: side:1", "image: side:2")
    # Somebody else writes other fields, before and after the preview.
    here.api.patch(
        f"{here.path('deployments')}/web?fieldManager=kubectl-edit", {"metadata": {"labels": {"team": "a"}}}
    )
    script = await here.script(async_client, monkeypatch, "deployments", yaml=text, base=packed(before))
    preview = await script.preview()
    token = preview["token"]
    assert "filled" not in preview
    here.api.patch(f"{here.path('deployments')}/web?fieldManager=kubectl-edit", {"spec": {"paused": True}})
    made = await script.apply(token)
    after = here.get("deployments")
    assert [each["image"] for each in after["spec"]["template"]["spec"]["containers"]] == ["web:1", "side:2"]
    assert after["spec"]["paused"] is True and after["metadata"]["labels"] == {"team": "a"}
    assert any(each["manager"] == "kubectl-edit" for each in after["metadata"]["managedFields"])
    change = await Change.objects.aget()
    path = "/spec/template/spec/containers/[name=side]/image"
    assert change.touched == {path: ["side:1", "side:2"]}

    undo = Script(async_client, f"{made['url']}undo/", {})
    await undo.apply((await undo.preview())["token"])
    images = [each["image"] for each in here.get("deployments")["spec"]["template"]["spec"]["containers"]]
    assert images == ["web:1", "side:1"]


async def test_what_the_server_makes_of_it_besides_is_told(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.api.post(here.path("deployments"), WEB)
    before = here.get("deployments")
    added = "      containers:\n      - name: more\n        image: more:1\n        resources: {limits: {cpu: 0.5}}\n"
    text = editable_text(before).replace("      containers:\n", added)
    script = await here.script(async_client, monkeypatch, "deployments", yaml=text, base=packed(before))
    (filled,) = (await script.preview())["filled"]
    more = "spec.template.spec.containers[more]"
    told = {each["field"]: (each["was"], each["value"]) for each in filled["fields"]}
    assert told[f"{more}.imagePullPolicy"] == ("", "IfNotPresent")
    assert told[f"{more}.resources.limits.cpu"] == ("0.5", "500m")
    assert all(each.startswith(more) for each in told), (
        "what was there before is nothing that the server adds"
    )
    page = await async_client.post(script.url, script.typed | {"step": "preview"}, headers=HTMX)
    html = page.content.decode()
    assert "The server adds or changes" in html and "500m" in html


async def test_the_same_field_written_meanwhile_is_a_conflict_that_names_the_writer(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.api.post(here.path("deployments"), WEB)
    before = here.get("deployments")
    text = editable_text(before).replace("image: side:1", "image: side:2")
    script = await here.script(async_client, monkeypatch, "deployments", yaml=text, base=packed(before))
    token = (await script.preview())["token"]
    theirs = [{"name": "side", "image": "side:theirs"}]
    here.api.patch(
        f"{here.path('deployments')}/web?fieldManager=kubectl-edit",
        {"spec": {"template": {"spec": {"containers": [CONTAINERS[0], *theirs]}}}},
    )
    status, answer = await script.post(step="apply", token=token)
    assert (
        status == 409
        and "side:theirs" in answer["error"]["text"]
        and "kubectl-edit" in answer["error"]["text"]
    )
    page = await async_client.post(script.url, script.typed | {"step": "preview"}, headers=HTMX)
    html = page.content.decode()
    assert "It changed meanwhile" in html and "side:theirs" in html and "side:2" in html


async def test_of_two_people_at_once_the_second_save_of_a_field_is_refused_and_names_the_first(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both opened the editor on the same version; fields that one of them alone changed are merged."""
    here.api.post(here.path("deployments"), WEB)
    before = here.get("deployments")
    text, base = editable_text(before), packed(before)
    first = text.replace("image: side:1", "image: side:jon")
    second = text.replace("image: side:1", "image: side:mara").replace("image: web:1", "image: web:mara")
    jon = await here.script(AsyncClient(), monkeypatch, "deployments", yaml=first, base=base, who="jon")
    mara = await here.script(AsyncClient(), monkeypatch, "deployments", yaml=second, base=base, who="mara")
    token = (await mara.preview())["token"]
    await jon.apply((await jon.preview())["token"])

    status, answer = await mara.post(step="apply", token=token)
    said = answer["error"]["text"]
    assert status == 409 and "changed by jon" in said and "side:jon" in said
    after = here.get("deployments")["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in after] == ["web:1", "side:jon"], "nothing of it was written"
    results = [(each.user_name, each.result) async for each in AuditEntry.objects.order_by("pk")]
    assert results == [("jon", "done"), ("mara", "refused")]

    # What was typed is sent once more, knowingly: the preview says whose value it replaces.
    page = await mara.client.post(mara.url, mara.typed | {"step": "preview"}, headers=HTMX)
    html = page.content.decode()
    assert "It changed meanwhile" in html and "jon" in html and "side:jon" in html and "side:mara" in html
    await mara.apply((await mara.preview())["token"])
    after = here.get("deployments")["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in after] == ["web:mara", "side:mara"]


@pytest.mark.parametrize(
    ("old", "new", "line_has", "says"),
    [
        ("replicas: 0", "replicas: -1", "replicas: -1", "spec.replicas"),
        ("replicas: 0", "replicas: many", "replicas: many", "spec.replicas"),
        ("image: side:1", "imag: side:1", "imag: side:1", "imag"),
        (
            "restartPolicy: Always",
            "restartPolicy: Sometimes",
            "restartPolicy",
            "restartPolicy",
        ),
    ],
)
async def test_a_refusal_stands_at_its_line(
    here: Here,
    async_client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    line_has: str,
    says: str,
) -> None:
    here.api.post(here.path("deployments"), WEB)
    text = editable_text(here.get("deployments")).replace(old, new)
    script = await here.script(async_client, monkeypatch, "deployments", yaml=text)
    page = await async_client.post(script.url, {"yaml": text, "step": "preview"}, headers=HTMX)
    line = next(at for at, each in enumerate(text.splitlines(), 1) if line_has in each)
    html = page.content.decode()
    if "imag:" in new:
        line = next(
            at for at, each in enumerate(text.splitlines(), 1) if "name: side" in each or "imag: side" in each
        )
        assert f'data-line="{line}"' in html or f'data-line="{line + 1}"' in html
    else:
        assert f'data-line="{line}"' in html, html[html.find("at-lines") :][:600]
    assert page.status_code in (400, 422) and says in html


async def test_no_value_of_a_secret_is_anywhere_but_in_the_secret(
    here: Here, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    note = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY, "team": CANARY}}
    here.api.post(
        here.path("secrets"),
        {"metadata": {"name": "web", **note}, "stringData": {"a": CANARY, "b": CANARY, "c": "x"}},
    )
    before = here.get("secrets")
    shown = editable_text(before)
    assert "a: <kept>" in shown and CANARY not in shown
    text = shown.replace("b: <kept>", f"b: {base64.b64encode(OTHER.encode()).decode()}").replace(
        "  c: <kept>\n", ""
    )
    text += f"stringData:\n  d: {OTHER}\n"
    script = await here.script(async_client, monkeypatch, "secrets", yaml=text, base=packed(before))
    preview = await script.preview()
    assert "filled" not in preview
    page = await async_client.post(script.url, script.typed | {"step": "preview"}, headers=HTMX)
    made = await script.apply(preview["token"])
    after = here.get("secrets")
    values = {key: base64.b64decode(value).decode() for key, value in after["data"].items()}
    assert values == {"a": CANARY, "b": OTHER, "d": OTHER}
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    bad = await async_client.post(
        script.url, {"yaml": f"{text}  d: {OTHER}\n", "step": "preview"}, headers=HTMX
    )
    wrong = await async_client.post(
        script.url, {"yaml": text.replace("type: Opaque", "type: other"), "step": "preview"}, headers=HTMX
    )
    assert bad.status_code == 400 and wrong.status_code == 422
    undo = Script(async_client, f"{made['url']}undo/", {})
    status, answer = await undo.post(step="preview")
    assert status == 409 and "never kept" in answer["error"]["text"]
    said = [
        preview,
        made,
        answer,
        page.content.decode(),
        bad.content.decode(),
        wrong.content.decode(),
        caplog.text,
    ]
    said += [vars(each) async for each in Change.objects.all()] + [
        vars(each) async for each in AuditEntry.objects.all()
    ]
    for value in (CANARY, OTHER):
        for spelling in (value, base64.b64encode(value.encode()).decode()):
            assert spelling not in repr(said)
