"""The past in a browser: its frame and clock, slider and keys, links that stay in it, and the way back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tools.server import Server

from .conftest import Objects, until
from .test_accessibility import serious, signed_in, too_wide


def moment(page: Page) -> datetime:
    [text] = parse_qs(urlsplit(page.url).query)["at"]
    return datetime.fromisoformat(text)


@pytest.fixture
def past(page: Page, objects: Objects) -> str:
    """A moment at which the namespace had a Deployment that has been scaled since, as an address says it."""
    page.goto("/c/tests/deployments/")  # somebody looks: from now on it is recorded
    objects.deployment("web", 2)
    expect(page.locator(f'#rows tr[data-namespace="{objects.namespace}"][data-name="web"]')).to_be_visible()
    path = f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/web"
    until(page, lambda: objects.api.get(path)["status"].get("readyReplicas") == 2)
    found: list[str] = []

    def ready() -> bool:
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        text = page.request.get(f"/c/tests/deployments/?format=json&at={at}")
        rows = text.json()["rows"] if text.ok else []
        if any(row["namespace"] == objects.namespace and row["ready"] == "2/2" for row in rows):
            found.append(at)
        return bool(found)

    until(page, ready)
    objects.scale("web", 3)
    until(page, lambda: objects.api.get(path)["status"].get("readyReplicas") == 3)
    return found[0]


def test_the_past_is_a_place_of_its_own_and_leads_back(page: Page, objects: Objects, past: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"/c/tests/?at={quote(past)}&changes=all")
    sockets.clear()
    expect(page.locator("body")).to_have_class(re.compile(r"\bpast\b"))
    expect(page.locator("[data-freshness]")).to_have_attribute("data-freshness", "past")
    expect(page.locator("#tile-pods, .tile").first.locator(".now-v")).to_contain_text("now")
    changed = page.locator(".a-changing li", has=page.get_by_role("link", name="web", exact=True))
    expect(changed.filter(has_text=f"Deployment web in {objects.namespace}")).to_contain_text(
        "scaled from 2 to 3"
    )
    # Lists and objects are as they were, and nothing is offered.
    page.locator('#kinds a[data-nav="deployments"]').click()
    row = page.locator(f'#rows tr[data-namespace="{objects.namespace}"][data-name="web"]')
    expect(row.locator('[data-col="ready"]')).to_have_text("2/2")
    expect(page.locator("#act-create, #chosen")).to_have_count(0)
    row.locator("th a").click()
    expect(page.locator("#detail-head")).to_contain_text("2 of 2")
    expect(page.locator("#tab-yaml, #tab-logs, #act-scale")).to_have_count(0)
    assert moment(page) == datetime.fromisoformat(past)
    # A filter keeps the moment.
    page.go_back()
    page.locator("#filter [name=q]").fill(f"web {objects.namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert moment(page) == datetime.fromisoformat(past)
    assert sockets == []
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bpast\b"))
    expect(row.locator('[data-col="ready"]')).to_have_text("3/3")
    assert said == []


def test_the_slider_and_the_keys_lead_to_other_moments(page: Page, past: str) -> None:
    page.goto(f"/c/tests/?at={quote(past)}&span=1h")
    slider = page.locator(".scrub")
    expect(slider).to_be_enabled()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(lambda url: past not in unquote(url))
    # It may be before the record: then the page says so, and where it begins.
    went = moment(page)
    assert timedelta(0) < datetime.fromisoformat(past) - went <= timedelta(minutes=2)
    page.goto(f"/c/tests/?at={quote(past)}&span=1h")
    following = page.locator("#rw-next")
    expect(following).to_be_visible()
    page.keyboard.press("]")
    page.wait_for_url(lambda url: past not in unquote(url))
    assert moment(page) > datetime.fromisoformat(past)
    expect(page.locator("#rw")).to_have_text("You are looking at the past")


def test_axe_finds_nothing_serious_in_the_past_and_nothing_scrolls_sideways(
    browser: Browser, server: Server, session: StorageState, past: str
) -> None:
    with signed_in(browser, server, session) as page:
        for path in ("", "deployments/", "map/"):
            for width in (1440, 320):
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(f"/c/tests/{path}?at={quote(past)}")
                expect(page.locator(".scrub")).to_be_enabled()
                assert serious(page) == []
                assert too_wide(page) <= 0


@pytest.mark.usefixtures("changes_allowed")
def test_pages_without_a_past_say_so_and_a_time_to_come_is_refused_in_words(page: Page, past: str) -> None:
    page.goto(f"/c/tests/?at={quote(past)}")
    shown = page.url
    field = page.locator("[data-rewind-at]")
    field.fill("2099-01-01T00:00:00")
    field.press("Enter")
    expect(page.locator("#rw-said")).to_have_text("That is in the future: choose a time up to now.")
    assert page.url == shown
    page.locator('#kinds a[data-nav="capacity"]').click()
    note = page.locator("#present-only")
    expect(note).to_contain_text("This page shows the present")
    note.get_by_role("link", name="Back to that moment").click()
    expect(page.locator("body")).to_have_class(re.compile(r"\bpast\b"))
    assert moment(page) == datetime.fromisoformat(past)
    page.goto(f"/c/tests/namespaces/_/default/delete/?at={quote(past)}")
    page.get_by_role("link", name="As it is now").click()
    expect(page.locator("#change")).to_be_visible()
