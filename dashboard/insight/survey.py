"""The objects at one moment, with the rules' word on each pod."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboard.kinds.pods import Pod

from .finding import Trouble
from .observed import Observed
from .rules.pods import pod_trouble


class Survey(Observed):
    """What the rules read, and what those about pods say of it."""

    def trouble(self, pod: Pod) -> Trouble | None:
        return pod_trouble(self, pod)


class _Nothing:
    """Nothing is read: a pod can be judged by itself alone."""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return ()

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return False


def trouble_alone(pod: Pod, now: datetime) -> Trouble | None:
    """What is wrong with a pod, as far as the pod tells by itself."""
    return pod_trouble(Survey(_Nothing(), now), pod)
