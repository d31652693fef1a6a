"""Scaling in the browser, from the first look to the undo."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import Objects

SLUG = "tests"

pytestmark = pytest.mark.usefixtures("changes_allowed")


def scale_page(namespace: str, name: str = "web") -> str:
    return f"/c/{SLUG}/deployments/{namespace}/{name}/scale/"


def test_scale_preview_apply_follow_undo_by_keyboard_alone(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    page.locator("#act-scale").focus()
    page.keyboard.press("Enter")
    number = page.locator("input[name=replicas]")
    expect(number).to_have_value("2")
    number.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("5")
    apply = page.locator("[data-apply]")
    expect(apply).to_contain_text("Scale web to 5")
    expect(page.locator("#preview")).to_contain_text("replicas: 5")
    assert objects.replicas("web") == 2, "a preview writes nothing"
    apply.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text(re.compile("5"), timeout=60_000)
    assert objects.replicas("web") == 5
    expect(page.locator("#change-progress .st.ok, #change-progress .st.done")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Undo").focus()
    page.keyboard.press("Enter")
    undo = page.locator("[data-apply]")
    expect(undo).to_be_visible()
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#change-progress")).to_be_visible()
    assert objects.replicas("web") == 2


@pytest.mark.parametrize("typed", ["-1", "", "1e3", "99999999999"])
def test_a_bad_number_is_refused_by_name_and_stays_typed(
    page: Page, objects: Objects, namespace: str, typed: str
) -> None:
    objects.deployment("web", 2)
    page.goto(scale_page(namespace))
    number = page.locator("input[name=replicas]")
    number.evaluate("(input, typed) => { input.type = 'text'; input.value = typed; }", typed)
    page.locator("button[value=preview]").evaluate(
        "button => { button.form.noValidate = true; button.click(); }"
    )
    expect(page.locator("#change")).to_contain_text(re.compile("replicas|number", re.IGNORECASE))
    expect(page.locator("[data-apply]")).to_have_count(0)
    expect(page.locator("input[name=replicas]")).to_have_value(typed)
    assert objects.replicas("web") == 2


def test_to_zero_says_which_service_stops_answering(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows [data-col=ready]").first).to_contain_text("1/1", timeout=60_000)
    page.goto(scale_page(namespace))
    page.locator("input[name=replicas]").fill("0")
    expect(page.locator("#preview")).to_contain_text("Service web")
    expect(page.locator("[data-apply].danger")).to_contain_text("Scale web to 0")


def test_two_people_who_scale_at_once_see_each_other(
    page: Page, context: BrowserContext, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    page.goto(scale_page(namespace))
    page.locator("input[name=replicas]").fill("4")
    expect(page.locator("[data-apply]")).to_contain_text("Scale web to 4")
    other = context.new_page()
    other.goto(scale_page(namespace))
    other.locator("input[name=replicas]").fill("3")
    expect(other.locator("[data-apply]")).to_contain_text("Scale web to 3")
    other.locator("[data-apply]").click()
    expect(other).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#object-now")).to_contain_text("/3")
    expect(page.locator("#preview")).to_contain_text("It was 2 and is 3 now")
    expect(page.locator("input[name=replicas]")).to_have_value("4")
    assert objects.replicas("web") == 3


def test_an_apply_on_what_is_no_more_is_refused_with_what_it_is_now(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    page.goto(scale_page(namespace))
    page.locator("input[name=replicas]").fill("4")
    expect(page.locator("[data-apply]")).to_contain_text("Scale web to 4")
    # A reader who paused updates is told by the answer to the click, if not before.
    page.locator(".freshness summary").click()
    page.locator("[data-pause]").click()
    objects.scale("web", 3)
    page.locator("[data-apply]").click()
    expect(page.locator("#preview")).to_contain_text("changed meanwhile")
    expect(page.locator("input[name=replicas]")).to_have_value("4")
    assert objects.replicas("web") == 3
