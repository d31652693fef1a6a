"""What the reader points at, has focused or selected holds still; cards keep their height; pages do not jump."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"
NAMES = "rows => rows.map(row => row.dataset.name)"


def label(objects: Objects, name: str, rank: str) -> None:
    objects.api.patch(
        f"/api/v1/namespaces/{objects.namespace}/pods/{name}", {"metadata": {"labels": {"rank": rank}}}
    )


def by_rank(page: Page, objects: Objects, namespace: str) -> None:
    """A list of three that is too short to scroll, sorted by what can be changed."""
    for name, rank in (("a", "1"), ("b", "2"), ("c", "3")):
        objects.pod(name, rank=rank)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}&columns=status,label:rank&sort=label:rank")
    expect(page.locator("#rows tr")).to_have_count(3)
    for name in ("a", "b", "c"):
        expect(page.locator(f"#rows tr[data-name={name}]")).to_contain_text("Running")


@pytest.mark.parametrize("how", ["pointer", "focus", "selection"])
def test_a_row_that_is_in_hand_is_not_sorted_away(
    page: Page, objects: Objects, namespace: str, how: str
) -> None:
    by_rank(page, objects, namespace)
    rows, row = page.locator("#rows tr"), page.locator("#rows tr[data-name=c]")
    if how == "pointer":
        row.hover()
    elif how == "focus":
        row.locator("th a").focus()
    else:
        row.evaluate("row => getSelection().selectAllChildren(row.cells[1])")
    top = row.evaluate("row => row.getBoundingClientRect().top")
    label(objects, "c", "0")  # it would be the first now
    # What its cells say is the newest all the same, and that the order waits is told.
    expect(row).to_contain_text("0")
    waits = page.get_by_role("button", name=re.compile("order changed", re.IGNORECASE))
    expect(waits).to_be_visible()
    objects.pod("d", rank="1")
    # A new row stands below as long as that.
    expect(rows).to_have_count(4)
    assert rows.evaluate_all(NAMES) == ["a", "b", "c", "d"]
    assert row.evaluate("row => row.getBoundingClientRect().top") == top
    if how == "focus":
        expect(row.locator("th a")).to_be_focused()
        waits.click()
    elif how == "pointer":
        page.locator("h1").hover()
    else:
        page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#rows tr").first).to_have_attribute("data-name", "c")
    assert rows.evaluate_all(NAMES) == ["c", "a", "d", "b"]
    expect(waits).to_have_count(0)


def test_a_row_below_the_pointer_comes_and_goes_at_once(page: Page, objects: Objects, namespace: str) -> None:
    by_rank(page, objects, namespace)
    page.locator("#rows tr[data-name=a]").hover()
    objects.pod("e", rank="9")
    expect(page.locator("#rows tr")).to_have_count(4)
    objects.delete_pod("b")
    expect(page.locator("#rows tr")).to_have_count(3)
    expect(page.locator(".waiting")).to_have_count(0)


def test_a_list_further_down_the_page_moves_nothing(page: Page, objects: Objects, namespace: str) -> None:
    """The latest Events stand at the end of the overview: nobody who reads its beginning is at them."""
    page.goto(f"/c/{SLUG}/?namespace={namespace}")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    events = page.locator("#events tr")
    for name in ("first", "second", "third"):
        objects.event(name)
        expect(events.filter(has_text=f"told by {name}")).to_have_count(1)
        assert page.evaluate("[main.scrollTop, document.scrollingElement.scrollTop]") == [0, 0]


def test_what_waits_is_no_news_to_a_look_anew(page: Page, objects: Objects, namespace: str) -> None:
    """A reconnection while an order waits: the server is told the true one, and the rows end in it."""
    by_rank(page, objects, namespace)
    page.locator("#rows tr[data-name=c]").hover()
    label(objects, "c", "0")
    expect(page.locator(".waiting")).to_have_count(1)
    page.evaluate("document.dispatchEvent(new Event('page:shown'))")  # looks anew
    objects.pod("d", rank="1")
    expect(page.locator("#rows tr")).to_have_count(4)
    expect(page.locator(".waiting")).to_have_count(1)
    page.locator("h1").hover()
    expect(page.locator("#rows tr")).to_have_count(4)
    assert page.locator("#rows tr").evaluate_all(NAMES) == ["c", "a", "d", "b"]


def at_a_deployment(page: Page, objects: Objects, namespace: str) -> None:
    """The page of a Deployment: below its pods stand what it is connected to and its latest events."""
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr", has_text="Running")).to_have_count(2)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    expect(page.locator("#pods tr[id]")).to_have_count(2)
    expect(page.locator(".plot .main-svg").first).to_be_visible()
    # The script that holds things still has come.
    scripts = "performance.getEntriesByType('resource').map(each => each.name)"
    page.wait_for_function(f"() => {scripts}.some(name => name.includes('/still.'))")


@pytest.mark.parametrize("how", ["pointer", "focus", "touch"])
def test_rows_of_a_card_push_nothing_down_that_the_reader_is_at(
    page: Page, objects: Objects, namespace: str, how: str
) -> None:
    at_a_deployment(page, objects, namespace)
    below = page.locator("#page .foot button[data-copy]")
    below.scroll_into_view_if_needed()
    if how == "pointer":
        below.hover()
    elif how == "focus":
        page.mouse.move(5, 5)
        below.focus()
    else:
        page.mouse.move(5, 5)
        below.dispatch_event("touchstart")  # held by a finger
    page.evaluate(SHIFTS.replace("buffered: true", "buffered: false"))
    place = "each => each.getBoundingClientRect().top"
    before = below.evaluate(place)
    objects.scale("web", 5)
    expect(page.locator("#pods tr[id]")).to_have_count(5)
    assert abs(below.evaluate(place) - before) < 4  # scrolling goes by whole pixels
    objects.scale("web", 1)
    expect(page.locator("#pods tr[id]")).to_have_count(1)
    assert abs(below.evaluate(place) - before) < 4  # scrolling goes by whole pixels
    assert page.evaluate("shifts.filter(what => what.includes('foot'))") == []
    if how == "pointer":
        page.mouse.move(5, 5)  # in the bar on top: what was kept for the reader goes
        kept = (
            "[...document.querySelectorAll('#page, #page .card')].filter(each => each.style.cssText).length"
        )
        page.wait_for_function(f"() => {kept} === 0")


USAGE = "document.getElementById('usage-state')?.dataset.metrics ?? ''"
SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput && entry.value > 0.001)
        shifts.push(entry.sources.map(({node}) => {
          const usage = (node?.closest ? node : node?.parentElement)?.closest("section.card:has(#usage-state)");
          return (usage ? "usage:" : "") + `${node?.id || node?.className || node?.nodeName}`.replaceAll(" ", ".");
        }).join(" "));
  }).observe({type: "layout-shift", buffered: true});
}"""


@pytest.mark.parametrize("where", ["", "deployments/{ns}/web/", "pods/?namespace={ns}"])
def test_nothing_shifts_while_a_page_comes_and_its_numbers_change(
    page: Page, objects: Objects, namespace: str, where: str
) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr", has_text="Running")).to_have_count(2)
    page.goto(f"/c/{SLUG}/{where.format(ns=namespace)}")
    page.evaluate(SHIFTS)
    plots = page.locator("#replicas.plot .main-svg")
    if "pods" not in where:
        expect(plots.first).to_be_visible()
    heights = "[...document.querySelectorAll('.plot')].map(plot => plot.offsetHeight)"
    before, usage = page.evaluate(heights), page.evaluate(USAGE)
    objects.scale("web", 3)
    expect(page.locator("#nav-pods .n")).not_to_be_empty()
    if "pods" in where:
        expect(page.locator("#rows tr")).to_have_count(3)
    elif where:
        expect(page.locator("#detail-head")).to_contain_text("3")
    assert page.evaluate(heights) == before
    # What comes into a list pushes the rest of its card down; nothing else moves. Where the metrics of new pods came
    # meanwhile, which takes a minute, what told that they are awaited goes from above their charts.
    came = page.evaluate(USAGE) != usage
    shifts = [
        part for what in page.evaluate("shifts") for part in what.split() if "plot" in part or "top" in part
    ]
    assert [part for part in shifts if not (came and part.startswith("usage:"))] == []
