"""The one list of cards, in their order on the page; those of plugins follow the problems."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.base import Kind

from ..piece import Card
from .account import AccountCard
from .conditions import ConditionsCard
from .containers import ContainersCard
from .contents import ContentsCard
from .customconditions import CustomConditionsCard
from .declared import PluginCard
from .durability import DurabilityCard
from .events import EventsCard
from .facts import FactsCard
from .keys import KeysCard
from .nodeloss import NodeLossCard
from .pods import PodsCard
from .problems import ProblemsCard
from .protection import ProtectionCard
from .quotas import QuotasCard
from .reach import ReachCard
from .relations import CustomRelationsCard, RelationsCard
from .replicas import ReplicasCard
from .restarts import RestartsCard
from .routes import RoutesCard
from .secret import SecretCard
from .tables import TablesCard
from .topology import TopologyCard
from .usage import NamespaceUsageCard, NodeUsageCard, PodUsageCard, UsageCard
from .values import ValuesCard
from .versions import VersionsCard

CARDS: tuple[type[Card], ...] = (
    ProblemsCard,
    ContentsCard,
    TopologyCard,
    RoutesCard,
    AccountCard,
    TablesCard,
    ReachCard,
    NodeUsageCard,
    NamespaceUsageCard,
    QuotasCard,
    NodeLossCard,
    PodsCard,
    ContainersCard,
    PodUsageCard,
    UsageCard,
    DurabilityCard,
    KeysCard,
    SecretCard,
    ValuesCard,
    VersionsCard,
    RelationsCard,
    CustomRelationsCard,
    EventsCard,
    FactsCard,
    ProtectionCard,
    ConditionsCard,
    CustomConditionsCard,
    ReplicasCard,
    RestartsCard,
)
# Those of plugins, made at the start of the program.
DECLARED: list[type[PluginCard]] = []


def cards_of(kind: Kind[Any]) -> list[type[Card]]:
    """The cards on the pages of a kind."""
    first, *others = CARDS
    return [card for card in (first, *DECLARED, *others) if card.fits(kind)]
