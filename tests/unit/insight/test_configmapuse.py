"""Who uses a ConfigMap, by which keys, and which pods still run old values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.insight.configmapuse import change_effects, consumers, stale_pods

from .world import NOW, World, ago, meta

ENV = {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}]}
MAYBE = {
    "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a", "optional": True}}}]
}
ALL = {"envFrom": [{"configMapRef": {"name": "cfg"}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/etc"}]}
PATH = {"volumeMounts": [{"name": "v", "mountPath": "/etc/a", "subPath": "a"}]}
SOME_PATH = {"volumeMounts": [{"name": "v", "mountPath": "/etc/a", "subPathExpr": "$(FILE)"}]}
FOLDER = {"volumeMounts": [{"name": "v", "mountPath": "/etc/in", "subPath": "in/"}]}
VOLUME = {"volumes": [{"name": "v", "configMap": {"name": "cfg"}}]}
ITEMS = {"volumes": [{"name": "v", "configMap": {"name": "cfg", "items": [{"key": "a", "path": "a"}]}}]}
NESTED_ITEMS = [{"key": "a", "path": "in/a"}, {"key": "b", "path": "out/b"}]
NESTED = {"volumes": [{"name": "v", "configMap": {"name": "cfg", "items": NESTED_ITEMS}}]}
PROJECTED = {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "cfg"}}]}}]}


def spec(container: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"containers": [{"name": "app", **container}], **(more or {})}


def deployment(pod: dict[str, Any], name: str = "web") -> tuple[str, dict[str, Any]]:
    return "deployments", {"metadata": meta(name), "spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("pod", "word", "elsewhere"),
    [
        (spec(ENV), "after a restart", "not touched"),
        (spec(ALL), "after a restart", "after a restart"),
        (spec(MOUNT, VOLUME), "soon", "soon"),
        (spec(MOUNT, PROJECTED), "soon", "soon"),
        (spec(MOUNT, ITEMS), "soon", "not touched"),
        (spec(PATH, VOLUME), "never by itself", "not touched"),
        (spec(PATH, ITEMS), "never by itself", "not touched"),
        (spec(FOLDER, NESTED), "never by itself", "not touched"),
        (spec(SOME_PATH, VOLUME), "never by itself", "never by itself"),
        (spec({**MOUNT, **ENV}, VOLUME), "after a restart", "soon"),
    ],
)
def test_when_a_change_is_seen(pod: dict[str, Any], word: str, elsewhere: str) -> None:
    world = World(deployment(pod))
    for key, expected in (("a", word), ("b", elsewhere)):
        (effect,) = change_effects(world, "shop", "cfg", written=[key], removed=[])
        assert effect.word == expected


@pytest.mark.parametrize(
    ("pod", "state"), [(spec(ENV), "bad"), (spec(MOUNT, ITEMS), "bad"), (spec(MAYBE), "warn"), (spec(ALL), "warn")]
)  # fmt: skip
def test_taking_away_a_key_that_somebody_needs_is_told(pod: dict[str, Any], state: str) -> None:
    (effect,) = change_effects(World(deployment(pod)), "shop", "cfg", written=[], removed=["a"])
    assert effect.state == state


def test_nobody_else_is_named() -> None:
    other = {"envFrom": [{"configMapRef": {"name": "other"}}, {"secretRef": {"name": "cfg"}}]}
    world = World(deployment(spec(other)), deployment(spec(MOUNT, {"volumes": [{"name": "v"}]}), "two"))
    (effect,) = change_effects(world, "shop", "cfg", written=["a"], removed=[])
    assert effect.ref is None


def test_what_a_controller_makes_is_told_by_the_topmost_one() -> None:
    template = {"template": {"spec": spec(ENV)}}
    world = World(
        deployment(spec(ENV)),
        ("replicasets", {"metadata": meta("web-1", ("Deployment", "web")), "spec": template}),
        ("pods", {"metadata": meta("web-1-x", ("ReplicaSet", "web-1")), "spec": spec(ENV)}),
        ("pods", {"metadata": meta("alone"), "spec": spec(ENV)}),
        ("cronjobs", {"metadata": meta("nightly"), "spec": {"jobTemplate": {"spec": template}}}),
        ("jobs", {"metadata": meta("nightly-1", ("CronJob", "nightly")), "spec": template}),
    )
    found = consumers(world, "shop", "cfg")
    assert [each.ref.name for each in found] == ["web", "nightly", "alone"]
    assert [each.restartable for each in found] == [True, False, False]


def test_pods_that_started_before_the_change_run_the_old_value() -> None:
    world = World(
        deployment(spec(ENV)),
        ("replicasets", {"metadata": meta("web-1", ("Deployment", "web"))}),
        ("pods", {"metadata": meta("old", ("ReplicaSet", "web-1")), "spec": spec(ENV)}),
        (
            "pods",
            {
                "metadata": meta("new", ("ReplicaSet", "web-1")) | {"creationTimestamp": ago(minutes=1)},
                "spec": spec(ENV),
            },
        ),
        ("pods", {"metadata": meta("files"), "spec": spec(MOUNT, VOLUME)}),
        ("pods", {"metadata": meta("ended"), "spec": spec(ENV), "status": {"phase": "Succeeded"}}),
    )
    since = NOW - timedelta(minutes=30)
    found = stale_pods(world, "shop", "cfg", ["a"], since)
    assert {ref.name: count for ref, count in found.items()} == {"web": 1}
    assert stale_pods(world, "shop", "cfg", ["b"], since) == {}
