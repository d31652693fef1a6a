"""The form of a new Service in the browser, by keyboard alone: what is said while somebody types, preview, creation."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")


def tab_to(page: Page, where: Locator) -> None:
    """Goes on with Tab until something has the focus."""
    expect(where).to_be_visible()
    for _ in range(60):
        if where.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not reach it.")


def test_a_service_is_made_by_keyboard_with_its_pods_in_sight(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    page.goto(f"/c/tests/services/?namespace={namespace}")
    create = page.locator("#act-create")
    expect(create).to_have_text("Create Service")
    create.focus()
    page.keyboard.press("Enter")
    name = page.get_by_role("textbox", name="Name", exact=True).or_(page.locator("#name"))
    tab_to(page, page.locator("#name"))
    page.keyboard.type("web")
    taken = page.locator("#said-name")
    expect(taken).to_contain_text(f"Service web is there already in namespace {namespace}.")
    expect(taken.get_by_role("link", name="Look at web")).to_be_visible()
    expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
    page.keyboard.type("-front")
    expect(taken).to_contain_text(f"Free in {namespace}; reached as web-front.{namespace}.svc")
    expect(page.locator("#name")).not_to_have_attribute("aria-invalid", "true")
    expect(name.first).to_be_focused()

    add = page.get_by_role("button", name="Label", exact=True)
    tab_to(page, page.locator("#selector-0-key"))
    page.keyboard.type("app.kubernetes.io/name")
    page.keyboard.press("Tab")
    page.keyboard.type("web")
    expect(page.locator("#said-selector-0")).to_have_text("1 pod")
    expect(page.locator("#preview")).to_contain_text("It would match 1 pod")
    objects.scale("web", 2)
    expect(page.locator("#said-selector-0")).to_have_text("2 pods")  # without a key pressed
    tab_to(page, add)
    page.keyboard.press("Enter")
    expect(page.locator("#selector-1-key")).to_be_focused()
    tab_to(page, page.locator('[data-rows="selector"] [data-remove-row]').nth(1))
    page.keyboard.press("Enter")
    expect(page.locator("#selector-1-key")).to_have_count(0)

    page.keyboard.press("Tab")
    tab_to(page, page.get_by_role("button", name="Preview", exact=True).last)
    page.keyboard.press("Enter")
    expect(page.locator("#said-ports")).to_contain_text("Enter at least one row of ports.")
    page.locator("#ports-0-port").focus()
    page.keyboard.type("80")
    page.keyboard.press("Enter")
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Create web-front")
    expect(page.locator("#preview h2").first).to_contain_text("web-front routes port 80 to")
    expect(page.locator("#name")).to_have_value("web-front")
    tab_to(page, apply)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("web-front")
    made = objects.api.get(f"/api/v1/namespaces/{namespace}/services/web-front")["spec"]
    assert made["selector"] == {"app.kubernetes.io/name": "web"} and made["ports"][0]["port"] == 80


def test_what_is_typed_goes_on_as_yaml(page: Page, namespace: str) -> None:
    page.goto(f"/c/tests/create/configmaps/?namespace={namespace}")
    page.locator("#name").fill("settings")
    page.locator("#data-0-key").fill("not a key")
    expect(page.locator("#said-data-0")).to_contain_text("A key has letters, digits")
    page.get_by_role("button", name="Go on in YAML").click()
    text = page.locator("#yaml")
    expect(text).to_have_count(1)
    assert "not a key" in text.input_value() and "name: settings" in text.input_value()
    expect(page).to_have_url(re.compile(r"/c/tests/create/$"))


def test_without_scripts_everything_typed_comes_back_with_what_is_wrong(page: Page, namespace: str) -> None:
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"/c/tests/create/services/?namespace={namespace}")
    page.locator("#name").fill("web")
    page.locator("#selector-0-key").fill("app")
    page.locator("#ports-0-port").fill("many")
    page.get_by_role("button", name="Preview", exact=True).last.click()
    expect(page.locator("#said-ports-0")).to_contain_text("is not a whole number")
    for at, text in (
        ("#name", "web"),
        ("#selector-0-key", "app"),
        ("#ports-0-port", "many"),
        ("#selector-1-key", ""),
    ):
        expect(page.locator(at)).to_have_value(text)


def test_whoever_leaves_a_form_with_something_typed_is_asked(page: Page, objects: Objects) -> None:
    page.goto(f"/c/tests/create/deployments/?namespace={objects.namespace}")
    page.locator("#image").fill("nginx:1.27")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("link", name="Ingress", exact=True).first.click()
    expect(page.locator("#image")).to_have_value("nginx:1.27")
    assert asked == ["What you typed is not saved. Leave this page?"]
