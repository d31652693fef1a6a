"""Every action of the registry through its one address: JSON for scripts, a fragment for htmx, refusals, undo."""

from __future__ import annotations

import base64
import copy
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from dashboard.actions import configmap_editing
from dashboard.actions.action import Description, DryRun
from dashboard.actions.configmap_versions import version_found
from dashboard.actions.drain import Drain
from dashboard.actions.edit import EDIT
from dashboard.actions.engine import Form
from dashboard.actions.registry import ACTIONS, action_for, action_named
from dashboard.actions.templatemark import REVISION
from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change
from dashboard.queries.frozen import Frozen
from dashboard.queries.yamltext import as_yaml
from dashboard.views import editor, form, replace
from dashboard.views.steps import StepResult
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World, deployment, node, pod
from ..markup import content_of

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "old-canary-value", "new-canary-value"


@dataclass(frozen=True)
class Tried:
    """What an action is tried with: an object, what is typed; ``wrong`` is an input that is refused, and its field.
    ``audit`` is the word in the audit; ``undone``: whether it has a way back; ``creates``: the kind of what it creates,
    which an undo deletes, unless that is a later step (``keeps``);
    ``lists``: what there is beside it, by kind; ``versions``: what its keys held before, the oldest first.
    """

    plural: str
    manifest: dict[str, Any]
    typed: dict[str, str] = field(default_factory=dict)
    wrong: tuple[dict[str, str], str] | None = None
    audit: str = ""
    undone: bool = True
    creates: str = ""
    keeps: bool = False
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    versions: tuple[dict[str, str], ...] = ()


def revision(number: int, image: str) -> dict[str, Any]:
    """A ReplicaSet of WEB."""
    owner = {"kind": "Deployment", "name": "web", "uid": "u1", "controller": True}
    meta = {"name": f"web-{number}", "ownerReferences": [owner], "annotations": {REVISION: str(number)}}
    template = {
        "metadata": {"labels": {"app": "web", "pod-template-hash": str(number)}},
        "spec": {"containers": [{"name": "app", **({"image": image} if image else {})}]},
    }
    return {"metadata": meta, "spec": {"template": template}}


WEB = deployment("web")
SECRET = {"type": "Opaque", "data": {"password": base64.b64encode(OLD.encode()).decode()}}
SETTINGS = {"data": {"LOG": "info"}}
LONE = pod("web-1", owner=None)
CRONJOB: dict[str, Any] = {
    "metadata": {"name": "nightly"},
    "spec": {"schedule": "0 3 * * *", "jobTemplate": {}},
}
JOB: dict[str, Any] = {"metadata": {"name": "import"}, "spec": {"template": {"spec": {}}}}
BOUNDS = {"min": "2", "max": "5", "cpu": "60"}
AUTOSCALER: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 3,
    },
}
CLAIM: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {"storageClassName": "fast", "volumeName": "v1", "resources": {"requests": {"storage": "1Gi"}}},
    "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
}
OFF = {"selectPolicy": "Disabled"}
PAUSED_AUTOSCALER = AUTOSCALER | {
    "spec": AUTOSCALER["spec"] | {"behavior": {"scaleUp": OFF, "scaleDown": OFF}}
}
DEPLOYMENT = WEB | {"apiVersion": "apps/v1", "kind": "Deployment"}
EDITED = as_yaml(DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {"replicas": 7}})
SERVICE: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"app": "web"},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}],
    },
}
TO_WEB = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
INGRESS: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [TO_WEB]}}]},
}
# A new action has a row here, and is tried by everything below. What has the same name on other kinds says on which.
TRIED = {
    "scale": Tried("deployments", WEB, {"replicas": "5"}, ({"replicas": "many"}, "replicas")),
    "scale statefulsets": Tried("statefulsets", WEB, {"replicas": "0"}),
    "scale replicasets": Tried("replicasets", WEB, {"replicas": "1"}),
    "autoscale": Tried(
        "deployments",
        WEB | {"apiVersion": "apps/v1", "kind": "Deployment"},
        BOUNDS,
        (BOUNDS | {"max": "1"}, "max"),
        creates="horizontalpodautoscalers",
    ),
    "autoscale horizontalpodautoscalers": Tried(
        "horizontalpodautoscalers", AUTOSCALER, BOUNDS, (BOUNDS | {"cpu": "0"}, "cpu")
    ),
    "restart": Tried("deployments", WEB),
    "rollback": Tried(
        "deployments",
        WEB,
        {"revision": "1"},
        ({"revision": "one"}, "revision"),
        lists={"replicasets": [revision(1, "web:1"), revision(2, "")]},
    ),
    "image": Tried("deployments", WEB, {"image.app": "web:2"}, ({"image.app": "Web:2"}, "image.app")),
    "resources": Tried(
        "deployments",
        WEB,
        {"requests_cpu.app": "100m", "limits_memory.app": "256Mi"},
        ({"requests_cpu.app": "much"}, "requests_cpu.app"),
    ),
    "env": Tried("deployments", WEB, {"env.app": "LOG=debug"}, ({"env.app": "LOG"}, "env.app")),
    "pause": Tried("deployments", WEB),
    "resume": Tried("deployments", deployment("web", paused=True, updated=0)),
    "pause horizontalpodautoscalers": Tried("horizontalpodautoscalers", AUTOSCALER),
    "resume horizontalpodautoscalers": Tried("horizontalpodautoscalers", PAUSED_AUTOSCALER),
    "expand": Tried(
        "persistentvolumeclaims",
        CLAIM,
        {"size": "2Gi", "confirm": "web"},
        ({"size": "2 Gi"}, "size"),
        undone=False,
    ),
    "edit": Tried(
        "configmaps",
        SETTINGS | {"metadata": {"name": "web"}},
        {"row": "new", "nnew": "LEVEL", "tnew": "debug"},
        ({"row": "new", "nnew": "a/b", "tnew": "x"}, "nnew"),
    ),
    "versions": Tried(
        "configmaps",
        SETTINGS | {"metadata": {"name": "web"}},
        {"version": "1"},
        ({"version": "one"}, "version"),
        versions=({"LOG": "debug"},),
    ),
    "debug": Tried("pods", LONE, {"profile": "general"}, ({"image": "other:1"}, "image"), undone=False),
    "replace": Tried(
        "configmaps",
        SETTINGS | {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "immutable": True},
        {"row": "new", "nnew": "LEVEL", "tnew": "debug"},
        ({"new_name": "No name"}, "new_name"),
        creates="configmaps",
        keeps=True,
    ),
    "rotate": Tried(
        "secrets",
        SECRET | {"metadata": {"name": "web"}},
        {"key": "password", "value": NEW},
        ({"key": "password", "value": ""}, "value"),
    ),
    "replace secrets": Tried(
        "secrets",
        SECRET | {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "immutable": True},
        {"value.password": NEW},
        ({"new_name": "No name"}, "new_name"),
        creates="secrets",
        keeps=True,
    ),
    "delete": Tried("pods", LONE, {"confirm": "web-1"}, ({"grace": "soon"}, "grace"), undone=False),
    "run": Tried("cronjobs", CRONJOB, creates="jobs"),
    "run jobs": Tried("jobs", JOB, creates="jobs"),
    "suspend": Tried("cronjobs", CRONJOB),
    "resume cronjobs": Tried("cronjobs", CRONJOB | {"spec": CRONJOB["spec"] | {"suspend": True}}),
    "cordon": Tried("nodes", node()),
    "edit deployments": Tried("deployments", DEPLOYMENT, {"yaml": EDITED}, ({"yaml": "a: [1"}, "yaml")),
    "edit secrets": Tried(
        "secrets",
        SECRET | {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}},
        {
            "yaml": as_yaml(
                SECRET
                | {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "web"},
                    "data": {"password": "<kept>"},
                    "stringData": {"other": NEW},
                }
            )
        },
        ({"yaml": f"apiVersion: v1\nkind: Secret\ndata:\n  password: {NEW}"}, "yaml"),
        undone=False,
    ),
    "form services": Tried(
        "services",
        SERVICE,
        {"type": "NodePort", "ports.port": "80", "ports.target": "8080"},
        ({"ports.port": "many"}, "ports-0"),
    ),
    "form ingresses": Tried(
        "ingresses",
        INGRESS,
        {"rules.service": "api", "class": "nginx"},
        ({"rules.host": "No host", "rules.path": "/", "rules.service": "web", "rules.port": "80"}, "rules-0"),
    ),
    "form deployments": Tried(
        "deployments",
        DEPLOYMENT,
        {"image": "web:2", "replicas": "4", "requests_cpu": "100m"},
        ({"image": "Web:2"}, "image"),
    ),
    "form poddisruptionbudgets": Tried(
        "poddisruptionbudgets",
        {
            "metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        },
        {"amount": "2"},
        ({"amount": "all"}, "amount"),
    ),
    "form namespaces": Tried(
        "namespaces",
        {"metadata": {"name": "shop", "labels": {"team": "shop"}}},
        {"labels.value": "front"},
        ({"labels.value": "not a value!"}, "labels-0"),
    ),
    "delete deployments": Tried(
        "deployments",
        DEPLOYMENT,
        {},
        ({"propagation": "Sideways"}, "propagation"),
    ),
    "delete secrets": Tried(
        "secrets",
        SECRET | {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}},
        {"confirm": "web"},
        undone=False,
    ),
    "uncordon": Tried("nodes", node(unschedulable=True)),
    "drain": Tried(
        "nodes",
        node(),
        {"force": "true", "timeout": "5m", "confirm": node()["metadata"]["name"]},
        ({"grace": "soon"}, "grace"),
    ),
}


def test_every_action_that_is_offered_is_tried() -> None:
    tried = {action_named(case.split()[0], each.plural) for case, each in TRIED.items()}
    assert tried == {action for action in ACTIONS if any(map(action.fits, KINDS.values()))}


@pytest.fixture(params=TRIED)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def name(case: str) -> str:
    return case.split()[0]


@pytest.fixture
def tried(case: str) -> Tried:
    return TRIED[case]


@pytest.fixture
def world() -> World:
    """What the views see beside the object."""
    made = World()
    made.reads = lambda *_: True  # type: ignore[method-assign]
    return made


@pytest.fixture
def api(tried: Tried, world: World, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Server]:
    """A cluster with that object alone, at hand for the views."""
    settings.CLUSTER_UI_DEBUG_IMAGES = ["busybox:1.37"]
    own = tried.manifest["metadata"]
    meta = {"uid": "u1", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if KINDS[tried.plural].gvr.namespaced:
        meta["namespace"] = "shop"
    manifest = tried.manifest | {"metadata": meta | own}
    for number, data in enumerate(tried.versions, 1):
        version_found(
            "dev", manifest | {"data": data, "metadata": meta | own | {"resourceVersion": str(number)}}
        )
    server = Server(tried.plural, manifest)
    server.lists = tried.lists
    if tried.plural != "secrets":  # which the cache reads as a Table
        world.put(tried.plural, manifest)
    open_forms(monkeypatch, server, world)
    yield server


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


@pytest.fixture
def script(client: AsyncClient, api: Server, name: str, tried: Tried) -> Script:
    (_, namespace, obj), *_ = api.objects
    return Script(client, f"/c/dev/{tried.plural}/{namespace or '-'}/{obj}/{name}/", tried.typed)


async def test_a_preview_says_who_changes_it_back_unless_nobody_can(
    script: Script, api: Server, name: str, tried: Tried
) -> None:
    for each in api.objects.values():
        notes = each["metadata"].get("annotations") or {}
        each["metadata"]["annotations"] = notes | {"meta.helm.sh/release-name": "shop-1"}
    said = [each["title"] for each in (await script.preview())["notices"]]
    assert any(title.startswith("Helm may ") for title in said) is (
        not action_named(name, tried.plural).uncontested
    )


def test_what_nobody_changes_back_says_why() -> None:
    kept = {action.name for action in ACTIONS if action.uncontested}
    assert kept == {"autoscale", "debug", "replace", "run"}
    assert all(action.uncontested.endswith(".") for action in ACTIONS if action.name in kept - {"autoscale"})


async def test_a_preview_reads_the_object_once_and_writes_nothing(script: Script, api: Server) -> None:
    shown = await script.preview()
    note = shown.pop("kubectl_note", "")
    assert set(shown) == {"token", "headline", "effects", "notices", "diff", "kubectl"}
    assert shown["kubectl"].startswith(("kubectl ", "printf ")) or note.startswith("No command: ")
    assert shown["token"]
    assert any(line["sign"] in ("+", "-") for line in shown["diff"])
    assert len(api.gets) == 1 and api.writes == []


async def test_an_apply_makes_the_change_once_and_says_which(
    script: Script, api: Server, name: str, tried: Tried
) -> None:
    token = (await script.preview())["token"]
    made = await script.apply(token)
    assert made == {"change": made["change"], "url": f"/changes/{made['change']}/"}
    assert await script.apply(token) == made
    written = api.created if tried.creates else [key for _, key in api.writes]
    assert [plural for plural, *_ in written] == [tried.creates or tried.plural]
    change = await Change.objects.aget()
    assert (change.action, change.plural, change.state) == (tried.audit or name, tried.plural, "done")
    assert [(one.action, one.result) async for one in AuditEntry.objects.all()] == [(change.action, "done")]


async def test_what_was_made_is_undone_or_has_no_way_back(
    script: Script, api: Server, client: AsyncClient, tried: Tried
) -> None:
    before = copy.deepcopy(api.objects)
    made = await script.apply((await script.preview())["token"])
    undo = Script(client, f"{made['url']}undo/", named(api, tried))
    if not tried.undone:
        status, answer = await undo.post(step="preview")
        assert status == 409 and answer["error"]["title"] == "It cannot be undone"
        return
    assert api.objects != before
    undone = await undo.apply((await undo.preview())["token"])
    assert undone["change"] != made["change"]
    for key, obj in before.items():
        for part in ("spec", "data"):
            assert _without_nothing(api.objects[key].get(part)) == _without_nothing(obj.get(part))
    assert not tried.creates or tried.keeps or api.objects.keys() == before.keys()
    status, answer = await undo.post(step="preview")
    assert status == 409 and answer["error"]["text"].startswith("Undone by mara")


def named(api: Server, tried: Tried) -> dict[str, str]:
    """The name of what was created, typed: deleting it asks for that."""
    return {"confirm": api.created[0][2]} if tried.creates else {}


def _without_nothing(value: Any) -> Any:
    """Without what the API server leaves out."""
    if not isinstance(value, dict):
        return value
    kept = {key: _without_nothing(each) for key, each in value.items()}
    return {key: each for key, each in kept.items() if each not in (None, {}, False)}


async def test_a_refusal_says_what_and_where_with_its_status(
    script: Script, api: Server, tried: Tried
) -> None:
    status, answer = await script.post(step="apply", token="none")
    assert (status, answer["error"]["field"]) == (400, "token")
    assert set(answer["error"]) == {"title", "text", "field"}
    status, answer = await script.post(step="twice")
    assert (status, answer["error"]["field"]) == (400, "step")
    if tried.wrong is not None:
        typed, at = tried.wrong
        status, answer = await script.post(**typed)
        assert (status, answer["error"]["field"]) == (400, at)
        read_first = tried.plural == "configmaps" or script.url.endswith(
            "/form/"
        )  # what is there decides what is wrong
        assert not api.gets or read_first, "nothing was sent"
    api.may = False
    status, answer = await script.post(step="preview")
    assert status == 403 and "Your account may not" in answer["error"]["text"]
    assert api.writes == []


async def test_what_is_not_there_is_a_404(script: Script, api: Server) -> None:
    api.objects.clear()
    status, answer = await script.post(step="preview")
    assert status == 404 and answer["error"]["text"].startswith("There is no ")


async def test_what_was_changed_meanwhile_is_a_409_and_nothing_is_written(
    script: Script, api: Server
) -> None:
    token = (await script.preview())["token"]
    (key,) = api.objects
    api.objects[key]["metadata"]["uid"] = "another"
    status, answer = await script.post(step="apply", token=token)
    assert status == 409 and "recreated" in answer["error"]["text"]
    assert api.writes == []


async def test_htmx_gets_the_preview_alone(script: Script, api: Server) -> None:
    response = await script.client.post(
        script.url, script.typed | {"step": "preview"}, headers={"HX-Request": "true", "HX-Target": "preview"}
    )
    html = response.content.decode()
    assert response.status_code == 200 and html.lstrip().startswith('<div id="preview"')
    assert 'name="token"' in html and "<html" not in html and "<nav" not in html
    assert len(api.gets) == 1


async def test_the_form_may_ask_for_json_as_the_address_may(script: Script) -> None:
    response = await script.client.post(script.url, script.typed | {"step": "preview", "format": "json"})
    assert response.json()["token"]


@pytest.mark.parametrize("case", ["delete", "delete secrets"])
async def test_a_name_that_was_not_typed_is_a_422(script: Script, api: Server) -> None:
    token = (await script.preview())["token"]
    status, answer = await script.post(step="apply", token=token, confirm="web-2")
    assert (status, answer["error"]["field"], api.writes) == (422, "confirm", [])


async def test_in_production_each_change_and_its_undo_asks_for_the_name(
    script: Script, api: Server, client: AsyncClient, tried: Tried, settings: Any
) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["de?"]
    (key,) = api.objects
    script.typed = {key: value for key, value in script.typed.items() if key != "confirm"}
    token = (await script.preview())["token"]
    for confirm in ("", "wrong"):
        status, answer = await script.post(step="apply", token=token, confirm=confirm)
        assert (status, answer["error"]["field"], api.writes) == (422, "confirm", [])
    script.typed |= {"confirm": key[2]}
    status, answer = await script.post(step="apply", token=token)
    assert (status, answer["error"]["field"], api.writes) == (422, "reason", [])
    script.typed |= {"reason": "asked for"}
    made = await script.apply(token)
    if not tried.undone:
        return
    undo = Script(client, f"{made['url']}undo/", {})
    token = (await undo.preview())["token"]
    status, answer = await undo.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (422, "confirm")
    undo.typed = {"confirm": api.created[0][2] if tried.creates and not tried.keeps else key[2]}
    status, answer = await undo.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (422, "reason")
    undo.typed |= {"reason": "no longer asked for"}
    assert (await undo.apply(token))["change"] != made["change"]


async def test_why_it_is_done_is_kept_with_the_change_its_undo_and_each_refusal(
    script: Script, client: AsyncClient, api: Server, tried: Tried
) -> None:
    token = (await script.preview())["token"]
    status, answer = await script.post(step="apply", token=token, reason="x" * 501)
    assert (status, answer["error"]["field"], api.writes) == (422, "reason", [])
    await script.post(step="apply", token="none", reason="too early")
    script.typed |= {"reason": "new\ncertificate"}
    made = await script.apply(token)
    reasons = ["", "too early", "new certificate"]
    assert (await Change.objects.aget()).reason == "new certificate"
    if tried.undone:
        undo = Script(client, f"{made['url']}undo/", {"reason": "it was not that"} | named(api, tried))
        await undo.apply((await undo.preview())["token"])
        reasons.append("it was not that")
    assert [one.reason async for one in AuditEntry.objects.order_by("pk")] == reasons


@pytest.mark.parametrize("case", ["rotate", "replace secrets"])
async def test_a_reason_that_holds_the_value_is_kept_nowhere(script: Script, api: Server) -> None:
    token = (await script.preview())["token"]
    status, answer = await script.post(step="apply", token=token, reason=f"now it is {NEW}")
    assert (status, answer["error"]["field"], api.writes) == (422, "reason", [])
    kept = [vars(one) async for one in AuditEntry.objects.all()]
    assert NEW not in repr((answer, kept))


@pytest.mark.parametrize("case", ["rotate", "replace secrets", "edit secrets", "delete secrets"])
async def test_no_answer_and_no_record_holds_a_value(script: Script, client: AsyncClient) -> None:
    shown = await script.preview()
    said: list[Any] = [shown, await script.apply(shown["token"])]
    undo = Script(client, f"{said[1]['url']}undo/", {})
    said.append(await undo.post(step="preview"))
    said += [vars(change) async for change in Change.objects.all()]
    said += [vars(entry) async for entry in AuditEntry.objects.all()]
    for text in (OLD, NEW, base64.b64encode(OLD.encode()).decode(), base64.b64encode(NEW.encode()).decode()):
        assert text not in repr(said)


def test_an_action_is_for_its_kinds_alone(name: str) -> None:
    """Of several of one name, one is for each kind."""
    named = [action for action in ACTIONS if action.name == name]
    for kind in KINDS.values():
        if fitting := [action for action in named if action.fits(kind)]:
            assert [action_for(name, kind, KINDS.values())] == fitting
            assert action_named(name, kind.plural) is fitting[0]
        else:
            with pytest.raises(NotFound, match=f"is not an action on {kind.title}"):
                action_for(name, kind, KINDS.values())


@pytest.mark.parametrize("case", ["delete deployments", "delete secrets"])
async def test_who_creates_a_deleted_object_again_is_told(script: Script, api: Server) -> None:
    """Of a kind that the cache knows, and of one that is read as a Table."""
    (manifest,) = api.objects.values()
    manifest["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop-1"}
    told = [notice["title"] for notice in (await script.preview())["notices"]]
    assert "Helm may create it again" in told


@pytest.mark.parametrize("case", ["scale"])
async def test_a_reason_is_compared_with_what_was_typed_off_the_loop(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever field of YAML comes along is read for it."""
    threads = []

    def read(request: Any) -> str:
        threads.append(threading.current_thread())
        return ""

    monkeypatch.setattr("dashboard.views.form.reason_of", read)
    await script.apply((await script.preview())["token"])
    assert threads and threading.current_thread() not in threads


async def test_the_heading_and_the_breadcrumbs_name_the_namespace(
    script: Script, api: Server, tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, Any]] = []

    async def page(*_: Any, title: str, more: Any) -> HttpResponse:
        shown.append((title, more))
        return HttpResponse()

    for module in (form, replace):
        monkeypatch.setattr(module, "page", page, raising=False)
    await script.client.get(script.url)
    ((_, namespace, name), *_) = api.objects
    ((title, more),) = shown
    template = "pages/edit_form.html" if script.url.endswith("/form/") else "pages/action.html"
    heading = re.search(r"<h1>(.*?)</h1>", content_of(template, more), re.DOTALL)
    assert heading is not None
    assert (f">in {namespace}<" in heading[1], title.endswith(f"{name} in {namespace}")) == (
        bool(namespace),
    ) * 2
    crumbs = [text for text, _ in more["breadcrumbs"]]
    assert crumbs[1 : crumbs.index(name)] == ([namespace] if namespace else [])


@pytest.mark.parametrize("case", ["edit"])
@pytest.mark.parametrize(
    ("place", "name_there"),
    [
        (editor, "read_draft"), (editor, "editors"), (editor, "one_editor"), (editor, "said_of"),
        (configmap_editing, "plan"), (configmap_editing, "flaw"), (type(EDIT), "diff"),
    ],
)  # fmt: skip
async def test_texts_of_a_megabyte_are_read_merged_checked_and_compared_off_the_loop(
    script: Script, monkeypatch: pytest.MonkeyPatch, place: Any, name_there: str
) -> None:
    threads, done = [], getattr(place, name_there)

    def noted(*given: Any, **named: Any) -> Any:
        threads.append(threading.current_thread())
        return done(*given, **named)

    monkeypatch.setattr(place, name_there, noted)
    script.typed |= {"nnew": "a.json", "tnew": "{}"}
    await script.apply((await script.preview())["token"])
    beside = {"HX-Request": "true", "HX-Target": "preview"}
    await script.client.post(script.url, script.typed | {"tnew": "{", "step": "preview"}, headers=beside)
    await script.client.get(f"{script.url}?open=LOG", headers=beside | {"HX-Target": "editors"})
    found = Form(manifest=SETTINGS | {"metadata": {"resourceVersion": "1"}}, confirm="", refusal=None)
    page: Any = SimpleNamespace(sent=False, request=RequestFactory().get("/"), url="/")
    await editor.ConfigMapForm.fields(page, found, StepResult())
    assert threads and threading.current_thread() not in threads


@pytest.mark.parametrize("case", ["drain"])
async def test_what_takes_long_in_a_large_cluster_is_worked_out_in_a_thread_of_one_moment(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, type[Any]]] = []
    loop_thread, describe = threading.current_thread(), Drain.describe

    def noted(self: Drain, dry: DryRun) -> Description:
        seen.append((threading.current_thread() is loop_thread, type(dry.objects)))
        return describe(self, dry)

    monkeypatch.setattr(Drain, "describe", noted)
    await script.preview()
    assert seen == [(False, Frozen)]


# ---- Quotas of pods

READER = {
    "containers": [
        {"name": "app", "envFrom": [{"configMapRef": {"name": "web"}}, {"secretRef": {"name": "web"}}]}
    ]
}
# What makes pods: what is typed for that where it is not what TRIED types, and what has to be there for it.
MAKES_PODS: dict[str, tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]] = {
    "scale": ({}, []),
    "scale statefulsets": ({"replicas": "9"}, []),
    "scale replicasets": ({"replicas": "9"}, []),
    "autoscale": ({}, []),
    "autoscale horizontalpodautoscalers": ({}, [("deployments", WEB)]),
    "resume horizontalpodautoscalers": ({}, [("deployments", deployment("web", replicas=1))]),
    "restart": ({}, []),
    "rollback": ({}, []),
    "image": ({}, []),
    "resources": ({}, []),
    "env": ({}, []),
    "resume": ({}, []),
    "run": ({}, []),
    "run jobs": ({}, []),
    "resume cronjobs": ({}, []),
    "edit deployments": ({}, []),
    "form deployments": ({}, []),
    "edit": ({}, [("deployments", deployment("web", template=READER))]),
    "versions": ({}, [("deployments", deployment("web", template=READER))]),
    "replace": ({}, [("deployments", deployment("web", template=READER))]),
    "replace secrets": ({}, [("deployments", deployment("web", template=READER))]),
    "rotate": ({}, [("deployments", deployment("web", template=READER))]),
}
# Why the others make none.
ENDS = "It ends pods, or makes fewer."
OTHER = "Pods do not follow from it."
NO_PODS = {
    "pause": "What is paused creates no pods.",
    "pause horizontalpodautoscalers": "What is paused creates no pods.",
    "suspend": "What is suspended creates no pods.",
    "debug": "A container in a pod that is there: quotas count no ephemeral containers.",
    "delete": "Nothing creates this one again. Of one that has a controller, tests/unit/insight/test_newpods.py.",
    "delete deployments": ENDS,
    "delete secrets": OTHER,
    "edit secrets": OTHER,
    "expand": OTHER,
    "form services": OTHER,
    "form ingresses": OTHER,
    "form poddisruptionbudgets": OTHER,
    "form namespaces": OTHER,
    "cordon": OTHER,
    "uncordon": OTHER,
    "drain": "The pods that it evicts leave what those that come for them take.",
}


def test_of_every_action_it_is_said_whether_it_makes_pods() -> None:
    assert MAKES_PODS.keys() | NO_PODS.keys() == TRIED.keys() and not MAKES_PODS.keys() & NO_PODS.keys()


async def test_a_full_quota_of_pods_is_told_by_the_preview_of_every_action_that_makes_pods(
    script: Script, world: World, case: str
) -> None:
    typed, beside = MAKES_PODS.get(case, ({}, []))
    for plural, manifest in beside:
        world.add(plural, manifest)
    script.typed |= typed
    full = {"hard": {"pods": "0"}, "used": {"pods": "0"}}

    async def told() -> int:
        shown = await script.preview()
        titles = [shown["headline"] or "", *(each["title"] for each in shown["notices"])]
        return sum("The quota of shop allows 0 of" in title for title in titles)

    assert await told() == 0, "there is no quota"
    world.add("resourcequotas", {"metadata": {"name": "none", "namespace": "shop"}, "status": full})
    assert await told() == (case in MAKES_PODS)
