"""Where the inputs of a generic form stand, how wide they are, and which buttons are red."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

from dashboard.live.screens.drain import DrainScreen
from dashboard.live.screens.operation import OperationScreen
from dashboard.live.screens.rotate import RotationScreen


def form(*fields: dict[str, Any]) -> str:
    shape = {
        "label": "A field",
        "hint": "What it is for.",
        "input": "text",
        "rows": (),
        "choices": (),
        "group": "",
    }
    made = [shape | {"name": f"f{n}", "last": n == len(fields)} | each for n, each in enumerate(fields, 1)]
    return render_to_string(
        "forms/action.html", {"s": {"form": {"fields": made, "action_url": "/x/"}}, "r": {"object_now": ""}}
    )


@pytest.mark.parametrize(
    "field", [{}, {"input": "lines"}, {"rows": [{"value": "1"}]}, {"choices": [("1", "one")]}]
)
def test_the_preview_button_stands_once_below_the_last_hint(field: dict[str, Any]) -> None:
    html = form({}, field)
    assert html.count(">Preview</button>") == 1
    assert html.rindex("What it is for.") < html.index(">Preview</button>")


def test_a_stepper_has_it_beside_itself() -> None:
    html = form({"input": "number", "stepper": True})
    assert html.count(">Preview</button>") == 1
    assert html.index(">Preview</button>") < html.index("What it is for.")


def test_a_number_with_a_unit_is_no_wider_than_it_needs() -> None:
    assert 'size="12"' in form({"input": "amount"})
    assert "size=" not in form({"input": "text"})


@pytest.mark.parametrize(("screen", "red"), [(DrainScreen, False), (RotationScreen, True)])
def test_what_harms_nothing_is_not_red_where_it_failed(screen: type[OperationScreen], red: bool) -> None:
    back = {"possible": True, "title": screen.back_words, "warns": screen.back_warns}
    html = render_to_string("regions/operation_progress.html", {"state": "bad", "back": back})
    button = html[: html.index('id="act-back"')].rpartition("<a")[2]
    assert ("danger" in button) is red
