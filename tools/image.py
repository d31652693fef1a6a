"""The container image: built from the Dockerfile, looked at, started, used and stopped, on a Debian without a Docker
engine (root; buildah, podman and runc of Debian's own, installed when they are missing).

    python -m tools.image build [--base IMAGE] [--archive FILE]
    python -m tools.image check

Where no registry answers, the base is made of Debian's packages and kept (``cluster-ui/image`` in the user's cache, with
everything that the engine stores). ``check`` wants the image built, and a sandbox of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from sandbox import Sandbox
from sandbox.binaries import cache_home
from tools.debian import can_install, packages_install
from tools.server import SESSION, free_port, session_of

ROOT = Path(__file__).resolve().parent.parent
TAG = "cluster-ui:0.1.0"
REGISTRY = "registry-1.docker.io"
MAX_MB = 250  # of the image on Debian's packages, as files are long
MAX_OURS_MB = 165  # of what the Dockerfile puts onto its base, whatever that is
GRACE_SECONDS = 25  # of deploy's pod
START_SECONDS = 300.0
USER = 10001
# Debian package → a file of it.
PROGRAMS = {
    **{name: name for name in ("buildah", "podman", "runc", "mmdebstrap")},
    "iptables": "/usr/sbin/iptables",  # netavark makes its rules by it
    "netavark": "/usr/lib/podman/netavark",
    "aardvark-dns": "/usr/lib/podman/aardvark-dns",
}

# The base. No apt, no Perl besides what dpkg needs: nothing is installed in an image once it is built.
SUITE = "bookworm"
PACKAGES = ("python3",)
COMMON = ("ca-certificates", "usr-is-merged")
BUILD_PACKAGES = ("python3-venv",)
LEFT_OUT = (
    "python3-venv python3.11-venv python3-distutils python3-lib2to3 python3-pip-whl python3-setuptools-whl "
    "usrmerge libfile-find-rule-perl libnumber-compare-perl libtext-glob-perl "
    "perl libperl5.36 perl-modules-5.36 libgdbm-compat4 libgdbm6"
)
WITHOUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/lib/*/gconv/*")
MACHINE = (
    "dev",
    "proc",
    "sys",
    "var/cache/apt",
    "var/lib/apt",
)  # what mmdebstrap works with, no part of an image

# Run in the image: what must not be in it, and what it must not be able to do.
LOOK = """
import importlib.util, os, shutil
found = [name for name in ("pip", "setuptools", "ensurepip") if importlib.util.find_spec(name)]
found += [name for name in ("pip", "pip3", "gcc", "cc", "make", "apt-get", "git", "curl") if shutil.which(name)]
found += [path for path in ("/root/.cache", "/data/.cache", "/var/lib/apt/lists") if os.path.exists(path)]
assert not found, f"in the image: {found}"
assert (os.getuid(), os.getgid()) == (10001, 10001), os.getuid()
for path in ("/app/x", "/etc/x", "/app/.venv/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    raise AssertionError(f"{path} can be written")
open("/data/x", "w").close(); os.unlink("/data/x")
"""


class ImageError(Exception):
    """What went wrong, in a sentence for whoever runs the tool."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="build the image and tell its size")
    build.add_argument(
        "--base", help="an image with Python to build upon (default: the Dockerfile's, or Debian's packages)"
    )
    build.add_argument(
        "--archive", type=Path, help="write it there too, for `docker load` or `ctr images import`"
    )
    actions.add_parser("check", help="look into it, start it, sign in, watch the cluster, stop it")
    options = parser.parse_args()
    why_not = impossible()
    if why_not:
        print(why_not, file=sys.stderr)
        return 1
    if programs_install():
        return 1
    try:
        if options.action == "build":
            image_build(Engine(), base=options.base, archive=options.archive)
        else:
            image_check(Engine())
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def impossible() -> str:
    """Why no image can be built here; empty where one can."""
    if sys.platform != "linux":
        return "The image is built on Linux; elsewhere: docker build."
    if os.geteuid() != 0:
        return "Building the image needs root: buildah mounts file systems."
    if not can_install() and not all(map(shutil.which, PROGRAMS.values())):
        return f"Building the image needs {', '.join(PROGRAMS)}, and there is no apt-get to install them."
    return ""


def programs_install() -> int:
    return packages_install(
        "Building the image", {name: bool(shutil.which(program)) for name, program in PROGRAMS.items()}
    )


def say(text: str) -> None:
    print(text, flush=True)


class Engine:
    """buildah and podman with a store of their own, so that nothing of the machine's is touched or needed.

    ``vfs`` works on every file system, and in containers; it copies, so few layers are made.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or cache_home().with_name("image")
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "storage.conf").write_text(
            f"""[storage]
driver = "vfs"
graphroot = "{self.home / "store"}"
runroot = "/run/cluster-ui-image"
"""
        )
        # Debian's runc may not raise limits in a virtual machine.
        (self.home / "containers.conf").write_text(
            f"""[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{self.home / "networks"}"
"""
        )

    def environment(self) -> dict[str, str]:
        """What makes buildah, podman and podman-compose use this store."""
        return {
            "CONTAINERS_STORAGE_CONF": str(self.home / "storage.conf"),
            "CONTAINERS_CONF": str(self.home / "containers.conf"),
        }

    def buildah(self, *words: str | Path) -> str:
        return run("buildah", *words, environment=os.environ | self.environment())

    def podman(self, *words: str | Path) -> str:
        return run("podman", *words, environment=os.environ | self.environment())

    def has(self, image: str) -> bool:
        return image in self.podman("image", "list", "--format", "{{.Repository}}:{{.Tag}}").split()


def run(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints. Raises ImageError with the end of what it complained of."""
    done = subprocess.run(
        [str(word) for word in words], cwd=ROOT, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        named = " ".join(str(word) for word in words if not str(word).startswith(("-", "/")))[:80]
        raise ImageError(f"`{named}` failed ({done.returncode}):\n{(done.stderr or done.stdout)[-3000:]}")
    return done.stdout.strip()


# --- building ---------------------------------------------------------------------------------------


def image_build(engine: Engine, *, base: str | None = None, archive: Path | None = None) -> float:
    """Builds the image and returns its size in MB. ``archive``: also writes it there as a docker-archive."""
    began = time.monotonic()
    if base:
        bases = {"BASE": base}
    elif registry_answers():
        bases = {}
    else:
        say(f"{REGISTRY} does not answer: the base is made of Debian's packages.")
        bases = base_ensure(engine)
    arguments = [word for name, value in bases.items() for word in ("--build-arg", f"{name}={value}")]
    if os.environ.get("PIP_INDEX_URL"):
        arguments += ["--build-arg", f"PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"]
    say("Building the image (about 2 minutes)…")
    engine.buildah(
        "bud", "--isolation", "chroot", "--format", "docker", "--pull=false" if bases else "--pull=true",
        # The machine's own authorities: a network that inspects TLS has one more than the base knows.
        "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", *arguments, "--tag", TAG, ".",
    )  # fmt: skip
    engine.podman("image", "prune", "--force")  # what the tag named before
    size = image_megabytes(engine)
    say(f"{TAG}: {size:.0f} MB, built in {time.monotonic() - began:.0f} s.")
    if archive:
        archive.unlink(missing_ok=True)
        engine.buildah("push", TAG, f"docker-archive:{archive}:docker.io/library/{TAG}")
        say(f"Written to {archive}.")
    return size


def registry_answers() -> bool:
    try:
        socket.create_connection((REGISTRY, 443), timeout=5).close()
    except OSError:
        return False
    return True


def image_megabytes(engine: Engine) -> float:
    return int(engine.podman("image", "inspect", "--format", "{{.Size}}", TAG)) / 1e6


def base_ensure(engine: Engine) -> dict[str, str]:
    """The build arguments for bases of Debian's packages, which are made when they are not there."""
    recipe = repr((SUITE, PACKAGES, COMMON, BUILD_PACKAGES, LEFT_OUT, WITHOUT, MACHINE))
    tag = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    names = {
        "BASE": f"localhost/cluster-ui-base:{tag}",
        "BUILD_BASE": f"localhost/cluster-ui-build-base:{tag}",
    }
    if all(engine.has(name) for name in names.values()):
        return names
    say("Making a root file system of Debian's packages, once (about a minute)…")
    with tempfile.TemporaryDirectory(prefix="cluster-ui-base-", dir=engine.home) as folder:
        tars = {name: Path(folder) / f"{name}.tar" for name in names}
        purge = f'chroot "$1" dpkg --purge {LEFT_OUT}'
        base_make((*PACKAGES, *BUILD_PACKAGES), tars["BUILD_BASE"], then=purge, and_then_to=tars["BASE"])
        for name, image in names.items():
            engine.podman("import", "--quiet", tars[name], image)
    return names


def base_make(
    packages: Sequence[str],
    tar: Path,
    *,
    without: Sequence[str] = (),
    then: str | None = None,
    and_then_to: Path | None = None,
) -> None:
    """Writes a root file system of Debian packages, less the paths ``without``, to ``tar``; then, as it is after the
    command ``then``, to another.
    """
    left_out = " ".join(f"--exclude='./{path}'" for path in (*(f"{each}/*" for each in MACHINE), *without))
    hooks = [f"tar -C \"$1\" --anchored {left_out} -cf '{tar}' ."]
    if then and and_then_to:
        hooks += [then, f"tar -C \"$1\" --anchored {left_out} -cf '{and_then_to}' ."]
    run(
        "mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join((*packages, *COMMON))}",
        *(f"--dpkgopt=path-exclude={path}" for path in WITHOUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=force-unsafe-io",  # thrown away when it fails
        *(f"--customize-hook={hook}" for hook in hooks), SUITE, "/dev/null",
    )  # fmt: skip


# --- trying it --------------------------------------------------------------------------------------


def image_check(engine: Engine) -> None:
    """Looks into the image, then uses it as somebody would: a dashboard on a real API server."""
    if not engine.has(f"localhost/{TAG}"):
        raise ImageError("There is no image yet: python -m tools.image build")
    size = image_megabytes(engine)
    say(f"{TAG} has {size:.0f} MB.")
    if size > MAX_MB and not registry_answers():
        raise ImageError(f"It has more than {MAX_MB} MB.")
    with tempfile.TemporaryDirectory(prefix="cluster-ui-image-") as folder, _sandbox() as sandbox:
        kubeconfig = Path(folder) / "config"
        shutil.copyfile(sandbox.kubeconfig, kubeconfig)
        os.chown(kubeconfig, USER, USER)
        Path(folder).chmod(0o755)
        with _container(engine, kubeconfig) as (name, base):
            engine.podman("exec", name, "python", "-c", LOOK)
            ours = int(engine.podman("exec", name, "du", "-sb", "/app").split()[0]) / 1e6
            say(f"Of its size, {ours:.0f} MB are ours.")
            if ours > MAX_OURS_MB:
                raise ImageError(f"That is more than {MAX_OURS_MB} MB.")
            say(
                f"It runs as user {USER}, cannot write to its root, and has no tools to build or install with."
            )
            link = engine.podman("exec", name, "python", "manage.py", "signin_link", "--base", base)
            asyncio.run(use(sandbox, link, base))
            stop(engine, name)


# As deploy's pod and the compose file run it.
HARDENED = (
    "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host", "--tmpfs=/tmp:size=64m",
    "--pull=never",
)  # fmt: skip


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory(prefix="cluster-ui-image-sandbox-") as home:
        sandbox = Sandbox("image", Path(home))
        try:
            sandbox.up(samples=False)
            yield sandbox
        finally:
            sandbox.destroy()


@contextmanager
def _container(engine: Engine, kubeconfig: Path) -> Iterator[tuple[str, str]]:
    """The image running, healthy, with its database on a volume; its name and address."""
    port = free_port()
    name = f"cluster-ui-{port}"
    # One container: with vfs each has a copy of the image.
    command = f"python manage.py migrate --noinput -v0 && exec python manage.py serve --port {port}"
    began = time.monotonic()
    try:
        engine.podman(
            "run", "--detach", f"--name={name}", *HARDENED, f"--volume={name}:/data",
            f"--volume={kubeconfig}:/kube/config:ro", "--env=KUBECONFIG=/kube/config", TAG, "sh", "-c", command,
        )  # fmt: skip
        until(lambda: _healthy(engine, name, port), "It is not healthy.", lambda: engine.podman("logs", name))
        say(f"Started, and healthy after {time.monotonic() - began:.0f} s.")
        yield name, f"http://127.0.0.1:{port}"
    finally:
        engine.podman("rm", "--force", "--ignore", "--volumes", "--time", "0", name)
        engine.podman("volume", "rm", "--force", name)


def _healthy(engine: Engine, name: str, port: int) -> bool:
    """Whether the image's own health check says so, asked at the port that it has here."""
    config = json.loads(engine.podman("image", "inspect", TAG))[0]
    command = [word.replace(":8000/", f":{port}/") for word in config["Healthcheck"]["Test"][1:]]
    try:
        engine.podman("exec", name, *command)
    except ImageError:
        return False
    return True


async def use(sandbox: Sandbox, link: str, base: str) -> None:
    """Signs in by a link, opens the list of pods, and waits for a pod made meanwhile to appear in it by websocket."""
    cookie = session_of(link, base)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(60)) as session:
        jar.update_cookies({SESSION: cookie})
        async with session.get(f"{base}/c/sandbox/pods/") as page:
            text = await page.text()
            if page.status != 200 or "data-freshness" not in text:
                raise ImageError(f"The list of pods answers {page.status}:\n{text[:500]}")
        say("Signed in by a link; the list of pods is there.")
        url = f"{base.replace('http', 'ws')}/ws/c/sandbox/"
        async with session.ws_connect(url, headers={"Origin": base}, max_msg_size=0) as ws:
            await ws.send_json({"t": "look", "view": 1, "path": "/c/sandbox/pods/", "have": {}})
            await _frame(ws, "data-freshness")
            pod = {
                "metadata": {"name": "seen"},
                "spec": {"containers": [{"name": "c", "image": "registry.example/app:1"}]},
            }
            began = time.monotonic()
            await asyncio.to_thread(sandbox.api().post, "/api/v1/namespaces/default/pods", pod)
            await _frame(ws, 'data-name="seen"')
            say(f"A new pod appeared by websocket after {time.monotonic() - began:.1f} s.")


async def _frame(ws: aiohttp.ClientWebSocketResponse, text: str) -> None:
    """Waits for a frame whose markup holds a text."""
    escaped = json.dumps(text)[1:-1]
    try:
        async with asyncio.timeout(START_SECONDS):
            async for message in ws:
                if escaped in message.data or text in message.data:
                    return
    except TimeoutError:
        pass
    raise ImageError(f"The websocket did not bring {text}.")


def stop(engine: Engine, name: str) -> None:
    """Stops a container by SIGTERM; it must go by itself within the pod's grace period."""
    began = time.monotonic()
    engine.podman("stop", "--time", str(GRACE_SECONDS), name)
    took = time.monotonic() - began
    code = engine.podman("inspect", "--format", "{{.State.ExitCode}}", name)
    if code != "0" or took >= GRACE_SECONDS:
        raise ImageError(f"It did not stop by itself: exit code {code} after {took:.0f} s.")
    say(f"Stopped by SIGTERM after {took:.1f} s, exit code {code}.")


def until(met: Callable[[], bool], otherwise: str, log: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not met():
        if time.monotonic() > deadline:
            raise ImageError(f"{otherwise}\n{log()[-3000:]}")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
