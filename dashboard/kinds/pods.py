"""Pods: the smallest thing that runs."""

from __future__ import annotations

import sys

import msgspec

from .base import GVR, Cell, Condition, ContainerFact, Detail, Fact, Found, Kind, Role, Row, State
from .facts import conditions, page, pod_spec_facts
from .meta import Object
from .podspec import Container, PodSpec
from .podstatus import ContainerStatus, PodStatus, readiness_gates, summarize
from .podwords import judge, judge_container
from .references import reference
from .rows import (
    AGE_HELP,
    NAME_HELP,
    age,
    age_key,
    col,
    columns,
    common,
    common_key,
    make_row,
    natural,
    or_none,
    plural,
    ratio_key,
)

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"  # an annotation


class Pod(Object, frozen=True, gc=False):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Ready", "How many of its containers are ready, of how many."),
    col("Status", "The state of its containers, or why they are not running."),
    col("Restarts", "How often its containers were restarted, and when last."),
    col("Age", AGE_HELP),
    col("IP", "Its address inside the cluster; a new pod gets a new one.", wide=True),
    col("Node", "The node that it runs on.", wide=True),
    col("Nominated Node", "The node on which lower-priority pods are preempted for it.", wide=True),
    col("Readiness Gates", "Extra conditions that must be True before it is ready.", wide=True),
)


def row(pod: Pod) -> Row:
    """The pod's row; rules in :func:`~dashboard.kinds.podstatus.summarize`."""
    meta, spec, status = pod.metadata, pod.spec, pod.status
    summary = summarize(spec, status, meta.deletion_timestamp is not None)
    state, reason = _judge(pod, summary.status)
    restarts = str(summary.restarts)
    last = summary.last_restart
    ip = or_none(status.pod_ips[0].ip if status.pod_ips else None)
    node, nominated = common(spec.node_name or "<none>"), common(status.nominated_node_name or "<none>")
    gates = readiness_gates(spec, status)
    cells = (
        Cell(meta.name),
        common(f"{summary.ready}/{summary.total}"),
        common(summary.status),
        common(restarts) if last is None else Cell(restarts, last, "ago"),
        age(meta.creation_timestamp),
        ip,
        node,
        nominated,
        common(gates),
    )
    sort = (
        natural(meta.name),
        ratio_key(summary.ready, summary.total),
        sys.intern(summary.status.lower()),
        (summary.restarts, last.timestamp() if last else 0.0),
        age_key(meta.creation_timestamp),
        natural(ip.text),
        common_key(node.text),
        common_key(nominated.text),
        gates,
    )
    return make_row(meta, cells, sort, state, reason, found_by=found_by(pod))


def found_by(pod: Pod) -> list[Found]:
    """Its addresses and the images of its containers, each once."""
    spec = pod.spec
    groups = (spec.containers, spec.init_containers, spec.ephemeral_containers)
    images = dict.fromkeys(one.image for group in groups for one in group or ())
    return [*(("IP", each.ip) for each in pod.status.pod_ips or ()), *(("Image", image) for image in images)]


def _judge(pod: Pod, word: str) -> tuple[State, str]:
    spec = pod.spec
    specs = {one.name: one for group in (spec.init_containers, spec.containers) for one in group or ()}
    gates = tuple(gate.name for gate in spec.scheduling_gates or ())
    return judge(word, pod.status, specs, gates, pod.metadata.finalizers)


def detail(pod: Pod) -> Detail:
    """The facts of the pod's page."""
    meta, spec, status = pod.metadata, pod.spec, pod.status
    summary = summarize(spec, status, meta.deletion_timestamp is not None)
    state, reason = _judge(pod, summary.status)
    where = f" on node {spec.node_name}" if spec.node_name else ", not scheduled yet"
    ready = "completed" if state == "done" else f"{summary.ready} of {summary.total} ready"
    sentence = f"A pod with {plural(summary.total, 'container')}{where}, {ready}: {summary.status}"
    facts = [Fact("Status", summary.status, reason)]
    if spec.node_name:
        facts.append(Fact("Node", spec.node_name, link=reference("Node", "", spec.node_name)))
    if status.pod_ips:
        facts.append(Fact("IP", ", ".join(ip.ip for ip in status.pod_ips)))
    if summary.restarts:
        facts.append(Fact("Restarts", str(summary.restarts), since=summary.last_restart))
    if status.start_time:
        facts.append(Fact("Started", "", since=status.start_time))
    if status.qos_class:
        facts.append(Fact("Quality of service", status.qos_class, _QOS.get(status.qos_class, "")))
    facts += pod_spec_facts(spec, meta.namespace)
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        conditions=_conditions(pod),
        containers=containers(pod),
    )


_QOS = {
    "Guaranteed": "evicted last under node pressure",
    "Burstable": "may use more than it requests; evicted before Guaranteed pods",
    "BestEffort": "requests nothing; evicted first under node pressure",
}


def _conditions(pod: Pod) -> tuple[Condition, ...]:
    bad = frozenset({"DisruptionTarget"})
    over = pod.status.phase == "Succeeded"
    judged = conditions(pod.status.conditions, bad_when_true=bad)
    return tuple(msgspec.structs.replace(c, state="done") for c in judged) if over else judged


def containers(pod: Pod) -> tuple[ContainerFact, ...]:
    """Init containers, sidecars, containers and ephemeral ones, in the spec's order."""
    spec, status = pod.spec, pod.status
    groups: tuple[tuple[Role, _Specs, _Statuses], ...] = (
        ("init", spec.init_containers, status.init_container_statuses),
        ("container", spec.containers, status.container_statuses),
        ("ephemeral", spec.ephemeral_containers, status.ephemeral_container_statuses),
    )
    found = []
    for role, specs, statuses in groups:
        by_name = {one.name: one for one in statuses or ()}
        found += [_container(one, by_name.get(one.name), role) for one in specs or ()]
    return tuple(found)


_Specs = tuple[Container, ...] | None
_Statuses = tuple[ContainerStatus, ...] | None


def _container(spec: Container, status: ContainerStatus | None, role: Role) -> ContainerFact:
    kind: Role = "sidecar" if role == "init" and spec.sidecar else role
    ports = tuple(f"{port.container_port}/{port.protocol}" for port in spec.ports or ())
    if status is None:
        return ContainerFact(spec.name, spec.image, kind, "info", False, 0, "Waiting", "", False, ports)
    state, reason = judge_container(spec, status, init=role == "init")
    now = status.state
    if now.running is not None:
        word, since = "Running", now.running.started_at
    elif now.terminated is not None:
        word, since = now.terminated.word, now.terminated.finished_at
    else:
        word, since = (now.waiting.reason if now.waiting else "") or "Waiting", None
    if role == "ephemeral" and state == "warn":
        state, reason = "ok", ""  # ephemeral containers have no readiness
    previous = status.last_state.terminated is not None
    ready, restarts = status.ready, status.restart_count
    return ContainerFact(
        spec.name, spec.image, kind, state, ready, restarts, word, reason, previous, ports, since
    )


PODS: Kind[Pod] = Kind(
    gvr=GVR("", "v1", "pods"),
    kind="Pod",
    title="Pods",
    singular="Pod",
    section="Workloads",
    short_names=("po",),
    type=Pod,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="A Pod is the smallest deployable unit: containers that share an IP address and start and stop together.",
)
