"""Scripts that come later, and one that is lost on the way."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Objects


@pytest.mark.parametrize(
    ("script", "path", "brought"),
    [
        ("still.js", "pods/?namespace={ns}", "#rows tr[data-name=alone]"),
        ("charts.js", "capacity/", "[data-chart] .main-svg"),
        ("logs.js", "pods/{ns}/alone/logs/", "[data-log] .log-lines, [data-log]"),
    ],
)
def test_a_script_that_is_lost_on_the_way_is_asked_for_again(
    page: Page, objects: Objects, namespace: str, script: str, path: str, brought: str
) -> None:
    asked: list[str] = []

    def lose_the_first(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.fallback()

    objects.pod("alone")
    page.route(f"**/static/js/{script}", lose_the_first)
    with page.expect_response(lambda answer: answer.url.endswith(f"/{script}")) as came:
        page.goto("/c/tests/" + path.format(ns=namespace))
    assert came.value.ok
    assert len(asked) == 2
    expect(page.locator(brought).first).to_be_visible()
