"""Recovery as people see it: the backups, the preview of a restore, and one ConfigMap as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tests.cluster.archives import IDENTITY, objects_of, write_archive
from tools.server import Server

from .conftest import WIDE

KINDS = (("", "v1", "configmaps", "ConfigMap"), ("", "v1", "secrets", "Secret"))


@pytest.fixture
def made_at(cluster: Sandbox) -> datetime:
    """When the backup was made. Were it older than the cluster, it would count as that of an earlier one."""
    return datetime.now(UTC)


@pytest.fixture
def shop(
    cluster: Sandbox, made_at: datetime, namespace: str, browser: Browser, tmp_path: Path
) -> Iterator[tuple[Page, Server, str]]:
    """The page of a dashboard with a storage, and a backup of a namespace in which a value was changed since."""
    api, store = cluster.api(), tmp_path / "store"
    store.mkdir()
    path = f"/api/v1/namespaces/{namespace}"
    api.post(f"{path}/configmaps", {"metadata": {"name": "settings"}, "data": {"LEVEL": "info"}})
    api.post(f"{path}/secrets", {"metadata": {"name": "password"}, "stringData": {"value": "canary-value"}})
    write_archive(store, objects_of(api, namespace, KINDS), at=made_at)
    api.patch(f"{path}/configmaps/settings", {"data": {"LEVEL": "debug"}})
    with Server(tmp_path / "home", cluster.kubeconfig, CLUSTER_UI_BACKUP_TO=str(store)) as server:
        context = browser.new_context(base_url=server.base, viewport=WIDE)
        context.add_cookies(server.cookies())  # type: ignore[arg-type]
        with closing(context):
            page = context.new_page()
            page.goto("/clusters/")
            page.get_by_role("button", name="Allow changes").click()
            yield page, server, namespace


def test_one_configmap_comes_back_and_the_key_goes_nowhere(
    cluster: Sandbox, shop: tuple[Page, Server, str], made_at: datetime
) -> None:
    page, server, namespace = shop
    page.goto("/c/tests/recovery/")
    expect(page.locator("#recovery-head h2")).to_contain_text("The last good backup of the cluster is")
    expect(page.get_by_role("link", name="Restore from")).to_be_visible()
    page.goto(f"/c/tests/configmaps/{namespace}/settings/")
    page.get_by_role("link", name="Restore from a backup").click()
    expect(page.get_by_label("From namespace")).to_have_value(namespace)
    expect(page.get_by_label("Only these")).to_have_value("configmaps/settings")
    expect(page.get_by_label("Backup", exact=True)).to_contain_text(
        f"{made_at:%a} {made_at.day} {made_at:%b %Y, %H:%M} UTC, whole cluster"
    )
    expect(page.get_by_label("Update it")).to_be_checked()
    page.get_by_label("Key of the backup").fill(str(IDENTITY))
    page.get_by_role("button", name="Preview").click()
    objects = page.locator(".obs")
    expect(objects).to_contain_text("settings")
    expect(objects.locator(".del")).to_contain_text("debug")
    expect(objects.locator(".ins")).to_contain_text("info")
    assert "canary-value" not in page.content() and str(IDENTITY) not in page.content()
    page.get_by_role("button", name="Restore 1 object").click()
    expect(page.locator("#operation-progress")).to_contain_text("as in the backup")
    found = cluster.api().get(f"/api/v1/namespaces/{namespace}/configmaps/settings")
    assert found["data"] == {"LEVEL": "info"}
    assert str(IDENTITY) not in server.log.read_text()


def test_a_backup_is_made_on_the_page_and_shown(shop: tuple[Page, Server, str]) -> None:
    page, _, namespace = shop
    page.goto("/c/tests/recovery/")
    page.get_by_role("link", name="Back up now").click()
    # Nobody has configured a recipient, so Secrets stay out, and the form says how to change that.
    expect(page.locator("#secrets-h")).to_contain_text("CLUSTER_UI_BACKUP_RECIPIENTS")
    expect(page.get_by_label("Include Secrets")).not_to_be_checked()
    page.locator("#namespace").fill(namespace)
    page.get_by_label("Include Secrets").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("Secrets need a recipient")
    page.get_by_label("Include Secrets").uncheck()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text(f"Backs up {namespace}")
    expect(page.locator("#preview")).to_contain_text("No Secrets")
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#operation-progress")).to_contain_text("The backup is complete")
    page.get_by_role("link", name="Open Recovery").click()
    row = page.locator(".bks tr", has_text=f"tests_{namespace}_")
    expect(row).to_contain_text("Verified")
    expect(row).to_contain_text("Without Secrets")


def test_a_drill_begins_with_the_newest_backup_and_a_restore_with_none(
    shop: tuple[Page, Server, str],
) -> None:
    page, _, _ = shop
    for name, chosen in (("Run a drill…", "all"), ("Restore…", "")):
        page.goto("/c/tests/recovery/")
        page.get_by_role("link", name=name).first.click()
        backup = page.get_by_label("Backup", exact=True)
        expect(backup).to_be_visible()
        assert chosen in backup.input_value()
        assert bool(backup.input_value()) == bool(chosen)
