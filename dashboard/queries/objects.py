"""One object as the user may read it: its YAML without what must not be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dashboard.insight.mentions import Mention, mentions
from dashboard.kinds.base import Condition, Kind
from dashboard.kinds.meta import ObjectCondition, decode_custom, without_variable
from dashboard.kinds.tablestates import condition_state
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

from .yamltext import Window, as_yaml, yaml_window

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


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
    return await off_loop(_read, await _body(transport, kind, namespace, name))


async def _body(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> bytes:
    return (await transport.request("GET", kind.gvr, namespace=namespace or None, name=name)).body


def _read(body: bytes) -> dict[str, Any]:
    return dict(_without_variables(shown(read_object(body))))


def _without_variables(value: Any) -> Any:
    """Messages stand anywhere in an object."""
    match value:
        case str():
            return without_variable(value)
        case dict():
            return {key: _without_variables(member) for key, member in value.items()}
        case list():
            return [_without_variables(member) for member in value]
    return value


class ObjectDetails(msgspec.Struct, frozen=True):
    """What only the object itself tells, of a kind whose Table has neither conditions nor spec."""

    version: str
    conditions: tuple[Condition, ...]
    mentions: tuple[Mention, ...]


async def object_details(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> ObjectDetails:
    """Of an object of any kind; no conditions where it has not what is usual there.

    Raises NotFound, Forbidden, Unavailable.
    """
    return await off_loop(_details, await _body(transport, kind, namespace, name))


def _details(body: bytes) -> ObjectDetails:
    found = read_object(body)
    status = found.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    conditions = [_condition(each) for each in (listed if isinstance(listed, list) else ())]
    version = str(found["metadata"].get("resourceVersion", ""))
    return ObjectDetails(version, tuple(one for one in conditions if one), mentions(found))


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


async def object_yaml(
    transport: Transport, kind: Kind[Any], namespace: str, name: str, start: int, count: int
) -> tuple[str, Window]:
    """(resource version, some lines of the YAML) of an object, safe to show."""
    return await off_loop(_yaml, await _body(transport, kind, namespace, name), start, count)


def _yaml(body: bytes, start: int, count: int) -> tuple[str, Window]:
    found = _read(body)
    return str(found["metadata"].get("resourceVersion", "")), yaml_window(found, start, count)


async def object_yaml_text(transport: Transport, kind: Kind[Any], namespace: str, name: str) -> str:
    """All of it."""
    body = await _body(transport, kind, namespace, name)
    return await off_loop(lambda: as_yaml(_read(body)))
