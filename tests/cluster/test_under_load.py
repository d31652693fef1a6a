"""Changes of objects that somebody else writes 95 times a second, in other parts: no conflict, and none of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.edit_any import packed
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import Change
from dashboard.queries.yamltext import as_yaml
from sandbox import Sandbox
from tests.formed import Script, open_forms

from .load import under_load
from .place import Listed
from .test_every_action import deployment

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

NOTE = {"metadata": {"annotations": {"example.com/load": "%"}}}
SETTINGS = {"data": {"LOG": "info", "load": ""}}
TEMPLATE = "/spec/template/spec/containers/[name=app]"


@dataclass(frozen=True)
class Tried:
    """``load``: what is written of it all the time; ``typed``: what is typed, form by form; ``touched``: what the last
    change is recorded to have written, or what that begins with.
    """

    plural: str
    manifest: dict[str, Any]
    typed: list[dict[str, str]]
    touched: str
    load: dict[str, Any]


CASES = {
    "edit": Tried(
        "configmaps",
        SETTINGS,
        [{"row": "new", "nnew": f"LEVEL{number}", "tnew": "debug"} for number in range(5)],
        "/data/LEVEL4",
        {"data": {"load": "%"}},
    ),
    "scale": Tried("deployments", deployment(), [{"replicas": "2"}], "/spec/replicas", NOTE),
    "env": Tried("deployments", deployment(), [{"env.app": "LOG=debug"}], f"{TEMPLATE}/env", NOTE),
    "image": Tried("deployments", deployment(), [{"image.app": "web:2"}], f"{TEMPLATE}/image", NOTE),
    "pause": Tried("deployments", deployment(), [{}], "/spec/paused", NOTE),
    "resume": Tried("deployments", deployment(paused=True), [{}], "/spec/paused", NOTE),
    "edit deployments": Tried("deployments", deployment(), [{"as": "YAML"}], "/spec/replicas", NOTE),
    "rotate": Tried(
        "secrets",
        {"stringData": {"password": "old", "load": ""}},
        [{"key": "password", "value": "new"}],
        "/data/password",
        {"stringData": {"load": "%"}},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_others_write_beside_a_change_and_its_undo_is_no_conflict_and_none_of_it(
    cluster: Sandbox, transport: Transport, namespace: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, action = CASES[case], case.split()[0]
    gvr, api = KINDS[tried.plural].gvr, cluster.api()
    api.post(gvr.path(namespace), {"metadata": {"name": "web"}} | tried.manifest)
    open_forms(monkeypatch, transport, Listed({}))
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    with under_load(api, gvr.path(namespace, "web"), tried.load) as load:
        before = load.written
        for typed in tried.typed:
            if "as" in typed:  # the form holds what it was filled with
                found = api.get(gvr.path(namespace, "web"))
                edited = as_yaml(found | {"spec": found["spec"] | {"replicas": 2}})
                typed = {"yaml": edited, "base": packed(found)}
            script = Script(client, f"/c/sandbox/{tried.plural}/{namespace}/web/{action}/", typed)
            shown = await script.preview()
            assert [
                line for line in shown["diff"] if line["sign"] in ("+", "-") and "load" in line["text"]
            ] == []
            made = await script.apply(shown["token"])
        undo = Script(client, f"{made['url']}undo/", {})
        await undo.apply((await undo.preview())["token"])
        assert load.written > before
    changes = [change async for change in Change.objects.order_by("pk")]
    for change in changes[-2:]:
        ((path, _),) = change.touched.items()
        assert path.startswith(tried.touched)
