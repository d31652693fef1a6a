"""The one list of cards, in their order on the page."""

from __future__ import annotations

from ..piece import Card
from .belongs import BelongsCard
from .conditions import ConditionsCard
from .containers import ContainersCard
from .events import EventsCard
from .facts import FactsCard
from .keys import KeysCard
from .pods import PodsCard
from .problems import ProblemsCard
from .quotas import QuotasCard
from .replicas import ReplicasCard
from .restarts import RestartsCard
from .secret import SecretCard
from .usage import NamespaceUsageCard, NodeUsageCard, PodUsageCard, UsageCard
from .values import ValuesCard

CARDS: tuple[type[Card], ...] = (
    ProblemsCard,
    BelongsCard,
    NodeUsageCard,
    NamespaceUsageCard,
    QuotasCard,
    PodsCard,
    ContainersCard,
    PodUsageCard,
    UsageCard,
    KeysCard,
    SecretCard,
    ValuesCard,
    EventsCard,
    FactsCard,
    ConditionsCard,
    ReplicasCard,
    RestartsCard,
)
