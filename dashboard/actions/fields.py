"""What forms of actions ask for, read: each reader raises BadInput with its field's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dashboard.errors import BadInput
from dashboard.kinds.quantity import QuantityError, parse_quantity


def whole_number(field: str, what: str, most: int, *, why: str = "", said: str = "") -> Callable[[str], int]:
    """Reads a number from 0 to ``most`` of ``what``: plain digits, with spaces around them. ``why`` ends the sentence
    that refuses a larger one; ``said`` is what refuses every other number, where what it is can't be counted.
    """

    def read(typed: str) -> int:
        text = typed.strip()
        if not text:
            raise BadInput(said or f"Enter a number of {what}.", field=field)
        if text.startswith("-") and text[1:].isascii() and text[1:].isdigit():
            raise BadInput(said or f"There can't be fewer than 0 {what}.", field=field)
        if not (text.isascii() and text.isdigit()):
            raise BadInput(f"“{text[:20]}” is not a whole number: enter digits only.", field=field)
        # Compared by length first: turning a million digits into a number takes minutes.
        digits = text.lstrip("0") or "0"
        if len(digits) > len(str(most)) or int(digits) > most:
            raise BadInput(said or f"At most {most:,} {what} can be set here{why}.", field=field)
        return int(digits)

    return read


# Kubernetes itself takes up to 2,147,483,647. No workload is meant to be larger than this (a whole cluster is
# tested to 150,000 pods), a typed zero too many is: and the API server would start to make them all.
MAX_REPLICAS = 10_000
replicas = whole_number("replicas", "replicas", MAX_REPLICAS, why=", to catch a digit too many")


def not_one_of(field: str, typed: str, values: Iterable[str]) -> str:
    """A choice that is none, and all that there are."""
    return f"{field} is {typed[:20]!r}: choose one of {', '.join(filter(None, values))}."


def one_of(field: str, choices: Sequence[tuple[str, str]]) -> Callable[[str], str]:
    """Reads one of the choices, each a value and its words; the first where nothing was sent."""
    values = [value for value, _ in choices]

    def read(typed: str) -> str:
        if typed and typed not in values:
            raise BadInput(not_one_of(field, typed, values), field=field)
        return typed or values[0]

    return read


def size(field: str) -> Callable[[str], str]:
    """Reads an amount of storage, as Kubernetes writes it: ``1.5Gi`` → ``1536Mi``."""

    def read(typed: str) -> str:
        text = typed.strip()
        if not text:
            raise BadInput("Enter a size, such as 10Gi.", field=field)
        try:
            amount = parse_quantity(text[:100])
        except QuantityError:
            raise BadInput(
                f"“{text[:20]}” is not a size: enter a number and its unit, such as 10Gi or 500M.",
                field=field,
            ) from None
        if amount.value < 1 or amount.value != amount.value.to_integral_value():
            raise BadInput(
                f"“{text[:20]}” is not a whole number of bytes: enter a size such as 10Gi.", field=field
            )
        return str(amount)

    return read


def flag(field: str) -> Callable[[str], bool]:
    """Reads a box that was ticked, or a script's word for it; nothing sent is no."""

    def read(typed: str) -> bool:
        text = typed.strip().lower()
        if text not in (*_YES, *_NO):
            raise BadInput(f"{field} is {typed[:20]!r}: it is true or false.", field=field)
        return text in _YES

    return read


_YES, _NO = ("1", "true", "on", "yes"), ("", "0", "false", "off", "no")
_UNITS = {"s": 1, "m": 60, "h": 3600}


def duration(field: str, most: int) -> Callable[[str], int]:
    """Reads a time from 0 to ``most`` seconds: a number of seconds, or one of seconds, minutes or hours with its unit."""
    seconds = whole_number(field, "seconds", most)

    def read(typed: str) -> int:
        text = typed.strip().lower()
        unit = _UNITS.get(text[-1:], 0)
        found = seconds(text[:-1] if unit else text) * (unit or 1)
        return seconds(str(found))

    return read


def optional(read: Callable[[str], int]) -> Callable[[str], int | None]:
    """The same for a field that may be left empty: None."""
    return lambda typed: read(typed) if typed.strip() else None
