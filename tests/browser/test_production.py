"""In a production context: the stripe of its pages; and what resuming an operation asks for, beside its button, and only
while it is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tools.server import Server

from .conftest import WIDE, Objects, sign_in


@pytest.fixture(scope="module")
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


def stripe(page: Page, of: str = ".top") -> str:
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    return str(page.locator(of).first.evaluate("bar => getComputedStyle(bar).borderTop"))


def test_every_page_in_the_frame_of_the_cluster_has_the_stripe(production: Page, objects: Objects) -> None:
    page, ns = production, objects.namespace
    objects.deployment("web", 1)
    web = f"/c/tests/deployments/{ns}/web/"
    page.goto(f"/c/tests/deployments/?namespace={ns}")
    striped = stripe(page)
    assert re.match("3px solid ", striped)
    page.locator("#rows th a").click()  # into the same frame
    page.wait_for_url(f"**{web}")
    assert stripe(page) == striped
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    for path in ("/c/tests/", f"{web}yaml/", f"{web}?at={quote(at)}", "/c/tests/create/", f"{web}nowhere/"):
        page.goto(path)
        assert stripe(page) == striped, path

    page.goto(f"{web}scale/")
    page.get_by_label("Replicas").fill("2")
    page.locator("#change button[value=preview]").first.click()
    page.get_by_label(re.compile("^Type web to confirm")).fill("web")
    page.get_by_label(re.compile("^Reason")).fill("a sale")
    assert stripe(page) == stripe(page, ".decide") == striped
    page.locator("[data-apply]").click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    assert stripe(page) == striped
    page.goto(f"{page.url}undo/")
    assert stripe(page) == striped
    # What is about all clusters stands in the frame of one.
    for path in ("/changes/", "/audit/", "/sessions/", "/people/", "/clusters/?from=tests"):
        page.goto(path)
        assert stripe(page) == striped, path
