"""The fields of kinds, as an OpenAPI v3 document of the API server describes them, built in and custom alike.

Pure. What is read was written by whoever defined a kind: everything is bounded, and what has another form than it should
have counts as not there. Types, what is required and descriptions are those of ``kubectl explain``
(k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec

from dashboard.errors import BadInput, NotFound

MAX_PARTS = 64  # schemas that say something of one field together
MAX_FIELDS = 500  # of one level
MAX_NAME = 253  # characters of a field's name, or of a value that it may have
MAX_VALUES = 100  # that a field may have, of an enumeration
MAX_DESCRIPTION = 8_000  # characters
MAX_STEPS, MAX_PATH = 64, 1_000  # of a path, and its characters
MAX_BELOW = 32 * 1024  # bytes of the levels that are told at once
_REF = "#/components/schemas/"
_STEP = re.compile(r"\[([^\[\]]*)\]|\.?([^.\[\]]+)")
_PLAIN = re.compile(r"[^.\[\]]+")
_SCALARS = ("string", "integer", "number", "boolean")
# What a schema says besides its fields; the first of its parts that says it counts.
_SAID = (
    "type", "items", "additionalProperties", "enum", "format", "default", "oneOf", "anyOf", "nullable",
    "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
    "x-kubernetes-patch-merge-key", "x-kubernetes-list-map-keys",
)  # fmt: skip

Schema = Mapping[str, Any]
GVK = tuple[str, str, str]  # group, version, kind


class UnreadableSchema(ValueError):
    """Bytes that are no OpenAPI document, or one nested too deeply."""


class NoField(NotFound):
    """A path leads nowhere. ``at`` is as far as it leads, ``near`` the path that may have been meant, or ""."""

    def __init__(self, kind: str, at: str, name: str, near: str) -> None:
        of = f"{kind} {at}".strip()
        super().__init__(
            f"{of} has no field {name[:100]}.", next_step=f"Did you mean {near}?" if near else ""
        )
        self.at, self.near = at, near


class _OfKind(msgspec.Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Named(msgspec.Struct, rename={"kinds": "x-kubernetes-group-version-kind"}):
    kinds: list[_OfKind] = []


class _Components(msgspec.Struct):
    schemas: dict[str, msgspec.Raw] = {}


class _Document(msgspec.Struct):
    components: _Components = msgspec.field(default_factory=_Components)


class Schemas:
    """The schemas of one group and version, each as bytes until it is needed: a document is a megabyte, and ten times
    that as objects. ``size`` is what it keeps, in bytes.
    """

    def __init__(self, body: bytes) -> None:
        """Raises UnreadableSchema."""
        try:
            found = msgspec.json.decode(body, type=_Document).components.schemas
            self._raw = {name: bytes(raw) for name, raw in found.items()}
            self._names: dict[GVK, str] = {}
            for name, raw in self._raw.items():
                for each in _kinds(raw):
                    self._names.setdefault((each.group, each.version, each.kind), name)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise UnreadableSchema("It is not an OpenAPI v3 document.") from error
        self.size = sum(map(len, self._raw.values()))

    def fields(self, gvk: GVK) -> Fields | None:
        """The fields of a kind; None where the document does not have it."""
        name = self._names.get(gvk)
        return None if name is None else Fields(self, gvk[2], {"$ref": _REF + name})

    def schema(self, name: str) -> Schema:
        """A schema by its name; one without a word where there is none."""
        try:
            return _mapping(msgspec.json.decode(self._raw.get(name, b"{}")))
        except RecursionError as error:
            raise UnreadableSchema("A schema is nested too deeply.") from error


def _kinds(raw: bytes) -> list[_OfKind]:
    if b'"x-kubernetes-group-version-kind"' not in raw:
        return []
    try:
        return msgspec.json.decode(raw, type=_Named).kinds
    except msgspec.ValidationError:
        return []


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may stand in a place. ``type`` as kubectl writes it; ``forms``: "object", "list", "map", "string", "integer",
    "number", "boolean", of which one has to fit (none: anything does); ``of``: entries of a list, values of a map.
    """

    type: str
    forms: tuple[str, ...] = ()
    required: bool = False
    values: tuple[Any, ...] = ()
    of: Shape | None = None


class Level(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of an object. ``open``: other names are taken too. ``left_out``: so many more than are told."""

    fields: dict[str, Shape]
    open: bool = False
    left_out: int = 0


class FieldRow(msgspec.Struct, frozen=True):
    """A field in the list of its level. ``inside``: it has fields itself."""

    name: str
    path: str
    shape: Shape
    description: str
    inside: bool


class Explained(msgspec.Struct, frozen=True):
    """A field, as its API describes it. ``default``: as JSON, "" for none; ``keys``: the fields by which entries of a
    list are told apart; ``rows``: its own fields, of a list or map those of its entries.
    """

    path: str
    shape: Shape
    format: str
    default: str
    keys: tuple[str, ...]
    description: str
    rows: tuple[FieldRow, ...]
    open: bool
    left_out: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path leads: the schema there, the path as it is written, whether what it ends with is required."""

    schema: Schema
    path: str = ""
    required: bool = False


class Fields:
    """The fields of one kind; for one request, as it keeps what it has decoded."""

    def __init__(self, schemas: Schemas, kind: str, root: Schema) -> None:
        self.kind = kind
        self._schemas = schemas
        self._root = _Place(root)
        self._decoded: dict[str, Schema] = {}

    def explain(self, path: str) -> Explained:
        """The field at a path such as ``spec.template.spec.containers[].image``; "" is the kind itself. As with kubectl,
        ``[]`` may be left out. Raises BadInput for what is no path, NoField for one that there is not.
        """
        place = self._find(path)
        said = self._merged(place.schema)
        level, inner = self._level(place)
        properties = self._properties(inner.schema)
        rows = [
            FieldRow(
                name,
                _under(inner.path, name),
                shape,
                _text(_mapping(properties[name]).get("description"))[:MAX_DESCRIPTION],
                _inside(shape),
            )
            for name, shape in (level.fields if level else {}).items()
        ]
        return Explained(
            path=place.path,
            shape=self._shape(place.schema, required=place.required),
            format=_text(said.get("format")),
            default=_default(said, required=place.required),
            keys=_keys(said),
            description=self.description(place.schema),
            rows=tuple(rows),
            open=level.open if level else False,
            left_out=level.left_out if level else 0,
        )

    def below(self, path: str) -> dict[str, Level]:
        """The levels from a path on, by their own paths, nearest first, as many as fit into MAX_BELOW; a status, which
        nobody types, only where it is asked for.
        """
        waiting = deque([self._find(path)])
        found: dict[str, Level] = {}
        room = MAX_BELOW
        while waiting and room > 0:
            place = waiting.popleft()
            level, inner = self._level(place)
            if level is None:
                continue
            size = len(inner.path) + len(msgspec.json.encode(level))
            while size > MAX_BELOW:
                level = _half(level)
                size = len(inner.path) + len(msgspec.json.encode(level))
            if found and size > room:
                break
            room -= size
            found[inner.path] = level
            properties = self._properties(inner.schema)
            for name, shape in level.fields.items():
                if _inside(shape) and (inner.path, name) != ("", "status"):
                    waiting.append(_Place(_mapping(properties[name]), _under(inner.path, name)))
        return found

    def description(self, schema: Schema) -> str:
        """In the words of the API: its own, and those of what it refers to and is made of."""
        said = list(dict.fromkeys(filter(None, map(_text, self._descriptions(schema)))))
        text = "\n".join(said)
        return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION]}…"

    # ---- Ways through schemas

    def _find(self, path: str) -> _Place:
        place = self._root
        for bracketed, name in steps_of(path):
            place = self._next(place, bracketed, name)
        return place

    def _next(self, place: _Place, bracketed: bool, name: str) -> _Place:
        for _ in range(MAX_STEPS):
            said = self._merged(place.schema)
            properties = _mapping(said.get("properties"))
            if name in properties and not (bracketed and name in ("", "*")):
                return _Place(_mapping(properties[name]), _under(place.path, name), name in said["required"])
            inner, mark = _inner(said)
            if inner is None or (bracketed and properties):
                break
            entry = _Place(inner, place.path + mark)
            if bracketed:
                return entry
            place = entry
        raise self._unknown(place, name)

    def _unknown(self, place: _Place, name: str) -> NoField:
        level, inner = self._level(place)
        near = get_close_matches(name, level.fields if level else (), 1)
        return NoField(self.kind, place.path, name, _under(inner.path, near[0]) if near else "")

    def _level(self, place: _Place) -> tuple[Level | None, _Place]:
        """The fields of an object, or of the entries of a list or map, and where they are; None where none are told."""
        for _ in range(MAX_STEPS):
            said = self._merged(place.schema)
            if properties := _mapping(said.get("properties")):
                required = said["required"]
                shown = [each for each in properties.items() if len(each[0]) <= MAX_NAME][:MAX_FIELDS]
                shapes = {
                    name: self._shape(_mapping(each), required=name in required) for name, each in shown
                }
                return Level(shapes, _open(said), len(properties) - len(shown)), place
            inner, mark = _inner(said)
            if inner is None:
                break
            place = _Place(inner, place.path + mark)
        return None, place

    def _properties(self, schema: Schema) -> Schema:
        return _mapping(self._merged(schema).get("properties"))

    def _shape(self, schema: Schema, *, required: bool = False, depth: int = 0) -> Shape:
        said = self._merged(schema)
        inner, mark = _inner(said)
        properties = _mapping(said.get("properties"))
        of = None
        forms: tuple[str, ...]
        if properties:
            forms = ("object",)
        elif inner is not None:
            forms = ("list" if mark == "[]" else "map",)
            of = self._shape(inner, depth=depth + 1) if depth < 8 else None
        else:
            forms = _forms(said)
        values = said.get("enum")
        return Shape(
            type=self._type(schema)[:MAX_NAME],
            forms=forms,
            required=required,
            values=tuple(filter(_told, _list(values)[:MAX_VALUES])),
            of=of,
        )

    def _type(self, schema: Schema, depth: int = 0) -> str:
        """``typeGuess`` of kubectl's template."""
        if depth > MAX_PARTS:
            return "Object"
        if (items := schema.get("items")) is not None:
            return f"[]{self._type(_mapping(items), depth + 1)}"
        if isinstance(values := schema.get("additionalProperties"), Mapping) and values:
            return f"map[string]{self._type(values, depth + 1)}"
        parts = schema.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and not schema.get("properties"):
            return self._type(_mapping(parts[0]), depth + 1)
        if name := _referred(schema):
            kind = _text(self._named(name).get("type"))
            return name.rpartition(".")[2] if kind in ("", "object") else kind
        kind = _text(schema.get("type"))
        return "Object" if kind in ("", "object") else kind

    def _descriptions(self, schema: Schema, depth: int = 0) -> Iterator[str]:
        if depth > MAX_PARTS:
            return
        schema = self._named(name) if (name := _referred(schema)) and self._named(name) else schema
        yield schema.get("description", "")
        for part in _list(schema.get("allOf"))[:MAX_PARTS]:
            yield from self._descriptions(_mapping(part), depth + 8)
        for inner in ("items", "additionalProperties"):
            if _mapping(schema.get(inner)):
                yield from self._descriptions(_mapping(schema[inner]), depth + 8)

    def _merged(self, schema: Schema) -> dict[str, Any]:
        """All that the parts of a schema say: itself, what it refers to, and what it is made of (``allOf``)."""
        made: dict[str, Any] = {"properties": {}, "required": set()}
        for part in self._parts(schema):
            for name, each in _mapping(part.get("properties")).items():
                made["properties"].setdefault(name, each)
            made["required"].update(each for each in _list(part.get("required")) if isinstance(each, str))
            for key in _SAID:
                if key in part:
                    made.setdefault(key, part[key])
        return made

    def _parts(self, schema: Schema) -> Iterator[Schema]:
        seen: set[str] = set()
        waiting = [schema]
        for _ in range(MAX_PARTS):
            if not waiting:
                return
            part = waiting.pop()
            yield part
            waiting += [_mapping(each) for each in reversed(_list(part.get("allOf"))[:MAX_PARTS])]
            if (name := _referred(part)) and name not in seen:
                seen.add(name)
                waiting.append(self._named(name))

    def _named(self, name: str) -> Schema:
        if name not in self._decoded:
            self._decoded[name] = self._schemas.schema(name)
        return self._decoded[name]


def steps_of(path: str) -> list[tuple[bool, str]]:
    """The steps of a path: whether one stands in brackets, and its name. Raises BadInput."""
    steps: list[tuple[bool, str]] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (not at and path.startswith(".")):
            break
        steps.append((found[2] is None, found[1] or found[2] or ""))
        at = found.end()
    if at < len(path) or len(steps) > MAX_STEPS or len(path) > MAX_PATH:
        example = "spec.template.spec.containers[].image"
        raise BadInput(f"path is {path[:60]!r}: write it like {example}.", field="path")
    return steps


def _under(path: str, name: str) -> str:
    """The path of a field of what is at a path."""
    return f"{path}.{name}".removeprefix(".") if _PLAIN.fullmatch(name) else f"{path}[{name}]"


def _inner(said: Schema) -> tuple[Schema | None, str]:
    """What the entries of a list, or the values of a map, are, and how a path names them."""
    if "items" in said or said.get("type") == "array":
        return _mapping(said.get("items")), "[]"
    values = said.get("additionalProperties")
    if isinstance(values, Mapping) or values is True:
        return _mapping(values), "[*]"
    return None, ""


def _forms(said: Schema) -> tuple[str, ...]:
    """What a value without fields and entries may be."""
    if said.get("x-kubernetes-int-or-string") is True or said.get("format") == "int-or-string":
        return ("integer", "string")
    kind = said.get("type")
    if kind in _SCALARS:
        return (str(kind),)
    if kind == "object":
        return ("object",)
    choices = _list(said.get("oneOf")) or _list(said.get("anyOf"))
    kinds = [_mapping(each).get("type") for each in choices]
    if kind is None and kinds and all(each in _SCALARS for each in kinds):
        return tuple(dict.fromkeys(map(str, kinds)))
    return ()


def _open(said: Schema) -> bool:
    extra = said.get("additionalProperties")
    kept = said.get("x-kubernetes-preserve-unknown-fields"), said.get("x-kubernetes-embedded-resource")
    return True in kept or extra is True or isinstance(extra, Mapping)


def _inside(shape: Shape) -> bool:
    """Whether there are fields in it, or in its entries."""
    if shape.of is not None:
        return _inside(shape.of)
    return shape.forms == ("object",)


def _told(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MAX_NAME)


def _half(level: Level) -> Level:
    """One of half as many fields."""
    kept = dict(list(level.fields.items())[: len(level.fields) // 2])
    return Level(kept, level.open, level.left_out + len(level.fields) - len(kept))


def _default(said: Schema, *, required: bool) -> str:
    """As JSON. The built-in kinds have an empty one for each object and for whatever must be given: these say nothing."""
    value = said.get("default")
    if value in (None, {}, []) or (required and value in ("", 0)):
        return ""
    return msgspec.json.encode(value).decode()[:MAX_PATH]


def _keys(said: Schema) -> tuple[str, ...]:
    keys = [_text(each) for each in _list(said.get("x-kubernetes-list-map-keys"))]
    keys = keys or [_text(said.get("x-kubernetes-patch-merge-key"))]
    return tuple(filter(None, keys[:8]))


def _referred(schema: Schema) -> str:
    ref = _text(schema.get("$ref"))
    return ref.removeprefix(_REF) if ref.startswith(_REF) else ""


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
