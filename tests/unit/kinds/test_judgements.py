"""State and reason beside kubectl's words, sort keys, and what a pod spec uses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Row
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.rows import listed, natural, ratio_key, shorten
from dashboard.kinds.uses import pod_spec_uses

from .shapes import condition, container, pod_spec, running, terminated, thing, waiting
from .test_rows import fixture


def decoded(plural: str, manifest: dict[str, Any]) -> Any:
    return KINDS[plural].decode_object(json.dumps(manifest).encode())


def row_of(plural: str, name: str) -> Row:
    return KINDS[plural].row(decoded(plural, fixture(plural)["cases"][name]["object"]))


def detail_of(plural: str, name: str) -> Detail:
    return KINDS[plural].detail(decoded(plural, fixture(plural)["cases"][name]["object"]))


def pod_row(spec: dict[str, Any], **status: Any) -> Row:
    return KINDS["pods"].row(decoded("pods", thing("v1", "Pod", "web-1", spec=spec, status=status)))


@pytest.mark.parametrize(
    ("plural", "name", "state", "reason"),
    [
        ("pods", "running", "ok", ""),
        ("pods", "pending", "info", ""),
        ("pods", "creating", "info", ""),
        ("pods", "pulling", "bad", "image example.test/web:1 not found"),
        ("pods", "crashing", "bad", "exit 1 in container web: Error"),
        ("pods", "completed", "done", ""),
        ("pods", "half-completed", "warn", "containers are not ready"),
        ("pods", "signalled", "bad", "signal 9 in container web"),
        ("pods", "exit-code", "bad", "exit 42 in container web"),
        ("pods", "evicted", "bad", "The node was low on resource: memory"),
        ("pods", "init-second", "info", "init container two is running"),
        ("pods", "init-crashing", "bad", "exit 1 in container one: Error"),
        ("pods", "sidecar", "ok", ""),
        ("pods", "sidecar-unready", "warn", "container proxy is not ready"),
        ("pods", "sidecar-starting", "info", "container proxy is starting"),
        ("pods", "gated", "info", "held back by scheduling gate example.test/quota"),
        ("pods", "terminating", "info", "waits for finalizer kinds.test/hold"),
        ("pods", "lost", "bad", "its node is unreachable"),
        ("deployments", "available", "ok", ""),
        ("deployments", "zero", "ok", "scaled to 0"),
        ("deployments", "paused", "warn", "paused: changes are not rolled out until it is resumed"),
        ("deployments", "rolling", "info", "rolling out: 2 of 4 pods are up to date"),
        ("deployments", "stuck", "bad", "the rollout is not progressing: 0 of 2 available"),
        ("deployments", "refused", "bad", "pods can't be created: exceeded quota"),
        ("deployments", "down", "bad", "0 of 2 available"),
        ("replicasets", "old", "done", "scaled to 0"),
        ("replicasets", "scaling", "info", "scaling from 10 to 12"),
        ("statefulsets", "partly", "warn", "1 of 3 ready"),
        ("statefulsets", "partition", "ok", ""),
        ("daemonsets", "rolling", "info", "rolling out: 1 of 3 pods are up to date"),
        ("jobs", "complete", "done", ""),
        ("jobs", "retrying", "warn", "2 of 7 tries failed"),
        ("jobs", "failed", "bad", "Job has reached the specified backoff limit"),
        ("cronjobs", "suspended", "warn", "suspended: it creates no jobs"),
        ("services", "balancer-pending", "info", "external IP pending"),
        ("ingresses", "three", "warn", "no ingress controller has given it an address"),
        ("endpointslices", "unready", "bad", "its only endpoint is not ready"),
        ("persistentvolumeclaims", "lost", "bad", "its volume no longer exists"),
        ("persistentvolumes", "kinds-released", "warn", "its claim was deleted, the data is still there"),
        ("nodes", "kinds-unready", "bad", "network plugin is not ready"),
        ("nodes", "kinds-unknown", "bad", "it stopped reporting"),
        ("nodes", "kinds-cordoned", "warn", "memory pressure and cordoned"),
        ("resourcequotas", "team", "warn", "exhausted: limits.memory"),
        ("poddisruptionbudgets", "share", "warn", "no pod may be evicted now: 2 of 2 healthy, 2 must be"),
        ("events", "warning", "warn", ""),
        ("events", "older", "ok", ""),
    ],
)
def test_state_and_reason(plural: str, name: str, state: str, reason: str) -> None:
    row = row_of(plural, name)
    assert (row.state, row.reason) == (state, reason)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "0/5 nodes are available: 5 Insufficient memory. preemption: 0/5.",
            "can't be scheduled: insufficient memory",
        ),
        (
            "0/5 nodes are available: 2 Insufficient cpu, 3 Insufficient memory.",
            "can't be scheduled: insufficient cpu and memory",
        ),
        (
            "0/5 nodes are available: 1 Insufficient cpu, 4 node(s) had untolerated taint {a: b}.",
            "can't be scheduled: insufficient cpu; on other nodes untolerated taints",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            "can't be scheduled: node affinity/selector mismatch",
        ),
        (
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "can't be scheduled: its volume claim is not bound yet",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
            "can't be scheduled: node affinity/selector mismatch",
        ),
        ("0/2 nodes are available: 2 node(s) were on fire.", "can't be scheduled: were on fire"),
        (
            "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label),"
            " 1 node(s) didn't match pod topology spread constraints. preemption: 0/2 nodes are available: 2 No.",
            "can't be scheduled: a missing topology label and topology spread constraints",
        ),
        ("0/0 nodes are available.", "the cluster has no nodes"),
        ("no nodes available to schedule pods", "no nodes available to schedule pods"),
        ("", "no node found for it yet"),
    ],
)
def test_why_a_pod_has_no_node(message: str, reason: str) -> None:
    unplaced = condition("PodScheduled", "False", "Unschedulable", message)
    row = pod_row(pod_spec("web", nodeName=None), phase="Pending", conditions=[unplaced])
    assert (row.state, row.reason) == ("bad", reason)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (
            waiting("ErrImagePull", "401 Unauthorized"),
            "the registry denies access to image example.test/web:1",
        ),
        (waiting("ErrImagePull", "dial tcp: timeout"), "image example.test/web:1 can't be pulled"),
        # Its name is no reason.
        (waiting("ErrImagePull", "example.test/web:404: EOF"), "image example.test/web:1 can't be pulled"),
        (waiting("InvalidImageName"), "image name example.test/web:1 is not valid"),
        (waiting("ErrImageNeverPull"), "image example.test/web:1 is not on the node"),
        (
            waiting("CreateContainerConfigError", 'secret "x" not found'),
            'container web: secret "x" not found',
        ),
        (waiting("RunContainerError"), "container web can't start"),
        (waiting("CrashLoopBackOff"), "container web keeps restarting"),
        (terminated(137, "OOMKilled"), "container web ran out of memory"),
        (terminated(1, "Error", message="no such\nfile"), "exit 1 in container web: no such file"),
        (terminated(2, "StartError"), "exit 2 in container web: StartError"),
    ],
)
def test_why_a_container_does_not_run(state: dict[str, Any], reason: str) -> None:
    row = pod_row(pod_spec("web"), phase="Running", containerStatuses=[container("web", state)])
    assert row.state == "bad"
    assert row.reason.startswith(reason)


def test_a_running_pod_tells_of_its_worst_container() -> None:
    statuses = [
        container("web", running(), ready=True, started=True),
        container("log", running(), started=True),
        container("job", waiting("CrashLoopBackOff"), lastState=terminated(3, "Error")),
    ]
    row = pod_row(pod_spec("web", "log", "job"), phase="Running", containerStatuses=statuses)
    assert (row.state, row.reason) == ("bad", "exit 3 in container job: Error")


def test_containers_of_a_pod() -> None:
    facts = {fact.name: fact for fact in detail_of("pods", "sidecar").containers}
    assert [(fact.name, fact.kind, fact.word, fact.state) for fact in facts.values()] == [
        ("one", "init", "Completed", "done"),
        ("proxy", "sidecar", "Running", "ok"),
        ("web", "container", "Running", "ok"),
    ]
    assert (facts["proxy"].restarts, facts["proxy"].previous, facts["proxy"].ready) == (1, True, True)
    assert not facts["web"].previous


def test_links_lead_to_pages_that_exist() -> None:
    for plural in KINDS:
        for name in fixture(plural)["cases"]:
            for fact in detail_of(plural, name).facts:
                assert fact.link is None or fact.link.plural in {"", *KINDS}
    nodes = [fact.link for fact in detail_of("pods", "running").facts if fact.label == "Node"]
    assert [(link.kind, link.plural, link.name) for link in nodes if link] == [("Node", "nodes", "nowhere")]


def test_rows_sort_as_people_count() -> None:
    assert sorted(["web-10", "web-2", "Web-1", "web-02"], key=natural) == [
        "Web-1",
        "web-2",
        "web-02",
        "web-10",
    ]
    assert sorted([(3, 3), (0, 0), (1, 3), (0, 2)], key=lambda pair: ratio_key(*pair)) == [
        (0, 2),
        (1, 3),
        (0, 0),
        (3, 3),
    ]
    claims = {name: row_of("persistentvolumeclaims", name).sort[3] for name in ("pending", "lost", "bound")}
    assert claims["pending"] < claims["lost"] < claims["bound"]


def test_short_words() -> None:
    assert [listed(["a", "b", "c", "d"][:count]) for count in range(5)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b and 2 more",
    ]
    assert shorten("a\n b", 10) == "a b"
    assert shorten("one, two, three", 10) == "one, two…"


def test_a_budget_of_pods_without_a_controller_lets_none_be_moved() -> None:
    status = {"currentHealthy": 2, "expectedPods": 0}
    budget = {"spec": {"selector": {}, "maxUnavailable": 1}, "status": status}
    kind = KINDS["poddisruptionbudgets"]
    made = decoded("poddisruptionbudgets", thing("policy/v1", "PodDisruptionBudget", "all", **budget))
    row = kind.row(made)
    assert (row.state, row.reason) == ("warn", "its pods have no controller, so none may be evicted")
    (selector,) = (one for one in kind.detail(made).facts if one.label == "Selector")
    assert (selector.value, selector.note) == ("<none>", "every pod of the namespace")


def test_facts_leave_to_the_relations_what_those_tell() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = thing("networking.k8s.io/v1", "Ingress", "web", spec={"defaultBackend": backend})
    told = KINDS["ingresses"].detail(decoded("ingresses", ingress)).facts
    assert [one.label for one in told if "web" in one.value] == []
    containers = [{"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}}]}]
    spec = {
        "serviceAccountName": "robot",
        "containers": containers,
        "imagePullSecrets": [{"name": "registry"}],
    }
    of_pod = KINDS["pods"].detail(decoded("pods", thing("v1", "Pod", "web", spec=spec))).facts
    assert {one.value for one in of_pod} >= {"robot"}
    assert not {"settings", "registry"} & {one.value for one in of_pod}


def test_what_a_pod_spec_uses_and_how() -> None:
    key = {"name": "login", "key": "password"}
    spec = {
        "containers": [
            {
                "name": "web",
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": key}}, {"name": "B", "value": "plain"}],
                "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "all"}}],
                "volumeMounts": [{"name": "conf", "mountPath": "/a", "subPath": "b"}],
            }
        ],
        "initContainers": [
            {"name": "i", "env": [{"name": "C", "valueFrom": {"configMapKeyRef": {"name": "init"}}}]}
        ],
        "volumes": [
            {"name": "conf", "configMap": {"name": "settings"}},
            {"name": "tls", "secret": {"secretName": "certificate"}},
            {
                "name": "both",
                "projected": {"sources": [{"secret": {"name": "login"}}, {"configMap": {"name": "root"}}]},
            },
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {"name": "csi", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "publish"}}},
            {"name": "old", "rbd": {"secretRef": {"name": "ceph"}}},
            {"name": "share", "azureFile": {"secretName": "azure"}},
            {"name": "unnamed", "configMap": {}},
        ],
        "imagePullSecrets": [{"name": "registry"}],
    }
    found: PodSpec = decoded("pods", thing("v1", "Pod", "web-1", spec=spec)).spec
    assert pod_spec_uses(found, "web-1") == {
        ("ConfigMap", "init"): ("env",),
        ("Secret", "login"): ("env", "projected"),
        ("ConfigMap", "settings"): ("envFrom", "volume", "subPath"),
        ("Secret", "all"): ("envFrom",),
        ("Secret", "certificate"): ("volume",),
        ("ConfigMap", "root"): ("projected",),
        ("PersistentVolumeClaim", "data"): ("claim",),
        ("PersistentVolumeClaim", "web-1-scratch"): ("claim",),
        ("Secret", "publish"): ("csi",),
        ("Secret", "ceph"): ("volume",),
        ("Secret", "azure"): ("volume",),
        ("Secret", "registry"): ("imagePullSecret",),
    }
