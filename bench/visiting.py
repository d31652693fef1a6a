"""What a visit of a list costs in a real browser, in its own words: the first row is when one is in the document, usable
is when the websocket says that the page is live.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tools.server import Cookie, Server

from .browser import CHROMIUM

# A function: an expression would be evaluated anew at each look, which the policy of our pages forbids.
READY = """() => document.querySelector("#fresh")?.dataset.freshness === "live"
  && document.querySelectorAll("#rows tr").length"""
WAIT_MS = 300_000
FIRST_ROW = """new MutationObserver((_, observer) => {
  if (!document.querySelector("#rows tr")) return;
  window.firstRow = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Milliseconds from the beginning of the navigation; kB of the answers by HTTP, as they were sent."""

    first_row: float
    usable: float
    kilobytes: float


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, closing(playwright.chromium.launch(**CHROMIUM)) as browser:
        yield browser


@contextmanager
def signed_in(browser: Browser, base: str, cookies: list[Cookie]) -> Iterator[Page]:
    """A page of somebody, in a browser that has seen nothing yet; others are made in its context."""
    viewport: Any = {"width": 1440, "height": 900}
    with closing(browser.new_context(base_url=base, viewport=viewport)) as context:
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(FIRST_ROW)
        context.add_cookies(cookies)  # type: ignore[arg-type]
        yield context.new_page()


@contextmanager
def browsing(server: Server) -> Iterator[Page]:
    """The same, with a browser for it alone."""
    with chromium() as browser, signed_in(browser, server.base, server.cookies()) as page:
        yield page


def visit(page: Page, path: str) -> Visit:
    page.goto(path, timeout=WAIT_MS)
    page.wait_for_function(READY, timeout=WAIT_MS)
    usable = page.evaluate("performance.now()")
    size = page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
    return Visit(page.evaluate("window.firstRow"), usable, size / 1e3)


def filter_by(page: Page, text: str) -> float:
    """Milliseconds from a typed word to its rows."""
    return page.evaluate(
        """text => new Promise(done => {
          const field = document.querySelector("input[name=q]"), began = performance.now();
          const every = () => [...document.querySelectorAll("#rows tr")].every(row => row.dataset.name.includes(text));
          const look = () => every() && done(performance.now() - began) || requestAnimationFrame(look);
          field.value = text;
          field.dispatchEvent(new Event("input", {bubbles: true}));
          look();
        })""",
        text,
    )


def elements(page: Page) -> int:
    return page.evaluate("document.querySelectorAll('*').length")


def heap(page: Page) -> float:
    """MiB that the page's scripts hold, once their garbage is collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used / 2**20


def raw_list(url: str) -> tuple[float, float]:
    """Milliseconds to fetch all pods as one list, and to parse it: what every dashboard without a window has to do."""
    began = time.monotonic()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 # our own server
        body = answer.read()
    fetched = time.monotonic()
    json.loads(body)
    return (fetched - began) * 1e3, (time.monotonic() - fetched) * 1e3
