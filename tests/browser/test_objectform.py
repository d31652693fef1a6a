"""An object edited by form in the browser, by keyboard: what is said while somebody types, a conflict, the change."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")
WEB = {"app.kubernetes.io/name": "web"}


def tab_to(page: Page, where: Locator) -> None:
    """Goes on with Tab until something has the focus."""
    expect(where).to_be_visible()
    for _ in range(80):
        if where.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not reach it.")


def service_of(objects: Objects) -> dict[str, object]:
    found: dict[str, object] = objects.api.get(f"/api/v1/namespaces/{objects.namespace}/services/web")["spec"]
    return found


def test_a_service_is_edited_by_keyboard_with_its_pods_in_sight(page: Page, objects: Objects) -> None:
    objects.deployment("web", 2)
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 0}]
    objects.api.post(
        f"/api/v1/namespaces/{objects.namespace}/services",
        {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": WEB, "ports": ports}},
    )
    before = service_of(objects)
    page.goto(f"/c/tests/services/{objects.namespace}/web/")
    offer = page.locator("#act-form")
    expect(offer).to_have_text("Edit by form…")
    offer.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Edit by form")
    expect(page.locator("#type")).to_have_value("NodePort")
    expect(page.locator("#selector-0-value")).to_have_value("web")
    expect(page.locator("#preview")).to_contain_text("It would match 2 pods")
    expect(page.locator("#preview")).to_contain_text("No changes yet.")

    tab_to(page, page.locator("#selector-0-value"))
    page.keyboard.press("End")
    page.keyboard.type("-2")
    expect(page.locator("#said-selector-0")).to_contain_text("no pod in")
    expect(page.locator("#preview .ins")).to_contain_text("web-2")
    for _ in range(2):
        page.keyboard.press("Backspace")
    expect(page.locator("#said-selector-0")).to_have_text("2 pods")
    tab_to(page, page.locator("#ports-0-port"))
    page.keyboard.press("Control+A")
    page.keyboard.type("81")
    expect(page.locator("#preview .ins")).to_contain_text("port: 81")
    page.keyboard.press("Enter")
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Update web")
    expect(page.locator("#preview")).to_contain_text("It no longer answers on port 80 (http)")
    tab_to(page, apply)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("web")
    expect(page.locator("#change")).to_have_count(0)
    after = service_of(objects)
    old, new = before["ports"][0], after["ports"][0]  # type: ignore[index]
    assert (new["port"], {**new, "port": 80}) == (81, old)
    assert {**after, "ports": 0} == {**before, "ports": 0}


def test_what_somebody_else_changed_meanwhile_is_said_and_nothing_typed_is_lost(
    page: Page, objects: Objects
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/tests/deployments/{objects.namespace}/web/form/")
    page.locator("#image").fill("example/app:3")
    page.get_by_role("button", name="Variable", exact=True).click()
    page.locator("#env-0-name").fill("LOG")
    page.locator("#env-0-from").fill("debug")
    path = f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/web"
    theirs = {"name": "main", "image": "example/app:2"}
    objects.api.patch(path, {"spec": {"template": {"spec": {"containers": [theirs]}}}})
    page.get_by_role("button", name="Preview", exact=True).last.click()
    expect(page.locator("#preview [role=alert]")).to_contain_text("It changed meanwhile")
    expect(page.locator("#image")).to_have_value("example/app:3")
    page.locator("[data-apply]").click()
    expect(page.locator("#change")).to_have_count(0)
    (made,) = objects.api.get(path)["spec"]["template"]["spec"]["containers"]
    assert (made["image"], made["env"]) == ("example/app:3", [{"name": "LOG", "value": "debug"}])


def test_without_scripts_everything_typed_comes_back_with_what_is_wrong(page: Page, objects: Objects) -> None:
    objects.service("web")
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"/c/tests/services/{objects.namespace}/web/form/")
    page.locator("#type").select_option("NodePort")
    page.locator("#ports-0-port").fill("many")
    page.get_by_role("button", name="Preview", exact=True).last.click()
    expect(page.locator("#said-ports-0")).to_contain_text("is not a whole number")
    expect(page.locator("#ports-0-port")).to_have_value("many")
    expect(page.locator("#type")).to_have_value("NodePort")
    page.locator("#ports-0-port").fill("8080")
    page.get_by_role("button", name="Preview", exact=True).last.click()
    page.locator("[data-apply]").click()
    expect(page.locator("#change")).to_have_count(0)
    assert service_of(objects)["type"] == "NodePort"


def test_an_object_without_a_form_leads_to_its_yaml(page: Page, objects: Objects) -> None:
    objects.api.post(
        f"/api/v1/namespaces/{objects.namespace}/services",
        {"metadata": {"name": "db"}, "spec": {"type": "ExternalName", "externalName": "db.example.com"}},
    )
    page.goto(f"/c/tests/services/{objects.namespace}/db/form/")
    expect(page.locator("main")).to_contain_text("This can't be done now")
    page.get_by_role("link", name="Edit as YAML").click()
    expect(page.locator("#yaml")).to_have_count(1)
