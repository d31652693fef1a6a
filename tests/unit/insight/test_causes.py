"""A cause is named before its symptoms, and once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.insight import findings, findings_for, read_for
from dashboard.insight.finding import Step
from dashboard.insight.rules.pod_creation import why_refused
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import APISERVICES
from dashboard.kinds.nodes import NODES
from dashboard.kinds.nodes import detail as node_page
from dashboard.kinds.nodes import judge as judge_node
from dashboard.kinds.webhooks import WEBHOOKS

from .cases import autoscaler, claim, cron, storage_class
from .world import (
    NOW,
    World,
    ago,
    condition,
    deployment,
    ended,
    endpoints,
    event,
    ingress,
    meta,
    node,
    pod,
    service,
    waiting,
)


def told(world: World) -> list[tuple[str, str, str]]:
    return [(one.severity, one.rule, text_of(one.text)) for one in findings(world, NOW)]


def test_a_deployment_paused_before_its_first_rollout_is_told_once_with_its_service() -> None:
    unavailable = condition("Available", "False", "MinimumReplicasUnavailable")
    held = deployment(replicas=2, available=0, updated=0, current=0, conditions=[unavailable], paused=True)
    world = World(("deployments", held), ("services", service())).reading("pods")
    assert [(one.rule, one.follows and one.follows.kind) for one in findings(world, NOW)] == [
        ("deployment-paused", None), ("service-no-endpoint", "Deployment"),
    ]  # fmt: skip
    (first, _) = told(world)
    assert (
        first[2] == "Deployment web in shop is paused and has no pods: none of its 2 desired pods is created."
    )


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({}, "is of StorageClass slow, while the claim requests StorageClass fast"),
        ({"storageClassName": "fast", "capacity": {"storage": "1Gi"}}, "is too small: 1Gi"),
        ({"storageClassName": "fast", "claimRef": {"namespace": "b", "name": "x"}}, "is reserved for b/x"),
        (
            {"storageClassName": "fast", "claimRef": {"namespace": "b", "name": "data"}},
            "is reserved for b/data",
        ),
        ({"storageClassName": "fast", "accessModes": ["ReadOnlyMany"]}, "does not offer ReadWriteOnce"),
    ],
)
def test_a_claim_that_asks_for_a_volume_by_name_says_why_it_does_not_get_it(
    volume: dict[str, Any], why: str
) -> None:
    spec = {
        "storageClassName": "slow",
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
    } | volume
    named = {"metadata": {"name": "mine"}, "spec": spec, "status": {"phase": "Available"}}
    world = World(
        ("persistentvolumeclaims", claim("Pending", spec={"volumeName": "mine"})),
        ("persistentvolumes", named),
    )
    ((severity, rule, text),) = told(world)
    assert (severity, rule) == ("bad", "claim-no-such-volume")
    assert text == f"PersistentVolumeClaim data in shop asks for PersistentVolume mine by name, which {why}."


def blocked(
    started: str, *jobs: dict[str, Any], schedule: str = "0 3 * * *", policy: str = "Forbid"
) -> World:
    active = [{"kind": "Job", "namespace": "shop", "name": "nightly-1"}]
    status = {"active": active, "lastScheduleTime": started}
    made = {
        "metadata": meta("nightly"),
        "spec": {"schedule": schedule, "concurrencyPolicy": policy},
        "status": status,
    }
    return World(("cronjobs", made), *(("jobs", each) for each in jobs))


@pytest.mark.parametrize(
    ("world", "is_blocked"),
    [
        (blocked("2026-02-28T03:00:00Z"), True),
        (blocked("2026-03-01T03:00:00Z"), False),  # the next run is yet to come
        (blocked("2026-03-01T11:30:00Z", schedule="* * * * *"), False),  # skipped for less than an hour
        (blocked("2026-03-01T10:30:00Z", schedule="* * * * *"), True),
        (blocked("2026-02-28T03:00:00Z", policy="Allow"), False),
        (blocked("2026-03-01T01:00:00Z"), False),  # 03:00 in the control plane's own time zone
        (blocked("2026-02-27T01:00:00Z"), True),
        (blocked("2026-02-28T03:00:00Z", schedule="never"), False),
        (blocked("2026-02-28T03:00:00Z").reading("jobs"), False),  # the Job is gone
    ],
)
def test_a_run_that_does_not_end_blocks_the_next_ones(world: World, is_blocked: bool) -> None:
    assert [rule for _, rule, _ in told(world)] == (["cronjob-blocked"] if is_blocked else [])


def test_a_run_that_cannot_end_is_the_cause_of_those_that_are_skipped() -> None:
    job = {"metadata": meta("nightly-1"), "spec": {}, "status": {"active": 1}}
    world = blocked("2026-02-27T03:00:00Z", job)
    world.add("pods", pod("nightly-1-x", owner=("Job", "nightly-1"), phase="Pending", ready=False,
                          state={"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}))  # fmt: skip
    found = findings(world, NOW)
    assert [(one.kind, one.follows and one.follows.name) for one in found] == [
        ("Job", None), ("CronJob", "nightly-1")
    ]  # fmt: skip


def test_a_node_selector_that_no_node_fits_is_told_by_its_label() -> None:
    said = (
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint(s)."
    )
    refused = condition("PodScheduled", "False", "Unschedulable", said)
    made = pod(phase="Pending", ready=False, node="", conditions=[refused])
    made["status"].pop("containerStatuses")
    made["spec"]["nodeSelector"] = {"disk": "ssd", "gpu": "a100"}
    labelled = [node(name) for name in ("node-1", "node-2")]
    labelled[0]["metadata"] |= {"labels": {"disk": "ssd", "gpu": "t4"}}
    world = World(("pods", made), *(("nodes", each) for each in labelled))
    ((_, rule, text),) = told(world)
    assert rule == "pod-unschedulable"
    assert text.endswith("can't be scheduled: no node has the label gpu=a100 of its nodeSelector.")
    labelled[1]["metadata"] |= {"labels": {"gpu": "a100"}}
    world.add("nodes", labelled[1])
    ((_, _, text),) = told(world)
    assert "untolerated taints" in text
    assert "nodeSelector" not in text


def test_a_service_is_meant_for_the_workload_of_its_name() -> None:
    world = World(
        ("deployments", deployment("db", replicas=1)), ("deployments", deployment("cache")),
        ("pods", pod("db-1", owner=None, labels={"app": "db"})),
        ("services", service("db", {"app": "postgresql"})),
    )  # fmt: skip
    ((_, rule, text),) = told(world)
    assert rule == "service-selects-nothing"
    assert text.endswith("The nearest is Deployment db: app=db instead of app=postgresql.")


@pytest.mark.parametrize("counted", [0, 1])
def test_pods_that_wait_for_the_first_are_counted_without_it_before_the_status_does(counted: int) -> None:
    refused = condition(
        "PodScheduled", "False", "Unschedulable", "0/2 nodes are available: 2 Insufficient cpu."
    )
    first = pod("db-0", owner=("StatefulSet", "db"), phase="Pending", node="", conditions=[refused])
    first["status"].pop("containerStatuses")
    stateful = {
        "metadata": meta("db"),
        "spec": {"replicas": 3, "podManagementPolicy": "OrderedReady", "template": {"metadata": {}}},
        "status": {"replicas": counted},
    }
    ((_, _, text),) = told(World(("statefulsets", stateful), ("pods", first)))
    assert "2 pods wait for db-0 and are not created before" in text


def waiting_for(*claims: dict[str, str], said: str = "", scheduler: str = "", **status: Any) -> World:
    spec = {"containers": [], "resourceClaims": list(claims), "schedulerName": scheduler}
    made = {"metadata": meta("web-1"), "spec": spec,
            "status": {"phase": "Pending", **status}}  # fmt: skip
    world = World(("pods", made))
    if said:
        world.add("events", event("pods-web-1", "FailedResourceClaimCreation", said))
    return world


def test_a_pod_waits_for_the_resource_claim_that_is_missing() -> None:
    template = {"name": "a", "resourceClaimTemplateName": "there"}
    direct = {"name": "b", "resourceClaimName": "gone"}
    ((_, rule, text),) = told(waiting_for(direct))
    assert rule == "pod-resource-claim-missing"
    assert "it uses ResourceClaim gone, which does not exist" in text
    for said in ("", "PodResourceClaim a: admission refuses it"):
        ((_, _, text),) = told(waiting_for(direct, template, said=said))
        assert "has not been created from ResourceClaimTemplate there" in text
    ((_, _, text),) = told(waiting_for(direct, {"name": "c", "resourceClaimName": "other"}))
    assert "at least one of its ResourceClaims does not exist: gone" in text


@pytest.mark.parametrize("other", ["", "placed", "passed over"])
def test_a_claim_that_may_exist_is_not_blamed_where_no_scheduler_is_at_work(other: str) -> None:
    """Where ResourceClaims may not be read."""
    world = waiting_for({"name": "b", "resourceClaimName": "there"}, scheduler="mine")
    if other:
        spec = {"schedulerName": "mine", "containers": [], "nodeName": "n"}
        status = {"phase": "Running", "conditions": [condition("PodScheduled", "True")]}
        world.add("pods", {"metadata": meta("old"), "spec": spec, "status": status})
    if other == "passed over":
        world.add("pods", {"metadata": meta("new"), "spec": {"schedulerName": "mine", "containers": []},
                           "status": {"phase": "Pending"}})  # fmt: skip
    rules = [rule for _, rule, text in told(world) if "Pod web-1" in text or "2 pods" in text]
    assert rules == ["pod-resource-claim-missing" if other == "placed" else "pod-no-scheduler"]


def test_where_resource_claims_are_read_the_missing_one_is_named() -> None:
    first, second = ({"name": each, "resourceClaimName": each} for each in ("there", "gone"))
    for scheduler in ("default-scheduler", "mine"):
        world = waiting_for(first, second, scheduler=scheduler).with_resource_claims("there")
        ((_, rule, text),) = told(world)
        assert rule == "pod-resource-claim-missing"
        assert text.endswith("it uses ResourceClaim gone, which does not exist.")
        ((_, rule, _),) = told(world.with_resource_claims("there", "gone"))
        assert rule == "pod-no-scheduler"
    # What the scheduler said of it is of the past once it is there.
    refused = condition(
        "PodScheduled", "False", "Unschedulable", 'resourceclaim.resource.k8s.io "gone" not found'
    )
    world = waiting_for(second, conditions=[refused])
    assert told(world)[0][1] == "pod-resource-claim-missing"
    assert told(world.with_resource_claims("gone"))[0][1] == "pod-unschedulable"


NO_TEMPLATE = 'PodResourceClaim a: resource claim template "there": resourceclaimtemplate "there" not found'


@pytest.mark.parametrize(
    ("scheduler", "said", "which"),
    [
        ('pod "shop/web-1": ResourceClaim not created yet', NO_TEMPLATE, "ResourceClaimTemplate there"),
        ("2 Insufficient cpu", NO_TEMPLATE, "ResourceClaimTemplate there"),
        ('resourceclaim.resource.k8s.io "gone" not found', "", "ResourceClaim gone"),
        ('could not find ResourceClaim "shop/gone"', "", "ResourceClaim gone"),
    ],
)
def test_the_missing_resource_claim_is_told_and_not_what_the_scheduler_said_before(
    scheduler: str, said: str, which: str
) -> None:
    refused = condition("PodScheduled", "False", "Unschedulable", f"0/2 nodes are available: {scheduler}.")
    template = {"name": "a", "resourceClaimTemplateName": "there"}
    direct = {"name": "b", "resourceClaimName": "gone"}
    created = [] if said else [{"name": "a", "resourceClaimName": "web-1-a"}]
    world = waiting_for(template, direct, said=said, conditions=[refused], resourceClaimStatuses=created)
    ((severity, rule, text),) = told(world)
    assert (severity, rule) == ("bad", "pod-resource-claim-missing")
    assert text == f"Pod web-1 in shop can't be scheduled: it uses {which}, which does not exist."


def test_resource_claims_that_exist_are_not_the_cause() -> None:
    template = {"name": "a", "resourceClaimTemplateName": "there"}
    created = [{"name": "a", "resourceClaimName": "web-1-a"}]
    ((_, rule, _),) = told(waiting_for(template, resourceClaimStatuses=created))
    assert rule == "pod-no-scheduler"
    refused = condition(
        "PodScheduled", "False", "Unschedulable", "0/2 nodes are available: 2 cannot allocate all claims."
    )
    world = waiting_for(
        template, said="PodResourceClaim a: a conflict", conditions=[refused], resourceClaimStatuses=created
    )
    ((_, rule, text),) = told(world)
    assert rule == "pod-unschedulable" and "no free devices for its ResourceClaims" in text


@pytest.mark.parametrize(
    ("reason", "message", "text"),
    [
        ("InvalidSelector", "the HPA target's scale is missing a selector",
         "can't find the pods of Deployment web: its scale has no label selector."),
        ("AmbiguousSelector", "pods by selector app=web are controlled by multiple HPAs: [shop/web shop/old]",
         "is not scaling: HorizontalPodAutoscaler old selects the same pods as Deployment web."),
        ("AmbiguousSelector", "pods by selector app=web are controlled by multiple HPAs: [shop/b shop/web shop/a]",
         "is not scaling: HorizontalPodAutoscalers a and b select the same pods as Deployment web."),
        ("AmbiguousSelector", "", "is not scaling: another autoscaler selects the same pods as Deployment web."),
    ],
)  # fmt: skip
def test_an_autoscaler_whose_selector_is_wrong_does_not_blame_the_metrics(
    reason: str, message: str, text: str
) -> None:
    scaler = autoscaler(condition("ScalingActive", "False", reason, message))
    found = told(World(("horizontalpodautoscalers", scaler), ("deployments", deployment())))
    assert [(rule, said.removeprefix("HorizontalPodAutoscaler web in shop ")) for _, rule, said in found] == [
        ("autoscaler-cannot-scale", text)
    ]


def test_a_job_says_which_indexes_failed() -> None:
    spec = {
        "completionMode": "Indexed",
        "backoffLimitPerIndex": 1,
        "backoffLimit": 2147483647,
        "maxFailedIndexes": 1,
    }
    for reason, text in (
        ("FailedIndexes", "indexes 1,3-5 failed more often than backoffLimitPerIndex allows."),
        ("MaxFailedIndexesExceeded", "indexes 1,3-5 failed, more than the 1 that maxFailedIndexes allows."),
    ):
        status = {"failed": 8, "failedIndexes": "1,3-5", "conditions": [condition("Failed", "True", reason)]}
        ((_, rule, said),) = told(World(("jobs", {"metadata": meta("work"), "spec": spec, "status": status})))
        assert (rule, said) == ("job-failed", f"Job work in shop failed: {text}")


def canary(name: str, value: str = "true", prefix: str = "nginx.ingress.kubernetes.io") -> dict[str, Any]:
    made = ingress("beta", name=name)
    made["metadata"]["annotations"] = {f"{prefix}/canary": value, f"{prefix}/canary-weight": "10"}
    return made


def test_a_canary_shares_its_place_on_purpose() -> None:
    served = [("services", service()), ("services", service("beta")), ("pods", pod())]
    assert told(World(("ingresses", ingress("web")), ("ingresses", canary("beta")), *served)) == []
    assert (
        told(World(("ingresses", ingress("web")), ("ingresses", canary("b", prefix="edge.example")), *served))
        == []
    )
    off = World(("ingresses", ingress("web")), ("ingresses", canary("beta", "false")), *served)
    assert [rule for _, rule, _ in told(off)] == ["ingress-clash"]


def test_a_limit_range_says_all_that_it_refuses() -> None:
    ref = Ref("Deployment", "shop", "web", "deployments")
    said = (
        'pods "web" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum memory usage '
        "per Container is 64Mi, but limit is 1Gi, "
        "cpu max limit to request ratio per Pod is 2, but provided ratio is 10.000000]"
    )
    why = why_refused(said, ref)
    assert why.rule == "workload-limit-range"
    assert "request is 10m, maximum memory" in why.why and "provided ratio is 10.000000" in why.why


CALL = 'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: Post '


@pytest.mark.parametrize(
    ("said", "why", "step", "to"),
    [
        # As API servers of 1.36 said it to a ReplicaSet.
        ('"https://gone.hooks.svc:443/v?timeout=2s": service "gone" not found',
         "can't be reached: Service gone in hooks does not exist", "Restore Service gone in hooks", ""),
        ('"https://127.0.0.1:1/x?timeout=2s": dial tcp 127.0.0.1:1: connect: connection refused',
         "can't be reached", "Check that its backend is running", ""),
        ('"https://hook.hooks.svc:443/v?timeout=2s": tls: failed to verify certificate: x509: certificate is valid',
         "can't be called: the API server does not trust its certificate", "Renew its certificate", "hook"),
        ('"https://hook.hooks.svc:443/v?timeout=10s": context deadline exceeded',
         "does not answer in time", "Look at Service hook in hooks", "hook"),
        ('"https://hook.hooks.svc:443/v?timeout=10s": no endpoints available for service "hook"',
         "can't be reached: Service hook in hooks has no ready endpoints", "Start what runs behind Service hook", "hook"),
        ('"https://hook.hooks.svc:443/v?timeout=10s": the server rejected our request for an unknown reason',
         "fails", "Read the log of Service hook in hooks", "hook"),
    ],
)  # fmt: skip
def test_why_a_webhook_could_not_be_called_is_told_and_its_service(
    said: str, why: str, step: str, to: str
) -> None:
    found = why_refused(CALL + said, Ref("ReplicaSet", "shop", "web-1", "replicasets"))
    assert found.rule == "workload-webhook-down"
    assert found.why == f"admission webhook policy.example {why}"
    assert found.step.startswith(step) and found.step.endswith(", or delete its webhook configuration.")
    assert (found.ref.name if found.ref else "") == to


def local(
    provisioner: str, *events: tuple[str, dict[str, Any]], conditions: list[dict[str, Any]]
) -> list[tuple[str, str, str]]:
    """What is told of a pod and its claim, of a class whose volumes are made, or bound, where the pod is to run."""
    waiting = pod(phase="Pending", ready=False, node="", owner=None)
    waiting["status"] = {"phase": "Pending", "conditions": conditions}
    waiting["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    return told(
        World(
            ("pods", waiting), ("persistentvolumeclaims", claim("Pending", klass="local")),
            ("storageclasses", storage_class("local", "WaitForFirstConsumer", provisioner)), *events,
        ).reading("persistentvolumes")
    )  # fmt: skip


def test_a_pod_that_waits_for_its_volume_to_be_made_is_no_fault_of_a_scheduler() -> None:
    """As seen: the scheduler has chosen a node and says nothing until the volume is there."""
    waits = event(
        "persistentvolumeclaims-data", "ExternalProvisioning", "Waiting for a volume to be created",
        kind="PersistentVolumeClaim", type_="Normal",
    )  # fmt: skip
    found = local("disk.example", ("events", waits), conditions=[])
    assert [rule for _, rule, _ in found] == ["claim-no-provisioner", "pod-claim-pending"]
    assert "its volume claim data has no volume yet" in found[1][2]


def test_a_claim_of_a_class_that_provisions_nothing_does_not_wait_for_its_pod() -> None:
    """As seen: each was said to wait for the other, and that there is no volume by neither."""
    message = "0/5 nodes are available: 4 node(s) didn't find available persistent volumes to bind."
    scheduled = condition("PodScheduled", "False", "Unschedulable", message)
    found = local("kubernetes.io/no-provisioner", conditions=[scheduled])
    assert [rule for _, rule, _ in found] == ["claim-no-volume", "pod-claim-pending"]
    assert "StorageClass local provisions none, and no available volume fits" in found[0][2]


def test_the_pod_that_takes_a_preempted_ones_place_says_so() -> None:
    scheduled = condition(
        "PodScheduled", "False", "Unschedulable", "0/6 nodes are available: 1 Insufficient cpu."
    )
    waiting = pod(phase="Pending", ready=False, node="", conditions=[scheduled])
    owner = waiting["metadata"]["ownerReferences"][0]["name"]
    preempted = event("pods-gone", "Preempted", "Preempted by pod 5c7d on node faults", type_="Normal")
    preempted["metadata"]["namespace"] = "shop"
    preempted["involvedObject"] |= {"namespace": "shop", "name": f"{owner}-gone"}
    ((_, rule, text),) = told(World(("pods", waiting), ("events", preempted)))
    assert rule == "pod-unschedulable"
    assert "the pod before it was preempted by one with higher priority" in text
    other = preempted | {"involvedObject": preempted["involvedObject"] | {"name": "another-gone"}}
    ((_, _, text),) = told(World(("pods", waiting), ("events", other)))
    assert "preempted" not in text


@pytest.mark.parametrize(
    ("name", "gone", "blames"),
    [("web-0", "web-0", True), ("web-0", "web-x7k2p", False), ("web-bq5zt", "web-0", False),
     ("web-bq5zt", "web-x7k2p", True)],
)  # fmt: skip
def test_a_preempted_pod_of_another_owner_of_that_name_was_not_the_one_before(
    name: str, gone: str, *, blames: bool
) -> None:
    message = "0/6 nodes are available: 1 Insufficient cpu."
    scheduled = condition("PodScheduled", "False", "Unschedulable", message)
    waiting = pod(name, owner=("Ring", "web"), phase="Pending", ready=False, node="", conditions=[scheduled])
    waiting["metadata"]["ownerReferences"][0]["apiVersion"] = "clones.example.com/v1"
    preempted = event("pods-gone", "Preempted", "Preempted by pod 5c7d on node faults", type_="Normal")
    preempted["metadata"]["namespace"] = "shop"
    preempted["involvedObject"] |= {"namespace": "shop", "name": gone}

    def says(*more: tuple[str, dict[str, Any]]) -> bool:
        found = told(World(("pods", waiting), ("events", preempted), *more))
        return any("preempted by one" in text for _, _, text in found)

    assert says() is blames
    # Whose pod it was cannot be told where another owner of that name is there.
    assert not says(("statefulsets", {"metadata": meta("web"), "spec": {"replicas": 0}, "status": {}}))
    assert not says(("pods", pod("web-cx4lr", owner=("ReplicaSet", "web"))))


def test_a_claim_that_a_limit_range_refuses_is_changed_where_claims_are_made_of() -> None:
    said = (
        'Create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is '
        "forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Gi"
    )
    why = why_refused(said, Ref("StatefulSet", "shop", "db", "statefulsets"))
    assert why.rule == "workload-limit-range" and "in volumeClaimTemplates" in why.step


def test_a_request_over_the_limit_that_was_filled_in_names_both_and_where_the_limit_is_from() -> None:
    over = 'resources.requests: Invalid value: "200Mi": must be less than or equal to memory limit of 128Mi'
    why = why_refused(f'Pod "web-1" is invalid: {over}', Ref("ReplicaSet", "shop", "web-1", "replicasets"))
    assert (why.rule, why.why) == (
        "workload-limit-range", "its memory request of 200Mi is more than its memory limit of 128Mi"
    )  # fmt: skip
    assert why.step.startswith("Set a memory limit of at least 200Mi in the pod template: without one,")
    both = f"[{over}, {over.replace('memory', 'cpu').replace('200Mi', '2').replace('128Mi', '500m')}]"
    why = why_refused(f'Pod "web-1" is invalid: {both}', Ref("ReplicaSet", "shop", "web-1", "replicasets"))
    assert why.why.endswith(" and its cpu request of 2 is more than its cpu limit of 500m")


@pytest.mark.parametrize(
    "said", ["requested: ", "a", "maximum a usage per a is ", ".a", 'requests: Invalid value: "a']
)
def test_a_refusal_of_whatever_length_is_read_in_one_pass(said: str) -> None:
    """Each "requested: " was looked for to the end anew: 60 kB took 8 seconds."""
    ref = Ref("ReplicaSet", "shop", "web", "replicasets")
    assert why_refused(f"exceeded quota: small, {said * 50_000}", ref).rule == "workload-quota"
    assert why_refused(said * 20_000, ref).rule in ("workload-limit-range", "workload-cannot-make-pods")


def ending(message: str) -> dict[str, Any]:
    failing = condition("NamespaceDeletionDiscoveryFailure", "True", "DiscoveryFailed", message)
    return {"metadata": {"name": "old", "deletionTimestamp": ago(minutes=9)},
            "status": {"phase": "Terminating", "conditions": [failing]}}  # fmt: skip


DOWN = (
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "down.example.com/v1: stale GroupVersion discovery: down.example.com/v1"
)


def test_a_namespace_that_cannot_end_follows_from_the_apiservice_and_that_from_its_service() -> None:
    world = World(
        ("namespaces", ending(DOWN)), ("services", service("down-api")), ("pods", pod(ready=False)),
        ("endpointslices", endpoints("down-api", ("web-1", False))),
    ).with_table(APISERVICES, ("v1.down.example.com", "shop/down-api", "False (MissingEndpoints)", "5m"))  # fmt: skip
    found = {one.rule: one for one in findings(world, NOW)}
    apis, namespace = found["apiservice-unavailable"], found["namespace-stuck"]
    assert apis.follows == Ref("Service", "shop", "down-api", "services")
    assert namespace.follows == apis.ref == Ref("APIService", "", "v1.down.example.com", APISERVICES.key)
    said = "Namespace old can't be deleted: APIService v1.down.example.com is not available, so it is not known what is "
    assert text_of(namespace.text) == f"{said}left in it."


def test_a_finalizer_that_stays_when_the_api_is_back_is_told_with_it() -> None:
    namespace = ending(DOWN)
    message = (
        "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances"
    )
    namespace["status"]["conditions"].append(
        condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
    )
    world = World(("namespaces", namespace)).with_table(
        APISERVICES, ("v1.down.example.com", "shop/down-api", "False (ServiceNotFound)", "5m")
    )
    (found,) = findings_for(world, "namespaces", "", "old", NOW)
    assert found.follows == Ref("APIService", "", "v1.down.example.com", APISERVICES.key)
    assert text_of(found.text).endswith(
        "it is not known what is left in it, and objects in it wait for finalizer example.com/keep, which has not been "
        "removed."
    )
    assert found.step.text.endswith("Then see that the controller of finalizer example.com/keep runs.")


def test_a_namespace_links_to_the_apiservice_that_may_not_be_listed() -> None:
    (found,) = findings_for(World(("namespaces", ending(DOWN))), "namespaces", "", "old", NOW)
    assert found.step.ref == Ref("APIService", "", "v1.down.example.com", APISERVICES.key)
    assert found.step.text.startswith("Restore the backend of APIService v1.down.example.com")


def test_an_available_or_young_apiservice_is_no_problem() -> None:
    fine = World().with_table(
        APISERVICES, ("v1.apps", "Local", "True", "5m"), ("v1.x.example.com", "shop/x", "Unknown", "5m")
    )
    assert told(fine) == []


def test_only_an_apiservice_that_is_registered_is_linked_to() -> None:
    def step(said: str) -> Step:
        active = condition(
            "ScalingActive", "False", "FailedGetPodsMetric", f"unable to fetch metrics from {said}"
        )
        scaler = ("horizontalpodautoscalers", autoscaler(active))
        (found,) = findings(World(scaler, ("deployments", deployment())), NOW)
        return found.step

    down = step("custom metrics API: the server is currently unable to handle the request")
    assert down.ref == Ref("APIService", "", "v1beta1.custom.metrics.k8s.io", APISERVICES.key)
    gone = step("custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered")
    assert gone.ref is not None and gone.ref.kind == "HorizontalPodAutoscaler"
    assert gone.text.startswith("Install the adapter of custom metrics")


def test_an_autoscaler_without_metrics_follows_from_the_apiservice_that_is_not_available() -> None:
    active = condition(
        "ScalingActive", "False", "FailedGetResourceMetric",
        "unable to fetch metrics from resource metrics API: the server is currently unable to handle the request",
    )  # fmt: skip
    world = World(("horizontalpodautoscalers", autoscaler(active)), ("deployments", deployment())).with_table(
        APISERVICES,
        ("v1beta1.metrics.k8s.io", "kube-system/metrics-server", "False (ServicePortError)", "5m"),
    )
    cause, follows = findings(world, NOW)
    assert cause.rule == "apiservice-unavailable"
    assert (
        cause.step.text
        == "Correct spec.service.port: it has to be a port of Service metrics-server in kube-system."
    )
    assert cause.step.ref == cause.ref
    assert (follows.rule, follows.follows) == ("autoscaler-no-metrics", cause.ref)
    (told_there,) = findings_for(world, "horizontalpodautoscalers", "shop", "web", NOW)
    assert told_there.step.text == "Caused by APIService v1beta1.metrics.k8s.io; nothing to do here."
    assert APISERVICES.key in read_for("horizontalpodautoscalers")


def no_node(said: str, *nodes: dict[str, Any], **spec: Any) -> World:
    refused = condition("PodScheduled", "False", "Unschedulable", f"0/2 nodes are available: {said}.")
    made = pod(owner=None, phase="Pending", ready=False, node="", conditions=[refused])
    made["status"].pop("containerStatuses")
    made["spec"] |= spec
    return World(("pods", made), *(("nodes", each) for each in nodes))


def test_the_taints_that_keep_a_pod_from_its_nodes_are_told_by_name() -> None:
    gpu = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    plane = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    said = "2 node(s) had untolerated taint(s)"
    (found,) = findings(no_node(said, node("a", taints=[gpu]), node("b", taints=[gpu])), NOW)
    assert text_of(found.text).endswith("can't be scheduled: untolerated taint dedicated=gpu.")
    assert found.step.text == (
        "Add a toleration for dedicated=gpu to its pod template, or remove that taint from a node."
    )
    both = node("a", taints=[gpu]), node("b", taints=[plane])
    said = ", ".join(f"1 node(s) had untolerated taint {{{key}: }}" for key in (gpu["key"], plane["key"]))
    ((_, _, text),) = told(no_node(said, *both))
    assert text.endswith("untolerated taints dedicated=gpu and node-role.kubernetes.io/control-plane.")
    tolerated = [{"key": "dedicated", "operator": "Exists"}]
    ((_, _, text),) = told(no_node(f"1 Insufficient cpu, {said}", *both, tolerations=tolerated))
    assert "; on other nodes untolerated taint node-role.kubernetes.io/control-plane" in text


@pytest.mark.parametrize(
    ("said", "why", "step"),
    [
        ("2 node(s) didn't find available persistent volumes to bind", "no available volume fits its claim", "Look"),
        ("2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
         "a ReadWriteOncePod claim in use by another pod", "Wait for the pod that uses the claim to end"),
        ("2 node(s) did not have enough free storage", "too little free storage", "Free capacity"),
        ("2 cannot allocate all claims", "no free devices for its ResourceClaims", "Look at its ResourceClaims"),
    ],
)  # fmt: skip
def test_what_the_scheduler_says_of_volumes_and_devices_reads_as_a_sentence(
    said: str, why: str, step: str
) -> None:
    (found,) = findings(no_node(said), NOW)
    assert text_of(found.text).endswith(f"can't be scheduled: {why}.") and found.step.text.startswith(step)


@pytest.mark.parametrize(
    ("current", "said"), [(0, "its pods can't be created, because"), (2, "no more can be created, because")]
)
def test_no_more_is_said_only_where_some_were_created(current: int, said: str) -> None:
    failing = [condition("ReplicaFailure", "True", "FailedCreate", 'serviceaccount "web" not found')]
    world = World(("deployments", deployment(available=0, current=current, conditions=failing)))
    assert f"has 0 of 3 pods ready: {said}" in told(world)[0][2]


@pytest.mark.parametrize(
    ("started", "said"),
    [(None, "its Jobs can't be created, because"), (ago(hours=3), "no more can be created, because")],
)
def test_no_more_is_said_of_a_cronjob_only_where_a_job_was_created(started: str | None, said: str) -> None:
    message = (
        'jobs.batch "nightly-1" is forbidden: exceeded quota: small, requested: count/jobs.batch=1, used: x'
    )
    refused = event("cronjobs-nightly", "FailedCreate", message, kind="CronJob")
    world = World(
        ("cronjobs", cron() | {"status": {"lastScheduleTime": started} if started else {}}),
        ("events", refused),
    )
    assert told(world)[0][2].startswith(f"CronJob nightly in shop starts no Jobs: {said}")


@pytest.mark.parametrize(
    "before",
    [
        "resource Pod/shop/web was blocked due to the following policies \n\n",
        "policy Pod/shop/web for resource violation: \n\n",
    ],
)
def test_a_policy_is_quoted_from_its_name_on(before: str) -> None:
    said = f'admission webhook "validate.kyverno.svc-fail" denied the request: \n\n{before}no-latest:\n  tag: no tag'
    found = why_refused(said, Ref("Deployment", "shop", "web", "deployments"))
    assert found.why == 'admission webhook "validate.kyverno.svc-fail" refuses them: no-latest: tag: no tag'


@pytest.mark.parametrize(
    ("type_", "status", "fault"),
    [
        ("KernelDeadlock", "True", "KernelDeadlock"),
        ("ReadonlyFilesystem", "True", "ReadonlyFilesystem"),
        ("FrequentKubeletRestart", "True", "FrequentKubeletRestart"),
        ("KubeletUnhealthy", "True", "KubeletUnhealthy"),
        ("StorageReady", "False", "StorageReady is False"),
        ("KernelDeadlock", "False", ""),
        ("FrequentKubeletRestart", "Unknown", ""),
        ("StorageReady", "True", ""),
        ("EtcdIsVoter", "True", ""),
        ("EtcdIsVoter", "False", ""),
    ],
)
def test_conditions_of_a_node_that_others_set_are_judged_by_their_names(
    type_: str, status: str, fault: str
) -> None:
    made = node(conditions=[condition(type_, status, "Why", "what it saw")])
    world = World(("nodes", made))
    said = (
        [("warn", "node-condition", f"Node node-1 reports a fault: {fault} (what it saw).")] if fault else []
    )
    assert told(world) == said
    shown = NODES.decode_object(json.dumps(made).encode())
    state, why = judge_node(shown)
    assert (state, bool(why)) == (("warn", True) if fault else ("ok", False))
    (judged,) = (one for one in node_page(shown).conditions if one.type == type_)
    assert judged.state == (
        "bad" if fault else "warn" if "Kubelet" in type_ and status == "Unknown" else "ok"
    )


@pytest.mark.parametrize(
    ("also", "follows"),
    [
        ([condition("KernelDeadlock", "True")], None),
        ([condition("MemoryPressure", "True"), condition("KernelDeadlock", "True")], "Node"),
    ],
)
def test_an_eviction_follows_only_from_what_evicts(also: list[dict[str, str]], follows: str | None) -> None:
    low = "The node was low on resource: memory."
    gone = pod(owner=None, phase="Failed", ready=False, reason="Evicted", message=low)
    gone["status"]["conditions"] = [condition("Ready", "False", since=ago(minutes=5))]
    for spec in ({}, {"unschedulable": True}):
        found = findings(World(("pods", gone), ("nodes", node(conditions=also, **spec))), NOW)
        (evicted,) = (one for one in found if one.rule == "pod-evicted")
        assert (evicted.follows and evicted.follows.kind) == follows


def test_an_ingress_follows_from_a_service_that_stands_for_none() -> None:
    alias = service(selector={}, type="ExternalName", externalName="gone.shop.svc.cluster.local")
    found = findings(World(("services", alias), ("ingresses", ingress("web"))), NOW)
    assert [(one.rule, one.follows and one.follows.kind) for one in found] == [
        ("service-external-name", None), ("ingress-no-endpoint", "Service"),
    ]  # fmt: skip
    assert text_of(found[1].text) == (
        "Ingress shop in shop reaches nothing at shop.example/web: Service web stands for a name without an address."
    )


@pytest.mark.parametrize(
    ("of_container", "of_pod", "said", "step"),
    [
        ("64Mi", "1Gi", "container app used more memory than its limit of 64Mi", "Raise the memory limit, or"),
        (
            "", "1Gi", "container app was killed, as the pod used more memory than its limit of 1Gi",
            "Raise the memory limit of the pod, or",
        ),
        ("", "", "container app used more memory than its node had available", "Set a memory request and limit"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_whose_limit_was_exceeded_is_told_also_of_a_failed_pod(
    of_container: str, of_pod: str, said: str, step: str, phase: str
) -> None:
    resources = {"resources": {"limits": {"memory": of_container}}} if of_container else {}
    made = pod(
        owner=None, phase=phase, ready=False, state=ended(137, "OOMKilled"), restarts=1, container=resources
    )
    made["spec"] |= {"restartPolicy": "Never", "resources": {"limits": {"memory": of_pod}} if of_pod else {}}
    (found,) = findings(World(("pods", made)), NOW)
    assert text_of(found.text).endswith(f": {said}.")
    assert found.step.text.startswith(step)


@pytest.mark.parametrize(
    ("code", "reason", "step"),
    [
        (1, "Error", "Read the log of its last pod; a failed Job is not retried."),
        (
            137, "OOMKilled", "Set a memory request and limit that fit, or find out in its log what uses the memory. "
            "A failed Job is not retried.",
        ),
    ],
)  # fmt: skip
def test_a_failed_job_says_what_mends_it(code: int, reason: str, step: str) -> None:
    last = pod(owner=("Job", "load"), phase="Failed", ready=False, state=ended(code, reason))
    over = [condition("Failed", "True", "BackoffLimitExceeded")]
    job = {"metadata": meta("load"), "spec": {"backoffLimit": 0}, "status": {"failed": 1, "conditions": over}}
    (found,) = findings(World(("pods", last), ("jobs", job)), NOW)
    assert (found.rule, found.step.text) == ("job-failed", step)


@pytest.mark.parametrize(
    ("code", "said", "step"),
    [
        (0, "container once has completed", "Make it an init container, or a Job:"),
        (3, "container once exits with code 3, application error", "Read its log to see why, and remove"),
    ],
)
def test_a_container_that_ends_for_good_by_its_own_policy_keeps_the_pod_from_being_ready(
    code: int, said: str, step: str
) -> None:
    over = [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(minutes=30))]
    made = pod(owner=None, ready=False, conditions=over)
    (app,) = made["status"]["containerStatuses"]
    once = app | {"name": "once", "ready": False, "state": ended(code, hours=1)}
    made["status"]["containerStatuses"] = [app | {"ready": True}, once]
    made["spec"]["restartPolicy"] = "Always"
    made["spec"]["containers"].append({"name": "once", "image": "x", "restartPolicy": "Never"})
    (found,) = findings(World(("pods", made)), NOW)
    assert text_of(found.text) == (
        f"Pod web-1 in shop gets no traffic: {said}, and its restartPolicy Never does not start it again."
    )
    assert found.step.text.startswith(step)


@pytest.mark.parametrize(
    ("message", "rule", "why"),
    [
        (
            'pods "web-x" is forbidden: unable to validate against any security context constraint: [x]',
            "workload-refused",
            "an admission policy denies them: unable to validate against any security context constraint: [x]",
        ),
        (
            "insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]", "workload-refused",
            "the API server admits such pods only where a ResourceQuota of scope PriorityClass lets them in",
        ),
        (
            'pods "web-x" is forbidden: unable to create new content in namespace shop because it is being terminated',
            "workload-refused", "namespace shop is being deleted",
        ),
    ],
)  # fmt: skip
def test_what_the_api_server_forbids_is_told_with_its_reason(message: str, rule: str, why: str) -> None:
    found = why_refused(message, Ref("Deployment", "shop", "web", "deployments"))
    assert (found.rule, found.why) == (rule, why)


def test_a_backend_that_an_annotation_describes_needs_no_service() -> None:
    made = ingress("redirect")
    (path,) = made["spec"]["rules"][0]["http"]["paths"]
    path["backend"]["service"]["port"] = {"name": "use-annotation"}
    made["spec"]["defaultBackend"] = path["backend"]
    assert told(World(("ingresses", made)).reading("services")) == []
    path["backend"]["service"]["port"] = {"name": "http"}
    assert [rule for _, rule, _ in told(World(("ingresses", made)).reading("services"))] == [
        "ingress-no-service"
    ]


def test_a_service_of_pods_that_have_ended_selects_them_all_the_same() -> None:
    done = pod(owner=None, phase="Succeeded", ready=False, state=ended(0, "Completed"))
    assert told(World(("pods", done), ("services", service()))) == [
        ("note", "service-no-endpoint", "Service web in shop has no ready endpoints: its only pod has ended.")
    ]
    leaving = pod(owner=None)
    leaving["metadata"]["deletionTimestamp"] = ago(seconds=5)
    assert told(World(("pods", leaving), ("services", service()))) == []
    broken = pod(owner=None, phase="Failed", ready=False, state=ended(1))
    found = findings(World(("pods", broken), ("services", service())), NOW)
    assert [(one.rule, one.severity, one.follows and one.follows.kind) for one in found] == [
        ("pod-failed", "bad", None), ("service-no-endpoint", "warn", "Pod"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said",
    ["pod group is not ready, 1 Pending, 3 minAvailable", "waiting for minCount pods from a gang to appear"],
)
def test_a_pod_that_waits_for_its_group_is_not_told_to_compare_nodes(said: str) -> None:
    waits = [condition("PodScheduled", "False", "Unschedulable", said)]
    made = pod(owner=None, phase="Pending", ready=False, node="", conditions=waits)
    (found,) = findings(World(("pods", made)), NOW)
    assert found.step.text.startswith("Look at the other pods of its group")


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (
            "rpc error: code = Unknown desc = error when getting metric values",
            "Look at ScaledObject w and at the log",
        ),
        (
            "the server is currently unable to handle the request",
            "Check that the adapter of external metrics",
        ),
    ],
)
def test_a_trigger_of_keda_that_gives_no_value_is_no_fault_of_its_adapter(answer: str, step: str) -> None:
    message = (
        "unable to get external metric shop/s0-queue/&LabelSelector{MatchLabels:map[string]string{"
        f"scaledobject.keda.sh/name: w,}},}}: unable to fetch metrics from external metrics API: {answer}"
    )
    failing = condition("ScalingActive", "False", "FailedGetExternalMetric", message)
    scaler = autoscaler() | {"status": {"conditions": [failing]}}
    (found,) = findings(World(("horizontalpodautoscalers", scaler)), NOW)
    assert found.step.text.startswith(step)


def test_a_job_that_kueue_holds_is_not_told_to_be_resumed() -> None:
    held = {"metadata": meta("load", labels={"kueue.x-k8s.io/queue-name": "team"}), "spec": {"suspend": True}}
    (found,) = findings(World(("jobs", held)), NOW)
    assert found.step.text == "Nothing: Kueue resumes it when its queue team has room for it."


@pytest.mark.parametrize(
    ("message", "why", "step"),
    [
        (
            'rpc error: code = Internal desc = Could not create volume "pvc-1": operation error EC2: CreateVolume, '
            "https response error StatusCode: 403, RequestID: x, api error UnauthorizedOperation: Not authorized.",
            'Could not create volume "pvc-1": UnauthorizedOperation: Not authorized', "Give the CSI driver's account",
        ),
        (
            "error getting handle for DataSource Type VolumeSnapshot by Name s: error getting snapshot s from api "
            'server: volumesnapshots.snapshot.storage.k8s.io "s" not found',
            'error getting snapshot s from api server: volumesnapshots.snapshot.storage.k8s.io "s" not found',
            "Create the object that dataSource names",
        ),
    ],
)  # fmt: skip
def test_a_provisioner_is_quoted_up_to_its_cause(message: str, why: str, step: str) -> None:
    said = f'failed to provision volume with StorageClass "fast": {message}'
    failed = event("persistentvolumeclaims-data", "ProvisioningFailed", said, kind="PersistentVolumeClaim")
    made = World(
        ("persistentvolumeclaims", claim("Pending")), ("storageclasses", storage_class()), ("events", failed)
    )
    (found,) = findings(made, NOW)
    assert text_of(found.text).endswith(f"can't provision one: {why}.")
    assert found.step.text.startswith(step)


def test_a_pod_that_the_kubelet_cannot_end_says_why() -> None:
    leaving = pod(owner=None)
    leaving["metadata"]["deletionTimestamp"] = ago(minutes=9)
    said = 'error killing pod: failed to "KillContainer" for "app": "rpc error: code = Unknown desc = device busy"'
    (found,) = findings(World(("pods", leaving), ("events", event("pods-web-1", "FailedKillPod", said))), NOW)
    assert (
        text_of(found.text)
        == "Pod web-1 in shop is stuck terminating: its kubelet can't end it: device busy."
    )


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        (
            "FailedAttachVolume",
            'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = ResourceExhausted desc = Attachment limit',
            "Its node can attach no more volumes",
        ),
        (
            "FailedCreatePodSandBox",
            'failed (add): postIpamFailure "No more IPs available"',
            "Free IP addresses",
        ),
    ],
)
def test_a_node_that_has_no_more_of_something_is_told(reason: str, message: str, said: str) -> None:
    waits = pod(
        owner=None, phase="Pending", ready=False, state=waiting("ContainerCreating"),
        conditions=[condition("PodScheduled", "True", since=ago(minutes=8)), condition("Ready", "False")],
    )  # fmt: skip
    (found,) = findings(World(("pods", waits), ("events", event("pods-web-1", reason, message))), NOW)
    assert found.step.text.startswith(said)


@pytest.mark.parametrize(("minutes", "told_as"), [(3, []), (7, ["pod-readiness-failing"])])
def test_a_probe_that_has_not_been_asked_does_not_fail(minutes: int, told_as: list[str]) -> None:
    probe = {"readinessProbe": {"httpGet": {"port": 80}, "initialDelaySeconds": 300}}
    since = [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(minutes=minutes))]
    made = pod(
        owner=None, ready=False, state={"running": {"startedAt": ago(minutes=minutes)}}, conditions=since,
        container=probe,
    )  # fmt: skip
    assert [rule for _, rule, _ in told(World(("pods", made)))] == told_as


def test_a_readiness_gate_is_told_with_what_its_setter_says() -> None:
    gate = condition("example.com/unpaused", "False", "Paused", "the machine is paused")
    unready = condition("Ready", "False", "ReadinessGatesNotReady", since=ago(minutes=9))
    made = pod(owner=None, conditions=[condition("PodScheduled", "True"), unready, gate])
    made["spec"]["readinessGates"] = [{"conditionType": "example.com/unpaused"}]
    assert told(World(("pods", made)))[0][2] == (
        "Pod web-1 in shop gets no traffic: readiness gate example.com/unpaused is not met: the machine is paused."
    )


@pytest.mark.parametrize(
    ("reason", "how"),
    [("Terminated", "terminated"), ("Preempting", "terminated"), ("NodeShutdown", "rejected")],
)
def test_a_pod_that_ran_was_terminated_and_not_rejected(reason: str, how: str) -> None:
    made = pod(owner=None, phase="Failed", ready=False, reason=reason)
    assert told(World(("pods", made)))[0][2].startswith(f"Pod web-1 in shop was {how} by the kubelet: ")


def test_the_port_of_an_ingress_before_a_name_is_taken_as_it_is() -> None:
    name = service(selector={}, type="ExternalName", externalName="api.example.com", ports=[{"port": 443}])
    assert told(World(("services", name), ("ingresses", ingress("web")))) == []


@pytest.mark.parametrize(
    ("reason", "message", "said", "step"),
    [
        (
            "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached",
            "; the cluster autoscaler adds no node: 1 max node group size reached.", "Raise the maximum size",
        ),
        (
            "TriggeredScaleUp", "pod triggered scale-up: [{pool 1->2 (max: 3)}]",
            "; the cluster autoscaler is adding a node.", "Wait for the node",
        ),
    ],
)  # fmt: skip
def test_what_a_cluster_autoscaler_does_for_a_pod_is_told(
    reason: str, message: str, said: str, step: str
) -> None:
    waits = [
        condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
    ]
    made = pod(owner=None, phase="Pending", ready=False, node="", conditions=waits)
    world = World(("pods", made), ("nodes", node()))
    before = told(world)[0][2].rstrip(".")
    world.add("events", event("pods-web-1", reason, message, type_="Normal"))
    (found,) = findings(world, NOW)
    assert text_of(found.text) == before + said
    assert found.step.text.startswith(step)
    world.add("events", event("pods-web-1", reason, message, type_="Normal", minutes=40))
    assert told(world)[0][2].rstrip(".") == before


@pytest.mark.parametrize("there", [True, False])
def test_a_namespace_that_a_webhook_keeps_follows_from_it(there: bool) -> None:
    said = (
        "Failed to delete all resource types, 1 remaining: Internal error occurred: failed calling webhook "
        '"v.example.com": failed to call webhook: Post "https://guard.gone.svc:443/": service "guard" not found'
    )
    kept = [condition("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", said)]
    world = World(
        (
            "namespaces",
            {"metadata": {"name": "old", "deletionTimestamp": ago(hours=1)}, "status": {"conditions": kept}},
        )
    ).reading("services")
    kind = next(each for each in WEBHOOKS if each.kind == "ValidatingWebhookConfiguration")
    hook = {
        "name": "v.example.com", "failurePolicy": "Fail",
        "clientConfig": {"service": {"namespace": "gone", "name": "guard"}},
        "rules": [{"operations": ["DELETE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    }  # fmt: skip
    if there:
        world.add(kind.plural, {"metadata": {"name": "guard"}, "webhooks": [hook]})
    (found,) = findings_for(world, "namespaces", "", "old", NOW)
    assert text_of(found.text) == (
        "Namespace old can't be deleted: something in it cannot be deleted, because admission webhook v.example.com "
        "can't be reached: Service guard in gone does not exist."
    )
    assert (found.follows and found.follows.kind) == ("ValidatingWebhookConfiguration" if there else None)


def test_a_secret_store_that_denies_access_is_no_storage_out_of_reach() -> None:
    waits = pod(
        owner=None, phase="Pending", ready=False, state=waiting("ContainerCreating"),
        conditions=[condition("PodScheduled", "True", since=ago(minutes=8)), condition("Ready", "False")],
    )  # fmt: skip
    said = (
        'MountVolume.SetUp failed for volume "s" : rpc error: code = Unknown desc = failed to mount secrets store objects'
        " for pod shop/web-1, err: error making mount request: Code: 403. Errors: * permission denied"
    )
    (found,) = findings(World(("pods", waits), ("events", event("pods-web-1", "FailedMount", said))), NOW)
    assert found.step.text.startswith("Let the pod's account read that secret")


def test_a_node_with_as_many_pods_as_it_may_run_is_not_mended_by_requests() -> None:
    made = pod(owner=("DaemonSet", "agent"), phase="Failed", ready=False, reason="OutOfpods")
    (found,) = findings(World(("pods", made)), NOW)
    assert found.step.text.startswith("Move pods away from its node")


@pytest.mark.parametrize(
    ("replicas", "minutes", "rules"), [(3, 2, ["workload-not-observed"]), (3, 0.5, []), (0, 60, [])]
)
def test_a_workload_that_wants_pods_is_to_be_observed_within_a_minute(
    replicas: int, minutes: float, rules: list[str]
) -> None:
    made = deployment(replicas=replicas, available=0, current=0, updated=0, observed=0)
    made["metadata"]["creationTimestamp"] = ago(minutes=minutes)
    assert [rule for _, rule, _ in told(World(("deployments", made)))] == rules


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("base", "Copy Secret registry from base to shop: pods take pull secrets"),
        ("", "Create Secret registry of type"),
    ],
)
def test_a_pull_secret_of_another_namespace_is_to_be_copied(where: str, step: str) -> None:
    refused = waiting(
        "ImagePullBackOff", "pull access denied, repository does not exist or may require authorization"
    )
    made = pod(owner=None, phase="Pending", ready=False, state=refused)
    made["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    world = World(("pods", made)).reading("secrets")
    if where:
        world.with_secret("registry", "kubernetes.io/dockerconfigjson", where)
    (found,) = findings(world, NOW)
    assert (found.rule, found.step.text.startswith(step)) == ("pod-pull-secret-missing", True)
