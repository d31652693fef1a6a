"""Velero's definitions: those of its Go module, where that can be had, else as much of them as counts here."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.api import Api, ApiError

from .applications import present

MODULE = "github.com/vmware-tanzu/velero@v1.17.1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = {
    "backups": "Backup", "restores": "Restore", "schedules": "Schedule",
    "backupstoragelocations": "BackupStorageLocation",
}  # fmt: skip


@cache
def of_its_module() -> dict[str, dict[str, Any]]:
    """By plural; none where there is no Go, or no way to the module."""
    go = shutil.which("go")
    if go is None:
        return {}
    try:
        said = subprocess.run(
            [go, "mod", "download", "-json", MODULE], check=True, capture_output=True, text=True, timeout=300, cwd="/"
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError):
        return {}
    folder = Path(json.loads(said.stdout)["Dir"]) / "config" / "crd" / "v1" / "bases"
    return {plural: yaml.safe_load((folder / f"velero.io_{plural}.yaml").read_text()) for plural in KINDS}


def stand_in(plural: str) -> dict[str, Any]:
    """One that takes anything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    kind = KINDS[plural]
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.velero.io"},
        "spec": {"group": "velero.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip


def define(api: Api) -> None:
    """Defines them all, and waits until they are served."""
    for plural in KINDS:
        api.post(DEFINITIONS, of_its_module().get(plural) or stand_in(plural))
    for plural in KINDS:
        _wait(lambda plural=plural: _served(api, plural))  # type: ignore[misc]


def undefine(api: Api) -> None:
    """Takes them away, with all their objects."""
    for plural in KINDS:
        if present(api, f"{DEFINITIONS}/{plural}.velero.io"):
            api.delete(f"{DEFINITIONS}/{plural}.velero.io")
    for plural in KINDS:
        _wait(lambda plural=plural: present(api, f"{DEFINITIONS}/{plural}.velero.io") is None)  # type: ignore[misc]


def _served(api: Api, plural: str) -> bool:
    try:
        return present(api, f"/apis/velero.io/v1/{plural}") is not None
    except ApiError:  # its storage is being made
        return False


def _wait(check: Any, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.2)
