"""The ClusterRoles that an installation hands out to people, made of what the code needs: ``deploy/roles.yaml``."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from .abilities import ROLES, SECRETS_SEEN, Ability, abilities, rights_of, rights_of_the_cache
from .action import RoleName
from .rights import Right

VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
)  # in the order in which rules name them
PURPOSE: dict[RoleName, str] = {
    "viewer": "Reads everything that the dashboard shows, but neither Secrets nor who may do what.",
    "operator": "Besides, keeps what runs running: scale, restart, roll back, suspend, evict, drain. RBAC knows no "
    "smaller right than to patch a workload: whoever has it may, with kubectl, run anything in its namespace, and so "
    "read the Secrets there.",
    "configurator": "Besides, creates, changes and deletes what applications are made of, Secrets with their values too.",
    "administrator": "Besides, everything else that can be done here: shells and debug containers, namespaces, volumes, "
    "quotas, nodes and access. Bound in the whole cluster it is as good as cluster-admin.",
}
_HEAD = """\
# Roles to hand out to people who sign in with accounts of their own (CLUSTER_UI_ACT_AS=user or impersonate): what each
# may do and how to bind them stands in docs/roles.md. Each holds all that the one before it holds.
#
# Made of what pages and actions need by `python manage.py roles`, which a test compares it with. The comment at a rule
# says what it is for, besides lists and pages.

"""
_ACCOUNT = """\
# The dashboard's own account where CLUSTER_UI_ACT_AS is {mode}, in place of rbac.yaml: {purpose}
#
# Made by `python manage.py roles --account {mode}`. Custom kinds: grant `list` and `watch` on them beside it.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: cluster-ui
  namespace: cluster-ui
  labels:
    app.kubernetes.io/name: cluster-ui
---
"""
_BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: cluster-ui
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {name}
subjects:
  - kind: ServiceAccount
    name: cluster-ui
    namespace: cluster-ui
"""
_ACCOUNT_PURPOSE = {
    "user": "it\n# watches what lists show. People read and change everything else with their own token.",
    "impersonate": "it\n# watches what lists show, and acts as those whom it names. It needs no right that they have.",
}
_IMPERSONATES = """\
# Name whom people act as (/people/) here, each of them: without names, whoever controls the dashboard could become
# anybody in the cluster, system:masters included. Extra values take `userextras/<key>`.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: cluster-ui-impersonate
  labels:
    app.kubernetes.io/name: cluster-ui
rules:
  - apiGroups: [""]
    resources: [users]
    resourceNames: [jane@example.com]
    verbs: [impersonate]
  - apiGroups: [""]
    resources: [groups]
    resourceNames: [shop-team, platform-admins]
    verbs: [impersonate]
"""
_SECRETS = (
    "Names, types and ages of Secrets for those who may list them. RBAC knows no right to metadata alone: whoever may "
    "list Secrets may read their values. The dashboard asks for metadata only. Leave out its binding where even that is "
    "too much: everything else works without it."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a ClusterRole; ``purpose`` is what it is for."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    purpose: tuple[str, ...]


def rules(rights: Mapping[Right, Collection[str]]) -> list[Rule]:
    """The fewest rules that grant these rights and nothing else."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    purpose: dict[tuple[str, str], list[str]] = defaultdict(list)
    for right, words in rights.items():
        at = right.gvr.group, right.resource
        verbs[at].add(right.verb)
        purpose[at] += words
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), named in verbs.items():
        together[group, tuple(sorted(named, key=VERBS.index))].append(resource)
    found = [
        Rule(
            group,
            tuple(sorted(resources)),
            named,
            tuple(dict.fromkeys(word for each in sorted(resources) for word in purpose[group, each])),
        )
        for (group, named), resources in together.items()
    ]
    return sorted(found, key=lambda rule: (rule.group, rule.resources))


def role_text(name: str, purpose: str, granted: Collection[Rule]) -> str:
    """A ClusterRole as YAML."""
    lines = [
        *_comment(purpose, ""),
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: ClusterRole",
        "metadata:",
        f"  name: {name}",
        "  labels:",
        "    app.kubernetes.io/name: cluster-ui",
        "rules:",
    ]
    for rule in granted:
        lines += _comment(
            ", ".join(word[:1].lower() + word[1:] for word in rule.purpose if word != "See"), "  "
        )
        lines += [f'  - apiGroups: ["{rule.group}"]' if not rule.group else f"  - apiGroups: [{rule.group}]"]
        lines += ["    resources:", *(f"      - {each}" for each in rule.resources)]
        lines.append(f"    verbs: [{', '.join(rule.verbs)}]")
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, 116 - len(indent)):
        yield f"{indent}# {line}"


def role_name(role: RoleName) -> str:
    return f"cluster-ui-{role}"


def roles_text() -> str:
    """``deploy/roles.yaml``."""
    made = [role_text(role_name(role), PURPOSE[role], rules(rights_of(role))) for role in ROLES]
    return _HEAD + "---\n".join(made)


def account_text(mode: str) -> str:
    """``deploy/rbac-<mode>.yaml``: the dashboard's own account."""
    cache = role_text(
        "cluster-ui-cache", "What the dashboard watches, for everybody.", rules(rights_of_the_cache())
    )
    seen = role_text(
        "cluster-ui-cache-secrets", _SECRETS, rules({right: ["what lists show"] for right in SECRETS_SEEN})
    )
    made = {"cluster-ui-cache": cache, "cluster-ui-cache-secrets": seen}
    if mode == "impersonate":
        made["cluster-ui-impersonate"] = _IMPERSONATES
    bindings = [_BINDING.format(name=name) for name in made]
    head = _ACCOUNT.format(mode=mode, purpose=_ACCOUNT_PURPOSE[mode])
    return head + "---\n".join([*made.values(), *bindings])


ACCOUNTS = tuple(_ACCOUNT_PURPOSE)


def narrow_text(name: str, chosen: Collection[Ability]) -> str:
    """A role for just these."""
    rights: dict[Right, list[str]] = defaultdict(list)
    for ability in chosen:
        for right in ability.rights:
            rights[right].append(ability.title)
    return role_text(name, "Made by `python manage.py roles`.", rules(rights))


def roles_table() -> str:
    """What each role may do, by kind, as the table of docs/roles.md: in a column what comes with that role."""
    lines = [f"| Kind | {' | '.join(ROLES)} |", f"|---|{'---|' * len(ROLES)}"]
    found: dict[str, dict[RoleName, list[str]]] = defaultdict(lambda: defaultdict(list))
    for ability in abilities():
        found[ability.kind.title][ability.role].append(ability.title)
    for title, by_role in found.items():
        cells = [", ".join(dict.fromkeys(by_role[role])) or "–" for role in ROLES]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
