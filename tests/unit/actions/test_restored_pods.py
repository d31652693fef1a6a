"""Which pods a restore brings, and what the quotas of their namespaces say of them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.actions.restore_addresses import with_addresses
from dashboard.actions.restore_scaling import with_scaling
from dashboard.actions.restore_traffic import with_traffic
from dashboard.actions.restore_words import restore_words
from dashboard.actions.restored_pods import (
    MAX_ASKED,
    RestoredPods,
    lost_claims,
    lowered_notices,
    restored_pods,
)
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.recovery.choice import Choice
from dashboard.recovery.restoring import Placed, Planned

SIZE = {"requests": {"cpu": "500m"}}
SPEC = {"containers": [{"name": "app", "resources": SIZE}]}


class Cluster:
    """Has these quotas, by namespace; others may not be listed."""

    def __init__(self, **hard: dict[str, str]) -> None:
        self.hard = hard
        self.asked = list[str]()

    async def request(self, method: str, gvr: Any, *, namespace: str, **_: Any) -> Any:
        assert method == "GET"
        self.asked.append(namespace)
        if namespace not in self.hard:
            raise Forbidden("no", verb="list", resource=gvr.plural)
        hard = self.hard[namespace]
        quota = {
            "metadata": {"name": "most", "namespace": namespace}, "spec": {"hard": hard},
            "status": {"hard": hard, "used": dict.fromkeys(hard, "0")},
        }  # fmt: skip
        items = [quota] if gvr.plural == "resourcequotas" and hard else []
        return SimpleNamespace(body=json.dumps({"metadata": {}, "items": items}).encode())


def plan(plural: str, name: str, spec: dict[str, Any], *, does: Any = "create", **more: Any) -> Planned:
    namespace = more.pop("namespace", "shop")
    kind = KINDS[plural]
    made = {"apiVersion": kind.gvr.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
    placed = Placed(gvr=kind.gvr, kind=kind.kind, namespace=namespace, name=name)
    return Planned(key=f"{plural}/{namespace}/{name}", placed=placed, does=does, made=made, **more)


def workload(replicas: int) -> dict[str, Any]:
    return {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": SPEC}}


async def found(cluster: Cluster, *plans: Planned) -> RestoredPods:
    transport: Any = cluster
    return await restored_pods(transport, plans)


async def test_workloads_bring_pods_and_what_runs_later_or_is_left_none() -> None:
    cron = {"schedule": "0 2 * * *", "jobTemplate": {"spec": {"template": {"spec": SPEC}}}}
    job = {"parallelism": 2, "completions": 5, "template": {"spec": SPEC}}
    told = await found(
        Cluster(shop={}),
        plan("deployments", "web", workload(3)), plan("statefulsets", "db", workload(2) | {"serviceName": "db"}),
        plan("pods", "one", SPEC), plan("jobs", "once", job), plan("cronjobs", "nightly", cron),
        plan("jobs", "waits", job | {"suspend": True}), plan("daemonsets", "agent", workload(1)),
        plan("deployments", "left", workload(9), does="leave"), plan("configmaps", "plain", {}),
    )  # fmt: skip
    assert (told.pods, told.daemonsets, told.notices, told.unread) == (3 + 2 + 1 + 2, 1, (), ())
    assert told.text == "Its workloads create 8 pods and one pod for each node of 1 DaemonSet."
    assert (await found(Cluster(shop={}), plan("configmaps", "plain", {}))).text == ""


async def test_of_an_update_only_what_is_more_counts() -> None:
    live = {"metadata": {"name": "web", "namespace": "shop"}, "spec": workload(2)}
    told = await found(Cluster(shop={}), plan("deployments", "web", workload(3), does="update", live=live))
    assert told.pods == 1


def updated(plural: str, name: str, was: int, made: int, **spec: Any) -> Planned:
    live = {"metadata": {"name": name, "namespace": "shop"}, "spec": workload(was) | spec}
    return plan(plural, name, workload(made) | spec, does="update", live=live)


def test_fewer_replicas_are_told_and_the_claims_that_go_with_them() -> None:
    claims = {
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
    }
    lowered = updated("statefulsets", "db", 3, 1, **claims)
    raised, kept = updated("statefulsets", "up", 1, 3, **claims), updated("deployments", "web", 2, 2)
    assert list(lowered_notices([raised, kept, plan("deployments", "new", workload(1))])) == []
    lost, fewer = lowered_notices([lowered, raised, updated("deployments", "web", 5, 2)])
    assert (lost.state, lost.title) == ("bad", "Claims are deleted") and "StatefulSet shop/db:" in lost.text
    assert (fewer.state, fewer.title) == ("warn", "It lowers the number of replicas")
    assert fewer.text == "StatefulSet shop/db from 3 to 1 and Deployment shop/web from 5 to 2."
    (none,) = lowered_notices([updated("deployments", "web", 5, 0)])
    assert none.state == "bad"
    many = [updated("deployments", f"web-{at}", 5, 2) for at in range(9)]
    assert next(iter(lowered_notices(many))).text.endswith("and 7 more.")


async def test_quotas_say_what_is_refused_those_that_come_from_the_backup_too() -> None:
    told = await found(Cluster(shop={"pods": "2"}), plan("deployments", "web", workload(3)))
    (notice,) = told.notices
    assert notice.title == "The quota of shop allows 2 of 3 pods"
    restored = plan("resourcequotas", "own", {"hard": {"requests.cpu": "1"}})
    told = await found(Cluster(shop={}), restored, plan("deployments", "web", workload(3)))
    assert [each.title for each in told.notices] == ["The quota of shop allows 2 of 3 pods"]
    told = await found(
        Cluster(shop={"pods": "4"}),
        plan("deployments", "a", workload(3)),
        plan("deployments", "b", workload(3)),
    )
    assert [each.title for each in told.notices] == ["The quota of shop does not allow all of them together"]
    full = {"count/replicasets.apps": "0"}
    told = await found(Cluster(shop=full), plan("deployments", "web", workload(3)))
    assert [each.title for each in told.notices] == ["The quota of shop allows no more ReplicaSets"]


async def test_what_can_t_be_read_is_said_to_be_unknown() -> None:
    told = await found(Cluster(), plan("deployments", "web", workload(1)))
    assert told.unread == ("shop",) and "you may not list those of shop" in told.text
    many = [plan("pods", "a", SPEC, namespace=f"n{at:02}") for at in range(MAX_ASKED + 1)]
    cluster = Cluster(**{f"n{at:02}": {} for at in range(MAX_ASKED + 1)})
    told = await found(cluster, *many)
    assert told.unread == (f"n{MAX_ASKED}",) and len(set(cluster.asked)) == MAX_ASKED


@pytest.mark.parametrize("body", [{"spec": {"replicas": 3}}, {"spec": {"replicas": None}}, {}])
async def test_an_object_of_another_kind_by_the_same_plural_is_none_of_these(body: dict[str, Any]) -> None:
    other = plan("deployments", "web", body.get("spec") or {})
    placed = Placed(
        gvr=other.placed.gvr.__class__("other.io", "v1", "deployments"), kind="x", namespace="a", name="b"
    )
    assert (
        await found(Cluster(), Planned(key="k", placed=placed, does="create", made=other.made))
    ).text == ""


async def test_an_autoscaler_that_takes_claims_is_told() -> None:
    """Of the StatefulSet as it is, or as it is restored with it."""
    spec = workload(5) | {
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
    }
    live = {"metadata": {"name": "db", "namespace": "shop", "uid": "u"}, "spec": spec}
    ref = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}

    class Shop:
        async def request(self, method: str, gvr: Any, *, namespace: str, **_: Any) -> Any:
            if gvr.plural == "replicasets":
                raise Forbidden("no", verb="list", resource=gvr.plural)
            items = [live] if (gvr.plural, namespace) == ("statefulsets", "shop") else []
            return SimpleNamespace(body=json.dumps({"metadata": {}, "items": items}).encode())

    def scaler(most: int, **more: Any) -> Planned:
        bounds = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": most}
        return plan("horizontalpodautoscalers", "db", bounds, **more)

    async def told(*plans: Planned) -> Planned:
        transport: Any = Shop()
        return (await with_scaling(transport, plans))[0]

    lowered = await told(scaler(2))
    assert lowered.loses and lost_claims([lowered]) == [lowered]
    assert lowered.notes[0] == "It scales StatefulSet db from 5 to 2."
    assert "claims are deleted. whenScaled is Delete" in lowered.notes[1]
    (notice,) = lowered_notices([lowered])
    assert (notice.state, notice.title) == ("bad", "Claims are deleted")
    assert not (await told(scaler(9))).loses
    assert (await told(scaler(2, does="same"))).notes == ()
    assert (await told(scaler(2, namespace="copy"))).notes == ()
    restored = updated("statefulsets", "db", 5, 2)
    assert (await told(scaler(2), restored)).notes == (), "it lowers them itself"


async def test_requests_that_are_answered_no_more_and_drains_that_block_are_told() -> None:
    ports, labels = [{"port": 80, "name": "http"}], {"app": "web"}
    service = {"selector": labels, "ports": ports, "type": "ClusterIP"}
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    rules = {"rules": [{"host": "shop.example", "http": {"paths": paths}}]}
    there = {
        "pods": [{"metadata": {"name": "web-1", "uid": "p", "labels": labels}, "spec": SPEC, **ready}],
        "ingresses": [{"metadata": {"name": "web", "uid": "i"}, "spec": rules}],
    }

    class Shop:
        async def request(self, method: str, gvr: Any, *, namespace: str, **_: Any) -> Any:
            if namespace != "shop":
                raise Forbidden("no", verb="list", resource=gvr.plural)
            items = [
                each | {"metadata": each["metadata"] | {"namespace": "shop"}}
                for each in there.get(gvr.plural, [])
            ]
            return SimpleNamespace(body=json.dumps({"metadata": {}, "items": items}).encode())

    async def told(*plans: Planned) -> Planned:
        transport: Any = Shop()
        return (await with_traffic(transport, plans))[0]

    def again(plural: str, was: dict[str, Any], made: dict[str, Any], **more: Any) -> Planned:
        live = {"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": was}
        return plan(plural, "web", made, does="update", live=live, **more)

    unmatched = await told(again("services", service, service | {"selector": {"app": "old"}}))
    assert unmatched.cuts and unmatched.notes[0].startswith("web would match no pod. It routes to 1 pod now.")
    (notice,) = restore_words(
        SimpleNamespace(  # type: ignore[arg-type]
            plans=[unmatched], skipped=[], writes=1, more=0, targets=["shop"], pods=RestoredPods()
        ),
        Choice(),
    ).notices
    assert (notice.state, notice.text) == ("bad", "Service shop/web: see what each says.")

    moved = again("services", service, service | {"ports": [{"port": 8080, "name": "http"}]})
    assert "Ingress web routes to port 80 (http), which it no longer has" in (await told(moved)).text
    backend["service"]["port"] = {"number": 8080}
    assert not (await told(moved, again("ingresses", rules, rules))).cuts, "it is restored with it"

    gone = await told(again("ingresses", rules, {"rules": []}))
    assert gone.cuts and "shop.example/ is routed nowhere any more" in gone.text
    assert (await told(plan("services", "new", service))).notes == ()
    (unknown,) = (await told(again("services", service, service, namespace="copy"))).notes
    assert unknown.startswith("Not all Pods and Ingresses there could be read")
    assert (await told(plan("services", "new", service, namespace="copy"))).notes == ()

    budget = {"maxUnavailable": 0, "selector": {"matchLabels": labels}}
    assert "node drains will block" in (await told(plan("poddisruptionbudgets", "web", budget))).text
    assert (await told(plan("poddisruptionbudgets", "web", budget | {"maxUnavailable": 1}))).notes == ()


@pytest.mark.parametrize("readable", [True, False])
async def test_addresses_that_other_services_have_are_told_with_what_becomes_of_them(readable: bool) -> None:
    """The second page of the cluster's Services has the one that holds them all."""
    old = {
        "clusterIPs": ["10.0.0.24"], "ports": [{"port": 80, "nodePort": 30080}], "healthCheckNodePort": 30999,
    }  # fmt: skip
    balancer = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    holder = {"metadata": {"name": "web", "namespace": "old"}, "spec": old, "status": balancer}
    pages = [{"metadata": {"continue": "more"}, "items": []}, {"metadata": {}, "items": [holder]}]

    class Services:
        async def request(self, method: str, gvr: Any, *, query: dict[str, str], **_: Any) -> Any:
            if not readable:
                raise Forbidden("no", verb="list", resource=gvr.plural)
            return SimpleNamespace(body=json.dumps(pages["continue" in query]).encode())

    transport: Any = Services()
    free = plan("services", "free", {"clusterIPs": ["None"], "ports": [{"port": 80}]})
    wants = {
        "clusterIPs": ["10.0.0.24"],
        "ports": [{"port": 80, "nodePort": 30999}],
        "loadBalancerIP": "192.0.2.7",
    }
    told, alone = await with_addresses(transport, [plan("services", "web", wants), free])
    assert alone.notes == ()
    taken = (
        "Its cluster IP 10.0.0.24 is in use by Service old/web: a new one is allocated.",
        "Its node port 30999 is in use by Service old/web: a new one is allocated.",
        "Its load balancer IP 192.0.2.7 is in use by Service old/web: its load balancer may refuse it.",
    )
    unread = (
        "Not all Services could be read: those of its addresses that are in use are replaced by new ones."
    )
    assert told.notes == (taken if readable else (unread,))
