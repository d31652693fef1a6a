"""PostgreSQL and Redis for tests: Debian's programs, on free ports, in a temporary folder, gone with the test run.

PostgreSQL refuses root, so it runs as ``postgres`` or ``nobody``. Both end when the process that started them does,
however that ends.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tools.server import free_port

SECONDS = 120.0  # until it answers, on a machine that is busy


def program(name: str) -> str:
    """The path of a program; Debian keeps PostgreSQL's out of PATH. Raises FileNotFoundError with what to install."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    if found[0] is None:
        raise FileNotFoundError(f"{name} is not installed (Debian: apt-get install postgresql redis-server).")
    return str(found[0])


def account() -> pwd.struct_passwd:
    """Who PostgreSQL runs as."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


class Service:
    """A program with a folder and a port of its own. ``stop`` and ``start`` are an outage; data stays.

    Start it from the main thread: the kernel ends it together with the *thread* that started it.
    """

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cluster-ui-service-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "INT", *self.command()], cwd=self.home, stdout=log, stderr=log
            )
        deadline = time.monotonic() + SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"It did not start:\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(SECONDS)
            self.process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.home)


class Postgres(Service):
    """Its databases are made anew by ``database()``."""

    def command(self) -> list[str]:
        return [
            *self._as_account(), program("postgres"), "-D", str(self.home / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
        ]  # fmt: skip

    def start(self) -> None:
        if not (self.home / "data").exists():
            who = account()
            os.chown(self.home, who.pw_uid, who.pw_gid)
            subprocess.run(
                [
                    *("setpriv", *self._as_account()), program("initdb"), "-D", str(self.home / "data"),
                    "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
                ],
                cwd=self.home, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        super().start()

    def _as_account(self) -> list[str]:
        who = account()
        return (
            [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"] if os.geteuid() == 0 else []
        )

    def answers(self) -> bool:
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, question: str, *values: Any, database: str = "postgres") -> list[Any]:
        url = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(question, values)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    def database(self, name: str) -> str:
        """An empty database; its URL."""
        self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.ask(f'CREATE DATABASE "{name}"')
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"


class Redis(Service):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(self.home),
        ]  # fmt: skip
