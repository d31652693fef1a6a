"""A backup of Velero restored as people do it: from its row to the end that Velero reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tests.cluster.velerokinds import define, undefine
from tools.server import Server

from .conftest import WIDE

LONG = 30_000


@pytest.fixture
def velero(cluster: Sandbox, namespace: str, browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, str]]:
    """The page of a dashboard over a cluster with Velero in a namespace, and two backups, one of them complete."""
    api = cluster.api()
    undefine(api)
    define(api)
    for name, phase in (("nightly-1", "Completed"), ("nightly-2", "InProgress")):
        status = {"phase": phase, "startTimestamp": "2026-11-28T02:00:00Z"}
        spec = {"includedNamespaces": ["shop"], "storageLocation": "default"}
        made = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}}
        api.post(
            f"/apis/velero.io/v1/namespaces/{namespace}/backups", made | {"spec": spec, "status": status}
        )
    try:
        with Server(tmp_path / "home", cluster.kubeconfig) as server:
            context = browser.new_context(base_url=server.base, viewport=WIDE)
            context.add_cookies(server.cookies())  # type: ignore[arg-type]
            with closing(context):
                page = context.new_page()
                page.goto("/clusters/")
                page.get_by_role("button", name="Allow changes").click()
                yield page, namespace
    finally:
        undefine(api)


def test_a_backup_is_restored_and_followed(cluster: Sandbox, velero: tuple[Page, str]) -> None:
    page, home = velero
    page.goto("/c/tests/recovery/")
    expect(page.get_by_role("link", name="Restore from nightly-1")).to_be_visible(timeout=LONG)
    assert page.get_by_role("link", name="Restore from nightly-2").count() == 0
    page.get_by_role("link", name="Restore from nightly-1").click()
    expect(page.get_by_label("Backup", exact=True)).to_have_value("nightly-1")
    expect(page.get_by_label("Velero's namespace")).to_have_value(home)
    page.get_by_label("From namespace").fill("other")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("not in this backup")
    page.get_by_label("From namespace").fill("shop")
    page.get_by_label("Into").fill("shop-two")
    page.get_by_label("Name of the Restore").fill("back")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview h2", has_text="Velero restores shop")).to_be_visible()
    expect(page.locator("#preview")).to_contain_text("shop is restored as shop-two")
    expect(page.locator("#preview")).to_contain_text("velero restore create back")
    page.get_by_role("button", name="Restore nightly-1").click()
    expect(page.locator("#operation-progress")).to_contain_text("Velero restores nightly-1", timeout=LONG)
    path = f"/apis/velero.io/v1/namespaces/{home}/restores/back"
    cluster.api().patch(
        path, {"status": {"phase": "Completed", "progress": {"itemsRestored": 7, "totalItems": 7}}}
    )
    expect(page.locator("#operation-progress")).to_contain_text("7 of 7 objects", timeout=LONG)
    expect(page.locator("#operation-progress")).to_contain_text("restore of back is done")
    page.goto("/changes/")
    expect(page.get_by_text("Velero's backup nightly-1 into shop-two").first).to_be_visible()
