"""What is said to be wrong, of objects as a real API server, scheduler and controllers made them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.insight import Finding, findings
from dashboard.insight.findings import READ
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import APISERVICES, RESOURCE_CLAIMS, Resource, TableKind
from dashboard.kinds.webhooks import WEBHOOKS
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from sandbox.api import ApiError

from .place import ADMISSION, Listed, Place, until

pytestmark = [pytest.mark.cluster]

REGISTRATION = "/apis/apiregistration.k8s.io/v1/apiservices"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
LATER = timedelta(minutes=10)  # what must last before it is told has lasted then


class Causes(Place):
    """A namespace in which things go wrong, and what of the whole cluster belongs to it."""

    reads = READ - {"secrets"} | {kind.plural for kind in WEBHOOKS}

    def __init__(self, cluster: Sandbox, transport: Transport, namespace: str) -> None:
        super().__init__(cluster, transport, namespace)
        self._others: list[str] = []

    def besides(self, path: str, manifest: dict[str, Any]) -> str:
        """Creates an object of the whole cluster, with a name of its own; gives the name."""
        name = f"{self.namespace}-{manifest['metadata']['name']}"
        self.api.post(path, manifest | {"metadata": manifest["metadata"] | {"name": name}})
        self._others.append(f"{path}/{name}")
        return name

    def tidy(self) -> None:
        for path in self._others:
            with suppress(ApiError):
                self.api.delete(path)

    async def objects(self) -> Listed:
        kinds = KINDS | {kind.plural: kind for kind in WEBHOOKS}
        return await Listed.now(self.transport, self.namespace, self.reads, kinds)

    async def told(self, rule: str, *also: str) -> Finding:
        """The finding of a rule, once the rules say all of these things here."""

        async def found() -> Finding | None:
            objects: Listed = await self.objects()
            here = {
                one.rule: one
                for one in findings(objects, datetime.now(UTC) + LATER)
                if one.namespace == self.namespace
            }
            return here.get(rule) if here.keys() >= {rule, *also} else None

        one: Finding = await until(found)
        return one


@pytest.fixture
async def place(cluster: Sandbox, transport: Transport, namespace: str) -> AsyncIterator[Causes]:
    made = Causes(cluster, transport, namespace)
    yield made
    made.tidy()


def template(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}], **spec},
    }


def deployment(name: str, replicas: int = 1, **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template(name, **spec)},
    }


async def test_a_webhook_whose_service_is_gone_keeps_pods_from_being_made(place: Causes) -> None:
    hook = {
        "name": "gone.example.com",
        "clientConfig": {"service": {"name": "gone", "namespace": place.namespace, "path": "/"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
    }  # fmt: skip
    hook_of = place.besides(
        f"{ADMISSION}/validatingwebhookconfigurations", {"metadata": {"name": "hook"}, "webhooks": [hook]}
    )
    place.make("/apis/apps/v1/namespaces/{ns}/deployments", deployment("web", 2))
    found = await place.told("workload-webhook-down")
    why = f"admission webhook gone.example.com can't be reached: Service gone in {place.namespace} does not exist."
    assert text_of(found.text).endswith(why)
    assert found.follows is not None
    assert (found.follows.kind, found.follows.name) == ("ValidatingWebhookConfiguration", hook_of)


@pytest.mark.parametrize(
    ("provisioner", "rule", "why"),
    [
        ("nobody.example.com/none", "claim-no-provisioner", "which has not provisioned one"),
        ("kubernetes.io/no-provisioner", "claim-no-volume", "provisions none, and no available volume fits"),
    ],
)
async def test_a_pod_whose_claim_waits_for_it_gets_no_volume(
    place: Causes, provisioner: str, rule: str, why: str
) -> None:
    name = place.besides(
        STORAGE,
        {"metadata": {"name": "local"}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"},
    )  # fmt: skip
    asks = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    place.make(
        "/api/v1/namespaces/{ns}/persistentvolumeclaims",
        {"metadata": {"name": "data"}, "spec": {"storageClassName": name, **asks}},
    )
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    place.make(
        "/api/v1/namespaces/{ns}/pods",
        {"metadata": {"name": "web"}, "spec": template("web", volumes=[volume])["spec"]},
    )
    claim = await place.told(rule, "pod-claim-pending")
    assert why in text_of(claim.text)
    pod = await place.told("pod-claim-pending")
    assert pod.follows is not None and pod.follows.name == "data", "the claim is the cause"


async def test_pods_of_a_statefulset_wait_for_the_first(place: Causes) -> None:
    selector = {"matchLabels": {"app": "db"}}
    place.make("/api/v1/namespaces/{ns}/services", {
        "metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80}]},
    })  # fmt: skip
    place.make("/apis/apps/v1/namespaces/{ns}/statefulsets", {
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db", "replicas": 3, "selector": selector,
            "template": template("db", nodeSelector={"no": "node"}),
        },
    })  # fmt: skip
    found = await place.told("pod-unschedulable")
    assert "2 pods wait for db-0 and are not created before" in text_of(found.text)


async def test_of_the_resource_claims_that_a_pod_names_the_missing_one_is_told(place: Causes) -> None:
    claims = Resource(
        GVR("resource.k8s.io", "v1", "resourceclaims", namespaced=True), "ResourceClaim", "resourceclaim"
    )
    assert claims.key == RESOURCE_CLAIMS
    devices = {"requests": [{"name": "any", "exactly": {"deviceClassName": "any"}}]}
    place.make(
        "/apis/resource.k8s.io/v1/namespaces/{ns}/resourceclaims",
        {"metadata": {"name": "there"}, "spec": {"devices": devices}},
    )
    named = [{"name": each, "resourceClaimName": each} for each in ("there", "gone")]
    place.make(
        "/api/v1/namespaces/{ns}/pods",
        {"metadata": {"name": "waits"}, "spec": template("waits", resourceClaims=named)["spec"]},
    )
    kinds = KINDS | {claims.key: TableKind.of(claims)}

    async def found() -> Finding | None:
        objects = await Listed.now(place.transport, place.namespace, {"pods", "events", claims.key}, kinds)
        told = (one for one in findings(objects, datetime.now(UTC) + LATER) if one.name == "waits")
        return next((one for one in told if one.rule == "pod-resource-claim-missing"), None)

    told = await until(found)
    assert "it uses ResourceClaim gone, which does not exist." in text_of(told.text)


async def test_no_namespace_ends_while_an_aggregated_api_is_down(place: Causes) -> None:
    group, ends = f"{place.namespace}.example.com", f"{place.namespace}-ends"
    api = f"v1.{group}"
    backend = {"name": "gone", "namespace": place.namespace}
    spec = {"group": group, "version": "v1", "service": backend, "insecureSkipTLSVerify": True}
    priorities = {"groupPriorityMinimum": 1000, "versionPriority": 10}
    place.api.post(REGISTRATION, {"metadata": {"name": api}, "spec": spec | priorities})
    kinds = KINDS | {APISERVICES.key: TableKind.of(APISERVICES)}

    async def blocked() -> dict[str, Finding] | None:
        objects = await Listed.now(place.transport, place.namespace, {"namespaces", APISERVICES.key}, kinds)
        told = {
            one.rule: one
            for one in findings(objects, datetime.now(UTC) + LATER)
            if one.ref.name in (api, ends)
        }
        stuck = told.get("namespace-stuck")
        return told if stuck is not None and stuck.follows is not None else None

    try:
        place.api.post("/api/v1/namespaces", {"metadata": {"name": ends}})
        place.api.delete(f"/api/v1/namespaces/{ends}")
        told = await until(blocked)
    finally:
        place.api.delete(f"{REGISTRATION}/{api}")
    stuck, down = told["namespace-stuck"], told["apiservice-unavailable"]
    assert f"can't be deleted: APIService {api} is not available" in text_of(stuck.text)
    assert stuck.step.ref == down.ref and stuck.follows == down.ref
    assert f"Service {place.namespace}/gone, which serves it, " in text_of(down.text)

    async def gone() -> bool:
        return ends not in {one["metadata"]["name"] for one in place.api.get("/api/v1/namespaces")["items"]}

    await until(gone)
