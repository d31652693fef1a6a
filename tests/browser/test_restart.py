"""Restarting a workload and deleting a pod in the browser, from the object's page to the end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"

pytestmark = pytest.mark.usefixtures("changes_allowed")


def pods(objects: Objects) -> dict[str, Any]:
    items = objects.api.get(f"/api/v1/namespaces/{objects.namespace}/pods")["items"]
    return {item["metadata"]["name"]: item for item in items if not item["metadata"].get("deletionTimestamp")}


def ready(page: Page, namespace: str, count: int) -> None:
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    cells = page.locator("#rows [data-col=ready]").filter(has_text="1/1")
    expect(cells).to_have_count(count, timeout=60_000)


def test_restart_follow_and_undo_by_keyboard_alone(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 2)
    ready(page, namespace, 2)
    before = set(pods(objects))
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    page.locator("#act-restart").focus()
    page.keyboard.press("Enter")
    apply = page.locator("[data-apply]")
    expect(apply).to_contain_text("Restart web")
    expect(page.locator("#preview")).to_contain_text("2 pods are replaced")
    expect(page.locator("#preview")).to_contain_text(f"kubectl rollout restart deployment/web -n {namespace}")
    assert set(pods(objects)) == before, "a preview restarts nothing"
    apply.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete", timeout=60_000)
    after = set(pods(objects))
    assert len(after) == 2 and not before & after
    expect(page.locator("#change-undo")).to_contain_text("A restart can't be undone")
    page.get_by_role("link", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_contain_text("This restarts it again")
    undo = page.locator("[data-apply]")
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete", timeout=60_000)
    page.goto("/changes/")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("restart")
    expect(first).to_contain_text("Deployment web")


def test_a_pod_is_deleted_and_its_successor_followed(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    ready(page, namespace, 1)
    name = next(iter(pods(objects)))
    page.goto(f"/c/{SLUG}/pods/{namespace}/{name}/")
    page.locator("#act-delete").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Deployment web creates a new one")
    expect(preview).to_contain_text("This cannot be undone.")
    page.locator("input[name=grace]").fill("soon")
    expect(page.locator("#change")).to_contain_text("not a whole number")
    expect(page.locator("[data-apply]")).to_have_count(0)
    page.locator("input[name=grace]").fill("0")
    expect(preview).to_contain_text("Without a grace period")
    expect(preview).to_contain_text("--grace-period=0 --force")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text("replaces it", timeout=60_000)
    expect(page.locator("#change-undo")).to_contain_text("restored")
    expect(page.get_by_role("link", name="Undo")).to_have_count(0)


def test_a_naked_pod_is_deleted_only_when_its_name_is_typed(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("alone")
    ready(page, namespace, 1)
    page.goto(f"/c/{SLUG}/pods/{namespace}/alone/delete/")
    expect(page.locator("#preview")).to_contain_text("alone is deleted permanently")
    page.locator("input[name=confirm]").fill("alon")
    page.locator("[data-apply].danger").click()
    expect(page.locator("#preview")).to_contain_text("Type the Pod's name")
    expect(page.locator("input[name=confirm]")).to_have_value("alon")
    assert "alone" in pods(objects)
    page.locator("input[name=confirm]").fill("alone")
    page.locator("[data-apply].danger").click()
    expect(page.locator("#change-progress")).to_contain_text("alone is gone", timeout=60_000)


def test_a_blocked_eviction_says_which_budget_and_what_to_do(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    objects.api.post(
        f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
        {
            "metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}}},
        },
    )
    ready(page, namespace, 1)
    name = next(iter(pods(objects)))
    page.goto(f"/c/{SLUG}/pods/{namespace}/{name}/delete/")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("A disruption budget protects it")
    expect(preview).to_contain_text("scale the workload up")
    expect(page.locator("[data-apply]")).to_have_count(0)
