"""A ConfigMap of 2,500 keys in the editor of a real browser: loaded, one key opened, changed and previewed.

The yardsticks of the same run are the same steps with a ConfigMap of three keys, and what the API server alone takes to
give the object and to answer the dry run of the same patch.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, sync_playwright

from sandbox.api import Api
from tools.server import Server

from .browser import CHROMIUM
from .figure import Figure, Place
from .report import Report, Table, spread

KEYS = {"many": 2_500, "few": 3}
AIM_MS, AIM_NODES, AIM_KB = 2_000, 5_000, 256
NODES = "document.querySelectorAll('*').length"


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds by the clock; elements of the document at most; kB of the page as it was sent, unpacked."""

    load: float
    preview: float
    nodes: int
    size: float

    @property
    def together(self) -> float:
        return self.load + self.preview


def _ms(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _round(page: Page, at: str, number: int) -> Round:
    """``at`` is the page of the ConfigMap."""
    sizes: list[int] = []

    def load() -> None:
        answer = page.goto(f"{at}edit/")
        page.locator("#add-key").wait_for(state="visible")  # the form's script has begun
        sizes.append(len(answer.body()) if answer is not None else 0)

    loaded = _ms(load)
    nodes = page.evaluate(NODES)
    area = page.get_by_label("Text of key-0001", exact=True)
    if not area.count():
        page.get_by_role("searchbox", name="Part of a key's name").fill("key-0001")
        page.locator("#keys li:only-child [data-open='key-0001']").click()
    area.fill(f"changed {number}\n")

    def preview() -> None:
        page.get_by_role("button", name="Preview", exact=True).click()
        page.locator("#preview .diff", has_text=f"changed {number}").wait_for()

    previewed = _ms(preview)
    return Round(loaded, previewed, max(nodes, page.evaluate(NODES)), sizes[0] / 1e3)


def _alone(api: Api, path: str) -> float:
    return _ms(lambda: (api.get(path), api.patch(f"{path}?dryRun=All", {"data": {"key-0001": "changed\n"}})))


def _measure(server: Server, pages: str, rounds: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in KEYS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        page = browser.new_page(base_url=server.base)
        page.context.add_cookies(server.cookies())
        page.goto("/clusters/")
        if (allow := page.get_by_role("button", name="Allow changes")).count():
            allow.click()
            allow.wait_for(state="detached")
        for number in range(rounds + 1):
            for name, kept in found.items():
                one = _round(page, f"{pages}{name}/", number)
                if number:  # the first fills the browser's cache and the server's
                    kept.append(one)
        browser.close()
    return found


def run(place: Place, *, rounds: int) -> Report:
    api, namespace = place.sandbox.api(), f"bench-editor-{secrets.token_hex(4)}"
    api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, keys in KEYS.items():
        data = {f"key-{number:04}": f"value {number}\n" for number in range(keys)}
        api.post(configmaps, {"metadata": {"name": name}, "data": data})
    size = len(json.dumps(api.get(f"{configmaps}/many"))) / 1e3
    with Server(place.home / "server", place.sandbox.kubeconfig) as server:
        pages = f"{server.base}/c/{place.sandbox.context}/configmaps/{namespace}/"
        found = _measure(server, pages, rounds)
    alone = {name: [_alone(api, f"{configmaps}/{name}") for _ in range(rounds)] for name in KEYS}
    api.delete(f"/api/v1/namespaces/{namespace}")
    yardstick = "the API server alone: read, dry run"
    rows = [
        (title, *(spread((getattr(one, field) for one in found[name]), "ms") for name in KEYS), aim)
        for title, field, aim in (
            ("load", "load", ""),
            ("preview", "preview", ""),
            ("together", "together", f"{AIM_MS:,} ms"),
        )
    ]
    rows += [
        (
            "elements of the page, at most",
            *(f"{max(one.nodes for one in found[name]):,}" for name in KEYS),
            f"{AIM_NODES:,}",
        ),
        ("page", *(f"{max(one.size for one in found[name]):.0f} kB" for name in KEYS), f"{AIM_KB} kB"),
        (yardstick, *(spread(alone[name], "ms") for name in KEYS), ""),
    ]
    columns = ("", f"{KEYS['many']:,} keys ({size:.0f} kB)", f"{KEYS['few']} keys", "aim")
    return Report(
        f"The editor of a ConfigMap of {KEYS['many']:,} keys in a real browser, {rounds} rounds: from the request to a "
        'form whose script runs, and from "Preview" to the diff',
        (Table(columns=columns, rows=rows, yardstick=yardstick),),
    )


FIGURE = Figure(name="editor", run=run, full={"rounds": 9}, short={"rounds": 1}, sandbox=True, browser=True)
