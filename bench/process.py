"""A process, such as the dashboard's, as /proc tells of it."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path


class Process:
    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu(self) -> float:
        """Milliseconds of CPU, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB that are resident."""
        return self._status("VmRSS") / 1024

    def peak(self) -> float:
        """MiB that were resident at most."""
        return self._status("VmHWM") / 1024

    def threads(self) -> int:
        return self._status("Threads")

    def descriptors(self) -> int:
        """Files and sockets that it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def sockets(self) -> int:
        """Of the descriptors, connections and what listens for them."""
        count = 0
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                count += str(each.readlink()).startswith("socket:")
        return count

    def signal(self, how: signal.Signals) -> None:
        os.kill(self.pid, how)

    def _status(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
