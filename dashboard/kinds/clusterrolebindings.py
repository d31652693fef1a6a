"""ClusterRoleBindings: who has which rights in the whole cluster."""

from __future__ import annotations

from .base import GVR, Detail, Kind
from .rbac import BINDING_STARTER, Binding, binding_columns, binding_detail, binding_row


def detail(binding: Binding) -> Detail:
    """The facts of the ClusterRoleBinding's page."""
    return binding_detail(binding, "in the whole cluster")


CLUSTERROLEBINDINGS: Kind[Binding] = Kind(
    gvr=GVR("rbac.authorization.k8s.io", "v1", "clusterrolebindings", namespaced=False),
    kind="ClusterRoleBinding",
    title="ClusterRoleBindings",
    singular="ClusterRoleBinding",
    section="Access",
    rare=True,
    type=Binding,
    columns=binding_columns(),
    row=binding_row,
    detail=detail,
    starter=BINDING_STARTER,
    explain="A ClusterRoleBinding grants the permissions of a ClusterRole, in every namespace, to its subjects.",
)
