"""What a rule of the cluster quotes of a Secret is taken out of what it said, however it is spelled."""

from __future__ import annotations

import base64
import json

import pytest

from dashboard.errors import Invalid
from dashboard.kube.hiding import CUT_AT, MAX_PARTS, hide_values

ACCOUNT = {"username": "mara", "password": 'p"ä ss&1', "auth": "bWFyYTpwYXNz"}
CONFIG = {"auths": {"registry.example.com": ACCOUNT}, "more": [{"token": "t0k3n"}, 7, None, "abc"]}


def said(value: str, message: str) -> str:
    error = Invalid(message)
    hide_values(error, [base64.b64encode(value.encode()).decode()])
    return error.message


@pytest.mark.parametrize(
    "quoted",
    [
        'p"ä ss&1', 'p\\"ä ss&1', 'p\\"\\u00e4 ss&1', "p%22%C3%A4%20ss%261", "p&quot;ä ss&amp;1",
        base64.b64encode('p"ä ss&1'.encode()).decode(), "bWFyYTpwYXNz", "mara", "t0k3n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_string_of_a_value_that_is_json_is_hidden(quoted: str, ascii_only: bool) -> None:
    value = json.dumps(CONFIG, ensure_ascii=ascii_only)
    assert said(value, f"denied: {quoted} is weak") == "denied: (hidden) is weak"


def test_what_no_value_is_stays() -> None:
    message = "auths of registry.example.com need a longer password than abc, and more"
    assert said(json.dumps(CONFIG), message) == message


@pytest.mark.parametrize("value", ['["swordfish"]', "{swordfish", '{"a":' * 100_000, "sword\nfish"])
def test_a_value_that_is_no_json_object_is_hidden_whole(value: str) -> None:
    assert said(value, f"denied: {value}!") == "denied: (hidden)!"


def test_the_strings_of_a_large_value_are_bounded() -> None:
    value = json.dumps({str(at): f"word-{at:05}" for at in range(3 * MAX_PARTS)})
    found = said(value, " ".join(f"word-{at:05}" for at in range(3 * MAX_PARTS)))
    assert found.count("(hidden)") == MAX_PARTS


@pytest.mark.parametrize("shown", [3, 4, 9, 29, 30])
def test_the_beginning_of_a_value_at_the_end_of_what_was_cut_off_is_hidden(shown: int) -> None:
    value = "swordfish-swordfish-swordfish!"
    before = "sword swordfish-swordfish-sword " + "x" * CUT_AT
    found = said(value, before + value[:shown])
    assert found == before + ("(hidden)" if shown > 3 else value[:shown])
