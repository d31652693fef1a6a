"""The cluster's programs: found in the cache, else downloaded as releases, else built from Go modules.

The cache is keyed by go.mod and go.sum, lies outside the checkout and is shared by all sandboxes of a user.
Nothing here knows about running clusters.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import build, releases
from sandbox.versions import cache_key

Log = Callable[[str], None]
Make = Callable[[Path, Path], None]  # given the folder to fill, and one to work in


def cache_home() -> Path:
    """`cluster-ui/sandbox` in `$XDG_CACHE_HOME` or `~/.cache`: what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cluster-ui" / "sandbox"


@dataclass(frozen=True)
class Binaries:
    """Where the programs are. The folder is renamed into place last: if it exists, it is complete."""

    folder: Path

    def path(self, program: str) -> Path:
        """The path of one of `releases.PROGRAMS`."""
        return self.folder / "bin" / program


def ensure(log: Log, *, home: Path | None = None, hosts: releases.Hosts | None = None) -> Binaries:
    """Return the programs, making them first when the cache has none.

    That takes a minute where they can be downloaded, else 6 to 15 minutes to build. Two callers at once are
    safe: the second waits for the first. Raises SandboxError when the programs can't be made.
    """
    (folder,) = ensure_made({cache_key(): control_plane(log, hosts)}, log, home=home)
    return Binaries(folder)


def control_plane(log: Log, hosts: releases.Hosts | None = None) -> Make:
    """How the control plane's programs are made."""

    def make(folder: Path, work: Path) -> None:
        if not releases.download(folder, log, hosts or releases.Hosts()):
            build.build(folder, work, log)

    return make


def ensure_made(wanted: Mapping[str, Make], log: Log, *, home: Path | None = None) -> list[Path]:
    """Return the folders of the cache, by their keys. Of each that is not there its `Make` fills the `bin`; all of them
    work in one folder, so that what is compiled for one serves the next, and it is removed afterwards. Two callers at
    once are safe.
    """
    home = home or cache_home()
    folders = [home / key for key in wanted]
    if all(folder.is_dir() for folder in folders):
        return folders
    home.mkdir(parents=True, exist_ok=True)
    with _only_one(home / "build.lock", log):
        for leftover in home.glob("making-*"):  # of a build that was killed: the lock is ours
            _remove(leftover)
        work = Path(tempfile.mkdtemp(prefix="making-", dir=home))
        try:
            for key, make in wanted.items():
                if not (home / key).is_dir():
                    made = work / f"made-{key}"
                    (made / "bin").mkdir(parents=True)
                    make(made / "bin", work)
                    made.rename(home / key)
        finally:
            _remove(work)
    return folders


@contextmanager
def _only_one(path: Path, log: Log) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("Another process is preparing the cluster's programs; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    """Remove a folder, also a module cache, whose folders Go writes read-only."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
