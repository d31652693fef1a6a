"""Why something is broken, on the page of the broken thing, from a real cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page, expect

from .conftest import Objects

SAMPLES = Path(__file__).parents[2] / "sandbox" / "samples" / "trouble.yaml"
SLUG = "tests"
API = {"Pod": "/api/v1", "Secret": "/api/v1", "Ingress": "/apis/networking.k8s.io/v1"}
PLURAL = {"Pod": "pods", "Secret": "secrets", "Ingress": "ingresses"}


def create(objects: Objects, manifest: dict[str, Any]) -> None:
    kind = manifest["kind"]
    manifest["metadata"]["namespace"] = objects.namespace
    objects.api.post(f"{API[kind]}/namespaces/{objects.namespace}/{PLURAL[kind]}", manifest)


def sample(kind: str, name: str) -> dict[str, Any]:
    every = yaml.safe_load_all(SAMPLES.read_text())
    found: dict[str, Any] = next(
        one for one in every if (one["kind"], one["metadata"]["name"]) == (kind, name)
    )
    return found


def bare_pod(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "registry.example/app:1"}]
    meta = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers} | spec}


def test_crash_loop_shows_its_exit_code_and_its_last_lines_as_they_come(
    page: Page, objects: Objects, namespace: str
) -> None:
    prefix = "sandbox.cluster-ui.dev"
    behaviour = {f"{prefix}/behaviour": "crash-loop", f"{prefix}/log": "INFO begins\nERROR no database\n"}
    create(objects, bare_pod("billing", behaviour))
    page.goto(f"/c/{SLUG}/pods/{namespace}/billing/")
    wrong = page.locator("#problems > li")
    expect(wrong).to_contain_text("container main exits with code 1: ERROR no database", timeout=60_000)
    expect(wrong.locator(".lastlines")).to_contain_text("ERROR no database", timeout=60_000)
    wrong.locator(".lastlines a").click()
    expect(page).to_have_url(re.compile(r"/billing/logs/\?container=main"))


def test_pod_without_a_node_tells_why_each_node_refuses_it(
    page: Page, objects: Objects, namespace: str
) -> None:
    create(objects, bare_pod("training", nodeSelector={"accelerator": "gpu"}))
    page.goto(f"/c/{SLUG}/pods/{namespace}/training/")
    proof = page.locator("#problems .proof")
    expect(proof).to_contain_text("lacks label accelerator=gpu", timeout=60_000)
    expect(proof).to_contain_text("Condition PodScheduled")
    expect(proof.locator("dt a").first).to_contain_text("Node ")


def test_expired_certificate_is_told_on_the_pages_of_its_ingress_and_its_secret(
    page: Page, objects: Objects, namespace: str
) -> None:
    create(objects, sample("Secret", "reports-tls"))
    create(objects, sample("Ingress", "reports"))
    page.goto(f"/c/{SLUG}/ingresses/{namespace}/reports/")
    expect(page.locator("#problems")).to_contain_text("expired on 2021-03-01", timeout=60_000)
    page.goto(f"/c/{SLUG}/secrets/{namespace}/reports-tls/")
    expect(page.locator("#problems")).to_contain_text("expired on 2021-03-01", timeout=60_000)
    for path in (f"ingresses/{namespace}/reports", f"secrets/{namespace}/reports-tls"):
        found = page.request.get(f"/c/{SLUG}/{path}/?format=json").json()["findings"]
        assert [each for each in found if "expired on 2021-03-01" in each["text"]], path
