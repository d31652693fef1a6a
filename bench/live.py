"""From an event, as a raw watch sees it, to the changed document of a real browser.

One machine, one clock: the watch notes the wall clock when a line arrives; the page's MutationObserver notes
`performance.timeOrigin + performance.now()`, the same clock as seen by the browser.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from dashboard.kinds import KINDS
from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from tools.server import Server

NAMESPACE = "bench-live"
CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
}
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


def _pod(name: str) -> bytes:
    spec = {"containers": [{"name": "main", "image": "example/app:1"}]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).encode()


async def _watch(transport: Transport, seen: dict[str, float], ready: asyncio.Event) -> None:
    """A watch with nothing behind it: the yardstick."""
    ready.set()
    async for line in transport.lines(
        KINDS["pods"].gvr, namespace=NAMESPACE, query={"watch": "1"}, silence=120
    ):
        at = time.time() * 1000
        event = json.loads(line)
        if event["type"] == "ADDED":
            seen.setdefault(event["object"]["metadata"]["name"], at)


async def _measure(transport: Transport, server: Server, events: int) -> list[float]:
    await transport.request(
        "POST",
        KINDS["namespaces"].gvr,
        body=json.dumps({"metadata": {"name": NAMESPACE}}).encode(),
    )
    raw: dict[str, float] = {}
    ready = asyncio.Event()
    watch = asyncio.create_task(_watch(transport, raw, ready))
    await ready.wait()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)  # type: ignore[arg-type]
        page = await browser.new_page()
        await page.context.add_cookies(await asyncio.to_thread(server.cookies))
        await page.goto(f"{server.base}/c/sandbox/pods/?namespace={NAMESPACE}&sort=age")
        await page.wait_for_selector("[data-freshness=live]")
        await asyncio.sleep(2)
        await page.evaluate(OBSERVE)
        for number in range(events):
            await transport.request("POST", KINDS["pods"].gvr, namespace=NAMESPACE, body=_pod(f"p{number}"))
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


async def _run(sandbox: Sandbox, server: Server, events: int) -> list[float]:
    cluster = load_clusters(environ={"KUBECONFIG": str(sandbox.kubeconfig)}, sandbox_kubeconfig=None)[0]
    transport = Transport(cluster)
    try:
        return await _measure(transport, server, events)
    finally:
        await transport.close()


def run(sandbox: Sandbox, home: Path, *, events: int) -> str:
    """New pods, one at a time while the cluster rests: how much later than the raw watch the row is in the document."""
    with Server(home / "server", sandbox.kubeconfig) as server:
        late = asyncio.run(_run(sandbox, server, events))
    p95 = late[min(len(late) - 1, int(len(late) * 0.95))]
    return (
        f"event → DOM after a raw watch saw it, {len(late)} new pods, idle cluster:\n"
        f"  median {statistics.median(late):6.0f} ms   (aim 60, best peer 120)\n"
        f"  p95    {p95:6.0f} ms   (aim 150, best peer 181)"
    )
