"""The cluster's programs: found in the cache, else downloaded as releases, else built from Go modules.

The cache is keyed by go.mod and go.sum, lies outside the checkout and is shared by all sandboxes of a user.
Nothing here knows about running clusters.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import build, releases
from sandbox.versions import cache_key

Log = Callable[[str], None]


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

    def make(folder: Path, work: Path) -> None:
        if not releases.download(folder, log, hosts or releases.Hosts()):
            build.build(folder, work, log)

    return Binaries(ensure_made(cache_key(), make, log, home=home))


def ensure_made(key: str, make: Callable[[Path, Path], None], log: Log, *, home: Path | None = None) -> Path:
    """Return the folder `key` of the cache. Where it is not there, `make` fills its `bin`, given that and a folder to
    work in, which is removed afterwards. Two callers at once are safe."""
    home = home or cache_home()
    if (home / key).is_dir():
        return home / key
    home.mkdir(parents=True, exist_ok=True)
    with _only_one(home / "build.lock", log):
        if (home / key).is_dir():
            return home / key
        for leftover in home.glob("making-*"):  # of a build that was killed: the lock is ours
            _remove(leftover)
        work = Path(tempfile.mkdtemp(prefix="making-", dir=home))
        try:
            made = work / "made"
            (made / "bin").mkdir(parents=True)
            make(made / "bin", work)
            made.rename(home / key)
        finally:
            _remove(work)
    return home / key


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
