"""Each form of the registries at 320 pixels: nothing runs out of the screen, axe-core finds nothing serious, and the
keyboard alone reaches what sends it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import get_resolver, resolve
from playwright.sync_api import Browser, Page, StorageState, expect

from dashboard.actions.newobjects.registry import NEW_OBJECTS, VARIANTS
from dashboard.kinds import KINDS
from sandbox import Sandbox
from tests.cluster.test_every_action import AT, CHANGED, CLAIM, TRIED
from tests.unit.views.test_access import patterns
from tools.server import Server

from .test_accessibility import PAGES, SMALL, serious, signed_in, too_wide, visit

pytestmark = [pytest.mark.usefixtures("changes_allowed")]

NODE = "worker-a1"
# What the form of a new object is sent with; what it misses, it says then.
NEW = {
    "deployments": {"name": "new", "image": "example/app:1"},
    "configmaps": {"name": "new", "data.key": "MODE", "data.value": "fast"},
    "namespaces": {"name": "new-namespace"},
}
CREATED = {
    f"create {form.plural} {form.variant}".strip(): form
    for each in NEW_OBJECTS
    for form in VARIANTS.get(each.plural, (each,))
}
OTHERS = ["yaml", "bulk"]
# Whose change, operation and undo are looked at too.
APPLIED = ("scale", "rotate")
# Addresses of no page, and pages that are looked at by other tests: in which module.
NO_PAGE = {
    "allow_changes", "audit_verify", "cluster_look", "cluster_remove", "cluster_rules", "columns", "counts",
    "field_kinds",
    "fields", "forbid_changes", "healthz", "log_download", "log_line", "login_link", "login_oidc", "login_oidc_callback",
    "logout", "metrics", "offers", "operation_leave", "operation_resume", "operation_stop", "people_remove", "readyz",
    "reveal", "sessions_end", "value", "values", "version",
}  # fmt: skip
ELSEWHERE = {
    "cluster_add": "test_clusters", "home": "test_ways", "login": "test_access", "login_password": "test_access",
    "login_token": "test_access", "plugin": "test_ways",
}  # fmt: skip
HERE = {"action", "bulk", "change", "create_form", "operation", "undo"}


def test_every_address_of_a_page_is_looked_at() -> None:
    listed = {resolve(path.format(ns="shop").partition("?")[0]).url_name for path in PAGES}
    names = {str(each.name) for each in patterns(get_resolver())}
    assert names - listed == (NO_PAGE | ELSEWHERE.keys() | HERE) - listed


@pytest.fixture(scope="module")
def place(cluster: Sandbox) -> Iterator[str]:
    """A namespace with an object for each action."""
    name = f"test-{secrets.token_hex(4)}"
    api = cluster.api()
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    volume = f"volume-{name}"
    for case, (plural, manifest, *_) in TRIED.items():
        if plural in ("nodes", "namespaces"):
            continue
        kind = KINDS[plural]
        made = manifest | {
            "metadata": {"name": slug(case)}
        }  # without labels by which another one's controller takes it
        api.post(kind.gvr.path(name, None), made)
        if case in CHANGED:
            api.patch(kind.gvr.path(name, slug(case)), CHANGED[case])
        if plural == "persistentvolumeclaims":
            claim = {"kind": "PersistentVolumeClaim", "namespace": name, "name": slug(case)}
            spec = {"capacity": {"storage": "1Gi"}, "claimRef": claim, "hostPath": {"path": "/nowhere"}}
            bound = spec | {key: CLAIM[key] for key in ("accessModes", "storageClassName")}
            api.post("/api/v1/persistentvolumes", {"metadata": {"name": volume}, "spec": bound})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
    api.delete(f"/api/v1/persistentvolumes/{volume}")


@pytest.fixture(scope="module")
def small(browser: Browser, server: Server, session: StorageState) -> Iterator[Page]:
    with signed_in(browser, server, session) as page:
        page.set_viewport_size(SMALL)
        yield page


def slug(case: str) -> str:
    return case.replace(" ", "-")


def address(case: str, namespace: str) -> tuple[str, dict[str, str]]:
    """Where a form is, and what is typed there."""
    if case == "yaml":
        return f"/c/tests/create/?namespace={namespace}", {}
    if case == "bulk":
        return f"/c/tests/bulk/deployments/scale/?object={namespace}/scale&object={namespace}/pause", {
            "replicas": "2"
        }
    if case in CREATED:
        form = CREATED[case]
        query = urlencode({"namespace": namespace, "type": form.variant})
        return f"/c/tests/create/{form.plural}/?{query}", NEW.get(form.plural, {"name": "new"})
    plural, _, typed, _ = TRIED[case]
    name = {"nodes": NODE, "namespaces": namespace}.get(plural, slug(case))
    where = namespace if KINDS[plural].gvr.namespaced else "-"
    action = case.split()[0]
    return f"/c/tests/{plural}/{where}/{name}/{AT.get(action, action)}/", typed


def reach(page: Page, selector: str) -> None:
    """By Tab, from the heading on."""
    page.locator("h1").first.click()
    stops = []
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
        stops.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
    raise AssertionError(f"Tab does not reach {selector}: {stops}")


def settled(page: Page) -> None:
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


def fill(page: Page, typed: dict[str, Any]) -> None:
    for name, text in typed.items():
        field = page.locator(
            f'#change :is(input:not([type=radio], [type=checkbox]), textarea)[name="{name}"]'
        )
        for each in field.locator("visible=true").all()[:1]:
            each.fill(text)


@pytest.mark.parametrize("case", [*TRIED, *CREATED, *OTHERS])
def test_a_form_fits_a_small_screen_and_is_sent_by_the_keyboard(small: Page, place: str, case: str) -> None:
    path, typed = address(case, place)
    page = small
    if case == "versions":  # there is one to go back to once it was changed
        visit(page, path.replace("/versions/versions/", "/versions/edit/"))
        fill(page, TRIED["edit"][2])
        page.locator("#change button[value=preview]").first.click()
        page.locator("[data-apply]").click()
        page.wait_for_url(re.compile("/changes/"))
    visit(page, path)
    expect(page.locator("#change")).to_be_visible()
    assert too_wide(page) <= 0
    fill(page, typed)
    button = "#change button[value=preview]"
    if page.locator(button).locator("visible=true").count():
        reach(page, button)
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.keyboard.press("Enter")
        settled(page)
    expect(
        page.locator("#preview .p-say, #preview .decide, #preview .callout").locator("visible=true").first
    ).to_be_visible()
    if page.locator("[data-apply]").count():
        reach(page, "[data-apply]")
    assert too_wide(page) <= 0
    assert serious(page) == []
    if case in APPLIED:
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/changes/"))
        looked_at(page)
        page.goto(re.sub(r"(/changes/\d+/).*", r"\1undo/", page.url))
        expect(page.locator("[data-apply]")).to_be_visible()
        looked_at(page)


def looked_at(page: Page) -> None:
    expect(page.locator("h1")).to_be_visible()
    assert too_wide(page) <= 0
    assert serious(page) == []
