"""What a change writes, as lines of YAML: only what people write themselves, with what is alike folded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.utils.crypto import salted_hmac

from dashboard.queries import yamltext

from .changedfields import MISSING, changed_fields, value_at
from .linetext import blocks

if TYPE_CHECKING:
    from .action import Manifest

# More lines than this help nobody, and a page of them would be slow.
MAX_LINES = 1_000
MAX_LETTERS = 2_000  # of one line
CONTEXT = 2  # lines alike that are kept on each side of a change
# What the server keeps for itself; it changes with every write and nobody writes it.
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # a copy of the whole object
_FIRST = ("apiVersion", "kind", "metadata", "spec")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``sign``: "" alike, "-" removed, "+" added, "…" folded (``text`` says how many), "#" a heading for
    what follows; the last two have no number.

    ``mark`` is the part of ``text`` that differs from its counterpart, or "".
    """

    n: int | None
    sign: Literal["", "-", "+", "…", "#"]
    text: str
    mark: str = ""


def readable(manifest: Manifest) -> Manifest:
    """The object as a person would write it: without status and what the server keeps."""
    metadata = {key: value for key, value in manifest.get("metadata", {}).items() if key not in _SERVERS}
    annotations = {k: v for k, v in metadata.pop("annotations", {}).items() if k != _LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    kept = {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}
    return {key: kept[key] for key in (*_FIRST, *kept) if key in kept}


def yaml_lines(manifest: Manifest) -> list[str]:
    """The object as lines of YAML, in its own order."""
    return [line.text for line in yamltext.yaml_lines(manifest)]


def diff_lines(before: Manifest, after: Manifest) -> tuple[Line, ...]:
    """The changed lines between two objects, with context, as many as help; empty when they are alike."""
    old, new = yaml_lines(readable(before)), yaml_lines(readable(after))
    steps = list(blocks(old, new))
    if all(tag == "equal" for tag, *_ in steps):
        return ()
    lines: list[Line] = []
    for index, (tag, a1, a2, b1, b2) in enumerate(steps):
        if tag == "equal":
            lines += _alike(new, b1, b2, first=index == 0, last=index == len(steps) - 1)
        else:
            lines += _changed(old, new, a1, a2, b1, b2)
    return first_lines(lines, MAX_LINES)


def first_lines(lines: Sequence[Line], most: int) -> tuple[Line, ...]:
    """The first of them, none longer than a reader takes in, and how many more there are."""
    rest = len(lines) - most
    more = [Line(None, "…", f"{rest} more changed lines are not shown")] if rest > 0 else []
    return (*map(_cut, lines[:most]), *more)


def _cut(line: Line) -> Line:
    if len(line.text) <= MAX_LETTERS:
        return line
    text = f"{line.text[:MAX_LETTERS]}… {len(line.text) - MAX_LETTERS} more characters"
    return Line(line.n, line.sign, text)


def _alike(lines: list[str], start: int, end: int, *, first: bool, last: bool) -> Iterator[Line]:
    head, tail = 0 if first else CONTEXT, 0 if last else CONTEXT
    folded = end - start - head - tail
    for at in range(start, end):
        if folded > 1 and start + head <= at < end - tail:
            if at == start + head:
                yield Line(None, "…", f"{folded} unchanged lines")
            continue
        yield Line(at + 1, "", lines[at])


def _changed(old: list[str], new: list[str], a1: int, a2: int, b1: int, b2: int) -> Iterator[Line]:
    paired = a2 - a1 == b2 - b1
    for at in range(a1, a2):
        yield Line(at + 1, "-", old[at], _mark(old[at], new[b1 + at - a1]) if paired else "")
    for at in range(b1, b2):
        yield Line(at + 1, "+", new[at], _mark(new[at], old[a1 + at - b1]) if paired else "")


def _mark(line: str, other: str) -> str:
    """The value, when two lines differ in nothing else: underlining single digits would be hard to read."""
    key, colon, value = line.partition(": ")
    return value if colon and other.startswith(key + colon) else ""


def effect_digest(before: Manifest, after: Manifest) -> str:
    """A digest of what differs between two objects, and of nothing else: equal for the same effect on a busy one. It is
    kept with steps of operations, and keyed: a variable may hold a password, which nobody is to try against it.
    """
    old, new = readable(before), readable(after)
    changes = [
        (path, *("" if value is MISSING else json.dumps(value, sort_keys=True) for value in both))
        for path in changed_fields(old, new)
        for both in ((value_at(old, path), value_at(new, path)),)
    ]
    return salted_hmac("dashboard.actions.diff", json.dumps(sorted(changes)), algorithm="sha256").hexdigest()
