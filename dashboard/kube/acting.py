"""As whom a transport acts that is not the context's own user."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from dashboard.errors import BadInput, Forbidden

from .config import Cluster, Connection
from .credentials import BearerCredentials, Credentials

__all__ = ["Acting", "Bearer", "Impersonation", "impersonation_required"]

MASTERS = "system:masters"  # whoever is in it may do everything, whatever RBAC says
MAX_LETTERS = 253  # of a user, a group, an extra value
MAX_GROUPS, MAX_EXTRA = 50, 20


@dataclass(frozen=True, slots=True)
class Bearer:
    """Somebody's own token: the context's server and authority, and nothing else of what its user entry says."""

    token: str = field(repr=False)

    def of(self, cluster: Cluster, installation: Credentials) -> tuple[Cluster, Credentials]:
        """What a transport is made of; ``installation`` are the context's own credentials."""
        connection = Connection(cluster=cluster.connection.cluster, user={})
        return replace(cluster, connection=connection), BearerCredentials(self.token)


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The context's own account, which says whom it stands for (the Impersonate-… headers of Kubernetes). Made by
    ``impersonation_required``.
    """

    user: str
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, cluster: Cluster, installation: Credentials) -> tuple[Cluster, Credentials]:
        """As for a token. Raises Forbidden where the context's own user stands for somebody else already."""
        own = cluster.connection.user
        if own.get("as"):
            raise Forbidden(
                f"The kubeconfig's user of {cluster.name} impersonates somebody itself.",
                next_step="Remove `as` there, or let people act in another way (CLUSTER_UI_ACT_AS).",
            )
        user = {
            **own, "as": self.user, "as-groups": list(self.groups),
            "as-user-extra": {key: list(values) for key, values in self.extra},
        }  # fmt: skip
        connection = replace(cluster.connection, user=user)
        return replace(cluster, connection=connection), installation


Acting = Bearer | Impersonation


def impersonation_required(
    user: str, groups: Collection[str], extra: Mapping[str, Collection[str]]
) -> Impersonation:
    """Raises BadInput for whom nobody is impersonated as, and for what headers would not carry as it is written."""
    for name, values in (
        ("user", [user]),
        ("groups", groups),
        ("extra", [*extra, *(v for vs in extra.values() for v in vs)]),
    ):
        for value in values:
            # An API server trims what it reads: " system:masters" would be that very group.
            if not value or value != value.strip() or not value.isprintable() or len(value) > MAX_LETTERS:
                raise BadInput(
                    f"{value!r} can't be impersonated: use a name of 1 to {MAX_LETTERS} printable characters, "
                    "without spaces around it.",
                    field=name,
                )
    if MASTERS in groups:
        raise BadInput(
            f"Nobody is impersonated as a member of {MASTERS}: no rule of RBAC would bind them.",
            next_step="Bind a ClusterRole such as cluster-admin to a group of your own instead.",
            field="groups",
        )
    if len(groups) > MAX_GROUPS or sum(map(len, extra.values())) > MAX_EXTRA:
        raise BadInput(f"Enter at most {MAX_GROUPS} groups and {MAX_EXTRA} extra values.", field="groups")
    return Impersonation(
        user, tuple(sorted(groups)), tuple(sorted((k, tuple(sorted(v))) for k, v in extra.items()))
    )
