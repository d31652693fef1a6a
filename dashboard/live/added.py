"""What this process knows of the contexts that were added while it ran: asked of the database every few seconds."""

from __future__ import annotations

from collections.abc import Hashable

from dashboard.clusters.keeping import Added, added_clusters, known_version, removed_rules
from dashboard.clusters.rules import Rules, rules_hold
from dashboard.database import in_database
from dashboard.kube.config import Cluster, slug

__all__ = ["Added", "AddedContexts"]


class AddedContexts:
    """A question of one row, unless something was added or removed. As long as the database can't be asked, what was
    known stands.
    """

    def __init__(self) -> None:
        self.all: tuple[Added, ...] = ()
        self._removed: dict[str, Rules] = {}
        self._version: Hashable = None
        self._merged: tuple[tuple[Cluster, ...], tuple[Added, ...], tuple[Cluster, ...]] | None = None

    async def refresh(self) -> None:
        """Raises what a database raises that is away."""
        version = await in_database(known_version)()
        if version == self._version:
            return
        self.all, self._removed = await in_database(_read)()
        # Of what was changed between the two questions, the next one tells.
        self._version = version

    def beside(self, configured: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
        """The contexts of the installation, then those that were added. One whose name the installation got meanwhile is
        not used: nobody shall be led elsewhere by an address that they know.
        """
        known = self._merged
        # Not whether they are equal: credentials are not compared.
        if known is None or known[0] is not configured or known[1] is not self.all:
            names = {each.name for each in configured}
            mine = [each for each in self.all if each.name not in names]
            rules = self._removed | {slug(each.name): each.rules for each in mine}
            rules_hold({key: rule for key, rule in rules.items() if key not in map(slug, names)})
            merged = (*configured, *(each.cluster for each in mine if each.cluster is not None))
            known = self._merged = (configured, self.all, merged)
        return known[2]


def _read() -> tuple[tuple[Added, ...], dict[str, Rules]]:
    return added_clusters(), removed_rules()
