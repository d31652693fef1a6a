"""Who will change an object back, by what stands on it."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.managers import changes_back, creates_again
from dashboard.kinds.base import Ref

from .world import World, deployment, replicaset

ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "shop-eu:apps/Deployment:shop/web"}}
FLUX = {
    "labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}
}
RELEASE = {"labels": {"helm.toolkit.fluxcd.io/name": "web"}}
HELM = {"annotations": {"meta.helm.sh/release-name": "shop-1"}}
CUSTOM = {
    "ownerReferences": [
        {"apiVersion": "example.com/v1", "kind": "Shop", "name": "eu", "uid": "u", "controller": True}
    ]
}


@pytest.mark.parametrize(
    ("more", "title", "words"),
    [
        (ARGO, "Argo CD may change this back", "Application shop-eu tracks it"),
        ({"labels": {"argocd.argoproj.io/instance": "eu"}}, "Argo CD may change this back", "Application eu"),
        (FLUX, "Flux may change this back", "Kustomization apps in flux applies it again"),
        (RELEASE, "Flux may change this back", "HelmRelease web in shop"),
        (HELM, "Helm may change this back", "release shop-1"),
        (CUSTOM | ARGO, "Shop eu may change this back", "Change eu instead."),
    ],
)
def test_what_stands_on_it_tells(more: dict[str, Any], title: str, words: str) -> None:
    manifest = deployment()
    manifest["metadata"] |= more
    found = changes_back(World().add("deployments", manifest).metadata)
    assert found is not None and found.state == "warn"
    assert found.title == title and words in found.text


def test_a_controller_of_kubernetes_certainly_does() -> None:
    found = changes_back(World().add("replicasets", replicaset()).metadata)
    assert found is not None and found.title == "Deployment web changes this back"
    assert found.ref == Ref("Deployment", "shop", "web", "deployments")


def test_nobody_does() -> None:
    assert changes_back(World().add("deployments", deployment()).metadata) is None


@pytest.mark.parametrize(
    ("more", "title", "words"),
    [
        (ARGO, "Argo CD may create it again", "Application shop-eu tracks it"),
        (FLUX, "Flux may create it again", "Kustomization apps in flux applies it again"),
        (HELM, "Helm may create it again", "release shop-1"),
        (CUSTOM | ARGO, "Argo CD may create it again", "Remove it from its source."),
    ],
)
def test_what_is_deleted_may_be_created_again(more: dict[str, Any], title: str, words: str) -> None:
    manifest = deployment()
    manifest["metadata"] |= more
    found = creates_again(World().add("deployments", manifest).metadata)
    assert found is not None and (found.state, found.title) == ("warn", title) and words in found.text


def test_what_only_an_owner_keeps_is_told_with_the_deletion() -> None:
    assert creates_again(World().add("replicasets", replicaset()).metadata) is None
