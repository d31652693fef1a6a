"""Manifests as people type them: YAML read into plain JSON, each field with its line. What a reader could not bound
(aliases, tags) or would silently lose (the first of two equal keys) is refused, at its line.

Scalars mean what the API server's own clients make of them (sigs.k8s.io/yaml, which is YAML 1.1): ``0644`` is octal and
``yes`` is true. Messages name keys and lines, never a value: the text may be a Secret's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from dashboard.errors import BadInput, ClusterError, Invalid

from .linetext import normal
from .yamlevents import Lines, allows_tab, events, line_of_letter, most_with_tabs

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 200_000
MAX_DOCUMENTS = 100
MAX_PROBLEMS = 20

Path = tuple[str | int, ...]
Manifest = dict[str, Any]

_RESOLVER: Any = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"!", f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"})
# Byte order marks, with which files begin that were joined to this text.
_MARKS = re.compile(r"(?:\A|(?<=\n---\n))\ufeff|(?<=\n)\ufeff(?=---)")
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")
_STEP = re.compile(r"\[([^\[\]]*)\]|([^.\[\]]+)")
# How the API server names the field at fault where it gives no list of causes.
_NAMED = (
    re.compile(r'(?:unknown|duplicate) field "([^"]+)"'),
    re.compile(r"Go struct field [A-Za-z]+\.(\S+) of type"),
    re.compile(r"(?:^|[\s:])\.([\w.\[\]/-]+): (?:field not declared in schema|expected)"),
)


class BadYaml(BadInput):
    """A text that is no manifest. ``line`` counts from 1; 0 where it is the text as a whole."""

    title = "The YAML is not valid"
    problems: Sequence[Problem] = ()  # all of them, where more than one is known

    def __init__(self, message: str, *, line: int = 0, next_step: str = "") -> None:
        super().__init__(f"Line {line}: {message}" if line else message, next_step=next_step, field="yaml")
        self.line = line


class BadField(BadInput):
    """A field of a manifest can't be as it was typed. ``path`` is where it stands in that."""

    def __init__(self, message: str, *path: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step, field="yaml")
        self.path: Path = path


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a text, at a line (0: nowhere in particular)."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One manifest of a text, and where its fields stand."""

    manifest: Manifest = field(repr=False)
    line: int
    lines: Mapping[Path, int] = field(repr=False)

    def line_of(self, path: str) -> int:
        """The line of a field as the API server names it (``spec.ports[0].port``, ``data[a.b]``), or of the innermost one
        around it that is there.
        """
        at: Path = ()
        for bracket, name in _STEP.findall(path):
            step: str | int = bracket or name
            if bracket.isdigit() and (*at, int(bracket)) in self.lines:
                step = int(bracket)
            at = (*at, step)
        return self.line_at(at)

    def line_at(self, path: Path) -> int:
        """The line of a field by its path, or of the innermost one around it that is there."""
        typed = ("stringData", *path[1:])
        if path[:1] == ("data",) and path not in self.lines and typed in self.lines:
            path = typed  # a Secret's value may be typed as plain text
        around = (path[:end] for end in range(len(path), 0, -1))
        return next((self.lines[each] for each in around if each in self.lines), self.line)


def read_manifests(text: str) -> list[Document]:
    """The manifests of a text; those of a List one by one. Raises BadYaml."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadYaml(f"It is larger than the {MAX_BYTES // 1024:,} KiB that fit into one request.")
    try:
        text = _MARKS.sub("", normal(text))
        found = list(_documents(text))
    except yaml.MarkedYAMLError as error:
        line = Lines(text).of(error.problem_mark or error.context_mark)
        raise BadYaml(_said(text, line, error), line=line) from None
    except yaml.reader.ReaderError as error:
        raise BadYaml("A character is not allowed in YAML.", line=line_of_letter(text, error)) from None
    except (yaml.YAMLError, UnicodeError):
        raise BadYaml("It can't be read as YAML.") from None
    manifests = [each for one in found for each in _members(one)]
    if not manifests:
        raise BadYaml("There is no manifest in it.", next_step="Paste or type one.")
    return manifests


def read_manifest(text: str) -> Document:
    """The one manifest of a text. Raises BadYaml, also for several."""
    found = read_manifests(text)
    if len(found) > 1:
        raise BadYaml("There is a second document: only one object is edited here.", line=found[1].line)
    return found[0]


def problems_of(error: ClusterError, document: Document | None) -> list[Problem]:
    """What an error says is wrong, each at its line; nothing where it is not about the text."""
    if isinstance(error, BadYaml) and error.problems:
        return [*error.problems[:MAX_PROBLEMS]]
    if isinstance(error, BadYaml):
        return [Problem(error.line, error.message.partition(": ")[2] if error.line else error.message)]
    if document is None:
        return []
    if isinstance(error, BadField):
        text = f"{error.message} {error.next_step}".strip()
        return [Problem(document.line_at(error.path), text)]
    if isinstance(error, Invalid) and error.causes:
        return [
            Problem(
                document.line_of(cause.field),
                f"{cause.field}: {cause.message}" if cause.field else cause.message,
            )
            for cause in error.causes[:MAX_PROBLEMS]
        ]
    named = [found for pattern in _NAMED for found in pattern.findall(error.message)]
    return [Problem(document.line_of(path), error.message) for path in named[:1]] + [
        Problem(document.line_of(path), f"{path} is not valid here.") for path in named[1:MAX_PROBLEMS]
    ]


def _said(text: str, line: int, error: yaml.MarkedYAMLError) -> str:
    if allows_tab(text, error) and error.problem_mark is not None and error.problem_mark.column:
        return (
            f"More than {most_with_tabs(text)} block scalars begin with a tab: the limit for a text of this size."
            ' Write this one in double quotes, with "\\t" for the tab.'
        )
    lines = text.split("\n")
    there = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in there[: len(there) - len(there.lstrip())] or "'\\t'" in str(error.problem):
        return "It is indented with a tab: YAML needs spaces."
    problem = re.sub(r"'[^']*'|\"[^\"]*\"", "a character", str(error.problem or "it can't be read"))
    return f"{problem[:1].upper()}{problem[1:]}."


def _members(document: Document) -> Iterator[Document]:
    manifest = document.manifest
    items, kind = manifest.get("items"), str(manifest.get("kind", ""))
    if not (kind.endswith("List") and isinstance(items, list)):
        yield document
        return
    # As kubectl has it: the API server itself does not repeat in each item what the list says of all.
    said = {"apiVersion": manifest.get("apiVersion"), "kind": kind.removesuffix("List")}
    if len(items) > MAX_DOCUMENTS:
        line = document.lines.get(("items", MAX_DOCUMENTS), document.line)
        raise BadYaml(f"More than {MAX_DOCUMENTS} objects in a List: apply them in parts.", line=line)
    lines: dict[Any, dict[Path, int]] = defaultdict(dict)
    for path, number in document.lines.items():
        if path[:1] == ("items",) and len(path) > 2:
            lines[path[1]][path[2:]] = number
    for at, item in enumerate(items):
        line = document.lines.get(("items", at), document.line)
        if not isinstance(item, dict):
            raise BadYaml("An item of a List is a manifest: keys with values.", line=line)
        if said["kind"] and not item.get("kind") and not item.get("apiVersion"):
            item = {**item, **said}
        yield Document(item, line, lines[at])


class _Open:
    """A collection that is being read. ``key`` is the one whose value comes next, None before a key."""

    __slots__ = ("key", "path", "value")

    def __init__(self, value: Any, path: Path) -> None:
        self.value, self.path = value, path
        self.key: str | None = None


def _documents(text: str) -> Iterator[Document]:
    stack: list[_Open] = []
    lines: dict[Path, int] = {}
    root: Any = None
    first = nodes = documents = 0
    place = Lines(text)
    for event in events(text):
        line = place.of(event.start_mark)
        match event:
            case yaml.DocumentStartEvent():
                stack, lines, root, first = [], {}, None, 0
                continue
            case yaml.DocumentEndEvent():
                if root is None:
                    continue  # comments alone
                documents += 1
                if documents > MAX_DOCUMENTS:
                    raise BadYaml(f"More than {MAX_DOCUMENTS} documents: apply them in parts.", line=line)
                if not isinstance(root, dict):
                    raise BadYaml("A manifest is a mapping: keys with values.", line=first)
                yield Document(root, first, lines)
                continue
            case yaml.AliasEvent():
                raise BadYaml("Aliases (*) are not taken: write it out.", line=line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                stack.pop()
                continue
            case yaml.ScalarEvent() | yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                pass
            case _:
                continue
        nodes += 1
        if nodes > MAX_NODES:
            raise BadYaml(f"More than {MAX_NODES:,} values.", line=line)
        if event.anchor:
            raise BadYaml("Anchors (&) are not taken: write it out.", line=line)
        if event.tag and event.tag not in _PLAIN_TAGS:
            raise BadYaml("Tags (!) are not taken: quote text instead.", line=line)
        top = stack[-1] if stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            top.key = _key(event, top.value, line)
            lines[(*top.path, top.key)] = line
            continue
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, line)
        else:
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        if top is None:
            root, first = value, line
            path: Path = ()
        elif top.key is not None:
            top.value[top.key] = value
            path = (*top.path, top.key)
            top.key = None
        else:
            path = (*top.path, len(top.value))
            top.value.append(value)
            lines[path] = line
        if not isinstance(event, yaml.ScalarEvent):
            if len(stack) >= MAX_DEPTH:
                raise BadYaml(f"It is nested more than {MAX_DEPTH} levels deep.", line=line)
            stack.append(_Open(value, path))


def _key(event: Any, there: Mapping[str, Any], line: int) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise BadYaml("A key is text.", line=line)
    if event.implicit[0] and event.value[:1] == "\u00a0":  # as text has it that is copied from a web page
        raise BadYaml("It is indented with no-break spaces: YAML needs plain ones.", line=line)
    if event.value == "<<" and event.implicit[0]:
        raise BadYaml("Merge keys (<<) are not taken: write it out.", line=line)
    if event.value in there:
        raise BadYaml(f"The key {event.value[:60]} is there twice.", line=line)
    return str(event.value)


def _scalar(event: Any, line: int) -> Any:
    if not event.implicit[0]:
        return str(event.value)
    try:
        return _plain(event.value) if len(event.value) < 64 else str(event.value)
    except (ValueError, OverflowError):
        raise BadYaml("The number can't be sent: quote it, if it is text.", line=line) from None


@lru_cache(maxsize=4096)
def _plain(text: str) -> Any:
    """What a plain scalar means. Raises ValueError for a number that JSON has not."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAG)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("yes", "true", "on")
    digits = text.replace("_", "").lower()
    sign, bare = (-1, digits[1:]) if digits[:1] == "-" else (1, digits.removeprefix("+"))
    if re.fullmatch(r"0o[0-7]+", bare):
        return sign * int(bare, 8)
    if tag == "int" and ":" not in text:
        octal = bare[:1] == "0" and bare != "0"
        base = {"0x": 16, "0b": 2}.get(bare[:2], 8 if octal else 10)
        number = sign * int(bare, base)
        if not -(2**63) <= number < 2**64:
            raise ValueError("out of range")
        return number
    if (tag == "float" and ":" not in text) or _EXPONENT.fullmatch(digits):
        if bare.lstrip(".") in ("inf", "nan"):
            raise ValueError("not a number of JSON")
        return float(digits)
    return text
