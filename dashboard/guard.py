"""Code of plugins is called through here: what it raises is noted, and ends nothing but that call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dashboard.errors import ClusterError

T = TypeVar("T")


class PluginFailed(ClusterError):
    title = "A plugin failed"


@dataclass(frozen=True)
class Guard:
    """``noted`` hears what of the plugin failed, and with which error."""

    plugin: str
    noted: Callable[[str, BaseException], None]

    def call(self, what: str, code: Callable[[], T], otherwise: T) -> T:
        """What the code answers; ``otherwise`` where it raises."""
        try:
            return code()
        except Exception as error:
            self.noted(what, error)
            return otherwise

    def failed(self, what: str, error: Exception) -> PluginFailed:
        """The error for who asked for it; it is noted."""
        self.noted(what, error)
        return PluginFailed(
            f"The plugin {self.plugin} failed in {what}: {type(error).__name__}.",
            next_step="The server's log has the cause; the rest of the dashboard works.",
        )
