"""Creating from YAML in the browser: from a list, by a file, an error at its line, what was typed stays, apply, undo."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from sandbox.api import ApiError

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  LOG: info\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\nstringData:\n  password: canary-value\n"


def test_a_text_is_corrected_tried_created_and_undone(page: Page, objects: Objects, namespace: str) -> None:
    configmap = f"/api/v1/namespaces/{namespace}/configmaps/web"
    page.goto(f"/c/tests/networkpolicies/?namespace={namespace}")
    page.locator("#act-create").click()
    expect(page.locator("#namespace")).to_have_value(namespace)
    text = page.locator("#yaml")
    wrong = f"{SECRET}---\n{SETTINGS.replace('kind: ConfigMap', 'kind: ConfigMop')}"
    text.fill(wrong)
    preview = page.locator("button[value=preview]")
    preview.click()
    line = page.locator("#preview [data-line]")
    expect(line).to_have_count(1)
    line.click()
    expect(page.get_by_role("textbox", name="YAML")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "kind: ConfigMop"
    expect(text).to_have_value(wrong)

    text.fill(f"{SECRET}---\n{SETTINGS}")
    preview.click()
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Create 2 objects")
    assert "canary-value" not in page.locator("#preview").inner_text()
    apply.click()
    rows = page.locator("#operation-results tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator("#operation-progress h2")).to_contain_text("All 2 objects are there")
    assert objects.api.get(configmap)["data"] == {"LOG": "info"}
    told = page.request.get(re.sub(r"follow/.*", "?format=json", page.url)).json()
    said = [(each["object"], each["state"], each["text"]) for each in told["results"]]
    assert (
        told["done"]
        and told["undo_url"]
        and said
        == [
            (f"Secret {namespace}/web", "done", "Created the Secret"),
            (f"ConfigMap {namespace}/web", "done", "Created the ConfigMap"),
        ]
    )
    assert len({each["change"] for each in told["results"]}) == 2

    rows.filter(has_text="ConfigMap").get_by_role("link", name="Follow or undo").click()
    page.locator("#change-undo a").click()
    undo = page.locator("[data-apply]")
    expect(undo).to_be_visible()
    undo.click()
    expect(page.locator("#change-progress")).to_contain_text("is gone")
    with pytest.raises(ApiError):
        objects.api.get(configmap)
    assert objects.api.get(f"/api/v1/namespaces/{namespace}/secrets/web")


def test_a_file_is_chosen_or_dropped_and_added_to_the_text(page: Page, namespace: str) -> None:
    page.goto(f"/c/tests/create/?namespace={namespace}")
    expect(page.locator("[data-read]")).to_be_visible()
    file = page.locator("#yaml-file")
    file.set_input_files({"name": "a.yaml", "mimeType": "text/plain", "buffer": SETTINGS.encode()})
    text = page.locator("#yaml")
    expect(text).to_have_value(SETTINGS)
    drop = """(field, text) => {
      const data = new DataTransfer();
      data.items.add(new File([text], "b.yaml"));
      for (const type of ["dragover", "drop"]) {
        field.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
      }
    }"""
    page.locator(".cm-content").evaluate(drop, SECRET)
    expect(text).to_have_value(f"{SETTINGS}---\n{SECRET}")
    expect(page.locator(".cm-line", has_text="kind: Secret")).to_be_visible()
    file.set_input_files({"name": "big.yaml", "mimeType": "text/plain", "buffer": b"#" * 2**20})
    expect(page.get_by_text("Too much for one request")).to_be_visible()
    expect(text).to_have_value(f"{SETTINGS}---\n{SECRET}")


def test_the_palette_leads_to_the_form(page: Page) -> None:
    page.goto("/c/tests/pods/")
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("create from")
    page.get_by_role("option", name=re.compile("Create from YAML")).click()
    expect(page).to_have_url(re.compile(r"/c/tests/create/$"))


@pytest.mark.parametrize("secret", [True, False])
def test_without_scripts_what_was_typed_comes_back_but_no_secret(
    page: Page, namespace: str, secret: bool
) -> None:
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"/c/tests/create/?namespace={namespace}")
    typed = (SECRET if secret else SETTINGS).replace("metadata", "metadatum")
    page.locator("#yaml").fill(typed)
    page.locator("button[value=preview]").click()
    expect(page.locator("#preview .callout")).to_contain_text("metadata")
    expect(page.locator("#namespace")).to_have_value(namespace)
    if secret:
        assert "canary-value" not in page.content()
        expect(page.locator("#yaml-hint")).to_contain_text("never sent back")
    else:
        expect(page.locator("#yaml")).to_have_value(typed)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"a": "canary-value"}}',
        "apiVersion: v1\nkind: SecretList\nitems: [{metadata: {name: web}, stringData: {a: canary-value}}]\n",
    ],
)
def test_what_holds_a_secret_is_not_kept_however_that_is_written(
    page: Page, namespace: str, text: str
) -> None:
    page.goto(f"/c/tests/create/?namespace={namespace}")
    expect(page.locator("[data-read]")).to_be_visible()
    page.locator("#yaml").fill(text)
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_role("link", name="Overview", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/c/tests/\?"))
    assert len(asked) == 1


def test_rights_are_given_by_filling_in_what_the_editor_begins_with(
    page: Page, objects: Objects, namespace: str
) -> None:
    page.goto(f"/c/tests/rolebindings/?namespace={namespace}")
    page.locator("#act-create").click()
    text = page.locator("#yaml")
    expect(text).to_have_value(re.compile("kind: RoleBinding\n"))
    begun = text.input_value()
    preview = page.locator("button[value=preview]")
    preview.click()
    expect(page.locator("#preview [data-line]").first).to_have_text("Line 3")
    text.fill(re.sub(r"name:$", "name: anna", begun, flags=re.MULTILINE))
    preview.click()
    page.locator("[data-apply]").click()
    expect(page.locator("#change-progress, #operation-progress").first).to_be_visible()
    made = objects.api.get(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/anna")
    assert (made["roleRef"]["name"], made["subjects"][0]["name"]) == ("view", "anna")


def test_a_file_takes_the_place_of_what_the_editor_begins_with(page: Page, namespace: str) -> None:
    page.goto(f"/c/tests/create/?kind=rolebindings&namespace={namespace}")
    expect(page.locator("[data-read]")).to_be_visible()
    file = page.locator("#yaml-file")
    file.set_input_files({"name": "a.yaml", "mimeType": "text/plain", "buffer": SETTINGS.encode()})
    expect(page.locator("#yaml")).to_have_value(SETTINGS)
