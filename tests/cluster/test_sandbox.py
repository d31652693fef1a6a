"""The sandbox for real: what it keeps, how its pods fail, what it measures."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from sandbox import Sandbox
from sandbox.api import ApiError
from tests.conftest import sandbox_slot

pytestmark = pytest.mark.cluster

T = TypeVar("T")
Object = dict[str, Any]
MINE = "sandbox.cluster-ui.dev/"


def wait_for(read: Callable[[], T | None], seconds: float = 150.0) -> T:
    """The first answer of `read` that is true, asked for until then; the last one is in the failure's message."""
    deadline = time.monotonic() + seconds
    while not (answer := read()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.2)
    return answer


def pod(name: str, *, annotations: dict[str, str] | None = None, **container: Any) -> Object:
    spec = {"containers": [{"name": "app", "image": "registry.example/app:1"} | container]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": spec,
    }


class Pods:
    """The pods of one namespace."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.api = sandbox.api()
        self.path = f"/api/v1/namespaces/{namespace}/pods"
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        wait_for(lambda: self.has(account))  # without it a pod is refused

    def has(self, path: str) -> bool:
        try:
            self.api.get(path)
        except ApiError:
            return False
        return True

    def create(self, manifest: Object) -> None:
        self.api.post(self.path, manifest)

    def status(self, name: str) -> Object:
        status: Object = self.api.get(f"{self.path}/{name}")["status"]
        return status

    def container(self, name: str) -> Object:
        statuses = self.status(name).get("containerStatuses") or [{"state": {}}]
        first: Object = statuses[0]
        return first

    def waiting(self, name: str) -> Object:
        """Why the first container waits, if it does."""
        waiting: Object = self.container(name)["state"].get("waiting", {})
        return waiting

    def condition(self, name: str, kind: str) -> str:
        conditions = {item["type"]: item["status"] for item in self.status(name).get("conditions", [])}
        return conditions.get(kind, "")


@pytest.fixture
def pods(cluster: Sandbox, namespace: str) -> Pods:
    return Pods(cluster, namespace)


def kubectl(sandbox: Sandbox, *arguments: str) -> str:
    command = [str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), *arguments]
    command += ["--cache-dir", str(sandbox.folder / "kubectl-cache")]  # not ~/.kube
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def test_up_on_a_running_sandbox_starts_and_stops_nothing(cluster: Sandbox) -> None:
    running = cluster.pids()
    assert all(running.values())
    assert cluster.up(samples=False) == cluster.kubeconfig
    assert cluster.pids() == running


def test_status_counts_nodes_and_names_every_process(cluster: Sandbox) -> None:
    status = cluster.status()
    assert status.condition == "running"
    assert status.nodes == 5
    assert all(status.processes.values())


def test_the_nodes_lie_in_three_zones(cluster: Sandbox) -> None:
    nodes = cluster.api().get("/api/v1/nodes")["items"]
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 3


def test_a_healthy_pod_becomes_ready_after_its_probes_delay(pods: Pods) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 2}
    pods.create(pod("healthy", readinessProbe=probe))
    wait_for(lambda: pods.status("healthy")["phase"] == "Running")
    assert pods.condition("healthy", "Ready") == "False"
    wait_for(lambda: pods.condition("healthy", "Ready") == "True")


def test_init_containers_run_one_after_the_other(pods: Pods) -> None:
    manifest = pod("init")
    manifest["spec"]["initContainers"] = [
        {"name": "one", "image": "registry.example/one:1"},
        {"name": "sidecar", "image": "registry.example/sidecar:1", "restartPolicy": "Always"},
        {"name": "two", "image": "registry.example/two:1"},
    ]
    pods.create(manifest)
    wait_for(lambda: pods.condition("init", "Ready") == "True")
    one, sidecar, two = pods.status("init")["initContainerStatuses"]
    assert one["state"]["terminated"]["finishedAt"] <= two["state"]["terminated"]["startedAt"]
    assert "running" in sidecar["state"]


def test_a_crash_loop_restarts_and_its_logs_say_why(cluster: Sandbox, pods: Pods, namespace: str) -> None:
    why = {f"{MINE}behaviour": "crash-loop", f"{MINE}log": "ERROR DATABASE_URL is not set"}
    pods.create(pod("crash", annotations=why))
    wait_for(lambda: pods.waiting("crash").get("reason") == "CrashLoopBackOff")
    assert pods.waiting("crash")["message"].startswith("back-off 10s restarting failed container=app")
    restarted = wait_for(lambda: (now := pods.container("crash"))["restartCount"] and now)
    assert restarted["lastState"]["terminated"]["exitCode"] == 1
    assert pods.condition("crash", "Ready") == "False"
    for previous in ("true", "false"):
        log = kubectl(cluster, "logs", "-n", namespace, "crash", f"--previous={previous}")
        assert "DATABASE_URL is not set" in log


def test_a_container_that_needs_too_much_memory_is_killed(pods: Pods) -> None:
    pods.create(pod("greedy", annotations={f"{MINE}behaviour": "oom-killed"}))
    ended = wait_for(lambda: pods.container("greedy").get("state", {}).get("terminated"))
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    wait_for(lambda: pods.waiting("greedy").get("reason") == "CrashLoopBackOff")


def test_an_image_of_an_unknown_registry_is_not_pulled(pods: Pods) -> None:
    pods.create(pod("nowhere", image="registry.invalid/app:1"))
    wait_for(lambda: pods.waiting("nowhere").get("reason") == "ErrImagePull")
    message = wait_for(
        lambda: (now := pods.waiting("nowhere"))["reason"] == "ImagePullBackOff" and now["message"]
    )
    assert message.startswith('Back-off pulling image "registry.invalid/app:1"')


def test_a_failing_readiness_probe_leaves_the_pod_running_and_unready(pods: Pods) -> None:
    pods.create(pod("unready", annotations={f"{MINE}behaviour": "unready"}))
    wait_for(lambda: pods.status("unready")["phase"] == "Running")
    # One that began later is ready, so this one has had the time.
    pods.create(pod("later"))
    wait_for(lambda: pods.condition("later", "Ready") == "True")
    assert pods.condition("unready", "Ready") == "False"
    assert pods.container("unready")["restartCount"] == 0


def test_a_behaviour_that_is_taken_away_heals_the_pod(pods: Pods) -> None:
    pods.create(pod("healed", annotations={f"{MINE}behaviour": "unready"}))
    wait_for(lambda: pods.status("healed")["phase"] == "Running")
    pods.api.patch(f"{pods.path}/healed", {"metadata": {"annotations": {f"{MINE}behaviour": None}}})
    wait_for(lambda: pods.condition("healed", "Ready") == "True")


def test_a_pod_that_fits_nowhere_stays_pending(pods: Pods) -> None:
    pods.create(pod("huge", resources={"requests": {"cpu": "100"}}))
    wait_for(lambda: pods.condition("huge", "PodScheduled") == "False")
    assert pods.status("huge")["phase"] == "Pending"


def test_a_bad_value_in_a_secret_fails_the_rollout_until_it_is_put_right(pods: Pods, namespace: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "database"},
        "stringData": {"password": "x"},
    }
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    reference = {"secretKeyRef": {"name": "database", "key": "password"}}
    checks = {"requires.sandbox.cluster-ui.dev/DB_PASSWORD": r"\S{12,}"}
    pods.create(pod("checked", annotations=checks, env=[{"name": "DB_PASSWORD", "valueFrom": reference}]))
    missing = wait_for(
        lambda: (now := pods.waiting("checked")).get("reason") == "CreateContainerConfigError" and now
    )
    assert missing["message"] == 'secret "database" not found'
    pods.api.post(secrets, secret)
    wait_for(lambda: pods.waiting("checked").get("reason") == "CrashLoopBackOff")
    pods.api.patch(f"{secrets}/database", {"stringData": {"password": "long-enough-1"}})
    wait_for(lambda: pods.condition("checked", "Ready") == "True")


def test_a_container_whose_environment_cannot_be_is_not_created_until_it_is_mended(
    pods: Pods, namespace: str
) -> None:
    def variable(kind: str, key: str, *, optional: bool = False) -> dict[str, Any]:
        source = {"name": "cfg", "key": key, "optional": optional}
        return {"name": "V", "valueFrom": {f"{kind}KeyRef": source}}

    api, core = pods.api, f"/api/v1/namespaces/{namespace}"
    meta = {"name": "cfg"}
    api.post(f"{core}/configmaps", {"metadata": meta, "data": {"a": "1"}, "binaryData": {"b": "/w=="}})
    api.post(f"{core}/secrets", {"metadata": meta, "data": {"nul": "YQBi", "bytes": "/w=="}})
    pods.create(pod("optional", env=[variable("configMap", "b", optional=True)]))
    pods.create(pod("binary", env=[variable("configMap", "b")]))
    pods.create(pod("nul", env=[variable("secret", "nul")]))
    pods.create(pod("bytes", env=[variable("secret", "bytes")]))
    first = pod("init")
    first["spec"]["initContainers"] = [
        {"name": "migrate", "image": "example/migrate:1", "env": [variable("secret", "gone")]}
    ]
    pods.create(first)
    for name, reason, message in (
        ("binary", "CreateContainerConfigError", f"couldn't find key b in ConfigMap {namespace}/cfg"),
        ("nul", "CreateContainerError", 'environment variable "V" contains nul byte'),
        ("bytes", "CreateContainerError", "string field contains invalid UTF-8"),
    ):
        said = wait_for(lambda name=name: (now := pods.waiting(name)).get("message") and now)
        assert said["reason"] == reason
        assert message in said["message"]

    def first_waits() -> bool:
        (status,) = pods.status("init").get("initContainerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError"

    wait_for(first_waits)
    events = api.get(f"{core}/events?fieldSelector=involvedObject.name=binary,reason=Failed")["items"]
    assert events[0]["message"] == f"Error: couldn't find key b in ConfigMap {namespace}/cfg"
    wait_for(lambda: pods.condition("optional", "Ready") == "True")
    api.patch(f"{core}/configmaps/cfg", {"data": {"b": "text"}, "binaryData": {"b": None}})
    api.patch(f"{core}/secrets/cfg", {"stringData": {"nul": "ok", "bytes": "ok", "gone": "here"}})
    for name in ("binary", "nul", "bytes", "init"):
        wait_for(lambda name=name: pods.condition(name, "Ready") == "True")


def test_a_jobs_pod_completes(cluster: Sandbox, namespace: str, pods: Pods) -> None:
    template = {"spec": pod("job")["spec"] | {"restartPolicy": "Never"}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job"},
        "spec": {"template": template},
    }
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    cluster.api().post(path, job)
    wait_for(lambda: cluster.api().get(f"{path}/job")["status"].get("succeeded") == 1)


def test_a_statefulsets_claims_are_bound(cluster: Sandbox, namespace: str) -> None:
    labels = {"app": "store"}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {
        "serviceName": "store",
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod("store")["spec"]},
        "volumeClaimTemplates": [claim],
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    cluster.api().post(
        path, {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "store"}, "spec": spec}
    )
    wait_for(lambda: cluster.api().get(f"{path}/store")["status"].get("readyReplicas") == 2)
    claims = cluster.api().get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims")["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound", "Bound"]


def test_logs_grow_while_a_container_runs(cluster: Sandbox, namespace: str, pods: Pods) -> None:
    talk = {f"{MINE}log-loop": "line {n}", f"{MINE}log-every": "0.5"}
    pods.create(pod("talker", annotations=talk))
    wait_for(lambda: pods.condition("talker", "Ready") == "True")

    def lines() -> int:
        return len(kubectl(cluster, "logs", "-n", namespace, "talker").splitlines())

    first = wait_for(lines)
    wait_for(lambda: lines() > first)


def test_nodes_and_pods_have_metrics(cluster: Sandbox, namespace: str, pods: Pods) -> None:
    pods.create(pod("measured", annotations={f"{MINE}cpu": "100m", f"{MINE}memory": "64Mi"}))
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/measured"
    wait_for(lambda: pods.has(path), seconds=120)
    usage = pods.api.get(path)["containers"][0]["usage"]
    assert usage["cpu"].endswith("n") and 50e6 < int(usage["cpu"][:-1]) < 150e6  # in billionths of a core
    node = pods.api.get(f"{pods.path}/measured")["spec"]["nodeName"]
    wait_for(lambda: pods.has(f"/apis/metrics.k8s.io/v1beta1/nodes/{node}"))


def test_load_pods_come_and_go(cluster: Sandbox) -> None:
    cluster.scale(pods=60)

    def running() -> int:
        items = cluster.api().get("/api/v1/namespaces/load/pods")["items"]
        return sum(item["status"]["phase"] == "Running" for item in items)

    wait_for(lambda: running() == 60)
    cluster.scale(pods=0, nodes=5)
    wait_for(lambda: cluster.status().nodes == 5 and running() == 0)


@pytest.fixture(scope="module")
def other() -> Iterator[Sandbox]:
    """A second sandbox beside the session's, for what stops and starts one."""
    with sandbox_slot() as sandbox:
        sandbox.destroy()
        sandbox.up(samples=False)
        yield sandbox
        sandbox.destroy()


def write_note(sandbox: Sandbox, name: str) -> str:
    path = "/api/v1/namespaces/default/configmaps"
    sandbox.api().post(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    return f"{path}/{name}"


def test_objects_are_kept_over_down_and_up(other: Sandbox) -> None:
    note = write_note(other, "down-and-up")
    server = other.api()
    other.down()
    assert other.status().condition == "stopped"
    other.up(samples=False)
    assert other.api() == server, "the port has changed"
    assert other.api().get(note)["metadata"]["name"] == "down-and-up"
    restarted = Pods(other, "default")
    restarted.create(pod("after-restart"))
    wait_for(lambda: restarted.condition("after-restart", "Ready") == "True", seconds=30)


def test_objects_are_kept_over_a_kill_of_every_process(other: Sandbox) -> None:
    note = write_note(other, "kill")
    for pid in other.pids().values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: other.status().condition == "stopped")
    other.up(samples=False)
    assert other.api().get(note)["metadata"]["name"] == "kill"


def test_up_starts_again_what_died_before_and_what_dies_meanwhile(
    other: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(other, "kube-scheduler")
    wait_for(lambda: other.status().condition == "degraded")
    server = other.pids()["kube-apiserver"]
    nodes_are_added = Sandbox._add_nodes

    def meanwhile(sandbox: Sandbox, port: int) -> None:
        kill(sandbox, "metrics-server")
        nodes_are_added(sandbox, port)

    monkeypatch.setattr(Sandbox, "_add_nodes", meanwhile)
    other.up(samples=False)
    assert other.status().condition == "running"
    assert other.pids()["kube-apiserver"] == server


def kill(sandbox: Sandbox, program: str) -> None:
    pid = sandbox.pids()[program]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
