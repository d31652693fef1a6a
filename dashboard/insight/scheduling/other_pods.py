"""Which nodes other pods keep a pod away from: by host ports, claims of single pods, pod (anti-)affinity and spread.

The rules and the words are the scheduler's (pkg/scheduler/framework/plugins/{nodeports,volumerestrictions,
interpodaffinity,podtopologyspread} of Kubernetes 1.36). What rests on pods that are not there is said only where all
pods are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from dashboard.insight.observed import Observed
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import AffinityTerm, ContainerPort, PodSpec, TopologySpread
from dashboard.kinds.selectors import NOTHING, LabelSelector, Requirement, Selector, SelectorError
from dashboard.kinds.selectors import from_label_selector as selector_of

from .nodes import affinity_allows, standing_taints
from .placed import Alike, required_apart

NO_PORT = "didn't have free ports for the requested pod ports"
NOT_WITH = "didn't match pod affinity rules"
NOT_APART = "didn't match pod anti-affinity rules"
KEPT_AWAY = "didn't satisfy existing pods anti-affinity rules"
ONE_POD = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
NOT_SPREAD = "didn't match pod topology spread constraints"

Place = tuple[str, str]  # a topology key and its value


class Term(NamedTuple):
    """An affinity term of a pod, ready to be compared with others."""

    key: str
    selector: Selector
    namespace: Callable[[str], bool]

    def matches(self, pod: Pod) -> bool:
        return self.namespace(pod.metadata.namespace) and self.selector.matches(pod.metadata.labels)


class Spread:
    """A topology spread constraint: how many pods it counts where, and in the emptiest place."""

    def __init__(self, constraint: TopologySpread, counted: Counter[str], *, itself: bool) -> None:
        self.constraint, self.counted, self.itself = constraint, counted, int(itself)
        self.key, self.most = constraint.topology_key, constraint.max_skew
        self.least = self._least()

    def add(self, place: str) -> bool:
        """One more is counted there; whether that lets in more elsewhere."""
        before, self.counted[place] = self.least, self.counted[place] + self.itself
        if self.counted[place] - self.itself == before:
            self.least = self._least()
        return self.least > before

    def _least(self) -> int:
        enough = len(self.counted) >= self.constraint.min_domains
        return min(self.counted.values(), default=0) if enough else 0


class OtherPods:
    """The pods that have a node, against one that has none."""

    def __init__(self, survey: Observed, pod: Pod, nodes: Sequence[Node]) -> None:
        self._survey = survey
        self._pod = pod
        self._nodes = {node.metadata.name: node for node in nodes}
        self._placed = survey.placed
        self._copies: set[str] = set()  # nodes that run a copy of it by now

    @cached_property
    def unwelcome(self) -> bool:
        """Whether pods may keep it away by what its spec does not tell: their anti-affinity, or a claim of one pod."""
        return bool(self._unwilling or self._alone_with)

    def add(self, name: str) -> bool:
        """As if a copy of the pod were placed on a node; whether nodes may let in a copy by then that did not before."""
        self._copies.add(name)
        for term in _terms(self._survey, self._pod, required_apart(self._pod)):
            if term.matches(self._pod) and (value := self._value(name, term.key)) is not None:
                self._unwanted.setdefault((term.key, value), self._pod)
        more = self._joined(name)
        node = self._nodes[name]
        for one in self._spreads:
            if self._counts(node, one.constraint):
                more |= one.add(node.metadata.labels[one.key])
        return more

    def _joined(self, name: str) -> bool:
        """Its copy is one of those that it wants to be with, if it is of their kind: the first decides where."""
        if not self._together or not all(term.matches(self._pod) for term in self._together):
            return False
        places = {
            (term.key, value): self._pod
            for term in self._together
            if (value := self._value(name, term.key)) is not None
        }
        known = self._wanted
        self._wanted = {**places, **(known or {})} if self._survey.reads("pods") else None
        return known is not None and not places.keys() <= known.keys()

    def reasons(self, node: Node, *, rough: bool) -> Iterator[str]:
        """Why they keep the pod away from a node; ``rough``: without what differs from node to node."""
        found = (
            (NO_PORT, self._port(node)),
            (ONE_POD, self._claimed),
            next((one for one in self._affinity(node) if one[1]), (NOT_WITH, "")),
            (NOT_SPREAD, self._crowded(node)),
        )
        yield from (word if rough else f"{word}: {because}" for word, because in found if because)

    # ---- Host ports

    def _port(self, node: Node) -> str:
        for wanted in _host_ports(self._pod.spec):
            if node.metadata.name in self._copies:
                return f"{wanted.host_port}/{wanted.protocol} is taken by {self._named(self._pod)}"
            for other in self._placed.on.get(node.metadata.name, ()):
                if any(_same_port(wanted, held) for held in _host_ports(other.spec)):
                    return f"{wanted.host_port}/{wanted.protocol} is taken by {self._named(other)}"
        return ""

    # ---- Claims of which one pod has the volume

    @cached_property
    def _alone_with(self) -> tuple[str, ...]:
        """The claims that it names whose volumes a single pod may use."""
        named = {
            one.persistent_volume_claim.claim_name
            for one in self._pod.spec.volumes or ()
            if one.persistent_volume_claim is not None
        }
        return tuple(
            name
            for name, claim in self._survey.claims_of(self._pod)
            if name in named and claim is not None and "ReadWriteOncePod" in (claim.spec.access_modes or ())
        )

    @property
    def _claimed(self) -> str:
        """By which pod one of these is used, on whichever node; "" for none."""
        if self._alone_with and self._copies:
            return f"claim {self._alone_with[0]} is used by {self._named(self._pod)}"
        return self._used

    @cached_property
    def _used(self) -> str:
        for name in self._alone_with:
            for user in self._survey.users.get((self._pod.metadata.namespace, name), ()):
                here = self._placed.on.get(user.spec.node_name, ())
                if any(each.metadata.uid == user.metadata.uid for each in here):
                    return f"claim {name} is used by {self._named(user)}"
        return ""

    # ---- Affinity

    def _affinity(self, node: Node) -> Iterator[tuple[str, str]]:
        """In the scheduler's order: it tells only the first."""
        yield NOT_WITH, self._alone(node)
        yield NOT_APART, self._first(node, self._unwanted, "{} is in the same {}")
        yield KEPT_AWAY, self._first(node, self._unwilling, "{} has anti-affinity against it in its {}")

    @cached_property
    def _unwanted(self) -> dict[Place, Pod]:
        """Where there are pods that it stays apart from."""
        terms = _terms(self._survey, self._pod, required_apart(self._pod))
        return self._places(
            (term.key, each) for term in terms for each in self._placed.groups if term.matches(each.first)
        )

    @cached_property
    def _unwilling(self) -> dict[Place, Pod]:
        """Where there are pods that stay apart from it."""
        return self._places(
            (term.key, each)
            for each in self._placed.apart
            for term in _terms(self._survey, each.first, required_apart(each.first))
            if term.matches(self._pod)
        )

    def _places(self, found: Iterator[tuple[str, Alike]]) -> dict[Place, Pod]:
        places: dict[Place, Pod] = {}
        for key, group in found:
            for node, pod in group.on.items():
                value = self._value(node, key)
                if value is not None:
                    places.setdefault((key, value), pod)
        return places

    def _first(self, node: Node, places: Mapping[Place, Pod], words: str) -> str:
        labels = node.metadata.labels
        found = next((each for each in places if labels.get(each[0]) == each[1]), None)
        return words.format(self._named(places[found]), found[0]) if found else ""

    @cached_property
    def _together(self) -> tuple[Term, ...]:
        affinity = self._pod.spec.affinity.pod_affinity if self._pod.spec.affinity else None
        return tuple(_terms(self._survey, self._pod, (affinity.required if affinity else None) or ()))

    @cached_property
    def _wanted(self) -> dict[Place, Pod] | None:
        """Where there are pods that all of its terms want; None where pods may be there that are not known, or where
        it would be the first of its own kind, which is allowed.
        """
        if not self._survey.reads("pods"):
            return None
        groups = [
            each for each in self._placed.groups if all(term.matches(each.first) for term in self._together)
        ]
        found = self._places((term.key, each) for term in self._together for each in groups)
        # Those on nodes that lack the labels count for nothing, as if they were not there (satisfyPodAffinity).
        if not found and all(term.matches(self._pod) for term in self._together):
            return None
        return found

    def _alone(self, node: Node) -> str:
        for term in self._together:
            value = node.metadata.labels.get(term.key)
            if value is None:
                return f"it lacks label {term.key}"
            if self._wanted is not None and (term.key, value) not in self._wanted:
                return f"no pod with {str(term.selector) or 'any labels'} is in its {term.key}"
        return ""

    # ---- Topology spread

    @cached_property
    def _hard(self) -> tuple[TopologySpread, ...]:
        every = self._pod.spec.topology_spread_constraints or ()
        return tuple(one for one in every if one.when_unsatisfiable == "DoNotSchedule")

    @cached_property
    def _spreads(self) -> tuple[Spread, ...]:
        if not self._survey.reads("pods", self._pod.metadata.namespace):
            return ()
        return tuple(map(self._spread, self._hard))

    def _spread(self, constraint: TopologySpread) -> Spread:
        selector = _spread_selector(constraint, self._pod)
        alike: Counter[str] = Counter()
        for group in self._placed.groups:
            if self._alike(group.first, selector):
                alike.update(group.staying)
        counted: Counter[str] = Counter()
        for name, node in self._nodes.items():
            if self._counts(node, constraint):
                counted[node.metadata.labels[constraint.topology_key]] += alike[name]
        return Spread(constraint, counted, itself=selector.matches(self._pod.metadata.labels))

    def _counts(self, node: Node, constraint: TopologySpread) -> bool:
        """Whether the constraint looks at a node at all."""
        spec = self._pod.spec
        return (
            all(one.topology_key in node.metadata.labels for one in self._hard)
            and (constraint.node_affinity_policy == "Ignore" or affinity_allows(node, spec))
            and (constraint.node_taints_policy != "Honor" or not any(standing_taints(node, spec)))
        )

    def _alike(self, pod: Pod, selector: Selector) -> bool:
        meta = pod.metadata
        own = meta.namespace == self._pod.metadata.namespace
        # An empty selector counts nobody (countPodsMatchSelector).
        return own and bool(selector.requirements) and selector.matches(meta.labels)

    def _crowded(self, node: Node) -> str:
        lacks = next((one for one in self._hard if one.topology_key not in node.metadata.labels), None)
        if lacks is not None:
            return f"it lacks label {lacks.topology_key}"
        for one in self._spreads:
            value = node.metadata.labels[one.key]
            here = one.counted[value]
            if here + one.itself - one.least > one.most:
                return f"{one.key} {value} has {here} of its kind, the emptiest {one.least}, maxSkew is {one.most}"
        return ""

    # ---- Words and places

    def _value(self, node: str, key: str) -> str | None:
        found = self._nodes.get(node)
        return found.metadata.labels.get(key) if found is not None else None

    def _named(self, pod: Pod) -> str:
        meta = pod.metadata
        own = meta.namespace == self._pod.metadata.namespace
        return f"pod {meta.name}" if own else f"pod {meta.namespace}/{meta.name}"


def _host_ports(spec: PodSpec) -> Iterator[ContainerPort]:
    sidecars = (one for one in spec.init_containers or () if one.sidecar)
    for container in (*(spec.containers or ()), *sidecars):
        yield from (port for port in container.ports or () if port.host_port)


def _same_port(one: ContainerPort, other: ContainerPort) -> bool:
    """``CheckConflict`` of HostPortInfo: an address of all addresses meets every other."""
    if (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    addresses = {one.host_ip or "0.0.0.0", other.host_ip or "0.0.0.0"}  # noqa: S104 # a word of the API
    return len(addresses) == 1 or "0.0.0.0" in addresses  # noqa: S104


def _terms(survey: Observed, pod: Pod, terms: Sequence[AffinityTerm]) -> Iterator[Term]:
    for term in terms:
        yield Term(
            term.topology_key, selector_or_nothing(term.label_selector), _namespaces(survey, pod, term)
        )


def _namespaces(survey: Observed, pod: Pod, term: AffinityTerm) -> Callable[[str], bool]:
    """Which namespaces a term looks into: those that it names or selects, or else the pod's own."""
    named = frozenset(term.namespaces or ())
    if not named and term.namespace_selector is None:
        return frozenset({pod.metadata.namespace}).__contains__
    selector = selector_or_nothing(term.namespace_selector)

    def looks_into(name: str) -> bool:
        if name in named or (not selector.nothing and not selector.requirements):
            return True
        found = survey.objects.get("namespaces", "", name)
        return found is not None and selector.matches(found.metadata.labels)

    return looks_into


def selector_or_nothing(selector: LabelSelector | None) -> Selector:
    """One that selects nothing where it is not valid."""
    try:
        return selector_of(selector)
    except SelectorError:
        return NOTHING


def _spread_selector(constraint: TopologySpread, pod: Pod) -> Selector:
    selector, labels = selector_or_nothing(constraint.label_selector), pod.metadata.labels
    keys = [key for key in constraint.match_label_keys or () if key in labels]
    return selector._replace(
        requirements=(*selector.requirements, *(Requirement(key, "=", (labels[key],)) for key in keys))
    )
