"""The columns of a list: chosen by keyboard, kept for the person, part of a link, and never marked as a change."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import Objects


@pytest.fixture(autouse=True)
def usual_again(context: BrowserContext, page: Page) -> Iterator[None]:
    """The choice belongs to the person, who has other tests to go through."""
    yield
    page.goto("/c/tests/pods/")
    page.locator("#columns > summary").click()
    usual = page.locator("#columns [name=usual]")
    if usual.get_attribute("aria-disabled") is None:
        usual.click()
        expect(usual).to_have_attribute("aria-disabled", "true")


def heads(page: Page) -> list[str]:
    return [
        str(head.get_attribute("data-col"))
        for head in page.locator("#list-cols th").all()
        if head.is_visible()
    ]


def test_a_choice_is_made_by_keyboard_kept_and_set_back(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("one", app="web")
    page.goto(f"/c/tests/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    usual = heads(page)
    assert "restarts" in usual
    assert "ip" not in usual
    page.locator("#columns > summary").focus()
    page.keyboard.press("Enter")
    page.locator("#columns [value=restarts]").focus()
    page.keyboard.press("Space")
    expect(page.locator("#list-cols [data-col=restarts]")).to_have_count(0)
    expect(page.locator("#columns [value=restarts]")).to_be_focused()
    page.locator("#columns [value=ip]").focus()
    page.keyboard.press("Space")
    expect(page.locator("#list-cols [data-col=ip]")).to_be_visible()
    expect(page.locator("#rows [data-col=ip]")).to_be_visible()
    expect(page.locator("#rows [data-changed], #rows .ch")).to_have_count(0)

    page.locator("#columns [name=label]").fill("app")
    page.keyboard.press("Enter")
    expect(page.locator("#list-cols [data-col='label:app']")).to_be_visible()
    expect(page.locator("#columns [name=label]")).to_be_focused()
    expect(page.locator("#rows [data-col='label:app']")).to_have_text("web")
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(1)
    chosen = heads(page)
    assert chosen == [key for key in usual[:-1] if key != "restarts"] + ["ip", "node", "label:app"]

    objects.pod("two", app="db")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr[data-name=two] [data-col='label:app']")).to_have_text("db")
    page.locator("#list-cols [data-col='label:app'] a").click()
    expect(page.locator("#rows tr").first).to_have_attribute("data-name", "two")
    csv = page.get_by_role("link", name="CSV")
    expect(csv).to_have_attribute("href", re.compile("sort=label"))
    with page.expect_download() as download:
        csv.click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].split(",") == chosen
    assert [line.split(",")[0] for line in lines[1:]] == ["two", "one"]

    page.locator("#columns > summary").click()
    page.locator("#columns [name=usual]").click()
    expect(page.locator("#list-cols [data-col=restarts]")).to_be_visible()
    assert heads(page) == usual


def test_a_link_shows_its_own_columns_and_leaves_the_choice_alone(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("one")
    page.goto(f"/c/tests/pods/?namespace={namespace}&columns=status,age")
    assert heads(page) == ["name", "status", "age"]
    objects.pod("two")
    expect(page.locator("#rows tr")).to_have_count(2)
    assert page.locator("#rows tr").last.locator("th, td").count() == 3
    page.locator("input[name=q]").fill("two")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert heads(page) == ["name", "status", "age"]
    page.goto(f"/c/tests/pods/?namespace={namespace}")
    assert "restarts" in heads(page)


def test_what_is_no_label_is_refused_with_the_way_out(page: Page) -> None:
    page.goto("/c/tests/pods/")
    page.locator("#columns > summary").click()
    page.locator("#columns [name=label]").fill("not a label")
    page.keyboard.press("Enter")
    expect(page.locator("[data-note]")).to_contain_text("is not the key of a label")
    expect(page.locator("#columns [name=label]")).to_have_value("not a label")
