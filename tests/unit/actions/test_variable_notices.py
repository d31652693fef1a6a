"""What a preview tells of variables, commands and arguments: references that stay as written, and NUL bytes."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.variable_notices import variable_notices

HOST = {"name": "DB_HOST", "value": "db"}
URL = {"name": "URL", "value": "postgres://$(DB_HOST)/shop"}


def of(container: dict[str, Any]) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "app"} | container]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": pod}}


def told(container: dict[str, Any], before: dict[str, Any] | None = None) -> list[str]:
    return [f"{one.title}: {one.text}" for one in variable_notices(before or {}, of(container))]


@pytest.mark.parametrize(
    "container",
    [
        {"env": [HOST, URL]},
        {"env": [URL], "envFrom": [{"configMapRef": {"name": "settings"}}]},
        {"env": [{"name": "A", "value": "$$(DB_HOST) $(date) $(REDIS_SERVICE_HOST) $(REDIS_PORT)"}]},
        {"env": [URL | {"value": None}], "command": ["sh", "-c", "echo $(hostname)"]},
        {"env": [HOST], "args": ["--host=$(DB_HOST)"]},
    ],
)
def test_what_is_resolved_or_is_no_reference_is_not_told(container: dict[str, Any]) -> None:
    assert told(container) == []


def test_a_value_knows_the_variables_above_it_and_a_command_all() -> None:
    assert told({"env": [URL, HOST], "args": ["$(DB_HOST)"]}) == [
        "$(DB_HOST) stays as written: URL of container app refers to DB_HOST, which is set below it."
    ]
    assert told({"env": [{"name": "PATH", "value": "$(PATH):/opt"}], "command": ["$(BIN)"]}) == [
        "$(PATH) and $(BIN) stay as written: PATH of container app refers to PATH, which is not set and "
        "command of container app refers to BIN, which is not set."
    ]


def test_what_was_there_before_and_other_kinds_are_left_alone() -> None:
    container = {"env": [URL]}
    assert told(container, of(container)) == []
    other = {"apiVersion": "example.com/v1", "spec": {"template": "text", "containers": {"a": 1}}}
    assert list(variable_notices({}, other)) == []
    cron = {"apiVersion": "batch/v1", "spec": {"jobTemplate": {"spec": of(container)["spec"]}}}
    pod = {"apiVersion": "v1", "spec": of(container)["spec"]["template"]["spec"]}
    assert [len(list(variable_notices({}, each))) for each in (cron, pod)] == [1, 1]
    assert list(variable_notices({}, {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "$(A)"}})) == []


def test_a_nul_is_told_wherever_a_process_would_be_given_it() -> None:
    container = {"env": [{"name": "A", "value": "a\0b"}, HOST], "args": ["x", "\0", "\0"]}
    assert told(container) == [
        "New pods will not start: A of container app and args of container app hold a NUL byte, which no process "
        "can be given."
    ]
    assert told(container, of(container)) == []
