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
from .replicas import ReplicasCard
from .secret import SecretCard
from .values import ValuesCard

CARDS: tuple[type[Card], ...] = (
    ProblemsCard,
    BelongsCard,
    PodsCard,
    ContainersCard,
    KeysCard,
    SecretCard,
    ValuesCard,
    EventsCard,
    FactsCard,
    ConditionsCard,
    CustomConditionsCard,
    ReplicasCard,
)
