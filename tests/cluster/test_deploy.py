"""The manifests for running inside a cluster, as a real API server takes them: a dry run with strict fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox
from sandbox.api import APPLY
from tests.hardening import let_in, pod_templates, restrict

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "PersistentVolumeClaim": "/api/v1/namespaces/{ns}/persistentvolumeclaims",
    "Service": "/api/v1/namespaces/{ns}/services",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "CronJob": "/apis/batch/v1/namespaces/{ns}/cronjobs",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
MANIFESTS = [
    pytest.param(document, id=f"{path.stem}-{document['kind']}-{document['metadata']['name']}")
    for path in sorted((ROOT / "deploy").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_api_server_takes_it(cluster: Sandbox, namespace: str, manifest: dict[str, Any]) -> None:
    # Its own namespace is not there in a dry run, so the test's stands in for it.
    if "namespace" in manifest["metadata"]:
        manifest["metadata"]["namespace"] = namespace
    path = f"{PATHS[manifest['kind']].format(ns=namespace)}/{manifest['metadata']['name']}"
    query = "dryRun=All&fieldManager=test&force=true&fieldValidation=Strict"
    answer = cluster.api().patch(f"{path}?{query}", manifest, content_type=APPLY)
    assert answer["kind"] == manifest["kind"]


@pytest.mark.parametrize("file", ["dashboard", "backup"])
def test_its_pod_is_let_into_a_namespace_for_restricted_pods(
    cluster: Sandbox, namespace: str, file: str
) -> None:
    api = cluster.api()
    restrict(api, namespace)
    documents = list(yaml.safe_load_all((ROOT / "deploy" / f"{file}.yaml").read_text()))
    (template,) = pod_templates(documents).values()
    assert let_in(api, namespace, template)["metadata"]["name"] == "cluster-ui"
