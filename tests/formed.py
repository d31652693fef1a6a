"""The forms of actions as a script sends them, to the views, over any transport and objects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import AsyncClient

from dashboard.actions.registry import action_named
from dashboard.kinds import KINDS
from dashboard.live.runtime import runtime
from dashboard.models import Change
from dashboard.views import actions, changes, form


def open_forms(monkeypatch: pytest.MonkeyPatch, transport: Any, objects: Any) -> SimpleNamespace:
    """A session for the views, without a cache: its ``reader`` may be replaced."""

    async def knows(_: str) -> None:
        return None

    async def may(*_: object, **__: object) -> bool:
        return True

    cluster: Any = SimpleNamespace(cluster=transport.cluster, kinds=KINDS, knows=knows)
    session = SimpleNamespace(cluster=cluster, transport=transport, reader=objects, may=may)
    cluster.session = lambda _: session

    def screen(_: object, __: object, plural: str, namespace: str, name: str, action: str) -> Any:
        return SimpleNamespace(
            kind=KINDS[plural], namespace=namespace.strip("-"), name=name, action=action_named(action, plural),
            session=session, runtime=cluster,
        )  # fmt: skip

    @asynccontextmanager
    async def listed(*_: object) -> AsyncIterator[None]:
        yield

    async def begun(_: object, change: Change) -> Change:
        return change  # the steps of an operation have tests of their own

    monkeypatch.setattr(runtime, "open", lambda _: cluster)
    monkeypatch.setattr(actions, "action_screen", screen)
    monkeypatch.setattr(changes, "UndoScreen", screen)
    for module in (actions, changes):
        monkeypatch.setattr(module, "listed", listed)
    for module in (form, changes):
        monkeypatch.setattr(module, "begun", begun)
    return session


class Script:
    """Somebody's script: posts steps to one address, and gets JSON."""

    def __init__(self, client: AsyncClient, url: str, typed: dict[str, str]) -> None:
        self.client, self.url, self.typed = client, url, typed

    async def post(self, **fields: str) -> tuple[int, dict[str, Any]]:
        response = await self.client.post(f"{self.url}?format=json", self.typed | fields)
        return response.status_code, response.json()

    async def preview(self) -> dict[str, Any]:
        status, answer = await self.post(step="preview")
        assert status == 200, answer
        return answer

    async def apply(self, token: str) -> dict[str, Any]:
        status, answer = await self.post(step="apply", token=token)
        assert status == 200, answer
        return answer
