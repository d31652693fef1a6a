"""Clusters are added, looked at and removed by the keyboard; the page is legible for everybody, also at 320 pixels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tests.cluster.test_added_clusters import connection
from tests.kubeconfigs import TOKEN, kubeconfig
from tools.server import Server

from .test_accessibility import AXE

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture(scope="module")
def dashboard(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own: what is added here is in nobody else's list."""
    with Server(tmp_path_factory.mktemp("clusters") / "home", cluster.kubeconfig) as server:
        yield server


@pytest.fixture
def page(browser: Browser, dashboard: Server) -> Iterator[Page]:
    context = browser.new_context(base_url=dashboard.base, viewport={"width": 1440, "height": 900})
    context.add_cookies(dashboard.cookies())
    yield context.new_page()
    context.close()


def wide(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def flaws(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]


def test_a_cluster_is_added_looked_at_and_removed_by_the_keyboard(page: Page, cluster: Sandbox) -> None:
    reached, user = connection(cluster)
    page.goto("/clusters/")
    page.get_by_label("Kubeconfig", exact=True).fill(
        kubeconfig("second", server=reached["server"], cluster=reached, user=user)
    )
    page.get_by_role("button", name="Check").focus()
    page.keyboard.press("Enter")
    offered = page.locator("#preview fieldset")
    expect(offered).to_contain_text(reached["server"])
    expect(offered).to_contain_text("v1.")
    expect(page.get_by_label("Kubeconfig", exact=True)).to_have_value(re.compile("second"))
    production = offered.get_by_label(re.compile("^Production"))
    production.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Add", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("second is added.")).to_be_visible()
    expect(page.get_by_label("Kubeconfig", exact=True)).to_have_value("")
    row = page.locator("#cluster-second")
    expect(row).to_contain_text("Production")
    look = page.get_by_role("button", name="Look at second")
    look.focus()
    page.keyboard.press("Enter")
    expect(row).not_to_contain_text("Not looked at")
    expect(row).to_contain_text(re.compile(r"v1\.\d+"))
    card = page.locator(".clusters li", has_text="added here by owner")
    card.locator("summary", has_text="Change rules").focus()
    page.keyboard.press("Enter")
    card.get_by_label(re.compile("^Production")).uncheck()
    card.get_by_label("Type second to change its rules").press_sequentially("second")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The rules of second are changed.")).to_be_visible()
    expect(row).not_to_contain_text("Production")
    card.locator("summary", has_text="Remove").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Type second to confirm").press_sequentially("second")
    page.keyboard.press("Enter")
    expect(page.get_by_text("second is removed, and its credentials are forgotten.")).to_be_visible()
    expect(row).to_have_count(0)


def test_a_context_is_made_read_only_again_and_its_forms_say_so(page: Page) -> None:
    page.goto("/clusters/")
    allow, forbid = (
        page.get_by_role("button", name=name) for name in ("Allow changes in tests", "Make read-only: tests")
    )
    allow.press("Enter")
    expect(page.get_by_text("Changes are allowed in tests.")).to_be_visible()
    page.goto("/c/tests/create/configmaps/?namespace=default")
    expect(page.locator("#name")).to_be_visible()
    page.locator("#name").fill("late")
    with page.context.new_page() as other:
        other.goto("/clusters/")
        other.get_by_role("button", name="Make read-only: tests").press("Enter")
        expect(other.get_by_text("tests is read-only.")).to_be_visible()
    page.get_by_role("button", name="Preview", exact=True).last.click()
    expect(page.locator("#preview .callout.bad")).to_contain_text("read-only")
    expect(page.locator("#name")).to_have_value("late")
    page.goto("/clusters/")
    expect(forbid).to_have_count(0)
    expect(allow).to_be_visible()


def test_what_is_refused_stands_beside_the_form_and_nothing_typed_is_lost(page: Page) -> None:
    page.goto("/clusters/")
    text = kubeconfig("good", server=NOWHERE) + "---\n"
    page.get_by_label("Kubeconfig", exact=True).fill(text)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#preview [role=alert]")).to_contain_text("not YAML")
    expect(page.get_by_label("Kubeconfig", exact=True)).to_have_value(text)
    page.get_by_label("Kubeconfig", exact=True).fill(kubeconfig("good", server="http://10.0.0.1"))
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#preview")).to_contain_text("is not https")
    expect(page.get_by_role("button", name="Add", exact=True)).to_have_count(0)
    assert TOKEN not in page.locator("#preview").inner_html()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_and_its_preview_are_accessible_and_fit(
    browser: Browser, dashboard: Server, theme: str
) -> None:
    context = browser.new_context(
        base_url=dashboard.base, viewport={"width": 1440, "height": 900}, color_scheme=theme, bypass_csp=True
    )
    context.add_cookies(dashboard.cookies())
    page = context.new_page()
    page.goto("/clusters/")
    refused = kubeconfig("refused", server="http://10.0.0.1")
    page.get_by_label("Kubeconfig", exact=True).fill(kubeconfig("one", "two", server=NOWHERE))
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#preview fieldset")).to_have_count(2)
    assert flaws(page) == []
    for width in (320, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wide(page) == 0, width
    page.get_by_label("Kubeconfig", exact=True).fill(refused)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#preview")).to_contain_text("Can’t be added")
    assert flaws(page) == []
    context.close()


def test_the_rows_follow_by_themselves_and_keep_the_focus(
    page: Page, dashboard: Server, tmp_path: Path
) -> None:
    page.goto("/clusters/")
    link = page.locator("#overview tbody tr").first.get_by_role("link").first
    link.focus()
    path = tmp_path / "late"
    path.write_text(kubeconfig("late", server=NOWHERE))
    dashboard.manage("clusters", "add", str(path))
    expect(page.locator("#cluster-late")).to_contain_text("Not looked at")
    expect(link).to_be_focused()
    dashboard.manage("clusters", "remove", "late")
    expect(page.locator("#cluster-late")).to_have_count(0)
