"""The console stays clean: on every page, form and tab, also while a reader goes on before the last page has come."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tools.server import Server

from .conftest import Objects

SLUG = "tests"
PAGES = [
    "/c/tests/",
    "/c/tests/map/?namespace={ns}",
    "/c/tests/map/?namespace={ns}&view=list",
    "/c/tests/capacity/",
    "/c/tests/certificates/?namespace={ns}",
    "/c/tests/resilience/?lose=zone/sandbox-a",
    "/c/tests/recovery/",
    "/c/tests/recovery/backup/",
    "/c/tests/recovery/restore/",
    "/c/tests/recovery/drill/",
    "/c/tests/postmortem/",
    "/c/tests/access/?namespace={ns}&kind=secrets&verb=delete&resource=pods&in={ns}",
    "/c/tests/timeline/?namespace={ns}",
    "/c/tests/search/?q=web",
    "/c/tests/fields/?q=deploy",
    "/c/tests/fields/Deployment/?path=spec.strategy.type",
    "/c/tests/pods/?namespace={ns}",
    "/c/tests/events/?namespace={ns}",
    "/c/tests/deployments/{ns}/web/",
    "/c/tests/deployments/{ns}/web/timeline/",
    "/c/tests/deployments/{ns}/web/events/",
    "/c/tests/deployments/{ns}/web/logs/",
    "/c/tests/deployments/{ns}/web/yaml/",
    "/c/tests/deployments/{ns}/web/scale/",
    "/c/tests/deployments/{ns}/web/restart/",
    "/c/tests/deployments/{ns}/web/pause/",
    "/c/tests/pods/{ns}/alone/",
    "/c/tests/pods/{ns}/alone/shell/",
    "/c/tests/pods/{ns}/alone/delete/",
    "/c/tests/configmaps/{ns}/settings/",
    "/c/tests/create/services/?from=deployments/{ns}/web",
    "/c/tests/services/{ns}/web/form/",
    "/c/tests/configmaps/{ns}/settings/values/",
    "/c/tests/configmaps/{ns}/settings/edit/",
    "/c/tests/secrets/{ns}/database/",
    "/c/tests/secrets/{ns}/database/rotate/",
    "/c/tests/secrets/{ns}/database/replace/",
    "/c/tests/configmaps/{ns}/settings/versions/",
    "/c/tests/namespaces/-/{ns}/",
    "/c/tests/namespaces/-/{ns}/form/",
    "/c/tests/deployments/{ns}/web/env/",
    "/c/tests/deployments/{ns}/web/rollback/",
    "/c/tests/deployments/{ns}/web/form/",
    "/c/tests/deployments/{ns}/web/edit/",
    "/c/tests/create/?namespace={ns}",
    "/c/tests/create/secrets/?namespace={ns}",
    "/c/tests/bulk/deployments/scale/?object={ns}/web",
    "/c/tests/nodes/-/worker-a1/drain/",
    "/c/tests/nodes/",
    "/changes/",
    "/audit/",
    "/clusters/",
    "/sessions/",
    "/people/",
]


@pytest.fixture
def said(page: Page) -> list[str]:
    """What a page says in the console, whatever its weight, and what its scripts throw."""
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"thrown: {error}"))
    return said


def inhabit(objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    objects.pod("alone")
    for plural, kind, rest in (
        ("configmaps", "ConfigMap", {"data": {"MODE": "fast", "app.yaml": "a: 1\n"}}),
        ("secrets", "Secret", {"type": "Opaque", "stringData": {"password": "only-for-this-test"}}),
    ):
        name = {"configmaps": "settings", "secrets": "database"}[plural]
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
        objects.api.post(f"/api/v1/namespaces/{namespace}/{plural}", body | rest)


@pytest.mark.usefixtures("changes_allowed")
def test_no_page_says_anything_in_the_console(
    page: Page, objects: Objects, namespace: str, said: list[str]
) -> None:
    inhabit(objects, namespace)
    wrong: dict[str, list[str]] = {}
    for path in PAGES:
        for _ in range(3):  # a busy API server may refuse to answer once
            said.clear()
            page.goto(path.format(ns=namespace))
            expect(page.locator("h1, .says").first).to_be_visible()
            if not page.locator("[data-retry]").count():
                break
        for plot in page.locator(".plot[data-chart]:visible").all()[:2]:
            expect(plot.locator("svg").first).to_be_attached()
        if said:
            wrong[path] = list(dict.fromkeys(said))
            said.clear()
    assert wrong == {}


def test_going_on_before_a_page_has_come_says_nothing_in_the_console(
    page: Page, objects: Objects, namespace: str, said: list[str]
) -> None:
    inhabit(objects, namespace)
    page.goto(f"/c/{SLUG}/?namespace={namespace}")  # other tests have pods too
    expect(page.locator("#kinds")).to_be_visible()
    # Each click while the answer to the one before it is under way, and the same for the filter and going back.
    page.evaluate(
        """() => {
          for (const kind of ["pods", "deployments", "services", "nodes", "pods"])
            document.querySelector(`#kinds [data-nav=${kind}]`).click();
        }"""
    )
    expect(page.locator("#rows tr").first).to_be_visible()
    expect(page).to_have_url(re.compile("/pods/"))
    page.locator("#filter [name=q]").press_sequentially("alone", delay=5)
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#rows th a").click()
    expect(page.locator("h1")).to_contain_text("alone")
    page.evaluate(
        "history.back(); setTimeout(() => history.back(), 5); setTimeout(() => history.forward(), 10);"
    )
    expect(page.locator("#rows tr, h1").first).to_be_visible()
    page.locator("#kinds [data-nav=nodes]").click()
    expect(page.locator("#rows tr").first).to_be_visible()
    assert said == []


def test_what_only_said_that_nobody_answered_goes_when_somebody_does(
    page: Page, objects: Objects, namespace: str, server: Server
) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    server.stop()
    try:
        page.locator("#rows th a").click()
        told = page.locator("[data-note]")
        expect(told).to_contain_text("does not answer")
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting")
    finally:
        server.start()
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live", timeout=60_000)
    expect(told).to_have_count(0)
    expect(page.locator("#rows tr")).to_have_count(1)
