"""Somebody with rights in one namespace sees that one, and is told plainly what else there is that may not be seen."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox
from tools.server import Server

from .conftest import Objects

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def limited(cluster: Sandbox, namespace: str, tmp_path: Path) -> Iterator[Server]:
    """A dashboard that acts as a service account which may view one namespace."""
    api = cluster.api()
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.post(accounts, {"metadata": {"name": "dev"}})
    api.post(
        f"{RBAC}/namespaces/{namespace}/rolebindings",
        {
            "metadata": {"name": f"dev-{secrets.token_hex(2)}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "dev", "namespace": namespace}],
        },
    )
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    bearer = api.post(f"{accounts}/dev/token", asked)["status"]["token"]
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    context = {"cluster": config["clusters"][0]["name"], "user": "dev", "namespace": namespace}
    config |= {
        "contexts": [{"name": "dev", "context": context}],
        "current-context": "dev",
        "users": [{"name": "dev", "user": {"token": bearer}}],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    with Server(tmp_path / "home", kubeconfig) as server:
        yield server


@pytest.fixture
def dev(browser: Browser, limited: Server) -> Iterator[Page]:
    context = browser.new_context(base_url=limited.base, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    context.add_cookies(limited.cookies())
    yield page
    context.close()


def test_what_may_be_seen_is_shown_and_what_not_is_said(dev: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    dev.goto("/c/dev/")
    expect(dev.locator("#verdict")).to_contain_text(f"You see only what is in {namespace}")
    expect(dev.locator("#nodes")).to_contain_text("You may not list nodes.")
    expect(dev.locator("#tiles")).to_contain_text("Deployments healthy")
    expect(dev.locator("#tiles")).not_to_contain_text("Nodes")
    expect(dev.locator("#nav-secrets .mark.off")).to_be_visible()
    expect(dev.locator("#nav-deployments .n")).to_have_text("1")

    dev.locator("#namespaces > summary").click()
    expect(dev.locator("#namespaces")).to_contain_text("All that you may see")
    assert [box.get_attribute("value") for box in dev.locator("#namespaces [name=namespace]").all()] == [
        namespace
    ]

    dev.goto("/c/dev/deployments/")
    expect(dev.locator("#rows tr[data-name=web]")).to_be_visible()
    expect(dev.locator("#list-state")).to_contain_text(
        f"You may list deployments in {namespace}, not in the whole cluster"
    )
    dev.goto(f"/c/dev/deployments/?namespace={namespace}&namespace=default")
    expect(dev.locator("#list-state")).to_contain_text("not in default")
    dev.goto(f"/c/dev/deployments/?namespace={namespace}")
    expect(dev.locator("#rows tr[data-name=web]")).to_be_visible()
    expect(dev.locator("#list-state")).to_be_hidden()
    dev.goto("/c/dev/deployments/?namespace=default")
    expect(dev.locator("#list-state")).to_contain_text("You may not see Deployments in namespace default")
    expect(dev.locator("#nav-deployments .mark.off")).to_be_visible()
    dev.goto("/c/dev/secrets/")
    expect(dev.locator("#list-state")).to_contain_text("You may not see Secrets")

    refused = dev.request.get("/c/dev/deployments/?namespace=default&format=json")
    assert refused.status == 403
    assert "list deployments in default" in refused.json()["error"]
    dev.goto(f"/c/dev/deployments/{namespace}/web/")
    expect(dev.locator("h1")).to_have_text("Deployment web")
    expect(dev.locator("#pods tr")).to_have_count(1)
    # "view" reads these of Kubernetes' own kinds that have no module here, in its namespace.
    dev.goto("/c/dev/endpoints/")
    expect(dev.locator("#list-state")).to_contain_text(f"in {namespace}")


def test_a_refused_button_leads_to_the_reason(dev: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    dev.goto(f"/c/dev/deployments/{namespace}/web/")
    expect(dev.get_by_role("button", name="Restart…: Your account may not")).to_be_visible()
    dev.get_by_role("link", name="Why not?").click()
    told = dev.locator("#access-kind")
    expect(told).to_contain_text("Scale Deployments: no")
    expect(told).to_contain_text(
        "needs patch on deployments.apps/scale; the role cluster-ui-operator holds it"
    )
    expect(told.get_by_role("button", name="Copy a request")).to_be_visible()
    expect(dev.locator("#access-who")).to_contain_text("Who may do what is told to those who may list")
