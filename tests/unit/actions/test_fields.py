"""What is typed into the forms of actions, read."""

from __future__ import annotations

import pytest

from dashboard.actions.fields import duration, flag, one_of
from dashboard.actions.newobjects.reading import port
from dashboard.errors import BadInput


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90", 90), ("90s", 90), (" 15m ", 900), ("2H", 7200), ("0", 0), ("5 m", 300), ("24h", 86_400)],
)
def test_a_duration_is_seconds_or_has_a_unit(typed: str, seconds: int) -> None:
    assert duration("timeout", 86_400)(typed) == seconds


@pytest.mark.parametrize("typed", ["", "m", "soon", "-1", "1.5m", "25h", "86401", "9" * 50 + "h", "1d"])
def test_what_is_no_duration_is_refused_with_its_field(typed: str) -> None:
    with pytest.raises(BadInput) as error:
        duration("timeout", 86_400)(typed)
    assert error.value.field == "timeout"


@pytest.mark.parametrize(
    ("typed", "yes"), [("", False), ("false", False), ("0", False), ("on", True), ("True", True), ("1", True)]
)
def test_a_box_is_ticked_or_not(typed: str, yes: bool) -> None:
    assert flag("force")(typed) is yes


def test_what_is_neither_is_refused_with_its_field() -> None:
    with pytest.raises(BadInput) as error:
        flag("force")("maybe")
    assert error.value.field == "force"


@pytest.mark.parametrize("typed", ["0", "-1", "65536", "70000", ""])
def test_a_port_is_no_count_of_ports(typed: str) -> None:
    with pytest.raises(BadInput) as error:
        port(typed)
    assert error.value.message == "A port is a number from 1 to 65535."


def test_a_choice_that_is_none_names_all_that_there_are() -> None:
    read = one_of("how", [("", "As it is"), *((each, each) for each in "abcde")])
    assert read("c") == "c"
    with pytest.raises(BadInput, match="how is 'x': choose one of a, b, c, d, e"):
        read("x")
