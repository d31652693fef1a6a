"""Replacing an immutable Secret in the browser, by keyboard alone: typed, previewed, followed, undone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects
from .test_rotate import OLD, Shop, tab_to

pytestmark = pytest.mark.usefixtures("changes_allowed")
NEW = "a-new-value-for-the-shop"


def named(shop: Shop) -> str:
    """The Secret that the workload takes its password from."""
    found: dict[str, Any] = shop.api.get(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/web")
    source = found["spec"]["template"]["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    return str(source["name"])


def test_an_immutable_secret_is_replaced_and_that_is_undone_by_keyboard_alone(
    page: Page, objects: Objects
) -> None:
    shop = Shop(objects)
    shop.workload("web")
    shop.api.patch(f"{shop.secrets}/database", {"immutable": True})
    page.goto(shop.page)
    tab_to(page, "#act-replace")
    page.keyboard.press("Enter")
    value = page.locator('[data-one="value.password"] textarea')
    expect(value).to_be_visible()
    tab_to(page, "#new_name")
    page.keyboard.press("Control+a")
    page.keyboard.type("database-2")
    tab_to(page, '[data-one="value.password"] textarea')
    page.keyboard.type(NEW)
    apply = page.locator("[data-apply]")
    expect(apply).to_be_visible()
    expect(page.locator("#preview")).to_contain_text("Deployment web")
    expect(value).to_have_value(NEW)  # it stays beside the preview
    assert NEW not in page.locator("#preview").inner_html()
    tab_to(page, "[data-apply]")
    page.keyboard.press("Enter")
    progress = page.locator("#operation-progress h2")
    expect(progress).to_contain_text(re.compile("database.* is replaced|is done"), timeout=120_000)
    assert named(shop) == "database-2" and shop.value() == OLD
    tab_to(page, "#act-back")
    page.keyboard.press("Enter")
    expect(apply).to_be_visible()
    tab_to(page, "[data-apply]")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(re.compile("Undo|Restore"))
    expect(page.locator("#operation-progress .st.done").first).to_be_visible(timeout=120_000)
    assert named(shop) == "database"


def test_what_is_refused_keeps_what_was_typed_beside_its_input(page: Page, objects: Objects) -> None:
    shop = Shop(objects)
    shop.api.patch(f"{shop.secrets}/database", {"immutable": True})
    page.goto(f"{shop.page}replace/")
    value = page.locator('[data-one="value.password"] textarea')
    page.locator("#new_name").fill("database")
    value.fill(NEW)
    page.locator("button[value=preview]").click()
    expect(page.locator("#new_name")).to_have_attribute("aria-invalid", "true")
    expect(value).to_have_value(NEW)
