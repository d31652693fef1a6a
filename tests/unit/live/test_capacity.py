"""The heat map of nodes and metrics: the very figures of its table."""

from __future__ import annotations

from typing import Any

from dashboard.live.screens.capacity import HEAT, heat_chart


def row(name: str, *percents: int) -> dict[str, Any]:
    cells = [{"percent": percent, "amount": f"{percent} of it"} for percent in percents]
    return {"name": name, "cells": cells}


def test_a_column_is_a_trace_and_what_is_not_known_is_no_nought() -> None:
    chart = heat_chart([row("b", 95, 50, -1, 0, 1, 2), row("a", 10, 11, 12, 13, 14, 15)])
    assert chart.data["names"] == ["b", "a"]
    assert [trace["name"] for trace in chart.data["traces"]] == [title for _, title, _, _ in HEAT]
    assert [trace["y"] for trace in chart.data["traces"]][:4] == [[95, 10], [50, 11], [None, 12], [0, 13]]
    assert chart.data["full"] == 90


def test_the_chart_is_new_when_a_figure_is() -> None:
    assert heat_chart([row("a", *range(6))]).hash == heat_chart([row("a", *range(6))]).hash
    assert heat_chart([row("a", *range(6))]).hash != heat_chart([row("a", *range(1, 7))]).hash
