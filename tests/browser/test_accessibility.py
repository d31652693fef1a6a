"""axe-core finds nothing serious on any page, in both themes and on a small screen; no page scrolls sideways."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from sandbox import Sandbox
from tools.server import Server

from .conftest import Objects

AXE = (Path(__file__).parent / "vendor/axe/axe.min.js").read_text()
SERIOUS = {"serious", "critical"}
# What a namespace of these tests holds is made by `inhabited`; {ns} is its name.
PAGES = [
    "/c/tests/",
    "/c/tests/timeline/",
    "/c/tests/pods/",
    "/c/tests/deployments/?namespace={ns}",
    "/c/tests/events/",
    "/c/tests/secrets/?namespace=nowhere",
    "/c/tests/pods/?q=no-pod-is-called-so",
    "/c/tests/deployments/{ns}/web/",
    "/c/tests/deployments/{ns}/web/timeline/",
    "/c/tests/deployments/{ns}/web/events/",
    "/c/tests/deployments/{ns}/web/yaml/",
    "/c/tests/deployments/{ns}/web/scale/",
    "/c/tests/deployments/{ns}/web/restart/",
    "/c/tests/services/{ns}/web/",
    "/c/tests/configmaps/{ns}/settings/",
    "/c/tests/configmaps/{ns}/settings/values/",
    "/c/tests/configmaps/{ns}/settings/edit/",
    "/c/tests/secrets/{ns}/database/",
    "/c/tests/secrets/{ns}/database/rotate/",
    "/c/tests/pods/{ns}/alone/",
    "/c/tests/pods/{ns}/alone/logs/",
    "/c/tests/pods/{ns}/alone/delete/",
    "/c/tests/clusterroles/-/view/",
    "/c/tests/pods/{ns}/no-such-pod/",
    "/changes/",
    "/clusters/",
]


@pytest.fixture(scope="module")
def inhabited(cluster: Sandbox) -> Iterator[str]:
    """A namespace with one of each that the pages show."""
    name = f"test-{secrets.token_hex(4)}"
    api = cluster.api()
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    objects = Objects(cluster, name)
    objects.deployment("web", 2)
    objects.service("web")
    objects.pod("alone", app="alone")
    for plural, kind, rest in (
        ("configmaps", "ConfigMap", {"data": {"MODE": "fast", "app.yaml": "a: 1\n"}}),
        ("secrets", "Secret", {"type": "Opaque", "stringData": {"password": "only-for-this-test"}}),
    ):
        body = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": {"configmaps": "settings"}.get(plural, "database")},
        }
        api.post(f"/api/v1/namespaces/{name}/{plural}", body | rest)
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module", params=["light", "dark", "small"])
def reader(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A signed-in page in one theme, or on a screen of 320 px."""
    context: BrowserContext = browser.new_context(
        base_url=server.base,
        color_scheme="dark" if request.param == "dark" else "light",
        viewport={"width": 320, "height": 700}
        if request.param == "small"
        else {"width": 1440, "height": 900},
        bypass_csp=True,  # axe is put into the page as a script, which the policy rightly refuses
    )
    page = context.new_page()
    page.goto(server.signin_link())
    yield page
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious_and_no_page_scrolls_sideways(reader: Page, inhabited: str, path: str) -> None:
    reader.goto(path.format(ns=inhabited))
    reader.locator("#page").wait_for()
    reader.wait_for_function("document.querySelector('#fresh, .says, .head, h1') !== null")
    reader.evaluate(AXE)
    found: list[dict[str, Any]] = reader.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    said = [
        f"{each['id']}: {each['help']} – {node['html'][:200]} – {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]
    assert said == []
    width = reader.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, f"{path} is {width} px wider than the screen"
