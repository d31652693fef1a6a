"""Who can do something is asked in words, or on the page about access, and the form keeps what is asked."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"


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
