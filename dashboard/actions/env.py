"""Environment variables of the containers of a workload, as ``kubectl set env`` sets them: those with a literal value.

A form's text is what it was filled with, edited: a line that is gone takes the variable away. Without a form (a script),
each line sets a variable, ``NAME-`` takes one away, and all others stay.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from dashboard.errors import BadInput
from dashboard.insight import Notice
from dashboard.kinds.rows import listed
from dashboard.models import Change

from .action import DryRun, Field, Manifest, Wanted
from .fieldwrites import FieldsAction
from .templates import ContainerAction, changed_containers, containers

_NAME = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
_SECRET = re.compile(r"passw|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_OBJECTS = {
    "secretKeyRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "configMapRef": "ConfigMap",
}


class SetEnv(ContainerAction):
    """``asked`` of a container: ``set``, variables and their values, and ``unset``, names."""

    name, title, icon = "env", "Set environment", "code"
    said = ("set env",)
    inputs = MappingProxyType({"env": "Variables"})
    same = "Its variables have these values."

    def edit(self, field: str, text: str, base: str | None) -> Any:
        asked = _differing(self.parse(field, text), None if base is None else self.parse(field, base))
        for name in asked["set"]:
            if not _NAME.fullmatch(name):
                rule = "letters, digits, “_”, “-” and “.”, beginning with no digit"
                raise BadInput(f"“{name[:60]}” is no name of a variable: {rule}.", field=field)
        return asked

    def unedit(self, field: str, text: str, base: str) -> Any:
        return _differing(self.parse(field, base), self.parse(field, text))

    def parse(self, field: str, text: str) -> Any:
        return _lines(field, text)

    def value(self, container: Manifest, name: str) -> str:
        return "".join(f"{each}={value}\n" for each, value in _editable(container).items())

    def put(self, container: Manifest, name: str, asked: Any) -> None:
        env, new = [], dict(asked["set"])
        for each in container.get("env") or ():
            if each["name"] in new:
                env.append({"name": each["name"], "value": new.pop(each["name"])})
            elif each["name"] not in asked["unset"]:
                env.append(each)
        env += [{"name": each, "value": value} for each, value in new.items()]
        container.pop("env", None)
        if env:
            container["env"] = env

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        """What has no line in the form is not written by it either."""
        super().check(manifest, wanted)
        for _, container in containers(manifest):
            asked = wanted.get("asked", {}).get(field := f"env.{container['name']}")
            kept = dict(_kept(container))
            for name in (*asked["set"], *asked["unset"]) if asked else ():
                if name in kept:
                    raise BadInput(
                        f"{name} is kept as it is: {kept[name]}.", next_step="Edit it as YAML.", field=field
                    )

    def field(self, path: str, container: Manifest, name: str) -> Field:
        kept = [f"{each} ({source})" for each, source in _kept(container)]
        kept += [
            f"all keys of {source}" for each in container.get("envFrom") or () if (source := _source(each))
        ]
        said = f" Kept as they are: {', '.join(kept)}." if kept else ""
        return dataclasses.replace(
            super().field(path, container, name),
            input="lines",
            placeholder=lambda _: "NAME=value",
            hint=lambda *_: f"A variable a line; its value as it stands, quotation marks too.{said}",
        )

    def warnings(self, dry: DryRun) -> Iterator[Notice]:
        for before, made in changed_containers(dry):
            old = _editable(before)
            names = [each for each, value in _editable(made).items() if value and old.get(each) != value]
            if plain := [each for each in names if _SECRET.search(each)]:
                text = f"Whoever may read {dry.target} or its pods can read it. Put it into a Secret, and refer to that."
                yield Notice(
                    "warn", f"{listed(plain)} {'is' if len(plain) == 1 else 'are'} not protected", text
                )

    def summary(self, change: Change) -> str:
        return FieldsAction.summary(self, change)

    def kubectl(self, dry: DryRun) -> str:
        """A command a container, where that comes to the same: kubectl puts what is new at the end."""
        commands = []
        for before, made in changed_containers(dry):
            old, new = _editable(before), _editable(made)
            asked: dict[str, Any] = {
                "set": {each: value for each, value in new.items() if old.get(each) != value},
                "unset": [each for each in old if each not in new],
            }
            tried = copy.deepcopy(before)
            self.put(tried, "env", asked)
            if _plain(tried) != _plain(made):
                return ""
            words = [
                *(f"{each}={value}" for each, value in asked["set"].items()),
                *(f"{each}-" for each in asked["unset"]),
            ]
            commands.append(dry.target.kubectl("set env", f"-c={made['name']}", *words))
        return " && ".join(commands)


def _lines(field: str, text: str) -> dict[str, Any]:
    """What the lines say: variables to ``set``, and names to ``unset``. Raises BadInput."""
    found: dict[str, str] = {}
    unset: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals and line.rstrip().endswith("-"):
            unset.append(line.strip()[:-1])
        elif not equals:
            raise BadInput(f"Line {number} has no “=”: write NAME=value.", field=field)
        elif name in found:
            raise BadInput(f"Line {number} sets {name[:60]} again.", field=field)
        else:
            found[name] = value
    return {"set": found, "unset": unset}


def _differing(lines: dict[str, Any], others: dict[str, Any] | None) -> dict[str, Any]:
    """What has to be set and unset to come from other lines to these."""
    old = {} if others is None else others["set"]
    made = {name: value for name, value in lines["set"].items() if old.get(name) != value}
    return {"set": made, "unset": [*lines["unset"], *(name for name in old if name not in lines["set"])]}


def _editable(container: Manifest) -> dict[str, str]:
    """The variables that have a line in the form, with their values."""
    kept = {name for name, _ in _kept(container)}
    found = {each["name"]: each.get("value") or "" for each in container.get("env") or ()}
    return {name: value for name, value in found.items() if name not in kept}


def _kept(container: Manifest) -> list[tuple[str, str]]:
    """The variables that have none, and why."""
    env = container.get("env") or ()
    count = Counter(each["name"] for each in env)
    found = {}
    for each in env:
        value = each.get("value") or ""
        if each.get("valueFrom"):
            found[each["name"]] = _source(each["valueFrom"])
        elif count[each["name"]] > 1:
            found[each["name"]] = "set more than once"
        elif "\n" in value or "\r" in value or each["name"].startswith("#") or not each["name"].strip():
            found[each["name"]] = (
                "a value of several lines" if "\n" in value else "not to be written as a line"
            )
    return list(found.items())


def _source(source: Manifest) -> str:
    """Where values come from, in words."""
    for kind, title in _OBJECTS.items():
        if found := source.get(kind):
            key = f", key {found['key']}" if "key" in found else ""
            return f"{title} {found.get('name', '')}{key}"
    field = source.get("fieldRef") or {}
    return f"field {field['fieldPath']}" if "fieldPath" in field else "from elsewhere"


def _plain(container: Manifest) -> list[tuple[Any, ...]]:
    """The variables as they are compared: the API server leaves empty values out."""
    return [
        (each["name"], each.get("value") or "", each.get("valueFrom")) for each in container.get("env") or ()
    ]


ENV = SetEnv()
