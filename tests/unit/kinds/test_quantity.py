"""Quantities: parsed exactly, written as Kubernetes writes them. Expected values come from resource.ParseQuantity."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard.kinds.quantity import QuantityError, canonical, format_quantity, parse


@pytest.mark.parametrize(
    ("text", "amount", "form"),
    [
        ("0", "0", "0"),
        ("0Gi", "0", "0"),
        ("1", "1", "1"),
        ("1.5", "1.5", "1500m"),
        ("0.5Gi", "536870912", "512Mi"),
        ("1.5Gi", "1610612736", "1536Mi"),
        ("1024Mi", "1073741824", "1Gi"),
        ("1000", "1000", "1k"),
        ("1023Ki", "1047552", "1023Ki"),
        ("1.1Ki", "1126.4", "1126400m"),
        ("0.5Ki", "512", "512"),
        ("100m", "0.1", "100m"),
        ("1000m", "1", "1"),
        ("250u", "0.00025", "250u"),
        ("0.1n", "1e-9", "1n"),
        ("-0.1n", "-1e-9", "-1n"),
        ("12e6", "12000000", "12e6"),
        ("1200e3", "1200000", "1200e3"),
        ("1E", "1e18", "1E"),
        ("1E3", "1000", "1e3"),
        ("1e-1", "0.1", "100e-3"),
        (".5", "0.5", "500m"),
        ("5.", "5", "5"),
        ("+5", "5", "5"),
        ("-1.5Gi", "-1610612736", "-1536Mi"),
        ("16Ei", "9223372036854775807", "9223372036854775807"),
        (
            "18446744073709551616.123456789",
            "18446744073709551616.123456789",
            "18446744073709551616123456789n",
        ),
    ],
)
def test_parse_and_canonical_form(text: str, amount: str, form: str) -> None:
    assert parse(text) == Decimal(amount)
    assert canonical(text) == form
    assert parse(form) == parse(text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "one", "1.2.3", "1KiB", "1K", "1mi", "1e", "1e1000", "--1", "."]
)
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(QuantityError, match="is not a quantity"):
        parse(text)


def test_small_binary_amounts_are_written_plainly() -> None:
    assert format_quantity(Decimal(1000), "BinarySI") == "1k"
    assert format_quantity(Decimal(1025), "BinarySI") == "1025"
    assert format_quantity(Decimal(2048), "BinarySI") == "2Ki"


@pytest.mark.parametrize("text", ["1" * 200_000, "1" * 200_000 + "x", "9" * 400, "1." + "0" * 400 + "Mi"])
def test_what_is_longer_than_any_amount_is_none(text: str) -> None:
    with pytest.raises(QuantityError) as error:
        parse(text)
    assert len(str(error.value)) < 300
