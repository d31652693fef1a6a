"""Versions of a ConfigMap in the browser: listed, compared, restored, and undone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.live.versions import LEADER, ROOT_CA
from tools.server import Server

from .conftest import Objects
from .test_configmap import Settings, apply, press, text_of

pytestmark = pytest.mark.usefixtures("changes_allowed")


@pytest.fixture
def config(objects: Objects) -> Settings:
    return Settings(objects)


def edit(page: Page, config: Settings, key: str, text: str, reason: str) -> None:
    page.goto(f"{config.url}edit/")
    text_of(page, key).fill(text)
    press(page, "Preview")
    page.get_by_label(re.compile("Reason")).fill(reason)
    apply(page)


def test_versions_are_listed_compared_restored_and_that_is_undone(page: Page, config: Settings) -> None:
    config.make()
    before = config.get()
    page.goto(config.url)
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#versions")).to_be_hidden()
    edit(page, config, "notes", "first", "for the sale")
    edit(page, config, "flags.json", "[]\n", "")
    changed = config.get()

    page.goto(config.url)
    rows = page.locator("#versions tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("notes changed")
    expect(rows.nth(1)).to_contain_text("for the sale")
    page.get_by_role("link", name="Diff of version 2").click()
    expect(page.locator("#version-diff .ins")).to_contain_text(["first"])
    expect(page).to_have_url(re.compile(r"/version/\?number=2$"))
    page.get_by_role("link", name="Restore version 1").click()
    expect(page.get_by_role("radio", name=re.compile("Version 1"))).to_be_checked()
    expect(page.locator(".options label", has_text="Current")).to_contain_text("Version 3")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("two spaces at the end")
    expect(preview).to_contain_text("No pod and no workload here uses this ConfigMap")
    apply(page)
    expect(page.locator("#change-progress")).to_contain_text("Saved")
    assert (config.data, config.get()["binaryData"]) == (before["data"], before["binaryData"])
    page.get_by_role("link", name="Undo").click()
    apply(page)
    assert (config.data, config.get()["binaryData"]) == (changed["data"], changed["binaryData"])


def test_a_version_that_another_page_made_appears_in_the_list(page: Page, config: Settings) -> None:
    config.make()
    page.goto(config.url)
    expect(page.locator("#keys")).to_be_visible()
    other = page.context.new_page()
    edit(other, config, "notes", "first", "")
    expect(page.locator("#versions tbody tr")).to_have_count(2)


@pytest.fixture
def recorded(server: Server) -> Iterator[None]:
    """The dashboard also keeps the versions that are written elsewhere."""
    setting = "CLUSTER_UI_CONFIGMAP_VERSIONS"
    server.stop()
    server.environment[setting] = "1"
    try:
        server.start()
        yield
    finally:
        server.stop()
        del server.environment[setting]
        server.start()


@pytest.mark.usefixtures("recorded")
def test_what_is_left_out_is_said_where_no_version_is_kept(page: Page, config: Settings) -> None:
    config.make(metadata={"name": "settings", "annotations": {LEADER: "{}"}})
    versions = page.locator("#versions")
    for url, words in (
        (config.url.replace("settings", ROOT_CA), "copies the same certificate into every namespace"),
        (config.url, "it holds a leader election lock"),
    ):
        page.goto(url)
        expect(page.locator("#keys")).to_be_visible()
        expect(versions).to_be_visible()
        expect(versions).to_contain_text("0 kept")
        expect(versions).to_contain_text(words)
        expect(versions.locator("table")).to_have_count(0)
