"""In a production context: what resuming an operation asks for, beside its button, and only while it is stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tools.server import Server

from .conftest import WIDE, Objects, sign_in


@pytest.fixture
def production(
    browser: Browser, cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A dashboard of its own, for which the tests' cluster is production and may be changed."""
    home = tmp_path_factory.mktemp("production") / "home"
    with (
        Server(home, cluster.kubeconfig, CLUSTER_UI_PRODUCTION="tests") as server,
        closing(
            browser.new_context(base_url=server.base, viewport=WIDE, storage_state=sign_in(browser, server))
        ) as context,
    ):
        page = context.new_page()
        page.goto("/clusters/")
        page.get_by_role("button", name=re.compile("Allow changes")).click()
        expect(page.get_by_role("button", name=re.compile("Allow changes"))).to_have_count(0)
        yield page


def test_resuming_asks_for_the_number_and_a_reason(production: Page, objects: Objects) -> None:
    page, ns = production, objects.namespace
    for name in ("one", "two", "three"):
        objects.deployment(name, 1, image="example/never:1")
    chosen = "&".join(f"object={ns}/{name}" for name in ("one", "two", "three"))
    page.goto(f"/c/tests/bulk/deployments/scale/?{chosen}&order=one-at-a-time")
    page.get_by_label("Replicas").fill("40")
    page.get_by_label("One at a time").check()
    page.locator("#change button[value=preview]").first.click()
    page.get_by_label(re.compile("^Type 3 to confirm")).fill("3")
    page.get_by_label(re.compile("^Reason")).fill("a sale")
    page.locator("[data-apply]").click()
    page.wait_for_url(re.compile("/follow/"))
    number = page.get_by_label(re.compile("^Type 3 to confirm"))
    expect(page.locator("#act-stop")).to_be_visible()
    expect(number).to_be_hidden()
    page.locator("#act-stop").click()
    expect(page.locator("#act-resume")).to_be_visible()
    expect(number).to_be_visible()
    page.locator("#act-resume").click()
    expect(page.get_by_text("Type 3: tests is a production context.")).to_be_visible()
    number.fill("3")
    page.get_by_label(re.compile("^Reason")).fill("it is quiet now")
    page.locator("#act-resume").click()
    expect(page.locator("#act-stop")).to_be_visible()
