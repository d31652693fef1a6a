"""Helm, built from the Go module that the go.mod beside this file pins, and kept like the sandbox's programs."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox import build
from sandbox.binaries import Log, ensure_made
from sandbox.versions import cache_key, pinned

HERE = Path(__file__).resolve().parent


def helm_ensure(log: Log) -> Path:
    """The path of helm. Where there is none yet it is built: about 3 minutes on 2 cores, 60 MB kept."""

    def make(folder: Path, work: Path) -> None:
        log("Building Helm from source, once: about 3 minutes on 2 cores …")
        build.install(HERE, folder, work, _ldflags(), log)

    (folder,) = ensure_made({f"helm-{cache_key(HERE)}": make}, log)
    return folder / "bin" / "helm"


def _ldflags() -> str:
    """Without these it would call itself v3, and take the cluster for a Kubernetes 1.20 unless it asks one."""
    major, minor, _ = pinned()["kubernetes"].removeprefix("v").split(".")
    stamp = {"internal/version.version": _version()}
    for package in ("pkg/chartutil", "pkg/lint/rules"):
        stamp |= {f"{package}.k8sVersionMajor": major, f"{package}.k8sVersionMinor": minor}
    return "-s -w " + " ".join(f"-X helm.sh/helm/v3/{name}={value}" for name, value in stamp.items())


def _version() -> str:
    found = re.search(r"^\s*helm\.sh/helm/v3 (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None  # noqa: S101 # the file beside this one
    return found[1]
