"""The whole way without a terminal: deployed from YAML, exposed by a Service and over TLS by an Ingress, configured,
secured, scaled, changed, broken by an image, found out, repaired, rolled back, and edited as YAML.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.unit.kinds.test_keypairs import certificate, key_of, pem

from .conftest import Objects

pytestmark = pytest.mark.usefixtures("changes_allowed")

HOST = "shop.example.test"
CANARY = "canary-7719-value"
NOWHERE = "registry.invalid/shop/web:2"  # a registry that nobody has
SHOP = """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: web, image: 'shop/web:1'}]}
"""


def preview(page: Page) -> None:
    page.get_by_role("button", name="Preview", exact=True).last.click()


def apply(page: Page, said: str) -> None:
    """Applies what is previewed, and follows it to its end. Where the cluster has not come to rest since, another preview
    is shown, and that is applied, as the page says.
    """
    button = page.locator("[data-apply]")
    expect(button).to_be_enabled()
    button.click()
    new = page.get_by_role("heading", name="This preview is new")
    expect(new.or_(page.locator("#change-progress h2")).first).to_be_visible()
    if new.is_visible():
        button.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress h2")).to_contain_text(said)


def expose(page: Page, namespace: str) -> None:
    """By a host name that has a certificate; one that it is not for is told before anything is saved."""
    page.goto(f"/c/tests/create/secrets/?namespace={namespace}&type=tls")
    page.locator("#change [name=name]").fill("shop-tls")
    ends = datetime.now(UTC) + timedelta(days=90)
    page.locator("#change [name=certificate]").fill(certificate(HOST, names=(HOST,), until=ends))
    page.locator("#change [name=key]").fill(pem(key_of(HOST)))
    preview(page)
    apply(page, "shop-tls was created")
    page.goto(f"/c/tests/services/{namespace}/shop/")
    page.get_by_role("link", name=re.compile("Expose by an Ingress")).click()
    page.locator("#change [name='rules.host']").first.fill("www.example.test")
    page.locator("#change [name='tls.secret']").first.fill("shop-tls")
    preview(page)
    expect(page.locator("#preview")).to_contain_text(f"is for {HOST}, not for www.example.test")
    page.locator("#change [name='rules.host']").first.fill(HOST)
    preview(page)
    expect(page.locator("#preview")).not_to_contain_text("www.example.test")
    apply(page, "shop was created")
    page.goto(f"/c/tests/ingresses/{namespace}/shop/")
    expect(page.locator("#routes")).to_contain_text("2 of 2 pods ready")


def test_an_application_is_deployed_changed_and_repaired_without_a_terminal(
    page: Page, objects: Objects, namespace: str
) -> None:
    page.route("**/vendor/codemirror/**", lambda route: route.abort())  # the text area takes the text at once
    here, new = f"/c/tests/deployments/{namespace}/shop/", f"?namespace={namespace}"
    page.goto(f"/c/tests/create/{new}")
    page.get_by_label("YAML").fill(SHOP)
    preview(page)
    apply(page, "rollout complete")

    page.goto(here)
    page.get_by_role("link", name=re.compile("Expose by a Service")).click()
    page.locator("#change [name='ports.port']").first.fill("80")
    preview(page)
    apply(page, "shop was created")
    expose(page, namespace)
    for plural, key, value in (("configmaps", "LOG", "info"), ("secrets", "password", CANARY)):
        page.goto(f"/c/tests/create/{plural}/{new}")
        page.locator("#change [name=name]").fill("shop")
        page.locator("#change [name='data.key']").first.fill(key)
        page.locator("#change [name='data.value']").first.fill(value)
        preview(page)
        apply(page, "shop was created")

    page.goto(f"{here}env/")
    page.locator("textarea[name='env.web']").fill("MODE=fast")
    page.locator("textarea[name='keys.web']").fill(
        "LOG=configmap/shop/LOG\nPASSWORD=secret/shop/password"
    )  # previewed by itself
    expect(page.locator("#preview")).to_contain_text("from key password of Secret shop")
    apply(page, "rollout complete")
    assert variables(objects) == {"MODE", "LOG", "PASSWORD"}
    page.goto(f"/c/tests/configmaps/{namespace}/shop/")
    expect(page.locator("#page")).to_contain_text("Deployment shop")
    page.goto(f"{here}scale/")
    page.locator("input[name=replicas]").fill("3")
    apply(page, "rollout complete")
    page.goto(f"{here}image/")
    page.locator("input[name='image.web']").fill(NOWHERE)
    preview(page)
    button = page.locator("[data-apply]")
    expect(button).to_be_enabled()
    button.click()
    expect(page).to_have_url(re.compile(r"/changes/\d+/"))
    expect(page.locator("#change-progress")).to_contain_text("image")
    page.goto(here)
    problem = page.locator("#problems > li").filter(has_text="registry.invalid")
    expect(problem.first).to_be_visible()
    problem.locator(f"a[href*='{here}image/']").first.click()
    page.locator("input[name='image.web']").fill("shop/web:2")
    preview(page)
    apply(page, "rollout complete")
    page.goto(here)
    expect(page.locator("#facts, h1").first).to_be_visible()
    expect(page.locator("#problems > li").filter(has_text="registry.invalid")).to_have_count(0)

    page.goto(f"{here}rollback/")
    revisions = page.get_by_role("radiogroup", name="Revision")
    revisions.get_by_role("radio", name=re.compile("Revision 2")).check()
    preview(page)
    apply(page, "rollout complete")
    assert image(objects) == ("shop/web:1", 3)
    assert variables(objects) == {"MODE", "LOG", "PASSWORD"}

    page.goto("/changes/")
    expect(page.locator("tbody tr").first).to_be_visible()
    assert CANARY not in page.content()
    page.locator("tbody tr").first.get_by_role("link", name=re.compile("^Undo")).click()
    apply(page, "rollout complete")
    assert image(objects) == ("shop/web:2", 3)

    page.unroute("**/vendor/codemirror/**")
    page.goto(f"{here}edit/")
    expect(page.locator(".cm-content")).to_be_visible()
    page.locator(".cm-line", has_text="replicas:").click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.type("4")
    preview(page)
    apply(page, "rollout complete")
    assert image(objects) == ("shop/web:2", 4)
    found = objects.api.get(f"/api/v1/namespaces/{namespace}/services/shop")
    assert found["spec"]["selector"] == {"app": "shop"}


def spec(objects: Objects) -> dict[str, Any]:
    path = f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/shop"
    found: dict[str, Any] = objects.api.get(path)["spec"]
    return found


def template(objects: Objects) -> dict[str, Any]:
    """The container that its pods are made with."""
    found: dict[str, Any] = spec(objects)["template"]["spec"]["containers"][0]
    return found


def variables(objects: Objects) -> set[str]:
    return {each["name"] for each in template(objects)["env"]}


def image(objects: Objects) -> tuple[str, int]:
    return template(objects)["image"], spec(objects)["replicas"]
