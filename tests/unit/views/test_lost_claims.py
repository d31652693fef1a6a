"""What deletes the claims of a StatefulSet says so, offers no way back to their data and asks for the name."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import AsyncClient

from dashboard.actions.create_yaml import CREATE, TakeBack, wanted_of
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.models import Change
from dashboard.queries.yamltext import as_yaml
from dashboard.views.attempts import consent_parts
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World

pytestmark = pytest.mark.django_db(transaction=True)

META = {
    "name": "db",
    "namespace": "shop",
    "uid": "u1",
    "resourceVersion": "7",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}


def stateful(deleted: str = "Retain", scaled: str = "Retain", replicas: int = 3) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": dict(META),
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db"}]}},
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {"resources": {"requests": {"storage": "1Gi"}}},
                }
            ],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
        },
    }


def edited(**replicas: Any) -> dict[str, str]:
    made = copy.deepcopy(stateful(scaled="Delete"))
    made["spec"] |= replicas
    return {"yaml": as_yaml(made)}


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


def opened(monkeypatch: pytest.MonkeyPatch, manifest: dict[str, Any], plural: str = "statefulsets") -> World:
    world = World()
    world.reads = lambda *_: True  # type: ignore[method-assign]
    world.put(plural, manifest)
    open_forms(monkeypatch, Server(plural, manifest), world)
    return world


@pytest.mark.parametrize(
    ("manifest", "action", "typed", "asked"),
    [
        (stateful(deleted="Delete"), "delete", {}, True),
        (stateful(deleted="Delete"), "delete", {"propagation": "Orphan"}, False),
        (stateful(scaled="Delete"), "delete", {}, False),
        (stateful(scaled="Delete"), "scale", {"replicas": "1"}, True),
        (stateful(scaled="Delete"), "scale", {"replicas": "5"}, False),
        (stateful(deleted="Delete"), "scale", {"replicas": "1"}, False),
        (stateful(scaled="Delete"), "edit", edited(replicas=1), True),
        (stateful(), "edit", edited(replicas=1), True),
        (stateful(), "edit", edited(), False),
        (stateful(scaled="Delete"), "edit", edited(replicas=5), False),
    ],
)
async def test_the_name_is_asked_for_where_claims_are_deleted(
    client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    manifest: dict[str, Any],
    action: str,
    typed: dict[str, str],
    asked: bool,
) -> None:
    opened(monkeypatch, manifest)
    url = f"/c/dev/statefulsets/shop/db/{action}/"
    script = Script(client, url, typed)
    token = (await script.preview())["token"]
    fragment = await client.post(url, typed | {"step": "preview"}, headers={"HX-Target": "preview"})
    assert bool(re.search(r'class="act asks"', fragment.content.decode())) is asked
    if asked:
        status, answer = await script.post(step="apply", token=token)
        assert (status, answer["error"]["field"]) == (422, "confirm")
    applied = await Script(client, url, typed | ({"confirm": "db"} if asked else {})).apply(token)
    change = await Change.objects.aget(pk=applied["change"])
    assert bool(change.inverse) is not (asked and action == "delete")


async def test_an_undo_that_scales_claims_away_asks_as_well(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, stateful(scaled="Delete"))
    up = Script(client, "/c/dev/statefulsets/shop/db/scale/", {"replicas": "5"})
    made = await up.apply((await up.preview())["token"])
    undo = Script(client, f"{made['url']}undo/", {})
    token = (await undo.preview())["token"]
    status, answer = await undo.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (422, "confirm")


async def test_a_policy_that_deletes_claims_from_now_on_is_told(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, stateful())
    shown = await Script(client, "/c/dev/statefulsets/shop/db/edit/", edited()).preview()
    assert "deleted when it is scaled down" in " ".join(each["title"] for each in shown["notices"])


def scaler(most: int) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": META | {"uid": "u2"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"},
            "minReplicas": 1,
            "maxReplicas": most,
        },
    }


def bounds(most: int) -> dict[str, str]:
    return {"min": "1", "max": str(most), "cpu": "60"}


@pytest.mark.parametrize(
    ("of", "action", "typed", "asked"),
    [
        ("horizontalpodautoscalers", "edit", {"yaml": as_yaml(scaler(2))}, True),
        ("horizontalpodautoscalers", "edit", {"yaml": as_yaml(scaler(4))}, False),
        ("horizontalpodautoscalers", "autoscale", bounds(2), True),
        ("horizontalpodautoscalers", "autoscale", bounds(4), False),
        ("statefulsets", "autoscale", bounds(2), True),
        ("statefulsets", "autoscale", bounds(4), False),
    ],
)
async def test_the_name_is_asked_for_where_an_autoscaler_takes_claims(
    client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
    action: str,
    typed: dict[str, str],
    asked: bool,
) -> None:
    there = scaler(9) if of == "horizontalpodautoscalers" else stateful(scaled="Delete")
    world = opened(monkeypatch, there, of)
    world.put("statefulsets", stateful(scaled="Delete"))
    script = Script(client, f"/c/dev/{of}/shop/db/{action}/", typed)
    shown = await script.preview()
    said = [each["title"] for each in shown["notices"]]
    assert ("It scales db down at once, and claims are deleted" in said) is asked
    if asked:
        status, answer = await script.post(step="apply", token=shown["token"])
        assert (status, answer["error"]["field"]) == (422, "confirm")
    await Script(client, script.url, typed | ({"confirm": "db"} if asked else {})).apply(shown["token"])


async def test_an_undo_that_makes_an_autoscaler_take_claims_asks_as_well(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, scaler(2), "horizontalpodautoscalers").put("statefulsets", stateful(scaled="Delete"))
    for action, typed in (("edit", {"yaml": as_yaml(scaler(4))}), ("autoscale", bounds(5))):
        script = Script(client, f"/c/dev/horizontalpodautoscalers/shop/db/{action}/", typed)
        made = await script.apply((await script.preview())["token"])
        undo = Script(client, f"{made['url']}undo/", {})
        shown = await undo.preview()
        asked = action == "edit"  # the other one goes back to what the edit had made
        assert (
            "at once, and claims are deleted" in " ".join(each["title"] for each in shown["notices"])
        ) is asked
        status, answer = await undo.post(step="apply", token=shown["token"])
        assert status == (422 if asked else 200), answer


@pytest.mark.parametrize(("owner", "asked"), [("u9", True), ("u8", False)])
async def test_the_claims_of_what_a_custom_object_owns_go_with_it(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, owner: str, asked: bool
) -> None:
    """Through a StatefulSet that it owns; a Deployment stands for whatever has no rule of its own."""
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": META | {"name": "operated", "uid": "u9"},
        "spec": {"selector": {"matchLabels": {"app": "db"}}, "template": {"spec": {"containers": []}}},
    }
    world = opened(monkeypatch, manifest, "deployments")
    above = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "operated",
        "uid": owner,
        "controller": True,
    }
    between = stateful()
    between["metadata"] |= {"ownerReferences": [above]}
    world.put("statefulsets", between)
    own = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "u1"}
    claim = {"name": "data-db-0", "namespace": "shop", "uid": "c1", "ownerReferences": [own]}
    world.put("persistentvolumeclaims", {"metadata": claim, "spec": {}})
    script = Script(client, "/c/dev/deployments/shop/operated/delete/", {})
    status, answer = await script.post(step="apply", token=(await script.preview())["token"])
    assert status == (422 if asked else 200), answer
    if asked:
        assert answer["error"]["field"] == "confirm"


def test_the_dock_has_the_input_that_a_preview_may_ask_for() -> None:
    def dock(**about: Any) -> str:
        form = {"consent": consent_parts("dev", {"confirm": "d"}, name="db", **about), "errors": {}}
        return render_to_string("forms/consent.html", {"s": {"form": form}})

    assert 'class="field spare"' in dock(why="", spare=True) and 'value="d"' in dock(why="", spare=True)
    assert "spare" not in dock(why="this can't be undone", spare=True)
    assert 'name="confirm"' not in dock(why="")


def test_a_claim_with_a_controller_is_no_less_lost() -> None:
    owners = {"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": META | owners}
    assert DELETE_ANY.confirmed(claim)
    assert not DELETE_ANY.confirmed(claim | {"kind": "ConfigMap"})


def test_creating_from_yaml_what_is_there_asks_as_an_edit_does() -> None:
    one = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {"replicas": 1},
    }
    assert CREATE.on(wanted_of(one, secret=False)).confirmed(stateful(scaled="Delete"))
    assert not CREATE.on(wanted_of(one, secret=False)).confirmed(stateful())
    assert TakeBack().confirmed(stateful(deleted="Delete")) and not TakeBack().confirmed(stateful())


async def test_an_edit_says_that_status_is_not_written(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, stateful())
    typed = {"yaml": as_yaml(stateful() | {"status": {"replicas": 7}})}
    shown = await Script(client, "/c/dev/statefulsets/shop/db/edit/", typed).preview()
    assert not shown["token"] and "status is not written" in [each["title"] for each in shown["notices"]]
