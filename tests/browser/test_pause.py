"""Pausing a Deployment and resuming it, from its page to the end of the rollout that had waited."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")

IMAGE = "example/app:2"


def test_what_is_paused_rolls_out_when_it_is_resumed(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    expect(page.locator("#act-resume")).to_have_count(0)
    page.locator("#act-pause").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("web rolls out nothing until it is resumed")
    expect(preview).to_contain_text("Scaling still works")
    expect(preview).to_contain_text(f"kubectl rollout pause deployment/web -n {namespace}")
    page.get_by_role("button", name="Pause web").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text("web is paused")
    container = {"name": "main", "image": IMAGE}
    objects.api.patch(
        f"/apis/apps/v1/namespaces/{namespace}/deployments/web",
        {"spec": {"template": {"spec": {"containers": [container]}}}},
        content_type="application/strategic-merge-patch+json",
    )
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    expect(page.locator("#act-pause")).to_have_count(0)
    page.locator("#act-resume").click()
    expect(preview).to_contain_text("2 pods are replaced")
    page.get_by_role("button", name="Resume web").click()
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete")
    pods = objects.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    assert {pod["spec"]["containers"][0]["image"] for pod in living} == {IMAGE}
    page.get_by_role("link", name="Undo").click()
    expect(preview).to_contain_text(f"kubectl rollout pause deployment/web -n {namespace}")
    page.get_by_role("button", name="Pause web").click()
    expect(page.locator("#change-progress")).to_contain_text("web is paused")
