"""One operation, moved to its end by the process that began it and waits: that of a command line (docs/adr/0069).

The servers' processes move operations as well (``dashboard.live.operations``). Who has the lease moves it: this process
for as long as it lives and the database answers; after that a server goes on, and this process only looks on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from dashboard import clock
from dashboard.database import in_database
from dashboard.kube.transport import Transport, hold
from dashboard.models import Change, Operation

from .hold import Hold, asked
from .operation import Lost, operation_advance
from .operations import LEASE_SECONDS, operations_claim, required_action

CLAIM_SECONDS = 1.0  # a lease is renewed while a move is under way, too


class Nothing:
    """The objects of an operation that reads nothing of a cache."""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return ()

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return False


def new_holder() -> str:
    """Names this process where it has an operation."""
    return secrets.token_hex(8)


async def operation_run(
    change: Change,
    transport: Transport,
    holder: str,
    moved: Callable[[Operation], None] = lambda operation: None,
) -> Operation:
    """Moves the operation of a change until it has ended, or was stopped by somebody; as it is then. ``moved`` is called
    with it after each move. Raises what the database raises where that is away.
    """
    held: Hold | None = None
    move: asyncio.Task[None] | None = None
    try:
        while True:
            began = asked()
            claimed = await in_database(operations_claim)(holder, clock.now(), change=change.pk)
            if claimed and held is not None and held.stands:
                held.renew(began, LEASE_SECONDS)
            elif claimed:
                held = Hold(began, LEASE_SECONDS)
            if claimed and held is not None and (move is None or move.done()):
                move = asyncio.create_task(_move(claimed[0], transport, holder, held))
            if move is not None:
                await asyncio.wait([move], timeout=CLAIM_SECONDS)
                if move.done():
                    move.result()
            operation = await in_database(_operation)(change)
            moved(operation)
            if operation.state != Operation.State.RUNNING:
                return operation
            if move is None or move.done():  # it waits for the cluster, or somebody else has it
                await asyncio.sleep(CLAIM_SECONDS / 4)
    finally:
        if move is not None and not move.done():
            move.cancel()
            await asyncio.gather(move, return_exceptions=True)


async def _move(operation: Operation, transport: Transport, holder: str, held: Hold) -> None:
    hold.set(held.required)  # of this task alone
    try:
        await operation_advance(
            operation=operation, action=required_action(operation), holder=holder, transport=transport,
            objects=Nothing(), now=clock.now(),
        )  # fmt: skip
    except Lost:
        return  # another process has it now, or it was stopped


def _operation(change: Change) -> Operation:
    return Operation.objects.select_related("change").get(change=change)
