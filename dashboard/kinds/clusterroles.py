"""ClusterRoles: rights to be given in the whole cluster or in single namespaces."""

from __future__ import annotations

from .base import GVR, Detail, Fact, Kind
from .meta import Struct
from .rbac import Role, role_columns, role_page, role_row
from .selectors import LabelSelector, format_label_selector


class AggregationRule(Struct, frozen=True, gc=False):
    """The ClusterRoles whose rules this one gathers."""

    cluster_role_selectors: tuple[LabelSelector, ...] | None = None


class ClusterRole(Role, frozen=True, gc=False):
    """rbac.authorization.k8s.io/v1 ClusterRole."""

    aggregation_rule: AggregationRule | None = None


def detail(role: ClusterRole) -> Detail:
    """The facts of the ClusterRole's page."""
    meta, rules = role.metadata, role.rules or ()
    where = "by a ClusterRoleBinding, or by a RoleBinding there"
    facts = [Fact("Counts", "in the whole cluster or in one namespace", where)]
    if role.aggregation_rule is not None:
        gathered = role.aggregation_rule.cluster_role_selectors or ()
        note = "a controller combines their rules into this one"
        facts += [Fact("Aggregates ClusterRoles", format_label_selector(one), note) for one in gathered]
    return role_page(meta, "", rules, facts)


CLUSTERROLES: Kind[ClusterRole] = Kind(
    gvr=GVR("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False),
    kind="ClusterRole",
    title="ClusterRoles",
    singular="ClusterRole",
    section="Access",
    rare=True,
    type=ClusterRole,
    columns=role_columns(),
    row=role_row,
    detail=detail,
    explain="A ClusterRole is a set of permissions that a binding grants in the whole cluster or in one namespace.",
)
