"""Scripts that come later, and one that is lost on the way."""

from __future__ import annotations

import re

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


@pytest.mark.usefixtures("changes_allowed")
@pytest.mark.parametrize("script", ["app", "secrets"])
def test_what_is_done_before_a_script_has_come_is_done_once_it_is_there(
    page: Page, objects: Objects, namespace: str, script: str
) -> None:
    keys = {f"key-{n:03}": "only-for-this-test" for n in range(300)}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "many"}, "stringData": keys}
    objects.api.post(f"/api/v1/namespaces/{namespace}/secrets", body)
    held: list[Route] = []
    address = re.compile(rf"/static/js/{script}(\.\w+)?\.js$")  # what a page names has a hash in its name
    page.route(address, lambda route: held.append(route))
    with page.expect_request(address):
        page.goto(f"/c/tests/secrets/{namespace}/many/rotate/", wait_until="commit")
    shown = page.locator(".keys-n b").first
    first = shown.inner_text()
    page.locator("#value").fill("typed-early")
    page.get_by_role("button", name="Next keys").click()
    page.get_by_role("button", name="Show", exact=True).click()
    held[0].continue_()
    expect(shown).not_to_have_text(first)
    expect(page.locator("#value")).to_have_value("typed-early")
    expect(page.get_by_role("button", name="Hide", exact=True)).to_be_visible()
