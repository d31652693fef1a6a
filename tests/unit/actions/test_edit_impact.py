"""An edit as YAML says what it does to pods and to requests, as the forms do."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.action import Actor, Description, Order, Target
from dashboard.actions.edit_any import EDIT_ANY
from dashboard.actions.engine import change_preview
from dashboard.insight.impact import Impact, Notice, together
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS

from ..insight.test_impact import SIZE, ingress, world
from ..insight.world import deployment, endpoints, service
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)

SERVED = (
    ("services", service()),
    ("endpointslices", endpoints("web", ("web-0", True), ("web-1", True), ("web-2", True))),
)


async def told_of(
    plural: str, before: dict[str, Any], typed: dict[str, Any], *more: tuple[str, dict[str, Any]]
) -> Description:
    user, _ = await User.objects.aget_or_create(username="mara")
    mara = Actor(user=user, name="mara")
    api: Any = Server(plural, before)
    wanted = EDIT_ANY.read({"yaml": json.dumps(typed)})
    target = Target.of(
        "dev", KINDS[plural], before["metadata"].get("namespace", ""), before["metadata"]["name"]
    )
    order = Order(transport=api, actor=mara, target=target, action=EDIT_ANY.on(wanted), wanted=wanted)
    return (await change_preview(order=order, objects=world(*SERVED, *more))).told


def stored(api_version: str, kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    meta = manifest["metadata"] | {"uid": "u", "resourceVersion": "1"}
    return {"apiVersion": api_version, "kind": kind, **manifest, "metadata": meta}


@pytest.mark.parametrize("plural", ["deployments", "replicasets"])
@pytest.mark.parametrize("image", ["", "app:2"])
@pytest.mark.parametrize("replicas", [0, 2, 3, 5])
async def test_both_are_told(plural: str, image: str, replicas: int) -> None:
    kind = KINDS[plural]
    before: dict[str, Any] = {"apiVersion": "apps/v1", "kind": kind.kind, **deployment(template=SIZE)}
    before["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    typed = copy.deepcopy(before)
    typed["spec"]["replicas"] = replicas
    if image:
        typed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    told = await told_of(plural, before, typed)
    said = [text_of(each.text) for each in told.effects]
    rolls = plural == "deployments" and bool(image) and replicas > 0
    assert any("replaced" in each for each in said) is rolls
    if plural == "deployments":  # its pods are found by their owner
        stopped = "Service web will have no ready endpoints"
        assert (told.headline is not None and told.headline.title == stopped) is (replicas == 0)
        assert told.danger is (replicas == 0)
    assert any("ConfigMaps, Secrets and volumes stay" in each for each in said) is (replicas < 3)


async def test_a_service_that_would_match_no_pod_says_so() -> None:
    before = {"apiVersion": "v1", "kind": "Service", **service()}
    before["metadata"] = before["metadata"] | {"uid": "u", "resourceVersion": "1"}
    typed = before | {"spec": before["spec"] | {"selector": {"app": "wbe"}}}
    told = await told_of("services", before, typed)
    assert told.headline is not None and told.headline.title == "web would match no pod" and told.danger
    typed = before | {"spec": before["spec"] | {"sessionAffinity": "ClientIP"}}
    assert not (await told_of("services", before, typed)).danger


async def test_a_path_of_an_ingress_that_leads_nowhere_any_more_says_so() -> None:
    before = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress("web", "api")}
    before["metadata"] = before["metadata"] | {"uid": "u", "resourceVersion": "1"}
    typed = before | {"spec": ingress("api")["spec"]}
    told = await told_of("ingresses", before, typed)
    assert "shop.example/web is routed nowhere any more" in [text_of(each.text) for each in told.effects]
    assert told.danger


def test_the_worst_headline_stands_above_and_none_is_lost() -> None:
    warns, bad, info = (Notice(state, state, "") for state in ("warn", "bad", "info"))  # type: ignore[arg-type]
    found = together([Impact(warns, (), (info,)), Impact(None, ()), Impact(bad, (), danger=True)])
    assert (found.headline, found.notices, found.danger) == (bad, (warns, info), True)
    assert together([Impact(None, ())]).headline is None


def protecting(name: str = "web", **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": selector, **spec}}


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        ({"minAvailable": 3}, "It allows 0 disruptions: node drains will block"),
        ({"maxUnavailable": "0%"}, "It allows 0 disruptions: node drains will block"),
        ({}, "It allows 0 disruptions: node drains will block"),
        ({"minAvailable": "50%"}, ""),
        ({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "wbe"}}}, "It matches no pod in shop"),
        (
            {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "wbe"}}},
            "It allows 0 disruptions: node drains will block",
        ),
        ({"maxUnavailable": 1}, ""),
    ],
)
async def test_a_budget_that_blocks_drains_says_so(spec: dict[str, Any], title: str) -> None:
    before = stored("policy/v1", "PodDisruptionBudget", protecting(maxUnavailable=1))
    typed = before | {"spec": protecting(**spec)["spec"]}
    if typed == before:
        typed = typed | {"metadata": before["metadata"] | {"labels": {"a": "b"}}}
    told = await told_of("poddisruptionbudgets", before, typed)
    assert (told.headline.title if told.headline else "") == title
    other = ("poddisruptionbudgets", protecting("other", maxUnavailable=1))
    told = await told_of("poddisruptionbudgets", before, typed, other)
    blocked = "PodDisruptionBudget other protects some of these pods" in [
        text_of(e.text) for e in told.effects
    ]
    assert blocked is (bool(spec) and "selector" not in spec and spec != {"maxUnavailable": 1})


async def test_labels_of_a_namespace_say_whom_they_lock_out() -> None:
    labels = {"team": "a"}
    before = stored("v1", "Namespace", {"metadata": {"name": "shop", "labels": labels}})
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    typed = before | {"metadata": before["metadata"] | {"labels": level}}
    peers = [{"from": [{"namespaceSelector": {"matchLabels": labels}}]}]
    policy = {
        "metadata": {"name": "api", "namespace": "back"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": peers},
    }
    told = await told_of("namespaces", before, typed, ("networkpolicies", policy))
    said = [text_of(each.text) for each in told.effects]
    assert "Pod Security restricted is enforced in shop" in said
    assert "NetworkPolicy api in back no longer lets its pods through" in said and told.danger
    assert "networkpolicies" in EDIT_ANY.on({"yaml": typed}).reads
