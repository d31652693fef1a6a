"""What the rules about pods tell apart, and what is no trouble at all; each rule's own words are in cases.py."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.finding import Trouble
from dashboard.insight.survey import Survey
from dashboard.insight.words import text_of

from .cases import PENDING, PLACED, with_proxy
from .world import NOW, World, ago, condition, ended, event, node, pod, service, waiting


def trouble(
    manifest: dict[str, Any], *events: dict[str, Any], nodes: dict[str, Any] | None = None
) -> Trouble | None:
    world = World(*(("events", one) for one in events))
    if nodes is not None:
        world.add("nodes", nodes)
    return Survey(world, NOW).trouble(world.add("pods", manifest))


def sentence(found: Trouble | None) -> str:
    assert found is not None
    return found.one + text_of(found.rest)


def _unready(**passed: float) -> list[dict[str, str]]:
    return [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(**passed))]


def _with_init(name: str, policy: str, status: dict[str, Any]) -> dict[str, Any]:
    """A pod that runs and is ready, with an init container besides."""
    made = pod()
    made["spec"]["initContainers"] = [{"name": name, "image": "shop/init:1", "restartPolicy": policy}]
    made["status"]["initContainerStatuses"] = [{"name": name, "ready": True, "restartCount": 9} | status]
    return made


def _unplaced(**passed: float) -> dict[str, Any]:
    refused = condition(
        "PodScheduled",
        "False",
        "Unschedulable",
        "0/3 nodes are available: 3 Insufficient cpu.",
        ago(**passed),
    )
    made = pod(phase="Pending", ready=False, node="", conditions=[refused])
    made["status"].pop("containerStatuses")
    return made


FINE: dict[str, dict[str, Any]] = {
    "runs and is ready": pod(),
    "is finished": pod(phase="Succeeded", ready=False, state=ended(0, "Completed")),
    "has just been placed": pod(
        state=waiting("ContainerCreating"), **PENDING,
        conditions=[condition("PodScheduled", "True", since=ago(seconds=20))],
    ),
    "has just asked for a node": _unplaced(seconds=5),
    "waits for its readiness probe since a moment": pod(
        ready=False, container={"readinessProbe": {"httpGet": {"port": 80}}}, conditions=_unready(seconds=30)
    ),
    "starts for the second time": pod(ready=False, last=ended(1, seconds=5), restarts=1, conditions=_unready(seconds=5)),
    "has an init container that failed a few times and is done": _with_init(
        "setup", "", {"state": ended(0, "Completed"), "lastState": ended(1)}
    ),
    "restarted hours ago, often": pod(last=ended(1, hours=3), restarts=9),
    "ran out of memory hours ago": pod(last=ended(137, "OOMKilled", hours=3), restarts=2),
    "restarted a few times": pod(last=ended(1, minutes=9), restarts=2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "publishes", "said"),
    [
        ({"app": "web"}, True, "is not ready: container app is not ready"),
        ({"app": "web"}, False, "gets no traffic: container app is not ready"),
        ({"app": "db"}, True, "gets no traffic: container app is not ready"),
    ],
)
def test_a_pod_that_a_service_publishes_unready_gets_traffic(
    selector: dict[str, str], publishes: bool, said: str
) -> None:
    world = World(("services", service("web", selector, publishNotReadyAddresses=publishes)))
    assert sentence(Survey(world, NOW).trouble(world.add("pods", pod(ready=False)))) == said


@pytest.mark.parametrize("then", ["Pulled", "Failed"])
def test_an_image_that_was_pulled_is_not_being_pulled(then: str) -> None:
    found = trouble(
        pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING),
        event("pods-web-1", "Pulling", "Pulling image", type_="Normal", minutes=4),
        event("pods-web-1", then, "image", type_="Normal", minutes=3),
    )
    assert found is not None
    assert found.rule == "pod-stays-creating"


@pytest.mark.parametrize("how", FINE)
def test_pod_is_no_trouble_while_it(how: str) -> None:
    assert trouble(FINE[how]) is None


def test_pod_that_ends_is_no_trouble_within_its_grace_period_or_soon_after() -> None:
    ending = pod(ready=False, state=waiting("CrashLoopBackOff"))
    ending["metadata"] |= {"deletionTimestamp": ago(seconds=20)}
    assert trouble(ending) is None


def test_pod_of_a_young_init_container_is_no_trouble() -> None:
    init = [{"name": "migrate", "state": {"running": {"startedAt": ago(minutes=4)}}}]
    manifest = pod(state=waiting("PodInitializing"), conditions=PLACED, initContainerStatuses=init, **PENDING)
    manifest["spec"]["initContainers"] = [{"name": "migrate", "image": "x"}]
    assert trouble(manifest) is None


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ('failed to pull: "shop/web:1.2": not found', "pod-image-not-found"),
        ("pull access denied, repository does not exist or may require authorization", "pod-image-denied"),
        ("server message: insufficient_scope: authorization failed", "pod-image-denied"),
        ("dial tcp: lookup r.example: no such host", "pod-registry-unreachable"),
        ("dial tcp 192.0.2.1:443: i/o timeout", "pod-registry-unreachable"),
        ("x509: certificate signed by unknown authority", "pod-registry-unreachable"),
        ("no match for platform in manifest: not found", "pod-image-platform"),
        ("toomanyrequests: You have reached your pull rate limit", "pod-registry-limit"),
        ("Back-off pulling image", "pod-image-pull"),
    ],
)
def test_answers_of_registries_are_told_apart(message: str, rule: str) -> None:
    found = trouble(pod(state=waiting("ImagePullBackOff", message), **PENDING))
    assert found is not None and found.rule == rule


def test_image_pull_backoff_takes_the_registrys_answer_from_the_event() -> None:
    failed = event("pods-web-1", "Failed", 'Failed to pull image "shop/web:1.2": manifest unknown')
    found = trouble(pod(state=waiting("ImagePullBackOff", "Back-off"), **PENDING), failed)
    assert found is not None and found.rule == "pod-image-not-found"
    assert "Event Failed" in [one.where for one in found.evidence]


def test_pull_secret_that_exists_and_is_refused_is_named() -> None:
    manifest = pod(state=waiting("ErrImagePull", "pull access denied"), **PENDING)
    manifest["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    world = World().with_secret("registry", "kubernetes.io/dockerconfigjson")
    found = Survey(world, NOW).trouble(world.add("pods", manifest))
    assert "the registry denies access, although it has pull secret registry" in sentence(found)


def test_pull_secrets_are_not_missed_where_secrets_may_not_be_listed() -> None:
    manifest = pod(state=waiting("ErrImagePull", "pull access denied"), **PENDING)
    manifest["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    found = trouble(manifest)
    assert found is not None and found.rule == "pod-image-denied"


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (1, "application error"),
        (126, "its command cannot be executed"),
        (127, "its command was not found in the image"),
        (134, "it aborted itself (SIGABRT)"),
        (137, "it was killed (SIGKILL), by the kernel or because it did not stop within its grace period"),
        (139, "segmentation fault (SIGSEGV)"),
        (143, "it was terminated (SIGTERM)"),
        (158, "terminated by signal 30"),
        (159, "a system call that its seccomp profile does not allow (SIGSYS)"),
        (3221225477, "application error"),
        (0, "although it should keep running"),
    ],
)
def test_exit_codes_are_told_in_words(code: int, means: str) -> None:
    found = trouble(pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(code), restarts=7))
    assert found is not None and (found.rule, found.severity) == ("pod-crash-loop", "bad")
    assert sentence(found) == f"keeps crashing: container app exits with code {code}, {means}"


def test_crash_loop_wants_the_log_of_the_run_that_ended() -> None:
    found = trouble(pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(1), restarts=7))
    assert found is not None and found.log is not None
    assert (found.log.pod, found.log.container, found.log.previous) == ("web-1", "app", True)
    just_ended = trouble(pod(ready=False, state=ended(1), last=ended(1, minutes=3), restarts=2))
    assert just_ended is not None and just_ended.log is not None and not just_ended.log.previous


def test_a_crashing_pod_stays_one_problem_while_it_runs_for_a_moment() -> None:
    found = trouble(pod(ready=False, last=ended(1, seconds=20), restarts=3))
    assert found is not None and found.rule == "pod-crash-loop"


def test_out_of_memory_is_a_warning_once_the_pod_is_back() -> None:
    found = trouble(pod(last=ended(137, "OOMKilled", minutes=9), restarts=1))
    assert found is not None and (found.rule, found.severity) == ("pod-out-of-memory", "warn")


def test_container_without_a_limit_that_runs_out_of_memory_blames_the_node() -> None:
    found = trouble(pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(137, "OOMKilled")))
    assert sentence(found).endswith("used more memory than its node had available")


def test_killed_container_blames_its_liveness_probe_only_when_that_failed() -> None:
    killed = pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(137), restarts=4)
    readiness = event("pods-web-1", "Unhealthy", "Readiness probe failed: 503", path="spec.containers{app}")
    assert (found := trouble(killed, readiness)) is not None and found.rule == "pod-crash-loop"
    other = event("pods-web-1", "Unhealthy", "Liveness probe failed: 500", path="spec.containers{sidecar}")
    assert (found := trouble(killed, other)) is not None and found.rule == "pod-crash-loop"


@pytest.mark.parametrize(
    ("state", "severity"),
    [(waiting("CrashLoopBackOff"), "bad"), ({"running": {"startedAt": ago(seconds=2)}}, "warn")],
)
def test_program_that_ends_in_order_is_known_by_what_the_kubelet_said(
    state: dict[str, Any], severity: str
) -> None:
    """As a kubelet of 1.36 reports a program that heeds SIGTERM: Completed, exit code 0."""
    path = "spec.containers{app}"
    last = ended(0, "Completed", seconds=20)
    last["terminated"]["startedAt"] = ago(seconds=60)
    stopped = pod(ready=severity == "warn", state=state, last=last, restarts=3)
    failed = event("pods-web-1", "Unhealthy", "Liveness probe failed: ", path=path)
    said = "Container app failed liveness probe, will be restarted"
    found = trouble(
        stopped, failed, event("pods-web-1", "Killing", said, path=path, type_="Normal", seconds=22)
    )
    assert found is not None and (found.rule, found.severity) == ("pod-liveness-failing", severity)
    # Said of an earlier run, or of another end: this time it ended by itself.
    for other in (
        event("pods-web-1", "Killing", said, path=path, type_="Normal", minutes=5),
        event("pods-web-1", "Killing", "Stopping container app", path=path, type_="Normal", seconds=22),
    ):
        found = trouble(stopped, failed, other)
        assert found is None or found.rule != "pod-liveness-failing"


@pytest.mark.parametrize(
    ("state", "last", "seconds", "rule"),
    [
        (waiting("PostStartHookError", "Exec lifecycle hook failed"), {}, 600, "pod-hook-failing"),
        (waiting("CrashLoopBackOff"), ended(137, seconds=20), 30, "pod-hook-failing"),
        # Of an earlier run: this one ended by itself.
        (waiting("CrashLoopBackOff"), ended(1, seconds=20), 90, "pod-crash-loop"),
    ],
)
def test_a_hook_that_fails_is_told_from_a_program_that_does(
    state: dict[str, Any], last: dict[str, Any], seconds: int, rule: str
) -> None:
    if last:
        last["terminated"]["startedAt"] = ago(seconds=60)
    failed = event(
        "pods-web-1",
        "FailedPostStartHook",
        "PostStartHook failed",
        path="spec.containers{app}",
        seconds=seconds,
    )
    found = trouble(pod(ready=False, state=state, last=last or None, restarts=3), failed)
    assert found is not None and found.rule == rule


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            'MountVolume.SetUp failed for volume "data" : hostPath type check failed: /srv/data is not a directory',
            "does not start: volume data cannot be mounted: on its node /srv/data is not a directory",
        ),
        (
            'MountVolume.SetUp failed for volume "data" : mount.nfs: Connection timed out',
            "does not start: volume data cannot be mounted: mount.nfs: Connection timed out",
        ),
    ],
)
def test_a_host_path_that_is_not_there_is_no_matter_of_storage(message: str, said: str) -> None:
    creating = pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING)
    found = trouble(creating, event("pods-web-1", "FailedMount", message))
    assert sentence(found) == said


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ('exec: "/start": permission denied: unknown', "cannot be executed"),
        ('exec: "/start": stat /start: no such file or directory', "cannot be found in its image"),
    ],
)
def test_a_command_that_may_not_be_executed_is_there(message: str, why: str) -> None:
    found = trouble(pod(ready=False, state=waiting("RunContainerError", message)))
    assert sentence(found) == f"cannot start: container app's command /start {why}"


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (
            'cannot load seccomp profile "/a.json": open /a.json: no such file or directory',
            "pod-cannot-start",
        ),
        ('chdir to cwd ("/gone") set in config.json failed: no such file or directory', "pod-cannot-start"),
        ("executable file `serve` not found in $PATH: No such file or directory", "pod-command-missing"),
    ],
)
def test_a_file_that_is_missing_is_not_always_the_command(message: str, rule: str) -> None:
    found = trouble(pod(state=waiting("CreateContainerError", message), **PENDING))
    assert found is not None and found.rule == rule


def test_too_little_memory_to_begin_with_is_out_of_memory() -> None:
    """What a container wrote into memory, by an emptyDir, is still there when it is started again."""
    message = (
        "unable to start container process: container init was OOM-killed (memory limit too low?): unknown"
    )
    last = ended(128, "StartError")
    last["terminated"]["message"] = message
    limits = {"resources": {"limits": {"memory": "16Mi"}}}
    for state in (waiting("RunContainerError", message), waiting("CrashLoopBackOff")):
        found = trouble(pod(ready=False, state=state, last=last, restarts=3, container=limits))
        assert sentence(found) == "was killed: container app used more memory than its limit of 16Mi"


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("SysctlForbidden", "Remove that sysctl"),
        ("AppArmor", "Load that profile"),
        ("UnexpectedAdmissionError", "Look at what its node's kubelet says"),
        ("TaintToleration", "The failed pod can be deleted"),
        ("PodOSNotSupported", "Select nodes of its operating system"),
        ("NodePorts", "The failed pod can be deleted"),
    ],
)
def test_what_a_kubelet_would_not_run_says_why_and_what_mends_that(reason: str, step: str) -> None:
    found = trouble(pod(phase="Failed", ready=False, reason=reason, message="as it said"))
    assert found is not None and found.rule == "pod-rejected"
    assert sentence(found).startswith("was rejected by the kubelet: ")
    assert found.step.text.startswith(step)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("DeletionByTaintManager", "its node has a NoExecute taint that it does not tolerate"),
        ("EvictionByEvictionAPI", "it was evicted through the API, as a drain does"),
        ("DeletionByPodGC", "its node is gone or out of service"),
        (
            "TerminationByKubelet",
            "the kubelet of its node terminated it for another pod, a shortage or a shutdown",
        ),
    ],
)
def test_who_ended_a_pod_is_told_before_how_its_containers_ended(reason: str, why: str) -> None:
    target = condition("DisruptionTarget", "True", reason)
    found = trouble(pod(phase="Failed", ready=False, state=ended(143), conditions=[target]))
    assert (found and found.rule, sentence(found)) == ("pod-disrupted", f"was terminated: {why}")
    stayed = condition("DisruptionTarget", "False", reason)  # it was announced, and did not come
    found = trouble(pod(phase="Failed", ready=False, state=ended(143), conditions=[stayed]))
    assert found is not None and found.rule == "pod-failed"


def test_a_node_that_a_template_names_and_that_never_was_is_not_told_as_a_node_that_is_gone() -> None:
    made = pod(phase="Pending", ready=False, node="old-1", conditions=[])
    made["status"] = {"phase": "Pending"}
    world = World(("nodes", node()))
    found = Survey(world, NOW).trouble(world.add("pods", made))
    assert sentence(found) == "can't run: its nodeName is old-1, and there is no such node"
    assert found is not None and found.step.text.startswith("Remove nodeName from its pod template")
    lost = World(("nodes", node()))
    assert sentence(Survey(lost, NOW).trouble(lost.add("pods", pod(node="old-1", ready=False)))) == (
        "is lost: node old-1 no longer exists"
    )


def test_pod_without_a_node_gives_the_schedulers_reason_and_what_it_asks_for() -> None:
    manifest = _unplaced(minutes=2)
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "8", "memory": "1Gi"}}
    assert sentence(trouble(manifest)) == (
        "can't be scheduled: insufficient cpu; it requests 8 CPU and 1 GiB memory"
    )


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ('configmap "settings" not found', "needs ConfigMap settings, which does not exist"),
        ('secret "db" not found', "needs Secret db, which does not exist"),
        ("couldn't find key URL in Secret shop/db", "needs key URL of Secret db, which does not exist"),
        (
            "couldn't find key a in ConfigMap shop/settings",
            "needs key a of ConfigMap settings, which does not exist",
        ),
    ],
)
def test_missing_configuration_is_named(message: str, what: str) -> None:
    assert what in sentence(trouble(pod(state=waiting("CreateContainerConfigError", message), **PENDING)))


def test_missing_key_of_a_configmap_leads_to_its_editor() -> None:
    message = "couldn't find key a in ConfigMap shop/settings"
    found = trouble(pod(state=waiting("CreateContainerConfigError", message), **PENDING))
    assert found is not None and found.step.page == "edit"
    assert found.step.ref is not None and found.step.ref.name == "settings"


@pytest.mark.parametrize(
    ("volume", "message", "what"),
    [
        ({}, 'MountVolume.SetUp failed for volume "v" : configmap "settings" not found', "needs ConfigMap settings"),
        (
            {"configMap": {"name": "settings"}},
            'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: a.json',
            "needs key a.json of ConfigMap settings",
        ),
        (
            {"secret": {"secretName": "db"}},
            'MountVolume.SetUp failed for volume "v" : references non-existent secret key: url',
            "needs key url of Secret db",
        ),
    ],
)  # fmt: skip
def test_configuration_missing_for_a_volume_is_read_from_the_event(
    volume: dict[str, Any], message: str, what: str
) -> None:
    creating = pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING)
    creating["spec"]["volumes"] = [{"name": "v"} | volume]
    assert what in sentence(trouble(creating, event("pods-web-1", "FailedMount", message)))


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("The node was low on resource: ephemeral-storage. Threshold", "its node ran out of disk"),
        ("The node had condition: [MemoryPressure]. ", "its node ran out of memory"),
        (
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
            "it exceeded its ephemeral-storage limit",
        ),
        ('Container c exceeded its local ephemeral storage limit "500Mi". ', "it exceeded its ephemeral-storage limit"),
        ('Usage of EmptyDir volume "cache" exceeds the limit "1Gi".', "its emptyDir volume cache exceeded its sizeLimit"),
        ("The node was low on resource: pids. ", "its node ran out of process IDs"),
        ("The node was low on resource: inodes. ", "its node ran out of inodes on its disk"),
    ],
)  # fmt: skip
def test_eviction_names_what_ran_short(message: str, why: str) -> None:
    assert why in sentence(trouble(pod(phase="Failed", ready=False, reason="Evicted", message=message)))


def test_remains_of_a_pod_that_was_replaced_long_ago_are_only_a_note() -> None:
    old = [condition("Ready", "False", since=ago(hours=5))]
    evicted = pod(phase="Failed", ready=False, reason="Evicted", conditions=old)
    assert (found := trouble(evicted)) is not None and found.severity == "note"


def test_pod_on_a_silent_node_cannot_be_reached_whatever_its_containers_said_last() -> None:
    lost = pod(ready=False, state=waiting("CrashLoopBackOff"))
    assert sentence(trouble(lost, nodes=node(ready="Unknown"))).startswith("cannot be reached: node node-1")
    assert sentence(trouble(lost, nodes=node("other"))) == "is lost: node node-1 no longer exists"


def test_pod_that_waits_for_a_finalizer_names_it_and_one_that_still_runs_names_its_node() -> None:
    ending = pod(ready=False)
    ending["metadata"] |= {"deletionTimestamp": ago(minutes=6), "finalizers": ["example.com/hold"]}
    assert sentence(trouble(ending, nodes=node())) == "is stuck terminating long after the grace period"
    found = trouble(ending, nodes=node(ready="Unknown"))
    just_deleted = pod(ready=False)
    just_deleted["metadata"]["deletionTimestamp"] = ago(
        seconds=30
    )  # by the taint manager, after five minutes
    lost = "cannot be reached: node node-1 stopped reporting"
    assert sentence(trouble(just_deleted, nodes=node(ready="Unknown"))) == lost
    assert trouble(just_deleted, nodes=node()) is None
    assert (
        sentence(found)
        == "is stuck terminating: its node node-1 does not respond, so its kubelet can't terminate it"
    )


def test_own_scheduler_that_has_not_looked_yet_has_a_minute() -> None:
    young = {
        "metadata": {"name": "web-1", "namespace": "shop", "creationTimestamp": ago(seconds=20)},
        "spec": {"schedulerName": "mine", "containers": []},
        "status": {"phase": "Pending"},
    }
    assert trouble(young) is None


def test_a_limit_that_is_not_there_is_not_to_be_raised() -> None:
    found = trouble(pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(137, "OOMKilled")))
    assert found is not None and found.step.text.startswith("Set a memory request and limit that fit")


def test_sidecar_that_keeps_ending_beside_a_pod_that_is_ready_is_told() -> None:
    crashing = {"state": waiting("CrashLoopBackOff"), "lastState": ended(2), "ready": False}
    assert sentence(trouble(_with_init("proxy", "Always", crashing))).startswith(
        "keeps crashing: container proxy exits with code 2"
    )
    often = {"state": {"running": {"startedAt": ago(minutes=1)}}, "lastState": ended(2)}
    assert sentence(trouble(_with_init("proxy", "Always", often))).startswith(
        "restarts often (9 times so far)"
    )


@pytest.mark.parametrize(
    ("state", "policy", "rule"),
    [
        (ended(0, "Completed", hours=1), "OnFailure", "pod-outlived"),
        (ended(1, hours=1), "Never", "pod-outlived"),
        (ended(1, hours=1), "OnFailure", "pod-crash-loop"),  # it is started again
        (ended(0, "Completed", minutes=5), "Never", ""),  # what the other one has to do may take a while
        (ended(1, minutes=1), "Never", ""),
        ({"running": {"startedAt": ago(hours=1)}}, "Never", "pod-not-ready"),
    ],
)
def test_a_container_that_is_not_started_again_neither_crashes_nor_lacks_traffic(
    state: dict[str, Any], policy: str, rule: str
) -> None:
    found = trouble(with_proxy(state, policy))
    assert (found.rule if found else "") == rule


def test_what_failed_is_told_although_another_container_runs_on() -> None:
    found = trouble(with_proxy(ended(1, hours=1)))
    assert found is not None and found.severity == "bad" and found.log is not None
    assert sentence(found).startswith(
        "does not end: container app exits with code 1, application error, but proxy"
    )
    waits = waiting("ImagePullBackOff", "not found")
    broken = trouble(with_proxy(ended(0, "Completed", hours=1), proxy={"state": waits, "ready": False}))
    assert broken is not None and broken.rule == "pod-image-not-found"
