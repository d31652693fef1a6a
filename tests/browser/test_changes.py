"""Changes made here, and the command on every page of an object."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"

pytestmark = pytest.mark.usefixtures("changes_allowed")


def test_each_filter_is_a_page_of_its_own_for_back_and_forward(page: Page) -> None:
    page.goto(f"/c/{SLUG}/")
    page.locator(".person summary").click()
    page.get_by_role("link", name="Changes made here").click()
    name = page.locator("input[name=q]")
    page.get_by_label("What", exact=True).select_option("sign in")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"/changes/\?action=sign\+in$"))
    name.fill("nothing-is-called-so")
    page.keyboard.press("Enter")
    expect(page.locator("#page")).to_contain_text("No change matches")
    expect(page).to_have_url(re.compile("q=nothing-is-called-so$"))
    page.go_back()
    expect(page.locator("tbody tr").first).to_contain_text("sign in")
    expect(name).to_have_value("")
    page.go_back()
    expect(page).to_have_url(re.compile("/changes/$"))
    expect(page.get_by_label("What", exact=True)).to_have_value("")
    page.go_forward()
    expect(page.get_by_label("What", exact=True)).to_have_value("sign in")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile(f"/c/{SLUG}/$"))


def test_who_and_when_and_undo_are_on_screen_beside_a_long_reason(
    page: Page, objects: Objects, namespace: str
) -> None:
    key = "a-long-name-" * 15
    objects.api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "long"}, "data": {key: "1"}}
    )
    page.goto(f"/c/{SLUG}/configmaps/{namespace}/long/edit/")
    page.get_by_label(f"Text of {key}").fill("2")
    page.get_by_role("button", name="Preview", exact=True).click()
    page.locator("[data-apply]").click()
    expect(page.locator("#change-progress")).to_be_visible()
    page.goto("/changes/")
    expect(page.locator("tbody tr").first).to_contain_text(key)
    box = page.locator(".scroll-x")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("width", [1440, 320])
def test_every_page_of_an_object_shows_the_command_and_fits(
    page: Page, objects: Objects, namespace: str, width: int
) -> None:
    objects.deployment("web", 1)
    objects.pod("alone")
    objects.api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}}
    )
    page.set_viewport_size({"width": width, "height": 800})
    pages = {
        f"deployments/{namespace}/web": ("", "yaml/", "events/", "scale/", "restart/"),
        f"pods/{namespace}/alone": ("", "yaml/", "events/", "logs/", "delete/"),
        f"configmaps/{namespace}/settings": ("", "yaml/", "events/", "values/", "edit/"),
    }
    for path, parts in pages.items():
        for part in parts:
            page.goto(f"/c/{SLUG}/{path}/{part}")
            command = page.locator("#page .kubectl code").first
            expect(command).to_contain_text("kubectl ")
            expect(command).to_contain_text(path.rpartition("/")[2])
            expect(command).to_contain_text(namespace)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path}/{part}"
