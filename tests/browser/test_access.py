"""The way in can be seen. Who can do something is asked in words or on a page, whose form keeps what is asked."""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tools.server import Server

from .conftest import Objects

SLUG = "tests"
# What is there and stays transparent counts as visible for Playwright, and is no way in.
UNSEEN = """all => all.filter(one => one.checkVisibility() && !one.checkVisibility({opacityProperty: true}))
    .map(one => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("token", [None, "", "none"], ids=["link", "no-link", "bad-link"])
def test_the_way_in_can_be_seen(browser: Browser, server: Server, token: str | None) -> None:
    with closing(browser.new_context(base_url=server.base)) as context:
        page = context.new_page()
        page.goto(server.signin_link() if token is None else f"/login/?token={token}")
        main = page.get_by_role("main")
        expect(main.locator("button, code").first).to_be_visible()
        assert main.locator("h1, p, code, button").evaluate_all(UNSEEN) == []
        for each in main.locator("p, button").all():
            box = each.bounding_box()
            assert box is not None and box["width"] > 100, each.text_content()


def test_a_question_in_the_palette_is_answered_on_the_page(page: Page, namespace: str) -> None:
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    page.keyboard.type(f"who can delete pods in {namespace}")
    expect(page.locator("#palette [role=option]").first).to_have_text(
        re.compile(rf"Who can delete pods in {namespace}\?")
    )
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/access/\?verb=delete&resource=pods&in={namespace}$"))
    answer = page.locator("#access-who")
    expect(answer).to_contain_text(f"can delete pods in namespace {namespace}")
    expect(answer.get_by_role("link", name="cluster-admin").first).to_be_visible()
    assert page.get_by_label("Verb").input_value() == "delete"
    page.get_by_label("Resource, or an address such as /metrics").fill("secrets")
    page.get_by_role("button", name="Check").click()
    expect(answer).to_contain_text(f"can delete secrets in namespace {namespace}")


def test_what_one_may_do_is_read_by_namespace_and_kind(page: Page, namespace: str) -> None:
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("can i")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Permissions")).to_be_visible()
    page.goto(f"/c/{SLUG}/access/?namespace={namespace}")
    table = page.get_by_role("table", name=f"What you may do in namespace {namespace}")
    expect(table.get_by_role("row").nth(1)).to_contain_text("Pods")
    expect(table.get_by_role("link", name="Nodes")).to_have_count(0)
    table.get_by_role("link", name="Deployments").click()
    expect(page.locator("#access-kind")).to_contain_text("Scale Deployments: yes")


def test_an_objects_page_leads_to_what_one_may_do_with_it(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    page.locator("#act-access").click()
    expect(page.locator("#access-kind")).to_contain_text("Deployments")
    expect(page.locator("#access-who")).to_contain_text(
        f"can patch deployments named web in namespace {namespace}"
    )
