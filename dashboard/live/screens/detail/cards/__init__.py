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
from .protection import ProtectionCard
from .reach import ReachCard
from .relations import RelationsCard
from .replicas import ReplicasCard
from .routes import RoutesCard
from .secret import SecretCard
from .survival import SurvivalCard
from .tables import TablesCard
from .values import ValuesCard

CARDS: tuple[type[Card], ...] = (
    ProblemsCard,
    BelongsCard,
    RoutesCard,
    TablesCard,
    ReachCard,
    PodsCard,
    ContainersCard,
    SurvivalCard,
    KeysCard,
    SecretCard,
    ValuesCard,
    RelationsCard,
    EventsCard,
    FactsCard,
    ProtectionCard,
    ConditionsCard,
    ReplicasCard,
)
