"""What changed: live on its page and on the object's, and marked in a list for who comes back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .conftest import Objects, until


def test_a_change_appears_with_its_field_while_somebody_looks(page: Page, objects: Objects) -> None:
    page.goto("/c/tests/deployments/")  # somebody looks: from now on it is recorded
    objects.deployment("web", 2)
    expect(page.locator('#rows tr[data-name="web"]').first).to_be_visible()
    page.goto(f"/c/tests/timeline/?namespace={objects.namespace}&kind=deployments")
    expect(page.locator("#moments")).to_contain_text("was created")
    objects.scale("web", 3)
    changed = page.locator("#moments > li", has_text="spec.replicas")
    expect(changed).to_contain_text("2")
    expect(changed).to_contain_text("3")


def test_an_objects_timeline_tells_of_its_pods(page: Page, objects: Objects) -> None:
    page.goto("/c/tests/pods/")
    objects.deployment("api", 1)
    expect(page.locator(f'#rows tr[data-namespace="{objects.namespace}"]').first).to_be_visible()
    page.goto(f"/c/tests/deployments/{objects.namespace}/api/timeline/")
    moments = page.locator("#moments")
    expect(moments).to_contain_text("was created")
    expect(moments).not_to_contain_text("ScalingReplicaSet")  # a normal Event is one click away
    page.get_by_role("link", name="Everything", exact=True).click()
    expect(moments).to_contain_text("ScalingReplicaSet")
    expect(moments.locator("> li", has_text="Pod api-").first).to_be_visible()


def test_rows_that_changed_since_the_reader_last_looked_have_a_mark(page: Page, objects: Objects) -> None:
    objects.deployment("web", 1)
    page.goto("/c/tests/deployments/")
    row = page.locator(f'#rows tr[data-namespace="{objects.namespace}"][data-name="web"]')
    expect(row).to_be_visible()
    expect(page.locator("#since")).to_be_hidden()
    page.locator('#kinds a[data-nav="nodes"]').click()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    expect(page.locator("#rows tr").first).to_be_visible()
    # The change has to be later than the leaving by the clock's whole seconds.
    page.evaluate("window.left = Math.floor(Date.now() / 1000)")
    until(page, lambda: page.evaluate("Math.floor(Date.now() / 1000) > window.left"))
    objects.scale("web", 2)
    path = f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/web"
    until(
        page, lambda: objects.api.get(path)["status"].get("readyReplicas") == 2
    )  # it changes no more after the return
    page.locator('#kinds a[data-nav="deployments"]').click()
    expect(row).to_have_class("since-look")
    expect(page.locator("#since")).to_contain_text("since you last looked")
    page.locator("#since a").click()
    expect(page.locator("#moments")).to_contain_text("spec.replicas")
