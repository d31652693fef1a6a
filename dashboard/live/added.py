"""What this process knows of the contexts that were added while it ran: asked of the database every few seconds."""

from __future__ import annotations

from collections.abc import Hashable

from dashboard.clusters.keeping import Added, added_clusters, known_version, own_past
from dashboard.clusters.rules import Past, past_holds, rules_hold
from dashboard.database import in_database
from dashboard.kube.config import Cluster, slug

__all__ = ["Added", "AddedContexts"]


class AddedContexts:
    """A question of one row, unless something was added or removed. As long as the database can't be asked, what was
    known stands.
    """

    def __init__(self) -> None:
        self.all: tuple[Added, ...] = ()
        self.shadowing: frozenset[str] = frozenset()  # the names of the installation's own contexts
        self._version: Hashable = None
        self._merged: tuple[tuple[Cluster, ...], tuple[Added, ...], tuple[Cluster, ...]] | None = None

    async def refresh(self) -> None:
        """Raises what a database raises that is away."""
        version = await in_database(known_version)()
        if version == self._version:
            return
        self.all, past = await in_database(_read)()
        past_holds(past)
        # Of what was changed between the two questions, the next one tells.
        self._version = version

    def beside(self, configured: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
        """The contexts of the installation, then those that were added. One whose name the installation got meanwhile is
        not used: nobody shall be led elsewhere by an address that they know.
        """
        known = self._merged
        # Not whether they are equal: credentials are not compared.
        if known is None or known[0] is not configured or known[1] is not self.all:
            self.shadowing = frozenset(each.name for each in configured)
            known = self._merged = (configured, self.all, (*configured, *self.alone()))
        return known[2]

    def alone(self) -> tuple[Cluster, ...]:
        """Those that were added, without the ones whose name the installation had when its contexts were last read."""
        mine = [each for each in self.all if each.name not in self.shadowing]
        rules_hold({slug(each.name): each.rules for each in mine})
        return tuple(each.cluster for each in mine if each.cluster is not None)


def _read() -> tuple[tuple[Added, ...], Past]:
    return added_clusters(), own_past()
