"""Fixtures of the browser tests: a dashboard of its own over the tests' sandbox, and real Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    ViewportSize,
    expect,
    sync_playwright,
)

from sandbox import Sandbox
from tools.server import Server

CHROMIUM = "/usr/bin/chromium"
WIDE: ViewportSize = {"width": 1440, "height": 900}
# Two cores may be shared with a control plane and a browser: the tests are of what happens, not of how soon.
expect.set_options(timeout=60_000)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Of several such lists the last alone counts, so Playwright's own stands here too. After it: what the browser draws
    # its own menus with, a process for each window that nobody sees.
    "--disable-features="
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,"
    "PreloadTopChromeWebUI,WebUIOmniboxPopup,WebUIOmniboxFullPopup,WebUIOmniboxAimPopup",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, images = tmp_path_factory.mktemp("dashboard") / "home", "busybox:1.37"
    with Server(home, cluster.kubeconfig, CLUSTER_UI_DEBUG_IMAGES=images) as server:
        # The tests' sandbox is a context like any other: its owner allows changes, once.
        yield server


@contextmanager
def faulty(server: Server, fault: str) -> Iterator[None]:
    """The server, started anew with a fault of ``faulty.py``; afterwards without it."""
    server.stop()
    server.program, server.environment["FAULT"] = ("-m", "tests.browser.faulty"), fault
    try:
        server.start()
        yield
    finally:
        server.stop()
        del server.program, server.environment["FAULT"]
        server.start()


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Debian's, with flags besides ours."""
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])) as browser,
    ):
        yield browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def changes_allowed(browser: Browser, server: Server, session: StorageState) -> None:
    """The owner's word that the tests' cluster may be changed, given once."""
    with closing(browser.new_context(base_url=server.base, storage_state=session)) as context:
        page = context.new_page()
        page.goto("/clusters/")
        allow = page.get_by_role("button", name=re.compile("Allow changes"))
        if allow.count():
            allow.click()
            expect(allow).to_have_count(0)


@pytest.fixture(scope="session")
def session(browser: Browser, server: Server) -> StorageState:
    """The owner's session, for every browser that need not end it."""
    return sign_in(browser, server)


def sign_in(browser: Browser, server: Server) -> StorageState:
    with closing(browser.new_context(base_url=server.base)) as context:
        page = context.new_page()
        page.goto(server.signin_link())
        page.get_by_role("button", name="Sign in as owner").click()
        expect(page).not_to_have_url(re.compile("/login/"))
        return context.storage_state()


@pytest.fixture
def context(browser: Browser, server: Server, session: StorageState) -> Iterator[BrowserContext]:
    """A signed-in browser of its own."""
    with closing(browser.new_context(base_url=server.base, viewport=WIDE, storage_state=session)) as context:
        yield context


@pytest.fixture
def own_session(context: BrowserContext, server: Server) -> None:
    """The context is signed in anew: its session may be ended."""
    context.clear_cookies()
    context.add_cookies(server.cookies())


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; an error of a script or a broken policy on it fails the test."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: (
            wrong.append(f"console: {message.text}")
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )
    yield page
    assert wrong == []


class Objects:
    """The API server as a colleague with kubectl would use it, in one namespace."""

    def __init__(self, cluster: Sandbox, namespace: str) -> None:
        self.api = cluster.api()
        self.namespace = namespace

    def pod(self, name: str, **labels: str) -> None:
        self.api.post(
            f"/api/v1/namespaces/{self.namespace}/pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": labels},
                "spec": {"containers": [{"name": "main", "image": "example/app:1"}]},
            },
        )

    def event(self, name: str) -> None:
        """An Event that says which one it is."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.api.post(
            f"/api/v1/namespaces/{self.namespace}/events",
            {
                "metadata": {"name": name},
                "involvedObject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": "web",
                    "namespace": self.namespace,
                },
                "type": "Warning",
                "reason": "Told",
                "message": f"told by {name}",
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
            },
        )

    def delete_pod(self, name: str) -> None:
        self.api.delete(f"/api/v1/namespaces/{self.namespace}/pods/{name}?gracePeriodSeconds=0")

    def deployment(self, name: str, replicas: int, image: str = "example/app:1") -> None:
        labels = {"app.kubernetes.io/name": name}
        self.api.post(
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [{"name": "main", "image": image}]},
                    },
                },
            },
        )

    def service(self, name: str) -> None:
        self.api.post(
            f"/api/v1/namespaces/{self.namespace}/services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"port": 80}]},
            },
        )

    def scale(self, name: str, replicas: int) -> None:
        self.api.patch(
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}/scale",
            {"spec": {"replicas": replicas}},
        )

    def replicas(self, name: str) -> int:
        found: dict[str, Any] = self.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}")
        return int(found["spec"]["replicas"])


@pytest.fixture
def objects(cluster: Sandbox, namespace: str) -> Objects:
    return Objects(cluster, namespace)


@pytest.fixture
def requests_of() -> Callable[[Page], list[str]]:
    """Starts to note what a page asks the server for; its scripts, which may come later, are no question."""

    def start(page: Page) -> list[str]:
        urls: list[str] = []
        page.on("request", lambda request: "/static/" in request.url or urls.append(request.url))
        return urls

    return start


def until(page: Page, done: Callable[[], Any], what: str = "") -> Any:
    """What ``done`` gives, as soon as it gives something. The page goes on meanwhile."""
    for _ in range(1200):
        if found := done():
            return found
        page.wait_for_timeout(100)
    raise TimeoutError(what or done)


def frames_of(page: Page) -> list[dict[str, Any]]:
    """Starts to note every frame that a page's websockets receive."""
    frames: list[dict[str, Any]] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda payload: frames.append(json.loads(payload))),
    )
    return frames


def shot(page: Page, path: Path) -> None:
    page.screenshot(path=path)
