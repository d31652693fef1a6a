"""`manage.py` whose SQLite finds its disk full as long as a file ``full`` lies beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import execute_from_command_line
from django.db.backends.signals import connection_created

FULL = Path(os.environ["CLUSTER_UI_HOME"]) / "full"


def limit(connection: Any, **_: Any) -> None:
    """As many pages as there are, and no more: what SQLite says then is what it says of a disk without room."""
    with connection.cursor() as cursor:
        if FULL.exists():
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    django.setup()
    from django.conf import settings

    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0  # each question finds out how it is now
    connection_created.connect(limit)
    execute_from_command_line(sys.argv)
