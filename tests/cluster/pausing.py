"""`manage.py` whose process stops, as by `kill -STOP`, where the first operation that it moves is about to write."""

from __future__ import annotations

import os
import signal
import sys

import django
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    django.setup()
    from dashboard.kube.config import Cluster
    from dashboard.kube.transport import Transport, hold

    allowed, paused = Transport.gate, list[Cluster]()

    async def pause(cluster: Cluster) -> None:
        await allowed(cluster)
        if hold.get() is not None and not paused:
            paused.append(cluster)
            os.kill(os.getpid(), signal.SIGSTOP)

    Transport.gate = staticmethod(pause)
    execute_from_command_line(sys.argv)
