"""Editing as YAML in the browser: an error at its line, what was typed stays, preview, apply, undo."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")


def test_an_error_leads_to_its_line_and_what_is_right_is_applied_and_undone(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    page.locator("#act-edit").click()
    text = page.locator("#yaml")
    expect(text).to_have_value(re.compile(r"replicas: 1\n"))
    wrong = text.input_value().replace("replicas: 1\n", "replicas: many\n")
    text.fill(wrong)
    page.locator("button[value=preview]").click()
    line = page.locator("#preview [data-line]")
    expect(line).to_have_count(1)
    expect(page.locator("[data-apply]")).to_have_count(0)
    line.click()
    chosen = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert text.evaluate(chosen) == "  replicas: many"
    expect(text).to_have_value(wrong)
    text.fill(wrong.replace("replicas: many", "replicas: 2"))
    page.locator("button[value=preview]").click()
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Update web")
    assert objects.replicas("web") == 1, "a preview writes nothing"
    apply.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    assert objects.replicas("web") == 2
    page.get_by_role("link", name="Undo").click()
    undo = page.locator("[data-apply]")
    expect(undo).to_be_visible()
    undo.click()
    expect(page.locator("#change-progress")).to_be_visible()
    assert objects.replicas("web") == 1
