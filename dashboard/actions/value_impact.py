"""What a ConfigMap or Secret that is written as a whole, by YAML or from a backup, does to those who read its keys as
variables. Values are looked at here, and are in nothing that comes out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.configmapuse import READ, Holder, breaking_effects
from dashboard.insight.protocols import Knows
from dashboard.kinds.rows import listed

from .action import Manifest, typed_object
from .configmap_values import Value, content_of, values

HOLDERS: Mapping[str, Holder] = {"configmaps": "ConfigMap", "secrets": "Secret"}  # by their plurals


def held_values(plural: str, manifest: Manifest | None) -> dict[str, Value]:
    """The values of a ConfigMap or Secret, by their keys; {} of one that is not there. Raises ValueError and others for
    what the API server would refuse.
    """
    if manifest is None:
        return {}
    if plural == "configmaps":
        return values(manifest)
    data = manifest.get("data") or {}
    return {key: Value("data", base64.b64decode(value or "")) for key, value in data.items()}


def value_effects(
    objects: Objects, plural: str, namespace: str, name: str, before: Manifest | None, after: Manifest
) -> tuple[Effect, ...]:
    """Whose new pods do not start with what is written, or start without a variable, the former first."""
    if plural not in HOLDERS:
        return ()
    was, made = held_values(plural, before), held_values(plural, after)
    changed = [key for key in {**was, **made} if was.get(key) != made.get(key)]
    return breaking_effects(
        objects, HOLDERS[plural], namespace, name, was=content_of(was), made=content_of(made), changed=changed
    )


def may_break(plural: str, before: Manifest | None, after: Manifest) -> bool:
    """Whether anybody who reads it might be in trouble by what is written: without a look at who that is."""
    was, made = held_values(plural, before), held_values(plural, after)
    then = content_of(made)
    return bool(then.unfit or then.binary or was.keys() - made.keys())


def broken_headline(effects: Sequence[Effect]) -> Notice | None:
    """That new pods do not start, where they don't."""
    who = listed([effect.ref.name for effect in effects if effect.state == "bad" and effect.ref])
    if not who:
        return None
    text = "See below what they require: correct that, or change what reads it first."
    return Notice("bad", f"New pods of {who} will not start", text)


class Coming:
    """The objects of a cluster, with those that are written together with what is looked at (plural and manifest)."""

    def __init__(self, objects: Objects, manifests: Sequence[tuple[str, Manifest]]) -> None:
        self._objects = objects
        self._coming: dict[str, dict[tuple[str, str], Any]] = {}
        for plural, manifest in manifests:
            if plural in READ and (made := _typed(plural, manifest)) is not None:
                self._coming.setdefault(plural, {})[made.metadata.namespace, made.metadata.name] = made

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        coming = self._coming.get(plural, {})
        there = [each for each in self._objects.all(plural, namespace) if _key(each) not in coming]
        return [*there, *(one for (where, _), one in coming.items() if namespace in (None, where))]

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        found = self._coming.get(plural, {}).get((namespace, name))
        return found if found is not None else self._objects.get(plural, namespace, name)

    def reads(self, plural: str, namespace: str = "") -> bool:
        return self._objects.reads(plural, namespace)

    def knows(self, plural: str, namespace: str) -> bool | None:
        return self._objects.knows(plural, namespace) if isinstance(self._objects, Knows) else True


def _key(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _typed(plural: str, manifest: Manifest) -> Any | None:
    """The object; None for what the API server will refuse."""
    try:
        return typed_object(plural, manifest)
    except msgspec.ValidationError:
        return None
