"""The one list of cards, in their order on the page."""

from __future__ import annotations

from ..piece import Card
from .belongs import BelongsCard
from .conditions import ConditionsCard
from .containers import ContainersCard
from .customconditions import CustomConditionsCard
from .events import EventsCard
from .facts import FactsCard
from .keys import KeysCard
from .pods import PodsCard
from .problems import ProblemsCard
from .protection import ProtectionCard
from .quotas import QuotasCard
from .reach import ReachCard
from .relations import RelationsCard
from .replicas import ReplicasCard
from .restarts import RestartsCard
from .routes import RoutesCard
from .secret import SecretCard
from .survival import SurvivalCard
from .tables import TablesCard
from .usage import NamespaceUsageCard, NodeUsageCard, PodUsageCard, UsageCard
from .values import ValuesCard

CARDS: tuple[type[Card], ...] = (
    ProblemsCard,
    BelongsCard,
    RoutesCard,
    TablesCard,
    ReachCard,
    NodeUsageCard,
    NamespaceUsageCard,
    QuotasCard,
    PodsCard,
    ContainersCard,
    PodUsageCard,
    UsageCard,
    SurvivalCard,
    KeysCard,
    SecretCard,
    ValuesCard,
    RelationsCard,
    EventsCard,
    FactsCard,
    ProtectionCard,
    ConditionsCard,
    CustomConditionsCard,
    ReplicasCard,
    RestartsCard,
)
