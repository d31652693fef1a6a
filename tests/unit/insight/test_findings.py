"""Problems of a whole cluster: grouped by owner, causes before consequences, worst first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboard.insight import Finding, findings, findings_for, problems
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref

from .world import (
    NOW,
    World,
    ago,
    condition,
    deployment,
    ended,
    endpoints,
    ingress,
    meta,
    node,
    pod,
    replicaset,
    service,
    waiting,
)  # fmt: skip


def crashing(count: int) -> list[tuple[str, dict[str, Any]]]:
    state = {"ready": False, "state": waiting("CrashLoopBackOff"), "last": ended(1), "restarts": 4}
    return [("pods", pod(f"web-{index}", **state)) for index in range(count)]


def texts(found: Iterable[Finding]) -> list[str]:
    return [text_of(one.text) for one in found]


def test_healthy_cluster_has_no_findings() -> None:
    world = World(
        ("pods", pod()), ("deployments", deployment()), ("replicasets", replicaset()), ("nodes", node())
    )
    assert findings(world, NOW) == []


def test_broken_deployment_is_one_problem_and_its_service_and_ingress_follow() -> None:
    world = World(
        *crashing(3), ("deployments", deployment(available=0)), ("replicasets", replicaset()), ("services", service()),
        ("endpointslices", endpoints("web", ("web-0", False))), ("ingresses", ingress("web")), ("nodes", node()),
    )  # fmt: skip
    found = findings(world, NOW)
    assert texts(found) == [
        "Deployment web in shop has 0 of 3 pods ready: 3 of its pods keep crashing: "
        "container app exits with code 1, application error.",
        "Service web in shop has no ready endpoints: none of its 3 pods is ready.",
        "Ingress shop in shop answers 503 at shop.example/web: Service web has no ready endpoints.",
    ]
    assert [one.follows for one in found] == [
        None, Ref("Deployment", "shop", "web", "deployments"), Ref("Service", "shop", "web", "services"),
    ]  # fmt: skip
    assert found[1].step.text == "Caused by Deployment web; nothing to do here."


def test_hanging_rollout_says_that_the_old_pods_still_serve() -> None:
    pulling = pod("new", phase="Pending", ready=False, state=waiting("ErrImagePull", "not found"))
    world = World(
        ("pods", pulling),
        ("deployments", deployment(available=3, updated=1, current=4)),
        ("replicasets", replicaset()),
    )
    assert texts(findings(world, NOW)) == [
        "Deployment web in shop is stuck in its rollout, while 3 pods still serve: one of its pods cannot pull its image "
        "shop/web:1.2: the registry has no such image or tag."
    ]


def test_other_troubles_of_the_same_owner_are_counted() -> None:
    late = [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(minutes=9))]
    world = World(
        *crashing(2), ("pods", pod("slow", ready=False, conditions=late)), ("deployments", deployment(available=0)),
        ("replicasets", replicaset()),
    )  # fmt: skip
    assert texts(findings(world, NOW))[0].endswith("1 more pod has other problems.")


def test_deployment_stopped_by_a_quota_names_the_quota() -> None:
    message = (
        'pods "web-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
    )
    failing = [condition("ReplicaFailure", "True", "FailedCreate", message)]
    found = findings(World(("deployments", deployment(available=2, conditions=failing))), NOW)
    assert texts(found) == [
        "Deployment web in shop has 2 of 3 pods ready: no more can be created, because quota small is exhausted "
        "(it needs pods=1)."
    ]
    assert found[0].step.ref == Ref("ResourceQuota", "shop", "small", "resourcequotas")


def test_deadline_exceeded_without_a_troubled_pod_is_told() -> None:
    late = [condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]
    world = World(("deployments", deployment(available=1, conditions=late, progressDeadlineSeconds=60)))
    assert texts(findings(world, NOW)) == [
        "Deployment web in shop did not finish its rollout within 60 s: it has 1 of 3 pods ready."
    ]


def test_deployment_that_settles_is_no_problem_yet() -> None:
    young = [condition("Available", "False", "MinimumReplicasUnavailable", since=ago(seconds=20))]
    old = [condition("Available", "False", "MinimumReplicasUnavailable", since=ago(minutes=20))]
    assert findings(World(("deployments", deployment(available=1, conditions=young))), NOW) == []
    assert (
        findings(World(("deployments", deployment(available=1, conditions=old))), NOW)[0].severity == "warn"
    )


def test_silent_node_is_the_cause_of_its_pods_trouble() -> None:
    world = World(
        ("nodes", node(ready="Unknown")), ("pods", pod(ready=False)),
        ("deployments", deployment(replicas=1, available=0)),
        ("replicasets", replicaset()),
    )  # fmt: skip
    found = findings(world, NOW)
    assert [(one.kind, one.follows and one.follows.kind) for one in found] == [
        ("Node", None),
        ("Deployment", "Node"),
    ]


def test_services_are_not_judged_where_pods_may_not_be_read() -> None:
    assert findings(World(("services", service())), NOW) == []


def test_services_that_others_keep_are_left_alone() -> None:
    world = World(
        ("pods", pod("other", labels={})), ("services", service("a", selector={})),
        ("services", service("b", type="ExternalName")), ("services", service("c", publishNotReadyAddresses=True)),
    )  # fmt: skip
    assert findings(world, NOW) == []


def hpa(*conditions: dict[str, str]) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5}
    return {"metadata": meta("web"), "spec": spec, "status": {"conditions": list(conditions)}}


def job(name: str, type_: str, owner: tuple[str, str] | None = None, **passed: float) -> dict[str, Any]:
    made = meta(name, owner) | {"creationTimestamp": ago(**passed)}
    conditions = [condition(type_, "True", "BackoffLimitExceeded")]
    return {"metadata": made, "spec": {}, "status": {"failed": 3, "conditions": conditions}}


def test_findings_for_a_pod_a_replicaset_and_what_follows() -> None:
    world = World(
        *crashing(2), ("deployments", deployment(replicas=2, available=0)), ("replicasets", replicaset()),
        ("services", service()),
    )  # fmt: skip
    assert [one.kind for one in findings_for(world, "pods", "shop", "web-0", NOW)] == ["Pod"]
    assert [one.kind for one in findings_for(world, "replicasets", "shop", "web-5d4f", NOW)] == ["ReplicaSet"]
    assert [one.kind for one in findings_for(world, "deployments", "shop", "web", NOW)] == [
        "Deployment",
        "Service",
    ]
    assert findings_for(world, "pods", "shop", "gone", NOW) == []


def test_failed_job_is_past_once_a_later_run_succeeded() -> None:
    cron = ("CronJob", "nightly")
    failed = ("jobs", job("one", "Failed", cron, hours=2))
    assert [one.rule for one in findings(World(failed), NOW)] == ["job-failed"]
    assert findings(World(failed, ("jobs", job("two", "Complete", cron, hours=1))), NOW) == []
    assert len(findings(World(failed, ("jobs", job("two", "Complete", cron, hours=3))), NOW)) == 1


def test_failed_pods_of_a_job_are_a_warning_while_it_tries_again_and_past_when_it_succeeded() -> None:
    tried = ("pods", pod("try-1", owner=("Job", "one"), phase="Failed", ready=False, state=ended(1)))
    trying = {"metadata": meta("one"), "spec": {}, "status": {"active": 1, "failed": 1}}
    found = findings(World(tried, ("jobs", trying)), NOW)
    assert [(one.ref.name, one.rule, one.severity) for one in found] == [("one", "pod-failed", "warn")]
    assert findings(World(tried, ("jobs", job("one", "Complete", hours=1))), NOW) == []


def test_failures_that_a_job_ignores_are_no_problem() -> None:
    tried = ("pods", pod("try-1", owner=("Job", "one"), phase="Failed", ready=False, state=ended(1)))

    def severity(failed: int) -> str:
        trying = {
            "metadata": meta("one"),
            "spec": {"podFailurePolicy": {"rules": []}},
            "status": {"failed": failed},
        }
        (found,) = findings(World(tried, ("jobs", trying)), NOW)
        assert ("podFailurePolicy ignores that" in text_of(found.text)) == (not failed)
        return found.severity

    assert (severity(0), severity(1)) == ("note", "warn")


def test_rollout_that_pods_hold_up_beyond_its_deadline_needs_a_person() -> None:
    def severity(*conditions: dict[str, str]) -> str:
        stuck = deployment(available=2, conditions=list(conditions))
        (found,) = findings(
            World(("pods", _unready_pod()), ("deployments", stuck), ("replicasets", replicaset())), NOW
        )
        assert any("ProgressDeadlineExceeded" in one.says for one in found.evidence) == bool(conditions)
        return found.severity

    late = condition("Progressing", "False", "ProgressDeadlineExceeded")
    assert (severity(), severity(late)) == ("warn", "bad")


def _unready_pod() -> dict[str, Any]:
    return pod(ready=False, conditions=[condition("PodScheduled", "True"), condition("Ready", "False")])


def test_page_of_a_pod_tells_of_each_container_that_has_a_fault_of_its_own() -> None:
    broken = pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(1), restarts=4)
    statuses = broken["status"]["containerStatuses"]
    for name, state in (
        ("proxy", waiting("ImagePullBackOff", "not found")),
        ("twin", waiting("ImagePullBackOff", "not found")),
        ("calm", {"running": {}}),
    ):
        broken["spec"]["containers"].append({"name": name, "image": "shop/proxy:1"})
        statuses.append({"name": name, "ready": name == "calm", "restartCount": 0, "state": state})
    world = World(("pods", broken), ("deployments", deployment()), ("replicasets", replicaset()))
    assert texts(findings_for(world, "pods", "shop", "web-1", NOW)) == [
        "Pod web-1 in shop keeps crashing: container app exits with code 1, application error.",
        "Pod web-1 in shop cannot pull its image shop/proxy:1: the registry has no such image or tag.",
    ]
    assert len(findings(world, NOW)) == 1, "elsewhere one problem is told once"


def test_page_of_a_cronjob_tells_of_its_jobs() -> None:
    failed = job("nightly-1", "Failed", ("CronJob", "nightly"), hours=2)
    cron = {"metadata": meta("nightly"), "spec": {"schedule": "0 3 * * *"}, "status": {}}
    found = findings_for(World(("jobs", failed), ("cronjobs", cron)), "cronjobs", "shop", "nightly", NOW)
    assert [one.ref.name for one in found] == ["nightly-1"]


def test_page_of_a_configmap_tells_who_misses_a_key_of_it() -> None:
    message = "couldn't find key a in ConfigMap shop/settings"
    world = World(
        ("pods", pod(phase="Pending", ready=False, state=waiting("CreateContainerConfigError", message))),
        ("configmaps", {"metadata": meta("settings"), "data": {}}),
    )
    found = findings_for(world, "configmaps", "shop", "settings", NOW)
    assert [one.rule for one in found] == ["pod-key-missing"]


def test_pod_that_waits_for_a_claim_follows_from_the_claim() -> None:
    message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    waits = pod(
        "db-0", phase="Pending", ready=False, node="", owner=("StatefulSet", "db"),
        conditions=[condition("PodScheduled", "False", "Unschedulable", message)],
    )  # fmt: skip
    waits["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    claim = {"metadata": meta("data"), "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}
    world = World(("pods", waits), ("persistentvolumeclaims", claim)).reading("storageclasses")
    found = findings(world, NOW)
    assert [(one.kind, one.follows and one.follows.kind) for one in found] == [
        ("PersistentVolumeClaim", None),
        ("StatefulSet", "PersistentVolumeClaim"),
    ]
    assert findings_for(world, "pods", "shop", "db-0", NOW)[0].follows == found[0].ref


def test_pod_follows_from_each_of_its_claims_that_holds_it_up_and_from_no_other() -> None:
    message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    waits = pod(
        "db-0", phase="Pending", ready=False, node="", owner=None,
        conditions=[condition("PodScheduled", "False", "Unschedulable", message)],
    )  # fmt: skip
    kinds = {"a-late": "late", "b-none": "none", "c-none": "gone"}
    waits["spec"]["volumes"] = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in kinds
    ]
    world = World(("pods", waits)).reading("storageclasses")
    for name, kind in kinds.items():
        claim = {"metadata": meta(name), "spec": {"storageClassName": kind}, "status": {"phase": "Pending"}}
        world.add("persistentvolumeclaims", claim)
    late = {"metadata": {"name": "late"}, "provisioner": "x", "volumeBindingMode": "WaitForFirstConsumer"}
    world.add("storageclasses", late)
    (found,) = findings_for(world, "pods", "shop", "db-0", NOW)
    said = "Pod db-0 in shop can't be scheduled: its volume claims b-none and c-none have no volume yet."
    assert text_of(found.text) == said
    named = "PersistentVolumeClaim b-none and PersistentVolumeClaim c-none"
    assert found.step.text == f"Caused by {named}; nothing to do here."
    assert found.follows == Ref("PersistentVolumeClaim", "shop", "b-none", "persistentvolumeclaims")
    (first, second, *_) = problems(findings(world, NOW))
    assert [one.name for one in (first.lead, *first.follow, second.lead)] == ["b-none", "db-0", "c-none"]


def test_statefulset_says_who_waits_for_the_pod_that_does_not_come_up() -> None:
    stateful = deployment("db", current=1, available=0, updated=1)
    stateful["status"] |= {"currentRevision": "db-1", "updateRevision": "db-2"}
    crashing_pod = pod(
        "db-0", owner=("StatefulSet", "db"), ready=False, state=waiting("CrashLoopBackOff"), last=ended(1)
    )
    found = findings(World(("statefulsets", stateful), ("pods", crashing_pod)), NOW)
    assert texts(found)[0].endswith("2 pods wait for db-0 and are not created before.")
    assert found[0].step.text.endswith("delete db-0.")


def test_claim_has_a_moment_to_be_bound_and_waits_for_its_first_pod_without_a_problem() -> None:
    def claims(klass: str, **passed: float) -> list[str]:
        made = {"metadata": meta("data") | {"creationTimestamp": ago(**passed)}}
        made |= {"spec": {"storageClassName": klass}, "status": {"phase": "Pending"}}
        late = {"metadata": {"name": "late"}, "provisioner": "p", "volumeBindingMode": "WaitForFirstConsumer"}
        soon = {"metadata": {"name": "soon"}, "provisioner": "p", "volumeBindingMode": "Immediate"}
        world = World(("persistentvolumeclaims", made), ("storageclasses", late), ("storageclasses", soon))
        return [one.rule for one in findings(world, NOW) if one.severity != "note"]

    assert claims("soon", seconds=5) == claims("soon", seconds=50) == claims("late", hours=5) == []
    assert claims("soon", minutes=5) == ["claim-no-provisioner"]


def test_autoscaler_at_its_maximum_is_only_noted_while_it_may_be_a_peak() -> None:
    peak = condition("ScalingLimited", "True", "TooManyReplicas", since=ago(minutes=5))
    hpa = {
        "metadata": meta("web"),
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5},
        "status": {"conditions": [peak]},
    }
    world = World(("horizontalpodautoscalers", hpa), ("deployments", deployment()))
    assert [(one.rule, one.severity) for one in findings(world, NOW)] == [("autoscaler-at-maximum", "note")]


def test_autoscaler_of_new_pods_has_time_to_measure() -> None:
    young = condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics", ago(seconds=50))
    target = {"kind": "Deployment", "name": "web"}
    hpa = {
        "metadata": meta("web"),
        "spec": {"scaleTargetRef": target, "maxReplicas": 5},
        "status": {"conditions": [young]},
    }
    assert findings(World(("horizontalpodautoscalers", hpa), ("deployments", deployment())), NOW) == []


def test_objects_of_a_namespace_that_is_being_deleted_are_no_problem() -> None:
    world = World(("ingresses", ingress("gone"))).reading("services")
    assert [one.rule for one in findings(world, NOW)] == ["ingress-no-service"]
    world.add("namespaces", {"metadata": {"name": "shop", "deletionTimestamp": ago(seconds=5)}})
    assert findings(world, NOW) == []


def test_notes_come_last_and_are_no_problems() -> None:
    cron = {"metadata": meta("a"), "spec": {"schedule": "0 3 * * *", "suspend": True}, "status": {}}
    world = World(("cronjobs", cron), ("nodes", node(unschedulable=True)))
    assert [one.severity for one in findings(world, NOW)] == ["warn", "note"]
    assert [one.lead.rule for one in problems(findings(world, NOW))] == ["node-cordoned"]


def test_kubelets_are_measured_by_the_api_server_where_its_version_is_known() -> None:
    def of(version: str) -> dict[str, Any]:
        made = node(version)
        made["status"]["nodeInfo"] = {"kubeletVersion": version}
        return made

    versions = ("v1.32.9", "v1.33.0", "v1.36.9", "v1.37.0-rc.1", "k3s", "")
    world = World(*(("nodes", of(version)) for version in versions))

    def told() -> dict[str, str]:
        return {one.name: one.rule for one in findings(world, NOW)}

    assert told() == {"v1.32.9": "node-version-skew", "v1.33.0": "node-version-skew"}
    world.of_version("v1.36.3+k3s1")
    assert told() == {"v1.32.9": "node-version-skew", "v1.37.0-rc.1": "node-version-ahead"}


def test_a_cause_is_as_bad_as_what_follows_from_it() -> None:
    """An operator's pod that only warns, and the Service that is down with it."""
    unready = pod("pg-0", owner=("Cluster", "pg"), ready=False)
    world = World(
        ("pods", unready), ("services", service()), ("endpointslices", endpoints("web", ("pg-0", False)))
    )
    cause, follows = findings(world, NOW)
    assert (cause.rule, cause.severity) == ("pod-not-ready", "bad")
    assert (follows.rule, follows.follows) == ("service-no-endpoint", cause.ref)
    world.remove("services", "shop", "web")
    assert [one.severity for one in findings(world, NOW)] == ["warn"]
