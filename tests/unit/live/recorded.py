"""A cluster in memory that is recorded, by a clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from asgiref.sync import sync_to_async

from dashboard.cache.recording import Moment
from dashboard.cache.reflector import ReflectorStatus
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.live.recorder import Recorder
from dashboard.queries.reader import Reader
from dashboard.queries.recordings import moment_read
from dashboard.queries.seenclusters import EVER, Recognised

from .seen import Cache

BEGAN = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)


class Recorded(Cache):
    """``pass_time`` moves its clock; versions of objects are numbered, so that each is another one."""

    def __init__(self, context: str = "prod") -> None:
        super().__init__()
        self.now = BEGAN
        self.context = context
        self.states = dict.fromkeys(KINDS, "live")
        self.refusals: dict[str, Forbidden] = {}
        self.version = 0
        self._told: list[Any] = []
        self.recorder = self.another()

    def another(self) -> Recorder:
        """As a second process has one."""
        made: Any = SimpleNamespace(
            cluster=SimpleNamespace(name=self.context),
            recognised=Recognised("", self.context, EVER),
            installation=SimpleNamespace(cache=self, reader=Reader(self)),  # type: ignore[arg-type]
        )
        recorder = Recorder(made, clock=lambda: self.now)
        recorder.listen()
        return recorder

    def lease(self, plurals: Any, *, beside: bool = False) -> Any:
        return SimpleNamespace(release=lambda: None)

    def on_status(self, callback: Any) -> Any:
        self._told.append(callback)
        return lambda: self._told.remove(callback)

    def status(self, plural: str) -> ReflectorStatus:
        return ReflectorStatus(self.states.get(plural, "live"))  # type: ignore[arg-type]

    def denied(self, plural: str) -> Any:
        return self.refusals.get(plural)

    def knows(self, plural: str, namespace: str) -> bool | None:
        return None if plural in self.refusals else self.listed(plural)

    def pass_time(self, **passed: float) -> datetime:
        self.now += timedelta(**passed)
        return self.now

    def put(self, plural: str, *manifests: dict[str, Any]) -> None:
        for manifest in manifests:
            self.version += 1
            meta = {"resourceVersion": str(self.version)} | manifest["metadata"]
            super().put(plural, manifest | {"metadata": meta})

    async def read(self, at: datetime) -> Moment | None:
        return await sync_to_async(moment_read)(self.context, at)

    def held(self) -> dict[str, list[bytes]]:
        """What the stores hold, comparable."""
        return held(self.stores)


def held(stores: Any) -> dict[str, list[Any]]:
    """Every row of every kind, cell by cell, with what an object says of itself."""
    return {
        plural: sorted(repr(kind.row(obj)) + repr(kind.detail(obj)) for obj in stores[plural].values())
        for plural, kind in KINDS.items()
    }


def pod(name: str, phase: str = "Running", **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **meta},
        "spec": {
            "nodeName": "worker",
            "containers": [
                {
                    "name": "web",
                    "image": "shop/web:1",
                    "command": ["sh", "-c", "CANARY-command"],
                    "env": [{"name": "PASSWORD", "value": "CANARY-variable"}],
                }
            ],
        },
        "status": {"phase": phase},
    }
