"""Rights, in words: what Roles and ClusterRoles allow, and to whom bindings give them.

Rules: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac and pkg/apis/rbac/helpers.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from .base import Cell, Column, Detail, Entry, Fact, Row, State, Table
from .facts import page, table
from .meta import Object, ObjectMeta, Struct, Word
from .references import reference
from .rows import (
    AGE_HELP,
    CREATED_HELP,
    NAME_HELP,
    age,
    col,
    columns,
    created_at,
    deleted_state,
    listed,
    make_row,
    sort_keys,
)

_READ = frozenset({"get", "list", "watch"})
_WRITE = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_ANYTHING = "do anything with"
_NOTABLE = {
    "secrets": "confidential values",
    "pods/exec": "commands inside containers",
    "pods/attach": "commands inside containers",
    "serviceaccounts/token": "signing in as the account",
    "nodes/proxy": "everything that runs on the nodes",
}
_GIVES = frozenset({"bind", "escalate", "impersonate"})
# Groups that the API server puts people and accounts into.
_EVERYBODY = {
    "system:authenticated": "every authenticated user",
    "system:unauthenticated": "every unauthenticated user",
    "system:serviceaccounts": "every service account",
    "system:nodes": "every node",
    "system:masters": "holders of an administrator certificate",
}
_OPEN = frozenset({"system:unauthenticated", "system:anonymous"})
# What the API server itself binds for people who have not signed in: versions and health.
_HARMLESS = frozenset({"system:public-info-viewer"})
_ACCOUNTS_OF = "system:serviceaccounts:"


class PolicyRule(Struct, frozen=True, gc=False):
    """One rule: verbs on resources, or on addresses that are none."""

    verbs: tuple[Word, ...] | None = None
    api_groups: tuple[Word, ...] | None = None
    resources: tuple[Word, ...] | None = None
    resource_names: tuple[Word, ...] | None = None
    non_resource_urls: tuple[Word, ...] | None = msgspec.field(name="nonResourceURLs", default=None)


class Role(Object, frozen=True, gc=False):
    """rbac.authorization.k8s.io/v1 Role; a ClusterRole has more."""

    rules: tuple[PolicyRule, ...] | None = None


class RoleRef(Struct, frozen=True, gc=False):
    """The Role or ClusterRole that a binding gives."""

    api_group: Word = ""
    kind: Word = ""
    name: Word = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Subject(Struct, frozen=True, gc=False):
    """Who gets it: a User, a Group or a ServiceAccount."""

    kind: Word = ""
    name: Word = ""
    namespace: Word = ""


class Binding(Object, frozen=True, gc=False):
    """rbac.authorization.k8s.io/v1 RoleBinding or ClusterRoleBinding."""

    role_ref: RoleRef = RoleRef()
    subjects: tuple[Subject, ...] | None = None


# Rules


def power(verbs: Iterable[str] | None) -> str:
    """What verbs amount to: ``read``, ``change``, ``read and change``, ``do anything with``, or the verbs."""
    named = frozenset(verbs or ())
    if "*" in named:
        return _ANYTHING
    words = ["read"] if named & _READ else []
    writes = named & _WRITE - {"deletecollection"}
    if writes in ({"create"}, {"delete"}):
        words += writes
    elif named & _WRITE:
        words.append("change")
    return listed([*words, *sorted(named - _READ - _WRITE)]) or "do nothing with"


def allowed(rules: Sequence[PolicyRule]) -> str:
    """The rules in one clause: ``read pods, change deployments and create jobs``; "" for none."""
    things: dict[str, list[str]] = {}
    for rule in rules:
        things.setdefault(power(rule.verbs), []).extend(_things(rule))
    most_first = sorted(things.items(), key=lambda each: each[0] != _ANYTHING)
    clauses = [f"{verb} {listed(_wholes_first(named))}" for verb, named in most_first]
    return listed(clauses, "more permissions")


def _wholes_first(things: Iterable[str]) -> list[str]:
    """Each once; ``pods`` says more than ``pods/exec`` and than ``pods named web`` do."""
    return sorted(dict.fromkeys(things), key=lambda thing: "/" in thing or " named " in thing)


def _things(rule: PolicyRule) -> list[str]:
    named = f" named {listed(rule.resource_names)}" if rule.resource_names else ""
    resources = [("every resource" if name == "*" else name) + named for name in rule.resources or ()]
    return resources + [
        "every address" if url == "*" else f"address {url}" for url in rule.non_resource_urls or ()
    ]


def rules_table(rules: Sequence[PolicyRule]) -> Table:
    """The rules, one a row."""
    heads = ("May", "On", "Only those named")
    return table("What it allows", heads, map(_rule, rules), "Nothing: it has no rules.")


def _rule(rule: PolicyRule) -> tuple[Entry, ...]:
    verbs = rule.verbs or ()
    what = power(verbs)
    if _GIVES.intersection(verbs):
        what += ": allows privilege escalation"
    says = "" if what in verbs else what.removesuffix(" with")
    every = _things(
        msgspec.structs.replace(rule, resource_names=None)
    )  # their names have a column of their own
    on = Entry(", ".join(every), _on_note(rule))
    return Entry("any verb" if "*" in verbs else ", ".join(verbs), says), on, _only(rule)


def _on_note(rule: PolicyRule) -> str:
    groups = [group for group in rule.api_groups or () if group]
    notes = [_NOTABLE[name] for name in rule.resources or () if name in _NOTABLE]
    if "*" in groups:
        notes.append("of every API group")
    elif groups:
        core = ["the core"] if "" in (rule.api_groups or ()) else []
        notes.append(f"of API group{'s' if len(groups + core) > 1 else ''} {listed(core + groups)}")
    return "; ".join(dict.fromkeys(notes))


def _only(rule: PolicyRule) -> Entry:
    names = rule.resource_names or ()
    # The API server cannot tell the name of what is yet to be made, nor those of a whole list.
    unnamed = sorted({"create", "deletecollection"}.intersection(rule.verbs or ()))
    return Entry(", ".join(names), f"{listed(unnamed)} has no name to compare" if names and unnamed else "")


# Bindings

_BINDING_COLUMNS = (
    ("Users", "The users that it grants them to."),
    ("Groups", "The groups that it grants them to."),
    ("ServiceAccounts", "The service accounts that it grants them to."),
)


BINDING_STARTER = """\
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: view  # or edit, admin, another ClusterRole
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: User  # or Group
    name:
"""


def binding_columns() -> tuple[Column, ...]:
    """The columns of RoleBindings and ClusterRoleBindings."""
    wide = (col(title, help, wide=True) for title, help in _BINDING_COLUMNS)
    return columns(
        col("Name", NAME_HELP), col("Role", "The role that it grants."), col("Age", AGE_HELP), *wide
    )


def binding_row(binding: Binding) -> Row:
    """The row, as ``printRoleBinding`` and ``printClusterRoleBinding`` write it."""
    meta, subjects = binding.metadata, binding.subjects or ()
    users, groups = ([one.name for one in subjects if one.kind == kind] for kind in ("User", "Group"))
    accounts = [f"{one.namespace}/{one.name}" for one in subjects if one.kind == "ServiceAccount"]
    cells = (
        Cell(meta.name),
        Cell(str(binding.role_ref)),
        age(meta.creation_timestamp),
        *(Cell(", ".join(names)) for names in (users, groups, accounts)),
    )
    return make_row(meta, cells, sort_keys(cells), *judge(binding))


def judge(binding: Binding) -> tuple[State, str]:
    """Rights for everybody: critical when they are an administrator's, a warning for unauthenticated users."""
    names = {one.name for one in binding.subjects or () if one.kind != "ServiceAccount"}
    everybody = names & (_OPEN | {"system:authenticated"})
    if binding.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    if not binding.subjects:
        return "ok", "it has no subjects"
    if binding.role_ref.name == "cluster-admin" and everybody:
        return "bad", "everyone gets administrator permissions"
    if names & _OPEN and binding.role_ref.name not in _HARMLESS:
        return "warn", "it includes unauthenticated users"
    return "ok", ""


def binding_detail(binding: Binding, where: str) -> Detail:
    """The facts of a binding's page; ``where`` its rights count, such as ``in namespace shop``."""
    meta, role, subjects = binding.metadata, binding.role_ref, binding.subjects or ()
    to = reference(role.kind, meta.namespace, role.name, role.api_group or None)
    facts = [
        Fact("Gives", f"{role.kind} {role.name}", where, to),
    ]
    state, reason = judge(binding)
    if state in ("warn", "bad"):
        facts.append(Fact("Take care", reason))
    given = listed([_who(one) for one in subjects]) or "nobody"
    who = table(
        "Who gets it", ("Kind", "Name", "Namespace"), map(_subject, subjects), "None: it has no subjects."
    )
    sentence = f"Gives {role.kind} {role.name} to {given}, {where}"
    return page(meta, sentence, facts, tables=(who,))


def _who(subject: Subject) -> str:
    if subject.kind == "ServiceAccount":
        return f"service account {subject.namespace}/{subject.name}"
    return everybody(subject) or f"{subject.kind.lower()} {subject.name}"


def everybody(subject: Subject) -> str:
    """Who is in one of the API server's own groups, in words; "" for other subjects."""
    if subject.kind == "User":
        return "every unauthenticated user" if subject.name == "system:anonymous" else ""
    if subject.name.startswith(_ACCOUNTS_OF):
        return f"every service account of namespace {subject.name.removeprefix(_ACCOUNTS_OF)}"
    return _EVERYBODY.get(subject.name, "") if subject.kind == "Group" else ""


def _subject(subject: Subject) -> tuple[Entry, ...]:
    is_account = subject.kind == "ServiceAccount"
    to = reference(subject.kind, subject.namespace, subject.name) if is_account else None
    return Entry(subject.kind), Entry(subject.name, everybody(subject), to), Entry(subject.namespace)


# Roles


def role_columns() -> tuple[Column, ...]:
    """The columns of Roles and ClusterRoles."""
    return columns(col("Name", NAME_HELP), col("Created At", CREATED_HELP))


def role_row(role: Role) -> Row:
    """The row, as the API server's default printer writes it."""
    meta = role.metadata
    cells = (Cell(meta.name), created_at(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


def role_page(
    meta: ObjectMeta, where: str, rules: Sequence[PolicyRule], facts: Iterable[Fact] = ()
) -> Detail:
    """The page of a Role or ClusterRole, whose rights count ``where``; "" for where it is bound."""
    who = f"{where}, whoever is bound to it may" if where else "Whoever is bound to it may"
    count = Fact("Rules", str(len(rules)), "whoever is bound to it has them all" if rules else "")
    return page(
        meta, f"{who} {allowed(rules) or 'do nothing'}", (count, *facts), tables=(rules_table(rules),)
    )
