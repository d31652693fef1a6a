"""Choosing rows of a list and doing one thing to all of them: by mouse, by keys, all that match; live meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tools.server import Server

from .conftest import Objects
from .test_accessibility import SMALL, serious, signed_in, too_wide

pytestmark = pytest.mark.usefixtures("changes_allowed")

NAMES = [f"web-{at}" for at in range(6)]


def opened(page: Page, objects: Objects, namespace: str) -> None:
    for name in NAMES:
        objects.deployment(name, 1)
    page.goto(f"/c/tests/deployments/?namespace={namespace}&sort=name")
    expect(page.locator("#rows .row-pick")).to_have_count(len(NAMES))


def chosen(page: Page) -> list[str]:
    """By the boxes, as somebody sees them; by the rows, which stand out, the same."""
    rows = page.locator("#rows > tr")
    boxes = rows.evaluate_all(
        "all => all.filter(r => r.querySelector('.row-pick').checked).map(r => r.dataset.name)"
    )
    marked = rows.evaluate_all("all => all.filter(r => 'chosen' in r.dataset).map(r => r.dataset.name)")
    assert boxes == marked
    return list(boxes)


def box(page: Page, name: str) -> None:
    page.get_by_role("checkbox", name=f"Select {name}", exact=True).click()


def choose_three(page: Page) -> None:
    """The first three rows, by keys alone."""
    for key in ("j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    assert chosen(page) == NAMES[:3]


def test_rows_are_chosen_by_mouse_and_by_keys_and_stay_so_while_they_change(
    page: Page, objects: Objects, namespace: str
) -> None:
    opened(page, objects, namespace)
    bar, count = page.locator("#chosen"), page.locator("#chosen [data-count]")
    expect(bar).to_be_hidden()
    box(page, "web-1")
    expect(count).to_have_text("1 selected")
    page.get_by_role("checkbox", name="Select web-3", exact=True).click(modifiers=["Shift"])
    assert chosen(page) == ["web-1", "web-2", "web-3"]
    page.locator("#rows tr[data-name=web-5] th a").focus()
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("Space")
    assert chosen(page) == ["web-1", "web-2", "web-3", "web-4", "web-5"]
    page.keyboard.press("Space")
    assert chosen(page) == ["web-1", "web-2", "web-3", "web-5"]

    # What comes live changes a row, and brings one, but not the choice; what has the focus keeps it.
    page.locator("#rows tr[data-name=web-2] th a").focus()
    objects.scale("web-2", 3)
    expect(page.locator("#rows tr[data-name=web-2] [data-col=ready]")).to_contain_text("3/3")
    objects.deployment("web-6", 1)
    expect(page.get_by_role("checkbox", name="Select web-6", exact=True)).to_have_count(1)
    assert chosen(page) == ["web-1", "web-2", "web-3", "web-5"]
    assert page.evaluate("document.activeElement.textContent") == "web-2"
    expect(page.locator("#rows tr[data-name=web-2] .row-pick")).to_have_count(1)

    # A filter leaves rows out of sight, not out of the choice.
    page.locator("#filter [name=q]").fill("web-2")
    expect(page.locator("#rows > tr")).to_have_count(1)
    expect(count).to_have_text("4 selected, 3 not shown")
    page.get_by_role("checkbox", name="Select all on this page").click()
    expect(count).to_have_text("3 selected, 3 not shown")
    page.locator("#filter [name=q]").fill("nothing-is-called-so")
    expect(page.locator("#rows > tr")).to_have_count(0)
    expect(count).to_have_text("3 selected, 3 not shown")
    expect(page.locator("#chosen [data-every]")).to_be_hidden()
    page.get_by_role("button", name="Clear the selection").click()
    expect(bar).to_be_hidden()


def test_what_is_chosen_is_previewed_applied_and_followed_together(
    page: Page, objects: Objects, namespace: str
) -> None:
    opened(page, objects, namespace)
    for name in ("web-0", "web-2", "web-4"):
        box(page, name)
    page.get_by_role("button", name="Scale…", exact=True).click()
    expect(page.locator("h1")).to_have_text(re.compile(r"Scale\s+3\s+Deployments"))
    page.get_by_label("Replicas").fill("2")
    expect(page.locator("#preview [data-object]")).to_have_count(3)
    expect(page.locator("#preview")).to_contain_text("3 Deployments will be changed")
    objects.scale("web-2", 5)  # somebody else, after the preview
    page.get_by_label("Reason").fill("load test")
    page.get_by_role("button", name="Scale 3 Deployments").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/follow/bulk-scale/"))
    expect(page.locator("#operation-progress h2")).to_contain_text("2 of 3 are done")
    rows = page.locator("#operation-results tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("web-2")
    expect(rows.first).to_contain_text("it was 1 replica, now it is 5 replicas")
    assert {name: objects.replicas(name) for name in ("web-0", "web-2", "web-4")} == {
        "web-0": 2,
        "web-2": 5,
        "web-4": 2,
    }
    page.get_by_role("link", name="Follow or undo the change of web-0").click()
    expect(page.locator("h1")).to_contain_text("web-0")
    page.get_by_role("link", name="Undo").click()
    page.get_by_role("button", name="Scale web-0 to 1").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/$"))
    assert objects.replicas("web-0") == 1


def test_all_that_match_are_those_of_the_moment_of_the_preview(
    page: Page, objects: Objects, namespace: str
) -> None:
    opened(page, objects, namespace)
    objects.deployment("api", 1)
    page.locator("#filter [name=q]").fill("web")
    expect(page.locator("#rows > tr")).to_have_count(len(NAMES))
    box(page, "web-0")
    page.get_by_role("button", name="Select all 6 that match").click()
    expect(page.locator("#chosen [data-count]")).to_have_text("All 6 that match selected")
    assert chosen(page) == NAMES
    page.get_by_role("button", name="Restart…").click()
    expect(page.locator("#preview [data-object]")).to_have_count(6)
    expect(page.locator("#preview")).not_to_contain_text("api")
    assert page.locator("form#change [name=object]").count() == 6
    page.get_by_role("button", name="Restart 6 Deployments").click()
    expect(page.locator("#operation-progress h2")).to_contain_text("All 6 are done")


@pytest.mark.parametrize("how", ["light", "dark", "small"])
def test_nothing_serious_on_the_whole_way_which_keys_alone_can_go(
    browser: Browser, server: Server, session: StorageState, objects: Objects, namespace: str, how: str
) -> None:
    with signed_in(browser, server, session, "dark" if how == "dark" else "light") as page:
        if how == "small":
            page.set_viewport_size(SMALL)
        opened(page, objects, namespace)
        choose_three(page)
        assert serious(page) == [] and too_wide(page) <= 0
        page.get_by_role("button", name="Restart…").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#preview [data-object]")).to_have_count(3)
        assert serious(page) == [] and too_wide(page) <= 0
        page.get_by_role("button", name="Restart 3 Deployments").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#operation-progress h2")).to_contain_text("All 3 are done")
        assert serious(page) == [] and too_wide(page) <= 0


def tab_to(page: Page, where: Locator) -> None:
    """Goes on with Tab until something has the focus, as somebody without a mouse does."""
    expect(where).to_be_visible()
    for _ in range(200):
        if where.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {where}")


def press(page: Page, where: Locator) -> None:
    tab_to(page, where)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("how", ["light", "small"])
def test_one_at_a_time_and_the_whole_undone_by_keys_alone(
    browser: Browser, server: Server, session: StorageState, objects: Objects, namespace: str, how: str
) -> None:
    with signed_in(browser, server, session, "light") as page:
        if how == "small":
            page.set_viewport_size(SMALL)
        opened(page, objects, namespace)
        choose_three(page)
        press(page, page.get_by_role("button", name="Scale…", exact=True))
        expect(page.locator("h1")).to_have_text(re.compile(r"Scale\s+3\s+Deployments"))
        tab_to(page, page.get_by_label("Replicas"))
        page.keyboard.type("2")
        expect(page.locator("#preview [data-object]")).to_have_count(3)
        limit = page.get_by_label("Time-out for each")
        expect(limit).to_be_hidden()
        tab_to(page, page.get_by_role("radio", name="All at once"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="3 at once")).to_be_checked()
        expect(limit).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name="One at a time")).to_be_checked()
        tab_to(page, limit)
        page.keyboard.type("soon")
        press(page, page.get_by_role("button", name="Scale 3 Deployments"))
        expect(page.locator("#preview")).to_contain_text("“soon” is not a whole number")
        tab_to(page, limit)
        page.keyboard.press("Control+a")
        page.keyboard.type("5m")
        assert serious(page) == [] and too_wide(page) <= 0
        press(page, page.get_by_role("button", name="Scale 3 Deployments"))
        expect(page.locator("#operation-progress h2")).to_contain_text("All 3 are done")
        assert [objects.replicas(name) for name in NAMES[:3]] == [2, 2, 2]
        objects.scale("web-1", 4)  # somebody else
        press(page, page.get_by_role("link", name="Undo…"))
        expect(page.locator("h1")).to_have_text(re.compile(r"Undo: scale\s+3\s+Deployments"))
        expect(page.get_by_role("radio", name="One at a time")).to_be_checked()
        rows = page.locator("#preview [data-object]")
        expect(rows).to_have_count(3)
        expect(rows.first).to_contain_text("it was 2 replicas, now it is 4 replicas")
        expect(page.locator("#preview")).to_contain_text("2 of 3 Deployments will be set back")
        assert serious(page) == [] and too_wide(page) <= 0
        press(page, page.get_by_role("button", name="Undo: scale 2 Deployments"))
        expect(page.locator("#operation-progress h2")).to_contain_text("2 of 3 are undone")
        expect(page.locator("h1")).to_have_text(re.compile(r"Undo: scale\s+3\s+Deployments"))
        skipped = page.locator("#operation-results tbody tr", has_text="web-1")
        expect(skipped).to_contain_text("skipped")
        expect(skipped).to_contain_text("was changed")
        assert [objects.replicas(name) for name in NAMES[:3]] == [1, 4, 1]
        assert serious(page) == [] and too_wide(page) <= 0
        press(page, page.get_by_role("link", name="Follow or undo the change of web-1"))
        expect(page.locator("h1")).to_contain_text("web-1")
