"""Processes known by a pid file.

A pid alone proves nothing after a reboot: a command line must name our folder.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

STOP_SECONDS = 3.0  # then killed, which is safe: the API server may take a minute to let go of its clients


def running(pid_file: Path, mark: str) -> int | None:
    """The pid in `pid_file` when a live process has it whose command line contains `mark`, else None."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if mark in _command_line(pid) else None


def stop(pid_files: list[Path], mark: str) -> None:
    """End the processes of these pid files in this order, and forget the files of those long gone."""
    for pid_file in pid_files:
        pid = running(pid_file, mark)
        if pid is not None:
            _end(pid, mark)
        pid_file.unlink(missing_ok=True)


def _end(pid: int, mark: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if mark not in _command_line(pid):
                return
            time.sleep(0.05)


def _command_line(pid: int) -> str:
    """A process's command line; empty for none, and for a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout
