"""CustomResourceDefinitions of projects, as their Go modules have them, else as much of them as counts here."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sandbox.api import Api, ApiError

from .applications import present

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Definitions:
    """Some kinds of a group; ``file`` is where each is in the module, by its plural."""

    group: str
    kinds: Mapping[str, str]  # plural → kind
    module: str
    file: str

    @cached_property
    def of_the_module(self) -> dict[str, dict[str, Any]]:
        """By plural; none where there is no Go, or no way to the module."""
        go = shutil.which("go")
        if go is None:
            return {}
        try:
            said = subprocess.run(
                [go, "mod", "download", "-json", self.module],
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
                cwd="/",
            )
        except (subprocess.SubprocessError, OSError):
            return {}
        folder = Path(json.loads(said.stdout)["Dir"])
        return {
            plural: yaml.safe_load((folder / self.file.format(plural=plural)).read_text())
            for plural in self.kinds
        }

    def define(self, api: Api) -> None:
        """Defines them all, and waits until they are served."""
        for plural in self.kinds:
            api.post(PATH, self.of_the_module.get(plural) or self._stand_in(plural))
        for plural in self.kinds:
            _wait(lambda plural=plural: self._served(api, plural))  # type: ignore[misc]

    def undefine(self, api: Api) -> None:
        """Takes them away, with all their objects."""
        paths = [f"{PATH}/{plural}.{self.group}" for plural in self.kinds]
        for path in paths:
            if present(api, path):
                api.delete(path)
        for path in paths:
            _wait(lambda path=path: present(api, path) is None)  # type: ignore[misc]

    def _stand_in(self, plural: str) -> dict[str, Any]:
        """One that takes anything."""
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        kind = self.kinds[plural]
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
        return {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{self.group}"},
            "spec": {"group": self.group, "scope": "Namespaced", "names": names, "versions": [version]},
        }  # fmt: skip

    def _served(self, api: Api, plural: str) -> bool:
        try:
            return present(api, f"/apis/{self.group}/v1/{plural}") is not None
        except ApiError:  # its storage is being made
            return False


def _wait(check: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.2)
