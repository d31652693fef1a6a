"""Rolling a Deployment back, from its page to the end of the rollout and back again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tools.server import Server

from .conftest import Objects, until

pytestmark = pytest.mark.usefixtures("changes_allowed")


def release(objects: Objects, image: str, cause: str) -> None:
    objects.api.patch(
        f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/web",
        {
            "metadata": {"annotations": {"kubernetes.io/change-cause": cause}},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
        },
    )


def images(objects: Objects) -> set[str]:
    pods = objects.api.get(f"/api/v1/namespaces/{objects.namespace}/pods")["items"]
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return {pod["spec"]["containers"][0]["image"] for pod in living}


def test_a_revision_is_chosen_previewed_followed_and_undone(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    revision = page.locator("main").get_by_text("Revision", exact=True).locator("xpath=..")
    expect(revision).to_contain_text("1")
    for number in (2, 3):
        release(objects, f"registry.example/app:{number}", f"release {number}")
        expect(revision).to_have_text(re.compile(rf"Revision\s*{number}\s*release {number}"))
    # Until then pods of revision 1 are kept, not replaced.
    until(page, lambda: images(objects) == {"registry.example/app:3"}, "the third release is rolled out")
    page.locator("#act-rollback").click()
    compare = page.locator("#compare")
    expect(compare.get_by_label("from")).to_have_value("3")
    compare.get_by_label("from").select_option("1")
    compare.get_by_label("to").select_option("2")
    compare.get_by_role("button", name="Compare").click()
    expect(compare.locator(".del").filter(has_text="image: example/app:1")).to_have_count(1)
    expect(compare.locator(".ins").filter(has_text="image: registry.example/app:2")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?from=1&to=2"))
    rows, preview = page.get_by_role("radiogroup", name="Revision"), page.locator("#preview")
    expect(rows.locator("label")).to_have_count(3)
    expect(rows.locator("label").first).to_contain_text("Current")
    expect(rows.get_by_role("radio")).to_have_count(2)  # which leaves out the current one
    expect(rows.get_by_role("radio", name=re.compile("Revision 2"))).to_be_checked()
    expect(preview).to_contain_text("--to-revision=2")  # what kubectl would take is previewed at once
    rows.get_by_role("radio", name=re.compile("Revision 2")).focus()
    page.keyboard.press("ArrowDown")
    expect(preview).to_contain_text(f"kubectl rollout undo deployment/web -n {namespace} --to-revision=1")
    expect(preview.locator(".ins").filter(has_text="image: example/app:1")).to_have_count(1)
    expect(preview).to_contain_text("2 pods are replaced")
    page.get_by_role("button", name="Roll back web").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete")
    assert images(objects) == {"example/app:1"}
    page.get_by_role("link", name="Undo").click()
    expect(preview).to_contain_text("--to-revision=3")
    page.get_by_role("button", name="Roll back web").click()
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete")
    assert images(objects) == {"registry.example/app:3"}


def test_what_is_paused_says_how_to_go_on(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    objects.api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/web", {"spec": {"paused": True}})
    page.goto(f"/c/tests/deployments/{namespace}/web/rollback/")
    refusal = page.locator("main .callout")
    expect(refusal).to_contain_text("is paused, and can't be rolled back")
    expect(refusal).to_contain_text("kubectl rollout resume deployment/web")
    expect(page.locator("#preview")).to_have_count(0)


def test_who_made_a_revision_is_told_and_two_are_compared_without_scripts(
    browser: Browser, server: Server, session: StorageState, page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/tests/deployments/{namespace}/web/image/")
    page.get_by_label("main").fill("registry.example/app:2")
    page.get_by_label("Reason").fill("the second one")
    page.get_by_role("button", name="Update web").click()
    expect(page.locator("#change-progress")).to_contain_text("web: rollout complete")
    release(objects, "registry.example/app:3", "from elsewhere")
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    revision = page.locator("main").get_by_text("Revision", exact=True).locator("xpath=..")
    expect(revision).to_have_text(re.compile(r"Revision\s*3"))
    plain = browser.new_context(
        base_url=server.base, storage_state=session, java_script_enabled=False
    ).new_page()
    plain.goto(f"/c/tests/deployments/{namespace}/web/rollback/")
    rows = plain.get_by_role("radiogroup", name="Revision").locator("label")
    expect(rows.nth(0)).to_contain_text("last written by field manager")
    expect(rows.nth(1)).to_contain_text(re.compile(r"the second one\s*\S+ with Cluster UI, change \d+"))
    expect(rows.nth(2)).not_to_contain_text("Cluster UI")
    compare = plain.locator("#compare")
    compare.get_by_label("from").select_option("2")
    compare.get_by_label("to").select_option("3")
    compare.get_by_role("button", name="Compare").click()
    expect(compare).to_contain_text("from revision 2 to revision 3")
    expect(compare.locator(".ins").filter(has_text="image: registry.example/app:3")).to_have_count(1)
    plain.goto(f"/c/tests/deployments/{namespace}/web/rollback/?from=2&to=9")
    expect(compare).to_contain_text("Deployment web has no revision 9: 3, 2 and 1 are kept.")
    expect(compare.get_by_label("from")).to_have_value("2")
