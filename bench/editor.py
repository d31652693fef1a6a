"""A ConfigMap of 2,500 keys in the editor of a real browser: loaded, one key opened, changed and previewed.

The yardsticks of the same run are the same steps with a ConfigMap of three keys, and what the API server alone takes to
give the object and to answer the dry run of the same patch.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from sandbox import Sandbox
from sandbox.api import Api
from tools.server import Server

from .live import CHROMIUM

NAMESPACE = "bench-editor"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
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


def _round(page: Page, server: Server, name: str, number: int) -> Round:
    sizes: list[int] = []

    def load() -> None:
        answer = page.goto(f"{server.base}/c/sandbox/configmaps/{NAMESPACE}/{name}/edit/")
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


def _alone(api: Api, name: str) -> float:
    return _ms(
        lambda: (
            api.get(f"{CONFIGMAPS}/{name}"),
            api.patch(f"{CONFIGMAPS}/{name}?dryRun=All", {"data": {"key-0001": "changed\n"}}),
        )
    )


def _measure(api: Api, server: Server, rounds: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in KEYS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)  # type: ignore[arg-type]
        page = browser.new_page(base_url=server.base)
        page.context.add_cookies(server.cookies())
        page.goto("/clusters/")
        if (allow := page.get_by_role("button", name="Allow changes")).count():
            allow.click()
            allow.wait_for(state="detached")
        for number in range(rounds + 1):
            for name, kept in found.items():
                one = _round(page, server, name, number)
                if number:  # the first fills the browser's cache and the server's
                    kept.append(one)
        browser.close()
    return found


def run(sandbox: Sandbox, home: Path, *, rounds: int) -> str:
    api = sandbox.api()
    api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for name, keys in KEYS.items():
        data = {f"key-{number:04}": f"value {number}\n" for number in range(keys)}
        api.post(CONFIGMAPS, {"metadata": {"name": name}, "data": data})
    bytes_kb = len(json.dumps(api.get(f"{CONFIGMAPS}/many"))) / 1e3
    with Server(home / "editor", sandbox.kubeconfig) as server:
        found = _measure(api, server, rounds)
    alone = {name: statistics.median(_alone(api, name) for _ in range(rounds)) for name in KEYS}
    lines = [
        f"the editor of a ConfigMap of {KEYS['many']:,} keys ({bytes_kb:.0f} kB), medians of {rounds} rounds "
        f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores):"
    ]
    for name, each in found.items():
        loaded, previewed, together = (
            statistics.median(getattr(one, field) for one in each)
            for field in ("load", "preview", "together")
        )
        lines.append(
            f"  {KEYS[name]:5,} keys: load {loaded:5.0f} ms, preview {previewed:5.0f} ms, together {together:5.0f} ms "
            f"(worst {max(one.together for one in each):.0f}), {max(one.nodes for one in each):,} elements, page "
            f"{max(one.size for one in each):.0f} kB; the API server alone {alone[name]:.0f} ms"
        )
    lines.append(f"  aims of {KEYS['many']:,}: {AIM_MS:,} ms, {AIM_NODES:,} elements, {AIM_KB} kB")
    return "\n".join(lines)
