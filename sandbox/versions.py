"""What go.mod pins: the versions, and a key for the cache of what is made from it."""

import hashlib
import re
from pathlib import Path

from sandbox.errors import SandboxError

HERE = Path(__file__).resolve().parent

_MODULES = {
    "kubernetes": "k8s.io/kubernetes",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "metrics-server": "sigs.k8s.io/metrics-server",
}


def cache_key(folder: Path = HERE) -> str:
    """A name for what go.mod and go.sum in `folder` describe: equal files give equal keys."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        content = (folder / name).read_bytes()
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:16]


def pinned(folder: Path = HERE) -> dict[str, str]:
    """The versions by short name (`kubernetes`, `etcd`, `kwok`, `metrics-server`), as in `v1.36.3`."""
    text = (folder / "go.mod").read_text()
    found = {}
    for name, module in _MODULES.items():
        match = re.search(rf"^\s*{re.escape(module)} (v\S+)", text, re.MULTILINE)
        if match is None:
            raise SandboxError(f"{folder / 'go.mod'} does not require {module}.")
        found[name] = match[1]
    return found


def go_needed(folder: Path = HERE) -> tuple[int, ...]:
    """The oldest Go that may build go.mod's tools, as (major, minor, patch)."""
    match = re.search(r"^go (\d+)\.(\d+)\.(\d+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise SandboxError(f"{folder / 'go.mod'} names no Go version.")
    return tuple(int(part) for part in match.groups())
