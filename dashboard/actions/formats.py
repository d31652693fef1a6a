"""Whether a text is what its name says it is: JSON, YAML, ``.properties`` or ``.env``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NoReturn

import yaml

from .linetext import normal
from .yamlevents import Lines, allows_tab, events, line_of_letter

Format = Literal["JSON", "YAML", ".properties", ".env"]

_ENV_KEY = re.compile(r".*\.env|\.env[._-].*", re.DOTALL)
# Most readers of such files take "NAME=value", some "NAME: value"; shells take themselves.
_ENV_LINE = re.compile(r"(?:export\s+)?([\w.-]+)\s*(\+?=|:(?=\s))(.*)", re.DOTALL | re.ASCII)
_ENV_NAME = re.compile(r"[\w.-]+(?:\s+#.*)?", re.ASCII)  # alone it hands on what the environment has
_COMMAND = re.compile(
    r"(?:export|unset|set|declare|typeset|readonly|local|source|shopt|umask|ulimit|alias|unalias|echo|printf|test|eval|exec"
    r"|cd|exit|return|trap|true|false|read|\.|:)(?=[\s;]|\Z)"
)
# From there on, what counts depends on what a shell does.
_SCRIPT = re.compile(
    r"(?:(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|select|function)(?=[\s;]|\Z)|[\[({})]|[\w-]+\s*\(\))|.*<<",
    re.DOTALL,
)
# What a shell reads as a whole within a line; and a comment.
_WHOLE = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|(?<!\S)#.*""")
_TO_DOUBLE, _TO_SINGLE = re.compile(r'(?:\\.|[^"\\])*"'), re.compile("[^']*'")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?![0-9A-Fa-f]{4})")
_PROPERTY = re.compile(r"\s*((?:\\.|[^\s=:\\])+)")
_PROPERTY_DOCUMENT = re.compile(r"\s*[#!]---\s*")  # of Spring Boot: each has keys of its own
_NO_NUMBER = re.compile(r'"(?:\\.|[^"\\])*"|(-?Infinity|NaN)', re.DOTALL)
# Files whose programs take comments, and a comma after the last value.
_COMMENTED = re.compile(r"(?:appsettings|tsconfig|jsconfig|devcontainer)(?:\..+)?\.json", re.DOTALL)
# A string that nothing ends goes on to the end: looked at but once, however many quotes are in it.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*(?:"|\\?\Z))|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*(?:"|\\?\Z))|,(?=\s*[}\]])', re.DOTALL)

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
        line = normal(value[: error.start].decode()).count("\n") + 1
        return Flaw(key, form, line, "holds bytes that are not UTF-8", broken=True)
    text = normal(text)
    if _COMMENTED.fullmatch(key.lower()):
        text = _without_comments(text)
    found = _CHECKS[form](text)
    return Flaw(key, form, found[0], found[1], broken=form in ("JSON", "YAML")) if found else None


def _json(text: str) -> tuple[int, str] | None:
    if text.startswith("\ufeff"):
        return 1, "begins with a byte order mark, which most programs refuse"
    try:
        # Numbers may have any length, and need not become any.
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return error.lineno, f"{error.msg} (column {error.colno})"
    except RecursionError:
        return 1, "is nested deeper than most programs read"
    except _NoNumberError as error:
        at = next((found.start() for found in _NO_NUMBER.finditer(text) if found[1]), 0)
        return text.count("\n", 0, at) + 1, f"{error} is not a JSON number"
    return None


class _NoNumberError(Exception):
    """A word that stands for a number elsewhere."""


def _no_constant(word: str) -> NoReturn:
    raise _NoNumberError(word)


def _without_comments(text: str) -> str:
    """The text with space in their place, each line where it was."""
    text = _COMMENT.sub(
        lambda found: found[1] or "\n" * found[0].count("\n") or " ", text.removeprefix("\ufeff")
    )
    return _LAST_COMMA.sub(lambda found: found[1] or " ", text)


def _yaml(text: str) -> tuple[int, str] | None:
    # Events only: nothing is built, so an alias that stands for millions of values costs nothing.
    if text.count("\n%") > MAX_DIRECTIVES and len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        return 1, f"has more than {MAX_DIRECTIVES} directives"
    text = text.removeprefix("\ufeff")
    depth = 0
    try:
        for event in islice(events(text), MAX_EVENTS):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    line = Lines(text).of(event.start_mark)
                    return line, f"is nested deeper than {MAX_DEPTH} levels, which few programs read"
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        if allows_tab(text, error):
            return None  # what follows cannot be read here
        line = Lines(text).of(error.problem_mark or error.context_mark)
        return line or 1, error.problem or "cannot be read"
    except yaml.reader.ReaderError as error:
        return line_of_letter(text, error), "holds a character that YAML does not allow"
    except yaml.YAMLError:
        return 1, "cannot be read"
    return None


_DIRECTIVE = re.compile(r"^%[A-Z]+ ", re.MULTILINE)


def _properties(text: str) -> tuple[int, str] | None:
    seen: dict[str, int] = {}
    going_on = False
    for number, line in enumerate(text.split("\n"), start=1):
        if not going_on and (not line.strip() or line.lstrip()[0] in "#!"):
            if _PROPERTY_DOCUMENT.fullmatch(line):
                seen.clear()
            continue
        if _BAD_ESCAPE.search(line):
            return number, r"has a \u without four hexadecimal digits after it"
        if not going_on and (match := _PROPERTY.match(line)):
            if match[1] in seen:
                return number, _again(match[1], seen)
            seen[match[1]] = number
        going_on = _goes_on(line)
    return None


def _again(name: str, seen: Mapping[str, int]) -> str:
    return f"sets {name} again, as line {seen[name]} does: the last one counts"


def _goes_on(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _env(text: str) -> tuple[int, str] | None:
    seen: dict[str, int] = {}
    quote, opened = "", 0  # of a value that begins with it
    held = ""  # the quote, or the line end, that a shell would not have reached the end of
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        inside, held = held, _held(line, held)
        if quote:
            quote = "" if _closes(line, quote) else quote
            continue
        words = line.strip()
        if inside or not words or words.startswith("#"):
            continue
        if _SCRIPT.match(words) or words.count("$(") > words.count(")") or words.count("`") % 2:
            return None
        match = _ENV_LINE.fullmatch(words)
        if match is None:
            if words.startswith("unset "):
                for name in words.split()[1:]:
                    seen.pop(name, None)
            elif not _COMMAND.match(words) and not _ENV_NAME.fullmatch(words):
                return number, "is not NAME=value"
            continue
        name, sign, value = match[1], match[2], match[3].strip()
        if name in seen and sign != "+=" and not re.search(rf"\$\{{?{re.escape(name)}\b", value):
            return number, _again(name, seen)
        seen[name] = number
        if value[:1] in ("'", '"') and not _closes(value[1:], value[0]):
            quote, opened = value[0], number
    return (opened, "opens a quote that nothing closes") if quote else None


def _held(line: str, before: str) -> str:
    """What a shell reads on for after a line: the quote that is open, a backslash for the line that goes on, or ""."""
    if before in ("'", '"'):
        end = (_TO_DOUBLE if before == '"' else _TO_SINGLE).match(line)
        if end is None:
            return before
        line = line[end.end() :]
    rest = _WHOLE.sub("", line)
    found = re.search("['\"]", rest)
    return found[0] if found else "\\" if _goes_on(rest) else ""


def _closes(text: str, quote: str) -> bool:
    return quote in (_ESCAPED.sub("", text) if quote == '"' else text)


_CHECKS: dict[Format, Callable[[str], tuple[int, str] | None]] = {
    "JSON": _json, "YAML": _yaml, ".properties": _properties, ".env": _env,
}  # fmt: skip
