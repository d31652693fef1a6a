"""A dashboard of its own for browser tests and benchmarks: own database, own port, one given cluster."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from types import TracebackType
from typing import TypedDict
from urllib.error import URLError
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
SESSION = "cluster_ui_session"


class Cookie(TypedDict):
    name: str
    value: str
    url: str


class Server:
    """`manage.py serve` as a process. Use as a context manager; ``log`` keeps what it printed.

    ``program`` is what Python runs with the word ``serve``; another one can be put there before a ``start()``.
    """

    program: tuple[str, ...] = ("manage.py",)
    _new_database = b""

    def __init__(self, home: Path, kubeconfig: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = home / "server.log"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CLUSTER_UI_", "KUBE")) and name not in ("DATABASE_URL", "REDIS_URL")
        }
        self.environment = kept | {"CLUSTER_UI_HOME": str(home), "KUBECONFIG": str(kubeconfig)} | settings
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *words: str) -> str:
        """What a management command prints. Raises CalledProcessError when it fails."""
        done = subprocess.run(  # our own command
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def migrate(self) -> None:
        """Makes the database. A new one of SQLite is a copy of the first that this process made: it takes seconds."""
        here = self.home / "cluster-ui.sqlite3"
        if Server._new_database and "DATABASE_URL" not in self.environment and not here.exists():
            here.touch(mode=0o600)
            here.write_bytes(Server._new_database)
            return
        is_new = not here.exists()
        self.manage("migrate", "-v0", "--skip-checks")
        if is_new and here.exists():
            Server._new_database = here.read_bytes()

    def signin_link(self, user: str = "owner") -> str:
        # The checks, which look through every page, take a third of the command's time; `make check` has them.
        return self.manage("signin_link", "--user", user, "--base", self.base, "--skip-checks").strip()

    def session(self, user: str = "owner") -> str:
        """The cookie of a new session of somebody, who has opened a link and pressed its button."""
        return session_of(self.signin_link(user), self.base)

    def cookies(self, user: str = "owner") -> list[Cookie]:
        """The same, as Playwright takes it."""
        return [{"name": SESSION, "value": self.session(user), "url": self.base}]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # our own command
                [sys.executable, *self.program, "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.base}/readyz", timeout=2):  # noqa: S310 # our own address
                    return
            except (URLError, OSError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"The server did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self) -> Server:
        self.home.mkdir(parents=True, exist_ok=True)
        self.migrate()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def session_of(link: str, base: str) -> str:
    """The cookie of the session that a sign-in link gives, once it was opened and its button was pressed."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(link, timeout=60) as answer:
        form = dict(
            re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', answer.read().decode())
        )
    with browser.open(f"{base}/login/link/", urlencode(form).encode(), timeout=60):
        return next(cookie.value or "" for cookie in jar if cookie.name == SESSION)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
