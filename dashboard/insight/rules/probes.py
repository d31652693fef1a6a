"""Why a pod that runs gets no traffic: its probes and readiness gates."""

from __future__ import annotations

from datetime import timedelta

from dashboard.insight.finding import Evidence, LogWish, Step, Trouble, because_of, reported, stands
from dashboard.insight.names import PodRule
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.podspec import Probe
from dashboard.kinds.podstatus import ContainerStatus, Terminated
from dashboard.kinds.rows import shorten

from .case import Case
from .containers import probe_failed, stays_ended
from .exits import ended_as, exits
from .probeanswers import answer, because

# A start takes a while.
UNREADY = timedelta(minutes=1)


def sidecar_unstarted(case: Case) -> Trouble | None:
    """A sidecar has not passed its startup probe; the containers after it are not started before."""
    for status, must_end in case.containers():
        spec, running = case.spec_of(status), status.state.running
        if must_end or running is None or spec is None or not spec.sidecar or spec.startup_probe is None:
            continue
        if not status.started and case.older(running.started_at, UNREADY):
            rule, rest, step, proof, log = _container(case, status)
            return Trouble(
                rule, "warn", 47, "does not start", "do not start", rest, step, proof, running.started_at, log
            )  # fmt: skip
    return None


def stays_unready(case: Case) -> Trouble | None:
    """It runs, but a probe or a readiness gate has not passed for longer than a start takes."""
    ready = case.condition("Ready")
    if case.pod.status.phase != "Running" or ready is None or ready.status != "False":
        return None
    if not case.older(ready.last_transition_time, UNREADY):
        return None
    over = (status for status, must_end in case.containers() if not must_end and stays_ended(case, status))
    if (status := next(over, None)) is not None:
        # Whose work ends needs no traffic; the pod never is ready again.
        return _ended_for_good(case, status) if case.pod.spec.restart_policy == "Always" else None
    unready = [status for status, must_end in case.containers() if not must_end and not status.ready]
    if unready and all(_not_asked_yet(case, status) for status in unready):
        return None
    rule, rest, step, proof, log = _why(case)
    evidence = (*proof, *because_of(ready))
    one, many = "gets no traffic", "get no traffic"
    if case.survey.published_unready(case.pod):
        one, many = "is not ready", "are not ready"
    return Trouble(
        rule, "warn", 46, one, many, rest, step, evidence, ready.last_transition_time, log
    )  # fmt: skip


def _not_asked_yet(case: Case, status: ContainerStatus) -> bool:
    """Whether it runs for less long than its readiness probe waits before it asks for the first time."""
    spec, running = case.spec_of(status), status.state.running
    probe = spec.readiness_probe if spec is not None else None
    if probe is None or running is None or running.started_at is None:
        return False
    if spec is not None and spec.startup_probe is not None and not status.started:
        return False
    return not case.older(
        running.started_at, timedelta(seconds=probe.initial_delay_seconds + probe.period_seconds)
    )


def _ended_for_good(case: Case, status: ContainerStatus) -> Trouble:
    """By a restartPolicy of its own; the pod, which is to run on, is ready only while all of its containers are."""
    spec, ended = case.spec_of(status), status.state.terminated or Terminated()
    how = exits(status, ended) if ended.exit_code else ("container ", code(status.name), " has completed")
    policy = spec.restart_policy if spec else ""
    rest = parts(": ", *how, f", and its restartPolicy {policy} does not start it again")
    step = case.log_step("Read its log to see why, and remove its restartPolicy if it should run on.", status)
    if not ended.exit_code:
        step = case.look(
            "Make it an init container, or a Job: the pod is ready only while all its containers run."
        )
    evidence = (*ended_as(status, ended), *because_of(case.condition("Ready")))
    return Trouble(
        "pod-not-ready", "warn", 46, "gets no traffic", "get no traffic", rest, step, evidence, ended.finished_at,
        case.log(status) if ended.exit_code else None,
    )  # fmt: skip


def _why(case: Case) -> tuple[PodRule, Parts, Step, tuple[Evidence, ...], LogWish | None]:
    for status, must_end in case.containers():
        if must_end or status.ready or _not_asked_yet(case, status):
            continue
        return _container(case, status)
    conditions = {one.type: one for one in case.pod.status.conditions or ()}
    for gate in case.pod.spec.readiness_gates or ():
        met = conditions.get(gate.condition_type)
        if met is None or met.status != "True":
            said = f": {shorten(met.message).rstrip('.')}" if met is not None and met.message.strip() else ""
            rest = parts(": readiness gate ", code(gate.condition_type), f" is not met{said}")
            proof = because_of(met) or stands(f"Condition {gate.condition_type}", "not set")
            step = case.look("Look at what sets that condition, most often a load balancer's controller.")
            return "pod-gate-unmet", rest, step, proof, None
    return "pod-not-ready", (), case.look("Look at its conditions and events.", "events"), (), None


def _container(
    case: Case, status: ContainerStatus
) -> tuple[PodRule, Parts, Step, tuple[Evidence, ...], LogWish | None]:
    spec, name = case.spec_of(status), code(status.name)
    log = LogWish(case.namespace, case.pod.metadata.name, status.name, previous=False)
    if spec is not None and spec.startup_probe is not None and not status.started:
        event = probe_failed(case, status, "Startup")
        found = answer(event, spec.startup_probe, spec)
        rest = parts(": container ", name, " has not passed its startup probe", because(found))
        text = "Read its log; if it only needs more time, raise the startup probe's failureThreshold."
        proof = (*reported(event), *stands("startupProbe", in_words(spec.startup_probe)))
        return "pod-startup-failing", rest, _log(case, status, found.mend or text), proof, log
    if spec is not None and spec.readiness_probe is not None:
        event = probe_failed(case, status, "Readiness")
        found = answer(event, spec.readiness_probe, spec)
        rest = parts(": container ", name, " fails its readiness probe", because(found))
        proof = (*reported(event), *stands("readinessProbe", in_words(spec.readiness_probe)))
        text = "Read its log to see why." if found.why else "Read its log: it runs, but does not respond."
        return "pod-readiness-failing", rest, _log(case, status, found.mend or text), proof, log
    rest = parts(": container ", name, " is not ready")
    return "pod-not-ready", rest, _log(case, status, "Read its log."), reported(case.event()), log


def _log(case: Case, status: ContainerStatus, text: str) -> Step:
    return Step(text, case.ref, "logs", status.name)


def in_words(probe: Probe) -> str:
    """What a probe asks, and how often."""
    ask = "asks"
    if probe.http_get is not None:
        ask = f"{probe.http_get.scheme} GET {probe.http_get.path} on port {probe.http_get.port}"
    elif probe.tcp_socket is not None:
        ask = f"TCP port {probe.tcp_socket.port}"
    elif probe.grpc is not None:
        ask = f"gRPC port {probe.grpc.port}"
    elif probe.exec is not None:
        ask = "runs a command in the container"
    often = f"every {probe.period_seconds} s, timeout {probe.timeout_seconds} s"
    return f"{ask}, {often}, fails after {probe.failure_threshold} in a row"
