"""RoleBindings: who has which rights in a namespace."""

from __future__ import annotations

from .base import GVR, Detail, Kind
from .rbac import BINDING_STARTER, Binding, binding_columns, binding_detail, binding_row


def detail(binding: Binding) -> Detail:
    """The facts of the RoleBinding's page."""
    return binding_detail(binding, f"in namespace {binding.metadata.namespace}")


ROLEBINDINGS: Kind[Binding] = Kind(
    gvr=GVR("rbac.authorization.k8s.io", "v1", "rolebindings"),
    kind="RoleBinding",
    title="RoleBindings",
    singular="RoleBinding",
    section="Access",
    type=Binding,
    columns=binding_columns(),
    row=binding_row,
    detail=detail,
    starter=BINDING_STARTER,
    explain="A RoleBinding grants the permissions of a Role or ClusterRole, within its namespace, to its subjects.",
)
