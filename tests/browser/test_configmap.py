"""Editing a ConfigMap in the browser, from the first look to the undo, alone and with somebody else."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tools.server import Server

from .conftest import Objects

SLUG = "tests"

pytestmark = pytest.mark.usefixtures("changes_allowed")
PROPERTIES = "# shop\r\nlog.level=info\r\nqueue=100\r\n"
NOTES = "two spaces at the end  \n\tno line ending here"
PNG = b"\x89PNG\r\n\x1a\n\0\xff"


class Settings:
    """A ConfigMap "settings", and what a colleague with kubectl sees and does of it."""

    def __init__(self, objects: Objects) -> None:
        self.api = objects.api
        self.path = f"/api/v1/namespaces/{objects.namespace}/configmaps"
        self.url = f"/c/{SLUG}/configmaps/{objects.namespace}/settings/"

    def make(self, **fields: Any) -> None:
        data = {"app.properties": PROPERTIES, "notes": NOTES, "flags.json": "{}\n"}
        binary = {"logo.png": base64.b64encode(PNG).decode()}
        self.api.post(
            self.path,
            {"metadata": {"name": "settings"}, "data": data, "binaryData": binary, **fields},
        )

    def get(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.path}/settings")
        return found

    @property
    def data(self) -> dict[str, str]:
        found: dict[str, str] = self.get()["data"]
        return found

    def write(self, key: str, text: str) -> None:
        self.api.patch(f"{self.path}/settings?fieldManager=kubectl-edit", {"data": {key: text}})


@pytest.fixture
def config(objects: Objects) -> Settings:
    return Settings(objects)


@pytest.fixture
def plain(browser: Browser, context: BrowserContext, server: Server) -> Iterator[Page]:
    """A signed-in browser that runs no scripts."""
    signed_in = context.storage_state()
    without = browser.new_context(base_url=server.base, java_script_enabled=False, storage_state=signed_in)
    yield without.new_page()
    without.close()


def text_of(page: Page, key: str) -> Any:
    return page.get_by_label(f"Text of {key}", exact=True)


def press(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def apply(page: Page) -> None:
    button = page.locator("[data-apply]")
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#change-progress")).to_be_visible()


def test_edit_preview_apply_follow_undo_by_keyboard_alone(page: Page, config: Settings) -> None:
    config.make()
    before = config.get()
    page.goto(config.url)
    page.locator("#act-edit").focus()
    page.keyboard.press("Enter")
    area = text_of(page, "app.properties")
    expect(area).to_have_value(PROPERTIES.replace("\r\n", "\n"))
    area.focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("new=1\n")
    expect(page.locator("[data-key]", has=area).locator("[data-lines]")).to_have_text("4 lines")
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("new=1")
    expect(page.locator("#preview")).to_contain_text("No pod and no workload here uses this ConfigMap")
    assert config.get() == before, "a preview writes nothing"
    apply(page)
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    assert config.data["app.properties"] == f"{PROPERTIES}new=1\r\n", "the new line ends as the others do"
    assert {**config.data, "app.properties": PROPERTIES} == before["data"]
    assert config.get()["binaryData"] == before["binaryData"]
    page.get_by_role("link", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_contain_text("new=1")
    apply(page)
    expect(page.locator("h1")).to_contain_text("Undo: edit")
    expect(page.locator("#change-progress")).to_contain_text("Undone")
    assert (config.data, config.get()["binaryData"]) == (before["data"], before["binaryData"])


@pytest.fixture
def jon(browser: Browser, server: Server) -> Iterator[Page]:
    """Another person, in a browser of his own."""
    context = browser.new_context(base_url=server.base)
    page = context.new_page()
    context.add_cookies(server.cookies("jon"))
    yield page
    context.close()


def test_two_people_at_once_see_each_other_and_the_later_one_chooses(
    page: Page, jon: Page, config: Settings
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "app.properties").fill("log.level=debug\n")
    text_of(page, "notes").fill("my notes")
    press(page, "Preview")
    expect(page.locator("[data-apply]")).to_be_visible()
    expect(page.locator("#edit-stale")).to_be_hidden()
    jon.goto(f"{config.url}edit/")
    text_of(jon, "app.properties").fill("log.level=warn\n")
    press(jon, "Preview")
    apply(jon)
    expect(page.locator("#edit-now")).to_contain_text("Last changed by jon")
    expect(page.locator("#edit-stale")).to_be_visible()
    expect(text_of(page, "app.properties")).to_have_value("log.level=debug\n")
    button = page.locator("[data-apply]")
    button.focus()
    page.keyboard.press("Enter")
    clash = page.locator(".clash")
    expect(clash).to_have_count(1)
    expect(clash).to_contain_text("changed by jon")
    expect(clash).to_contain_text("log.level=info")
    expect(clash).to_contain_text("log.level=warn")
    expect(clash).to_contain_text("log.level=debug")
    expect(text_of(page, "app.properties")).to_have_value("log.level=debug\n")
    assert config.data["notes"] == NOTES, "nothing is written in part"
    page.get_by_role("radio", name="Theirs: keep").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Mine: use")).to_be_checked()
    press(page, "Preview with these choices")
    expect(page.locator("#preview")).to_contain_text("log.level=warn")
    apply(page)
    assert (config.data["app.properties"], config.data["notes"]) == ("log.level=debug\r\n", "my notes")


def test_changes_of_other_keys_merge_and_it_is_said(page: Page, config: Settings) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("mine")
    config.write("flags.json", '{"a": 1}\n')
    expect(page.locator("#edit-now")).to_contain_text("Last changed by kubectl-edit")
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("flags.json was changed by somebody else")
    apply(page)
    assert (config.data["notes"], config.data["flags.json"]) == ("mine", '{"a": 1}\n')


def test_without_scripts_nothing_is_lost_and_nothing_untouched_is_written(
    plain: Page, config: Settings, tmp_path: Path
) -> None:
    config.make()
    before = config.get()
    plain.goto(f"{config.url}edit/")
    plain.get_by_role("button", name="Preview", exact=True).click()
    expect(plain.locator("#preview")).to_contain_text("Nothing to save")
    area = text_of(plain, "app.properties")
    area.fill(area.input_value() + "x=1\n")
    file = tmp_path / "other.bin"
    file.write_bytes(b"\0\r\n\xfe")
    plain.get_by_label("Upload a file as logo.png").set_input_files(file)
    plain.get_by_role("button", name="Preview", exact=True).click()
    expect(text_of(plain, "app.properties")).to_have_value(PROPERTIES.replace("\r\n", "\n") + "x=1\n")
    expect(plain.get_by_text("The file you chose (4 bytes) takes the place of this value.")).to_be_visible()
    plain.locator("[data-apply]").click()
    expect(plain.locator("#change-progress")).to_be_visible()
    assert config.data == {**before["data"], "app.properties": f"{PROPERTIES}x=1\r\n"}
    assert config.get()["binaryData"] == {"logo.png": base64.b64encode(b"\0\r\n\xfe").decode()}


def test_keys_are_added_renamed_deleted_uploaded_and_downloaded(
    page: Page, config: Settings, tmp_path: Path
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download logo.png").click()
    assert Path(download.value.path()).read_bytes() == PNG
    press(page, "Add a key")
    page.keyboard.type("extra")
    page.keyboard.press("Tab")
    page.get_by_label("Text of the new key", exact=True).last.fill("one\ntwo")
    page.get_by_label("Name of the key logo.png").fill("icon.png")
    page.get_by_label("Delete the key notes").focus()
    page.keyboard.press("Space")
    file = tmp_path / "flags"
    file.write_bytes(b'{"b": 2}\r\n')
    page.get_by_label("Upload a file as flags.json").set_input_files(file)
    press(page, "Preview")
    apply(page)
    assert config.data == {"app.properties": PROPERTIES, "extra": "one\ntwo", "flags.json": '{"b": 2}\r\n'}
    assert config.get()["binaryData"] == {"icon.png": base64.b64encode(PNG).decode()}


@pytest.mark.parametrize("name", ["a/b", "..", "a b"])
def test_a_bad_name_is_refused_in_words_and_stays_typed(page: Page, config: Settings, name: str) -> None:
    config.make()
    before = config.get()
    page.goto(f"{config.url}edit/")
    page.get_by_label("Name of the key notes").fill(name)
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text(f"“{name}” cannot name a key")
    key = page.get_by_label("Name of the key notes")
    expect(key).to_have_value(name)
    expect(key).to_be_focused()
    expect(key).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-key]", has=key)).to_contain_text("cannot name a key")
    expect(page.locator("[data-apply]")).to_have_count(0)
    assert config.get() == before


def test_an_answer_that_comes_before_its_script_is_marked_too(page: Page, config: Settings) -> None:
    config.make()
    held: list[Route] = []
    page.route("**/js/changes*.js", lambda route: held.append(route))
    page.goto(f"{config.url}edit/")
    page.get_by_label("Name of the key notes").fill("a b")
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("cannot name a key")
    key = page.get_by_label("Name of the key notes")
    expect(key).not_to_have_attribute("aria-invalid", "true")
    for route in held:
        route.continue_()
    expect(key).to_have_attribute("aria-invalid", "true")
    expect(key).to_be_focused()


def test_broken_json_is_named_with_its_line_and_saved_only_when_somebody_says_so(
    page: Page, config: Settings
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "flags.json").fill("{\n  a\n}\n")
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("flags.json, line 2")
    expect(page.get_by_role("heading", name="flags.json is invalid")).to_be_in_viewport()
    press(page, "Go to the line")
    area = text_of(page, "flags.json")
    expect(area).to_be_focused()
    assert area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "  a"
    expect(page.locator("[data-apply]")).to_have_count(0)
    page.get_by_label("Save flags.json although it is not valid JSON").focus()
    page.keyboard.press("Space")
    press(page, "Preview again")
    expect(page.locator("#preview")).to_contain_text("flags.json is saved although it is invalid")
    apply(page)
    assert config.data["flags.json"] == "{\n  a\n}\n"


def test_an_immutable_one_is_replaced_by_the_same_editor(page: Page, config: Settings) -> None:
    config.make(immutable=True)
    page.goto(config.url)
    expect(page.locator("#act-edit")).to_have_count(0)
    page.goto(f"{config.url}edit/")
    expect(page).to_have_url(re.compile("/settings/replace/$"))
    expect(page.locator("#page")).to_contain_text("settings is immutable: it can't be changed")
    expect(page.get_by_label("Name of the new ConfigMap")).to_have_value("settings-2")
    text_of(page, "notes").fill("new")
    press(page, "Preview")
    expect(page.locator("#preview .blast")).to_contain_text("ConfigMap settings-2 is created")
    page.get_by_role("button", name="Create settings-2").click()
    users = page.locator("#replacement-users")
    expect(users).to_contain_text("Nothing uses it.")
    expect(page.locator("#operation-progress")).to_contain_text("settings-2 was created")
    expect(users.get_by_role("link", name="Delete settings…")).to_have_attribute(
        "href", f"{config.url}delete/"
    )
    expect(page.locator("#act-back")).to_be_visible()


def test_those_who_see_it_only_after_a_restart_are_restarted_when_chosen(
    page: Page, config: Settings, objects: Objects
) -> None:
    config.make()
    labels = {"app": "web"}
    env = [{"configMapRef": {"name": "settings"}}]
    pod = {"containers": [{"name": "main", "image": "example/app:1", "envFrom": env}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    path = f"/apis/apps/v1/namespaces/{objects.namespace}/deployments"
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    objects.api.post(path, {"metadata": {"name": "web"}, "spec": spec})
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("new")
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("after a restart")
    page.get_by_label("Deployment web").focus()
    page.keyboard.press("Space")
    apply(page)
    assert config.data["notes"] == "new"
    assert objects.api.get(f"{path}/web")["metadata"]["generation"] == 2
    progress = page.locator("#change-progress")
    expect(progress).to_contain_text("Every pod that reads it", timeout=60_000)
    expect(progress).to_contain_text("web: rollout complete", timeout=60_000)
    progress.get_by_role("link", name="web: rollout complete").click()
    expect(page.locator("h1")).to_contain_text("Restart Deployment web")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_short_values_take_a_line_apply_stays_in_view_and_the_history_tells_values(
    page: Page, config: Settings, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    data = {"CURRENCY": "EUR", "LIMIT": "10", "long": "a line\n" * 300}
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": data})
    page.goto(config.url)
    # Values, not sizes; of a large one its beginning, and then its size.
    rows = page.locator("#keys .keyed > div")
    expect(rows.filter(has_text="CURRENCY").locator(".beginning")).to_have_text("EUR")
    expect(rows.filter(has_text="long")).to_contain_text("the beginning of")
    expect(rows.filter(has_text="CURRENCY").get_by_text("bytes")).to_be_hidden()
    page.goto(f"{config.url}edit/")
    for key in ("CURRENCY", "LIMIT"):
        name, text = page.get_by_label(f"Name of the key {key}", exact=True), text_of(page, key)
        lines = text.evaluate("each => each.clientHeight / parseFloat(getComputedStyle(each).lineHeight)")
        assert lines < 2, "its field is one line high"
        ones, others = name.bounding_box(), text.bounding_box()
        assert ones and others and abs(ones["y"] - others["y"]) < 8, "beside its name"
        assert ones["x"] < others["x"]
    text_of(page, "CURRENCY").fill("USD")
    press(page, "Preview")
    button = page.locator("[data-apply]")
    expect(button).to_be_visible()
    for at in ("0", "document.documentElement.scrollHeight"):
        page.evaluate(
            f"(document.querySelector('main') ?? document.documentElement).scrollTo(0, {at}); scrollTo(0, {at})"
        )
        expect(button).to_be_in_viewport(ratio=1)
    apply(page)
    namespace = config.url.split("/")[-3]
    page.goto("/changes/")
    entry = page.locator("tr", has_text=namespace)
    expect(entry.first).to_contain_text("EUR → USD")
    entry.get_by_role("link", name=re.compile("Undo")).first.click()
    apply(page)
    page.goto("/changes/")
    expect(entry.first).to_contain_text("Undo of change")
    expect(entry.first).to_contain_text("USD → EUR")


def test_values_are_read_when_somebody_asks(page: Page, config: Settings) -> None:
    config.make()
    page.goto(config.url)
    expect(page.locator("#values")).not_to_contain_text("log.level")
    expect(page.locator("#keys")).to_contain_text("log.level=info")
    config.write("CURRENCY", "EUR")
    expect(page.locator("#keys")).to_contain_text("EUR")
    page.get_by_role("link", name="Show the values in full").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#values")).to_contain_text("log.level=info")
    expect(page.locator("#values")).to_contain_text("binary")


def test_back_brings_the_editors_with_what_was_typed(page: Page, config: Settings) -> None:
    config.make()
    page.goto(config.url)
    page.locator("#act-edit").click()
    area = text_of(page, "notes")
    area.fill("typed")
    page.locator("#add-key").click()
    page.locator("#editors [data-key] .editor-h > input").last.fill("added")
    page.get_by_role("navigation", name="Kinds").get_by_role("link", name="Pods", exact=False).first.click()
    expect(page.locator("[data-note]")).to_contain_text("What you typed is kept")
    page.go_back()
    expect(page).to_have_url(re.compile("/edit/$"))
    expect(area).to_have_value("typed")
    page.go_back()
    expect(page.locator("#act-edit")).to_be_visible()
    page.go_forward()
    expect(area).to_have_value("typed")
    expect(page.locator("#editors [data-key] .editor-h > input").last).to_have_value("added")
    page.get_by_role("button", name="Preview", exact=True).first.click()
    expect(page.locator("#preview .diff .ins").first).to_be_visible()


@pytest.mark.usefixtures("own_session")
def test_what_was_typed_can_be_sent_after_signing_in_again(
    page: Page, context: BrowserContext, server: Server, config: Settings
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("typed")
    other = context.new_page()
    other.goto("/changes/")
    other.locator(".person summary").click()
    other.get_by_role("button", name="Sign out").click()
    expect(other).to_have_url(re.compile("/login/"))
    press(page, "Preview")
    expect(page.locator("[data-note]")).to_contain_text("You are signed out")
    other.context.add_cookies(server.cookies())
    press(page, "Preview")
    expect(page.locator("[data-note]")).to_contain_text("press the button again")
    press(page, "Preview")
    apply(page)
    assert config.data["notes"] == "typed"


def test_one_that_was_deleted_meanwhile_says_so_and_keeps_the_text(page: Page, config: Settings) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("typed")
    press(page, "Preview")
    button = page.locator("[data-apply]")
    expect(button).to_be_visible()
    config.api.delete(f"{config.path}/settings")
    expect(page.locator("#edit-gone")).to_contain_text("It was deleted while you were here")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_contain_text("There is no ConfigMap settings in namespace")
    expect(text_of(page, "notes")).to_have_value("typed")


MANY = {f"key-{number:04}": f"value {number}\n" for number in range(2500)}


def test_thousands_of_keys_are_found_and_opened_one_at_a_time(page: Page, config: Settings) -> None:
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": MANY})
    answer = page.goto(f"{config.url}edit/")
    assert answer is not None and len(answer.body()) <= 256 * 1024
    nodes = "document.querySelectorAll('*').length"
    assert page.evaluate(nodes) <= 5000
    expect(page.locator("textarea")).to_have_count(1)  # the one for a new key
    expect(page.locator("#keys")).to_contain_text("1–100 of 2500")
    page.get_by_role("button", name="Next keys").click()
    expect(page.locator("#keys")).to_contain_text("101–200 of 2500")
    page.get_by_role("searchbox", name="Part of a key's name").fill("1234")
    expect(page.locator("#keys li")).to_have_count(1)
    page.locator("#keys li button").click()
    area = text_of(page, "key-1234")
    expect(area).to_be_focused()
    expect(area).to_have_value("value 1234\n")
    expect(page.locator("#keys [data-mark]")).to_have_attribute("data-mark", "open")
    area.fill("mine\n")
    expect(page.locator("#keys [data-mark]")).to_have_attribute("data-mark", "changed")
    page.get_by_role("searchbox", name="Part of a key's name").fill("0001")
    page.locator("#keys [data-open='key-0001']").click()
    expect(text_of(page, "key-0001")).to_be_focused()
    page.get_by_label("Delete the key key-0001").check()
    config.write("key-0002", "theirs\n")
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None
    )
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("key-0002 was changed by somebody else")
    expect(page.locator("#preview .diff")).to_contain_text("mine")
    assert sent[0].count('name="row"') == 2, "only what was touched is sent"
    assert page.evaluate(nodes) <= 5000
    expect(page.locator("[data-apply]")).to_be_in_viewport()
    apply(page)
    after = config.data
    assert {key for key in MANY if after.get(key) != MANY[key]} == {"key-0001", "key-0002", "key-1234"}
    assert after["key-1234"] == "mine\n" and "key-0001" not in after


@pytest.mark.parametrize("where", ["", "yaml/", "values/"])
def test_no_page_of_thousands_of_keys_is_large(page: Page, config: Settings, where: str) -> None:
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": MANY})
    page.goto(f"/c/{SLUG}/configmaps/?namespace={config.url.split('/')[-3]}")
    expect(page.locator("#rows tr[data-name=settings]")).to_be_visible()  # the dashboard has heard of it
    page.goto(config.url + where)
    expect(page.locator("main")).to_contain_text("key-0001")
    assert page.evaluate("document.querySelectorAll('*').length") <= 5000


def test_what_is_done_before_the_script_of_the_form_has_come_is_not_lost(
    page: Page, config: Settings
) -> None:
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": MANY})
    held: list[Route] = []
    page.route("**/editor*.js", lambda route: held.append(route))
    page.goto(f"{config.url}edit/")
    page.get_by_role("button", name="Next keys").click()
    expect(page.locator("#keys")).to_contain_text("101–200 of 2500")
    page.get_by_role("searchbox", name="Part of a key's name").fill("1234")
    expect(page.locator("#keys li")).to_have_count(100)
    for route in held:
        route.continue_()
    expect(page.locator("#keys li")).to_have_count(1)


def test_a_search_that_nobody_answers_is_told_and_is_no_error_of_the_script(
    page: Page, config: Settings
) -> None:
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": MANY})
    page.goto(f"{config.url}edit/")
    page.route("**/edit/?page=1*", lambda route: route.abort())
    page.get_by_role("searchbox", name="Part of a key's name").fill("1234")
    expect(page.get_by_role("alert").filter(has_text="What is on screen is as it was before")).to_be_visible()
    expect(page.locator("#keys li")).to_have_count(100)
    page.unroute("**/edit/?page=1*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#keys li")).to_have_count(1)


def test_thousands_of_keys_without_scripts(plain: Page, config: Settings) -> None:
    config.api.post(config.path, {"metadata": {"name": "settings"}, "data": MANY})
    plain.goto(f"{config.url}edit/")
    find = plain.get_by_role("searchbox", name="Part of a key's name")
    for key in ("key-1234", "key-0002"):
        find.fill(key)
        plain.get_by_role("button", name="Find", exact=True).click()
        plain.locator("#keys li button").click()
        text_of(plain, key).fill("mine")
    plain.get_by_role("button", name="Preview", exact=True).click()
    expect(text_of(plain, "key-1234")).to_have_value("mine")
    plain.locator("[data-apply]").click()
    expect(plain.locator("#change-progress")).to_be_visible()
    after = config.data
    assert {key for key in MANY if after[key] != MANY[key]} == {"key-1234", "key-0002"}
    plain.goto(f"{config.url}values/")
    values = plain.locator("#values")
    expect(values.locator("section")).to_have_count(100)
    values.get_by_role("button", name="Next keys").click()
    expect(values).to_contain_text("101–200 of 2500")
    values.get_by_role("searchbox", name="Key").fill("key-1234")
    values.get_by_role("button", name="Find").click()
    expect(values.locator("section")).to_have_count(1)
    expect(values.locator("pre")).to_have_text("mine")


def test_text_changed_after_the_preview_is_previewed_anew_before_it_is_saved(
    page: Page, config: Settings
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("first")
    press(page, "Preview")
    expect(page.locator("[data-apply]")).to_be_visible()
    text_of(page, "notes").fill("second")
    page.locator("[data-apply]").click()
    expect(page.locator("#preview")).to_contain_text("This preview is new")
    assert config.data["notes"] == NOTES
    apply(page)
    assert config.data["notes"] == "second"


def test_a_file_too_large_for_any_config_map_is_refused_at_its_key(
    page: Page, config: Settings, tmp_path: Path
) -> None:
    config.make()
    page.goto(f"{config.url}edit/")
    text_of(page, "notes").fill("typed")
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(1024 * 1024 + 1))
    page.get_by_label("Upload a file as logo.png").set_input_files(file)
    press(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("large.bin has 1,048,577 bytes")
    expect(text_of(page, "notes")).to_have_value("typed")
