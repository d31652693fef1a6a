"""Who may do what, worked out from the objects of RBAC as the API server's own authorizer does.

Rules: kubernetes/kubernetes, plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/apis/rbac/v1/evaluation_helpers.go and
pkg/registry/rbac/validation/rule.go. What other authorizers allow besides (the one for nodes, webhooks), and that members
of ``system:masters`` pass all of them, is in no object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.kinds.base import Ref
from dashboard.kinds.clusterroles import ClusterRole
from dashboard.kinds.rbac import Binding, PolicyRule, Role, RoleRef, Subject
from dashboard.kinds.selectors import from_label_selector

MASTERS = "system:masters"  # passes before any authorizer is asked
ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants to do. Without a namespace: in all of them, or with what belongs to none; without a name: with
    any. ``somewhere``: it is also told who may in single namespaces. ``url`` is an address that is no resource, such as
    ``/metrics``.
    """

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    somewhere: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """That a binding gives somebody a role. ``where`` is the namespace in which it counts, "" for everywhere; ``names``
    are the only objects that it is about, none for all; ``rules`` which of its rules; ``gathered`` the ClusterRoles
    that an aggregated role has these rules from, as far as that can be told.
    """

    subject: Subject
    binding: Ref
    role: Ref
    where: str
    rules: tuple[PolicyRule, ...] = ()
    names: tuple[str, ...] = ()
    gathered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Who may: all that was asked, and a part of it (in single namespaces, or only with objects of some names)."""

    whole: tuple[Grant, ...]
    part: tuple[Grant, ...]
    bindings: int  # that were looked at


def account_name(namespace: str, name: str) -> str:
    """The user that a ServiceAccount is."""
    return f"{ACCOUNT}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups that every ServiceAccount of a namespace is in."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"


def allows(rule: PolicyRule, ask: Ask) -> bool:
    """Whether one rule allows it."""
    return _covers(rule, ask) and (bool(ask.url) or _names(rule, ask.name))


def _covers(rule: PolicyRule, ask: Ask) -> bool:
    """The same, whatever names the rule is about."""
    if not {"*", ask.verb}.intersection(rule.verbs or ()):
        return False
    if ask.url:
        return any(_is_under(ask.url, each) for each in rule.non_resource_urls or ())
    if not {"*", ask.group}.intersection(rule.api_groups or ()):
        return False
    whole = f"{ask.resource}/{ask.subresource}" if ask.subresource else ask.resource
    of_all = f"*/{ask.subresource}" if ask.subresource else "*"
    return any(each in ("*", whole, of_all) for each in rule.resources or ())


def _names(rule: PolicyRule, name: str) -> bool:
    return not rule.resource_names or name in rule.resource_names


def _is_under(url: str, named: str) -> bool:
    return named in ("*", url) or (named.endswith("*") and url.startswith(named.rstrip("*")))


def _rules_for(rules: Sequence[PolicyRule], ask: Ask) -> tuple[tuple[PolicyRule, ...], tuple[str, ...]]:
    """The rules that allow it; where all that do are about some names, and none was asked for, those names."""
    covering = [rule for rule in rules if _covers(rule, ask)]
    whole = tuple(rule for rule in covering if ask.url or _names(rule, ask.name))
    # What is created has no name yet, and all together have none.
    nameless = ask.verb in ("create", "deletecollection") and not ask.subresource
    if whole or ask.name or nameless:
        return whole, ()
    names = dict.fromkeys(name for rule in covering for name in rule.resource_names or ())
    return tuple(covering), tuple(names)


class Authority:
    """The roles and bindings of a cluster, as far as they may be seen, sorted by what questions go by: one costs as
    much as there are roles, and bindings that can count for it.
    """

    def __init__(
        self,
        *,
        roles: Iterable[Role] = (),
        clusterroles: Iterable[ClusterRole] = (),
        rolebindings: Iterable[Binding] = (),
        clusterrolebindings: Iterable[Binding] = (),
    ) -> None:
        self._clusterroles = {role.metadata.name: role for role in clusterroles}
        self._roles = {(role.metadata.namespace, role.metadata.name): role for role in roles}
        self._everywhere = tuple(clusterrolebindings)
        self._within: Mapping[str, list[Binding]] = defaultdict(list)
        for binding in rolebindings:
            self._within[binding.metadata.namespace].append(binding)
        self._of: Mapping[tuple[str, str], list[tuple[Binding, Subject]]] = defaultdict(list)
        for binding in self._all():
            for subject in binding.subjects or ():
                if (who := _who(subject, binding.metadata.namespace)) is not None:
                    self._of[who].append((binding, subject))

    def _all(self) -> Iterator[Binding]:
        yield from self._everywhere
        for bindings in self._within.values():
            yield from bindings

    def _rules(self, ref: RoleRef, namespace: str) -> Sequence[PolicyRule]:
        """What a binding's role allows; nothing where it does not exist."""
        role: Role | None = None
        if ref.kind == "ClusterRole":
            role = self._clusterroles.get(ref.name)
        elif ref.kind == "Role" and namespace:
            role = self._roles.get((namespace, ref.name))
        return (role.rules or ()) if role is not None else ()

    # ---- Who may do this?

    def who_can(self, ask: Ask) -> Answer:
        """Everybody whom a binding lets do it, the ones who may do all of it first."""
        counted: dict[tuple[str, str, str], tuple[tuple[PolicyRule, ...], tuple[str, ...]]] = {}
        whole: list[Grant] = []
        part: list[Grant] = []
        looked = 0
        for binding, where in self._that_count(ask):
            looked += 1
            ref = binding.role_ref
            key = (ref.kind, ref.name, where if ref.kind == "Role" else "")
            if key not in counted:
                counted[key] = _rules_for(self._rules(ref, where), ask)
            rules, names = counted[key]
            if not rules:
                continue
            grant = self._grant(binding, rules, names)
            partly = bool(names) or (bool(where) and not ask.namespace)
            for subject in binding.subjects or ():
                if _who(subject, where) is not None:
                    (part if partly else whole).append(replace(grant, subject=_whole(subject, where)))
        return Answer(tuple(sorted(whole, key=_order)), tuple(sorted(part, key=_order)), looked)

    def _that_count(self, ask: Ask) -> Iterator[tuple[Binding, str]]:
        yield from ((binding, "") for binding in self._everywhere)
        if ask.url or not (ask.namespace or ask.somewhere):
            return
        for namespace in [ask.namespace] if ask.namespace else self._within:
            yield from ((binding, namespace) for binding in self._within.get(namespace, ()))

    def _grant(self, binding: Binding, rules: tuple[PolicyRule, ...], names: tuple[str, ...] = ()) -> Grant:
        meta, ref = binding.metadata, binding.role_ref
        within = meta.namespace
        kind, plural = (
            ("RoleBinding", "rolebindings") if within else ("ClusterRoleBinding", "clusterrolebindings")
        )
        to = (
            Ref("Role", within, ref.name, "roles")
            if ref.kind == "Role"
            else Ref("ClusterRole", "", ref.name, "clusterroles")
        )
        gathered = self._gathered(ref.name, rules) if ref.kind == "ClusterRole" else ()
        return Grant(Subject(), Ref(kind, within, meta.name, plural), to, within, rules, names, gathered)

    def _gathered(self, name: str, rules: Collection[PolicyRule]) -> tuple[str, ...]:
        """The ClusterRoles that an aggregated one has these rules from: a controller has copied them."""
        role = self._clusterroles.get(name)
        if role is None or role.aggregation_rule is None:
            return ()
        selectors = role.aggregation_rule.cluster_role_selectors or ()
        return tuple(
            sorted(
                other.metadata.name
                for other in self._clusterroles.values()
                if other is not role
                and any(from_label_selector(one).matches(other.metadata.labels) for one in selectors)
                and any(rule in (other.rules or ()) for rule in rules)
            )
        )

    # ---- What may somebody do?

    def held_by(self, user: str, groups: Collection[str]) -> tuple[Grant, ...]:
        """Every role that somebody has, with all of its rules, and the subject by which they have it."""
        found = []
        for who in (("User", user), *(("Group", group) for group in groups)):
            for binding, subject in self._of.get(who, ()):
                within = binding.metadata.namespace
                grant = self._grant(binding, tuple(self._rules(binding.role_ref, within)))
                found.append(replace(grant, subject=_whole(subject, within)))
        return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.where, _order(each))))

    def may(self, user: str, groups: Collection[str], ask: Ask) -> bool:
        """Whether RBAC lets somebody do this."""
        if MASTERS in groups:
            return True
        return any(
            any(allows(rule, ask) for rule in grant.rules)
            for grant in self.held_by(user, groups)
            if not grant.where or (grant.where == ask.namespace and not ask.url)
        )

    # ---- Ways round it

    def ways_round(self, ask: Ask) -> list[tuple[str, Answer]]:
        """By what else somebody gets to do it: what they may, in words, and who may that. What is about some names only
        is told too: it depends on what has these.
        """
        ways = [*_EVERYWHERE, _constrained(ask), *(_here(ask.namespace) if ask.namespace else ())]
        told = ((words, self._any_of([one for one in asks if one != ask])) for words, asks in ways)
        return [(words, found) for words, found in told if found.whole or found.part]

    def _any_of(self, asks: Sequence[Ask]) -> Answer:
        """Who may one of these; in part those who may none of them as a whole."""
        answers = [self.who_can(each) for each in asks]
        whole = tuple(dict.fromkeys(grant for each in answers for grant in each.whole))
        may = {grant.subject for grant in whole}
        part = dict.fromkeys(grant for each in answers for grant in each.part if grant.subject not in may)
        return Answer(whole, tuple(part), max((each.bindings for each in answers), default=0))


_RBAC = "rbac.authorization.k8s.io"
_WORKLOADS = (
    ("deployments", "apps"), ("statefulsets", "apps"), ("daemonsets", "apps"), ("replicasets", "apps"),
    ("jobs", "batch"), ("cronjobs", "batch"), ("replicationcontrollers", ""),
)  # fmt: skip
_EVERYWHERE = (
    ("become somebody who may, by impersonation", (Ask("impersonate", "users"),)),
    ("join a group that may, by impersonation", (Ask("impersonate", "groups"),)),
    ("bind roles that they don’t have themselves", (Ask("bind", "clusterroles", _RBAC),)),
    ("write roles with rights that they don’t have themselves", (Ask("escalate", "clusterroles", _RBAC),)),
)


# The modes of constrained impersonation (KEP-5284, on by default since Kubernetes 1.36): besides whom, it says for what.
_MODES = ("user-info", "serviceaccount", "arbitrary-node", "associated-node")


def _constrained(ask: Ask) -> tuple[str, tuple[Ask, ...]]:
    asks = (replace(ask, verb=f"impersonate-on:{mode}:{ask.verb}") for mode in _MODES)
    return "do just this as somebody who may, by constrained impersonation", tuple(asks)


def _here(namespace: str) -> Iterator[tuple[str, tuple[Ask, ...]]]:
    """The ways within a namespace. A pod uses each Secret and ServiceAccount that it names, whoever makes it."""

    def ask(verb: str, resource: str, group: str = "", subresource: str = "") -> Ask:
        return Ask(verb, resource, group, subresource, namespace)

    # A RoleBinding may bind a ClusterRole too, which counts in its namespace then.
    yield "bind roles here", (ask("bind", "roles", _RBAC), ask("bind", "clusterroles", _RBAC))
    yield "write roles here", (ask("escalate", "roles", _RBAC),)
    yield "become a service account here", (ask("impersonate", "serviceaccounts"),)
    yield "get the token of a service account here", (ask("create", "serviceaccounts", "", "token"),)
    made = [ask("create", *each) for each in (("pods", ""), *_WORKLOADS)]
    yield "run pods as a service account here", tuple(made)
    changed = [ask(verb, *each) for verb in ("patch", "update") for each in (*_WORKLOADS, ("pods", ""))]
    yield "change what a workload runs here, and as which service account", tuple(changed)
    entered = [ask(verb, "pods", "", each) for verb in ("create", "get") for each in ("exec", "attach")]
    entered += [ask(verb, "pods", "", "ephemeralcontainers") for verb in ("patch", "update")]
    yield "run commands in pods here, as their service accounts", tuple(entered)


def _who(subject: Subject, namespace: str) -> tuple[str, str] | None:
    """As whom the API server knows a subject of a binding in a namespace; None for one that it takes for nobody."""
    if subject.kind in ("User", "Group"):
        return subject.kind, subject.name
    if subject.kind == "ServiceAccount" and (within := subject.namespace or namespace):
        return "User", account_name(within, subject.name)
    return None


def _whole(subject: Subject, namespace: str) -> Subject:
    """The same with the namespace that a ServiceAccount is in where its binding leaves it out."""
    own = subject.namespace or (namespace if subject.kind == "ServiceAccount" else "")
    return Subject(kind=subject.kind, name=subject.name, namespace=own)


_KINDS = {"User": 0, "Group": 1, "ServiceAccount": 2}


def _order(grant: Grant) -> tuple[int, str, str, str, str]:
    subject = grant.subject
    return _KINDS.get(subject.kind, 3), subject.namespace, subject.name, grant.where, grant.binding.name
