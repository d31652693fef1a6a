"""ServiceAccounts: who pods are, towards the API server and towards image registries."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row
from .facts import page
from .meta import LocalObjectReference, Object
from .rows import AGE_HELP, NAME_HELP, age, col, columns, deleted_state, make_row, sort_keys


class ServiceAccount(Object, frozen=True, gc=False):
    """v1 ServiceAccount."""

    secrets: tuple[LocalObjectReference, ...] | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] | None = None
    automount_service_account_token: bool | None = None

    @property
    def user_name(self) -> str:
        """The name that access rules know it by."""
        return f"system:serviceaccount:{self.metadata.namespace}:{self.metadata.name}"


COLUMNS = columns(col("Name", NAME_HELP), col("Age", AGE_HELP))


def row(account: ServiceAccount) -> Row:
    """The row, as ``printServiceAccount`` writes it."""
    meta = account.metadata
    cells = (Cell(meta.name), age(meta.creation_timestamp))
    return make_row(meta, cells, sort_keys(cells), *deleted_state(meta))


def detail(account: ServiceAccount) -> Detail:
    """The facts of the ServiceAccount's page."""
    meta = account.metadata
    mounts = account.automount_service_account_token is not False
    token = "they get its token unless they opt out" if mounts else "they get no token unless they opt in"
    facts = [
        Fact("User name", account.user_name, "in RBAC rules and audit logs"),
        Fact(
            "Token in pods",
            "Yes" if mounts else "No",
            "a pod can opt out (automountServiceAccountToken: false)"
            if mounts
            else "a pod can opt in (automountServiceAccountToken: true)",
        ),
    ]
    who = "pods that set no other account" if meta.name == "default" else "pods that use it"
    return page(meta, f"The identity of {who}; {token}", facts)


SERVICEACCOUNTS: Kind[ServiceAccount] = Kind(
    gvr=GVR("", "v1", "serviceaccounts"),
    kind="ServiceAccount",
    title="ServiceAccounts",
    singular="ServiceAccount",
    section="Access",
    short_names=("sa",),
    type=ServiceAccount,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A ServiceAccount is the identity of a pod; bindings grant it permissions, and it can provide pull secrets.",
)
