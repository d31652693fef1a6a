"""Each rule about pods, by what a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.finding import Trouble
from dashboard.insight.rules.pods import pod_trouble
from dashboard.insight.words import text_of

from .world import NOW, World, ago, condition, ended, pod, waiting

PENDING = {"phase": "Pending", "ready": False}
PLACED = [condition("PodScheduled", "True", since=ago(minutes=5)), condition("Ready", "False")]


def trouble(manifest: dict[str, Any], warning: str = "", node_silent: bool = False) -> Trouble | None:
    return pod_trouble(World().add("pods", manifest), NOW, lambda: warning, node_silent)


def sentence(found: Trouble | None) -> str:
    assert found is not None
    return found.one + text_of(found.rest)


def test_healthy_and_finished_pods_have_no_trouble() -> None:
    assert trouble(pod()) is None
    assert trouble(pod(phase="Succeeded", ready=False, state=ended(0, "Completed"))) is None


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ('failed to pull: "shop/web:1.2": not found', "the registry has no such image or tag"),
        (
            "pull access denied, repository does not exist",
            "the registry refuses it: it is private, or does not exist",
        ),
        ("dial tcp: lookup r.example: no such host", "the registry cannot be reached"),
        ("429 Too Many Requests", "the registry limits how often it may be asked"),
        ("Back-off pulling image", "the registry gave no image"),
    ],
)
def test_image_that_cannot_be_pulled_says_why(message: str, why: str) -> None:
    found = trouble(pod(state=waiting("ImagePullBackOff", message), **PENDING))
    assert found is not None and found.rule == "pod-image-pull"
    assert sentence(found) == f"cannot pull its image shop/web:1.2: {why}"


def test_image_pull_backoff_takes_the_registrys_answer_from_the_event() -> None:
    found = trouble(pod(state=waiting("ImagePullBackOff", "Back-off"), **PENDING), "manifest unknown")
    assert "no such image or tag" in sentence(found)


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (1, "an error of the program itself"),
        (127, "its command was not found in the image"),
        (137, "it was killed, often by a failing liveness probe"),
        (134, "ended by signal 6"),
        (0, "although it should keep running"),
    ],
)
def test_crash_loop_names_container_and_exit_code(code: int, means: str) -> None:
    found = trouble(pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(code), restarts=7))
    assert found is not None and (found.rule, found.severity) == ("pod-crash-loop", "bad")
    assert sentence(found) == f"keeps crashing: container app exits with code {code}, {means}"
    assert "started again 7 times" in found.evidence


def test_a_crashing_pod_stays_one_problem_while_it_runs_for_a_moment() -> None:
    running = pod(ready=False, last=ended(1, seconds=20), restarts=3)
    found = trouble(running)
    assert found is not None and found.rule == "pod-crash-loop"


def test_first_restart_of_a_starting_container_is_no_crash_loop() -> None:
    assert (
        trouble(pod(ready=False, last=ended(1, seconds=5), restarts=1, conditions=_unready(seconds=5)))
        is None
    )


def _unready(**passed: float) -> list[dict[str, str]]:
    return [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(**passed))]


def test_out_of_memory_is_named_before_the_crash_loop_it_causes() -> None:
    limited = {"resources": {"limits": {"memory": "64Mi"}}}
    killed = ended(137, "OOMKilled")
    found = trouble(
        pod(ready=False, state=waiting("CrashLoopBackOff"), last=killed, restarts=2, container=limited)
    )
    assert found is not None and (found.rule, found.severity) == ("pod-out-of-memory", "bad")
    assert sentence(found) == "was killed: container app used more memory than its limit of 64Mi"


def test_out_of_memory_is_a_warning_once_the_pod_is_back_and_forgotten_after_an_hour() -> None:
    found = trouble(pod(last=ended(137, "OOMKilled", minutes=20), restarts=1))
    assert found is not None and found.severity == "warn"
    assert trouble(pod(last=ended(137, "OOMKilled", minutes=70), restarts=1)) is None


def test_unschedulable_gives_the_schedulers_reason_after_a_moment() -> None:
    message = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available."
    unplaced = [condition("PodScheduled", "False", "Unschedulable", message, ago(seconds=40))]
    found = trouble(pod(node="", conditions=unplaced, **PENDING))
    assert found is not None and found.rule == "pod-unschedulable"
    assert sentence(found) == "finds no node: no node has room: insufficient memory"
    assert found.next_step.startswith("Ask for less")
    just_now = [condition("PodScheduled", "False", "Unschedulable", message, ago(seconds=3))]
    assert trouble(pod(node="", conditions=just_now, **PENDING)) is None


def test_scheduling_gate_is_no_problem() -> None:
    gated = [condition("PodScheduled", "False", "SchedulingGated", "gated", ago(hours=1))]
    assert trouble(pod(node="", conditions=gated, **PENDING)) is None


@pytest.mark.parametrize(
    ("message", "needs"),
    [
        ('configmap "settings" not found', "ConfigMap settings, which does not exist"),
        ('secret "db" not found', "Secret db, which does not exist"),
        ("couldn't find key URL in Secret shop/db", "key URL of Secret db, which is not there"),
        ("couldn't find key a in ConfigMap shop/settings", "key a of ConfigMap settings, which is not there"),
    ],
)
def test_missing_configuration_is_named(message: str, needs: str) -> None:
    found = trouble(pod(state=waiting("CreateContainerConfigError", message), **PENDING))
    assert found is not None and found.rule == "pod-config-missing"
    assert sentence(found) == f"cannot start: container app needs {needs}"


def test_configuration_missing_for_a_volume_is_read_from_the_event() -> None:
    creating = pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING)
    found = trouble(creating, 'MountVolume.SetUp failed for volume "v" : configmap "settings" not found')
    assert "ConfigMap settings, which does not exist" in sentence(found)


def test_pod_that_stays_creating_is_told_after_minutes() -> None:
    creating = pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING)
    found = trouble(creating, "FailedMount: timed out waiting for volume")
    assert found is not None and found.rule == "pod-stays-creating"
    assert "its volumes are not ready" in sentence(found)
    young = [condition("PodScheduled", "True", since=ago(seconds=20))]
    assert trouble(pod(state=waiting("ContainerCreating"), conditions=young, **PENDING)) is None


def test_failing_init_container_is_told_as_the_cause() -> None:
    init = [
        {"name": "migrate", "restartCount": 4, "state": waiting("CrashLoopBackOff"), "lastState": ended(2)}
    ]
    manifest = pod(state=waiting("PodInitializing"), initContainerStatuses=init, **PENDING)
    manifest["spec"]["initContainers"] = [{"name": "migrate", "image": "x"}]
    found = trouble(manifest)
    assert found is not None and found.rule == "pod-init-failing"
    assert "init container migrate exits with code 2" in sentence(found)


def test_failing_readiness_probe_is_told_after_a_minute() -> None:
    probed = {"readinessProbe": {"httpGet": {"port": 80}}}
    found = trouble(pod(ready=False, container=probed), "Readiness probe failed: statuscode: 503")
    assert sentence(found) == "gets no traffic: container app fails its readiness probe"
    assert found is not None and found.evidence.endswith("503")
    assert trouble(pod(ready=False, container=probed, conditions=_unready(seconds=30))) is None


def test_evicted_pod_is_a_warning() -> None:
    found = trouble(
        pod(phase="Failed", ready=False, reason="Evicted", message="The node was low on resource: memory.")
    )
    assert found is not None and (found.rule, found.severity) == ("pod-evicted", "warn")


def test_failed_pod_says_how_its_container_ended() -> None:
    found = trouble(pod(phase="Failed", ready=False, state=ended(3)))
    assert sentence(found) == "failed: container app exits with code 3, an error of the program itself"


def test_runtime_that_refuses_a_container_is_told() -> None:
    found = trouble(pod(state=waiting("CreateContainerError", "no command specified"), **PENDING))
    assert sentence(found) == "cannot start: the runtime refuses container app (CreateContainerError)"


def test_pod_that_ends_is_a_problem_only_long_after_its_grace_period() -> None:
    ending = pod(ready=False, state=waiting("CrashLoopBackOff"))
    ending["metadata"] |= {"deletionTimestamp": ago(seconds=20)}
    assert trouble(ending) is None
    ending["metadata"] |= {"deletionTimestamp": ago(minutes=6), "finalizers": ["example.com/hold"]}
    assert sentence(trouble(ending)) == "does not end: it waits for finalizer example.com/hold"


def test_pod_on_a_silent_node_cannot_be_reached_whatever_its_containers_said_last() -> None:
    found = trouble(pod(ready=False), node_silent=True)
    assert sentence(found) == "cannot be reached: node node-1 is silent"


def test_restarts_within_the_hour_are_a_warning() -> None:
    found = trouble(pod(last=ended(1, minutes=9), restarts=6))
    assert found is not None and found.rule == "pod-restarts-often"
    assert trouble(pod(last=ended(1, hours=3), restarts=6)) is None
