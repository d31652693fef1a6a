"""A shell in a container, in a real browser: typed, seen, resized, pasted, several, and ended with the session."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox import Sandbox
from tools.server import Server

from .conftest import Objects

pytestmark = [pytest.mark.usefixtures("changes_allowed")]


@pytest.fixture
def shell(cluster: Sandbox, objects: Objects) -> Iterator[str]:
    """The address of the shell of a pod that runs."""
    objects.pod("box")
    until_running(cluster, objects.namespace, "box")
    yield f"/c/tests/pods/{objects.namespace}/box/shell/"


def until_running(cluster: Sandbox, namespace: str, name: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        pod = cluster.api().get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        if pod["status"].get("phase") == "Running":
            return
        time.sleep(0.2)
    raise AssertionError("the pod did not start")


def start(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Start shell").click()
    expect(page.locator("[data-shell-size]")).to_contain_text("Container main of box,")
    # The prompt: what is typed from now on goes to the shell.
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile(r"[$#]"))


def test_a_command_is_typed_and_its_output_seen(page: Page, shell: str) -> None:
    start(page, shell)
    page.keyboard.type("echo $((6 * 7)) grün; printf '\\033[38;2;10;120;200mdeep\\033[0m\\n'\n")
    expect(page.locator(".xterm-rows")).to_contain_text("42 grün")
    deep = page.locator(".xterm-rows span", has_text=re.compile("^deep$"))
    expect(deep).to_have_attribute("style", re.compile("color"))  # a colour that is no class


def test_the_terminal_follows_the_window(page: Page, shell: str) -> None:
    start(page, shell)
    size = page.locator("[data-shell-size]")
    before = size.inner_text()
    page.set_viewport_size({"width": 700, "height": 700})
    expect(size).not_to_have_text(before)
    columns, rows = re.findall(r"(\d+) × (\d+)", size.inner_text())[0]
    page.keyboard.type("stty size\n")
    expect(page.locator(".xterm-rows")).to_contain_text(f"{rows} {columns}")


def test_pasting_finding_copying_and_leaving_by_keyboard(
    page: Page, context: BrowserContext, shell: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    start(page, shell)
    page.evaluate("""() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "echo pasted-$((1 + 1))\\n");
      const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
      document.activeElement.dispatchEvent(paste);
    }""")
    page.keyboard.press("Enter")  # a pasted line waits for it
    expect(page.locator(".xterm-rows")).to_contain_text("pasted-2")
    page.keyboard.type("seq 1 300\n")
    expect(page.locator(".xterm-rows")).to_contain_text("300")
    expect(page.locator(".xterm-rows")).not_to_contain_text("pasted-2")
    page.keyboard.press("Control+Shift+F")
    page.keyboard.type("PASTED-2")
    expect(page.locator("[data-shell-found]")).to_have_text("1 of 1, latest first")
    expect(page.locator(".xterm-rows")).to_contain_text("pasted-2")
    page.keyboard.press("Escape")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    page.keyboard.press("Control+Shift+C")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text === 'pasted-2')")
    page.keyboard.press("Tab")
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    page.keyboard.press("Control+Shift+E")
    expect(page.get_by_role("button", name="End session")).to_be_focused()


def test_the_exit_code_is_told_and_it_can_start_again(page: Page, shell: str) -> None:
    start(page, shell)
    page.keyboard.type("exit 3\n")
    expect(page.get_by_role("status").filter(has_text="Session ended")).to_have_text(
        "Session ended: exit code 3."
    )
    expect(page.get_by_role("button", name="Start again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="End session")).to_be_visible()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_text("Session ended: the user ended it.")).to_be_visible()


def test_ctrl_c_ends_what_runs_and_ctrl_d_the_shell(page: Page, shell: str) -> None:
    start(page, shell)
    # The sandbox gives a shell no terminal of its own, as a container runtime does: without one nothing gets signals.
    page.keyboard.type("exec setsid --ctty --wait bash --norc -i\n")
    page.keyboard.type("sleep 600; echo slept=$?\n")
    expect(page.locator(".xterm-rows")).to_contain_text("sleep 600")
    page.keyboard.press("Control+c")
    page.keyboard.type("echo after-$((1 + 1))\n")
    expect(page.locator(".xterm-rows")).to_contain_text("after-2", timeout=15_000)
    expect(page.locator(".xterm-rows")).not_to_contain_text("slept=0")
    page.keyboard.press("Control+d")
    expect(page.get_by_role("status").filter(has_text="Session ended")).to_be_visible()


def test_shells_outlive_other_pages_and_are_told_apart(page: Page, shell: str) -> None:
    start(page, shell)
    page.keyboard.type("echo first-$((1 + 1))\n")
    expect(page.locator(".xterm-rows")).to_contain_text("first-2")
    page.get_by_role("button", name="New shell").click()
    page.get_by_role("button", name="Start shell").click()
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile(r"[$#]"))
    expect(page.locator(".xterm-rows")).not_to_contain_text("first-2")
    page.locator("#tab-overview").click()
    expect(page.locator("[data-shell]")).to_have_count(0)
    page.locator("#tab-shell").click()
    page.locator("[data-shell-tabs] button").first.click()
    expect(page.locator(".xterm-rows")).to_contain_text("first-2")


def test_a_shell_opens_in_a_debug_container(page: Page, shell: str) -> None:
    page.goto(shell)
    page.get_by_role("link", name="Debug container…").click()
    page.get_by_label("Target container").select_option("none")
    expect(page.get_by_text("It sees no processes but its own")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Add debugger-")).click()
    page.get_by_role("link", name=re.compile("Open a shell in debugger-")).click()
    expect(page.locator("[data-shell-size]")).to_contain_text("Container debugger-")
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile(r"[$#]"))
    page.keyboard.type("echo debug-$((1 + 1))\n")
    expect(page.locator(".xterm-rows")).to_contain_text("debug-2")


@pytest.mark.usefixtures("own_session")
def test_it_ends_with_the_session_and_leaves_nothing_typed(
    page: Page, context: BrowserContext, server: Server, shell: str
) -> None:
    start(page, shell)
    typed, printed = secrets.token_hex(12), secrets.randbelow(10**6) + 10**6
    page.keyboard.type(f"echo {typed} $(({printed} * 1000003))\n")
    expect(page.locator(".xterm-rows")).to_contain_text(f"{typed} {printed * 1000003}")
    other = context.new_page()
    other.goto("/c/tests/")
    other.evaluate(
        """() => {
          const headers = JSON.parse(document.body.getAttribute("hx-headers"));
          return fetch("/logout/", { method: "POST", headers });
        }"""
    )
    page.wait_for_url(re.compile("/login/"), timeout=30_000)
    other.context.add_cookies(server.cookies())
    other.goto("/audit/?action=shell&q=box")
    namespace = shell.split("/")[4]
    rows = other.locator("#page tr", has_text=namespace)
    expect(rows.filter(has_text="Started in container main.")).to_have_count(1)
    # Whichever socket was told first: the shell's own, or the page's, which leads away.
    ended = re.compile(r"Ended in container main after \S+: (signed out|the page was closed)\.")
    expect(rows.filter(has_text=ended)).to_have_count(1)
    assert typed not in other.content()
    for file in (server.log, *server.home.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            assert typed.encode() not in content, file
            assert str(printed * 1000003).encode() not in content, file
