"""Editing as YAML in the browser: an editor with its keys, or a text area where it is lost; an error at its line, what
was typed stays, preview, apply, undo.
"""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tools.server import Server

from .conftest import WIDE, Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")


@pytest.fixture
def form(page: Page, objects: Objects, namespace: str) -> Page:
    """The form of a Deployment, once its editor is there."""
    objects.deployment("web", 1)
    page.goto(f"/c/tests/deployments/{namespace}/web/edit/")
    expect(page.locator(".cm-content")).to_be_visible()
    return page


def value(page: Page) -> str:
    """What the form would send."""
    return page.locator("#yaml").input_value()


def test_a_remedy_of_the_resilience_report_is_filled_in_and_alone_is_written(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/tests/deployments/{namespace}/web/edit/?remedy=spread-nodes")
    editor = page.get_by_role("textbox", name="YAML")
    expect(editor).to_contain_text("topologySpreadConstraints:")
    expect(page.locator("#yaml-hint")).to_contain_text("The suggested change is filled in")
    page.locator("button[value=preview]").click()
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Update web")
    apply.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    found = objects.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    (rule,) = found["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert (rule["topologyKey"], rule["labelSelector"]) == (
        "kubernetes.io/hostname",
        found["spec"]["selector"],
    )


def test_an_error_leads_to_its_line_and_what_is_right_is_applied_and_undone(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/tests/deployments/{namespace}/web/")
    page.locator("#act-edit").click()
    editor = page.get_by_role("textbox", name="YAML")
    replicas = page.locator(".cm-line", has_text="replicas:")
    expect(replicas).to_have_text("  replicas: 1")
    wrong = value(page).replace("replicas: 1\n", "replicas: many\n")
    replicas.click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.type("many")
    assert value(page) == wrong
    page.locator("button[value=preview]").click()
    line = page.locator("#preview [data-line]")
    expect(line).to_have_count(1)
    expect(page.locator("[data-apply]")).to_have_count(0)
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    expect(page.locator(".cm-lintRange-error").first).to_contain_text("replicas")
    line.click()
    expect(editor).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "  replicas: many"
    assert value(page) == wrong
    page.keyboard.type("  replicas: 2")
    page.locator("button[value=preview]").click()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(0)
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Update web")
    assert objects.replicas("web") == 1, "a preview writes nothing"
    apply.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    assert objects.replicas("web") == 2
    page.get_by_role("link", name="Undo").click()
    undo = page.locator("[data-apply]")
    expect(undo).to_be_visible()
    undo.click()
    expect(page.locator("#change-progress")).to_be_visible()
    assert objects.replicas("web") == 1


def test_keys_and_values_have_colours_and_lines_their_numbers(form: Page) -> None:
    accent = form.evaluate(
        """() => {
          const probe = document.createElement("i");
          document.body.append(probe);
          probe.style.color = "var(--accent)";
          return getComputedStyle(probe).color;
        }"""
    )
    key = form.locator(".cm-line span", has_text="apiVersion").first
    expect(key).to_have_css("color", accent)
    expect(form.locator(".cm-lineNumbers .cm-gutterElement").nth(1)).to_have_text("1")


def test_tab_indents_and_there_is_a_way_out(form: Page) -> None:
    line = form.locator(".cm-line", has_text="kind: Deployment")
    line.click()
    form.keyboard.press("Tab")
    expect(line).to_have_text("  kind: Deployment")
    form.keyboard.press("Shift+Tab")
    expect(line).to_have_text("kind: Deployment")
    editor = form.get_by_role("textbox", name="YAML")
    expect(editor).to_be_focused()
    expect(form.locator("#yaml-keys")).to_contain_text("Esc, then Tab")
    assert "yaml-keys" in (editor.get_attribute("aria-describedby") or "")
    form.keyboard.press("Escape")
    form.keyboard.press("Tab")
    expect(form.locator(".fields button[value=preview]")).to_be_focused()
    form.keyboard.press("Shift+Tab")
    expect(editor).to_be_focused()
    form.keyboard.press("Tab")  # only passing through
    expect(form.locator(".fields button[value=preview]")).to_be_focused()
    assert form.url.endswith("/edit/")


def test_what_is_wrong_with_the_text_describes_the_editor(form: Page) -> None:
    editor = form.get_by_role("textbox", name="YAML")
    editor.click()
    form.keyboard.press("Control+a")
    form.keyboard.insert_text("kind: [")
    form.locator("button[value=preview]").click()
    expect(editor).to_be_focused()
    expect(editor).to_have_attribute("aria-invalid", "true")
    wrong = form.locator("#wrong")
    expect(wrong).to_be_visible()
    expect(editor).to_have_attribute("aria-describedby", re.compile(r"\bwrong\b"))
    editor.fill("")
    form.locator("button[value=preview]").click()
    expect(wrong).to_contain_text("no manifest")


def test_text_is_found_and_replaced(form: Page) -> None:
    form.get_by_role("textbox", name="YAML").click()
    form.keyboard.press("Control+f")
    form.get_by_role("textbox", name="Find").fill("example/app:1")
    form.get_by_role("textbox", name="Replace").fill("example/app:2")
    form.get_by_role("button", name="replace all").click()
    assert "image: example/app:2\n" in value(form)
    form.keyboard.press("Escape")
    expect(form.locator(".cm-search")).to_have_count(0)
    expect(form.get_by_role("textbox", name="YAML")).to_be_focused()


def test_back_brings_the_editor_with_what_was_typed(form: Page) -> None:
    form.get_by_role("textbox", name="YAML").click()
    form.keyboard.type("#typed")
    was = value(form)
    form.locator(".crumbs a").first.click()
    expect(form.locator("[data-note]")).to_contain_text("What you typed is kept")
    form.get_by_role("button", name="Go back to it").click()
    expect(form.locator(".cm-content")).to_contain_text("#typed")
    assert value(form) == was
    form.get_by_role("textbox", name="YAML").click()
    form.keyboard.type("again-")
    form.locator("button[value=preview]").click()
    expect(form.locator("#preview .callout, #preview .diff").first).to_be_visible()
    assert "again-" in value(form) and form.locator(".cm-editor").count() == 1


def test_a_long_text_is_sent_as_it_was_typed(form: Page) -> None:
    notes = "".join(f"# {number:06} {'x' * 90}\n" for number in range(3_000))
    pasted = "(field, text) => { field.value = text; field.dispatchEvent(new Event('input')); }"
    text = notes + value(form).replace("replicas: 1", "replicas: 3")
    form.locator("#yaml").evaluate(pasted, text)
    form.locator(".cm-content").click()
    form.keyboard.press("Control+Home")
    form.keyboard.type("#")
    form.locator("button[value=preview]").click()
    expect(form.locator("#preview .diff .ins")).to_have_count(1)
    assert value(form).startswith("## 000000 x")
    assert form.locator(".cm-line").count() < 500, "only what is seen is on the page"


def test_where_the_editor_is_lost_the_text_area_does(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    lost: list[str] = []
    page.route("**/vendor/codemirror/**", lambda route: (lost.append(route.request.url), route.abort()))
    page.goto(f"/c/tests/deployments/{namespace}/web/edit/")
    text = page.get_by_label("YAML")
    text.fill(text.input_value().replace("replicas: 1\n", "replicas: many\n"))
    line = page.locator("#preview [data-line]")
    page.locator("button[value=preview]").click()
    line.click()
    chosen = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert text.evaluate(chosen) == "  replicas: many"
    assert lost
    expect(page.locator(".cm-editor")).to_have_count(0)
    expect(page.locator("#yaml-keys")).to_be_hidden()
    page.unroute("**/vendor/codemirror/**")
    # It is asked for again, and takes over what was typed meanwhile.
    expect(page.locator(".cm-line", has_text="replicas: many")).to_be_visible()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)


def test_a_selection_that_the_editor_has_not_heard_of_is_typed_over_without_inline_styles(form: Page) -> None:
    """The page's fixture fails at what the policy refuses."""
    form.locator(".cm-line", has_text="kind: Deployment").click()
    form.evaluate(
        """() => {
          const stop = (event) => event.stopImmediatePropagation();
          window.addEventListener("selectionchange", stop, {capture: true});
          const text = (line) => document.createTreeWalker(line, NodeFilter.SHOW_TEXT).nextNode();
          const [, kind, metadata] = document.querySelectorAll(".cm-line");
          getSelection().setBaseAndExtent(text(kind), 1, text(metadata), 1);
        }"""
    )
    form.keyboard.insert_text("x")
    assert "\nkxetadata:\n" in value(form)
    form.keyboard.type("y")
    assert "\nkxyetadata:\n" in value(form)


def test_of_two_people_at_once_the_second_save_is_refused_and_loses_nothing_that_was_typed(
    page: Page, browser: Browser, server: Server, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    url = f"/c/tests/deployments/{namespace}/web/edit/"

    def typed(on: Page, image: str) -> str:
        line = on.locator(".cm-line", has_text="image: example/app")
        line.click()
        on.keyboard.press("End")
        for _ in "1":
            on.keyboard.press("Backspace")
        on.keyboard.type(image)
        return value(on)

    page.goto(url)
    expect(page.locator(".cm-content")).to_be_visible()
    mine = typed(page, "mara")
    page.locator("button[value=preview]").first.click()
    expect(page.locator("[data-apply]")).to_be_visible()
    page.locator("#reason").fill("a new build")
    with closing(browser.new_context(base_url=server.base, viewport=WIDE)) as context:
        context.add_cookies(server.cookies("jon"))
        other = context.new_page()
        other.goto(url)
        expect(other.locator(".cm-content")).to_be_visible()
        typed(other, "jon")
        other.locator("button[value=preview]").first.click()
        other.locator("[data-apply]").click()
        expect(other).to_have_url(re.compile(r"/changes/\d+/"))

    page.locator("[data-apply]").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("It changed meanwhile")
    expect(preview).to_contain_text("was changed by jon since you looked")
    expect(preview).to_contain_text("Nothing was written. What you typed is kept.")
    assert value(page) == mine
    assert "image: example/app:mara" in page.locator(".cm-content").inner_text()
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    (container,) = objects.api.get(path)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example/app:jon", "nothing was overwritten"

    # It is previewed anew, and applied only when somebody decides so.
    expect(preview.locator(".diff .del")).to_contain_text("example/app:jon")
    expect(preview.locator(".diff .ins")).to_contain_text("example/app:mara")
    expect(page.locator("#reason")).to_have_value("a new build")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    (container,) = objects.api.get(path)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example/app:mara"
