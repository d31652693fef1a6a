"""What a change does to the values of a ConfigMap, key by key, with line endings where they matter."""

from __future__ import annotations

from collections.abc import Iterator

from .action import Manifest
from .configmap_values import Value, size_words, values
from .diff import CONTEXT, MAX_LINES, Line, diff_lines, first_lines
from .linetext import Line as TextLine
from .linetext import blocks, editable, split

MAX_KEY_LINES = 400  # of one key
_ENDINGS = {"\r\n": " [CRLF]", "\r": " [CR]", "\n": " [LF]"}


def value_lines(before: Manifest, after: Manifest) -> tuple[Line, ...]:
    """The changed lines of each changed key under its name, then what else of the object changes; empty when
    everything is alike.
    """
    was, made = values(before), values(after)
    lines: list[Line] = []
    for key in sorted({*was, *made}):
        if was.get(key) != made.get(key):
            lines += _key(key, was.get(key), made.get(key), whole=len(lines) < MAX_LINES)
    rest = diff_lines(_without_values(before), _without_values(after))
    return (*first_lines(lines, MAX_LINES), *((Line(None, "#", "The object itself"), *rest) if rest else ()))


def text_lines(old: str, new: str) -> tuple[Line, ...]:
    """The changed lines between two texts. A line without an ending says so, and where endings differ every line does."""
    a, b = split(old), split(new)
    # Where all lines end alike there is nothing to tell apart.
    mixed = len({ending for _, ending in (*a, *b) if ending}) > 1
    lines: list[Line] = []
    steps = list(blocks(a, b))
    for index, (tag, a1, a2, b1, b2) in enumerate(steps):
        if tag == "equal":
            lines += _alike(b, b1, b2, mixed, first=index == 0, last=index == len(steps) - 1)
        else:
            paired = a2 - a1 == b2 - b1
            lines += (
                Line(at + 1, "-", _shown(a[at], mixed), _mark(a[at][0], b[b1 + at - a1][0]) if paired else "")
                for at in range(a1, a2)
            )
            lines += (
                Line(at + 1, "+", _shown(b[at], mixed), _mark(b[at][0], a[a1 + at - b1][0]) if paired else "")
                for at in range(b1, b2)
            )
    return first_lines(lines, MAX_KEY_LINES)


def _key(key: str, was: Value | None, made: Value | None, *, whole: bool) -> Iterator[Line]:
    """``whole``: with the lines, which are compared only where they will be shown."""
    yield Line(None, "#", f"{key}: {_what(was, made)}")
    old, new = (_text(was), _text(made)) if whole else (None, None)
    if old is not None and new is not None and (was is None or made is None or was.content != made.content):
        yield from text_lines(old, new)


def _what(was: Value | None, made: Value | None) -> str:
    if was is None or made is None:
        value = made or was
        assert value is not None  # noqa: S101 # one of the two is there
        kind = "" if _text(value) is not None else "binary, "
        return f"{'new' if was is None else 'removed'}, {kind}{size_words(len(value.content))}"
    sizes = f"{size_words(len(was.content))} → {size_words(len(made.content))}"
    if _text(was) is None or _text(made) is None:
        return f"binary, {sizes}"
    if was.content == made.content:
        return f"moves from {was.field} to {made.field}, its bytes stay"
    return sizes


def _text(value: Value | None) -> str | None:
    return "" if value is None else editable(value.content)


def _alike(
    lines: list[TextLine], start: int, end: int, mixed: bool, *, first: bool, last: bool
) -> Iterator[Line]:
    head, tail = 0 if first else CONTEXT, 0 if last else CONTEXT
    folded = end - start - head - tail
    for at in range(start, end):
        if folded > 1 and start + head <= at < end - tail:
            if at == start + head:
                yield Line(None, "…", f"{folded} unchanged lines")
            continue
        yield Line(at + 1, "", _shown(lines[at], mixed))


def _shown(line: TextLine, mixed: bool) -> str:
    """A line with what cannot be seen: spaces at its end, an ending that is not the plain one."""
    text, ending = line
    kept = text.rstrip(" \t")
    text = kept + text[len(kept) :].replace(" ", "·").replace("\t", "→")
    if not ending:
        return f"{text} (no line ending here)"
    return text + (_ENDINGS[ending] if mixed else "")


def _mark(line: str, other: str) -> str:
    """The value of a setting, when two lines differ in nothing else."""
    for sign in ("=", ": "):
        key, found, value = line.partition(sign)
        if found and other.startswith(key + sign):
            return value.rstrip()
    return ""


def _without_values(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key not in ("data", "binaryData")}
