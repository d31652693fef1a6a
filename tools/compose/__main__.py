"""docker-compose.yml, run by podman-compose where there is no Docker engine (a Debian, root), with the services that have
no image here replaced by docker-compose.sandbox.yml.

    python -m tools.compose check
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from sandbox import Sandbox
from tools.image import (
    GRACE_SECONDS,
    Engine,
    ImageError,
    base_make,
    image_build,
    impossible,
    programs_install,
    run,
    say,
    until,
    use,
)
from tools.server import free_port

HERE = Path(__file__).resolve().parent
SERVICES = "localhost/cluster-ui-services"
PSQL = ("postgres", "psql", "-U", "cluster_ui", "-At", "-c")
PACKAGES = ("python3", "postgresql-15", "redis-server")
# The compiler of PostgreSQL's queries, which it does without, and the cluster that Debian makes.
LEFT_OUT = (
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/postgresql/*/lib/llvmjit*",
    "var/lib/postgresql/15",
)
# What the compose file makes, and how podman lists their names; containers hold the others.
MADE = {
    "container": ("--all", "--format", "{{.Names}}"),
    "volume": ("--format", "{{.Name}}"),
    "network": ("--format", "{{.Name}}"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("action", choices=["check"])
    parser.parse_args()
    why_not = impossible()
    if why_not:
        print(why_not, file=sys.stderr)
        return 1
    if programs_install():
        return 1
    try:
        compose_check(Engine())
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def compose_check(engine: Engine) -> None:
    """Brings everything up by the documented commands, uses it, and takes it down with its volumes."""
    if not engine.has("localhost/cluster-ui:0.1.0"):
        image_build(engine)
    services_ensure(engine)
    with tempfile.TemporaryDirectory(prefix="cluster-ui-compose-") as folder:
        sandbox = Sandbox("compose", Path(folder))
        try:
            sandbox.up(samples=False)
            with _beside(sandbox, Path(folder) / "shared") as shared:
                _up(engine, sandbox, shared)
        finally:
            sandbox.destroy()


def services_ensure(engine: Engine) -> None:
    """PostgreSQL and Redis of Debian's packages, as one image."""
    if engine.has(f"{SERVICES}:sandbox"):
        return
    say("Making an image of Debian's PostgreSQL and Redis, once (about a minute)…")
    with tempfile.TemporaryDirectory(prefix="cluster-ui-services-", dir=engine.home) as folder:
        tar = Path(folder) / "services.tar"
        base_make(PACKAGES, tar, without=LEFT_OUT)
        engine.podman("import", "--quiet", tar, f"{SERVICES}:packages")
    made = engine.buildah("from", "--pull-never", f"{SERVICES}:packages")
    try:
        engine.buildah("copy", made, HERE / "entrypoint.sh", "/usr/local/bin/entrypoint.sh")
        path = "/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        engine.buildah(
            "config", "--entrypoint", '["/usr/local/bin/entrypoint.sh"]', "--env", f"PATH={path}", made
        )
        engine.buildah("commit", "--quiet", "--format", "docker", made, f"{SERVICES}:sandbox")
    finally:
        engine.buildah("rm", made)


@contextmanager
def _beside(sandbox: Sandbox, shared: Path) -> Iterator[Path]:
    """A folder for what stands in k3s' place: the kubeconfig as k3s writes it, and a socket that leads to the sandbox."""
    shared.mkdir()
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    target = cluster["server"].removeprefix("https://")
    cluster |= {"server": "https://127.0.0.1:6443", "tls-server-name": "localhost"}
    (shared / "kubeconfig").write_text(yaml.safe_dump(config))
    shutil.copyfile(HERE / "relay.py", shared / "relay.py")
    relay = subprocess.Popen([sys.executable, HERE / "relay.py", shared / "api.sock", target])
    try:
        yield shared
    finally:
        relay.terminate()
        relay.wait()


def _up(engine: Engine, sandbox: Sandbox, shared: Path) -> None:
    port = free_port()
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.sandbox.yml")
    environment = os.environ | engine.environment() | {"SANDBOX": str(shared), "PORT": str(port)}

    def compose(*words: str) -> str:
        program = Path(sys.executable).parent / "podman-compose"
        return run(program, "--in-pod", "false", *files, *words, environment=environment)

    def healthy(service: str) -> bool:
        try:
            engine.podman("healthcheck", "run", f"cluster-ui_{service}_1")
        except ImageError:
            return False
        return True

    clear(engine)
    try:
        compose("up", "--detach")
        for service in ("k3s", "postgres", "redis", "dashboard"):
            until(lambda: healthy(service), f"{service} is not healthy.", lambda: compose("logs", service))  # noqa: B023
            say(f"{service} is healthy.")
        base = f"http://127.0.0.1:{port}"
        link = compose("exec", "-T", "dashboard", "python", "manage.py", "signin_link", "--base", base)
        asyncio.run(use(sandbox, link.splitlines()[-1], base))
        _check_kept(compose, link.splitlines()[-1])
    except ImageError:
        say(engine.podman("ps", "--all"))
        raise
    finally:
        compose("down", "--volumes", "--timeout", str(GRACE_SECONDS))
    if left := leftovers(engine):
        raise ImageError(f"After `down` there is still {', '.join(left)}.")
    say("Everything is down: no container, volume or network of it is left.")


def _check_kept(compose: Callable[..., str], used: str) -> None:
    """That sessions and the audit are in PostgreSQL, and tries in Redis: the link that was ``used`` is one."""
    try:
        urllib.request.urlopen(used, timeout=60)  # noqa: S310 # an address of ours
    except urllib.error.HTTPError as error:
        refused = error.code == 403
    else:
        refused = False
    if not refused:
        raise ImageError("A link that was used is not refused.")
    for what, words in {
        "sessions in PostgreSQL": (*PSQL, "SELECT count(*) FROM django_session"),
        "entries of the audit in PostgreSQL": (*PSQL, "SELECT count(*) FROM dashboard_auditentry"),
        "counters in Redis": ("redis", "redis-cli", "DBSIZE"),
    }.items():
        number = compose("exec", "-T", *words).split()[-1]
        if not number.isdigit() or number == "0":
            raise ImageError(f"There are no {what}: {number}.")
        say(f"There are {number} {what}.")


def leftovers(engine: Engine) -> list[str]:
    """What is there of containers, volumes and networks that the compose file made."""
    return [name for what in MADE for name in _left(engine, what)]


def clear(engine: Engine) -> None:
    """Removes what a run that was killed has left: a volume of it would be taken for this one's."""
    for what in MADE:
        for name in _left(engine, what):
            engine.podman(what, "rm", "--force", name)


def _left(engine: Engine, what: str) -> list[str]:
    names = engine.podman(what, "ls", *MADE[what]).split()
    return [name for name in names if name.startswith("cluster-ui_")]


if __name__ == "__main__":
    sys.exit(main())
