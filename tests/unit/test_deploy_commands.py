"""What the manifests of ``deploy/`` run is taken by `manage.py` as it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def commands(part: Any) -> Iterator[list[str]]:
    """The command of each container in a part of a manifest."""
    if isinstance(part, dict):
        if isinstance(part.get("command"), list):
            yield part["command"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from commands(each)


FOUND = [
    pytest.param(command, id=f"{path.name}: {command[2]} {' '.join(command[3:4])}")
    for path in sorted(DEPLOY.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    for command in commands(document)
    if command[:2] == ["python", "manage.py"]
]


@pytest.mark.parametrize("command", FOUND)
def test_a_command_is_taken(command: list[str]) -> None:
    name, words = command[2], command[3:]
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(words)


def test_there_are_some() -> None:
    assert len(FOUND) >= 3
