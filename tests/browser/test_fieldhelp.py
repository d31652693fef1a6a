"""Help with the fields of a text in the editor, by keyboard alone: what they mean, what to choose from, what is wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")

TEXT = """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  a: |
    replica: 1
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replica: 1
  paused: 5
  minReadySeconds: "5"
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, replica: x}
    spec:
      containers:
      - name: main
        image: example/app:1
"""


def value(page: Page) -> str:
    return page.locator("#yaml").input_value()


def press(page: Page, *keys: str) -> None:
    """Keys for a list of completions that is seen: for 75 ms after it has opened, the editor takes none for it."""
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    for key in keys:
        page.keyboard.press(key)


def test_fields_are_explained_completed_and_checked_while_they_are_typed(
    page: Page, objects: Objects, namespace: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/fields/" in request.url else None)
    page.goto(f"/c/tests/create/?namespace={namespace}")
    expect(page.locator(".cm-content")).to_be_visible()
    page.get_by_role("textbox", name="YAML").focus()
    page.keyboard.insert_text(TEXT)

    # What its schema does not know is marked, with what was probably meant; keys of a map and of a text are not.
    marked = page.locator(".cm-lintRange-warning")
    expect(marked).to_have_text(["replica", "5", '"5"'])
    help_ = page.get_by_role("region", name="Field help")
    page.keyboard.press("F8")
    assert page.evaluate("getSelection().toString()") == "replica"
    expect(help_).to_contain_text("Deployment has no field spec.replica. Did you mean replicas?")

    # The field at the cursor, of the document that it is in; read out without taking the focus.
    page.keyboard.type("replicas")
    expect(marked).to_have_text(["5", '"5"'])
    expect(help_.locator("[aria-live=polite]")).to_contain_text("spec.replicas integer")
    expect(help_).to_contain_text("Number of desired pods.")
    expect(page.get_by_role("textbox", name="YAML")).to_be_focused()

    # Names to choose from, what is there already not among them, then the values that the field may have.
    page.keyboard.press("Control+End")
    page.keyboard.type("        imagePu")
    choices = page.get_by_role("listbox")
    expect(choices.get_by_role("option")).to_have_count(1)
    expect(choices.get_by_role("option")).to_contain_text("imagePullPolicy")
    press(page, "Enter")
    expect(choices.get_by_role("option")).to_have_text(["Always", "IfNotPresent", "Never"])
    expect(help_.locator("[aria-live=polite]")).to_contain_text("One of Always, IfNotPresent, Never")
    press(page, "ArrowDown", "Enter")
    assert value(page).endswith("\n        imagePullPolicy: IfNotPresent")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Space")
    expect(choices.get_by_role("option").first).to_be_visible()
    assert choices.get_by_role("option", name="imagePullPolicy").count() == 0
    page.keyboard.type("por")
    press(page, "Enter")
    assert value(page).endswith("\n        ports:\n        - ")
    page.keyboard.press("Control+Space")
    expect(choices.get_by_role("option").first).to_contain_text("containerPort")
    page.keyboard.press("Escape")

    # The server was asked for fields alone, and for each once; it was never sent what was typed.
    assert len(asked) == len(set(asked)) and len(asked) < 15
    assert not any("replica:" in url or "example" in url or "settings" in url for url in asked)


def test_without_an_answer_everything_else_works(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    page.route("**/fields/**", lambda route: route.abort())
    page.goto(f"/c/tests/deployments/{namespace}/web/edit/")
    expect(page.locator(".cm-content")).to_be_visible()
    expect(page.get_by_role("region", name="Field help")).to_contain_text("No field help.")
    page.locator(".cm-line", has_text="replicas:").click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.type("2")
    page.locator("button[value=preview]").click()
    expect(page.locator("[data-apply]")).to_have_text("Update web")
    expect(page.locator(".cm-lintRange-warning")).to_have_count(0)
