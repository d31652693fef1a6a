"""Rotating a Secret in the browser: from the first look to the undo by keyboard; bad values; a server that dies."""

from __future__ import annotations

import base64
import re
import signal
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tools.server import Server

from .conftest import Objects, faulty, until

pytestmark = pytest.mark.usefixtures("changes_allowed")

SLUG = "tests"
OLD = "old-password-1234"


class Shop:
    """A Secret, and Deployments that start only with a password of at least twelve characters."""

    def __init__(self, objects: Objects) -> None:
        self.api, self.namespace = objects.api, objects.namespace
        self.secrets = f"/api/v1/namespaces/{self.namespace}/secrets"
        self.api.post(
            self.secrets,
            {"metadata": {"name": "database"}, "stringData": {"password": OLD, "username": "shop"}},
        )

    def workload(self, name: str, replicas: int = 1, requires: str = r"\S{12,}", **probe: Any) -> None:
        """One that is up: what is not when a value goes round comes last, and stops nobody."""
        labels = {"app.kubernetes.io/name": name}
        source = {"secretKeyRef": {"name": "database", "key": "password"}}
        container = {
            "name": "main",
            "image": "example/app:1",
            "env": [{"name": "DB_PASSWORD", "valueFrom": source}],
            **probe,
        }
        annotations = {"requires.sandbox.cluster-ui.dev/DB_PASSWORD": requires}
        self.api.post(
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments",
            {
                "metadata": {"name": name},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": {"containers": [container]},
                    },
                },
            },
        )
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        until = time.monotonic() + 120
        while self.api.get(path).get("status", {}).get("readyReplicas", 0) < replicas:
            assert time.monotonic() < until, f"{name} does not come up"
            time.sleep(0.2)

    def value(self, key: str = "password") -> str:
        return base64.b64decode(self.api.get(f"{self.secrets}/database")["data"][key]).decode()

    def generation(self, name: str) -> int:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        return int(self.api.get(path)["metadata"]["generation"])

    @property
    def page(self) -> str:
        return f"/c/{SLUG}/secrets/{self.namespace}/database/"


@pytest.fixture
def shop(objects: Objects) -> Shop:
    return Shop(objects)


def tab_to(page: Page, selector: str, limit: int = 120) -> None:
    """Moves the focus there with Tab alone."""
    for _ in range(limit):
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_rotate_preview_apply_follow_undo_by_keyboard_alone(page: Page, shop: Shop) -> None:
    shop.workload("web", 2)
    page.goto(shop.page)
    expect(page.locator("#keys")).to_contain_text("17 bytes")
    tab_to(page, "#act-rotate")
    page.keyboard.press("Enter")
    expect(page.locator("#change")).to_be_visible()
    tab_to(page, "input[name=key]")
    page.keyboard.press("Space")
    expect(page.locator("input[name=key][value=password]")).to_be_checked()
    tab_to(page, "[data-generate]")
    page.keyboard.press("Enter")
    value = page.locator("[name=value]")
    expect(value).to_have_value(re.compile(r"^[A-Za-z0-9]{32}$"))
    typed = value.input_value()
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Rotate password")
    expect(page.locator("#preview")).to_contain_text("Deployment web")
    expect(page.locator("#preview")).to_contain_text("change the password in the database")
    assert typed not in page.locator("#page").inner_html()
    assert shop.value() == OLD, "a preview writes nothing"
    tab_to(page, "[data-apply]")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/changes/\d+/follow/rotate/"))
    assert shop.value() == typed
    expect(page.locator("#operation-progress")).to_contain_text("Stage 1")
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated", timeout=60_000)
    expect(page.locator("#rotation-pods")).to_contain_text("the new one in 2 of 2", timeout=60_000)
    tab_to(page, "#act-back")
    page.keyboard.press("Enter")
    expect(page.locator("[data-apply]")).to_have_text("Restore password")
    tab_to(page, "[data-apply]")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Restore")
    assert shop.value() == OLD
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated", timeout=60_000)
    assert shop.generation("web") == 3


def test_several_keys_are_rotated_at_once(page: Page, shop: Shop) -> None:
    shop.workload("web")
    page.goto(f"{shop.page}rotate/")
    page.get_by_role("link", name="Rotate several keys at once").click()
    password, username = (page.locator(f"[name='value.{key}']") for key in ("password", "username"))
    page.get_by_role("button", name="Generate a value of password").click()
    expect(password).not_to_have_value("")
    made = password.input_value()
    apply = page.locator("[data-apply]")
    expect(apply).to_have_text("Rotate password")
    username.fill("shop-2")
    expect(apply).to_have_text("Rotate 2 keys")
    expect(page.locator("#preview")).to_contain_text("web restarts")
    assert password.input_value() == made and made not in page.locator("#preview").inner_html()
    apply.click()
    expect(page.locator("#act-head, main")).to_contain_text(
        "Wrote new values of password and username", timeout=60_000
    )
    assert (shop.value(), shop.value("username")) == (made, "shop-2")


def test_what_is_typed_stays_through_preview_and_conflict(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.page}rotate/?key=password")
    field = page.locator("[name=value]")
    field.fill("typed-by-mara-1234")
    apply = page.locator("[data-apply]")
    expect(apply).to_be_visible()
    expect(field).to_have_value("typed-by-mara-1234")
    shop.api.patch(
        f"{shop.secrets}/database?fieldManager=kubectl-edit", {"stringData": {"password": "jons-123456789"}}
    )
    apply.click()
    expect(page.locator("#preview")).to_contain_text("changed meanwhile")
    expect(page.locator("#preview")).to_contain_text("kubectl-edit")
    expect(field).to_have_value("typed-by-mara-1234")
    assert shop.value() == "jons-123456789"
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    assert shop.value() == "typed-by-mara-1234"


def test_lines_and_files_arrive_byte_for_byte(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.page}rotate/?key=password")
    page.locator("[name=value]").fill("first line\nsecond line \n")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    assert shop.value() == "first line\nsecond line \n"
    page.goto(f"{shop.page}rotate/?key=username")
    raw = bytes(range(256)) + b"\r\n"
    page.locator("[data-rotate] input[type=file]").set_input_files(
        {"name": "key.bin", "mimeType": "application/octet-stream", "buffer": raw}
    )
    expect(page.locator("#value-hint")).to_contain_text("258 bytes of key.bin")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    assert base64.b64decode(shop.api.get(f"{shop.secrets}/database")["data"]["username"]) == raw


def test_a_value_that_fails_stops_it_and_the_old_one_brings_it_back(page: Page, shop: Shop) -> None:
    shop.workload("mail")
    shop.workload("web", 2)
    page.goto(f"/c/{SLUG}/deployments/?namespace={shop.namespace}")
    expect(page.locator("#rows")).to_contain_text("2/2", timeout=60_000)
    page.goto(f"{shop.page}rotate/?key=password")
    page.locator("[name=value]").fill("short")
    page.locator("[data-apply]").click()
    progress = page.locator("#operation-progress")
    expect(progress.locator("h2")).to_contain_text("mail does not come up with this value", timeout=90_000)
    expect(progress).to_contain_text("1 further restart not started")
    expect(page.locator("#rotation-pods")).to_contain_text("CrashLoopBackOff")
    page.set_viewport_size({"width": 1280, "height": 720})
    table = page.locator("#rotation-pods .scroll-x")
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth"), "every column is in sight"
    page.reload()
    expect(progress.locator("h2")).to_contain_text("mail does not come up")
    page.locator("#act-back").click()
    page.locator("[data-apply]").click()
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated", timeout=60_000)
    assert shop.value() == OLD
    assert (shop.generation("mail"), shop.generation("web")) == (3, 1)


def test_a_server_that_dies_in_the_middle_goes_on_and_restarts_nothing_twice(
    page: Page, shop: Shop, server: Server
) -> None:
    shop.workload("mail", readinessProbe={"httpGet": {"port": 80}, "initialDelaySeconds": 6})
    shop.workload("web", 2)
    page.goto(f"{shop.page}rotate/?key=password")
    page.locator("[name=value]").fill("another-password-5")
    page.locator("[data-apply]").click()
    expect(page.locator("#operation-progress")).to_contain_text("Restarting mail", timeout=60_000)
    expect(page.locator(".stages .now progress")).to_be_visible(timeout=60_000)
    server.stop(signal.SIGKILL)
    expect(page.locator("#fresh")).to_contain_text(re.compile("reconnecting", re.IGNORECASE), timeout=60_000)
    server.start()
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated", timeout=90_000)
    assert shop.value() == "another-password-5"
    assert (shop.generation("mail"), shop.generation("web")) == (2, 2)


def test_a_server_that_dies_before_it_records_the_write_finds_it_and_begins_the_restarts(
    page: Page, shop: Shop, server: Server
) -> None:
    shop.workload("web")
    page.goto(f"{shop.page}rotate/?key=password")
    with faulty(server, "die"):
        page.goto(f"{shop.page}rotate/?key=password")
        page.locator("#value").fill("another-password-6")
        page.locator("[data-apply]").click()
        expect(page.locator("[data-note]")).to_contain_text("may have been made or not")
        expect(page.locator("#value")).to_have_value("another-password-6")
        assert shop.value() == "another-password-6"
        assert shop.generation("web") == 1
    page.goto("/changes/")
    entry = page.locator("tr", has_text=shop.namespace)

    def settled() -> bool:
        page.reload()
        return entry.filter(has_text="Found in the cluster").count() > 0

    until(page, settled, "it is found out")
    entry.filter(has_text="Found in the cluster").get_by_role("link", name="Rotate", exact=True).click()
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated", timeout=60_000)
    assert shop.generation("web") == 2
    expect(page.locator("#act-back")).to_be_visible()


MANY = {f"key-{number:04}": base64.b64encode(b"value").decode() for number in range(2500)}
NODES = "document.querySelectorAll('*').length"


def test_of_thousands_of_keys_one_is_found_and_rotated(page: Page, shop: Shop) -> None:
    shop.api.patch(f"{shop.secrets}/database", {"data": MANY})
    page.goto(f"{shop.page}rotate/")
    assert page.evaluate(NODES) <= 5000
    keys = page.locator("#pick-key")
    expect(keys).to_contain_text("1–100 of 2502")
    field = page.locator("#value")
    field.fill("typed-before-the-key-was-found")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + (request.post_data or "")))
    page.get_by_role("button", name="Next keys").click()
    expect(keys).to_contain_text("101–200 of 2502")
    page.get_by_role("searchbox", name="Part of a key's name").fill("1234")
    expect(keys.get_by_role("radio")).to_have_count(1)
    expect(field).to_have_value("typed-before-the-key-was-found")
    assert not any("typed-before" in each for each in asked), "finding a key sends no value"
    keys.get_by_role("radio").check()
    page.get_by_role("searchbox", name="Part of a key's name").fill("0001")
    expect(keys.get_by_role("radio", name="key-1234")).to_be_checked()  # the chosen one stays among them
    expect(keys.get_by_role("radio", name="key-0001")).not_to_be_checked()
    apply = page.locator("[data-apply]")
    expect(apply).to_be_visible()
    apply.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    assert shop.value("key-1234") == "typed-before-the-key-was-found"
    assert shop.value("key-0001") == "value"


def test_a_key_to_rotate_is_found_without_scripts(
    browser: Browser, context: BrowserContext, server: Server, shop: Shop
) -> None:
    shop.api.patch(f"{shop.secrets}/database", {"data": MANY})
    plain = browser.new_context(
        base_url=server.base, java_script_enabled=False, storage_state=context.storage_state()
    ).new_page()
    plain.goto(f"{shop.page}rotate/")
    plain.get_by_role("button", name="Next keys").click()
    expect(plain.locator("#pick-key")).to_contain_text("101–200 of 2502")
    plain.get_by_role("searchbox", name="Part of a key's name").fill("2222")
    plain.get_by_role("button", name="Find").click()
    plain.get_by_role("radio", name="key-2222").check()
    plain.context.close()


def test_each_of_thousands_of_keys_can_be_revealed(page: Page, shop: Shop) -> None:
    shop.api.patch(f"{shop.secrets}/database", {"data": MANY})
    page.goto(shop.page)
    assert page.evaluate(NODES) <= 5000
    keys = page.locator("#keys")
    expect(keys).to_contain_text("1–100 of 2502")
    keys.get_by_role("button", name="Next keys").click()
    expect(keys).to_contain_text("101–200 of 2502")
    keys.get_by_role("searchbox", name="Key").fill("key-2345")
    keys.get_by_role("button", name="Find").click()
    expect(keys).to_contain_text("1–1 of 1 with “key-2345”, of 2502")
    keys.get_by_role("button", name="Reveal key-2345").click()
    expect(page.locator("#revealed pre")).to_have_text("value")
    shop.api.patch(f"{shop.secrets}/database", {"data": {"key-23456": "eA=="}})
    expect(keys).to_contain_text("1–2 of 2 with “key-2345”, of 2503")  # live as before


def test_two_clicks_on_apply_are_one_change(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.page}rotate/?key=password")
    page.locator("#value").fill("another-password-7")
    page.locator("[data-apply]").dblclick(no_wait_after=True)
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    expect(page.locator("#operation-progress h2")).to_contain_text("database is rotated")
    assert len(shop.api.get(shop.secrets)["items"]) == 2, "one backup"


def test_somebody_else_stops_the_restarts_and_they_go_on(
    page: Page, browser: Browser, server: Server, shop: Shop
) -> None:
    other = browser.new_context(base_url=server.base)
    jon = other.new_page()
    jon.context.add_cookies(server.cookies("jon"))
    shop.workload("mail", readinessProbe={"httpGet": {"port": 80}, "initialDelaySeconds": 20})
    shop.workload("web", 2)
    page.goto(f"{shop.page}rotate/?key=password")
    page.locator("#value").fill("another-password-8")
    page.locator("[data-apply]").click()
    progress = page.locator("#operation-progress")
    expect(progress.locator("h2")).to_contain_text("Restarting mail")
    address = page.url
    jon.goto(f"{shop.page}rotate/")
    expect(jon.locator("#page")).to_contain_text("A rotation is under way")
    jon.get_by_role("link", name="Look at that rotation").click()
    expect(jon).to_have_url(address)
    tab_to(jon, "#act-stop")
    jon.keyboard.press("Enter")
    expect(progress.locator("h2")).to_contain_text("The restarts were stopped")
    expect(progress).to_contain_text("jon stopped it")
    expect(progress).to_contain_text("1 further restart not started")
    other.close()
    page.reload()
    assert shop.generation("web") == 1
    page.locator("#act-resume").click()
    expect(progress.locator("h2")).to_contain_text("database is rotated", timeout=120_000)
    assert (shop.generation("mail"), shop.generation("web")) == (2, 2)


def test_what_cannot_be_taken_from_a_file_takes_nothing_away(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.page}rotate/?key=username")
    typed, file = page.locator("#value"), page.locator("[data-rotate] input[type=file]")
    typed.fill("typed-by-mara-1234")
    for name, content, words in (("big", b"x" * (2**20 + 1), "more than 1 MiB"), ("none", b"", "is empty")):
        file.set_input_files({"name": name, "mimeType": "text/plain", "buffer": content})
        expect(page.locator("#value-hint")).to_contain_text(words)
        expect(typed).to_have_value("typed-by-mara-1234")
    # As large as there is room for: sent, and not laid out as text.
    file.set_input_files({"name": "full", "mimeType": "text/plain", "buffer": b"y" * (2**20 - 17)})
    expect(page.locator("[data-apply]")).to_be_visible()
    expect(typed).to_have_value("")
    page.get_by_role("button", name="Remove the file").click()
    typed.fill("typed-again-by-mara")
    page.locator("[data-apply]").click()
    expect(page).to_have_url(re.compile(r"/follow/rotate/"))
    assert shop.value("username") == "typed-again-by-mara"


def test_a_clipboard_that_is_refused_is_said_and_nothing_is_left_in_the_page(page: Page, shop: Shop) -> None:
    page.goto(shop.page)
    expect(page.locator("#keys")).to_contain_text("password")
    page.evaluate(
        """() => {
            Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject() } });
            document.execCommand = () => false;
        }"""
    )
    page.get_by_role("button", name="Copy password").click()
    expect(page.locator("[data-note]")).to_contain_text("Reveal the value, select it and copy it by hand")
    assert OLD not in page.content()
    page.get_by_role("button", name="Reveal password").click()
    expect(page.locator("#revealed pre")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#revealed pre")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/database/$"))


def test_a_value_is_shown_when_asked_hidden_again_and_copied_without_being_shown(
    page: Page, context: BrowserContext, shop: Shop
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.clock.install()
    page.goto(shop.page)
    expect(page.locator("#keys")).to_contain_text("password")
    assert OLD not in page.content()
    copy = page.get_by_role("button", name="Copy password")
    copy.click()
    expect(copy.locator("use")).to_have_attribute("href", "#i-done")
    assert page.evaluate("navigator.clipboard.readText()") == OLD
    assert OLD not in page.content()
    page.get_by_role("button", name="Reveal password").click()
    expect(page.locator("#revealed pre")).to_have_text(OLD)
    expect(page.locator("#revealed")).to_contain_text("audit log")
    page.clock.run_for(31_000)
    expect(page.locator("#revealed pre")).to_have_count(0)
    assert OLD not in page.content()
    page.goto("/audit/")
    expect(page.locator("#page")).to_contain_text("Shown: key password.")
    expect(page.locator("#page")).to_contain_text("Copied without being shown: key password.")
