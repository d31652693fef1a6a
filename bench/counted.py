"""`manage.py` which at SIGUSR1 writes into ``$COUNTS`` how many tasks its loop has, and how many objects Python keeps."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.management import execute_from_command_line


def count(*_: Any) -> None:
    gc.collect()
    path = Path(os.environ["COUNTS"])
    written = path.with_suffix(".new")
    written.write_text(json.dumps({"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects())}))
    written.replace(path)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, count)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    execute_from_command_line(sys.argv)
