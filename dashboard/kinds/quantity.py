"""Kubernetes quantities (``100m``, ``1536Mi``, ``12e6``), exactly: no float is ever involved.

Rules: k8s.io/apimachinery/pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

Form = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_SYNTAX = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d+))")
# No amount takes more, and to find out that a text of 20,000 digits is none took 40 seconds.
MAX_LETTERS = 100
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_EXPONENTS = {suffix: exponent for exponent, suffix in _DECIMAL.items()}
_EXACT = Context(prec=400)
_NANO = Decimal("1e-9")
_LARGEST = Decimal(2**63 - 1)


class QuantityError(ValueError):
    """The text is not a quantity."""


class Quantity(NamedTuple):
    """An exact amount and the family of suffixes it was written with."""

    value: Decimal
    form: Form

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix of the family that keeps it exact."""
        return format_quantity(self.value, self.form)


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Quantity:
    """The quantity a text stands for; amounts finer than a billionth are rounded up. Raises QuantityError."""
    match = _SYNTAX.fullmatch(text) if len(text) <= MAX_LETTERS else None
    if match is None:
        raise QuantityError(
            f"{text[:MAX_LETTERS]!r} is not a quantity: a number such as 250m, 1.5, 512Mi or 2G is expected"
        )
    sign, number, binary, decimal, exponent = match.groups()
    amount = Decimal(number)
    form: Form = "DecimalSI"
    if binary:
        form = "BinarySI"
        amount = min(_EXACT.multiply(amount, Decimal(1024 ** _BINARY.index(binary))), _LARGEST)
    elif exponent is not None:
        form = "DecimalExponent"
        if abs(int(exponent)) > 100:
            raise QuantityError(f"{text!r} is not a quantity: its exponent is out of range")
        amount = amount.scaleb(int(exponent), _EXACT)
    else:
        amount = amount.scaleb(_EXPONENTS[decimal], _EXACT)
    amount = _round_up(amount)
    return Quantity(amount.copy_negate() if sign == "-" else amount, form)


def parse(text: str) -> Decimal:
    """The exact amount: cores for CPU, bytes for memory and storage. Raises QuantityError."""
    return parse_quantity(text).value


def canonical(text: str) -> str:
    """The text as the API server would write it: ``1.5`` → ``1500m``, ``1.5Gi`` → ``1536Mi``."""
    return str(parse_quantity(text))


def format_quantity(value: Decimal, form: Form = "DecimalSI") -> str:
    """An amount in its canonical form."""
    if value == 0:
        return "0"
    if form == "BinarySI" and abs(value) >= 1024 and value == value.to_integral_value():
        return _binary(int(value))
    sign = "-" if value < 0 else ""
    mantissa, exponent = int(_round_up(value.copy_abs()).scaleb(9, _EXACT)), -9
    while mantissa % 1000 == 0 and (exponent < 18 or form == "DecimalExponent"):
        mantissa //= 1000
        exponent += 3
    if form == "DecimalExponent":
        return f"{sign}{mantissa}e{exponent}" if exponent else f"{sign}{mantissa}"
    return f"{sign}{mantissa}{_DECIMAL[exponent]}"


def format_bytes(count: int) -> str:
    """An amount of bytes as people read it, in the largest binary unit: ``512 B``, ``1.5 GiB``, ``10 GiB``."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if amount < 1023.5:  # else it would be written as 1024
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.3g} {unit}" if amount < 999.5 else f"{amount:.0f} {unit}"


def _binary(whole: int) -> str:
    power = 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole //= 1024
        power += 1
    return f"{whole}{_BINARY[power]}"


def _round_up(amount: Decimal) -> Decimal:
    return amount.quantize(_NANO, ROUND_UP, _EXACT)
