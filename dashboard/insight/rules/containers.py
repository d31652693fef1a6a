"""What can be wrong with a pod's containers.

The words are those of the kubelet of Kubernetes 1.36 (pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime).
"""

from __future__ import annotations

import re
from datetime import timedelta

from dashboard.insight.finding import Severity, Trouble, said
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.podstatus import ContainerStatus, Terminated
from dashboard.kinds.rows import shorten

from .case import Case, exits, restarts

# A container that has just been asked for passes through these states by itself.
CREATING = frozenset({"", "ContainerCreating", "PodInitializing"})
PATIENCE = timedelta(seconds=15)
# Between two crashes the container runs for a moment; it has recovered when that lasts longer.
RECOVERED = timedelta(minutes=3)
# A restart longer ago than this is history, not a problem.
RECENT = timedelta(hours=1)
OFTEN = 5

_START = frozenset(
    {"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun", "PostStartHookError"}
)
_PULL = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "RegistryUnavailable",
    }
)  # fmt: skip
_NEVER = {
    "InvalidImageName": ("that is not a valid image name", "Correct the image in its pod template."),
    "ErrImageNeverPull": (
        "it is not on the node, and pulling is switched off",
        "Set its imagePullPolicy to IfNotPresent.",
    ),
}
# What registries answer → why, and what to do.
_REGISTRY = tuple(
    (re.compile(pattern, re.IGNORECASE), why, step)
    for pattern, why, step in (
        (
            r"toomanyrequests|too many requests|\b429\b",
            "the registry limits how often it may be asked",
            "Wait a while, or sign in to the registry with a pull secret.",
        ),
        (
            r"unauthorized|denied|forbidden|authentication required|\b40[13]\b",
            "the registry refuses it: it is private, or does not exist",
            "Give it a pull secret for that registry, or correct the image.",
        ),
        (
            r"not found|manifest unknown|\b404\b",
            "the registry has no such image or tag",
            "Correct the image in its pod template, or push that tag.",
        ),
        (
            r"no such host|timeout|timed out|refused|unreachable|i/o|x509|certificate",
            "the registry cannot be reached",
            "Check the way from the nodes to the registry.",
        ),
    )
)
_ABSENT = re.compile(r"""(configmap|secret) ["']?([^"'\s]+)["']? not found""", re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (configmap|secret) (\S+)", re.IGNORECASE)


def misses_configuration(case: Case) -> Trouble | None:
    """A ConfigMap or Secret is not there, or lacks a key (CreateContainerConfigError, or a failed mount)."""
    for status, _ in case.containers():
        waiting = status.state.waiting
        if waiting is None:
            continue
        message = waiting.message
        if waiting.reason in CREATING and case.older(case.since("PodScheduled"), PATIENCE):
            message = case.warning()  # that a volume cannot be mounted is only said in an event
        elif waiting.reason != "CreateContainerConfigError":
            continue
        missing = _missing(case, message)
        if missing is None and waiting.reason == "CreateContainerConfigError":
            missing = parts(shorten(message)), case.ref, "Correct its pod template."
        if missing is not None:
            what, ref, step = missing
            rest = parts(": container ", code(status.name), " needs ", *what)
            verb, evidence, since = "cannot start", said("kubelet", message), case.since("PodScheduled")
            return Trouble("pod-config-missing", "bad", 65, verb, verb, rest, step, ref, evidence, since)
    return None


def _missing(case: Case, message: str) -> tuple[Parts, Ref, str] | None:
    if found := _NO_KEY.search(message):
        key, kind, name = found[1], _kind(found[2]), found[3].rpartition("/")[2]
        ref = Ref(kind, case.pod.metadata.namespace, name, f"{kind.lower()}s")
        what = parts("key ", code(key), f" of {kind} ", code(name), ", which is not there")
        return what, ref, f"Add key {key} to {kind} {name}."
    if found := _ABSENT.search(message):
        kind, name = _kind(found[1]), found[2].rpartition("/")[2]
        step = (
            f"Create {kind} {name}, or correct its name in the pod template; the pod then starts by itself."
        )
        return parts(f"{kind} ", code(name), ", which does not exist"), case.ref, step
    return None


def _kind(word: str) -> str:
    return "Secret" if word.lower() == "secret" else "ConfigMap"


def cannot_pull(case: Case) -> Trouble | None:
    """The image is not there, not allowed, or the registry does not answer."""
    for status, _ in case.containers():
        waiting = status.state.waiting
        if waiting is None or waiting.reason not in _PULL:
            continue
        spec = case.spec_of(status)
        why, step = "the registry gave no image", "Look at the pod's events."
        if waiting.reason in _NEVER:
            why, step = _NEVER[waiting.reason]
        else:
            # While it backs off, the registry's own answer may stand in the last event only.
            answer = f"{waiting.message} {case.warning()}"
            why, step = next(((w, s) for pattern, w, s in _REGISTRY if pattern.search(answer)), (why, step))
        rest = parts(" ", code((spec.image if spec else "") or status.image), f": {why}")
        evidence, since = said("kubelet", waiting.message), case.since("PodScheduled")
        one, many = "cannot pull its image", "cannot pull their image"
        return Trouble("pod-image-pull", "bad", 65, one, many, rest, step, case.ref, evidence, since)
    return None


def cannot_start(case: Case) -> Trouble | None:
    """The container runtime could not start the container."""
    for status, _ in case.containers():
        waiting = status.state.waiting
        if waiting is not None and waiting.reason in _START:
            rest = parts(": the runtime refuses container ", code(status.name), f" ({waiting.reason})")
            step = "Check its command, its mounts and its security settings in the pod template."
            verb, evidence, since = (
                "cannot start",
                said("kubelet", waiting.message),
                case.since("PodScheduled"),
            )
            return Trouble("pod-cannot-start", "bad", 62, verb, verb, rest, step, case.ref, evidence, since)
    return None


def out_of_memory(case: Case) -> Trouble | None:
    """A container was killed for using more memory than its limit (OOMKilled)."""
    for status, _ in case.containers():
        ended = status.state.terminated or status.last_state.terminated
        if ended is None or ended.reason != "OOMKilled":
            continue
        if status.ready and case.older(ended.finished_at, RECENT):
            continue
        spec = case.spec_of(status)
        limits = (spec.resources.limits if spec and spec.resources else None) or {}
        bound = f" of {limits['memory']}" if "memory" in limits else ""
        rest = parts(": container ", code(status.name), f" used more memory than its limit{bound}")
        step = "Raise the memory limit, or find out what fills the memory."
        one, many, evidence, since = "was killed", "were killed", restarts(status), ended.finished_at
        severity: Severity = "warn" if status.ready else "bad"
        weight = 40 if status.ready else 68
        return Trouble(
            "pod-out-of-memory", severity, weight, one, many, rest, step, case.ref, evidence, since
        )
    return None


def init_fails(case: Case) -> Trouble | None:
    """An init container ends with an error, so the others never start."""
    for status, must_end in case.containers():
        ended = _crash(case, status) if must_end else None
        if ended is not None and ended.exit_code:
            rest = parts(": init ", *exits(status, ended))
            step = "Read that container's log: it must succeed before the others start."
            evidence = restarts(status) + said("container", ended.message)
            verb, since = "cannot start", ended.finished_at
            return Trouble("pod-init-failing", "bad", 64, verb, verb, rest, step, case.ref, evidence, since)
    return None


def keeps_crashing(case: Case) -> Trouble | None:
    """CrashLoopBackOff, and the short moments between two crashes in which the word is another one."""
    for status, must_end in case.containers():
        ended = None if must_end else _crash(case, status)
        if ended is not None:
            rest, step = parts(": ", *exits(status, ended)), "Read the log of its previous run."
            evidence = restarts(status) + said("container", ended.message)
            one, many, since = "keeps crashing", "keep crashing", ended.finished_at
            return Trouble("pod-crash-loop", "bad", 66, one, many, rest, step, case.ref, evidence, since)
    return None


def _crash(case: Case, status: ContainerStatus) -> Terminated | None:
    """How the container ended last, if it is crashing now."""
    now, last = status.state, status.last_state.terminated
    if now.waiting is not None and now.waiting.reason == "CrashLoopBackOff":
        return last or Terminated()
    if now.terminated is not None and now.terminated.exit_code:
        return now.terminated
    again = now.running is not None and not status.ready and status.restart_count >= 2
    if again and last is not None and last.exit_code and not case.older(last.finished_at, RECOVERED):
        return last
    return None


def restarts_often(case: Case) -> Trouble | None:
    """It is up just now, but was started again and again within the last hour."""
    for status, must_end in case.containers():
        last = status.last_state.terminated
        if must_end or status.restart_count < OFTEN or last is None or case.older(last.finished_at, RECENT):
            continue
        rest, step = parts(": ", *exits(status, last)), "Read the log of its previous run."
        evidence = restarts(status) + said("container", last.message)
        one, many, since = "restarts often", "restart often", last.finished_at
        return Trouble("pod-restarts-often", "warn", 38, one, many, rest, step, case.ref, evidence, since)
    return None
