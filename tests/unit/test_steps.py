"""The steps before the tests of `make test`: checks run beside each other and beside what is installed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tools.test import command, prepared

SAYS = "import sys, time\nfor _ in '123': print(sys.argv[1], flush=True); time.sleep(0.1)\nsys.exit(sys.argv[2] == 'bad')"


def test_a_check_runs_while_something_is_installed(tmp_path: Path) -> None:
    mark = tmp_path / "checked"

    def install(_: dict[str, str]) -> int:
        ends = time.monotonic() + 30
        while not mark.exists() and time.monotonic() < ends:
            time.sleep(0.01)
        return 0 if mark.exists() else 1

    check = command(sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close()", mark)
    assert prepared({"check": check}, {"install": install}, dict(os.environ)) == []


def test_what_a_check_says_stays_together_and_what_failed_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    checks = {
        name: command(sys.executable, "-c", SAYS, name, end)
        for name, end in (("one", "good"), ("two", "bad"))
    }
    assert prepared(checks, {"three": lambda _: 1}, dict(os.environ)) == ["two", "three"]
    said = capfd.readouterr().out
    for name, end in (("one", "ok"), ("two", "failed (1)")):
        assert f"=== {name}\n{name}\n{name}\n{name}\n=== {name}: {end} after 0 s\n" in said
    assert "=== three: failed (1) after 0 s" in said
