"""The form of a new Service in the browser, by keyboard alone: what is said while somebody types, preview, creation."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tools.server import Server

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


def test_back_and_forward_bring_what_was_typed(page: Page, objects: Objects) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/tests/create/deployments/?namespace={objects.namespace}")
    page.locator("#image").fill("nginx:1.27")
    page.locator("#name").fill("front")
    add = page.get_by_role("button", name="Variable", exact=True)
    page.locator("#env-0-name").fill("A")
    add.click()
    page.locator("#env-1-name").fill("B")
    page.locator("#env-1-source").select_option("configmaps")
    page.locator("#service").check()

    def as_typed() -> None:
        for at, text in (("#image", "nginx:1.27"), ("#env-1-name", "B"), ("#env-1-source", "configmaps")):
            expect(page.locator(at)).to_have_value(text)
        expect(page.locator("#service")).to_be_checked()

    page.get_by_role("link", name="Ingress", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Create Ingress")
    expect(page.locator("[data-note]")).to_contain_text("What you typed is kept")
    page.locator("#name").fill("shop")
    page.go_back()
    expect(page).to_have_title(re.compile("Deployment"))
    as_typed()
    expect(page.locator("#page [data-note]")).to_have_count(0)
    page.locator("#name").fill("late")  # it lives: what is typed is checked
    expect(page.locator("#said-name")).to_contain_text("Free in")
    expect(page.locator("#preview")).to_contain_text("name: late")
    page.go_forward()
    expect(page.locator("#name")).to_have_value("shop")
    page.go_back()
    as_typed()

    page.get_by_role("button", name="Go on in YAML").click()
    text = page.locator("#yaml")
    expect(text).to_have_value(re.compile("name: late"))
    page.go_back()
    as_typed()
    page.go_forward()
    expect(text).to_have_value(re.compile("name: late"))
    page.locator("button[value=preview]").first.click()
    expect(page.locator("#preview")).to_contain_text("late")


def test_what_was_sent_is_done_with(page: Page, namespace: str) -> None:
    page.goto(f"/c/tests/configmaps/?namespace={namespace}")
    page.locator("#act-create").click()
    page.locator("#name").fill("settings")
    page.locator("#data-0-key").fill("LOG")
    page.get_by_role("button", name="Preview", exact=True).last.click()
    page.locator("[data-apply]").click()
    expect(page.locator("h1")).to_contain_text("settings")
    page.go_back()
    expect(page.locator("#name")).to_have_value("")


def test_a_secret_that_was_typed_is_kept_by_nothing_so_leaving_asks(page: Page, namespace: str) -> None:
    page.goto(f"/c/tests/create/secrets/?namespace={namespace}")
    page.locator("#name").fill("db")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("link", name="Ingress", exact=True).first.click()
    expect(page.locator("#name")).to_have_value("db")
    assert asked == ["What you typed is not saved. Leave this page?"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Ingress", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Create Ingress")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Create Secret")
    expect(page.locator("#name")).to_have_value("")


@pytest.mark.usefixtures("own_session")
def test_what_is_typed_outlives_the_session(page: Page, server: Server) -> None:
    """The forms stay, and are sent once somebody has signed in again in another tab."""
    form, yaml = page, page.context.new_page()
    typed = ((form, "create/deployments/", "#image"), (yaml, "create/", "#yaml"))
    for tab, address, field in typed:
        tab.goto(f"/c/tests/{address}")
        tab.locator(field).fill("typed: 1")
    proof = {"csrfmiddlewaretoken": page.locator("[name=csrfmiddlewaretoken]").first.input_value()}
    page.request.post("/logout/", form=proof, headers={"Referer": f"{server.base}/"})
    for tab, _, field in typed:
        tab.get_by_role("button", name="Preview", exact=True).last.click()
        expect(tab.locator("[data-note]")).to_contain_text("What you typed is still here")
        expect(tab.locator(field)).to_have_value("typed: 1")
    page.context.clear_cookies()
    page.context.add_cookies(server.cookies())
    for tab, _, field in typed:
        for _ in range(2):  # the first press renews what proves that the form is ours
            tab.get_by_role("button", name="Preview", exact=True).last.click()
        expect(tab.locator("#preview .callout.bad")).to_be_visible()
        expect(tab.locator(field)).to_have_value("typed: 1")
