"""Environment variables of the containers of a workload, as ``kubectl set env`` sets them: those with a literal value,
and those whose value is a key of a ConfigMap or Secret (``LOG=configmap/settings/LOG_LEVEL``).

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
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.environment import variable_flaw
from dashboard.insight.words import bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed
from dashboard.kube.shell import holds_control
from dashboard.models import Change

from .action import Description, DryRun, Field, Manifest, Order, Wanted
from .fieldwrites import FieldsAction
from .keysources import keys_of, no_key_words
from .templates import ContainerAction, changed_containers, containers

_NAME = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
_SECRET = re.compile(r"passw|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_OBJECTS = {
    "secretKeyRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "configMapRef": "ConfigMap",
}
ENV_INPUT, KEYS = "env", "keys"  # the inputs of a container
# The first part of where a value comes from → the field of valueFrom; the kind, for people and as its plural.
_FROM = {"configmap": "configMapKeyRef", "secret": "secretKeyRef"}
_KINDS = {"configmap": ("ConfigMap", "configmaps"), "secret": ("Secret", "secrets")}
LOOKED_AT = 20  # objects whose keys are looked at for one preview
NAMED = 5  # objects of a kind in a hint


class SetEnv(ContainerAction):
    """``asked`` of a container: ``set``, variables and their values (or kind, name and key of where that is), and
    ``unset``, names.
    """

    name, title, icon = "env", "Set environment", "code"
    said = ("set env",)
    inputs = MappingProxyType({ENV_INPUT: "Variables", KEYS: "From ConfigMaps and Secrets"})
    same = "Its variables have these values."

    def edit(self, field: str, text: str, base: str | None) -> Any:
        asked = _differing(self.parse(field, text), None if base is None else self.parse(field, base))
        for name in asked["set"]:
            if not _NAME.fullmatch(name):
                rule = "letters, digits, “_”, “-” and “.”, beginning with no digit"
                raise BadInput(f"“{name[:60]}” is not a valid name of a variable: {rule}.", field=field)
        return asked

    def unedit(self, field: str, text: str, base: str) -> Any:
        return _differing(self.parse(field, base), self.parse(field, text))

    def parse(self, field: str, text: str) -> Any:
        found = _lines(field, text)
        if field.partition(".")[0] != KEYS:
            return found
        return found | {"set": {name: _place(field, name, value) for name, value in found["set"].items()}}

    def value(self, container: Manifest, name: str) -> str:
        found = _editable(container)
        if name == KEYS:
            found = {each: "/".join(place) for each, place in _from_keys(container).items()}
        return "".join(f"{each}={value}\n" for each, value in found.items())

    def put(self, container: Manifest, name: str, asked: Any) -> None:
        """What stands in one input is written over what the other one had; only its own is taken away by it."""
        mine = _from_keys(container) if name == KEYS else _editable(container)
        env, new = [], dict(asked["set"])
        for each in container.get("env") or ():
            if each["name"] in new:
                env.append(_variable(each["name"], new.pop(each["name"]), each))
            elif each["name"] not in asked["unset"] or each["name"] not in mine:
                env.append(each)
        env += [_variable(each, value, {}) for each, value in new.items()]
        container.pop("env", None)
        if env:
            container["env"] = env

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        """What has no line in the form is not written by it either."""
        super().check(manifest, wanted)
        nothing: dict[str, Any] = {"set": {}, "unset": ()}
        for _, container in containers(manifest):
            inputs = {each: f"{each}.{container['name']}" for each in (ENV_INPUT, KEYS)}
            asked = {each: wanted.get("asked", {}).get(field) or nothing for each, field in inputs.items()}
            kept, keys = dict(_kept(container)), _from_keys(container)
            if both := sorted(asked[KEYS]["set"].keys() & asked[ENV_INPUT]["set"].keys()):
                raise BadInput(f"{both[0]} has a value and a key: leave out one.", field=inputs[KEYS])
            free = {name for name in keys if name in asked[KEYS]["unset"]}
            for which, field in inputs.items():
                own = keys if which == KEYS else free
                for name in (*asked[which]["set"], *asked[which]["unset"]):
                    if name in kept and name not in own:
                        way = (
                            "Edit it as YAML."
                            if name not in keys
                            else "Remove its line from ConfigMaps and Secrets first."
                        )
                        raise BadInput(f"{name} is kept as it is: {kept[name]}.", next_step=way, field=field)

    def field(self, path: str, container: Manifest, name: str) -> Field:
        made = dataclasses.replace(super().field(path, container, name), input="lines")
        if name == KEYS:
            return dataclasses.replace(made, placeholder=lambda _: "NAME=secret/name/key", hint=_places)
        keys = _from_keys(container)
        kept = [f"{each} ({source})" for each, source in _kept(container) if each not in keys]
        kept += [
            f"all keys of {source}" for each in container.get("envFrom") or () if (source := _source(each))
        ]
        said = f" Kept as they are: {', '.join(kept)}." if kept else ""
        return dataclasses.replace(
            made,
            placeholder=lambda _: "NAME=value",
            hint=lambda *_: f"A variable a line; its value as it stands, quotation marks too.{said}",
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Whether the keys are there: a container whose key is missing does not start."""
        new = {
            (name, place): optional
            for before, made in changed_containers(dry)
            for name, place in _from_keys(made).items()
            if _from_keys(before).get(name) != place
            for optional in [_optional(made, name)]
        }
        effects, notices, known = [], [], dict[tuple[str, str], Any]()
        for (name, place), optional in new.items():
            kind, source, key = place
            if (kind, source) not in known:
                known[kind, source] = (
                    await self._keys(order, dry, kind, source) if len(known) < LOOKED_AT else None
                )
            keys, (title, plural_) = known[kind, source], _KINDS[kind]
            ref = Ref(title, order.target.namespace, source, plural_)
            text = parts(bold(name), f" from key {key} of ", bold(f"{title} {source}"))
            if keys is None:
                effects.append(
                    Effect("info", "info", text, "whether it has that key is not known here", "", ref)
                )
            elif key in keys:
                effects.append(Effect("ok", "done", text, "read when a container starts", "", ref))
            elif optional:
                effects.append(
                    Effect(
                        "info", "info", text, "not there, which is allowed: the variable is not set", "", ref
                    )
                )
            else:
                has = "" if keys is _ABSENT else f"It has {listed(keys, 'more')}." if keys else "It has none."
                found = dry.objects.get(plural_, order.target.namespace, source)
                missing = f"There is no {title} {source}"
                if found is not None:
                    missing = no_key_words(title, found, key)
                notices.append(
                    Notice("warn", missing, f"A container with {name} would not start. {has}".strip(), ref)
                )
        return dataclasses.replace(told, effects=(*effects, *told.effects), notices=(*notices, *told.notices))

    async def _keys(self, order: Order, dry: DryRun, kind: str, name: str) -> Any:
        """The keys of an object; none of one that is not there, None where that can't be known."""
        _, plural_ = _KINDS[kind]
        namespace = order.target.namespace
        found = dry.objects.get(plural_, namespace, name)
        if found is None:
            return _ABSENT if dry.objects.reads(plural_, namespace) else None
        return await keys_of(order.transport, plural_, namespace, name, found, dry.now)

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
            if any(holds_control(str(value)) for value in asked["set"].values()):
                return ""  # a patch can say it
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
        elif flaw := variable_flaw(value.encode()):
            raise BadInput(f"Line {number}: {name[:60]} {flaw}.", field=field)
        else:
            found[name] = value
    return {"set": found, "unset": unset}


def _differing(lines: dict[str, Any], others: dict[str, Any] | None) -> dict[str, Any]:
    """What has to be set and unset to come from other lines to these."""
    old = {} if others is None else others["set"]
    made = {name: value for name, value in lines["set"].items() if old.get(name) != value}
    return {"set": made, "unset": [*lines["unset"], *(name for name in old if name not in lines["set"])]}


_ABSENT = frozenset({""})  # the keys of what is not there: no key is called so
Place = tuple[str, str, str]  # "configmap" or "secret", its name, the key


def _place(field: str, name: str, text: str) -> list[str]:
    """Where a value comes from: ``secret/database/password``. Raises BadInput."""
    kind, _, rest = text.strip().partition("/")
    source, _, key = rest.partition("/")
    if kind not in _FROM or not source or not key or "/" in key:
        raise BadInput(
            f"{name[:60]} is from “{text.strip()[:60]}”: write configmap/<name>/<key> or secret/<name>/<key>.",
            field=field,
        )
    return [kind, source, key]


def _variable(name: str, value: str | list[str], was: Manifest) -> Manifest:
    """A variable, as the API server has it: an empty value is left out. What was optional of where its value came from
    stays so.
    """
    if isinstance(value, str):
        return {"name": name, "value": value} if value else {"name": name}
    kind, source, key = value
    ref: Manifest = {"name": source, "key": key}
    for each in _FROM.values():
        if "optional" in ((was.get("valueFrom") or {}).get(each) or {}):
            ref["optional"] = was["valueFrom"][each]["optional"]
    return {"name": name, "valueFrom": {_FROM[kind]: ref}}


def _from_keys(container: Manifest) -> dict[str, Place]:
    """The variables whose value is a key, each set once."""
    env = container.get("env") or ()
    count = Counter(each["name"] for each in env)
    return {
        each["name"]: (kind, ref.get("name", ""), ref["key"])
        for each in env
        if count[each["name"]] == 1
        for kind, field in _FROM.items()
        if (ref := (each.get("valueFrom") or {}).get(field))
    }


def _optional(container: Manifest, name: str) -> bool:
    """Whether a container starts also without the key of a variable."""
    found: Manifest = next((each["valueFrom"] for each in container["env"] if each["name"] == name), {})
    return any((found.get(field) or {}).get("optional") for field in _FROM.values())


def _places(obj: Any, objects: Objects) -> str:
    """How a line is written, and what there is to take a value from."""
    said = "NAME=configmap/<name>/<key> or NAME=secret/<name>/<key>; the key is looked for as you type."
    there = []
    for title, plural_ in _KINDS.values():
        names = sorted(each.metadata.name for each in objects.all(plural_, obj.metadata.namespace))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        there += [f"{title}s {', '.join(names[:NAMED])}{more}"] if names else []
    return f"{said} Here are {'; '.join(there)}." if there else said


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
