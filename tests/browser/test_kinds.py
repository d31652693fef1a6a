"""The kinds at the side, and the pages of those that are facts in tables."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Objects

SLUG = "tests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
READS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
SCALES = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]}


@pytest.fixture
def role(objects: Objects) -> str:
    """The address of a Role that allows one thing."""
    objects.api.post(
        f"{RBAC}/namespaces/{objects.namespace}/roles",
        {"kind": "Role", "apiVersion": RBAC[6:], "metadata": {"name": "reader"}, "rules": [READS]},
    )
    return f"{RBAC}/namespaces/{objects.namespace}/roles/reader"


def test_what_is_seldom_used_is_folded_away_and_stays_as_one_leaves_it(page: Page) -> None:
    page.goto(f"/c/{SLUG}/pods/")
    fold = page.locator("#kinds [data-fold=access]")
    roles = fold.locator("[data-nav=clusterroles]")
    expect(roles).to_be_hidden()
    fold.locator("summary").click()
    expect(roles).to_be_visible()
    expect(page.locator("#nav-clusterroles .n")).not_to_be_empty()
    page.reload()
    expect(roles).to_be_visible()


def test_the_fold_of_the_kind_on_screen_is_open(page: Page) -> None:
    page.goto(f"/c/{SLUG}/priorityclasses/")
    here = page.locator("#kinds [data-nav=priorityclasses]")
    expect(here).to_be_visible()
    expect(here).to_have_attribute("aria-current", "page")
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("pdb")
    page.keyboard.press("Enter")
    expect(page.locator("#kinds [data-nav=poddisruptionbudgets]")).to_be_visible()


def test_every_kind_is_found_by_its_short_name(page: Page) -> None:
    page.goto(f"/c/{SLUG}/")
    page.keyboard.press("Control+k")
    names = {
        "sa": "ServiceAccounts",
        "netpol": "NetworkPolicies",
        "limits": "LimitRanges",
        "pc": "PriorityClasses",
    }
    for words, kind in names.items():
        page.locator("#palette input").fill(words)
        expect(page.locator("#palette [role=option]").first).to_contain_text(kind)


def test_the_rules_of_a_role_are_told_in_words_and_live(page: Page, objects: Objects, role: str) -> None:
    page.goto(f"/c/{SLUG}/roles/{objects.namespace}/reader/")
    expect(page.locator("main")).to_contain_text("whoever is bound to it may read pods")
    expect(page.locator("#tables tbody tr")).to_have_count(1)
    objects.api.patch(role, {"rules": [READS, SCALES]})
    expect(page.locator("#tables tbody tr")).to_have_count(2)
    expect(page.locator("#tables")).to_contain_text("of API group apps")
    objects.api.patch(role, {"rules": []})
    expect(page.get_by_text("Nothing: it has no rules.")).to_be_visible()


@pytest.mark.usefixtures("role")
def test_a_binding_leads_to_what_it_gives_and_to_whom(page: Page, objects: Objects) -> None:
    account = {"kind": "ServiceAccount", "name": "default", "namespace": objects.namespace}
    given = {"apiGroup": RBAC[6:-3], "kind": "Role", "name": "reader"}
    objects.api.post(
        f"{RBAC}/namespaces/{objects.namespace}/rolebindings",
        {"kind": "RoleBinding", "metadata": {"name": "readers"}, "roleRef": given, "subjects": [account]},
    )
    page.goto(f"/c/{SLUG}/rolebindings/{objects.namespace}/readers/")
    page.locator("#tables").get_by_role("link", name="default").click()
    expect(page.locator("h1")).to_contain_text("default")
    page.go_back()
    page.locator("#facts").get_by_role("link", name="Role reader").click()
    expect(page.locator("#tables")).to_contain_text("get, list, watch")


def test_tables_fit_a_narrow_screen(page: Page, objects: Objects, role: str) -> None:
    objects.api.patch(
        role, {"rules": [READS, SCALES | {"resources": ["deployments", "replicasets", "daemonsets"]}]}
    )
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"/c/{SLUG}/roles/{objects.namespace}/reader/")
    expect(page.locator("#tables tbody tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.locator("#tables .scroll-x").evaluate("box => box.scrollWidth <= box.clientWidth")
