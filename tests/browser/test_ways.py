"""Ways about: the picker of namespaces, back to the list one came from, the keys of a row that has the focus."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"


def open_picker(page: Page) -> None:
    page.locator("#namespaces summary").click()
    expect(page.locator("#namespaces [type=search]")).to_be_focused()


def test_the_picker_of_namespaces_follows_the_cluster_and_keeps_what_was_ticked(
    page: Page, objects: Objects, namespace: str
) -> None:
    page.goto(f"/c/{SLUG}/pods/")
    open_picker(page)
    ticked = page.locator(f"#namespaces [value={namespace}]")
    ticked.check()
    name = f"test-{secrets.token_hex(4)}"
    later = page.locator(f"#namespaces [value={name}]")
    expect(later).to_have_count(0)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    objects.api.post("/api/v1/namespaces", body)
    expect(later).to_have_count(1)
    expect(ticked).to_be_checked()
    expect(page.locator("#namespaces")).to_have_attribute("open", "")
    objects.api.delete(f"/api/v1/namespaces/{name}")
    expect(later).to_have_count(0)
    expect(ticked).to_be_checked()


def test_a_namespace_is_found_by_a_part_of_its_name_and_chosen_by_enter(page: Page, namespace: str) -> None:
    page.goto(f"/c/{SLUG}/pods/?q=web&sort=-age")
    expect(page.locator("#filter [name=q]")).to_have_value("web")
    open_picker(page)
    page.keyboard.type(namespace[5:])
    shown = page.locator("#namespaces [name=namespace]:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_value(namespace)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"namespace={namespace}"))
    expect(page).to_have_url(re.compile("q=web"))
    expect(page.locator("#ns-summary")).to_have_text(namespace)
    open_picker(page)
    page.keyboard.type("no-namespace-is-called-so")
    expect(page.locator("#namespaces [data-none]")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#namespaces")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("#namespaces")).not_to_have_attribute("open", "")


def test_escape_leads_back_to_the_list_as_it_was(page: Page, objects: Objects, namespace: str) -> None:
    for name in ("web-a", "web-b", "db"):
        objects.pod(name, tier="front")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    page.locator("#filter [name=q]").fill("web")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.locator("#sort-name").click()
    expect(page.locator("#sort-name").locator("xpath=ancestor::th")).to_have_attribute(
        "aria-sort", "ascending"
    )
    filtered = page.url
    assert "q=web" in filtered and "sort=name" in filtered
    row = page.locator("#rows tr[data-name=web-b] th a")
    row.click()
    expect(page.locator("h1")).to_contain_text("web-b")
    page.keyboard.press("y")
    expect(page.locator("#tab-yaml")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Escape")
    expect(page).to_have_url(filtered)
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(row).to_be_focused()
    # Without a list that one came from, the crumbs tell the way.
    page.goto(f"/c/{SLUG}/pods/{namespace}/web-a/")
    expect(page.locator("h1")).to_contain_text("web-a")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(rf"/pods/\?namespace={namespace}$"))


def test_keys_work_on_the_row_that_has_the_focus(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    for plural, key, tab in (
        ("deployments", "y", "yaml"),
        ("deployments", "l", "logs"),
        ("services", "e", "events"),
    ):
        page.goto(f"/c/{SLUG}/{plural}/?namespace={namespace}")
        expect(page.locator("#rows tr")).to_have_count(1)
        page.keyboard.press("j")
        expect(page.locator("#rows th a")).to_be_focused()
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"/{plural}/{namespace}/web/{tab}/$"))
    # In a list of pods on another page it is the pod that is meant, not the page's own object.
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    pod = page.locator("#pods th a")
    pod.focus()
    page.keyboard.press("y")
    expect(page).to_have_url(re.compile(f"/pods/{namespace}/web-.*/yaml/$"))
