"""How pages lie on the screen: nothing scrolls but what should, nothing covers anything, nothing moves away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"

PAGES = {
    "overview": f"/c/{SLUG}/",
    "map": f"/c/{SLUG}/map/",
    "capacity": f"/c/{SLUG}/capacity/",
    "pods": f"/c/{SLUG}/pods/",
    "detail": f"/c/{SLUG}/deployments/{{namespace}}/web/",
    "scale": f"/c/{SLUG}/deployments/{{namespace}}/web/scale/",
    "audit": "/audit/",
    "clusters": "/clusters/",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_document_itself_never_scrolls(page: Page, objects: Objects, namespace: str, name: str) -> None:
    objects.deployment("web", 2)
    for width, height in ((1440, 900), (1100, 700)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(PAGES[name].format(namespace=namespace))
        expect(page.locator("#page")).to_be_visible()
        sizes = "[document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
        tall, wide = page.evaluate(sizes)
        assert (tall <= height, wide <= width) == (True, True), (tall, wide)


def test_the_name_of_an_object_has_room_beside_all_that_can_be_done_with_it(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    for width in (1440, 1100, 800, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(PAGES["detail"].format(namespace=namespace))
        expect(page.locator("#act-delete")).to_be_visible()
        title = page.get_by_role("heading", level=1)
        one_line = (
            "h1 => h1.getBoundingClientRect().height < 1.7 * parseFloat(getComputedStyle(h1).lineHeight)"
        )
        assert title.evaluate(one_line), width


def test_a_filter_that_cannot_be_read_is_said_at_its_field_and_not_covered(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    field = page.locator("input[name=labels]")
    field.fill("tier in (")
    state = page.locator("#list-state")
    expect(state).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_attribute("aria-describedby", "list-state")
    at_its_middle = state.locator("h2").evaluate(
        "head => { const at = head.getBoundingClientRect();"
        " return head === document.elementFromPoint(at.x + 5, at.y + at.height / 2); }"
    )
    assert at_its_middle
    field.fill("")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_a_row_that_goes_from_above_the_pointer_holds_its_place(
    page: Page, objects: Objects, namespace: str
) -> None:
    for name in ("a", "b", "c"):
        objects.pod(name)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}&sort=name")
    expect(page.locator("#rows tr")).to_have_count(3)
    row = page.locator("#rows tr[data-name=c]")
    row.hover()
    before = row.evaluate("row => row.getBoundingClientRect().top")
    objects.delete_pod("a")
    expect(page.locator("#rows tr.gone[data-name=a]")).to_have_attribute("aria-hidden", "true")
    assert row.evaluate("row => row.getBoundingClientRect().top") == before
    expect(page.locator("#list-head")).to_contain_text("of 2")
    page.locator("h1").hover()
    expect(page.locator("#rows tr")).to_have_count(2)


def test_a_kind_is_found_by_its_short_name(page: Page) -> None:
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    for words, kind in (("po", "Pods"), ("deploy", "Deployments"), ("svc", "Services"), ("no", "Nodes")):
        page.locator("#palette input").fill(words)
        expect(page.locator("#palette [role=option]").first).to_contain_text(kind)


@pytest.mark.usefixtures("changes_allowed")
def test_the_form_follows_the_number_that_it_changes(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/scale/")
    page.locator("input[name=replicas]").fill("4")
    expect(page.locator("[data-apply]")).to_be_enabled()
    objects.scale("web", 3)
    expect(page.locator("[data-from]")).to_have_text("3")
    expect(page.locator("#preview")).to_contain_text("It was 2 and is 3 now")
    expect(page.locator("#preview")).to_have_attribute("data-made-from", "3")
    expect(page.locator("[data-apply]")).to_be_enabled()
    expect(page.locator("input[name=replicas]")).to_have_value("4")


@pytest.mark.usefixtures("changes_allowed")
def test_of_a_deleted_deployment_nothing_can_be_applied(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/scale/")
    page.locator("input[name=replicas]").fill("2")
    expect(page.locator("[data-apply]")).to_be_enabled()
    objects.api.delete(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    expect(page.locator("#object-now")).to_contain_text("This Deployment was deleted.")
    expect(page.locator("[data-apply]")).to_be_disabled()
    expect(page.locator("#preview [role=alert]")).to_contain_text("deleted")


def test_an_error_page_is_shown_once_and_stays(page: Page, namespace: str) -> None:
    page.clock.install()
    page.goto(f"/c/{SLUG}/pods/{namespace}/none/")
    expect(page.locator("#page .state h1")).to_be_visible()
    page.evaluate("window.shownOnce = document.querySelector('#page .state')")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(30_000)  # whatever the page does by itself within that time has begun
    assert [url for url in asked if "/static/" not in url] == []
    assert page.evaluate("window.shownOnce.isConnected")
    expect(page.locator("[data-note]")).to_have_count(0)


@pytest.mark.usefixtures("changes_allowed")
def test_a_change_that_was_refused_is_not_called_unanswered(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    path = f"/c/{SLUG}/deployments/{namespace}/web/scale/"
    page.goto(path)
    page.locator("input[name=replicas]").fill("2")
    expect(page.locator("[data-apply]")).to_be_enabled()
    page.route(
        re.compile(re.escape(path)),
        lambda route: route.fulfill(
            status=403, body='<body class="bare"><div class="card"><h1>Not you</h1><p>Ask first.</p></div>'
        ),
    )
    page.locator("[data-apply]").click()
    note = page.locator("[data-note]")
    expect(note).to_contain_text("Not you")
    expect(note).to_contain_text("Nothing was written")
    assert objects.replicas("web") == 1


def test_every_quick_filter_and_the_name_of_a_kind_beside_its_mark_are_whole(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    # In one go, as a frame of the live view puts the true ones back.
    cut = page.evaluate(
        """() => {
            const words = ["All 108", "Critical 39", "Warning 10", "Changing 1", "Healthy 59", "Finished 8"];
            const chips = document.querySelector(".chips");
            chips.innerHTML = words.map(word => `<a class="chip" href="#">${word}</a>`).join("");
            const count = document.querySelector("#nav-persistentvolumeclaims");
            count.innerHTML = `<span class="mark warn"><svg class="i"></svg>1</span><span class="n">13</span>`;
            const name = count.closest("a").querySelector(".k");
            return [chips, name].filter(one => one.scrollWidth > one.clientWidth).map(one => one.className);
        }"""
    )
    assert cut == []
