"""Why a change is made, and where the object's name is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.confirmation import MAX_REASON, is_production, read_reason, require_reason, why_confirm
from dashboard.actions.delete import DELETE
from dashboard.actions.drain import DRAIN
from dashboard.actions.problems import BadReason, Unreasoned
from dashboard.actions.scale import SCALE

LONE: dict[str, Any] = {"metadata": {"name": "web"}}
KEPT: dict[str, Any] = {"metadata": {"name": "web", "ownerReferences": [{"controller": True}]}}


@pytest.mark.parametrize(
    ("named", "context", "is_it"),
    [
        ([], "prod", False),
        (["prod"], "prod", True),
        (["prod"], "prod-eu", False),
        (["prod-*", "live"], "prod-eu", True),
        (["prod-*", "live"], "live", True),
        (["Prod"], "prod", False),
        (["arn:aws:eks:*:cluster/live"], "arn:aws:eks:eu-1:12:cluster/live", True),
        (["team~2Flive"], "team/live", True),
        (["odd[1]"], "odd[1]", True),
    ],
)
def test_a_production_context_is_named_or_matched(
    named: list[str], context: str, is_it: bool, settings: Any
) -> None:
    settings.CLUSTER_UI_PRODUCTION = named
    assert is_production(context) is is_it


def test_a_reason_is_one_line_of_a_bounded_length() -> None:
    assert read_reason("  new\r\n certificate\0 ") == "new certificate"
    assert read_reason("x" * MAX_REASON) == "x" * MAX_REASON
    with pytest.raises(BadReason, match="501 characters") as error:
        read_reason("x" * (MAX_REASON + 1))
    assert (error.value.status, error.value.field) == (422, "reason")


def test_a_name_is_asked_for_where_nothing_comes_back_and_in_production(settings: Any) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["prod"]
    assert why_confirm(SCALE, "dev", KEPT) == why_confirm(DELETE, "dev", KEPT) == ""
    assert why_confirm(DELETE, "dev", LONE) == "this can't be undone"
    assert why_confirm(SCALE, "prod", KEPT) == "prod is a production context"


def test_a_reason_is_asked_for_in_production_alone(settings: Any) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["prod"]
    require_reason("dev", "")
    require_reason("prod", "it is full")
    with pytest.raises(Unreasoned, match="prod is a production context") as error:
        require_reason("prod", read_reason(" \n"))
    assert (error.value.status, error.value.field) == (422, "reason")


def test_a_drain_that_may_lose_something_asks_for_the_name() -> None:
    for option in ("delete_emptydir", "force"):
        assert DRAIN.on(DRAIN.read({option: "true"})).confirmed(LONE)
    assert not DRAIN.on(DRAIN.read({"grace": "0"})).confirmed(LONE)
