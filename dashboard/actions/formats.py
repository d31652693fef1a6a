"""Whether a text is what its name says it is: JSON, YAML, ``.properties`` or ``.env``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NoReturn

import yaml

from .linetext import normal

Format = Literal["JSON", "YAML", ".properties", ".env"]

_ENV_KEY = re.compile(r".*\.env|\.env[._-].*", re.DOTALL)
_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)", re.DOTALL)
# A name alone hands on what the environment has; a shell declares and forgets several at once.
_ENV_NAMES = re.compile(r"(?:(?:export|unset)(?:\s+[A-Za-z_][A-Za-z0-9_.-]*)+|[A-Za-z_][A-Za-z0-9_.-]*)")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?![0-9A-Fa-f]{4})")
_PROPERTY = re.compile(r"\s*((?:\\.|[^\s=:\\])+)")
# libyaml's words for a block scalar whose first line begins with a tab, which YAML allows; and where such tabs stand.
_TAB_REFUSED = "found a tab character where an indentation space is expected"
_TAB_IN_BLOCK = re.compile(r"^( +)\t", re.MULTILINE)

# A check takes time in proportion to the text, and never much: what is beyond these is not checked.
MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 200  # of YAML: libyaml asks each open level at each token
MAX_EVENTS = 200_000
MAX_DIRECTIVES = 100  # of YAML: each is compared with all before it


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
    return ".env" if _ENV_KEY.fullmatch(name) else None


def flaw(key: str, value: bytes) -> Flaw | None:
    """The first thing wrong with a value, or None. May take a second for the largest: not for the event loop."""
    form = format_of(key)
    if form is None or len(value) > MAX_BYTES:
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
        # Numbers may have any length, and need not become any.
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return error.lineno, f"{error.msg} (column {error.colno})"
    except RecursionError:
        return 1, "is nested deeper than most programs read"
    except ValueError as error:
        return 1, str(error)
    return None


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _yaml(text: str) -> tuple[int, str] | None:
    found = _yaml_events(text)
    if found is not None and found[1] == _TAB_REFUSED:
        return _yaml_events(_TAB_IN_BLOCK.sub(r"\1x", text))
    return found


def _yaml_events(text: str) -> tuple[int, str] | None:
    # Events only: nothing is built, so an alias that stands for millions of values costs nothing.
    if text.count("\n%") > MAX_DIRECTIVES and len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        return 1, f"has more than {MAX_DIRECTIVES} directives"
    depth = 0
    try:
        for event in islice(yaml.parse(text, Loader=_LOADER), MAX_EVENTS):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    return line, f"is nested deeper than {MAX_DEPTH} levels, which few programs read"
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return (mark.line + 1 if mark else 1), error.problem or "cannot be read"
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        return text.count(
            "\n", 0, at if isinstance(at, int) else 0
        ) + 1, "holds a character that YAML does not allow"
    return None


_DIRECTIVE = re.compile(r"^%[A-Z]+ ", re.MULTILINE)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _properties(text: str) -> tuple[int, str] | None:
    seen: dict[str, int] = {}
    going_on = False
    for number, line in enumerate(normal(text).split("\n"), start=1):
        if not going_on and (not line.strip() or line.lstrip()[0] in "#!"):
            continue
        if _BAD_ESCAPE.search(line):
            return number, r"has a \u without four hexadecimal digits after it"
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
        match = _ENV_LINE.fullmatch(line.strip())
        if match is None and _ENV_NAMES.fullmatch(line.strip()):
            continue
        if match is None:
            return number, "is not NAME=value"
        if match[1] in seen:
            return number, f"sets {match[1]} again, as line {seen[match[1]]} does: the last one counts"
        seen[match[1]] = number
        value = match[2].strip()
        if value[:1] in ("'", '"') and not _closes(value[1:], value[0]):
            quote, opened = value[0], number
    return (opened, "opens a quote that nothing closes") if quote else None


def _closes(text: str, quote: str) -> bool:
    return quote in (_ESCAPED.sub("", text) if quote == '"' else text)


_CHECKS: dict[Format, Callable[[str], tuple[int, str] | None]] = {
    "JSON": _json, "YAML": _yaml, ".properties": _properties, ".env": _env,
}  # fmt: skip
