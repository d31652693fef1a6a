"""Draining a node in the browser: what blocks is seen before, and what is refused later; a server that is killed."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.nodes import make_node, spec_for
from tools.server import Server

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")


class Rack:
    """A node with a Deployment behind a budget that allows no disruption, and a pod that nothing manages."""

    def __init__(self, objects: Objects) -> None:
        self.api, self.namespace = objects.api, objects.namespace
        self.node = make_node(self.api, self.namespace)
        self.apps = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.budgets = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets"
        for name in ("web", "mail"):
            labels = {"app": name}
            template = {"metadata": {"labels": labels}, "spec": spec_for(self.namespace)}
            spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
            self.api.post(self.apps, {"metadata": {"name": name}, "spec": spec})
        selector = {"matchLabels": {"app": "web"}}
        self.api.post(
            self.budgets, {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": selector}}
        )
        shell = {"metadata": {"name": "shell"}, "spec": spec_for(self.namespace)}
        self.api.post(f"/api/v1/namespaces/{self.namespace}/pods", shell)
        until = time.monotonic() + 120
        while not (self.ready("web") and self.ready("mail") and self.healthy()):
            assert time.monotonic() < until, "its pods do not come up"
            time.sleep(0.2)

    def ready(self, name: str) -> bool:
        return bool(self.api.get(f"{self.apps}/{name}").get("status", {}).get("readyReplicas"))

    def healthy(self) -> bool:
        return bool(self.api.get(f"{self.budgets}/web").get("status", {}).get("currentHealthy"))

    def cordoned(self) -> bool:
        return bool(self.api.get(f"/api/v1/nodes/{self.node}")["spec"].get("unschedulable"))


@pytest.fixture
def rack(objects: Objects) -> Iterator[Rack]:
    made = Rack(objects)
    yield made
    made.api.delete(f"/api/v1/nodes/{made.node}")


def test_what_blocks_is_seen_before_and_a_killed_server_goes_on_until_it_is_lifted(
    page: Page, rack: Rack, server: Server
) -> None:
    page.goto(f"/c/tests/nodes/-/{rack.node}/")
    page.locator("#act-drain").click()
    preview = page.locator("#preview")
    expect(preview.locator(".callout h2")).to_have_text(
        "1 of 3 pods needs a choice before anything is evicted"
    )
    expect(preview.locator(".blast .bad", has_text="shell")).to_contain_text("needs a choice")
    expect(page.locator("[data-apply]")).to_have_text(f"Cordon {rack.node} only")
    page.get_by_label("Delete pods not managed by a controller").check()
    expect(preview.locator(".callout h2")).to_have_text("1 of 3 pods blocks this drain")
    expect(preview).to_contain_text("PodDisruptionBudget web allows 0 disruptions")
    expect(preview).to_contain_text(f"kubectl drain {rack.node} --ignore-daemonsets --force --timeout=900s")
    page.locator("#reason").fill("Kernel update")
    page.locator("#confirm").fill(rack.node)
    page.get_by_role("button", name=f"Drain {rack.node}: evict 2 pods").click()
    progress, results = page.locator("#operation-progress"), page.locator("#operation-results")
    expect(progress.locator("h2")).to_contain_text("1 eviction refused, retrying")
    row = results.locator("tbody tr", has_text="web")
    expect(row).to_contain_text("needs 1 healthy pods and has 1 currently")
    expect(results.locator("tbody tr", has_text="evicted")).to_have_count(2)
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.set_viewport_size({"width": 1440, "height": 900})

    server.stop(signal.SIGKILL)
    rack.api.delete(f"{rack.budgets}/web")
    server.start()
    expect(progress.locator("h2")).to_contain_text(f"{rack.node} is drained", timeout=90_000)
    assert rack.cordoned()
    page.locator("#act-back").click()
    expect(preview).to_contain_text("Pods that run elsewhere stay where they are.")
    page.get_by_role("button", name=f"Uncordon {rack.node}").click()
    expect(page.locator("#change-progress")).to_contain_text(f"{rack.node} is schedulable")
    assert not rack.cordoned()


def test_it_is_stopped_and_resumed(page: Page, rack: Rack) -> None:
    page.goto(f"/c/tests/nodes/-/{rack.node}/drain/")
    page.get_by_label("Delete pods not managed by a controller").check()
    page.locator("#confirm").fill(rack.node)
    page.get_by_role("button", name=re.compile("evict 2 pods")).click()
    head, results = page.locator("#operation-progress h2"), page.locator("#operation-results")
    expect(head).to_contain_text("1 eviction refused, retrying")
    page.get_by_role("button", name="Stop the drain").click()
    expect(head).to_contain_text("The drain was stopped")
    expect(results.locator("tbody tr", has_text="web").locator(".st")).to_have_text("refused")
    rack.api.delete(f"{rack.budgets}/web")
    page.get_by_role("button", name="Resume the drain").click()
    expect(head).to_contain_text(f"{rack.node} is drained")
