"""What is typed into the forms of new objects: each reader takes a text that is not empty, and raises BadInput.

Rules: kubernetes.io, Object Names and IDs, Labels and Selectors; k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from dashboard.actions.fields import size, whole_number
from dashboard.errors import BadInput
from dashboard.kinds.quantity import QuantityError, parse

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]*[a-z0-9])?")
MAX_PORT = 65_535


def label_name(typed: str) -> str:
    """A name that is one part of a host name: of Services and Namespaces."""
    text = _short(typed, 63)
    if not _LABEL.fullmatch(text):
        raise BadInput("Use lower-case letters, digits and hyphens; begin and end with a letter or digit.")
    return text


def service_name(typed: str) -> str:
    """The same, beginning with a letter, as API servers before 1.34 ask it of Services."""
    text = label_name(typed)
    if not text[0].isalpha():
        raise BadInput("The name of a Service begins with a letter.")
    return text


def subdomain(typed: str) -> str:
    """A name of most objects: parts of a host name, with dots between them."""
    text = _short(typed, 253)
    if not _SUBDOMAIN.fullmatch(text):
        raise BadInput(
            "Use lower-case letters, digits, hyphens and dots; begin and end with a letter or digit."
        )
    return text


def host(typed: str) -> str:
    """A host name, of which the first part may be ``*``."""
    text = _short(typed, 253)
    if not _SUBDOMAIN.fullmatch(text.removeprefix("*.")):
        raise BadInput("Enter a host name such as shop.example.com, or *.example.com for all below it.")
    return text


def label_key(typed: str) -> str:
    """The key of a label: a name, or a host name, a slash and a name."""
    prefix, slash, name = typed.strip().rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        raise BadInput("What stands before the slash is a host name, such as app.kubernetes.io.")
    if not _QUALIFIED.fullmatch(_short(name, 63)):
        raise BadInput("A key has letters, digits, and “-”, “_”, “.” between them.")
    return typed.strip()


def label_value(typed: str) -> str:
    text = _short(typed, 63)
    if text and not _QUALIFIED.fullmatch(text):
        raise BadInput("A value has letters, digits, and “-”, “_”, “.” between them.")
    return text


def number(what: str, least: int, most: int, said: str = "") -> Callable[[str], int]:
    """Reads a whole number from ``least`` to ``most``; ``what`` it is begins the sentence that refuses another one, or
    ``said`` does.
    """
    digits = whole_number("", what, most, said=said)

    def read(typed: str) -> int:
        found = digits(typed)
        if found < least:
            raise BadInput(said or f"{what[:1].upper()}{what[1:]} are numbers from {least} to {most:,}.")
        return found

    return read


port = number("ports", 1, MAX_PORT, said=f"A port is a number from 1 to {MAX_PORT}.")


def port_or_name(typed: str) -> int | str:
    """A port's number, or the name that containers give it."""
    text = typed.strip()
    return port(text) if text.isdigit() else port_name(text)


def port_name(typed: str) -> str:
    text = _short(typed, 15)
    if not _PORT_NAME.fullmatch(text):
        raise BadInput("The name of a port has lower-case letters, digits and single hyphens, at most 15.")
    return text


def share(what: str) -> Callable[[str], int | str]:
    """Reads a number of ``what``, or a percentage of all."""
    digits = number(what, 0, 1_000_000)

    def read(typed: str) -> int | str:
        text = typed.strip()
        if not text.endswith("%"):
            return digits(text)
        if len(text) > 4 or not (text[:-1].isascii() and text[:-1].isdigit()) or int(text[:-1]) > 100:
            raise BadInput("A percentage is a number from 0% to 100%.")
        return f"{int(text[:-1])}%"

    return read


def amount(example: str) -> Callable[[str], str]:
    """Reads a quantity of CPU or memory, and keeps it as it is written."""

    def read(typed: str) -> str:
        text = _short(typed, 100)
        try:
            found = parse(text)
        except QuantityError:
            raise BadInput(f"“{text[:20]}” is not a quantity: write {example}.") from None
        if found < 0:
            raise BadInput("It can't be negative.")
        return text

    return read


storage = size("")


def _short(typed: str, most: int) -> str:
    text = typed.strip()
    if len(text) > most:
        raise BadInput(f"It has {len(text)} characters; at most {most} are allowed.")
    return text


def counted(items: Iterable[str], most: int = 50) -> list[str]:
    """Suggestions, each once, as many as a browser's list should hold."""
    return list(dict.fromkeys(items))[:most]
