"""`manage.py` of which another thread notes, every few milliseconds, at which line its loop is working.

Between SIGUSR1 and SIGUSR2; at the second it writes ``$SAMPLES``: lines of "<samples> <file>:<line> <function>", the
heaviest first, each the innermost line of the project itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management import execute_from_command_line

EVERY_SECONDS = 0.002
ROOT = Path(__file__).resolve().parent.parent
_OURS = (str(ROOT / "dashboard"), str(ROOT / "cluster_ui"))
_LOOP = str(ROOT / "dashboard" / "management")


class Sampler:
    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._found: Counter[str] = Counter()
        self._on = threading.Event()

    def start(self, *_: Any) -> None:
        self._found.clear()
        self._on.set()

    def stop(self, *_: Any) -> None:
        self._on.clear()
        total = max(1, self._found.total())
        lines = [f"{count / total:.1%} {where}" for where, count in self._found.most_common(10)]
        Path(os.environ["SAMPLES"]).write_text("\n".join(lines))

    def run(self) -> None:
        while self._on.wait():
            frame = sys._current_frames().get(self._thread)
            if frame is not None and (where := _innermost(frame)):
                self._found[where] += 1
            time.sleep(EVERY_SECONDS)


def _innermost(frame: FrameType | None) -> str:
    """The innermost line of ours; "" where the loop only waits, or works for nobody of us."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_LOOP):
            return ""
        if path.startswith(_OURS):
            return f"{Path(path).relative_to(ROOT)}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


if __name__ == "__main__":
    sampler = Sampler(threading.get_ident())
    signal.signal(signal.SIGUSR1, sampler.start)
    signal.signal(signal.SIGUSR2, sampler.stop)
    threading.Thread(target=sampler.run, daemon=True).start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    execute_from_command_line(sys.argv)
