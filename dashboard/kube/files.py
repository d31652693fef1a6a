"""Small local files that others may replace at any time: kubeconfigs, tokens, certificates, authorities."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["Files"]

# A file may be written twice within one tick of the file system's clock: a younger stamp tells nothing yet.
SETTLED_NS = 1_000_000_000

_Stamp = tuple[int, int, int, int, int]


class Files:
    """Contents of files, read again only when a file was changed, replaced (its link too) or is gone."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[_Stamp | None, bytes]] = {}

    def read(self, path: str | Path) -> bytes:
        """What is in the file now: the same object as long as that is the same. Raises OSError."""
        name = str(path)
        kept = self._kept.get(name)
        try:
            stamp = _stamp(name)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            content = Path(name).read_bytes()
        except OSError:
            self._kept.pop(name, None)
            raise
        if kept is not None and kept[1] == content:
            content = kept[1]
        settled = time.time_ns() - max(stamp[3], stamp[4]) > SETTLED_NS
        self._kept[name] = (stamp if settled else None, content)
        return content


def _stamp(name: str) -> _Stamp:
    found = Path(name).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
