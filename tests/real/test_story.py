"""What Kubernetes is for, in a browser and on containers that run: a shop is deployed, hurt, changed and
restored.

With ``--tour`` it writes the pictures of docs/tour.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from sandbox.node.objects import NODE, SECOND
from tests.browser.conftest import chromium
from tests.cluster.archives import IDENTITY
from tools.pictures import png_small
from tools.server import ROOT, Server

from .installation import asked_all_the_time, place_of, services_load, wait_for
from .shop import HOST, Customer, budget, texts

NAMESPACE = "shop"
HERE = "/c/tests"
PICTURES = ROOT / "docs" / "tour"
ABOUT_A_MINUTE = 120.0  # a kubelet writes anew within a minute and a half, by its own clock
OLD, NEW, WRONG = "old-password-1234", "new-password-5678", "nobody-told-the-database"

Shot = Callable[[str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(cluster: Sandbox, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The owner's, with changes allowed, in a dashboard whose backups hold Secrets."""
    services_load(cluster)
    folder = tmp_path_factory.mktemp("story")
    store, key = folder / "store", folder / "key"
    store.mkdir()
    key.write_text(str(IDENTITY))
    key.chmod(0o600)
    settings = {
        "CLUSTER_UI_BACKUP_TO": str(store),
        "CLUSTER_UI_BACKUP_RECIPIENTS": str(IDENTITY.to_public()),
        "CLUSTER_UI_BACKUP_IDENTITY_FILE": str(key),
    }
    with (
        Server(folder / "home", cluster.kubeconfig, **settings) as server,
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


@pytest.fixture(scope="module")
def shot(page: Page, request: pytest.FixtureRequest) -> Shot:
    """Takes a picture of the page, where a tour is wanted."""
    wanted = request.config.getoption("tour")
    if wanted:
        PICTURES.mkdir(exist_ok=True)

    def take(name: str) -> None:
        if wanted:
            page.evaluate("document.activeElement?.blur()")
            page.mouse.move(0, 0)
            picture = page.screenshot(animations="disabled")
            (PICTURES / f"{name}.png").write_bytes(png_small(picture))

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


def at(plural: str, name: str, action: str = "") -> str:
    return f"{HERE}/{plural}/{NAMESPACE}/{name}/{action}"


class Shop:
    """The shop as who runs it has it: by the pages of the dashboard; the API server is only asked what came of it."""

    def __init__(self, page: Page, cluster: Sandbox) -> None:
        self.page, self.api = page, cluster.api()
        self.address = place_of(cluster).address
        self.customer = Customer(self.address)

    def open(self, shot: Shot) -> None:
        """A namespace, and in it the shop, which has sold once."""
        self.page.goto(f"{HERE}/create/namespaces/")
        self.page.locator("#change [name=name]").fill(NAMESPACE)
        preview(self.page)
        apply(self.page)
        settings, database, front = texts(NAMESPACE, OLD)
        self.create(settings)
        self.create(database)
        self.set_password()
        self.create(front)
        shot("deployed")
        self.customer.gets("/sell", "sold: 1")

    def create(self, text: str) -> None:
        self.page.goto(f"{HERE}/create/?namespace={NAMESPACE}")
        self.page.locator("#yaml").fill(text)
        preview(self.page)
        apply(self.page, "objects are there" if "\n---\n" in text else "")

    def set_password(self) -> None:
        """Tells the database of the password in the Secret."""
        wait_for(lambda: self.ready("db"), "the database")
        self.page.goto(at("cronjobs", "set-password", "run/"))
        apply(self.page, "complete")

    def password(self) -> str:
        found = self.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/database")["data"]["password"]
        return base64.b64decode(found).decode()

    def sold(self) -> int:
        """How many it has sold, with one more that it sells now."""
        return int(self.customer.gets("/sell", "sold: ").split()[1].rstrip(","))

    def pods(self, app: str) -> list[dict[str, Any]]:
        """Those that are not on their way out."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{app}"
        return [pod for pod in self.api.get(path)["items"] if not pod["metadata"].get("deletionTimestamp")]

    def all_ready(self, app: str, count: int) -> list[dict[str, Any]]:
        """Its pods, once there are so many and all are ready."""
        found = self.pods(app)
        return found if len(found) == count and all(map(is_ready, found)) else []

    def ready(self, app: str, besides: str = "") -> dict[str, Any] | None:
        """The only pod of it, once it is ready, and another one than before."""
        found = self.all_ready(app, 1)
        return found[0] if found and found[0]["metadata"]["uid"] != besides else None

    def delete_pod(self, app: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pod of it before and after."""
        before = self.ready(app)
        assert before
        self.page.goto(at("pods", before["metadata"]["name"], "delete/"))
        apply(self.page)
        another = wait_for(lambda: self.ready(app, before["metadata"]["uid"]), f"another pod of {app}")
        return before, another

    def scale(self, replicas: int) -> None:
        """The web's, where it has another number."""
        self.page.goto(at("deployments", "web", "scale/"))
        number = self.page.locator("input[name=replicas]")
        if number.input_value() != str(replicas):
            number.fill(str(replicas))
            expect(self.page.locator("#preview")).to_contain_text(f"replicas: {replicas}")
            apply(self.page)
        wait_for(lambda: self.all_ready("web", replicas), f"{replicas} pods of web")


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"


@pytest.fixture(scope="module")
def shop(page: Page, shot: Shot, cluster: Sandbox) -> Shop:
    """One that is open, for all that is told here; each test takes it as the one before left it."""
    made = Shop(page, cluster)
    made.open(shot)
    return made


def test_a_shop_is_hurt_and_changed(page: Page, shot: Shot, shop: Shop) -> None:
    # A pod dies. Another one comes, at another address; the Service stays where it was.
    service = shop.api.get(f"/api/v1/namespaces/{NAMESPACE}/services/web")["spec"]["clusterIP"]
    before, after = shop.delete_pod("web")
    assert before["status"]["podIP"] != after["status"]["podIP"]
    assert shop.api.get(f"/api/v1/namespaces/{NAMESPACE}/services/web")["spec"]["clusterIP"] == service
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
    shop.customer.gets("/sell", "sold: 2, here: 1")
    shop.delete_pod("db")
    shop.customer.gets("/sell", "sold: 3, here: 2")
    page.goto(at("persistentvolumeclaims", "data-db-0"))
    expect(page.locator("#page")).to_contain_text("Bound")
    shot("volume")
    page.goto(at("statefulsets", "db"))
    expect(page.locator("#page")).to_contain_text("data-db-0")
    shot("statefulset")

    # A new greeting: in the file by itself, in the variable by a restart.
    assert shop.customer.get("/") == "file: hello, variable: hello"
    page.goto(at("configmaps", "settings", "edit/"))
    page.get_by_label("Text of greeting", exact=True).fill("good morning")
    preview(page)
    expect(page.locator("#preview")).to_contain_text("web")
    shot("configmap")
    apply(page)
    shop.customer.gets("/", "file: good morning, variable: hello", ABOUT_A_MINUTE)
    page.goto(at("deployments", "web", "restart/"))
    apply(page, "rollout complete")
    shop.customer.gets("/", "file: good morning, variable: good morning")

    # A new password, which the database is told before anything restarts with it.
    page.goto(at("secrets", "database", "rotate/?key=password"))
    page.locator("[name=value]").fill(NEW)
    page.get_by_label("Run before the restarts").select_option("set-password")
    expect(page.locator("#preview")).to_contain_text("CronJob set-password runs first")
    shot("secret")
    apply(page, "database is rotated")
    shop.customer.gets("/sell", "sold: 4")


def test_a_password_that_the_database_was_not_told_is_taken_back(page: Page, shot: Shot, shop: Shop) -> None:
    """The pods that ran go on meanwhile: nobody who comes by notices."""
    sold, before = shop.sold(), shop.ready("web")
    assert before
    old = shop.password()
    page.goto(at("secrets", "database", "rotate/?key=password"))
    page.locator("[name=value]").fill(WRONG)
    with asked_all_the_time(shop.address, HOST, "/ready") as wrong:
        apply(page, "web does not come up with this value")
        assert shop.password() == WRONG
        shot("rotation")
        page.locator("#act-back").click()
        apply(page, "database is rotated")
        wait_for(
            lambda: shop.ready("web", before["metadata"]["uid"]), "a pod that came up with the old value"
        )
    assert wrong == []
    assert shop.password() == old
    assert shop.sold() == sold + 1


def test_five_pods_answer_more_than_one(page: Page, shot: Shot, shop: Shop) -> None:
    """A pod has one customer at a time; five have five."""
    shop.scale(1)
    few, _ = shop.customer.crowd()
    shop.scale(5)
    page.goto(f"{HERE}/pods/?namespace={NAMESPACE}")
    for pod in shop.pods("web"):
        expect(page.locator("#rows")).to_contain_text(pod["metadata"]["name"])
    shot("scale")
    wait_for(lambda: len(shop.customer.crowd(3.0)[1]) == 5, "answers of five pods")
    many, by = shop.customer.crowd()
    assert len(by) == 5
    assert many > 1.5 * few, (few, many)


def test_pods_are_evicted_one_after_the_other_and_nobody_is_sent_away(
    page: Page, shot: Shot, shop: Shop
) -> None:
    shop.scale(3)
    shop.create(budget(NAMESPACE, "web", 2))
    before = {pod["metadata"]["name"] for pod in shop.pods("web")}

    def replaced(name: str) -> bool:
        names = {pod["metadata"]["name"] for pod in shop.all_ready("web", 3)}
        return bool(names) and name not in names

    with asked_all_the_time(shop.address, HOST, "/ready") as wrong:
        for name in sorted(before):
            page.goto(at("pods", name, "delete/"))
            expect(page.locator("#preview")).to_contain_text("PodDisruptionBudget")
            shot("eviction")
            apply(page)
            wait_for(partial(replaced, name), f"a pod instead of {name}")
    assert wrong == []
    assert before.isdisjoint(pod["metadata"]["name"] for pod in shop.pods("web"))


def test_a_node_is_drained_and_nobody_is_sent_away(page: Page, shot: Shot, shop: Shop) -> None:
    """The one without the database: what holds its data can't leave its node."""
    shop.scale(3)

    def on(node: str) -> int:
        return sum(pod["spec"]["nodeName"] == node for pod in shop.all_ready("web", 3))

    # Those that were evicted came where there was room; a restart spreads them over both.
    page.goto(at("deployments", "web", "restart/"))
    apply(page, "rollout complete")
    wait_for(lambda: on(SECOND), f"a pod of web on {SECOND}")
    with asked_all_the_time(shop.address, HOST, "/ready") as wrong:
        page.goto(f"{HERE}/nodes/-/{SECOND}/drain/")
        expect(page.locator("#preview")).to_contain_text("web")
        apply(page, f"{SECOND} is drained")
        shot("drain")
        wait_for(lambda: on(NODE) == 3, f"three pods of web on {NODE}")
    assert wrong == []
    page.goto(f"{HERE}/nodes/-/{SECOND}/uncordon/")
    apply(page)


def test_a_namespace_that_was_deleted_sells_again(page: Page, shot: Shot, shop: Shop) -> None:
    """From a backup, which holds objects and no data of volumes: what was sold before is not known any more."""
    assert shop.sold() > 1
    page.goto(f"{HERE}/recovery/")
    page.get_by_role("link", name="Back up now").click()
    page.locator("#namespace").fill(NAMESPACE)
    page.get_by_label("Include Secrets").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("No volume data")
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#operation-progress")).to_contain_text("The backup is complete", timeout=240_000)
    page.goto(f"{HERE}/namespaces/-/{NAMESPACE}/delete/")
    page.locator("#confirm").fill(NAMESPACE)
    apply(page)
    path = "/api/v1/namespaces"
    wait_for(
        lambda: NAMESPACE not in {each["metadata"]["name"] for each in shop.api.get(path)["items"]},
        "the namespace's end",
    )
    assert shop.customer.get("/") == ""
    page.goto(f"{HERE}/recovery/")
    page.get_by_role("link", name="Restore from").first.click()
    page.get_by_label("From namespace").fill(NAMESPACE)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".obs")).to_contain_text("set-password")
    shot("restore")
    page.get_by_role("button", name=re.compile(r"^Restore \d+ objects")).click()
    expect(page.locator("#operation-progress")).to_contain_text("as in the backup", timeout=240_000)
    shop.set_password()
    shop.customer.gets("/sell", "sold: 1,")
