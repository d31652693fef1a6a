"""As whom a transport acts that is not the context's own user."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .config import Cluster, Connection
from .credentials import BearerCredentials, Credentials

__all__ = ["Acting", "Bearer"]


@dataclass(frozen=True, slots=True)
class Bearer:
    """Somebody's own token: the context's server and authority, and nothing else of what its user entry says."""

    token: str = field(repr=False)

    def of(self, cluster: Cluster, installation: Credentials) -> tuple[Cluster, Credentials]:
        """What a transport is made of; ``installation`` are the context's own credentials."""
        connection = Connection(cluster=cluster.connection.cluster, user={})
        return replace(cluster, connection=connection), BearerCredentials(self.token)


Acting = Bearer
