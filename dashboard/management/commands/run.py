"""Everything behind `make run`: database, files, a cluster when there is none, the server and a link to sign in."""

from __future__ import annotations

import argparse
import os
import socket
import threading
import time
import webbrowser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from dashboard.kube.config import load_clusters
from dashboard.live.runtime import sandbox_kubeconfig
from dashboard.signin import link_create
from sandbox import Sandbox


class Command(BaseCommand):
    help = "Prepare what is missing, start the sandbox when no cluster is configured, and run the server."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port to bind to (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        self._say("Database and static files…")
        settings.HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        self._backups()
        sandboxed = self._cluster()
        port = _free_port(options["port"])
        if port != options["port"]:
            self._say(f"Port {options['port']} is taken by another program: using {port}.")
        link = f"http://127.0.0.1:{port}{link_create() if 'link' in settings.CLUSTER_UI_SIGN_IN else '/'}"
        threading.Thread(target=self._announce, args=(port, link, started), daemon=True).start()
        try:
            call_command("serve", port=port)
        except KeyboardInterrupt:
            pass
        finally:
            self._farewell(sandboxed=sandboxed)

    def _backups(self) -> None:
        """A folder for them, where nothing else is set: from then on the settings find it (``_backup_to``)."""
        folder = settings.CLUSTER_UI_BACKUPS
        if not settings.CLUSTER_UI_BACKUP_TO and "KUBERNETES_SERVICE_HOST" not in os.environ:
            folder.mkdir(mode=0o700, exist_ok=True)
            settings.CLUSTER_UI_BACKUP_TO = str(folder)
        if str(folder) == settings.CLUSTER_UI_BACKUP_TO:
            self._say(
                f"Backups go to {folder}, on this machine alone; CLUSTER_UI_BACKUP_TO names another place."
            )

    def _cluster(self) -> bool:
        """Say which cluster it is; start the sandbox when nothing else is configured. True for the sandbox."""
        others = [
            cluster
            for cluster in load_clusters(environ=os.environ, sandbox_kubeconfig=None)
            if not cluster.is_sandbox
        ]
        if others:
            self._say(f"Cluster: {others[0].name} at {others[0].server} ({others[0].source_detail}).")
            return False
        self._say("No kubeconfig found: starting the sandbox, a real Kubernetes cluster on this machine.")
        Sandbox(settings.CLUSTER_UI_SANDBOX).up()
        # `make clean` deletes the sandbox that was started from here, and no other.
        (settings.HOME / "sandbox").write_text(settings.CLUSTER_UI_SANDBOX)
        kubeconfig = sandbox_kubeconfig()
        self._say(f"The sandbox is up. For kubectl: export KUBECONFIG={kubeconfig}")
        return True

    def _announce(self, port: int, link: str, started: float) -> None:
        """Once the port answers: the link, on its own line, and the browser."""
        while True:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        one_time = "link" in settings.CLUSTER_UI_SIGN_IN
        how = "Sign in with this link (10 minutes, one use):" if one_time else "Sign in here:"
        self._say(f"\nReady after {time.monotonic() - started:.0f} s. {how}\n")
        self._say(f"    {link}\n")
        another = "Another link: .venv/bin/python manage.py signin_link. " if one_time else ""
        self._say(f"{another}Stop with Ctrl-C.")
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt":
            webbrowser.open(link)

    def _farewell(self, *, sandboxed: bool) -> None:
        self._say("\nThe server has stopped.")
        if sandboxed:
            self._say(
                "The sandbox goes on running: `make stop` stops it and keeps its objects, `make clean` deletes it."
            )

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _free_port(wanted: int) -> int:
    """The wanted port, or the next that is free."""
    for port in range(wanted, min(wanted + 50, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return wanted
