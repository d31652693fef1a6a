"""The forms of actions as a script sends them, to the views, over any transport and objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import QueryDict
from django.test import AsyncClient

from dashboard.actions.newobjects.registry import new_object
from dashboard.actions.operation import operation_advance
from dashboard.actions.operations import operation_action, operation_begin, operations_claim, required_action
from dashboard.actions.registry import action_named
from dashboard.kinds import KINDS
from dashboard.kube.discovery import discover
from dashboard.live.runtime import runtime
from dashboard.live.session import Identity
from dashboard.models import Change, Operation
from dashboard.views import actions, changes, create, form, newobject, replace


def open_forms(monkeypatch: pytest.MonkeyPatch, transport: Any, objects: Any) -> SimpleNamespace:
    """A session for the views, without a cache: its ``reader`` may be replaced."""

    async def knows(_: str) -> None:
        return None

    async def may(*_: object, **__: object) -> bool:
        return True

    cluster: Any = SimpleNamespace(cluster=transport.cluster, kinds=KINDS, knows=knows)
    session = SimpleNamespace(
        identity=Identity("mara"), cluster=cluster, transport=transport, reader=objects, may=may
    )
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
    for module in (form, changes, replace):
        monkeypatch.setattr(module, "begun", begun)
    return session


class Script:
    """Somebody's script: posts steps to one address, and gets JSON."""

    def __init__(self, client: AsyncClient, url: str, typed: dict[str, str]) -> None:
        self.client, self.url, self.typed = client, url, typed

    async def post(self, **fields: str) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}{'&' if '?' in self.url else '?'}format=json"
        response = await self.client.post(url, self.typed | fields)
        return response.status_code, response.json()

    async def preview(self) -> dict[str, Any]:
        status, answer = await self.post(step="preview")
        assert status == 200, answer
        return answer

    async def apply(self, token: str) -> dict[str, Any]:
        status, answer = await self.post(step="apply", token=token)
        assert status == 200, answer
        return answer


def open_creation(
    monkeypatch: pytest.MonkeyPatch, transport: Any, objects: Any, kinds: Any = KINDS
) -> SimpleNamespace:
    """The same for the forms of new objects, YAML among them; the steps are carried to their end before it answers."""
    session = open_forms(monkeypatch, transport, objects)
    session.cluster.kinds = kinds

    async def known(**_: object) -> None:
        return None

    async def anew(**_: object) -> None:
        kinds.learn(await discover(transport))

    async def begun(_: object, change: Change) -> Change:
        if (action := operation_action(change)) is not None:
            operation = await operation_begin(
                change=change, action=action, transport=transport, objects=objects, holder="a"
            )
            await carried_on(operation, transport, objects)
        return change

    session.cluster.discovery = SimpleNamespace(known=known, anew=anew, told=True)
    monkeypatch.setattr(create, "CreateScreen", lambda *_: SimpleNamespace(session=session, namespaces=[]))
    monkeypatch.setattr(create, "begun", begun)
    monkeypatch.setattr(changes, "begun", begun)

    @asynccontextmanager
    async def listed(*_: object) -> AsyncIterator[None]:
        yield

    def form(_: object, asked: QueryDict, plural: str) -> Any:
        one = new_object(plural, asked.get("type", ""))
        return SimpleNamespace(session=session, form=one, source=("",), namespaces=[])

    monkeypatch.setattr(newobject, "NewObjectScreen", form)
    for module in (create, newobject):
        monkeypatch.setattr(module, "listed", listed)
    return session


async def carried_on(operation: Operation, transport: Any, objects: Any) -> None:
    """Moves an operation on until it has ended or stopped."""
    operation = await Operation.objects.select_related("change").aget(pk=operation.pk)
    action = required_action(operation)
    for _ in range(300):
        for claimed in await sync_to_async(operations_claim)("a", datetime.now(UTC)):
            if claimed.pk == operation.pk:
                await operation_advance(
                    operation=claimed, action=action, holder="a", transport=transport, objects=objects,
                    now=datetime.now(UTC),
                )  # fmt: skip
        if not await Operation.objects.filter(pk=operation.pk, state=Operation.State.RUNNING).aexists():
            return
        await asyncio.sleep(0.2)
    raise AssertionError("it does not end")
