"""Roles: rights within a namespace."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Kind, Row
from .meta import Object
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


class Role(Object, frozen=True, gc=False):
    """rbac.authorization.k8s.io/v1 Role."""

    rules: tuple[PolicyRule, ...] | None = None


COLUMNS = columns(col("Name", NAME_HELP), col("Created At", CREATED_HELP))


def row(role: Role) -> Row:
    """The row, as the API server's default printer writes it."""
    meta = role.metadata
    cells = (Cell(meta.name), created_at(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


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
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A Role lists rights within its namespace; a RoleBinding gives them to people, groups or pods.",
)
