"""Events in the browser: those that say the same are one, narrowed by address and by typing, with what an object made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"


class Reporter:
    """Writes Events as a controller does."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.written = 0

    def tell(self, kind: str, about: dict[str, Any], reason: str, message: str, count: int = 1) -> None:
        self.written += 1
        now = datetime.now(UTC)
        meta = about["metadata"]
        self.objects.api.post(
            f"/api/v1/namespaces/{self.objects.namespace}/events",
            {
                "metadata": {"name": f"{meta['name']}.{self.written}"},
                "involvedObject": {
                    "kind": kind,
                    "namespace": self.objects.namespace,
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
                "type": "Warning",
                "reason": reason,
                "message": message,
                "count": count,
                "firstTimestamp": (now - timedelta(minutes=7)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "lastTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "source": {"component": "reporter"},
            },
        )


def test_a_workloads_events_are_with_those_of_its_pods_grouped_and_counted(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    (pod,) = objects.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    reporter = Reporter(objects)
    reporter.tell("Pod", pod, "Moody", "It sulks", count=3)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/events/")
    moody = page.locator("#events tr", has_text="It sulks")
    expect(moody).to_contain_text(re.compile(r"×3 over \d+m"))
    reporter.tell("Pod", pod, "Moody", "It sulks", count=4)
    expect(moody).to_contain_text("×7 over")
    expect(moody).to_have_count(1)
    page.locator("#events-made").click()
    expect(page).to_have_url(re.compile("made=0"))
    expect(moody).to_have_count(0)
    expect(page.locator(".foot .kubectl")).to_have_text(
        re.compile(rf"^\s*kubectl events --for deployments/web -n {namespace}\s*$")
    )


def test_a_secrets_events_are_on_its_page(page: Page, objects: Objects, namespace: str) -> None:
    secret = objects.api.post(
        f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "db"}, "stringData": {"a": "b"}}
    )
    Reporter(objects).tell("Secret", secret, "Stale", "It should be rotated")
    page.goto(f"/c/{SLUG}/secrets/{namespace}/db/events/")
    expect(page.locator("#events tr")).to_contain_text("It should be rotated")


def test_the_list_is_narrowed_by_typing_and_by_address(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("one")
    objects.pod("two")
    pods = objects.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    reporter = Reporter(objects)
    for pod in pods:
        reporter.tell("Pod", pod, "Moody", f"{pod['metadata']['name']} sulks")
    page.goto(f"/c/{SLUG}/events/?namespace={namespace}&type=Warning&reason=Moody")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.locator("#filter [name=object]").fill("pod/one")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"type=Warning&reason=Moody&object=pod%2Fone"))
    reporter.tell("Pod", pods[0], "Moody", "once more")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.reload()
    expect(page.locator("#filter [name=reason]")).to_have_value("Moody")
    expect(page.locator("#rows tr")).to_have_count(2)
