"""Objects of an archive that have not the fields of their kind, as no API server has them: each is refused in words."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pyrage
import pytest

from dashboard.actions.restore_scaling import with_scaling
from dashboard.actions.restore_steps import restoring_of
from dashboard.actions.restore_traffic import with_traffic
from dashboard.actions.restore_values import with_breaks
from dashboard.actions.restored_pods import restored_pods
from dashboard.errors import NotFound
from dashboard.kinds.base import GVR
from dashboard.recovery.archive import ArchiveWriter
from dashboard.recovery.choice import Choice
from dashboard.recovery.cleaning import left_out
from dashboard.recovery.entries import Entry, entry_of
from dashboard.recovery.errors import Hostile
from dashboard.recovery.holding import Holding, hold

from . import made

KEY = pyrage.x25519.Identity.generate()
ODD: list[Any] = ["text", 7, True, ["text"], [["text"]], {"a": "text"}, {"a": ["text"]}, [{"a": 7}], None]
KINDS = {
    ("", "v1", "pods"): "Pod", ("", "v1", "services"): "Service", ("", "v1", "secrets"): "Secret",
    ("", "v1", "configmaps"): "ConfigMap", ("", "v1", "persistentvolumes"): "PersistentVolume",
    ("", "v1", "persistentvolumeclaims"): "PersistentVolumeClaim", ("", "v1", "resourcequotas"): "ResourceQuota",
    ("", "v1", "serviceaccounts"): "ServiceAccount", ("batch", "v1", "jobs"): "Job",
    ("batch", "v1", "cronjobs"): "CronJob", ("autoscaling", "v2", "horizontalpodautoscalers"): "HorizontalPodAutoscaler",
    ("apps", "v1", "deployments"): "Deployment", ("apps", "v1", "daemonsets"): "DaemonSet",
    ("networking.k8s.io", "v1", "networkpolicies"): "NetworkPolicy", ("example.com", "v1", "widgets"): "Widget",
    ("rbac.authorization.k8s.io", "v1", "rolebindings"): "RoleBinding",
    ("gateway.networking.k8s.io", "v1", "httproutes"): "HTTPRoute",
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions"): "CustomResourceDefinition",
}  # fmt: skip
FIELDS = ("spec", "status", "data", "subjects")


class Empty:
    """A cluster that has nothing, and takes everything."""

    async def request(self, method: str, *_: Any, **__: Any) -> Any:
        raise NotFound("There is none.")


def body(gvr: GVR, kind: str, name: str, field: str, value: Any) -> dict[str, Any]:
    spec = {
        "template": value,
        "ports": value,
        "claimRef": value,
        "volumes": value,
        "ingress": value,
        "hard": value,
    }
    spec |= {
        "jobTemplate": value,
        "selector": value,
        "names": value,
        "containers": value,
        "conversion": value,
    }
    given = value if field != "spec" else spec
    return {
        "apiVersion": gvr.api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": {"spec": value, "metadata": value}}, field: given,
    }  # fmt: skip


def held() -> Holding:
    file = io.BytesIO()
    with ArchiveWriter(file, made.header(secrets=True), [KEY.to_public()]) as writer:
        for key, kind in KINDS.items():
            gvr = GVR(*key)
            writer.begin(gvr, kind, "1")
            for number, value in enumerate(ODD):
                for field in FIELDS:
                    name = f"{field}-{number}"
                    writer.add(Entry(group=gvr.group, version=gvr.version, plural=gvr.plural, namespace="shop", name=name,
                                     body=body(gvr, kind, name, field, value)))  # fmt: skip
        writer.finish()
    return hold(io.BytesIO(file.getvalue()), Choice(maps={"shop": "copy"}), [KEY])


@pytest.mark.parametrize("scratch", [False, True])
async def test_each_is_planned_or_refused_and_stops_no_other(scratch: bool) -> None:
    holding, choice = held(), Choice(maps={"shop": "copy"})
    cluster: Any = Empty()
    restoring = restoring_of(cluster, choice, holding, scratch=scratch)
    kept = [each for each in holding.objects if not each.skipped]
    assert len(kept) > 100
    plans = [await restoring.plan(each, dry=False) for each in kept]
    assert {each.does for each in plans} >= {"create", "refused"}
    plans = await with_scaling(cluster, await with_breaks(restoring, plans, kept))
    plans = await with_traffic(cluster, plans)
    await restored_pods(cluster, plans)
    assert all(each.effect for each in plans)


def test_a_status_of_a_custom_kind_may_be_anything() -> None:
    for value in ODD:
        made_of = body(GVR("example.com", "v1", "widgets"), "Widget", "w", "status", value)
        assert left_out("example.com", "widgets", made_of) == ""


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": ["a"]}, {"labels": {"a": 1}}, {"annotations": "a"}, {"annotations": {"a": {"b": "c"}}},
        {"ownerReferences": {"a": "b"}}, {"ownerReferences": ["a"]},
    ],
)  # fmt: skip
def test_metadata_of_another_shape_refuses_the_archive(metadata: dict[str, Any]) -> None:
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "shop"} | metadata,
    }
    with pytest.raises(Hostile):
        entry_of("objects/core/v1/configmaps/shop/web.json", msgspec.json.encode(found))
