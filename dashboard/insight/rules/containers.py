"""What can be wrong with a pod's containers once they are to run.

The words are those of the kubelet of Kubernetes 1.36 (pkg/kubelet/kuberuntime) and of container runtimes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from dashboard.insight.finding import Evidence, Severity, Step, Trouble, because_of, reported, stands
from dashboard.insight.pod_health import RECENT, resize_held
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.events import Event
from dashboard.kinds.podspec import Resources
from dashboard.kinds.podstatus import ContainerStatus, Terminated
from dashboard.kinds.rows import listed, plural, shorten

from .case import Case, waiting_as
from .exits import ended_as, exits
from .probeanswers import answer, because
from .runtimes import cause, mount_refused

# Between two crashes the container runs for a moment; it has recovered when that lasts longer.
RECOVERED = timedelta(minutes=3)
OFTEN = 5
# Another pod may make room for a resize by then.
RESIZING = timedelta(minutes=1)
# A container that ships what another one left may need a while.
FAILED, OUTLIVED = timedelta(minutes=2), timedelta(minutes=10)
# An init container that waits for something else may do so for a while.
INITIALIZING = timedelta(minutes=10)

_STOPPED = (137, 143)  # how a container ends that the kubelet stops
_FAILED_PROBE = re.compile(r"failed (?:liveness|startup) probe")
_START = frozenset({"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun"})
_HOOK = "PostStartHookError"
_KILLED_AT_START = "container init was OOM-killed"  # by runc: even that was too much
# By what container runtimes say, what to do; the first that fits.
_MEND = {
    "seccomp profile": "Put that profile on its node, or set seccompProfile to RuntimeDefault in its pod template.",
    "apparmor": "Load that profile on its node, or correct appArmorProfile in its pod template.",
    "is reserved for": "Wait: an earlier try is still under way; if that lasts, look at its node's container runtime.",
    "deadline exceeded": "Wait: the kubelet tries again; if that lasts, look at its node's container runtime and disk.",
    "not a shared mount": "Mount that path as shared on its node, or correct mountPropagation in its pod template.",
    "chdir to cwd": "Correct workingDir in its pod template, or let the container's user enter that directory.",
    "nvidia-container-cli": "Look at the GPU driver and the NVIDIA container toolkit on its node.",
    "cgroup": "Look at its node: the container runtime or the kubelet can't manage its control groups.",
    "no command specified": "Set command in its pod template, or in the image: neither has one.",
}
_NO_COMMAND = re.compile(
    r'exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat|permission denied|no such file)'
    r"|executable file (?:\S+ )?not found",
    re.IGNORECASE,
)


def cannot_start(case: Case) -> Trouble | None:
    """The container runtime could not start the container."""
    for status, _ in case.containers():
        waiting, ended = status.state.waiting, status.state.terminated or status.last_state.terminated
        refused = ended is not None and ended.reason in _START
        if waiting is not None and (waiting.reason in _START or (refused and not status.ready)):
            message = waiting.message if waiting.reason in _START else ended.message if ended else ""
            reason = waiting.reason if waiting.reason in _START else ended.reason if ended else ""
            if _KILLED_AT_START in message:
                continue
            return _refused(case, status, reason, message)
    return None


def _refused(case: Case, status: ContainerStatus, reason: str, message: str) -> Trouble:
    evidence = stands(f"Container {status.name}, {reason}", message or "no message")
    since = case.since("PodScheduled")
    if found := _NO_COMMAND.search(message):
        command = parts(" ", code(found[1])) if found[1] else ()
        there = "permission denied" in message
        why = " cannot be executed" if there else " cannot be found in its image"
        rest = parts(": container ", code(status.name), "'s command", *command, why)
        mend = "Correct command and args in its pod template, or the image"
        step = case.image_step(f"{mend}: the file is not executable." if there else f"{mend}.")
        verb = "cannot start"
        return Trouble("pod-command-missing", "bad", 63, verb, verb, rest, step, evidence, since)
    if refusal := mount_refused(message):
        where, why, mend = refusal
        at = code(where), " of container ", code(status.name)
        rest, step = parts(": a volume can't be mounted at ", *at, f": {why}"), case.look(mend)
    else:
        said = f": {words}" if (words := cause(message)) else ""
        rest = parts(
            ": the container runtime can't start container ", code(status.name), f" ({reason}){said}"
        )
        todo = next((text for sign, text in _MEND.items() if sign in message), "")
        step = case.look(todo or "Check its command, mounts and securityContext in the pod template.")
        if "exec format error" in message:
            step = case.image_step("Use an image that is built for the architecture of its node.")
    return Trouble("pod-cannot-start", "bad", 62, "cannot start", "cannot start", rest, step, evidence, since)


def out_of_memory(case: Case) -> Trouble | None:
    """A container was killed for using more memory than its limit (OOMKilled)."""
    for status, _ in case.containers():
        ended = status.state.terminated or status.last_state.terminated
        if ended is None or (ended.reason != "OOMKilled" and _KILLED_AT_START not in ended.message):
            continue
        if _recovered(case, status, ended):
            continue
        rest, step, limit = too_much_memory(case, status)
        evidence = (*ended_as(status, ended), *stands("resources.limits.memory", limit or "not set"))
        severity: Severity = "warn" if status.ready else "bad"
        weight = 40 if status.ready else 68
        return Trouble(
            "pod-out-of-memory", severity, weight, "was killed", "were killed", rest, step, evidence,
            case.trouble_since(status, ended), case.log(status),
        )  # fmt: skip
    return None


def too_much_memory(case: Case, status: ContainerStatus) -> tuple[Parts, Step, str]:
    """Of a container that was OOMKilled: what it exceeded, what to do, and the limit, or ""."""
    spec = case.spec_of(status)
    own, of_pod = _memory_limit(spec.resources if spec else None), _memory_limit(case.pod.spec.resources)
    # Without any limit it is the node that ran out of memory.
    used, bound, text = (
        "used more memory",
        "its node had available",
        "Set a memory request and limit that fit",
    )
    if own:
        bound, text = f"its limit of {own}", "Raise the memory limit"
    elif of_pod:  # which is for all of its containers together
        used, bound = "was killed, as the pod used more memory", f"its limit of {of_pod}"
        text = "Raise the memory limit of the pod"
    rest = parts(": container ", code(status.name), f" {used} than {bound}")
    step = case.log_step(f"{text}, or find out in its log what uses the memory.", status)
    return rest, step, own or of_pod


def _recovered(case: Case, status: ContainerStatus, ended: Terminated) -> bool:
    """Whether it has run so well since an end that something else is wrong with it now, if anything."""
    running, ready = status.state.running, case.condition("Ready")
    if running is None:
        return False
    changed = ready.last_transition_time if ready is not None and not status.ready else None
    was_ready = changed is not None and running.started_at is not None and changed > running.started_at
    return was_ready or case.older(ended.finished_at, RECENT)


def _memory_limit(resources: Resources | None) -> str:
    return ((resources.limits if resources else None) or {}).get("memory", "")


def init_fails(case: Case) -> Trouble | None:
    """An init container ends with an error, so the others never start."""
    for status, must_end in case.containers():
        ended = _crash(case, status) if must_end else None
        if ended is not None and ended.exit_code:
            rest = parts(": init ", *exits(status, ended))
            step = case.log_step("Read its log: it must succeed before the other containers start.", status)
            return Trouble(
                "pod-init-failing", "bad", 64, "cannot start", "cannot start", rest, step,
                ended_as(status, ended), case.trouble_since(status, ended), case.log(status),
            )  # fmt: skip
    return None


def init_stuck(case: Case) -> Trouble | None:
    """An init container runs and runs; most often it waits for something that does not come."""
    for status, must_end in case.containers():
        running = status.state.running
        if not must_end or running is None or not case.older(running.started_at, INITIALIZING):
            continue
        rest = parts(": init container ", code(status.name), " has been running for a long time")
        step = case.log_step("Read its log to see what it waits for.", status)
        evidence = stands(f"Container {status.name}", "running, and must complete before the others start")
        return Trouble(
            "pod-init-stuck", "warn", 47, "does not start", "do not start", rest, step, evidence,
            running.started_at, case.log(status),
        )  # fmt: skip
    return None


def fails_liveness(case: Case) -> Trouble | None:
    """It is stopped and started again because its liveness probe fails."""
    for status, must_end in case.containers():
        ended = None if must_end else (_crash(case, status) or _often(case, status) or _again(case, status))
        if ended is None or not _stopped(case, status, ended):
            continue
        event = probe_failed(case, status, "Liveness") or probe_failed(case, status, "Startup")
        if event is None:
            continue
        which, spec = event.message.partition(" ")[0].lower(), case.spec_of(status)
        probe = (spec.startup_probe if which == "startup" else spec.liveness_probe) if spec else None
        found = answer(event, probe, spec)
        rest = parts(
            ": container ", code(status.name), f" fails its {which} probe, so the kubelet stops it", because(found)
        )  # fmt: skip
        text = "Read its log; if it only needs more time, raise the probe's thresholds."
        step = case.log_step(found.mend or text, status)
        evidence = (*reported(event), *ended_as(status, ended))
        severity: Severity = "warn" if status.ready else "bad"
        return Trouble(
            "pod-liveness-failing", severity, 67, "keeps being restarted", "keep being restarted", rest,
            step, evidence, case.trouble_since(status, ended), case.log(status),
        )  # fmt: skip
    return None


def hook_fails(case: Case) -> Trouble | None:
    """It is stopped and started again because its postStart hook fails; it waits in between as after any other end."""
    for status, must_end in case.containers():
        if status.ready:
            continue
        waiting = status.state.waiting
        known = waiting is not None and waiting.reason == _HOOK
        ended = None if must_end else (_crash(case, status) or status.last_state.terminated)
        failed = case.survey.events(case.pod.metadata.uid, "FailedPostStartHook")
        event = next(about(case, status, failed), None)
        if not known and (ended is None or event is None or not _while_it_ran(event, ended)):
            continue
        ended = ended or Terminated()
        rest = parts(": container ", code(status.name), "'s postStart hook fails, so the kubelet stops it")
        step = case.log_step(
            "Correct lifecycle.postStart in its pod template: what the hook prints is in no log.", status
        )
        evidence = (*(reported(event) if event else waiting_as(status)), *ended_as(status, ended))
        return Trouble(
            "pod-hook-failing", "bad", 67, "keeps being restarted", "keep being restarted", rest, step, evidence,
            case.trouble_since(status, ended), case.log(status),
        )  # fmt: skip
    return None


def _while_it_ran(event: Event, ended: Terminated) -> bool:
    """Whether an Event is of the run that ended so; all of them tell whole seconds."""
    return (
        event.last_seen is not None and ended.started_at is not None and event.last_seen >= ended.started_at
    )


def _stopped(case: Case, status: ContainerStatus, ended: Terminated) -> bool:
    """Whether the kubelet stopped it: by how it ended, or, as a program that is told to stop may end in order, by the
    kubelet's own word (computePodActions), given while it ran.
    """
    if ended.exit_code in _STOPPED:
        return True
    stops = about(case, status, case.survey.killings.get(case.pod.metadata.uid, ()))
    killing = next((event for event in stops if _FAILED_PROBE.search(event.message)), None)
    return killing is not None and _while_it_ran(killing, ended)


def _again(case: Case, status: ContainerStatus) -> Terminated | None:
    """How it ended last, when that was a short while ago and not the first time; it may run and be ready just now."""
    last = status.last_state.terminated
    if status.restart_count < 2 or last is None or case.older(last.finished_at, RECOVERED):
        return None
    return last


def probe_failed(case: Case, status: ContainerStatus, probe: str) -> Event | None:
    """The latest Event that says that this probe of the container failed."""
    failed = case.survey.events(case.pod.metadata.uid, "Unhealthy", "ProbeError")
    return next((event for event in about(case, status, failed) if event.message.startswith(probe)), None)


def about(case: Case, status: ContainerStatus, events: Iterable[Event]) -> Iterator[Event]:
    """Those of the pod's Events that are about this container."""
    path = f"{{{status.name}}}"
    single = len(case.pod.spec.containers or ()) == 1
    for event in events:
        field = event.involved_object.field_path
        if field.endswith(path) or (single and not field):
            yield event


def keeps_crashing(case: Case) -> Trouble | None:
    """CrashLoopBackOff, and the short moments between two crashes in which the word is another one."""
    for status, must_end in case.containers():
        ended = None if must_end or stays_ended(case, status) else _crash(case, status)
        if ended is not None:
            rest = parts(": ", *exits(status, ended))
            step = case.log_step("Read the log of its previous run.", status)
            if ended.reason == "Completed":
                text = "Give it a command that keeps running, or run it as a Job or CronJob if its work ends."
                step = case.log_step(text, status)
            return Trouble(
                "pod-crash-loop", "bad", 66, "keeps crashing", "keep crashing", rest, step,
                (*ended_as(status, ended), *_backing_off(status)), case.trouble_since(status, ended), case.log(status),
            )  # fmt: skip
    return None


def stays_ended(case: Case, status: ContainerStatus) -> bool:
    """Whether it has ended and, by its restartPolicy, is not started again."""
    ended, spec = status.state.terminated, case.spec_of(status)
    policy = (spec.restart_policy if spec else "") or case.pod.spec.restart_policy
    return ended is not None and (policy == "Never" or (policy == "OnFailure" and not ended.exit_code))


def outlived(case: Case) -> Trouble | None:
    """Its work is done, or has failed, and the pod does not end, as another container of it runs on: a proxy mostly."""
    if case.pod.spec.restart_policy == "Always":
        return None  # a container of it may end for good by a restartPolicy of its own: the pod is to run on
    names = {one.name for one in case.pod.spec.containers or ()}
    every = [status for status, _ in case.containers() if status.name in names]
    over = [status for status in every if stays_ended(case, status)]
    on = [status for status in every if status.state.running is not None]
    ends = [(status, status.state.terminated) for status in over if status.state.terminated is not None]
    if not ends or not on or len(over) + len(on) < len(every):
        return None
    status, ended = next(((one, how) for one, how in ends if how.exit_code), ends[-1])
    since = max((how.finished_at for _, how in ends if how.finished_at), default=None)
    if not case.older(since, FAILED if ended.exit_code else OUTLIVED):
        return None
    how = (
        parts(*exits(status, ended))
        if ended.exit_code
        else parts("container ", code(status.name), " has completed")
    )
    others = listed(one.name for one in on)
    rest = parts(": ", *how, ", but ", code(others), f" {'goes' if len(on) == 1 else 'go'} on running")
    mend = (
        f"make {others} a sidecar (an init container with restartPolicy: Always), or let it end with the work"
    )
    step = case.look(f"{mend[0].upper()}{mend[1:]}.", "yaml")
    if ended.exit_code:
        step = case.log_step(f"Read its log to see why; then {mend}.", status)
    evidence = (*ended_as(status, ended), *stands("spec.restartPolicy", case.pod.spec.restart_policy))
    severity: Severity = "bad" if ended.exit_code else "warn"
    return Trouble(
        "pod-outlived", severity, 46, "does not end", "do not end", rest, step, evidence, since,
        case.log(status) if ended.exit_code else None,
    )  # fmt: skip


def _backing_off(status: ContainerStatus) -> tuple[Evidence, ...]:
    return waiting_as(status) if status.state.waiting is not None else ()


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
        last = None if must_end else _often(case, status)
        if last is None:
            continue
        rest = parts(f" ({plural(status.restart_count, 'time')} so far): ", *exits(status, last))
        step = case.log_step("Read the log of its previous run.", status)
        return Trouble(
            "pod-restarts-often", "warn", 38, "restarts often", "restart often", rest, step,
            ended_as(status, last), case.trouble_since(status, last), case.log(status),
        )  # fmt: skip
    return None


def resize_waits(case: Case) -> Trouble | None:
    """It runs on with what it had: its node cannot resize it in place."""
    held = next((one for one in case.pod.status.conditions or () if resize_held(one)), None)
    if held is None or not case.older(held.last_transition_time, RESIZING):
        return None
    said = f": {shorten(held.message).rstrip('.')}" if held.message else ""
    text = "Request what its node has, or recreate the pod, so that it is scheduled where there is enough."
    if held.reason == "Error":
        text = "Correct its requests and limits, or recreate the pod: until then it keeps those that it had."
    return Trouble(
        "pod-resize-held", "warn", 24, "can't be resized in place", "can't be resized in place", parts(said),
        case.look(text), because_of(held), held.last_transition_time,
    )  # fmt: skip


def _often(case: Case, status: ContainerStatus) -> Terminated | None:
    last = status.last_state.terminated
    if status.restart_count < OFTEN or last is None or case.older(last.finished_at, RECENT):
        return None
    return last
