"""One door to everything: found by what people know of it, reached by the keyboard alone; and the page of a search."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tools.server import Server

from .conftest import Objects, until

SLUG = "tests"


def option(page: Page, text: str | re.Pattern[str]) -> Locator:
    return page.locator("#palette [role=option]", has_text=text)


def ask(page: Page, words: str) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.type(words)


def address(page: Page, objects: Objects) -> str:
    """The address that the cluster gave to a pod of the namespace."""
    path = f"/api/v1/namespaces/{objects.namespace}/pods/web-1"
    return str(until(page, lambda: objects.api.get(path)["status"].get("podIP")))


def test_a_pod_is_reached_by_its_address(
    page: Page, objects: Objects, namespace: str, server: Server
) -> None:
    objects.pod("web-1")
    ip = address(page, objects)
    page.goto(f"/c/{SLUG}/")
    ask(page, ip)
    # Enter may come before the answer: it is kept.
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/pods/{namespace}/web-1/$"))
    expect(page.locator("#palette")).to_be_hidden()
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    expect(option(page, "web-1").first).to_contain_text(namespace)  # looked at last
    # By nobody else: whoever signs in next in this browser, though nobody has signed out, does not read its name.
    page.context.add_cookies(server.cookies("mara"))
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    expect(option(page, "Overview").first).to_be_visible()
    expect(option(page, "web-1")).to_have_count(0)


def test_an_action_is_reached_by_the_keyboard_alone(
    page: Page, objects: Objects, namespace: str, changes_allowed: None
) -> None:
    objects.deployment("shop-front", 1)
    page.goto(f"/c/{SLUG}/deployments/?namespace={namespace}")
    # So that the search knows it.
    expect(page.locator("#rows tr", has_text="shop-front")).to_be_visible()
    page.goto(f"/c/{SLUG}/pods/")
    ask(page, f">scale {namespace}/shop")
    first = option(page, "Scale… shop-front").first  # before its ReplicaSet
    expect(first).to_have_attribute("aria-selected", "true")
    expect(page.locator("#palette input")).to_have_attribute("aria-activedescendant", "place-0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/deployments/{namespace}/shop-front/scale/$"))


@pytest.mark.parametrize("sign", ["", ">"])
def test_an_action_is_typed_as_for_kubectl(
    page: Page, objects: Objects, namespace: str, changes_allowed: None, sign: str
) -> None:
    objects.deployment("shop-desk", 1)
    page.goto(f"/c/{SLUG}/?namespace={namespace}")
    for typed, text, address in (
        (
            "rollout restart deploy/shop-desk",
            "Restart… shop-desk",
            f"/deployments/{namespace}/shop-desk/restart/$",
        ),
        ("expose shop-desk", "Expose by a Service… shop-desk", rf"from=deployments/{namespace}/shop-desk$"),
        (
            "create secret tls shop-tls",
            "Create Secret: Certificate and key…",
            r"type=tls&name=shop-tls&namespace=",
        ),
    ):
        ask(page, f"{sign}{typed} -n {namespace}" if "create" not in typed else f"{sign}{typed}")
        expect(option(page, text).first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(address))
        if "expose" in typed:
            expect(page.locator("#selector-0-key")).to_have_value("app.kubernetes.io/name")
            expect(page.locator("#selector-0-value")).to_have_value("shop-desk")
        page.goto(f"/c/{SLUG}/?namespace={namespace}")


def test_what_can_be_done_with_a_found_object_is_one_key_away(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("shop-back", 1)
    page.goto(f"/c/{SLUG}/")
    ask(page, f"{namespace}/shop-back")
    expect(option(page, "Deployment").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#palette .crumb")).to_have_text(f"Deployment shop-back in {namespace}")
    expect(option(page, "YAML")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette input")).to_have_value(f"{namespace}/shop-back")
    expect(option(page, "Deployment").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.type("yaml")
    expect(page.locator("#palette [role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/deployments/{namespace}/shop-back/yaml/$"))


def test_kubectls_words_lead_to_the_object_and_its_namespace_is_told(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("shop-till", 1)
    page.goto(f"/c/{SLUG}/pods/?namespace=default")
    ask(page, f"deploy shop-tlil -n {namespace}")
    first = option(page, "shop-till").first
    expect(first).to_have_attribute("aria-selected", "true")
    expect(first).to_contain_text(namespace)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/deployments/{namespace}/shop-till/$"))
    expect(page).to_have_title(re.compile(f"shop-till · {namespace} · Deployment"))


@pytest.mark.parametrize(
    ("typed", "text", "address"),
    [
        ("kubectl get pods -n {ns}", "Pods in {ns}", r"/pods/\?namespace={ns}$"),
        ("deploy -A", "Deployments", "/deployments/$"),
        ("get depolyments -n{ns}", "Deployments in {ns}", r"/deployments/\?namespace={ns}$"),
        ("kubectl logs shop-desk -n {ns}", "Logs shop-desk", "/pods/{ns}/shop-desk/logs/$"),
    ],
)
def test_a_line_for_kubectl_leads_to_what_it_would_show(
    page: Page, objects: Objects, namespace: str, typed: str, text: str, address: str
) -> None:
    objects.deployment("shop-desk", 1)
    objects.pod("shop-desk")
    page.goto(f"/c/{SLUG}/?namespace={namespace}")
    ask(page, typed.format(ns=namespace))
    first = page.locator("#palette [role=option]").first
    expect(first).to_contain_text(text.format(ns=namespace))
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(address.format(ns=namespace)))


def test_a_kind_and_a_namespace_after_a_colon(page: Page, namespace: str) -> None:
    page.goto(f"/c/{SLUG}/")
    expect(page.locator("[data-freshness=live]")).to_be_visible()
    page.keyboard.press(":")
    expect(page.locator("#palette input")).to_have_value(":")
    page.keyboard.type(f"po {namespace}")
    expect(option(page, f"Pods in {namespace}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/pods/\?namespace={namespace}$"))


def test_an_object_comes_before_a_kind_that_only_looks_like_its_name(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("webhook-1")
    objects.pod("apis-of-mine")
    page.goto(f"/c/{SLUG}/?namespace={namespace}")
    kinds = page.locator("#kinds a", has_text="MutatingWebhookConfigurations")
    expect(kinds).to_have_count(1)  # what the cluster offers besides has come
    for words, name in (("webh", "webhook-1"), ("api", "apis-of-mine")):
        ask(page, words)
        expect(page.locator("#palette [aria-selected=true]")).to_contain_text(name)
        page.keyboard.press("Escape")
    ask(page, "apiservices")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("APIServices")
    page.keyboard.press("Control+a")
    page.keyboard.type("api")
    page.keyboard.press("Enter")  # at once: it waits for what may be better
    page.wait_for_url(f"**/pods/{namespace}/apis-of-mine/")


def test_where_a_page_has_no_actions_the_palette_says_how_to_ask_for_one(page: Page) -> None:
    page.goto(f"/c/{SLUG}/")
    ask(page, ">")
    expect(page.locator("#palette .trouble")).to_have_text(
        "Enter an action and an object, such as “restart web”."
    )
    page.keyboard.type("restart")
    expect(page.locator("#palette .trouble")).not_to_contain_text("Say what to do")


def test_while_the_dashboard_is_away_places_still_lead_on(page: Page) -> None:
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    expect(option(page, "Overview")).to_be_visible()
    expect(option(page, "Pods").first).to_be_visible()  # the pages leave room for kinds
    page.route("**/search/**", lambda route: route.abort())
    page.keyboard.type("deploy")
    expect(page.locator("#palette .trouble")).to_contain_text("does not answer")
    expect(option(page, "Deployments").first).to_have_attribute("aria-selected", "true")
    page.unroute("**/search/**")
    page.keyboard.type("m")
    expect(page.locator("#palette .trouble")).not_to_contain_text("does not answer")


def test_an_answer_that_comes_late_is_not_shown(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("late-one")
    objects.pod("other-one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(2)

    held: list[Any] = []

    def hold(route: Any) -> None:
        if "q=late-one" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.route("**/search/**", hold)
    ask(page, "late-one")
    until(page, lambda: held)
    page.locator("#palette input").fill("other-one")
    expect(option(page, "other-one").first).to_be_visible()
    for route in held:
        route.continue_()
    # What is asked after that is answered after that.
    page.locator("#palette input").fill("other-on")
    expect(option(page, "other-one").first).to_be_visible()
    until(page, lambda: all(route.request.failure or route.request.response() for route in held))
    expect(option(page, "late-one")).to_have_count(0)


def test_the_page_of_a_search_works_without_scripts(
    browser: Browser, server: Server, context: BrowserContext, objects: Objects, namespace: str
) -> None:
    objects.deployment("found-me", 1)
    plain = browser.new_context(
        base_url=server.base, storage_state=context.storage_state(), java_script_enabled=False
    )
    page = plain.new_page()
    page.goto(f"/c/{SLUG}/")
    page.locator(".find").click()
    page.locator("input[name=q]").fill(f"{namespace}/found")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#f-deployments")).to_have_text("Deployments")
    found = page.locator(f"#found a[href$='/deployments/{namespace}/found-me/']")

    def there() -> bool:
        """Nothing comes by itself without scripts."""
        page.reload()
        return found.count() > 0

    until(page, there)
    found.click()
    expect(page).to_have_url(re.compile(f"/{namespace}/found-me/$"))
    plain.close()


@pytest.mark.parametrize("width", [1440, 320])
def test_palette_and_page_fit_the_screen(page: Page, objects: Objects, namespace: str, width: int) -> None:
    objects.pod("a-very-long-name-of-a-pod-that-somebody-thought-would-be-a-good-idea-to-have")
    page.set_viewport_size({"width": width, "height": 640})
    page.goto(f"/c/{SLUG}/search/?q=thought+{namespace}")
    expect(page.locator("#found mark").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".find").click()
    page.locator("#palette input").fill("thought")
    expect(option(page, "a-very-long").first).to_be_visible()
    box = page.locator("#palette").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.locator("#palette-list").evaluate("list => list.scrollWidth <= list.clientWidth")
