"""Label selectors: the grammar of ``kubectl -l`` and the LabelSelector of specs, as matchers over labels.

Rules: k8s.io/apimachinery/pkg/labels/selector.go. A selector prints as Kubernetes prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from .meta import Struct

Operator = Literal["=", "==", "!=", "in", "notin", "exists", "!", ">", "<"]

_OPERATORS: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+)")
MAX_LETTERS, MAX_REQUIREMENTS = 1_000, 30  # of a text: each is asked of each row
_INTEGER = re.compile(r"[+-]?[0-9]+")


class SelectorError(ValueError):
    """The text is not a label selector; the message says where and why."""


class Requirement(NamedTuple):
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil it. A missing label fulfils ``!=``, ``notin`` and ``!``."""
        value = labels.get(self.key)
        if self.operator in ("=", "==", "in"):
            return value in self.values
        if self.operator in ("!=", "notin"):
            return value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        return int(value) > int(self.values[0]) if self.operator == ">" else int(value) < int(self.values[0])

    def __str__(self) -> str:
        if self.operator in ("exists", "!"):
            return f"!{self.key}" if self.operator == "!" else self.key
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.key}{self.operator}{self.values[0]}"


class Selector(NamedTuple):
    """Requirements that must all hold; none at all holds for everything, unless ``nothing``."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil every requirement."""
        return not self.nothing and all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


NOTHING = Selector(nothing=True)


class LabelSelectorRequirement(Struct, frozen=True, gc=False):
    """One entry of matchExpressions."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class LabelSelector(Struct, frozen=True, gc=False):
    """The selector of Deployments, ReplicaSets, budgets and the like."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """A matcher for a plain map of labels, as Services have it; an empty map selects nothing there."""
    if not labels:
        return NOTHING
    return _sorted(Requirement(key, "=", (value,)) for key, value in labels.items())


def from_label_selector(selector: LabelSelector | None) -> Selector:
    """A matcher for a LabelSelector: none selects nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    labels = [Requirement(key, "=", (value,)) for key, value in (selector.match_labels or {}).items()]
    return _sorted(iter([*labels, *map(_expression, selector.match_expressions or ())]))


def parse(text: str) -> Selector:
    """A matcher for the grammar of ``kubectl -l``, such as ``app=web,tier in (a,b),!canary``.

    An empty text selects everything. Raises SelectorError.
    """
    if len(text) > MAX_LETTERS:
        raise SelectorError(_too_long(text))
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    while tokens.peek:
        if len(requirements) == MAX_REQUIREMENTS:
            raise SelectorError(f"it has more than {MAX_REQUIREMENTS} requirements")
        requirements.append(_requirement(tokens))
        if tokens.peek and tokens.take() != ",":
            raise SelectorError(
                f"{tokens.last!r} after {requirements[-1]} is not expected: a comma is missing"
            )
        if tokens.last == "," and not tokens.peek:
            raise SelectorError("a requirement is missing after the last comma")
    return _sorted(iter(requirements))


OR = " or "


def parse_any(text: str) -> tuple[Selector, ...]:
    """Matchers of which one is enough, for several selectors joined by ``or``, which kubectl does not know.

    Raises SelectorError.
    """
    if len(text) > MAX_LETTERS:
        raise SelectorError(_too_long(text))
    return tuple(parse(part) for part in re.split(r"\s+or\s+", text))


def _too_long(text: str) -> str:
    return f"it is {len(text):,} characters long: enter at most {MAX_LETTERS:,}"


def format_labels(labels: Mapping[str, str] | None) -> str:
    """``a=1,b=2``, sorted by key, or ``<none>`` (``FormatLabels``)."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def format_label_selector(
    selector: LabelSelector | None, empty: str = "<none>", invalid: str = "<error>"
) -> str:
    """The selector as the tables show it (``FormatLabelSelector``)."""
    try:
        return str(from_label_selector(selector)) or empty
    except SelectorError:
        return invalid


class _Tokens:
    """Words and symbols of a selector, one after the other; ``""`` is the end."""

    def __init__(self, text: str) -> None:
        self._words: list[str] = _TOKEN.findall(text)
        self._at = 0
        self.last = ""

    @property
    def peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self) -> str:
        self.last = self.peek
        self._at += 1
        return self.last


def _requirement(tokens: _Tokens) -> Requirement:
    negated = tokens.peek == "!"
    if negated:
        tokens.take()
    key = _check_key(tokens.take())
    if tokens.peek in ("", ","):
        return Requirement(key, "!" if negated else "exists")
    if negated:
        raise SelectorError(f"{tokens.peek!r} after !{key} is not expected: !{key} stands alone")
    word = tokens.take()
    if word in ("in", "notin"):
        return Requirement(
            key, "in" if word == "in" else "notin", tuple(sorted(set(_value_set(tokens, key))))
        )
    if word in ("=", "==", "!=", ">", "<"):
        value = "" if tokens.peek in ("", ",") else tokens.take()
        operator: Operator = word  # type: ignore[assignment]
        if word in "><" and not _INTEGER.fullmatch(value):
            raise SelectorError(f"{key}{word} needs a whole number, not {value!r}")
        return Requirement(key, operator, (_check_value(key, value),))
    raise SelectorError(
        f"{word!r} after {key} is not an operator: one of =, ==, !=, in, notin, >, < is expected"
    )


def _value_set(tokens: _Tokens, key: str) -> Iterator[str]:
    if tokens.take() != "(":
        raise SelectorError(f"values in brackets are expected after {key} in or notin, such as (a,b)")
    while True:
        yield _check_value(key, "" if tokens.peek in (",", ")") else tokens.take())
        end = tokens.take()
        if end == ")":
            return
        if not end:
            raise SelectorError(f"the values of {key} lack a closing bracket")
        if end != ",":
            raise SelectorError(f"{end!r} among the values of {key} is not expected: ',' or ')' is")


def _check_key(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not key or not _NAME.fullmatch(name) or len(name) > 63:
        raise SelectorError(
            f"{key!r} is not a label key: at most 63 letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )
    if slash and (not _PREFIX.fullmatch(prefix) or len(prefix) > 253):
        raise SelectorError(f"{key!r} is not a label key: the part before '/' must be a domain name")
    return key


def _check_value(key: str, value: str) -> str:
    if value and (not _NAME.fullmatch(value) or len(value) > 63):
        raise SelectorError(
            f"{value!r} is not a value for label {key}: at most 63 letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )
    return value


def _expression(expression: LabelSelectorRequirement) -> Requirement:
    operator = _OPERATORS.get(expression.operator)
    if operator is None:
        raise SelectorError(f"{expression.operator!r} is not an operator of a label selector")
    values = expression.values or ()
    if bool(values) != (operator in ("in", "notin")):
        problem = "takes no values" if values else "needs values"
        raise SelectorError(f"{expression.operator} of label {expression.key} {problem}")
    return Requirement(expression.key, operator, values)


def _sorted(requirements: Iterator[Requirement]) -> Selector:
    return Selector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))
