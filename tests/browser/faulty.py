"""`manage.py` in which one thing goes wrong: what $FAULT says, where a change that was made would be recorded."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django
from django.core.management import execute_from_command_line


def die(*_: Any) -> None:
    """As `kill -9` does at just this moment."""
    os.kill(os.getpid(), signal.SIGKILL)


def crash(*_: Any) -> None:
    raise RuntimeError("nobody foresaw this")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    django.setup()
    from dashboard.actions import records

    records.finish = {"die": die, "crash": crash}[os.environ["FAULT"]]
    execute_from_command_line(sys.argv)
