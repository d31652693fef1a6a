"""Roles: rights within a namespace."""

from __future__ import annotations

from .base import GVR, Detail, Kind
from .rbac import Role, role_columns, role_page, role_row


def detail(role: Role) -> Detail:
    """The facts of the Role's page."""
    meta, rules = role.metadata, role.rules or ()
    return role_page(meta, f"In namespace {meta.namespace}", rules)


ROLES: Kind[Role] = Kind(
    gvr=GVR("rbac.authorization.k8s.io", "v1", "roles"),
    kind="Role",
    title="Roles",
    singular="Role",
    section="Access",
    type=Role,
    columns=role_columns(),
    row=role_row,
    detail=detail,
    explain="A Role is a set of permissions in its namespace; a RoleBinding grants them to users, groups and accounts.",
)
