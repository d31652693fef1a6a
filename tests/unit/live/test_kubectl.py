"""The command to copy: what came from an address must not run anything in somebody's shell."""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds import KINDS
from dashboard.live.screens.change import _kubectl as follow_command
from dashboard.live.screens.detail import TABS, DetailScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.rotate import RotationScreen
from dashboard.models import Change

from .seen import session

HOSTILE = ["x; rm -rf ~", "$(id)", "`id`", "a'b", 'a"b', "--kubeconfig=/tmp/x y", "é ✓"]
CONTROL = ["x\nid\r", "x\x1b[201~id", "\x15id\x7f", "\x9bid\x00"]


def listed(namespaces: list[str], labels: str, chosen: tuple[str, ...] = (), q: str = "") -> str:
    query = SimpleNamespace(namespaces=namespaces, labels=labels, match=(), chosen=chosen, q=q)
    screen: Any = SimpleNamespace(query=query, kind=KINDS["pods"])
    return ListScreen._kubectl(screen)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_list_quotes_namespace_and_labels(text: str) -> None:
    words = shlex.split(listed([text], text))
    assert words == ["kubectl", "get", "pods", "-n", text, "-l", text, "-o", "wide"]


@pytest.mark.parametrize("text", CONTROL)
def test_no_control_character_reaches_a_terminal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime: Any = SimpleNamespace()
    query = QueryDict(mutable=True)
    query["q"], query["pod"], query["container"] = text, text, text
    logs = DetailScreen(session(runtime), query, "deployments", text, text, "logs")
    monkeypatch.setattr(type(logs.tab), "pods", lambda tab: [])
    detail = DetailScreen(session(runtime), QueryDict(), "pods", text, text, "yaml")
    change = Change(plural="pods", kind="Pod", namespace=text, name=text)
    commands = [
        listed([text], text),
        logs.tab.command_line(),
        detail.tab.command_line(),
        follow_command(change),
    ]
    for command in commands:
        assert command.isprintable()
        assert "id" in command


def test_a_list_of_all_namespaces() -> None:
    assert listed([], "") == "kubectl get pods -A -o wide"


def test_each_selector_and_a_node_are_asked_for() -> None:
    assert listed(["shop"], "app=web or app=db,tier!=x", q="node:node-1 crash") == (
        "kubectl get pods -n shop -l app=web --field-selector=spec.nodeName=node-1 -o wide; "
        "kubectl get pods -n shop -l 'app=db,tier!=x' --field-selector=spec.nodeName=node-1 -o wide"
    )


def test_labels_that_are_columns_are_asked_for() -> None:
    command = listed([], "", ("name", "label:app", "label:example.com/tier"))
    assert command == "kubectl get pods -A -L app,example.com/tier -o wide"


LOGS = [
    ("pods", "", "logs web -n shop --all-containers --prefix --max-log-requests=20 --tail=500 --follow"),
    ("pods", "container=app&previous=1", "logs web -n shop -c app --tail=500 --previous"),
    (
        "deployments",
        "since=1d&tail=10",
        "logs deployment/web --all-pods -n shop --all-containers --prefix --max-log-requests=20 --tail=10 "
        "--since=86400s --follow",
    ),
    ("statefulsets", "pod=web-0&container=app", "logs web-0 -n shop -c app --tail=100 --follow"),
    (
        "services",
        "container=app",
        "logs service/web --all-pods -n shop -c app --max-log-requests=20 --tail=100 --follow",
    ),
]


def test_a_secret_is_described_as_its_yaml_would_print_its_values() -> None:
    runtime: Any = SimpleNamespace()
    lines = {
        plural: DetailScreen(
            session(runtime), QueryDict(), plural, "shop", "login", "yaml"
        ).tab.command_line()
        for plural in ("secrets", "configmaps")
    }
    assert lines == {
        "secrets": "kubectl describe secrets login -n shop",
        "configmaps": "kubectl get configmaps login -n shop -o yaml",
    }


@pytest.mark.parametrize(("plural", "query", "command"), LOGS)
def test_logs_are_shown_by_kubectl_too(
    plural: str, query: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime: Any = SimpleNamespace()
    screen = DetailScreen(session(runtime), QueryDict(query), plural, "shop", "web", "logs")
    monkeypatch.setattr(type(screen.tab), "pods", lambda tab: [])
    assert screen.tab.command_line() == f"kubectl {command}"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_logs_are_searched_for_is_quoted(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime: Any = SimpleNamespace()
    query = QueryDict(mutable=True)
    query["q"], query["pod"], query["container"] = text, text, text
    screen = DetailScreen(session(runtime), query, "deployments", "shop", "web", "logs")
    monkeypatch.setattr(type(screen.tab), "pods", lambda tab: [])
    words = shlex.split(screen.tab.command_line())
    assert words == ["kubectl", "logs", text, "-n", "shop", "-c", text, "--tail=20000", "--follow", "|", "grep",
                     "-iF", "--", text]  # fmt: skip


@pytest.mark.parametrize("tab", sorted(set(TABS) - {"logs"}))
@pytest.mark.parametrize("name", ["web", "system:node; id"])
def test_every_tab_has_one(tab: str, name: str) -> None:
    runtime: Any = SimpleNamespace()
    screen = DetailScreen(session(runtime), QueryDict(), "pods", "shop", name, tab)
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
    made = Change(plural=plural, kind=kind, namespace="shop", name="web")
    there = KINDS[plural].decode_object(b'{"metadata": {"name": "web"}, "spec": {}}')
    assert follow_command(made, there) == command
    gone = f"kubectl get {plural} -n shop --field-selector=metadata.name=web --watch"
    assert follow_command(made, None) == gone, "of what was deleted there is no rollout"


@pytest.mark.parametrize("plural", ["statefulsets", "daemonsets"])
def test_no_rollout_is_followed_that_kubectl_refuses_to_follow(plural: str) -> None:
    kind, on_delete = KINDS[plural], {"type": "OnDelete"}
    raw = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"updateStrategy": on_delete}}
    waits = kind.decode_object(json.dumps(raw).encode())
    rolls = kind.decode_object(json.dumps(raw | {"spec": {}}).encode())
    change = Change(plural=plural, kind=kind.kind, namespace="shop", name="db")
    assert follow_command(change, waits) == f"kubectl get {plural} db -n shop --watch"
    assert follow_command(change, rolls) == f"kubectl rollout status {kind.kind.lower()}/db -n shop"
    steps = [{"plural": plural, "kind": kind.kind, "name": name} for name in ("db", "other")]
    reader = SimpleNamespace(get=lambda plural, namespace, name: waits if name == "db" else rolls)
    change = Change(plural="secrets", kind="Secret", namespace="shop", name="login")
    screen: Any = SimpleNamespace(change=change, session=SimpleNamespace(reader=reader), steps=steps)
    assert RotationScreen.kubectl(screen) == f"kubectl rollout status {kind.kind.lower()}/other -n shop"
    screen.steps = steps[:1]
    assert RotationScreen.kubectl(screen) == "kubectl get secret login -n shop"
