"""Lists the installed plugins: version, whether they work, what they bring."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.rows import listed, plural
from dashboard.management.terminal import TerminalCommand
from dashboard.plugins.host import PLUGINS, STATE_WORDS


class Command(TerminalCommand):
    help = "List the installed plugins with version and state."

    def handle(self, *args: Any, **options: Any) -> None:
        if not PLUGINS:
            self.stdout.write("No plugins are installed.")
        for plugin in PLUGINS:
            brings = listed(plural(count, what) for what, count in plugin.brings.items())
            words = (plugin.name, plugin.version, STATE_WORDS[plugin.state], plugin.problem or brings)
            self.stdout.write("  ".join(word for word in words if word))
