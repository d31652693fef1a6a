"""A custom kind in a real browser: from the menu to its list, its page and its YAML, as its definition comes and goes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sandbox import Sandbox
from sandbox.api import ApiError

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONDITION = ".status.conditions[?(@.type=='Ready')]"


class Custom:
    """A custom kind of its own, as its operator would install and use it."""

    def __init__(self, cluster: Sandbox, namespace: str) -> None:
        self.api = cluster.api()
        self.namespace = namespace
        self.group = f"b{secrets.token_hex(4)}.example.com"
        self.plural = f"gizmos.{self.group}"
        self.objects = f"/apis/{self.group}/v1/namespaces/{namespace}/gizmos"

    def define(self) -> None:
        columns = [
            {"name": "Ready", "type": "string", "jsonPath": f"{CONDITION}.status"},
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ]
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": schema,
            "subresources": {"status": {}},
            "additionalPrinterColumns": columns,
        }
        names = {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "shortNames": ["gzm"]}
        spec = {"group": self.group, "scope": "Namespaced", "names": names, "versions": [version]}
        self.api.post(
            DEFINITIONS,
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": self.plural},
                "spec": spec,
            },
        )

    def undefine(self) -> None:
        with suppress(ApiError):
            self.api.delete(f"{DEFINITIONS}/{self.plural}")

    def create(self, name: str, size: int, **spec: Any) -> dict[str, Any]:
        body = {
            "apiVersion": f"{self.group}/v1",
            "kind": "Gizmo",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"size": size, **spec},
        }
        made: dict[str, Any] = self.api.post(self.objects, body)
        return made

    def config(self, name: str, owner: dict[str, Any]) -> None:
        """A ConfigMap that the object has made."""
        ref = {key: owner[key] for key in ("apiVersion", "kind")} | {
            key: owner["metadata"][key] for key in ("name", "uid")
        }
        meta = {"name": name, "ownerReferences": [ref | {"controller": True}]}
        self.api.post(f"/api/v1/namespaces/{self.namespace}/configmaps", {"metadata": meta})

    def resize(self, name: str, size: int) -> None:
        self.api.patch(f"{self.objects}/{name}", {"spec": {"size": size}})

    def ready(self, name: str, status: str, message: str) -> None:
        condition = {"type": "Ready", "status": status, "reason": "Because", "message": message}
        self.api.patch(f"{self.objects}/{name}/status", {"status": {"conditions": [condition]}})

    def event(self, about: dict[str, Any]) -> None:
        keys = ("name", "namespace", "uid")
        involved = {key: about["metadata"][key] for key in keys} | {
            "kind": "Gizmo",
            "apiVersion": f"{self.group}/v1",
        }
        moment = about["metadata"]["creationTimestamp"]
        self.api.post(
            f"/api/v1/namespaces/{self.namespace}/events",
            {
                "metadata": {"name": f"gizmo-{secrets.token_hex(4)}"},
                "involvedObject": involved,
                "type": "Warning",
                "reason": "Stuck",
                "message": "It does not turn.",
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
            },
        )


@pytest.fixture
def custom(cluster: Sandbox, namespace: str) -> Iterator[Custom]:
    made = Custom(cluster, namespace)
    yield made
    made.undefine()


def row(page: Page, name: str) -> Any:
    return page.locator(f"#rows tr[data-name='{name}']")


def test_a_kind_that_is_installed_appears_and_leads_from_the_menu_to_its_objects_live(
    page: Page, custom: Custom, namespace: str
) -> None:
    page.goto(f"/c/tests/configmaps/?namespace={namespace}")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    page.evaluate("window.sameDocument = true")
    custom.define()
    fold = page.locator(f"details[data-fold='{custom.group}']")
    expect(fold.locator("summary")).to_contain_text("1 kind", timeout=60_000)
    one = custom.create("one", 3)
    fold.locator("summary").click()
    expect(fold.locator(".cnt")).to_have_text("1")
    fold.get_by_role("link", name="Gizmos").click()

    expect(page).to_have_url(re.compile(f"/c/tests/{re.escape(custom.plural)}/\\?namespace={namespace}$"))
    expect(page.locator("h1")).to_have_text("Gizmos")
    expect(row(page, "one").locator("[data-col=size]")).to_have_text("3")
    custom.create("two", 9)
    custom.create("ten", 10)
    expect(page.locator("#list-head")).to_contain_text("of 3")
    expect(fold.locator(".cnt")).to_have_text("3")
    custom.resize("one", 4)
    expect(row(page, "one").locator("[data-col=size]")).to_have_text("4")
    custom.ready("one", "False", "It does not turn")
    expect(row(page, "one").locator("[data-col=ready] .st.warn")).to_have_text("False")
    page.locator("#sort-size").click()
    # Of numbers the greatest first, and as numbers: 10 before 9.
    expect(page.locator("#rows tr").first).to_have_attribute("data-name", "ten")
    expect(page.locator("#rows tr").last).to_have_attribute("data-name", "one")

    custom.event(one)
    row(page, "one").get_by_role("link", name="one").click()
    expect(page.locator("h1")).to_have_text("Gizmo one")
    expect(page.locator("#facts")).to_contain_text("app=one")
    expect(page.locator("#conditions")).to_contain_text("It does not turn")
    expect(page.locator("#events")).to_contain_text("Stuck")
    custom.ready("one", "True", "It turns")
    expect(page.locator("#conditions")).to_contain_text("It turns")
    page.keyboard.press("y")
    expect(page.locator("#yaml")).to_contain_text("size: 4")
    custom.resize("one", 5)
    expect(page.locator("#yaml")).to_contain_text("size: 5")
    assert page.evaluate("window.sameDocument") is True


def test_the_palette_finds_a_kind_by_its_short_name(page: Page, custom: Custom) -> None:
    custom.define()
    page.goto("/c/tests/configmaps/")
    expect(page.locator(f"details[data-fold='{custom.group}']")).to_be_attached(timeout=60_000)
    page.keyboard.press(":")
    page.keyboard.type("gzm")
    expect(page.locator("#palette-list [role=option]").filter(has_text=custom.group)).to_be_visible()
    page.locator("#palette-list [role=option]").filter(has_text=custom.group).click()
    expect(page.locator("h1")).to_have_text("Gizmos")


def test_an_object_is_found_by_name_and_label_and_tells_what_it_made_names_and_how_it_changed(
    page: Page, custom: Custom, namespace: str
) -> None:
    custom.define()
    page.goto("/c/tests/configmaps/")
    expect(page.locator(f"details[data-fold='{custom.group}']")).to_be_attached(timeout=60_000)
    name = f"turbine-{secrets.token_hex(3)}"
    one = custom.create(name, 3, configMapRef={"name": "turbine-settings"})
    custom.config("turbine-settings", one)

    page.keyboard.press("Control+k")
    page.keyboard.type(name)
    page.keyboard.press("Enter")  # before it was found: nothing else has the name
    expect(page.locator("h1")).to_have_text(f"Gizmo {name}")
    relations = page.locator("#relations")
    expect(relations.locator("[aria-labelledby=re-uses]")).to_contain_text("spec.configMapRef")
    made = relations.locator("[aria-labelledby=re-used-by]").get_by_role("link", name="turbine-settings")
    made.click()
    expect(page.locator("h1")).to_have_text("ConfigMap turbine-settings")
    page.locator("#topology").get_by_role("link", name=name).click()
    expect(page.locator("h1")).to_have_text(f"Gizmo {name}")

    page.locator(".tabs").get_by_role("link", name="Timeline").click()
    expect(page.locator("#moments-state")).to_contain_text("only while somebody looks")
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live")
    custom.resize(name, 7)
    expect(page.locator("#moments")).to_contain_text("columns[Size] 3")

    page.goto(f"/c/tests/search/?q=app%3D{name}")
    expect(page.locator("#found").get_by_role("link", name=name)).to_be_visible(timeout=60_000)
    expect(page.locator("#found .because")).to_contain_text(f"app={name}")
    page.goto("/c/tests/search/?q=gzm")
    kinds = page.get_by_role("region", name="Kinds")
    expect(kinds.get_by_role("link", name="Gizmos").first).to_be_visible()


def test_a_definition_that_goes_is_told_on_the_open_list_which_lives_on_when_it_returns(
    page: Page, custom: Custom
) -> None:
    custom.define()
    page.goto("/c/tests/configmaps/")
    expect(page.locator(f"details[data-fold='{custom.group}']")).to_be_attached(timeout=60_000)
    custom.create("one", 3)
    page.goto(f"/c/tests/{custom.plural}/")
    expect(row(page, "one")).to_be_visible()
    custom.undefine()
    expect(page.locator("#list-state")).to_contain_text("Gizmos are not served any more", timeout=60_000)
    expect(page.locator("#rows tr")).to_have_count(0)
    expect(page.locator(f"details[data-fold='{custom.group}']")).to_have_count(0, timeout=60_000)
    custom.define()
    expect(page.locator("#list-state")).to_contain_text("No Gizmos in this cluster", timeout=90_000)


def test_an_address_of_a_kind_that_nobody_offers_is_explained(page: Page) -> None:
    answer = page.goto("/c/tests/gizmos.nowhere.example.com/")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("#page")).to_contain_text("The API server offers no kind gizmos.nowhere.example.com")
