"""All benchmarks, in the order in which they run. Another one is a module with a ``FIGURE`` and a line here."""

from __future__ import annotations

from importlib import import_module

from .figure import Figure

NAMES = (
    "judge",
    "memory",
    "relations",
    "lists",
    "search",
    "whatif",
    "rewind",
    "timeline",
    "backup",
    "restore",
    "flood",
    "loop",
    "pages",
    "start",
    "changes",
    "sockets",
    "live",
    "editor",
    "decode",
    "growth",
    "soak",
)
FIGURES: dict[str, Figure] = {name: import_module(f"bench.{name}").FIGURE for name in NAMES}
