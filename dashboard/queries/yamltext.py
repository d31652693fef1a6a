"""An object as YAML, line by line, in the style of ``kubectl get -o yaml``.

PyYAML looks at each character in Python and gives one text, of which a reader sees the first screen. Here each line comes
by itself with what it is made of, long texts pass through regular expressions without backtracking, and lines that
nobody asked for are counted without being made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import yaml

from dashboard.kinds.legible import escaped, unseen

Form = Literal["", "n", "s"]  # no value, a number or the like, text

_SHORT = 128  # letters; what is longer is no number, moment or word of YAML
# What YAML prints as it is. Line ends but the line feed, and what nobody sees, need quotation marks with escapes.
_ODD = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ODD_IN_BLOCK = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
# What gives a plain text another meaning.
_NOT_PLAIN = re.compile(r"[-?:](?: |\Z)|[#,\[\]{}&*!|>'\"%@`]|---|\.\.\.")
_NOT_INSIDE = re.compile(r": |:\Z| #")
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
# Numbers to Kubernetes' own reader of YAML, and not to PyYAML.
_NUMBER_ELSEWHERE = re.compile(r"[-+]?(?:[0-9]+[eE][-+]?[0-9]+|0o[0-7]+)")
_LIKE_A_NUMBER = re.compile(r"[-+.0-9_:eE]+")
_resolve: Any = yaml.resolver.Resolver().resolve
_TEXT = "tag:yaml.org,2002:str"


class YamlLine(NamedTuple):
    """One line: what stands before it, its key as it is written ("" without one), and its value as it is written."""

    lead: str
    key: str
    value: str
    form: Form

    @property
    def text(self) -> str:
        if not self.key:
            return self.lead + self.value
        return f"{self.lead}{self.key}: {self.value}" if self.value else f"{self.lead}{self.key}:"


class _Block(NamedTuple):
    """The lines of a text of several lines, not yet made."""

    lead: str
    text: str

    @property
    def size(self) -> int:
        return self.text.count("\n") + 1

    def lines(self, start: int, end: int) -> Iterator[YamlLine]:
        for line in self.text.split("\n")[start:end]:
            yield YamlLine(self.lead if line else "", "", line, "s")


@dataclass(frozen=True)
class Window:
    """Some lines out of all. ``start`` counts from 0."""

    lines: tuple[YamlLine, ...]
    start: int
    total: int


def yaml_lines(obj: Mapping[str, Any]) -> Iterator[YamlLine]:
    """All lines."""
    for piece in _pieces(obj):
        if isinstance(piece, _Block):
            yield from piece.lines(0, piece.size)
        else:
            yield piece


def as_yaml(obj: Mapping[str, Any]) -> str:
    """The whole text."""
    return "".join(
        f"{line}\n"
        for piece in _pieces(obj)
        for line in (
            (one.text for one in piece.lines(0, piece.size)) if isinstance(piece, _Block) else (piece.text,)
        )
    )


def yaml_window(obj: Mapping[str, Any], start: int, count: int) -> Window:
    """At most ``count`` lines from ``start`` on, and how many there are. Only these are made."""
    found: list[YamlLine] = []
    at = 0
    for piece in _pieces(obj):
        size = piece.size if isinstance(piece, _Block) else 1
        if at + size > start and at < start + count:
            if isinstance(piece, _Block):
                found += piece.lines(max(0, start - at), start + count - at)
            else:
                found.append(piece)
        at += size
    return Window(tuple(found), start, at)


def _pieces(obj: Mapping[str, Any]) -> Iterator[YamlLine | _Block]:
    """A stack instead of calls within calls: no depth is too deep, and each line costs the same at any depth."""
    if not obj:
        yield YamlLine("", "", "{}", "")
        return
    # Of each open collection: its members, its indentation, and what stands before the next line instead of that.
    stack: list[tuple[Iterator[tuple[str, Any]] | Iterator[Any], bool, int]] = [(iter(obj.items()), True, 0)]
    lead: str | None = None
    while stack:
        members, keyed, indent = stack[-1]
        try:
            member = next(members)
        except StopIteration:
            stack.pop()
            continue
        before = " " * indent if lead is None else lead
        lead = None
        if keyed:
            key, value = _scalar(str(member[0])), member[1]
            if len(key) > _SHORT:
                # The only form in which YAML takes a key of more than 1,024 characters (YAML 1.2, 8.2.2).
                yield YamlLine(before, "", f"? {key}", "s")
                key, before = "", f"{' ' * indent}: "
        else:
            key, value, before = "", member, f"{before}- "
        if isinstance(value, Mapping) and value:
            if key:
                yield YamlLine(before, key, "", "")
            else:
                lead = before
            stack.append((iter(value.items()), True, indent + 2))
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and value:
            if key:
                yield YamlLine(before, key, "", "")
            else:
                lead = before
            stack.append((iter(value), False, indent if key else indent + 2))
        elif isinstance(value, str) and "\n" in value and _fits_block(value):
            yield YamlLine(before, key, _block_head(value), "s")
            yield _Block(" " * (indent + 2), value[:-1] if value.endswith("\n") else value)
        else:
            yield YamlLine(before, key, *_value(value))


def _fits_block(text: str) -> bool:
    return text.strip("\n") != "" and not (_ODD_IN_BLOCK.search(text) or unseen(text))


def _block_head(text: str) -> str:
    """With how many line feeds it ends; where it begins with white space, its indentation too: it cannot be seen then."""
    indent = "2" if text[0] in " \t\n" else ""
    end = "+" if text.endswith("\n\n") else "" if text.endswith("\n") else "-"
    return f"|{indent}{end}"


def _value(value: Any) -> tuple[str, Form]:
    match value:
        case None:
            return "null", "n"
        case bool():
            return ("true" if value else "false"), "n"
        case int():
            return str(value), "n"
        case float():  # YAML wants a point in it
            text = repr(value)
            return (text if "." in text else text.replace("e", ".0e")), "n"
        case str():
            return _scalar(value), "s"
        case Mapping():
            return "{}", "s"
        case Sequence():
            return "[]", "s"
    return _scalar(str(value)), "s"


def _scalar(text: str) -> str:
    return _short_scalar(text) if len(text) <= _SHORT else _long_scalar(text)


@lru_cache(maxsize=4096)
def _short_scalar(text: str) -> str:
    if _PLAIN_WORD.fullmatch(text) and text.lower() not in _WORDS:
        return text
    plain = _resolve(yaml.ScalarNode, text, (True, False)) == _TEXT and not _NUMBER_ELSEWHERE.fullmatch(text)
    return _written(text, plain=plain)


def _long_scalar(text: str) -> str:
    return _written(text, plain=not _LIKE_A_NUMBER.fullmatch(text))


def _written(text: str, *, plain: bool) -> str:
    """A text on one line: plain where nothing in it means anything to YAML, else in quotation marks."""
    if "\n" in text or _ODD.search(text) or unseen(text):
        return escaped(json.dumps(text, ensure_ascii=False))
    if plain and text.strip(" ") == text != "" and not (_NOT_PLAIN.match(text) or _NOT_INSIDE.search(text)):
        return text
    return "'" + text.replace("'", "''") + "'"
