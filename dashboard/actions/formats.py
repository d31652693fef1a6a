"""Whether a text is what its name says it is: JSON, YAML, ``.properties`` or ``.env``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

import yaml

from .linetext import normal

Format = Literal["JSON", "YAML", ".properties", ".env"]

_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)", re.DOTALL)
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?![0-9A-Fa-f]{4})")
_PROPERTY = re.compile(r"\s*((?:\\.|[^\s=:\\])+)")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in the text of ``key``. ``line`` counts from 1. ``broken``: no program can read it."""

    key: str
    format: Format
    line: int
    message: str
    broken: bool


def format_of(key: str) -> Format | None:
    """What the name of a key promises."""
    name = key.lower()
    if name.endswith(".json"):
        return "JSON"
    if name.endswith((".yaml", ".yml")):
        return "YAML"
    if name.endswith(".properties"):
        return ".properties"
    if name.endswith(".env") or name.startswith(".env"):
        return ".env"
    return None


def flaw(key: str, value: bytes) -> Flaw | None:
    """The first thing wrong with a value, or None. May take a second for the largest: not for the event loop."""
    form = format_of(key)
    if form is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        line = value.count(b"\n", 0, error.start) + 1
        return Flaw(key, form, line, "holds bytes that are not UTF-8", broken=True)
    found = _CHECKS[form](text)
    return Flaw(key, form, found[0], found[1], broken=form in ("JSON", "YAML")) if found else None


def _json(text: str) -> tuple[int, str] | None:
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return error.lineno, f"{error.msg} (column {error.colno})"
    except RecursionError:
        return 1, "is nested deeper than most programs read"
    except ValueError as error:
        return 1, str(error)
    return None


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _yaml(text: str) -> tuple[int, str] | None:
    # Events only: nothing is built, so an alias that stands for millions of values costs nothing.
    try:
        for _ in yaml.parse(text, Loader=_LOADER):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return (mark.line + 1 if mark else 1), error.problem or "cannot be read"
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        return text.count(
            "\n", 0, at if isinstance(at, int) else 0
        ) + 1, "holds a character that YAML does not allow"
    except RecursionError:
        return 1, "is nested deeper than most programs read"
    return None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _properties(text: str) -> tuple[int, str] | None:
    seen: dict[str, int] = {}
    going_on = False
    for number, line in enumerate(normal(text).split("\n"), start=1):
        if not going_on and (not line.strip() or line.lstrip()[0] in "#!"):
            continue
        if _BAD_ESCAPE.search(line):
            return number, r"has a \u that four hexadecimal digits must follow"
        if not going_on and (match := _PROPERTY.match(line)):
            if match[1] in seen:
                return number, f"sets {match[1]} again, as line {seen[match[1]]} does: the last one counts"
            seen[match[1]] = number
        going_on = (len(line) - len(line.rstrip("\\"))) % 2 == 1
    return None


def _env(text: str) -> tuple[int, str] | None:
    seen: dict[str, int] = {}
    quote, opened = "", 0
    for number, line in enumerate(normal(text).split("\n"), start=1):
        if quote:
            quote = "" if _closes(line, quote) else quote
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if match is None:
            return number, "is no NAME=value"
        if match[1] in seen:
            return number, f"sets {match[1]} again, as line {seen[match[1]]} does: the last one counts"
        seen[match[1]] = number
        value = match[2].strip()
        if value[:1] in ("'", '"') and not _closes(value[1:], value[0]):
            quote, opened = value[0], number
    return (opened, "opens a quote that nothing closes") if quote else None


def _closes(text: str, quote: str) -> bool:
    return quote in (text.replace('\\"', "") if quote == '"' else text)


_CHECKS: dict[Format, Callable[[str], tuple[int, str] | None]] = {
    "JSON": _json, "YAML": _yaml, ".properties": _properties, ".env": _env,
}  # fmt: skip
