"""From an event, as a raw watch sees it, to the changed document of a real browser.

One machine, one clock: the watch notes the wall clock when a line arrives; the page's MutationObserver notes
`performance.timeOrigin + performance.now()`, the same clock as seen by the browser.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from typing import Any

from playwright.async_api import async_playwright

from dashboard.kinds import KINDS
from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from sandbox.api import Api
from tools.server import Server

from .browser import CHROMIUM
from .figure import Figure, Place
from .report import Report, Table, percentile, spread

OBSERVE = """() => {
  window.seen = {};
  new MutationObserver((records) => {
    const at = performance.timeOrigin + performance.now();
    for (const record of records) for (const node of record.addedNodes) {
      const name = node.dataset && node.dataset.name;
      if (name && !(name in window.seen)) window.seen[name] = at;
    }
  }).observe(document.getElementById("rows"), { childList: true });
}"""


def _pod(name: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "image": "example/app:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def _watch(transport: Transport, namespace: str, seen: dict[str, float], ready: asyncio.Event) -> None:
    """A watch with nothing behind it: the yardstick."""
    ready.set()
    async for line in transport.lines(
        KINDS["pods"].gvr, namespace=namespace, query={"watch": "1"}, silence=120
    ):
        at = time.time() * 1000
        event = json.loads(line)
        if event["type"] == "ADDED":
            seen.setdefault(event["object"]["metadata"]["name"], at)


async def _measure(
    transport: Transport, api: Api, server: Server, namespace: str, events: int
) -> list[float]:
    await asyncio.to_thread(api.post, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    raw: dict[str, float] = {}
    ready = asyncio.Event()
    watch = asyncio.create_task(_watch(transport, namespace, raw, ready))
    await ready.wait()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)
        page = await browser.new_page()
        await page.context.add_cookies(await asyncio.to_thread(server.cookies))
        await page.goto(f"{server.base}/c/{transport.cluster.name}/pods/?namespace={namespace}&sort=age")
        await page.wait_for_selector("[data-freshness=live]")
        await asyncio.sleep(2)
        await page.evaluate(OBSERVE)
        for number in range(events):
            await asyncio.to_thread(api.post, f"/api/v1/namespaces/{namespace}/pods", _pod(f"p{number}"))
            # Idle in between, and not in step with any timer.
            await asyncio.sleep(random.uniform(0.4, 0.9))
        await asyncio.sleep(1)
        dom: dict[str, Any] = await page.evaluate("window.seen")
        await browser.close()
    watch.cancel()
    missing = [name for name in raw if name not in dom]
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(raw)} pods never reached the document: {missing[:5]}")
    return sorted(dom[name] - at for name, at in raw.items())


async def _run(place: Place, server: Server, events: int) -> list[float]:
    kubeconfig = str(place.sandbox.kubeconfig)
    cluster = load_clusters(environ={"KUBECONFIG": kubeconfig}, sandbox_kubeconfig=None)[0]
    api = place.sandbox.api()
    transport, namespace = Transport(cluster), f"bench-live-{secrets.token_hex(4)}"
    try:
        return await _measure(transport, api, server, namespace, events)
    finally:
        await asyncio.to_thread(api.delete, f"/api/v1/namespaces/{namespace}")
        await transport.close()


def run(place: Place, *, events: int) -> Report:
    """New pods, one at a time while the cluster rests: how much later than the raw watch the row is in the document."""
    with Server(place.home / "server", place.sandbox.kubeconfig) as server:
        late = asyncio.run(_run(place, server, events))
    yardstick = "after a raw watch of the same run"
    rows = (
        ("median and range", spread(late, "ms"), "60 ms", "120 ms"),
        ("p95", f"{percentile(late, 95):.0f} ms", "150 ms", "181 ms"),
    )
    return Report(
        f"From an event, as a raw watch sees it, to the changed document of a real browser, {len(late)} new pods one at "
        "a time while the cluster rests",
        (Table(columns=("", yardstick, "aim", "best peer"), rows=rows, yardstick=yardstick),),
    )


FIGURE = Figure(name="live", run=run, full={"events": 120}, short={"events": 5}, sandbox=True, browser=True)
