"""The command to copy: what came from an address must not run anything in somebody's shell."""

from __future__ import annotations

import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds import KINDS
from dashboard.live.screens.detail import TABS, DetailScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.models import Change

HOSTILE = ["x; rm -rf ~", "$(id)", "`id`", "a'b", 'a"b', "x\nid", "--kubeconfig=/tmp/x y"]


def listed(namespaces: list[str], labels: str, chosen: tuple[str, ...] = ()) -> str:
    query = SimpleNamespace(namespaces=namespaces, labels=labels, chosen=chosen)
    screen: Any = SimpleNamespace(query=query, kind=KINDS["pods"])
    return ListScreen._kubectl(screen)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_list_quotes_namespace_and_labels(text: str) -> None:
    words = shlex.split(listed([text], text))
    assert words == ["kubectl", "get", "pods", "-n", text, "-l", text, "-o", "wide"]


def test_a_list_of_all_namespaces() -> None:
    assert listed([], "") == "kubectl get pods -A -o wide"


def test_labels_that_are_columns_are_asked_for() -> None:
    command = listed([], "", ("name", "label:app", "label:example.com/tier"))
    assert command == "kubectl get pods -A -L app,example.com/tier -o wide"


@pytest.mark.parametrize("tab", sorted(set(TABS) - {"logs"}))
@pytest.mark.parametrize("name", ["web", "system:node; id"])
def test_every_tab_has_one(tab: str, name: str) -> None:
    runtime: Any = SimpleNamespace()
    screen = DetailScreen(runtime, QueryDict(), "pods", "shop", name, tab)
    words = shlex.split(shlex.join(screen.tab.kubectl()))
    assert words[-1] != "-n"
    assert {"-n", "shop"} <= set(words)
    assert name in words or f"pods/{name}" in words


@pytest.mark.parametrize(
    ("plural", "kind", "command"),
    [
        ("deployments", "Deployment", "kubectl rollout status deployment/web -n shop"),
        ("statefulsets", "StatefulSet", "kubectl rollout status statefulset/web -n shop"),
        ("daemonsets", "DaemonSet", "kubectl rollout status daemonset/web -n shop"),
        ("pods", "Pod", "kubectl get pods web -n shop --watch"),
    ],
)
def test_following_a_change(plural: str, kind: str, command: str) -> None:
    from dashboard.live.screens import change

    made = Change(plural=plural, kind=kind, namespace="shop", name="web")
    assert change._kubectl(made) == command
