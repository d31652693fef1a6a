"""`manage.py` that notes in a file ``waits`` each wait for a lock of SQLite that was in vain: its limit, in ms."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.core.management import execute_from_command_line
from django.db import OperationalError
from django.db.backends.signals import connection_created

WAITS = Path(os.environ["CLUSTER_UI_HOME"]) / "waits"


def noting(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        if "locked" in str(error):
            (limit,) = context["connection"].connection.execute("PRAGMA busy_timeout").fetchone()
            with WAITS.open("a") as out:
                out.write(f"{limit}\n")
        raise


def note(connection: Any, **_: Any) -> None:
    connection.execute_wrappers.append(noting)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    django.setup()
    connection_created.connect(note)
    execute_from_command_line(sys.argv)
