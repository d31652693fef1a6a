"""The map and the relations of an object in a real browser: lines, keys, the list form, live changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"


def box(page: Page, namespace: str, key: str) -> Any:
    plural, name = key.split("/")
    return page.locator(f'.box[data-k="{plural}/{namespace}/{name}"]')


def test_the_map_draws_what_leads_where_and_follows_the_cluster(
    page: Page, objects: Objects, namespace: str, requests_of: Callable[[Page], list[str]]
) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    page.goto(f"/c/{SLUG}/map/?namespace={namespace}")
    workload = box(page, namespace, "deployments/web")
    expect(workload).to_contain_text("1 pod")
    lines = page.locator(f'.wires path[data-ends="services/{namespace}/web deployments/{namespace}/web"]')
    expect(lines).to_have_count(1)
    requests = requests_of(page)
    objects.scale("web", 3)
    expect(workload).to_contain_text("3 pods")
    objects.service("lonely")
    expect(box(page, namespace, "services/lonely")).to_be_visible()
    expect(lines).to_have_count(1)
    assert requests == [], "the page itself is asked for nothing"


def test_arrow_keys_follow_the_lines_and_light_what_is_connected(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    objects.deployment("worker", 1)
    objects.service("web")
    page.goto(f"/c/{SLUG}/map/?namespace={namespace}")
    service, workload = box(page, namespace, "services/web"), box(page, namespace, "deployments/web")
    expect(workload).to_contain_text("1 pod")
    expect(page.locator("path[data-ends]").first).to_be_attached()  # the map's script is there
    service.locator("a").first.focus()
    page.keyboard.press("ArrowRight")
    expect(workload.locator("a").first).to_be_focused()
    for lit in (service, workload):
        expect(lit).to_have_class("box ok lit")
    page.keyboard.press("ArrowLeft")
    expect(service.locator("a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("web")
    assert page.url.endswith(f"/services/{namespace}/web/")


def test_a_narrow_screen_and_the_list_form_tell_the_same_in_a_table(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"/c/{SLUG}/map/?namespace={namespace}")
    row = page.locator("#map-rows tr")
    expect(row).to_have_count(1)
    expect(row).to_be_visible()
    expect(page.locator("#map-apps")).to_be_hidden()
    expect(row.get_by_role("link", name="web")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(row).to_be_hidden()
    page.get_by_role("link", name="List", exact=True).click()
    expect(row).to_be_visible()
    expect(page.locator("#map-apps")).to_have_count(0)


def test_the_filter_narrows_the_map_while_it_is_typed_and_stays_in_its_address(
    page: Page, objects: Objects, namespace: str
) -> None:
    for name in ("web", "worker"):
        objects.deployment(name, 1)
    objects.service("web")
    page.goto(f"/c/{SLUG}/map/?namespace={namespace}")
    web, worker = box(page, namespace, "deployments/web"), box(page, namespace, "deployments/worker")
    expect(worker).to_be_visible()
    expect(page.locator("path[data-ends]").first).to_be_attached()  # the scripts are there
    page.keyboard.press("/")
    expect(page.get_by_label("Filter by the name of an object")).to_be_focused()
    page.keyboard.type("we")
    expect(worker).to_have_count(0)
    expect(web).to_have_class(re.compile(r"box\s+ok\s+hit"))
    expect(page).to_have_url(re.compile("[?&]q=we(&|$)"))
    page.get_by_label("Kind of the object").select_option("services")
    expect(box(page, namespace, "services/web")).to_have_class(re.compile(r"box\s+ok\s+hit"))
    expect(web).to_have_class("box ok")
    expect(page.locator(".wires path")).not_to_have_count(0)
    objects.service("web-later")  # live, as the filter says
    objects.service("later")
    expect(box(page, namespace, "services/web-later")).to_be_visible()
    expect(box(page, namespace, "services/later")).to_have_count(0)
    page.get_by_role("link", name="List", exact=True).click()
    expect(page.locator("#map-rows tr").first).to_be_visible()
    expect(page.locator("#map-apps")).to_have_count(0)
    expect(page.get_by_label("Filter by the name of an object")).to_have_value("we")
    page.reload()
    expect(page.get_by_label("Kind of the object")).to_have_value("services")
    page.get_by_label("Filter by the name of an object").fill("zzz")
    page.get_by_role("link", name="Clear the filters").click()
    expect(page).to_have_url(f"/c/{SLUG}/map/?namespace={namespace}&view=list")
    expect(page.get_by_label("Filter by the name of an object")).to_have_value("")


def test_a_count_on_the_map_leads_to_the_list_of_what_it_counts(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 2)
    objects.deployment("web-admin", 1)
    page.goto(f"/c/{SLUG}/map/?namespace={namespace}")
    web = box(page, namespace, "deployments/web")
    web.get_by_role("link", name="2 pods").click()
    expect(page.locator("h1")).to_have_text("Pods")
    expect(page.locator("#rows tr")).to_have_count(2)


def test_what_uses_a_configmap_appears_on_its_page_and_in_its_json(
    page: Page, objects: Objects, namespace: str
) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    objects.api.post(f"/api/v1/namespaces/{namespace}/configmaps", config)
    address = f"/c/{SLUG}/configmaps/{namespace}/settings/"
    page.goto(address)
    card = page.locator("#relations")
    expect(card).to_contain_text("Nothing uses it.")
    container = {"name": "c", "image": "example/app:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reader"},
        "spec": {"containers": [container]},
    }
    objects.api.post(f"/api/v1/namespaces/{namespace}/pods", pod)
    expect(card.get_by_role("link", name="reader")).to_be_visible()
    expect(card).to_contain_text("containers that start after a change see it")
    told = page.request.get(f"{address}?format=json").json()["used_by"]
    assert told == [{"kind": "Pod", "namespace": namespace, "name": "reader", "how": ["envFrom"]}]
    card.get_by_role("link", name="reader").click()
    expect(page.locator("#relations")).to_contain_text("envFrom every key as an environment variable")
