"""The lines that a preview shows."""

from __future__ import annotations

import copy
from typing import Any

from dashboard.actions.diff import MAX_LINES, Line, diff_lines, effect_digest, readable, yaml_lines

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {
        "name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 3,
        "creationTimestamp": "2026-03-01T00:00:00Z", "managedFields": [{"manager": "x"}],
        "labels": {"app": "web"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{…}"},
    },
    "spec": {
        "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "app", "image": "a:1"}]}},
    },
    "status": {"replicas": 3},
}  # fmt: skip


def scaled(replicas: int) -> dict[str, Any]:
    made = copy.deepcopy(DEPLOYMENT)
    made["spec"]["replicas"] = replicas
    return made


def test_only_what_people_write_is_shown() -> None:
    assert readable(DEPLOYMENT)["metadata"] == {"name": "web", "namespace": "shop", "labels": {"app": "web"}}
    assert yaml_lines(readable(DEPLOYMENT))[:4] == [
        "apiVersion: apps/v1", "kind: Deployment", "metadata:", "  name: web",
    ]  # fmt: skip


def test_a_changed_value_is_marked_and_the_rest_folded() -> None:
    assert diff_lines(DEPLOYMENT, scaled(0)) == (
        Line(None, "…", "6 unchanged lines"),
        Line(7, "", "    app: web"),
        Line(8, "", "spec:"),
        Line(9, "-", "  replicas: 3", "3"),
        Line(9, "+", "  replicas: 0", "0"),
        Line(10, "", "  selector:"),
        Line(11, "", "    matchLabels:"),
        Line(None, "…", "6 unchanged lines"),
    )


def test_alike_objects_have_no_diff() -> None:
    busier = copy.deepcopy(DEPLOYMENT)
    busier["metadata"]["resourceVersion"] = "8"
    busier["status"]["replicas"] = 2
    assert diff_lines(DEPLOYMENT, busier) == ()


def test_added_and_removed_lines_have_no_mark() -> None:
    more = copy.deepcopy(DEPLOYMENT)
    more["spec"]["paused"] = True
    lines = diff_lines(DEPLOYMENT, more)
    assert [(line.sign, line.text, line.mark) for line in lines if line.sign in ("+", "-")] == [
        ("+", "  paused: true", "")
    ]


def test_effect_is_alike_when_only_other_parts_of_the_object_changed() -> None:
    busier, busier_scaled = copy.deepcopy(DEPLOYMENT), scaled(0)
    for each in (busier, busier_scaled):
        each["metadata"]["resourceVersion"] = "9"
        each["spec"]["template"]["spec"]["containers"][0]["image"] = "a:2"
    assert effect_digest(DEPLOYMENT, scaled(0)) == effect_digest(busier, busier_scaled)
    assert effect_digest(DEPLOYMENT, scaled(0)) != effect_digest(DEPLOYMENT, scaled(1))
    assert effect_digest(scaled(2), scaled(0)) != effect_digest(DEPLOYMENT, scaled(0))


def test_whoever_lacks_the_key_can_try_no_value_against_the_digest_of_an_effect(settings: Any) -> None:
    kept = effect_digest(DEPLOYMENT, scaled(0))
    settings.SECRET_KEY += "another"
    assert effect_digest(DEPLOYMENT, scaled(0)) != kept


def test_a_difference_of_any_size_shows_its_first_lines() -> None:
    before = {"kind": "Widget", "spec": {"env": [f"OLD_{n}" for n in range(10_000)]}}
    after = {"kind": "Widget", "spec": {"env": [f"NEW_{n}" for n in range(10_000)], "long": "x" * 900_000}}
    lines = diff_lines(before, after)
    assert len(lines) == MAX_LINES + 1
    assert lines[-1].sign == "…" and lines[-1].text.endswith("more changed lines are not shown")
    (long,) = diff_lines({"kind": "W"}, {"kind": "W", "long": "x" * 900_000})[-1:]
    assert len(long.text) < 3000 and "more characters" in long.text
