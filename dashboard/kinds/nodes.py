"""Nodes: the machines of the cluster."""

from __future__ import annotations

import re

import msgspec

from .base import GVR, Cell, Detail, Fact, Found, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct, condition_true, find_condition
from .quantity import format_bytes, parse
from .rows import AGE_HELP, NAME_HELP, UNKNOWN, age, col, columns, listed, make_row, or_none, sort_keys

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
CONTROL_PLANE = f"{_ROLE_PREFIX}control-plane"


class Taint(Struct, frozen=True, gc=False):
    """What keeps away, or evicts, pods that do not tolerate it."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Struct, frozen=True, gc=False):
    """spec of a Node."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] | None = None
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    provider_id: str = msgspec.field(name="providerID", default="")


class NodeAddress(Struct, frozen=True, gc=False):
    """One address of the machine."""

    type: str = ""
    address: str = ""


class NodeInfo(Struct, frozen=True, gc=False):
    """Versions on the machine."""

    kubelet_version: str = ""
    os_image: str = ""
    kernel_version: str = ""
    container_runtime_version: str = ""
    architecture: str = ""
    operating_system: str = ""


class NodeStatus(Struct, frozen=True, gc=False):
    """status of a Node; quantities as texts."""

    conditions: tuple[ObjectCondition, ...] | None = None
    addresses: tuple[NodeAddress, ...] | None = None
    node_info: NodeInfo = NodeInfo()
    capacity: dict[str, str] = msgspec.field(default_factory=dict)
    allocatable: dict[str, str] = msgspec.field(default_factory=dict)


class Node(Object, frozen=True, gc=False):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Status", "Whether it can run pods; SchedulingDisabled: it is cordoned."),
    col("Roles", "Its roles; control-plane: it runs the control plane."),
    col("Age", AGE_HELP),
    col("Version", "The version of its kubelet."),
    col("Internal-IP", "Its internal IP address.", wide=True),
    col("External-IP", "Its external IP address.", wide=True),
    col("OS-Image", "Its operating system.", wide=True),
    col("Kernel-Version", "Its kernel and processor type.", wide=True),
    col("Container-Runtime", "Its container runtime.", wide=True),
)

_IN_BYTES = ("memory", "ephemeral-storage")

# Condition types that mean trouble when True, in plain words.
_TROUBLE = {
    "MemoryPressure": "memory pressure",
    "DiskPressure": "disk pressure",
    "PIDPressure": "PID pressure",
    "NetworkUnavailable": "network unavailable",
}

# Of conditions that others set, what their names say of True: of node-problem-detector (config/ and
# docs/ of its repository) a fault, of agents of cloud providers that a part is ready. Any other name tells nothing.
_FAULT = re.compile(
    r"(?:^(?:Frequent|Corrupt)|(?:Deadlock|ReadonlyFilesystem|Problem|Unhealthy|Pressure|NotReady|Shutdown|ErrorFatal)$)"
)
_SOUND = re.compile(r"(?<!Not)(?:Ready|Healthy)$")

# What a taint does to pods that do not tolerate it.
_EFFECTS = {
    "NoSchedule": "pods that do not tolerate it are not scheduled here; running ones stay",
    "PreferNoSchedule": "the scheduler avoids it for pods that do not tolerate it, and uses it when no other fits",
    "NoExecute": "pods that do not tolerate it are not scheduled here, and running ones are evicted",
}


def status_text(node: Node) -> str:
    """The Status column (``printNode``)."""
    ready = _ready(node)
    word = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return word + (",SchedulingDisabled" if node.spec.unschedulable else "")


def _ready(node: Node) -> ObjectCondition | None:
    # printNode keeps the last condition of a type.
    return find_condition(tuple(reversed(node.status.conditions or ())), "Ready")


def roles(node: Node) -> tuple[str, ...]:
    """The node's roles, sorted (``findNodeRoles``)."""
    found = {
        key.removeprefix(_ROLE_PREFIX) if key.startswith(_ROLE_PREFIX) else value
        for key, value in node.metadata.labels.items()
        if key.startswith(_ROLE_PREFIX) or key == _ROLE_LABEL
    }
    return tuple(sorted(found - {""}))


def _address(node: Node, type_: str) -> str:
    return next((one.address for one in node.status.addresses or () if one.type == type_), "<none>")


def judge(node: Node) -> tuple[State, str]:
    """Not reporting is critical; pressure, or being cordoned, is a warning."""
    found, ready = node.status.conditions or (), _ready(node)
    if ready is None or ready.status == "Unknown":
        return "bad", "it stopped reporting" if ready else "it has not reported yet"
    if ready.status != "True":
        return "bad", ready.message or "not ready"
    troubles = [words for type_, words in _TROUBLE.items() if condition_true(found, type_)]
    troubles += [one.type if one.status == "True" else f"not {one.type}" for one in reported(node)]
    if node.spec.unschedulable:
        troubles.append("cordoned")
    if troubles:
        return "warn", listed(troubles)
    return ("info", "being deleted") if node.metadata.deletion_timestamp is not None else ("ok", "")


def reported(node: Node) -> list[ObjectCondition]:
    """The conditions by which others than the kubelet and the network plug-in say that something is wrong with it."""
    return [
        one
        for one in node.status.conditions or ()
        if one.type != "Ready"
        and one.type not in _TROUBLE
        and (
            (one.status == "True" and _FAULT.search(one.type))
            or (one.status == "False" and _SOUND.search(one.type))
        )
    ]


def row(node: Node) -> Row:
    """The row, as ``printNode`` writes it."""
    meta, info = node.metadata, node.status.node_info
    state, reason = judge(node)
    kernel = info.kernel_version or "<unknown>"
    if info.architecture:
        kernel += f" ({info.architecture})"
    cells = (
        Cell(meta.name),
        Cell(status_text(node)),
        or_none(",".join(roles(node))),
        age(meta.creation_timestamp),
        Cell(info.kubelet_version),
        Cell(_address(node, "InternalIP")),
        Cell(_address(node, "ExternalIP")),
        Cell(info.os_image) if info.os_image else UNKNOWN,
        Cell(kernel),
        Cell(info.container_runtime_version) if info.container_runtime_version else UNKNOWN,
    )
    return make_row(meta, cells, sort_keys(cells), state, reason, found_by=found_by(node))


def found_by(node: Node) -> list[Found]:
    """Its addresses and host names."""
    return [(one.type, one.address) for one in node.status.addresses or ()]


def _amount(amounts: dict[str, str], name: str) -> str:
    """As people read it: a kubelet reports bytes, or all of its memory in Ki."""
    if name not in amounts:
        return "?"
    return format_bytes(int(parse(amounts[name]))) if name in _IN_BYTES else amounts[name]


def detail(node: Node) -> Detail:
    """The facts of the Node's page."""
    meta, spec, status = node.metadata, node.spec, node.status
    info = status.node_info
    word, reason = status_text(node), judge(node)[1]
    what = f"A machine of the cluster ({', '.join(roles(node)) or 'for pods'})"
    facts = [Fact("Status", word, reason)]
    facts += [Fact(one.type, one.address) for one in status.addresses or ()]
    for name, label in (
        ("cpu", "CPU"),
        ("memory", "Memory"),
        ("pods", "Pods"),
        ("ephemeral-storage", "Disk"),
    ):
        if name in status.allocatable:
            there = f"of {_amount(status.capacity, name)} for pods"
            facts.append(Fact(label, _amount(status.allocatable, name), there))
    for taint in spec.taints or ():
        value = f"={taint.value}" if taint.value else ""
        facts.append(Fact("Taint", f"{taint.key}{value}:{taint.effect}", _EFFECTS.get(taint.effect, "")))
    zone = meta.labels.get("topology.kubernetes.io/zone")
    if zone:
        facts.append(Fact("Zone", zone))
    facts += [
        Fact("Kubernetes", info.kubelet_version),
        Fact("Operating system", info.os_image),
        Fact("Kernel", info.kernel_version, info.architecture),
        Fact("Container runtime", info.container_runtime_version),
    ]
    types = frozenset(one.type for one in status.conditions or ())
    faults = frozenset(type_ for type_ in types if type_ in _TROUBLE or _FAULT.search(type_))
    untold = frozenset(type_ for type_ in types - faults if not _SOUND.search(type_))
    judged = conditions(status.conditions, bad_when_true=faults, neutral=untold)
    return page(meta, f"{what}: {word}", facts, reason=reason, conditions=judged)


NODES: Kind[Node] = Kind(
    gvr=GVR("", "v1", "nodes", namespaced=False),
    kind="Node",
    title="Nodes",
    singular="Node",
    section="Cluster",
    short_names=("no",),
    type=Node,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="A Node is a virtual or physical machine that runs pods.",
)
