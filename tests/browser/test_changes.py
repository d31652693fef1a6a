"""Changes made here, and the command on every page of an object."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"

pytestmark = pytest.mark.usefixtures("changes_allowed")


def test_each_filter_is_a_page_of_its_own_for_back_and_forward(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/scale/")
    page.locator("input[name=replicas]").fill("2")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    page.goto(f"/c/{SLUG}/")
    page.locator(".person summary").click()
    page.get_by_role("link", name="Changes made here").click()
    name = page.locator("input[name=q]")
    page.get_by_label("What", exact=True).select_option("scale")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"/changes/\?action=scale$"))
    name.fill("nothing-is-called-so")
    page.keyboard.press("Enter")
    expect(page.locator("#page")).to_contain_text("No change matches")
    expect(page).to_have_url(re.compile("q=nothing-is-called-so$"))
    page.go_back()
    expect(page.locator("tbody tr").first).to_contain_text("Scale")
    expect(name).to_have_value("")
    page.go_back()
    expect(page).to_have_url(re.compile("/changes/$"))
    expect(page.get_by_label("What", exact=True)).to_have_value("")
    page.go_forward()
    expect(page.get_by_label("What", exact=True)).to_have_value("scale")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile(f"/c/{SLUG}/$"))


def test_who_and_when_and_undo_are_on_screen_beside_a_long_reason(
    page: Page, objects: Objects, namespace: str
) -> None:
    key = "a-long-name-" * 15
    objects.api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "long"}, "data": {key: "1"}}
    )
    page.goto(f"/c/{SLUG}/configmaps/{namespace}/long/edit/")
    page.get_by_label(f"Text of {key}").fill("2")
    page.get_by_role("button", name="Preview", exact=True).click()
    page.locator("[data-apply]").click()
    expect(page.locator("#change-progress")).to_be_visible()
    page.goto("/changes/")
    expect(page.locator("tbody tr").first).to_contain_text(key)
    box = page.locator(".scroll-x")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("width", [1440, 320])
def test_every_page_of_an_object_shows_the_command_and_fits(
    page: Page, objects: Objects, namespace: str, width: int
) -> None:
    objects.deployment("web", 1)
    objects.pod("alone")
    objects.api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}}
    )
    page.set_viewport_size({"width": width, "height": 800})
    pages = {
        f"deployments/{namespace}/web": ("", "yaml/", "events/", "scale/", "restart/"),
        f"pods/{namespace}/alone": ("", "yaml/", "events/", "logs/", "delete/"),
        f"configmaps/{namespace}/settings": ("", "yaml/", "events/", "values/", "edit/"),
    }
    for path, parts in pages.items():
        for part in parts:
            page.goto(f"/c/{SLUG}/{path}/{part}")
            command = page.locator("#page .kubectl code").first
            expect(command).to_contain_text("kubectl ")
            expect(command).to_contain_text(path.rpartition("/")[2])
            expect(command).to_contain_text(namespace)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path}/{part}"


OBJECTS = {
    "services": ("api/v1", {"spec": {"ports": [{"port": 80}]}}),
    "configmaps": ("api/v1", {"data": {"a": "1"}}),
    "networkpolicies": ("apis/networking.k8s.io/v1", {"spec": {"podSelector": {}}}),
}


@pytest.mark.parametrize("plural", OBJECTS)
def test_a_deletion_is_undone_from_the_list_and_after_a_full_load(
    page: Page, objects: Objects, namespace: str, plural: str
) -> None:
    api, spec = OBJECTS[plural]
    path = f"/{api}/namespaces/{namespace}/{plural}"
    objects.api.post(path, {"metadata": {"name": "web"}} | spec)
    page.goto(f"/c/{SLUG}/{plural}/{namespace}/web/delete/")
    page.locator("[data-apply]").click()
    expect(page.locator("#change-progress")).to_contain_text("web is gone")
    page.goto("/changes/")
    page.locator("tbody tr").first.get_by_role("link", name=re.compile("^Undo Delete of")).click()
    create = page.get_by_role("button", name="Create web again")
    expect(create).to_be_enabled()
    page.reload()
    expect(page.locator("#object-now")).to_contain_text("Now: deleted")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    expect(create).to_be_enabled()
    expect(page.locator("[data-outdated]")).to_have_count(0)
    create.click()
    expect(page.locator("#change-progress")).to_contain_text("web is there again")
    assert objects.api.get(f"{path}/web")["metadata"]["name"] == "web"


@pytest.mark.parametrize("height", [560, 844])
def test_the_field_that_has_the_focus_is_not_under_the_dock(
    page: Page, objects: Objects, height: int
) -> None:
    page.set_viewport_size({"width": 390, "height": height})
    page.goto(f"/c/tests/namespaces/-/{objects.namespace}/delete/")
    expect(page.locator(".decide [data-apply]")).to_be_attached()
    for name in ("[name=propagation]", "#reason", "#confirm"):
        page.evaluate("scrollTo(0, 0)")
        page.locator(name).evaluate("field => field.focus()")
        covered = page.evaluate(
            """name => { const r = document.querySelector(name).getBoundingClientRect();
            const at = document.elementFromPoint(r.left + r.width / 2, r.bottom - 2);
            return at !== document.querySelector(name); }""",
            name,
        )
        assert not covered, name


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_what_is_typed_for_the_apply_stays_beside_its_button(
    page: Page, objects: Objects, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    for number in range(12):
        objects.pod(f"pod-{number}")
    page.goto(f"/c/tests/namespaces/-/{objects.namespace}/delete/")
    reason, confirm = page.locator("#reason"), page.locator("#confirm")
    apply = page.locator("[data-apply]")
    for at in ("0", "document.documentElement.scrollHeight"):
        expect(apply).to_be_visible()
        page.evaluate(
            f"(document.querySelector('main') ?? document.documentElement).scrollTo(0, {at}); scrollTo(0, {at})"
        )
        for each in (reason, confirm, apply):
            expect(each).to_be_in_viewport(ratio=1)

    # Neither another preview nor a refusal takes it away.
    reason.fill("no longer needed")
    confirm.fill("wrong")
    made = page.locator("[name=token]").input_value()
    page.get_by_label("What it owns").select_option("Foreground")
    page.locator(".fields").get_by_role("button", name="Preview").click()
    expect(page.locator("[name=token]")).not_to_have_value(made)
    expect(reason).to_have_value("no longer needed")
    apply.click()
    expect(confirm).to_have_attribute("aria-invalid", "true")
    expect(confirm).to_be_focused()
    expect(reason).to_have_value("no longer needed")
    confirm.fill(objects.namespace)
    expect(page.locator("#consent")).to_have_count(1)
    apply.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("main")).to_contain_text("no longer needed")
