"""Debian's packages for tests and tools: what happens where they are missing and can't be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest

from tools.debian import packages_install

THERE = {"chromium": True, "postgresql": False, "redis-server": False}


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: Any, **_: Any) -> None:
        raise AssertionError(f"it ran {given}")

    monkeypatch.setattr(subprocess, "run", refused)


@pytest.mark.parametrize(("user", "apt"), [(1000, "/usr/bin/apt-get"), (0, None)])
def test_without_root_or_apt_get_it_says_what_to_install_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, apt: str | None
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda _: apt)
    assert packages_install("The tests", THERE) == 1
    assert capsys.readouterr().out == (
        "The tests need postgresql redis-server: install it (Debian: apt-get install postgresql redis-server) "
        "and run this again.\n"
    )


def test_with_all_of_them_there_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert packages_install("The tests", dict.fromkeys(THERE, True)) == 0
    assert capsys.readouterr().out == ""
