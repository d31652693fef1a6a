"""Live, in a real browser over a real cluster: what changes there changes here, without a request."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Error, Page, WebSocketRoute, expect

from tools.server import Server

from .conftest import Objects, frames_of, until

SLUG = "tests"


def pods(namespace: str, query: str = "") -> str:
    return f"/c/{SLUG}/pods/?namespace={namespace}{query}"


def row(page: Page, name: str) -> str:
    return f"#rows tr[data-name='{name}']"


def test_a_pod_comes_changes_and_goes_without_any_request(
    page: Page, objects: Objects, namespace: str, requests_of: Callable[[Page], list[str]]
) -> None:
    objects.pod("first")
    page.goto(pods(namespace))
    expect(page.locator(row(page, "first"))).to_be_visible()
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    page.evaluate("window.sameDocument = true")
    urls = requests_of(page)

    objects.pod("second")
    expect(page.locator(row(page, "second"))).to_be_visible()
    status = page.locator(row(page, "second")).locator("[data-col=status]")
    expect(status).to_contain_text("Running", timeout=60_000)
    expect(page.locator("#list-head")).to_contain_text("of 2")
    objects.delete_pod("first")
    expect(page.locator(row(page, "first"))).to_have_count(0)
    expect(page.locator("#list-head")).to_contain_text("of 1")
    expect(page.locator("#nav-pods .n")).to_have_text("1")

    assert page.evaluate("window.sameDocument") is True
    assert urls == []


@pytest.mark.parametrize("told_by", ["page", "messages"])
@pytest.mark.parametrize("apart", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_ages_are_right_in_a_browser_whose_clock_is_an_hour_apart(
    page: Page, objects: Objects, namespace: str, apart: timedelta, told_by: str
) -> None:
    if told_by == "page":  # where no message comes
        page.route_web_socket(re.compile("/ws/"), lambda socket: None)
    else:
        gone = "document.addEventListener('readystatechange', () => document.querySelector('.printed')?.remove())"
        page.add_init_script(gone)
    objects.pod("one")
    page.clock.install(time=datetime.now(UTC) + apart)
    page.goto(pods(namespace))
    age = page.locator(row(page, "one")).locator("[data-col=age]")
    expect(age).to_have_text(re.compile(r"^(\d+s|[2-9]m(\d+s)?)$"))


def test_relative_times_tick_without_a_frame(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("one")
    page.goto(pods(namespace))
    age = page.locator(row(page, "one")).locator("[data-col=age]")
    first = age.inner_text()
    page.wait_for_function(
        "([selector, old]) => document.querySelector(selector).innerText !== old",
        arg=[row(page, "one") + " [data-col=age]", first],
        timeout=60_000,
    )
    assert re.fullmatch(r"\d+s", age.inner_text())


def test_the_filter_is_typed_answered_kept_and_part_of_the_address(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("web-a", tier="front")
    objects.pod("db-a", tier="back")
    page.goto(pods(namespace))
    page.locator("input[name=q]").fill("web")
    expect(page.locator(row(page, "db-a"))).to_have_count(0)
    expect(page.locator(row(page, "web-a"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=web"))
    objects.pod("web-b")
    expect(page.locator(row(page, "web-b"))).to_be_visible()
    objects.pod("db-b")
    expect(page.locator("input[name=q]")).to_have_value("web")
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(2)
    page.locator("input[name=q]").fill("")
    page.locator("input[name=labels]").fill("tier in (back)")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("input[name=labels]").fill("tier in (")
    expect(page.locator("#list-state")).to_contain_text("label filter")
    expect(page.locator("input[name=labels]")).to_have_value("tier in (")


def test_rows_that_a_filter_leaves_out_go_as_one(page: Page, objects: Objects, namespace: str) -> None:
    """htmx tells of each element by itself that goes: with a hundred rows that took longer than the answer."""
    for name in ("web-a", "web-b", "db-a"):
        objects.pod(name)
    page.goto(pods(namespace))
    expect(page.locator("#rows tr")).to_have_count(3)
    page.evaluate("""() => { window.left = [];
      document.addEventListener("htmx:beforeCleanupElement", ({target}) => window.left.push(target.localName)); }""")
    page.locator("input[name=q]").fill("db-a")
    expect(page.locator("#rows tr")).to_have_count(1)
    left = page.evaluate("window.left")
    assert "tbody" in left
    assert "td" not in left


def test_after_a_server_restart_the_page_heals_and_what_was_typed_stays(
    page: Page, objects: Objects, namespace: str, server: Server
) -> None:
    objects.pod("stays")
    objects.pod("goes")
    page.goto(pods(namespace))
    expect(page.locator("#rows tr")).to_have_count(2)
    page.evaluate("window.sameDocument = true")
    server.stop(signal.SIGKILL)
    try:
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting", timeout=60_000)
        page.locator("input[name=labels]").evaluate("input => { input.value = 'half typed'; }")
        objects.delete_pod("goes")
        objects.pod("comes")
    finally:
        server.start()
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live", timeout=60_000)
    expect(page.locator(row(page, "comes"))).to_be_visible()
    expect(page.locator(row(page, "goes"))).to_have_count(0)
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("input[name=labels]")).to_have_value("half typed")
    assert page.evaluate("window.sameDocument") is True


WAITS = """(() => {
  const set = window.setTimeout;
  window.waits = [];
  window.setTimeout = (call, wait, ...rest) => {
    if (call.name === "connect") window.waits.push(wait);
    return set(call, window.hurried ? 0 : wait, ...rest);
  };
})()"""


def test_pages_of_a_server_that_ends_in_order_come_back_spread_over_seconds(
    page: Page, namespace: str, server: Server
) -> None:
    """Told by 1012 all at once, they would all meet the next process in the same quarter of a second."""
    page.add_init_script(WAITS)
    frames = frames_of(page)
    page.goto(pods(namespace))
    # The page says that it is live before its socket is open, which may take a second attempt.
    until(page, lambda: any(frame["t"] == "frame" for frame in frames), "a frame came by the socket")
    page.evaluate("Math.random = () => 0.999; waits.length = 0")
    server.stop(signal.SIGTERM)
    try:
        waits = until(page, lambda: len(found := page.evaluate("waits")) > 1 and found, "it tries again")
        assert 2_400 < waits[0] < 2_500
        assert waits[1] <= 1_000, "nobody is there yet: the usual back-off"
        page.evaluate("window.hurried = true")
        waits = until(page, lambda: len(found := page.evaluate("waits")) > 9 and found, "it goes on trying")
        assert 4_000 < waits[-1] <= 4_500, "whoever is away for long is found within 5 s of coming back"
    finally:
        server.start()
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live", timeout=60_000)


def test_a_proxy_that_holds_messages_back_is_told_and_nothing_stale_stays(
    page: Page, objects: Objects, namespace: str
) -> None:
    """The websocket stays open and says nothing: the badge must not go on saying that all is live."""
    holding, held = False, list[tuple[WebSocketRoute, str | bytes]]()

    def through(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def hand_on(message: str | bytes) -> None:
            if holding or any(each is socket for each, _ in held):  # nothing overtakes what it holds back
                held.append((socket, message))
            else:
                socket.send(message)

        server.on_message(hand_on)

    page.route_web_socket(re.compile("/ws/"), through)
    objects.pod("stays")
    objects.pod("goes")
    page.goto(pods(namespace))
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    holding = True
    objects.delete_pod("goes")
    objects.pod("comes")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting", timeout=60_000)
    expect(page.locator("#rows tr")).to_have_count(2)
    holding = False
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live", timeout=60_000)
    expect(page.locator(row(page, "comes"))).to_be_visible()
    assert held
    for socket, message in held:  # at last, when another connection has brought the present
        with suppress(Error):
            socket.send(message)
    expect(page.locator(row(page, "goes"))).to_have_count(0)
    expect(page.locator("#rows tr")).to_have_count(2)


def test_going_back_shows_the_list_as_it_was_and_live(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("one")
    page.goto(pods(namespace))
    page.locator(row(page, "one")).locator("a").first.click()
    expect(page.locator("#detail-head")).to_contain_text("one")
    page.go_back()
    expect(page.locator(row(page, "one"))).to_be_visible()
    objects.pod("two")
    expect(page.locator(row(page, "two"))).to_be_visible()


def test_a_long_list_keeps_a_page_of_rows_in_the_document(
    page: Page, objects: Objects, namespace: str
) -> None:
    for number in range(230):
        objects.pod(f"p{number:03}")
    page.goto(pods(namespace, "&sort=name"))
    expect(page.locator("#list-head")).to_contain_text("of 230")
    expect(page.locator("#rows tr")).to_have_count(100)
    page.locator("#page-next").click()
    expect(page.locator(row(page, "p100"))).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(100)
    page.locator("#sort-name").click()
    expect(page.locator("#rows tr").first).to_have_attribute("data-name", "p229")


def test_an_object_that_is_deleted_says_so_on_its_page(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("short-lived")
    page.goto(f"/c/{SLUG}/pods/{namespace}/short-lived/")
    # Running comes by the websocket: from here on the page is live.
    expect(page.locator("#detail-head")).to_contain_text("Running")
    expect(page.locator("#act-delete")).to_be_visible()
    objects.delete_pod("short-lived")
    expect(page.locator("#detail-head")).to_contain_text("was deleted")
    expect(page.locator("#detail-head")).to_contain_text("Nothing can be done to it any more")
    expect(page.locator(".head > .btns")).to_be_hidden()
    objects.pod("short-lived")  # another one of its name
    expect(page.locator("#detail-head")).to_contain_text("Running")
    expect(page.locator("#act-delete")).to_be_visible()
