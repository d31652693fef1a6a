"""What Kubernetes is for, in a browser and on containers that run: a shop is deployed, hurt and changed.

With ``--tour`` it writes the pictures of docs/tour.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sandbox import Sandbox
from tests.browser.conftest import CHROMIUM, FLAGS
from tools.server import ROOT, Server

from .installation import place_of, services_load, wait_for
from .shop import HOST, Customer, texts

NAMESPACE = "shop"
HERE = "/c/tests"
PICTURES = ROOT / "docs" / "tour"
OLD, NEW = "old-password-1234", "new-password-5678"

Shot = Callable[[str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(cluster: Sandbox, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The owner's, with changes allowed."""
    services_load(cluster)
    with (
        Server(tmp_path / "home", cluster.kubeconfig) as server,
        closing(
            browser.new_context(
                base_url=server.base, viewport={"width": 1280, "height": 720}, color_scheme="light"
            )
        ) as context,
    ):
        context.add_cookies(server.cookies())  # type: ignore[arg-type]
        page = context.new_page()
        page.route(
            "**/vendor/codemirror/**", lambda route: route.abort()
        )  # the text areas take texts at once
        page.goto("/clusters/")
        allow = page.get_by_role("button", name="Allow changes")
        allow.click()
        expect(allow).to_have_count(0)
        yield page


@pytest.fixture
def shot(page: Page, request: pytest.FixtureRequest) -> Shot:
    """Takes a picture of the page, where a tour is wanted."""
    wanted = request.config.getoption("tour")
    if wanted:
        PICTURES.mkdir(exist_ok=True)

    def take(name: str) -> None:
        if wanted:
            page.evaluate("document.activeElement?.blur()")
            page.mouse.move(0, 0)
            page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")

    return take


def apply(page: Page, said: str = "") -> None:
    """Applies what is previewed, and follows it until the page says so."""
    button = page.locator("[data-apply]")
    expect(button).to_be_enabled()
    button.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    if said:
        expect(page.locator("#change-progress h2, #operation-progress h2")).to_contain_text(
            said, timeout=240_000
        )


def preview(page: Page) -> None:
    page.locator("button[value=preview]").last.click()


def test_a_shop_is_deployed_hurt_and_changed(page: Page, shot: Shot, cluster: Sandbox) -> None:
    api, address = cluster.api(), place_of(cluster).address
    customer = Customer(address)

    def pods(app: str) -> list[dict[str, Any]]:
        found = api.get(f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{app}")["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def ready(app: str, besides: str = "") -> dict[str, Any] | None:
        """The only pod of it, once it is ready, and another one than before."""
        found = pods(app)
        if len(found) != 1 or found[0]["metadata"]["uid"] == besides:
            return None
        conditions = {each["type"]: each["status"] for each in found[0]["status"].get("conditions", ())}
        return found[0] if conditions.get("Ready") == "True" else None

    def at(plural: str, name: str, action: str = "") -> str:
        return f"{HERE}/{plural}/{NAMESPACE}/{name}/{action}"

    def delete_pod(app: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pod of it before and after."""
        before = ready(app)
        assert before
        page.goto(at("pods", before["metadata"]["name"], "delete/"))
        apply(page)
        return before, wait_for(lambda: ready(app, before["metadata"]["uid"]), f"another pod of {app}")

    def create(text: str) -> None:
        page.goto(f"{HERE}/create/?namespace={NAMESPACE}")
        page.locator("#yaml").fill(text)
        preview(page)
        apply(page, "objects are there")

    # A namespace, and in it the shop.
    page.goto(f"{HERE}/create/namespaces/")
    page.locator("#change [name=name]").fill(NAMESPACE)
    preview(page)
    apply(page)
    for text in texts(NAMESPACE, OLD):
        create(text)
    shot("deployed")
    wait_for(lambda: ready("db"), "the database")
    page.goto(at("cronjobs", "set-password", "run/"))
    apply(page, "complete")
    customer.gets("/sell", "sold: 1")

    # A pod dies. Another one comes, at another address; the Service stays where it was.
    service = api.get(f"/api/v1/namespaces/{NAMESPACE}/services/web")["spec"]["clusterIP"]
    before, after = delete_pod("web")
    assert before["status"]["podIP"] != after["status"]["podIP"]
    assert api.get(f"/api/v1/namespaces/{NAMESPACE}/services/web")["spec"]["clusterIP"] == service
    page.goto(f"{HERE}/pods/?namespace={NAMESPACE}")
    expect(page.locator("#rows")).to_contain_text(after["metadata"]["name"])
    shot("pods")
    page.goto(at("services", "web"))
    expect(page.locator("#page")).to_contain_text(service)
    expect(page.locator("#page")).to_contain_text(after["metadata"]["name"])
    shot("service")
    page.goto(at("ingresses", "web"))
    expect(page.locator("#page")).to_contain_text(HOST)
    shot("ingress")

    # What it wrote into its container went with the pod; what the database wrote on its claim is there.
    customer.gets("/sell", "sold: 2, here: 1")
    delete_pod("db")
    customer.gets("/sell", "sold: 3, here: 2")
    page.goto(at("persistentvolumeclaims", "data-db-0"))
    expect(page.locator("#page")).to_contain_text("Bound")
    shot("volume")
    page.goto(at("statefulsets", "db"))
    expect(page.locator("#page")).to_contain_text("data-db-0")
    shot("statefulset")

    # A new greeting: in the file by itself, in the variable by a restart.
    assert customer.get("/") == "file: hello, variable: hello"
    page.goto(at("configmaps", "settings", "edit/"))
    page.get_by_label("Text of greeting", exact=True).fill("good morning")
    preview(page)
    expect(page.locator("#preview")).to_contain_text("web")
    shot("configmap")
    apply(page)
    customer.gets("/", "file: good morning, variable: hello")
    page.goto(at("deployments", "web", "restart/"))
    apply(page, "rollout complete")
    customer.gets("/", "file: good morning, variable: good morning")

    # A new password, which the database is told before anything restarts with it.
    page.goto(at("secrets", "database", "rotate/?key=password"))
    page.locator("[name=value]").fill(NEW)
    page.get_by_label("Run before the restarts").select_option("set-password")
    expect(page.locator("#preview")).to_contain_text("CronJob set-password runs first")
    shot("secret")
    apply(page, "database is rotated")
    customer.gets("/sell", "sold: 4")
