"""NetworkPolicies: which connections pods let in and out.

Rules: k8s.io/api/networking/v1/types.go. Policies only ever add to what is let through; a pod that no policy
selects lets everything through.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .base import GVR, Cell, Detail, Entry, Fact, Kind, Row, State, Table
from .facts import page, table
from .meta import Object, Struct
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, sort_keys
from .selectors import LabelSelector, format_label_selector

_UNGUARDED = "unless another policy selects it"
_NAMED = "only what its rules allow"
_NAME_LABEL = "kubernetes.io/metadata.name="


class IPBlock(Struct, frozen=True, gc=False):
    """A range of addresses, and ranges within it that are left out."""

    cidr: str = ""
    except_: tuple[str, ...] | None = msgspec.field(name="except", default=None)


class Peer(Struct, frozen=True, gc=False):
    """The other side: pods, all pods of namespaces, pods of namespaces, or addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class PolicyPort(Struct, frozen=True, gc=False):
    """A port by number or name, a range of ports, or every port of a protocol."""

    protocol: str = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class IngressRule(Struct, frozen=True, gc=False):
    """What is let in; no peers stand for everyone, no ports for every port."""

    from_: tuple[Peer, ...] | None = msgspec.field(name="from", default=None)
    ports: tuple[PolicyPort, ...] | None = None


class EgressRule(Struct, frozen=True, gc=False):
    """What is let out; no peers stand for everyone, no ports for every port."""

    to: tuple[Peer, ...] | None = None
    ports: tuple[PolicyPort, ...] | None = None


class NetworkPolicySpec(Struct, frozen=True, gc=False):
    """spec of a NetworkPolicy."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] | None = None
    ingress: tuple[IngressRule, ...] | None = None
    egress: tuple[EgressRule, ...] | None = None


class NetworkPolicy(Object, frozen=True, gc=False):
    """networking.k8s.io/v1 NetworkPolicy."""

    spec: NetworkPolicySpec = NetworkPolicySpec()

    @property
    def guards(self) -> tuple[bool, bool]:
        """Whether it guards what comes in, and what goes out."""
        types = self.spec.policy_types
        # The API server fills them in; this is how.
        return (True, bool(self.spec.egress)) if types is None else ("Ingress" in types, "Egress" in types)


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Pod-Selector", "The labels of the pods that it applies to; <none>: every pod in the namespace."),
    col("Age", AGE_HELP),
)


def judge(policy: NetworkPolicy) -> tuple[State, str]:
    """Rules of a direction that it does not guard count for nothing."""
    spec, (inward, outward) = policy.spec, policy.guards
    if policy.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    idle = [
        name
        for name, rules, guarded in (("Ingress", spec.ingress, inward), ("Egress", spec.egress, outward))
        if rules and not guarded
    ]
    return (
        ("warn", f"its {idle[0]} rules have no effect: policyTypes lacks {idle[0]}") if idle else ("ok", "")
    )


def row(policy: NetworkPolicy) -> Row:
    """The row, as ``printNetworkPolicy`` writes it."""
    meta = policy.metadata
    selector = format_label_selector(policy.spec.pod_selector)
    cells = (Cell(meta.name), Cell(selector), age(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *judge(policy))


def detail(policy: NetworkPolicy) -> Detail:
    """The facts of the NetworkPolicy's page."""
    meta, spec, (inward, outward) = policy.metadata, policy.spec, policy.guards
    pods = _pods(spec.pod_selector)
    incoming = [(rule.from_, rule.ports) for rule in spec.ingress or ()]
    outgoing = [(rule.to, rule.ports) for rule in spec.egress or ()]
    tables = []
    if inward:
        tables.append(_directed("Ingress rules", "From", incoming, "None: it allows no ingress traffic."))
    if outward:
        tables.append(_directed("Egress rules", "To", outgoing, "None: it allows no egress traffic."))
    facts = [
        Fact("Guards", f"{pods} of namespace {meta.namespace}"),
        Fact("Ingress", *(("everything", _UNGUARDED) if not inward else (_amount(incoming), ""))),
        Fact("Egress", *(("everything", _UNGUARDED) if not outward else (_amount(outgoing), ""))),
        Fact("Other policies", "can allow more", "none can deny what this one allows"),
        Fact("Enforced by", "the network plugin", "a plugin without NetworkPolicy support ignores it"),
    ]
    said = [_let(incoming, "in")] if inward else []
    said += [_let(outgoing, "out")] if outward else []
    sentence = f"Guards {pods} of namespace {meta.namespace}: {' and '.join(said) or 'neither way'}"
    return page(meta, sentence, facts, reason=judge(policy)[1], tables=tuple(tables))


Directed = Sequence[tuple[tuple[Peer, ...] | None, tuple[PolicyPort, ...] | None]]


def _amount(rules: Directed) -> str:
    if not rules:
        return "nothing"
    return "everything" if any(not peers and not ports for peers, ports in rules) else _NAMED


def _let(rules: Directed, way: str) -> str:
    amount = _amount(rules)
    return f"lets {way} {amount}" if amount == _NAMED else f"lets {amount} {way}"


def _directed(title: str, head: str, rules: Directed, empty: str) -> Table:
    rows = [
        (Entry(_peer(peer) if peer else "anyone, also outside the cluster"), Entry(_ports(ports)))
        for peers, ports in rules
        for peer in peers or (None,)
    ]
    return table(title, (head, "Ports"), rows, empty)


def _pods(selector: LabelSelector) -> str:
    words = format_label_selector(selector, empty="")
    return f"pods with {words}" if words else "every pod"


def _peer(peer: Peer) -> str:
    if peer.ip_block is not None:
        block = peer.ip_block
        left_out = f", except {', '.join(block.except_)}" if block.except_ else ""
        return f"addresses {block.cidr}{left_out}"
    pods = _pods(peer.pod_selector or LabelSelector())
    if peer.namespace_selector is None:
        return f"{pods} of this namespace"
    words = format_label_selector(peer.namespace_selector, empty="")
    if not words:
        return f"{pods} of every namespace"
    name = words.removeprefix(_NAME_LABEL)
    if name != words and "," not in name:
        return f"{pods} of namespace {name}"
    return f"{pods} of namespaces with {words}"


def _ports(ports: tuple[PolicyPort, ...] | None) -> str:
    return ", ".join(map(_port, ports or ())) or "every port"


def _port(port: PolicyPort) -> str:
    if port.port is None:
        return f"every {port.protocol} port"
    last = f"–{port.end_port}" if port.end_port is not None else ""
    return f"{port.port}{last}/{port.protocol}"


NETWORKPOLICIES: Kind[NetworkPolicy] = Kind(
    gvr=GVR("networking.k8s.io", "v1", "networkpolicies"),
    kind="NetworkPolicy",
    title="NetworkPolicies",
    singular="NetworkPolicy",
    section="Network",
    short_names=("netpol",),
    type=NetworkPolicy,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A NetworkPolicy allows ingress and egress traffic of the pods that it selects.",
)
