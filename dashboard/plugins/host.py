"""Finds the installed plugins, checks them, and puts what they bring into the registries: once, when the program starts.

A plugin is registered as a whole or not at all, and what it raises is noted here: at import, at registration, or later.
Nothing of the dashboard ends by it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Literal

from django.conf import settings

logger = logging.getLogger(__name__)

GROUP = "cluster_ui"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LOGGED_EVERY = 300.0  # seconds between records of the same failure

State = Literal["on", "off", "refused", "failed"]
STATE_WORDS: dict[State, str] = {
    "on": "Active",
    "off": "Disabled",
    "refused": "Refused",
    "failed": "Failed to load",
}


class Refused(Exception):
    """Why a plugin is not registered: a sentence."""


@dataclass
class Failure:
    """What of a plugin failed while it ran: how often, and how at last."""

    text: str
    count: int = 0
    logged_at: float = float("-inf")


@dataclass
class Plugin:
    """An installed plugin. ``brings`` counts what it registered, by what that is; ``problem`` says why it did not;
    ``failures`` are what failed since, by what it was.
    """

    name: str
    version: str = ""
    state: State = "on"
    problem: str = ""
    brings: dict[str, int] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def noted(self, what: str, error: BaseException) -> None:
        """Something of it failed. The log has each cause once, and again while it goes on."""
        text = f"{type(error).__name__}: {error}"[:300] if str(error) else type(error).__name__
        now = time.monotonic()
        with self._lock:
            failure = self.failures.setdefault(what, Failure(text))
            failure.count += 1
            failure.text = text
            due = now - failure.logged_at >= LOGGED_EVERY
            if due:
                failure.logged_at = now
        if due:
            logger.error("plugin %s failed in %s: %s", self.name, what, text, exc_info=error)

    def refuse(self, state: State, problem: str, error: BaseException | None = None) -> None:
        self.state, self.problem = state, problem
        logger.error("plugin %s: %s", self.name, problem, exc_info=error)


PLUGINS: list[Plugin] = []


def load(entries: Iterable[EntryPoint] | None = None) -> None:
    """Loads the plugins that are installed (``entries``: those that are given), in the order of their names."""
    found = sorted(entry_points(group=GROUP) if entries is None else entries, key=lambda each: each.name)
    if not found:
        return
    from .registering import Registering  # with all that plugins may extend: not where there are none

    registering = Registering()
    for entry in found:
        plugin = Plugin(entry.name, entry.dist.version if entry.dist is not None else "")
        PLUGINS.append(plugin)
        if not _wanted(entry.name):
            plugin.state = "off"
            plugin.problem = "CLUSTER_UI_PLUGINS leaves it out."
            continue
        try:
            registering.add(plugin, _imported(entry))
        except Refused as why:
            plugin.refuse("refused", str(why))
        except (Exception, SystemExit) as error:
            plugin.refuse("failed", f"It failed to load. {type(error).__name__}: {error}", error)


def _wanted(name: str) -> bool:
    chosen = settings.CLUSTER_UI_PLUGINS
    return chosen is None or name in chosen


def _imported(entry: EntryPoint) -> ModuleType:
    if not NAME.fullmatch(entry.name):
        raise Refused(
            f"{entry.name!r} is not a valid name for a plugin: use lower-case letters, digits and hyphens."
        )
    if any(other.name == entry.name for other in PLUGINS[:-1]):
        raise Refused(f"Another installed plugin is called {entry.name} too: uninstall one of them.")
    module = entry.load()
    if not isinstance(module, ModuleType):
        raise Refused(f"Its entry point {entry.value} is not a module.")
    return module
