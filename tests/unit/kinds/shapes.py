"""Objects of many shapes for every kind, with the status they are to have. Names are unique within a kind.

They are created on a sandbox API server, by ``capture.py`` for the fixtures and by ``tests/cluster/test_kinds_table.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

AGES = ("2024-02-29T12:00:00Z", "2025-12-31T23:59:59Z", "2026-06-01T00:00:00Z")
FINALIZER = "kinds.test/hold"
ARRAY = list[Object]


def thing(api_version: str, kind: str, name: str, **fields: Any) -> Object:
    """A manifest; ``meta`` goes into its metadata."""
    meta = fields.pop("meta", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **meta}, **fields}


def condition(type_: str, status: str = "True", reason: str = "", message: str = "") -> Object:
    """A condition."""
    found = {"type": type_, "status": status, "lastTransitionTime": AGES[2]}
    return found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def waiting(reason: str, message: str = "") -> Object:
    """A container state."""
    return {"waiting": {"reason": reason, "message": message}}


def running() -> Object:
    """A container state."""
    return {"running": {"startedAt": AGES[1]}}


def terminated(code: int, reason: str = "", **more: Any) -> Object:
    """A container state."""
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": AGES[0],
            "finishedAt": AGES[1],
            **more,
        }
    }


def container(name: str, state: Object, *, ready: bool = False, restarts: int = 0, **more: Any) -> Object:
    """A container status."""
    fields = {"image": f"example.test/{name}:1", "imageID": "", "lastState": {}}
    return {"name": name, "state": state, "ready": ready, "restartCount": restarts, **fields, **more}


def pod_spec(*names: str, init: Iterable[str] = (), sidecars: Iterable[str] = (), **more: Any) -> Object:
    """A pod spec on a node that does not exist, so that nobody touches its status."""
    spec = {
        "containers": [{"name": name, "image": f"example.test/{name}:1"} for name in names],
        "initContainers": [
            *({"name": name, "image": f"example.test/{name}:1"} for name in init),
            *(
                {"name": name, "image": f"example.test/{name}:1", "restartPolicy": "Always"}
                for name in sidecars
            ),
        ],
        "nodeName": "nowhere",
        "automountServiceAccountToken": False,
    }
    return {key: value for key, value in (spec | more).items() if value is not None}


def pod(name: str, spec: Object, **status: Any) -> Object:
    """A pod."""
    return thing("v1", "Pod", name, spec=spec, status=status)


READY = [condition("Initialized"), condition("Ready"), condition("PodScheduled")]
UNREADY = [
    condition("Initialized"),
    condition("Ready", "False", "ContainersNotReady", "containers are not ready"),
]
CRASHED = terminated(1, "Error")
NO_ROOM = (
    "0/5 nodes are available: 3 Insufficient memory, 2 node(s) had untolerated taint(s). preemption: none."
)


def pods() -> ARRAY:
    web = pod_spec("web")
    pair = pod_spec("web", "log")
    staged = pod_spec("web", init=["one", "two"])
    helped = pod_spec("web", init=["one"], sidecars=["proxy"])
    up = container("web", running(), ready=True, started=True)
    gates = [{"conditionType": "example.test/a"}, {"conditionType": "example.test/b"}]
    unbound: Object = {"nodeName": None, "schedulerName": "nobody"}
    many = pod_spec(*(f"c{number}" for number in range(5)))
    return [
        pod(
            "running",
            web,
            phase="Running",
            conditions=READY,
            podIPs=[{"ip": "10.0.0.7"}],
            containerStatuses=[up],
        ),
        pod("pending", pod_spec("web", **unbound), phase="Pending"),
        pod(
            "unschedulable",
            pod_spec("web", **unbound),
            phase="Pending",
            conditions=[condition("PodScheduled", "False", "Unschedulable", NO_ROOM)],
        ),
        pod(
            "creating",
            web,
            phase="Pending",
            containerStatuses=[container("web", waiting("ContainerCreating"))],
        ),
        pod(
            "pulling",
            web,
            phase="Pending",
            containerStatuses=[container("web", waiting("ImagePullBackOff", "manifest unknown: not found"))],
        ),
        pod(
            "crashing",
            pair,
            phase="Running",
            conditions=UNREADY,
            containerStatuses=[
                container("log", running(), ready=True),
                container("web", waiting("CrashLoopBackOff"), restarts=7, lastState=CRASHED),
            ],
        ),
        pod(
            "restarted",
            web,
            phase="Running",
            conditions=READY,
            containerStatuses=[
                container("web", running(), ready=True, restarts=3, lastState=terminated(137, "OOMKilled"))
            ],
        ),
        pod(
            "restarted-unknown-when",
            web,
            phase="Running",
            conditions=READY,
            containerStatuses=[container("web", running(), ready=True, restarts=2)],
        ),
        pod(
            "completed",
            web,
            phase="Succeeded",
            containerStatuses=[container("web", terminated(0, "Completed"))],
        ),
        pod(
            "half-completed",
            pair,
            phase="Running",
            conditions=UNREADY,
            containerStatuses=[container("log", terminated(0, "Completed")), up],
        ),
        pod(
            "completed-but-ready",
            pair,
            phase="Running",
            conditions=READY,
            containerStatuses=[container("log", terminated(0, "Completed")), up],
        ),
        pod(
            "completed-but-failed",
            pair,
            phase="Failed",
            containerStatuses=[
                container("log", terminated(0, "Completed")),
                container("web", terminated(2, "Error")),
            ],
        ),
        pod("signalled", web, phase="Failed", containerStatuses=[container("web", terminated(0, signal=9))]),
        pod("exit-code", web, phase="Failed", containerStatuses=[container("web", terminated(42))]),
        pod(
            "evicted", web, phase="Failed", reason="Evicted", message="The node was low on resource: memory."
        ),
        pod(
            "init-waits",
            staged,
            phase="Pending",
            initContainerStatuses=[container("one", waiting("PodInitializing"))],
        ),
        pod(
            "init-second",
            staged,
            phase="Pending",
            conditions=[condition("Initialized", "False")],
            initContainerStatuses=[container("one", terminated(0, "Completed")), container("two", running())],
            containerStatuses=[container("web", waiting("PodInitializing"))],
        ),
        pod(
            "init-crashing",
            staged,
            phase="Pending",
            initContainerStatuses=[
                container("one", waiting("CrashLoopBackOff"), restarts=4, lastState=CRASHED),
                container("two", waiting("PodInitializing")),
            ],
        ),
        pod(
            "init-exit-code", staged, phase="Pending", initContainerStatuses=[container("one", terminated(3))]
        ),
        pod(
            "init-signal",
            staged,
            phase="Pending",
            initContainerStatuses=[container("one", terminated(1, signal=15))],
        ),
        pod("init-error", staged, phase="Pending", initContainerStatuses=[container("one", CRASHED)]),
        pod(
            "sidecar",
            helped,
            phase="Running",
            conditions=READY,
            initContainerStatuses=[
                container("one", terminated(0, "Completed"), restarts=2, lastState=CRASHED),
                container("proxy", running(), ready=True, started=True, restarts=1, lastState=CRASHED),
            ],
            containerStatuses=[up],
        ),
        pod(
            "sidecar-unready",
            helped,
            phase="Running",
            conditions=UNREADY,
            initContainerStatuses=[
                container("one", terminated(0, "Completed")),
                container("proxy", running(), ready=False, started=True),
            ],
            containerStatuses=[up],
        ),
        pod(
            "sidecar-starting",
            helped,
            phase="Pending",
            initContainerStatuses=[
                container("one", terminated(0, "Completed")),
                container("proxy", running(), started=False),
            ],
        ),
        pod(
            "gated",
            pod_spec("web", **unbound, schedulingGates=[{"name": "example.test/quota"}]),
            phase="Pending",
            conditions=[condition("PodScheduled", "False", "SchedulingGated", "Scheduling is blocked")],
        ),
        pod(
            "readiness-gates",
            pod_spec("web", readinessGates=gates),
            phase="Running",
            conditions=[*UNREADY, condition("example.test/a"), condition("example.test/b", "False")],
            containerStatuses=[up],
        ),
        pod("nominated", pod_spec("web", **unbound), phase="Pending", nominatedNodeName="somewhere"),
        deleted(pod("terminating", web, phase="Running", conditions=READY, containerStatuses=[up])),
        deleted(
            pod("lost", web, phase="Running", reason="NodeLost", conditions=READY, containerStatuses=[up])
        ),
        deleted(
            pod(
                "deleted-but-done",
                web,
                phase="Succeeded",
                containerStatuses=[container("web", terminated(0))],
            )
        ),
        pod(
            "five",
            many,
            phase="Running",
            containerStatuses=[container(f"c{n}", running(), ready=n < 3) for n in range(5)],
        ),
        pod("phase-unknown", web, phase="Unknown"),
        pod("phase-unknown-why", web, phase="Unknown", reason="NodeUnreachable"),
        pod(
            "host-network",
            pod_spec("web", hostNetwork=True),
            phase="Running",
            conditions=READY,
            hostIP="192.0.2.1",
            podIPs=[{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
            containerStatuses=[up],
        ),
        pod(
            "waits-without-reason",
            web,
            phase="Pending",
            containerStatuses=[container("web", {"waiting": {}})],
        ),
        pod("not-reported", pair, phase="Running", conditions=UNREADY, containerStatuses=[up]),
        pod(
            "signal-and-reason",
            web,
            phase="Failed",
            containerStatuses=[container("web", terminated(137, "OOMKilled", signal=9))],
        ),
        pod(
            "some-signalled",
            pair,
            phase="Running",
            conditions=UNREADY,
            containerStatuses=[container("log", terminated(143, signal=15)), up],
        ),
        pod(
            "evicted-while-running",
            web,
            phase="Failed",
            reason="Evicted",
            containerStatuses=[container("web", terminated(137, "Error"), restarts=1)],
        ),
        pod(
            "deadline",
            pod_spec("web", activeDeadlineSeconds=5),
            phase="Failed",
            reason="DeadlineExceeded",
            message="Pod was active on the node longer than the specified deadline",
        ),
        pod(
            "init-restarted",
            staged,
            phase="Running",
            conditions=READY,
            initContainerStatuses=[
                container("one", terminated(0, "Completed"), restarts=3, lastState=CRASHED),
                container("two", terminated(0, "Completed")),
            ],
            containerStatuses=[container("web", running(), ready=True, restarts=1, lastState=CRASHED)],
        ),
        pod(
            "sidecar-crashing",
            helped,
            phase="Running",
            conditions=UNREADY,
            initContainerStatuses=[
                container("one", terminated(0, "Completed")),
                container("proxy", waiting("CrashLoopBackOff"), started=False, restarts=5, lastState=CRASHED),
            ],
            containerStatuses=[container("web", waiting("PodInitializing"))],
        ),
        pod(
            "sidecar-outlives",
            helped,
            phase="Succeeded",
            initContainerStatuses=[
                container("one", terminated(0, "Completed")),
                container("proxy", terminated(0, "Completed"), started=False),
            ],
            containerStatuses=[container("web", terminated(0, "Completed"))],
        ),
        deleted(
            pod(
                "terminating-init",
                staged,
                phase="Pending",
                initContainerStatuses=[
                    container("one", running()),
                    container("two", waiting("PodInitializing")),
                ],
                containerStatuses=[container("web", waiting("PodInitializing"))],
            )
        ),
        deleted(
            pod(
                "terminating-failed", web, phase="Failed", containerStatuses=[container("web", terminated(1))]
            )
        ),
        pod(
            "gated-twice",
            pod_spec(
                "web", **unbound, schedulingGates=[{"name": "example.test/a"}, {"name": "example.test/b"}]
            ),
            phase="Pending",
        ),
        pod(
            "readiness-gates-met",
            pod_spec("web", readinessGates=gates),
            phase="Running",
            conditions=[*READY, condition("example.test/a"), condition("example.test/b")],
            containerStatuses=[up],
        ),
    ]


def deleted(manifest: Object) -> Object:
    """The same, to be deleted and held by a finalizer before its status is written."""
    manifest["metadata"]["finalizers"] = [FINALIZER]
    return manifest


def template(name: str = "web", **more: Any) -> Object:
    """A pod template, with labels ``app: <name>``."""
    spec = pod_spec(name, "log", **({"nodeName": None, "schedulerName": "nobody"} | more))
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


SELECTOR = {"matchLabels": {"app": "web"}}
EXPRESSIONS = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["z", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
        {"key": "zone", "operator": "NotIn", "values": ["x"]},
    ],
}


def expressed() -> Object:
    """A template that fits EXPRESSIONS."""
    fitting = template()
    fitting["metadata"]["labels"]["tier"] = "a"
    return fitting


def replicas(total: int, ready: int, available: int | None = None, **more: Any) -> Object:
    """The part of a status that Deployments, ReplicaSets and StatefulSets share."""
    available = ready if available is None else available
    counts = {"replicas": total, "readyReplicas": ready, "availableReplicas": available}
    return {"observedGeneration": 1} | counts | more


def deployments() -> ARRAY:
    def deployment(name: str, spec: Object, **status: Any) -> Object:
        spec = {"selector": SELECTOR, "template": template()} | spec
        return thing("apps/v1", "Deployment", name, spec=spec, status=status)

    progressing = condition("Progressing", "True", "NewReplicaSetAvailable")
    stuck = condition("Progressing", "False", "ProgressDeadlineExceeded")
    refused = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")
    return [
        deployment(
            "available", {"replicas": 3}, **replicas(3, 3, updatedReplicas=3, conditions=[progressing])
        ),
        deployment("default-replicas", {}),
        deployment("zero", {"replicas": 0}, observedGeneration=1),
        deployment("paused", {"replicas": 2, "paused": True}, **replicas(2, 1, updatedReplicas=1)),
        deployment("rolling", {"replicas": 4}, **replicas(5, 3, 2, updatedReplicas=2)),
        deployment("stuck", {"replicas": 2}, **replicas(2, 0, updatedReplicas=2, conditions=[stuck])),
        deployment("refused", {"replicas": 2}, **replicas(0, 0, conditions=[refused])),
        deployment("down", {"replicas": 2}, **replicas(2, 0, updatedReplicas=2, conditions=[progressing])),
        deployment("expressions", {"selector": EXPRESSIONS, "template": expressed()}),
        deployment("recreate", {"strategy": {"type": "Recreate"}}),
        deployment(
            "partial", {"replicas": 10}, **replicas(10, 7, 6, updatedReplicas=10, unavailableReplicas=4)
        ),
        deployment("surplus", {"replicas": 1}, **replicas(4, 4, updatedReplicas=1)),
        deployment("unobserved", {"replicas": 2}, observedGeneration=0),
        deleted(deployment("terminating", {"replicas": 2}, **replicas(2, 2, updatedReplicas=2))),
    ]


def replicasets() -> ARRAY:
    def replica_set(name: str, spec: Object, **status: Any) -> Object:
        spec = {"selector": SELECTOR, "template": template()} | spec
        return thing("apps/v1", "ReplicaSet", name, spec=spec, status=status)

    return [
        replica_set("ready", {"replicas": 2}, **replicas(2, 2)),
        replica_set("old", {"replicas": 0}, **replicas(0, 0)),
        replica_set("scaling", {"replicas": 12}, **replicas(10, 9)),
        replica_set("expressions", {"selector": EXPRESSIONS, "template": expressed()}, **replicas(1, 0)),
        replica_set("default-replicas", {}),
        replica_set("unavailable", {"replicas": 3}, **replicas(3, 3, 0)),
        deleted(replica_set("terminating", {"replicas": 1}, **replicas(1, 1))),
    ]


def statefulsets() -> ARRAY:
    def stateful_set(name: str, spec: Object, **status: Any) -> Object:
        spec = {"selector": SELECTOR, "template": template(), "serviceName": "web"} | spec
        return thing("apps/v1", "StatefulSet", name, spec=spec, status=status)

    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return [
        stateful_set("ready", {"replicas": 3}, **replicas(3, 3)),
        stateful_set("partly", {"replicas": 3, "volumeClaimTemplates": [claim]}, **replicas(3, 1)),
        stateful_set(
            "partition",
            {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
            **replicas(3, 3, updatedReplicas=1, currentRevision="a", updateRevision="b"),
        ),
        stateful_set("zero", {"replicas": 0}, **replicas(0, 0)),
        stateful_set("default-replicas", {}),
        stateful_set("more-than-wanted", {"replicas": 1}, **replicas(3, 2)),
        stateful_set(
            "on-delete",
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}, "podManagementPolicy": "Parallel"},
            **replicas(2, 2, updatedReplicas=0, currentRevision="a", updateRevision="b"),
        ),
        deleted(stateful_set("terminating", {"replicas": 2}, **replicas(2, 1))),
    ]


def daemonsets() -> ARRAY:
    def daemon_set(name: str, spec: Object, wanted: int, ready: int, updated: int) -> Object:
        spec = {"selector": SELECTOR, "template": template()} | spec
        status = {
            "observedGeneration": 1,
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": wanted,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": updated,
        }
        return thing("apps/v1", "DaemonSet", name, spec=spec, status=status)

    somewhere = {"template": template(nodeSelector={"kinds.test/zone": "nowhere", "a": "b"})}
    return [
        daemon_set("everywhere", {}, 5, 5, 5),
        daemon_set("selected", somewhere, 3, 2, 3),
        daemon_set("rolling", somewhere, 3, 3, 1),
        daemon_set("nowhere", somewhere, 0, 0, 0),
        daemon_set("expressions", {"selector": EXPRESSIONS, "template": expressed()}, 12, 9, 12),
        deleted(daemon_set("terminating", {}, 5, 4, 5)),
    ]


def jobs() -> ARRAY:
    def job(name: str, spec: Object, **status: Any) -> Object:
        body = {"metadata": {}, "spec": template()["spec"] | {"restartPolicy": "Never"}}
        spec = {"template": body, "managedBy": "kinds.test/nobody"} | spec
        return thing("batch/v1", "Job", name, spec=spec, status=status)

    start, end = {"startTime": AGES[0]}, {"completionTime": AGES[1]}
    won, lost = condition("SuccessCriteriaMet"), condition("FailureTarget", "True", "BackoffLimitExceeded")
    reached = condition(
        "Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    )
    return [
        job("waiting", {}),
        job("running", {"completions": 5, "parallelism": 2}, **start, active=2, ready=1, succeeded=1),
        job("queue", {"parallelism": 3}, **start, active=3, ready=0),
        job("retrying", {}, **start, active=1, failed=2, ready=0),
        job("complete", {}, **start, **end, succeeded=1, conditions=[won, condition("Complete")]),
        job("meeting", {}, **start, active=0, ready=0, conditions=[won]),
        job("failing", {}, **start, active=0, ready=0, conditions=[lost]),
        job("failed", {}, **start, failed=7, conditions=[lost, reached]),
        job("suspended", {"suspend": True}, conditions=[condition("Suspended")]),
        job(
            "indexed",
            {"completions": 5, "parallelism": 5, "completionMode": "Indexed", "backoffLimitPerIndex": 1},
            **start,
            active=2,
            ready=2,
            succeeded=2,
            failed=1,
            completedIndexes="0,3",
            failedIndexes="1",
        ),
        job("queue-half", {"parallelism": 3}, **start, active=1, ready=1, succeeded=2),
        job("queue-of-one", {"parallelism": 1}, **start, active=1, ready=1),
        job("stopped", {"parallelism": 0, "completions": 3}, **start, active=0, ready=0),
        job("paused", {"suspend": True}, active=0, ready=0, succeeded=0, conditions=[condition("Suspended")]),
        job("resumed", {}, **start, active=1, ready=1, conditions=[condition("Suspended", "False")]),
        job("ending-pods", {}, **start, active=0, ready=0, terminating=2, conditions=[lost]),
        deleted(job("terminating", {}, **start, active=1, ready=0)),
        deleted(
            job(
                "terminating-complete",
                {},
                **start,
                **end,
                succeeded=1,
                conditions=[won, condition("Complete")],
            )
        ),
    ]


def cronjobs() -> ARRAY:
    def cron_job(name: str, spec: Object, **status: Any) -> Object:
        body = {"metadata": {}, "spec": template()["spec"] | {"restartPolicy": "Never"}}
        spec = {"schedule": "0 0 31 2 *", "jobTemplate": {"spec": {"template": body}}} | spec
        return thing("batch/v1", "CronJob", name, spec=spec, status=status)

    active = [{"kind": "Job", "name": f"job-{number}"} for number in range(2)]
    return [
        cron_job("never", {}),
        cron_job(
            "berlin", {"timeZone": "Europe/Berlin"}, lastScheduleTime=AGES[1], lastSuccessfulTime=AGES[2]
        ),
        cron_job("suspended", {"suspend": True}, lastScheduleTime=AGES[1]),
        cron_job("active", {"suspend": False}, active=active, lastScheduleTime=AGES[2]),
        cron_job("active-never-told", {"concurrencyPolicy": "Forbid"}, active=active[:1]),
        cron_job("suspended-in-utc", {"suspend": True, "timeZone": "Etc/UTC", "schedule": "@yearly"}),
        deleted(cron_job("terminating", {}, active=active, lastScheduleTime=AGES[0])),
    ]


def services() -> ARRAY:
    def service(name: str, spec: Object, *ingress: Object) -> Object:
        status = {"loadBalancer": {"ingress": list(ingress)} if ingress else {}}
        return thing("v1", "Service", name, spec=spec, status=status)

    http = {"name": "http", "port": 80, "targetPort": "http"}
    dns = {"name": "dns", "port": 53, "protocol": "UDP"}
    web = {"selector": {"app": "web", "Tier": "a"}, "ports": [http, dns]}
    balanced = web | {"type": "LoadBalancer"}
    addresses = ({"ip": "198.51.100.9"}, {"hostname": "lb.example.test"}, {"ip": "198.51.100.10"})
    return [
        service("cluster-ip", web),
        service("bare", {"ports": [http]}),
        service("headless", web | {"clusterIP": "None"}),
        service("headless-without-ports", {"clusterIP": "None", "selector": {"app": "web"}}),
        service("node-port", web | {"type": "NodePort"}),
        service("external-ips", web | {"externalIPs": ["198.51.100.1", "198.51.100.2"]}),
        service("balancer-pending", balanced),
        service("balancer", balanced, *addresses),
        service("balancer-external", balanced | {"externalIPs": ["198.51.100.3"]}, *addresses[:2]),
        service("balancer-only-external", balanced | {"externalIPs": ["198.51.100.4"]}),
        service("external-name", {"type": "ExternalName", "externalName": "db.example.test"}),
        service(
            "external-name-port", {"type": "ExternalName", "externalName": "db.example.test", "ports": [http]}
        ),
        service("prefers-dual-stack", web | {"ipFamilyPolicy": "PreferDualStack"}),
        service(
            "headless-dual-stack",
            {"clusterIP": "None", "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
        ),
        service("node-port-external", web | {"type": "NodePort", "externalIPs": ["198.51.100.5"]}),
        service("other-protocol", {"ports": [{"port": 7, "protocol": "SCTP"}], "selector": {"app": "web"}}),
        service(
            "balancer-without-node-ports",
            balanced
            | {"allocateLoadBalancerNodePorts": False, "loadBalancerClass": "example.test/lb"}
            | {"externalTrafficPolicy": "Local"},
        ),
        service("balancer-v6", balanced, {"ip": "2001:db8::9"}, {"ip": "198.51.100.11"}),
        service("balancer-twice-the-same", balanced, {"ip": "198.51.100.9"}, {"ip": "198.51.100.9"}),
        service("affine", web | {"sessionAffinity": "ClientIP", "internalTrafficPolicy": "Local"}),
        deleted(service("terminating", balanced, {"ip": "198.51.100.12"})),
    ]


def ingresses() -> ARRAY:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}

    def ingress(name: str, hosts: Iterable[str], spec: Object, *addresses: Object) -> Object:
        rules = [{"host": host, "http": paths} if host else {"http": paths} for host in hosts]
        status = {"loadBalancer": {"ingress": list(addresses)} if addresses else {}}
        return thing("networking.k8s.io/v1", "Ingress", name, spec={"rules": rules} | spec, status=status)

    five = [f"h{number}.example.test" for number in range(5)]
    tls = {"tls": [{"hosts": five[:1], "secretName": "certificate"}]}
    return [
        ingress("one", five[:1], {"ingressClassName": "nginx"}, {"ip": "198.51.100.8"}),
        ingress("tls", five[:2], {"ingressClassName": "nginx"} | tls, {"hostname": "lb.example.test"}),
        ingress("three", five[:3], {"ingressClassName": "nginx"}),
        ingress("five", five, {"ingressClassName": "nginx"}, {"ip": "198.51.100.8"}, {"ip": "198.51.100.7"}),
        ingress("three-and-any", [*five[:3], ""], {"ingressClassName": "nginx"}),
        ingress("any-between", [five[0], "", *five[1:3]], {"ingressClassName": "nginx"}),
        ingress("default", [], {"ingressClassName": "nginx", "defaultBackend": backend}),
        ingress("wildcard", ["*.example.test"], {"ingressClassName": "nginx"}),
        ingress("any-host", [""], {}),
        ingress("no-class", five[:1], {}, {"ip": "2001:db8::8"}, {"hostname": "lb.example.test"}),
        ingress("twice-the-same", [five[0], five[0]], {}, {"ip": "198.51.100.8"}, {"ip": "198.51.100.8"}),
        ingress("tls-of-any-host", [""], {"tls": [{}]}),
        ingress(
            "address-with-ports",
            five[:1],
            {},
            {"ip": "198.51.100.8", "ports": [{"port": 80, "protocol": "TCP"}]},
        ),
        thing(
            "networking.k8s.io/v1",
            "Ingress",
            "resource",
            spec={
                "defaultBackend": {"resource": {"apiGroup": "example.test", "kind": "Bucket", "name": "site"}}
            },
        ),
        thing("networking.k8s.io/v1", "Ingress", "host-only", spec={"rules": [{"host": five[0]}]}),
        deleted(ingress("terminating", five[:1], {}, {"ip": "198.51.100.8"})),
    ]


def endpointslices() -> ARRAY:
    def endpoint_slice(name: str, addresses: Iterable[str], ports: ARRAY | None, **more: Any) -> Object:
        endpoints = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
        labels = {"labels": {"kubernetes.io/service-name": "web"}}
        fields = {"addressType": "IPv4", "endpoints": endpoints} | ({} if ports is None else {"ports": ports})
        return thing("discovery.k8s.io/v1", "EndpointSlice", name, meta=labels, **(fields | more))

    five = [f"10.1.0.{number}" for number in range(1, 6)]
    ports = [{"name": f"p{number}", "port": 8000 + number} for number in range(4)]
    return [
        endpoint_slice("one", five[:1], ports[:1]),
        endpoint_slice("three", five[:3], ports[:3]),
        endpoint_slice("five", five, ports),
        endpoint_slice("none", [], None),
        endpoint_slice("no-endpoints", [], ports[:1], endpoints=None),
        endpoint_slice("all-ports", five[:1], [{"name": "any"}]),
        endpoint_slice("nameless-port", five[:1], [{"port": 80}]),
        endpoint_slice("names", ["db.example.test"], ports[:1], addressType="FQDN"),
        endpoint_slice(
            "unset-ports", five[:1], [{"name": "any"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
        ),
        endpoint_slice("without-ports", five[:1], []),
        endpoint_slice("port-without-a-word", five[:1], [{}]),
        endpoint_slice("v6", ["2001:db8::1", "2001:db8::2"], ports[:1], addressType="IPv6"),
        endpoint_slice(
            "ending",
            [],
            ports[:1],
            endpoints=[
                {"addresses": five[:1], "conditions": {"ready": False, "serving": True, "terminating": True}},
                {"addresses": five[1:2], "conditions": {}},
            ],
        ),
        endpoint_slice(
            "unready", [], ports[:1], endpoints=[{"addresses": five[:1], "conditions": {"ready": False}}]
        ),
    ]


def configmaps() -> ARRAY:
    return [
        thing("v1", "ConfigMap", "text", data={"a": "1", "b.txt": "zwei\n", "ü".encode().hex(): "größer"}),
        thing(
            "v1",
            "ConfigMap",
            "binary",
            data={"a": "x"},
            binaryData={"logo": "AAEC", "one": "AA==", "two": "AAE="},
        ),
        thing("v1", "ConfigMap", "empty"),
        thing("v1", "ConfigMap", "immutable", data={"a": ""}, immutable=True),
        deleted(thing("v1", "ConfigMap", "terminating", data={"a": "1"})),
    ]


def secrets() -> ARRAY:
    return [
        thing("v1", "Secret", "opaque", stringData={"password": "hunter2", "user": "x"}),
        thing("v1", "Secret", "empty"),
        thing(
            "v1",
            "Secret",
            "login",
            type="kubernetes.io/basic-auth",
            stringData={"username": "a", "password": "b"},
        ),
        thing("v1", "Secret", "own-type", type="example.test/own", stringData={"key": "value"}),
        thing(
            "v1",
            "Secret",
            "certificate",
            type="kubernetes.io/tls",
            stringData={"tls.crt": "none", "tls.key": "none"},
        ),
        thing(
            "v1",
            "Secret",
            "registry",
            type="kubernetes.io/dockerconfigjson",
            stringData={".dockerconfigjson": '{"auths": {}}'},
        ),
        thing("v1", "Secret", "ssh", type="kubernetes.io/ssh-auth", stringData={"ssh-privatekey": "none"}),
        thing(
            "v1",
            "Secret",
            "bootstrap",
            type="bootstrap.kubernetes.io/token",
            stringData={"token-id": "abcdef"},
        ),
        thing("v1", "Secret", "immutable", stringData={"a": "b"}, immutable=True),
        deleted(thing("v1", "Secret", "terminating", stringData={"a": "b"})),
    ]


def persistentvolumeclaims() -> ARRAY:
    def claim(name: str, spec: Object, meta: Object | None = None, **status: Any) -> Object:
        resources = {"requests": {"storage": "1536Mi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": ""} | spec
        return thing("v1", "PersistentVolumeClaim", name, meta=meta or {}, spec=spec, status=status)

    modes = ["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany", "ReadWriteOncePod"]
    size = {"capacity": {"storage": "2Gi"}}
    older = {"annotations": {"volume.beta.kubernetes.io/storage-class": "older"}}
    return [
        claim("pending", {"storageClassName": "fast"}, phase="Pending"),
        claim(
            "bound",
            {"volumeName": "pv-1", "storageClassName": "fast"},
            phase="Bound",
            accessModes=modes[1:2],
            **size,
        ),
        claim("all-modes", {"volumeName": "pv-2"}, phase="Bound", accessModes=modes, **size),
        claim("lost", {"volumeName": "pv-3"}, phase="Lost"),
        claim("older-class", {"storageClassName": None}, older, phase="Pending"),
        claim("block", {"volumeMode": "Block", "volumeAttributesClassName": "gold"}, phase="Pending"),
        claim("waits-for-its-volume", {"volumeName": "pv-5"}, phase="Pending"),
        claim(
            "growing",
            {"volumeName": "pv-6", "storageClassName": "fast"},
            phase="Bound",
            accessModes=modes[:1],
            conditions=[condition("Resizing")],
            capacity={"storage": "1Gi"},
        ),
        claim("odd-size", {"volumeName": "pv-7"}, phase="Bound", capacity={"storage": "1500M"}),
        claim("not-yet-seen", {}),
        deleted(claim("terminating", {"volumeName": "pv-4"}, phase="Bound", **size)),
    ]


def persistentvolumes() -> ARRAY:
    def volume(name: str, spec: Object, meta: Object | None = None, **status: Any) -> Object:
        spec = {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/tmp/kinds"},  # noqa: S108 (never mounted)
        } | spec
        return thing("v1", "PersistentVolume", f"kinds-{name}", meta=meta or {}, spec=spec, status=status)

    # The claim's uid keeps the volume controller from taking the volumes for anyone's.
    taken = {"claimRef": {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data", "uid": "u"}}
    older = {"annotations": {"volume.beta.kubernetes.io/storage-class": "older"}}
    driver = {"csi": {"driver": "disk.example.test", "volumeHandle": "h"}, "hostPath": None}
    return [
        volume(
            "available",
            {"storageClassName": "fast", "persistentVolumeReclaimPolicy": "Delete"},
            phase="Available",
        ),
        volume("bound", taken, phase="Bound"),
        volume("released", taken, phase="Released"),
        volume("failed", taken, phase="Failed", reason="DeleteFailed", message="no such disk"),
        volume(
            "block",
            {"volumeMode": "Block", "accessModes": ["ReadOnlyMany", "ReadWriteMany"]},
            phase="Available",
        ),
        volume("older-class", {}, older, phase="Available"),
        volume("attributes", {**driver, "volumeAttributesClassName": "gold"}, phase="Available"),
        volume("pending", {}, phase="Pending"),
        volume(
            "once-per-pod",
            {"accessModes": ["ReadWriteOncePod"], "capacity": {"storage": "1500M"}},
            phase="Bound",
        ),
        volume("reserved", {"claimRef": {"namespace": "shop", "name": "not-there-yet"}}, phase="Available"),
        volume("recycled", {"persistentVolumeReclaimPolicy": "Recycle"}, phase="Released"),
        deleted(volume("terminating", taken, phase="Bound")),
        deleted(volume("terminating-failed", taken, phase="Failed", reason="DeleteFailed")),
    ]


def storageclasses() -> ARRAY:
    def storage_class(name: str, **fields: Any) -> Object:
        fields = {"provisioner": "disk.example.test"} | fields
        return thing("storage.k8s.io/v1", "StorageClass", f"kinds-{name}", **fields)

    default = {"annotations": {"storageclass.beta.kubernetes.io/is-default-class": "true"}}
    not_default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "false"}}
    return [
        storage_class("plain"),
        storage_class("default", meta=default, allowVolumeExpansion=True),
        storage_class(
            "default-too", meta={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
        ),
        storage_class("no-growth", allowVolumeExpansion=False, parameters={"type": "slow"}),
        storage_class(
            "late", meta=not_default, volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Retain"
        ),
    ]


def nodes() -> ARRAY:
    def node(name: str, labels: dict[str, str], spec: Object, **status: Any) -> Object:
        meta = {"labels": labels}
        return thing("v1", "Node", f"kinds-{name}", meta=meta, spec=spec, status=status)

    info = {
        "kubeletVersion": "v1.36.3",
        "osImage": "Debian GNU/Linux 12",
        "kernelVersion": "6.1.0",
        "containerRuntimeVersion": "containerd://1.6.20",
        "architecture": "amd64",
        **dict.fromkeys(("machineID", "systemUUID", "bootID", "kubeProxyVersion", "operatingSystem"), ""),
    }
    addresses = [
        {"type": "InternalIP", "address": "10.9.0.1"},
        {"type": "ExternalIP", "address": "198.51.100.5"},
    ]
    role = "node-role.kubernetes.io/"
    up, down = (
        condition("Ready"),
        condition("Ready", "False", "KubeletNotReady", "network plugin is not ready"),
    )
    gone = condition("Ready", "Unknown", "NodeStatusUnknown")
    return [
        node("ready", {f"{role}worker": ""}, {}, conditions=[up], addresses=addresses, nodeInfo=info),
        node("unready", {}, {}, conditions=[down], nodeInfo=info),
        node("unknown", {"kubernetes.io/role": "gpu"}, {}, conditions=[gone]),
        node("silent", {}, {}),
        node(
            "cordoned",
            {f"{role}control-plane": "", f"{role}a": "b", "kubernetes.io/role": "edge"},
            {"unschedulable": True},
            conditions=[condition("MemoryPressure"), up],
            addresses=addresses[1:],
        ),
        node("cordoned-unready", {f"{role}x": ""}, {"unschedulable": True}, conditions=[down], nodeInfo=info),
        node("cordoned-silent", {"kubernetes.io/role": ""}, {"unschedulable": True}),
        node(
            "dual-stack",
            {f"{role}control-plane": "", f"{role}etcd": "true"},
            {"taints": [{"key": "kinds.test/only", "effect": "NoSchedule"}]},
            conditions=[up],
            addresses=[
                {"type": "Hostname", "address": "dual"},
                {"type": "InternalIP", "address": "2001:db8::10"},
                *addresses,
                {"type": "InternalIP", "address": "10.9.0.2"},
            ],
            nodeInfo=info | {"kubeletVersion": "v1.36.3-rc.1+k3s1"},
        ),
        deleted(node("leaving", {}, {}, conditions=[up], addresses=addresses[:1])),
    ]


def namespaces() -> ARRAY:
    remains = condition(
        "NamespaceContentRemaining", "True", "SomeResourcesRemain", "pods. has 1 resource instances"
    )
    return [
        thing("v1", "Namespace", "kinds-active", meta={"labels": {"team": "a"}}),
        deleted(thing("v1", "Namespace", "kinds-terminating")),
        deleted(
            thing("v1", "Namespace", "kinds-stuck", status={"phase": "Terminating", "conditions": [remains]})
        ),
    ]


def resourcequotas() -> ARRAY:
    def quota(name: str, hard: dict[str, str], used: dict[str, str]) -> Object:
        status = {"hard": hard, "used": used}
        return thing("v1", "ResourceQuota", name, spec={"hard": hard}, status=status)

    hard = {
        "pods": "10",
        "limits.cpu": "4",
        "requests.cpu": "2500m",
        "limits.memory": "1.5Gi",
        "count/jobs.batch": "0",
    }
    used = {
        "pods": "9",
        "limits.cpu": "3500m",
        "requests.cpu": "1",
        "limits.memory": "1536Mi",
        "count/jobs.batch": "0",
    }
    return [
        quota("team", hard, used),
        quota("fresh", {"pods": "5", "count/secrets": "1"}, {}),
        quota("only-limits", {"limits.cpu": "10", "limits.memory": "1e9"}, {"limits.cpu": "100m"}),
        quota(
            "extended",
            {"requests.example.test/gpu": "4", "requests.storage": "1Ti"},
            {"requests.storage": "512Gi"},
        ),
        thing(
            "v1",
            "ResourceQuota",
            "scoped",
            spec={"hard": {"pods": "3"}, "scopes": ["BestEffort"]},
            status={"hard": {"pods": "3"}, "used": {"pods": "0"}},
        ),
        deleted(quota("terminating", {"pods": "5"}, {"pods": "1"})),
        thing("v1", "ResourceQuota", "unset", spec={}),
    ]


def poddisruptionbudgets() -> ARRAY:
    def budget(name: str, spec: Object, **status: int) -> Object:
        counts = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
        spec = {"selector": SELECTOR} | spec
        return thing("policy/v1", "PodDisruptionBudget", name, spec=spec, status=counts | status)

    return [
        budget(
            "number",
            {"minAvailable": 2},
            disruptionsAllowed=1,
            currentHealthy=3,
            desiredHealthy=2,
            expectedPods=3,
        ),
        budget("share", {"maxUnavailable": "25%"}, currentHealthy=2, desiredHealthy=2, expectedPods=2),
        budget("zero", {"minAvailable": 0}),
        budget("most", {"minAvailable": "90%"}, disruptionsAllowed=12, currentHealthy=120, expectedPods=120),
        budget(
            "everything", {"selector": {}, "maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
        ),
        thing(
            "policy/v1", "PodDisruptionBudget", "unseen", spec={"selector": SELECTOR, "maxUnavailable": "0%"}
        ),
        deleted(budget("terminating", {"minAvailable": 1}, expectedPods=1)),
        budget("neither", {"selector": EXPRESSIONS}),
    ]


def horizontalpodautoscalers() -> ARRAY:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}

    def autoscaler(name: str, metrics: ARRAY | None, current: ARRAY | None, **more: Any) -> Object:
        spec = {"scaleTargetRef": target, "maxReplicas": 10} | (
            {} if metrics is None else {"metrics": metrics}
        )
        status = {"currentReplicas": 3, "desiredReplicas": 4, "currentMetrics": current}
        return thing("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=spec | more, status=status)

    def entry(type_: str, field: str, **source: Any) -> Object:
        return {"type": type_, field: source}

    used = {"type": "Utilization", "averageUtilization": 80}
    amount = {"type": "AverageValue", "averageValue": "500m"}
    value = {"type": "Value", "value": "2k"}
    metric = {"name": "requests"}
    thing_described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
    cpu = entry("Resource", "resource", name="cpu", target=used)
    memory = entry("Resource", "resource", name="memory", target=amount)
    inside = entry("ContainerResource", "containerResource", name="cpu", container="web", target=used)
    inside_amount = entry(
        "ContainerResource", "containerResource", name="cpu", container="web", target=amount
    )
    pods_ = entry("Pods", "pods", metric=metric, target=amount)
    on = entry("Object", "object", metric=metric, target=value, describedObject=thing_described)
    on_average = entry("Object", "object", metric=metric, target=amount, describedObject=thing_described)
    outside = entry("External", "external", metric=metric, target=value)
    outside_average = entry("External", "external", metric=metric, target=amount)
    all_specs = (cpu, memory, inside, inside_amount, pods_, on, on_average, outside, outside_average)

    def now(spec: Object, **current: Any) -> Object:
        (field,) = spec.keys() - {"type"}
        kept = {key: item for key, item in spec[field].items() if key != "target"}
        return {"type": spec["type"], field: kept | {"current": current}}

    full = {"averageUtilization": 55, "averageValue": "1536Mi", "value": "1900"}
    cases = [
        autoscaler("default", None, None),
        autoscaler("unset", [cpu], None, minReplicas=2),
        autoscaler("two", [cpu, memory], [now(cpu, **full), now(memory, **full)]),
        autoscaler("four", [cpu, memory, pods_, on], [now(cpu, **full)]),
        autoscaler(
            "three", [cpu, outside, pods_], [now(cpu, **full), now(outside, **full), now(pods_, **full)]
        ),
        autoscaler(
            "other-target", [cpu], None, scaleTargetRef=target | {"kind": "StatefulSet", "name": "db"}
        ),
        thing(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "scaling-down",
            spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 12, "metrics": [cpu]},
            status={
                "currentReplicas": 11,
                "desiredReplicas": 3,
                "currentMetrics": [now(cpu, averageUtilization=7, averageValue="3m")],
                "conditions": [
                    condition("AbleToScale"),
                    condition("ScalingActive"),
                    condition("ScalingLimited", "False"),
                ],
            },
        ),
        thing(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "blind",
            spec={"scaleTargetRef": target, "maxReplicas": 2, "metrics": [cpu]},
            status={
                "currentReplicas": 1,
                "desiredReplicas": 0,
                "currentMetrics": [{"type": ""}],
                "conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")],
            },
        ),
        deleted(autoscaler("terminating", [cpu], None)),
    ]
    for number, spec in enumerate(all_specs):
        cases.append(autoscaler(f"full-{number}", [spec], [now(spec, **full)]))
        cases.append(autoscaler(f"bare-{number}", [spec], [now(spec)]))
        cases.append(autoscaler(f"none-{number}", [spec], []))
    return cases


def events() -> ARRAY:
    def event(name: str, message: str, **fields: Any) -> Object:
        involved = {
            "kind": "Pod",
            "name": "web-1",
            "namespace": "$NAMESPACE",
            "fieldPath": "spec.containers{web}",
        }
        fields = {
            "involvedObject": involved,
            "type": "Normal",
            "reason": "Started",
            "message": message,
        } | fields
        return thing("v1", "Event", name, **fields)

    older = {"firstTimestamp": AGES[0], "lastTimestamp": AGES[1], "count": 7}
    micro = AGES[1].replace("Z", ".123456Z")
    reporter = {
        "reportingComponent": "example.test/agent",
        "reportingInstance": "agent-1",
        "action": "Starting",
    }
    newer = {"eventTime": micro} | reporter
    whole = {"involvedObject": {"kind": "Node", "name": "", "namespace": "$NAMESPACE"}}
    return [
        event("older", "Started container web", source={"component": "kubelet", "host": "node-1"}, **older),
        event("warning", "  Back-off\nrestarting \n", type="Warning", reason="BackOff", **older),
        event("newer", "Started", **newer),
        event("series", "Started", series={"count": 12, "lastObservedTime": micro}, **newer),
        event("nothing", "", source={"component": "scheduler"}, **whole),
        event("never-last", "x", firstTimestamp=AGES[0], source={"host": "only-host"}),
        event("reported", "x", lastTimestamp=AGES[2], **reporter),
        event("counted-without-times", "x", count=3, source={"component": "kubelet"}),
        event("first-only", "x", firstTimestamp=AGES[0], count=1),
        event("no-count", "x", **{key: older[key] for key in ("firstTimestamp", "lastTimestamp")}),
        event("older-and-series", "x", series={"count": 4, "lastObservedTime": micro}, **older, **newer),
        event("no-reason", "x\ty", reason="", type="", **older),
        deleted(event("terminating", "x", **older)),
    ]


def ingressclasses() -> ARRAY:
    def ingress_class(name: str, meta: Object | None = None, /, **parameters: str) -> Object:
        spec: Object = {"controller": "example.test/controller"} | (
            {"parameters": parameters} if parameters else {}
        )
        return thing("networking.k8s.io/v1", "IngressClass", f"kinds-{name}", meta=meta or {}, spec=spec)

    mark = "ingressclass.kubernetes.io/is-default-class"
    inside = {"scope": "Namespace", "namespace": "shop"}
    return [
        ingress_class("plain"),
        ingress_class("default", {"annotations": {mark: "true"}}),
        ingress_class("not-default", {"annotations": {mark: "false"}}),
        ingress_class("settings", apiGroup="example.test", kind="Settings", name="outside"),
        ingress_class("settings-inside", kind="ConfigMap", name="settings", **inside),
        deleted(ingress_class("terminating")),
    ]


def networkpolicies() -> ARRAY:
    def policy(name: str, selector: Object, **spec: Any) -> Object:
        return thing("networking.k8s.io/v1", "NetworkPolicy", name, spec={"podSelector": selector} | spec)

    team = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
    shop = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}}
    ports = [{"port": 80}, {"port": "metrics"}, {"port": 8000, "endPort": 8080}, {"protocol": "UDP"}]
    peers = [{"podSelector": SELECTOR}, {"podSelector": {}}, team, shop | {"podSelector": SELECTOR}, block]
    return [
        policy("deny-all", {}, policyTypes=["Ingress", "Egress"]),
        policy("allow-all", {}, ingress=[{}], egress=[{}]),
        policy("labels", SELECTOR, ingress=[{"from": peers, "ports": ports}]),
        policy(
            "expressions", EXPRESSIONS, ingress=[{"from": [{"namespaceSelector": {}}]}, {"ports": ports[:1]}]
        ),
        policy("outward", SELECTOR, policyTypes=["Egress"], egress=[{"to": [block], "ports": ports[3:]}]),
        policy("idle-rules", SELECTOR, policyTypes=["Egress"], ingress=[{"from": [team]}]),
        deleted(policy("terminating", SELECTOR)),
    ]


def serviceaccounts() -> ARRAY:
    return [
        thing("v1", "ServiceAccount", "plain"),
        thing("v1", "ServiceAccount", "no-token", automountServiceAccountToken=False),
        thing(
            "v1",
            "ServiceAccount",
            "everything",
            automountServiceAccountToken=True,
            imagePullSecrets=[{"name": "registry"}, {"name": "mirror"}],
            secrets=[{"name": "token"}],
        ),
        deleted(thing("v1", "ServiceAccount", "terminating")),
    ]


RBAC = "rbac.authorization.k8s.io"
READS_PODS = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}
RULES = [
    READS_PODS,
    {"apiGroups": ["", "apps"], "resources": ["deployments", "secrets"], "verbs": ["patch", "get"]},
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["a", "b"],
        "verbs": ["create", "update"],
    },
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["bind", "escalate"]},
]


def roles() -> ARRAY:
    return [
        thing(f"{RBAC}/v1", "Role", "reader", rules=[READS_PODS]),
        thing(f"{RBAC}/v1", "Role", "many:rules", rules=RULES),
        thing(f"{RBAC}/v1", "Role", "nothing"),
        thing(f"{RBAC}/v1", "Role", "empty", rules=[]),
        deleted(thing(f"{RBAC}/v1", "Role", "terminating", rules=[READS_PODS])),
    ]


def clusterroles() -> ARRAY:
    def role(name: str, **fields: Any) -> Object:
        return thing(f"{RBAC}/v1", "ClusterRole", f"kinds:{name}", **fields)

    addresses = {"nonResourceURLs": ["/healthz", "/version/*"], "verbs": ["get"]}
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"kinds.test/gathered": "true"}}, EXPRESSIONS]}
    return [
        role("reader", rules=[READS_PODS]),
        role("everything", rules=[*RULES, addresses]),
        role("gathered", rules=[READS_PODS], meta={"labels": {"kinds.test/gathered": "yes"}}),
        role("gathers", rules=[], aggregationRule=gathers),
        role("nothing"),
        deleted(role("terminating")),
    ]


USERS = [{"apiGroup": RBAC, "kind": "User", "name": name} for name in ("jane", "joe@example.test")]
GROUPS = [
    {"apiGroup": RBAC, "kind": "Group", "name": name} for name in ("ops", "system:serviceaccounts:shop")
]
ACCOUNTS = [{"kind": "ServiceAccount", "name": name, "namespace": "shop"} for name in ("web", "db")]


def _bindings(kind: str, prefix: str, role_kind: str) -> ARRAY:
    def binding(name: str, subjects: ARRAY | None, role: str = "kinds:no-such-role") -> Object:
        given = {"apiGroup": RBAC, "kind": role_kind, "name": role}
        who = {} if subjects is None else {"subjects": subjects}
        return thing(f"{RBAC}/v1", kind, f"{prefix}{name}", roleRef=given, **who)

    nobody = {"apiGroup": RBAC, "kind": "User", "name": "system:anonymous"}
    return [
        binding("users", USERS),
        binding("groups", GROUPS),
        binding("accounts", ACCOUNTS),
        binding("mixed", [*ACCOUNTS[:1], *USERS[:1], *GROUPS[:1], *USERS[1:]]),
        binding("nobody", None),
        binding("empty", []),
        binding("anonymous", [nobody]),
        deleted(binding("terminating", USERS)),
    ]


def rolebindings() -> ARRAY:
    signed_in = [{"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}]
    given = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    everybody = thing(f"{RBAC}/v1", "RoleBinding", "everybody", roleRef=given, subjects=signed_in)
    return [*_bindings("RoleBinding", "", "Role"), everybody]


def clusterrolebindings() -> ARRAY:
    return _bindings("ClusterRoleBinding", "kinds:", "ClusterRole")


def limitranges() -> ARRAY:
    def limit_range(name: str, *limits: Object) -> Object:
        return thing("v1", "LimitRange", name, spec={"limits": list(limits)})

    container_ = {
        "type": "Container",
        "min": {"cpu": "50m"},
        "max": {"cpu": "2", "memory": "1.5Gi"},
        "default": {"cpu": "500m", "memory": "256Mi"},
        "defaultRequest": {"cpu": "100m"},
        "maxLimitRequestRatio": {"cpu": "10"},
    }
    claim = {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "100Gi"}}
    return [
        limit_range("all", container_, {"type": "Pod", "max": {"cpu": "4"}}, claim),
        limit_range("claims", claim),
        limit_range("nothing"),
        limit_range("nothing-of-pods", {"type": "Pod"}),
        deleted(limit_range("terminating", claim)),
    ]


def priorityclasses() -> ARRAY:
    def priority(name: str, value: int, **fields: Any) -> Object:
        return thing("scheduling.k8s.io/v1", "PriorityClass", f"kinds-{name}", value=value, **fields)

    return [
        priority("plain", 1000),
        priority("high", 1_000_000_000, description="For what must not wait"),
        priority("low", -10, preemptionPolicy="Never"),
        priority("default", 0, globalDefault=True, preemptionPolicy="PreemptLowerPriority"),
        deleted(priority("terminating", 5)),
    ]


SHAPES = {
    make.__name__: make
    for make in (
        pods, deployments, replicasets, statefulsets, daemonsets, jobs, cronjobs, services, ingresses, endpointslices,
        configmaps, secrets, persistentvolumeclaims, persistentvolumes, storageclasses, nodes, namespaces,
        resourcequotas, poddisruptionbudgets, horizontalpodautoscalers, events,
        ingressclasses, networkpolicies, serviceaccounts, roles, clusterroles, rolebindings, clusterrolebindings,
        limitranges, priorityclasses,
    )
}  # fmt: skip
