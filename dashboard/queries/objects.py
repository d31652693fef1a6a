"""One object as the user may read it: its YAML without what must not be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from dashboard.insight.mentions import Mention, mentions
from dashboard.kinds.base import Condition, Kind
from dashboard.kinds.meta import ObjectCondition, decode_custom
from dashboard.kinds.tablestates import condition_state
from dashboard.kube.transport import Transport

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Dumper(yaml.SafeDumper):
    """Block style for texts of several lines, as people write them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def as_yaml(obj: Mapping[str, Any]) -> str:
    return yaml.dump(
        dict(obj), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


def shown(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object without managedFields and last-applied-configuration; of a Secret, the values are left out as well.

    Rule 5 of the design: a Secret's annotations may repeat its values, so they go too.
    """
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    annotations = {key: value for key, value in meta.get("annotations", {}).items() if key != LAST_APPLIED}
    secret = obj.get("kind") == "Secret"
    meta.pop("annotations", None)
    if annotations and not secret:
        meta["annotations"] = annotations
    result = {**obj, "metadata": meta}
    if secret:
        for field in ("data", "stringData"):
            if field in result:
                result[field] = dict.fromkeys(result[field] or {}, HIDDEN)
    return result


HIDDEN = "(hidden)"


async def object_read(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> dict[str, Any]:
    """The object as it stands at the API server, safe to show. Raises NotFound, Forbidden, Unavailable."""
    answer = await transport.request("GET", kind.gvr, namespace=namespace or None, name=name)
    found: dict[str, Any] = msgspec.json.decode(answer.body)
    return shown(found)


class Told(msgspec.Struct, frozen=True):
    """What only the object itself tells, of a kind whose Table has neither conditions nor spec."""

    version: str
    conditions: tuple[Condition, ...]
    mentions: tuple[Mention, ...]


async def object_told(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> Told:
    """Of an object of any kind; no conditions where it has not what is usual there.

    Raises NotFound, Forbidden, Unavailable.
    """
    answer = await transport.request("GET", kind.gvr, namespace=namespace or None, name=name)
    found = msgspec.json.decode(answer.body)
    status = found.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    conditions = [_condition(each) for each in (listed if isinstance(listed, list) else ())]
    version = str(found["metadata"].get("resourceVersion", ""))
    return Told(version, tuple(one for one in conditions if one), mentions(found))


def _condition(found: Any) -> Condition | None:
    """A condition as Kubernetes' API conventions have it; None for anything else under that name."""
    try:
        one = msgspec.convert(found, ObjectCondition, dec_hook=decode_custom)
    except msgspec.ValidationError:
        return None
    if not one.type:
        return None
    state = condition_state(one.type, one.status)
    return Condition(one.type, one.status, one.reason, one.message, one.last_transition_time, state)


async def object_yaml(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> tuple[str, str]:
    """(resource version, YAML) of an object, safe to show."""
    found = await object_read(transport, kind, namespace, name)
    return str(found["metadata"].get("resourceVersion", "")), as_yaml(found)
