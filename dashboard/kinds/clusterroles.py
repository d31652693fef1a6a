"""ClusterRoles: rights to be given in the whole cluster or in single namespaces."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row
from .meta import Object, Struct
from .rbac import PolicyRule, role_page
from .rows import (
    CREATED_HELP,
    NAME_HELP,
    col,
    columns,
    created_at,
    deleted_state,
    make_row,
    sort_keys,
)
from .selectors import LabelSelector, format_label_selector


class AggregationRule(Struct, frozen=True, gc=False):
    """The ClusterRoles whose rules this one gathers."""

    cluster_role_selectors: tuple[LabelSelector, ...] | None = None


class ClusterRole(Object, frozen=True, gc=False):
    """rbac.authorization.k8s.io/v1 ClusterRole."""

    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None


COLUMNS = columns(col("Name", NAME_HELP), col("Created At", CREATED_HELP))


def row(role: ClusterRole) -> Row:
    """The row, as the API server's default printer writes it."""
    meta = role.metadata
    cells = (Cell(meta.name), created_at(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


def detail(role: ClusterRole) -> Detail:
    """The facts of the ClusterRole's page."""
    meta, rules = role.metadata, role.rules or ()
    where = "by a ClusterRoleBinding, or by a RoleBinding there"
    facts = [Fact("Counts", "in the whole cluster or in one namespace", where)]
    if role.aggregation_rule is not None:
        gathered = role.aggregation_rule.cluster_role_selectors or ()
        note = "a controller copies their rules into this one"
        facts += [Fact("Gathers ClusterRoles", format_label_selector(one), note) for one in gathered]
    return role_page(meta, "", rules, facts)


CLUSTERROLES: Kind[ClusterRole] = Kind(
    gvr=GVR("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False),
    kind="ClusterRole",
    title="ClusterRoles",
    singular="ClusterRole",
    section="Access",
    rare=True,
    type=ClusterRole,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A ClusterRole lists rights that a binding gives in the whole cluster or in one namespace.",
)
