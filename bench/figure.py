"""A benchmark as one declaration: its name, what measures it, how large it is, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import Sandbox

from .report import Report


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure is measured. ``home`` is an empty folder of its own."""

    home: Path
    started: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox:
        """The one that runs for it. Raises RuntimeError for a figure that has not said that it needs one."""
        if self.started is None:
            raise RuntimeError("a figure that needs a sandbox says so")
        return self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``run`` measures it in a place. It takes the sizes of ``full`` or ``short``, and raises RuntimeError where what it
    sees is wrong: the short form is run by the tests, for that alone.
    """

    name: str
    run: Callable[..., Report]
    full: Mapping[str, Any]
    short: Mapping[str, Any]
    sandbox: bool = False  # whether a real API server is started for it
    own_sandbox: bool = False  # whether it starts one for itself, which no other figure could share
    browser: bool = False  # whether it drives Chromium
