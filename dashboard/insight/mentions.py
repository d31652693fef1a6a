"""What an object of a kind without a module here names in its spec, where the field's own name or words say what it is.

Only conventions that hold wherever they are used: Kubernetes' own field names (``secretName``, ``configMapRef``, …),
references that say their kind themselves (``scaleTargetRef``, ``targetRef``), and those of the Gateway API, whose
defaults are part of that API (https://gateway-api.sigs.k8s.io/reference/spec/). Whether there is such an object, and
what the kind does with it, is not known from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

MAX_MENTIONS = 100
DEEPEST = 20
GATEWAY = "gateway.networking.k8s.io"

# Fields whose value is a name, and fields whose value has a name, by what they name.
_NAMES = {
    "secretName": "Secret",
    "configMapName": "ConfigMap",
    "serviceAccountName": "ServiceAccount",
    "claimName": "PersistentVolumeClaim",
}
_REFERENCES = {
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
}
_TYPED = frozenset({"scaleTargetRef", "targetRef", "targetRefs"})
# Group and kind where the reference says neither.
_GATEWAY_DEFAULTS = {
    "parentRefs": (GATEWAY, "Gateway"),
    "backendRefs": ("", "Service"),
    "certificateRefs": ("", "Secret"),
}


class Mention(msgspec.Struct, frozen=True):
    """A name in a spec. ``path``: the field (``spec.tls[].secretName``); ``group`` None: not said; ``namespace`` "": the
    object's own.
    """

    path: str
    kind: str
    name: str
    group: str | None = ""
    namespace: str = ""


def mentions(obj: Mapping[str, Any]) -> tuple[Mention, ...]:
    """Those of a whole object as it came from the API server, each once, in its order; 100 at most."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    found: dict[Mention, None] = {}
    for mention in _within(obj.get("spec"), "spec", group, DEEPEST):
        found[mention] = None
        if len(found) == MAX_MENTIONS:
            break
    return tuple(found)


def _within(value: Any, path: str, group: str, deeper: int) -> Iterator[Mention]:
    if not deeper:
        return
    if isinstance(value, Mapping):
        for field, member in value.items():
            here = f"{path}.{field}"
            yield from _of_field(field, member, here, group)
            yield from _within(member, here, group, deeper - 1)
    elif isinstance(value, list):
        for member in value:
            yield from _within(member, f"{path}[]", group, deeper - 1)


def _of_field(field: str, value: Any, path: str, group: str) -> Iterator[Mention]:
    if field in _NAMES and isinstance(value, str) and value:
        yield Mention(path, _NAMES[field], value)
    elif field in _REFERENCES and isinstance(value, Mapping):
        yield from _reference(value, path, "", _REFERENCES[field])
    elif field in _TYPED or (group == GATEWAY and field in _GATEWAY_DEFAULTS):
        default = _GATEWAY_DEFAULTS.get(field, (None, ""))
        several = isinstance(value, list)
        for each in value if several else [value]:
            if isinstance(each, Mapping):
                yield from _reference(each, f"{path}[]" if several else path, *default)


def _reference(value: Mapping[str, Any], path: str, group: str | None, kind: str) -> Iterator[Mention]:
    """One that says its group, kind and namespace, or leaves them to the default."""
    if isinstance(value.get("apiVersion"), str):
        group = value["apiVersion"].rpartition("/")[0]
    group, kind = value.get("group", group), value.get("kind", kind)
    name, namespace = value.get("name"), value.get("namespace", "")
    said = all(isinstance(each, str) for each in (kind, name, namespace)) and isinstance(group, str | None)
    if said and kind and name:
        yield Mention(path, kind, name, group, namespace)
