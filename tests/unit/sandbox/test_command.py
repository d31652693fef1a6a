"""`manage.py sandbox`: which sandbox is meant."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from sandbox import cli


@pytest.mark.parametrize("action", ["up", "down", "status", "reset", "scale"])
@pytest.mark.parametrize(("options", "meant"), [((), "another"), (("--name", "third"), "third")])
def test_the_setting_names_the_sandbox_unless_the_command_does(
    action: str,
    options: tuple[str, ...],
    meant: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server uses the sandbox of CLUSTER_UI_SANDBOX: a command about another one would stop or reset that."""
    settings.CLUSTER_UI_SANDBOX = "another"
    named = []
    monkeypatch.setattr(cli, "run", lambda options, **_: named.append(options.name))
    call_command("sandbox", action, *options)
    assert named == [meant]
