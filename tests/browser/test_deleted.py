"""What was deleted while nobody could be told: its page says so, with the ways on, as soon as the dashboard answers."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tools.server import Server

from .conftest import Objects

SLUG = "tests"


class Network:
    """Between a page and its server: while it is ``cut``, sockets are closed and nothing is answered."""

    def __init__(self, page: Page) -> None:
        self.is_cut = False
        self.open: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/ws/"), self._socket)
        page.route("**/*", lambda route: route.abort() if self.is_cut else route.fallback())

    def _socket(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close()
            return
        socket.connect_to_server()
        self.open.append(socket)

    def cut(self) -> None:
        self.is_cut = True
        while self.open:
            self.open.pop().close()


@contextmanager
def away(page: Page, server: Server, network: Network, how: str) -> Iterator[None]:
    """The page has no connection: its server was killed, or the network between them is cut."""
    if how == "server":
        server.stop(signal.SIGKILL)
    else:
        network.cut()
    try:
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting")
        yield
    finally:
        network.is_cut = False
        if how == "server":
            server.start()


def only_pod(page: Page, namespace: str) -> str:
    """The name of the one pod that the Deployment has, once it runs."""
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    row = page.locator("#rows tr").filter(has_text="Running")
    expect(row).to_have_count(1)
    return str(row.get_attribute("data-name"))


@pytest.mark.parametrize("how", ["server", "network"])
def test_a_pod_deleted_during_an_outage_leads_to_what_replaced_it(
    page: Page, objects: Objects, namespace: str, server: Server, how: str
) -> None:
    network = Network(page)
    objects.deployment("web", 1)
    name = only_pod(page, namespace)
    page.goto(f"/c/{SLUG}/pods/{namespace}/{name}/")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    with away(page, server, network, how):
        page.locator("#tab-yaml").click()
        expect(page.locator("[data-note]")).to_contain_text("does not answer")
        objects.delete_pod(name)
    gone = page.locator("#page")
    expect(gone).to_contain_text(re.compile("was deleted|There is no Pod"))
    expect(page.locator("[data-note]")).to_have_count(0)
    ways = gone.locator(".ways-on a")
    for words in (
        "Replaced by web-",
        "Deployment web",
        "ReplicaSet web-",
        f"Pods in {namespace}",
        "Timeline",
    ):
        expect(ways.filter(has_text=words)).to_have_count(1)
    ways.filter(has_text="Replaced by").click()
    expect(page.locator("#detail-head")).to_contain_text("web-")
    expect(page.locator("#detail-head")).not_to_contain_text(name)
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")


@pytest.mark.parametrize("how", ["server", "network"])
def test_what_did_not_answer_is_told_no_longer_than_that(
    page: Page, objects: Objects, namespace: str, server: Server, how: str
) -> None:
    network = Network(page)
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    with away(page, server, network, how):
        page.locator("#sort-age").click()
        expect(page.locator("[data-note]")).to_contain_text("does not answer")
        objects.pod("two")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    expect(page.locator("[data-note]")).to_have_count(0)


# What notes said, and for how long they stood there.
TOLD = """() => {
  window.told = [];
  const stood = new Map();
  new MutationObserver(() => {
    for (const note of document.querySelectorAll("[data-note]"))
      if (!stood.has(note)) stood.set(note, { at: Date.now(), told: told[told.push({ text: note.textContent }) - 1] });
    for (const [note, { at, told }] of stood) if (!note.isConnected) told.ms ??= Date.now() - at;
  }).observe(document.body, { childList: true, subtree: true });
}"""


def test_what_failed_once_while_the_rest_went_on_is_not_told_for_ever(
    page: Page, objects: Objects, namespace: str
) -> None:
    """A single request is lost; the socket stays."""
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.evaluate(TOLD)
    page.route("**/*sort=*", lambda route: route.abort())
    page.locator("#sort-age").click()
    page.wait_for_function("() => told.length")
    assert "does not answer" in page.evaluate("told[0].text")
    objects.pod("two")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("[data-note]")).to_have_count(0)
    page.wait_for_function("() => told[0].ms")
    assert page.evaluate("told[0].ms") >= 3000, "nobody could read it"


def test_a_page_that_could_not_be_had_ends_in_what_there_is(
    page: Page, objects: Objects, namespace: str
) -> None:
    """While the cluster could not be asked, the object was deleted: the answer in the end is that it is not there."""
    objects.pod("one")
    path = f"/c/{SLUG}/pods/{namespace}/one/"
    waits = '<div id="page"><section class="state" data-retry><h1>Not now</h1></section></div>'
    page.route(f"**{path}", lambda route: route.fulfill(status=503, content_type="text/html", body=waits))
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    page.locator("#rows th a").click()
    expect(page.locator("#page")).to_contain_text("Not now")
    objects.delete_pod("one")
    page.unroute(f"**{path}")
    expect(page.locator("#page")).to_contain_text("There is no Pod one")
