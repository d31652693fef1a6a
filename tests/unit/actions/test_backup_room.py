"""Backups from the page are bounded: whoever may read anything may make one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions import cluster_backup as machine
from dashboard.actions import operations
from dashboard.actions import token as tokens
from dashboard.actions.action import Actor
from dashboard.actions.cluster_backup import (
    MAX_AT_ONCE,
    SALT,
    Asked,
    BackupOrder,
    BackupUnderWay,
    Shown,
    _facts,
    backup_begin,
)
from dashboard.errors import Conflict, TooManyRequests
from dashboard.models import Change, Operation

pytestmark = pytest.mark.django_db(transaction=True)


async def begin(name: str, context: str = "dev") -> Change:
    """As somebody who has seen the preview."""
    user, _ = await User.objects.aget_or_create(username=name)
    cluster: Any = SimpleNamespace(name=context, slug=context, server=f"https://{context}", is_sandbox=True)
    transport: Any = SimpleNamespace(cluster=cluster)
    order = BackupOrder(transport=transport, actor=Actor(user=user, name=name, sign_in=""), asked=Asked())
    shown = Shown(**_facts(order), nonce=tokens.new_nonce())
    return await backup_begin(order, tokens.sign(shown, SALT))


async def test_each_person_makes_one_at_a_time_and_few_make_one_at_once(
    settings: Any, tmp_path: Path
) -> None:
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path)
    first = await begin("mara")
    with pytest.raises(BackupUnderWay) as refused:
        await begin("mara")
    assert refused.value.change == first.pk
    await begin("mara", "another")
    for number in range(1, MAX_AT_ONCE):
        await begin(f"mara-{number}")
    with pytest.raises(TooManyRequests, match="of dev are under way"):
        await begin("jon")
    assert await Change.objects.acount() == MAX_AT_ONCE + 1
    await Operation.objects.filter(change=first).aupdate(state=Operation.State.DONE)
    await begin("jon")


async def stop(change: Change) -> None:
    await Operation.objects.filter(change=change).aupdate(state=Operation.State.STOPPED)


async def resume(change: Change) -> Operation:
    transport: Any = SimpleNamespace(cluster=SimpleNamespace(name="dev"))
    user = await User.objects.aget(pk=change.user_id)
    actor = Actor(user=user, name=user.get_username(), sign_in="")
    await operations.operation_resume(transport=transport, actor=actor, change=change)
    return await Operation.objects.aget(change=change)


async def test_one_that_goes_on_takes_a_place_again(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def allowed(_: Any) -> None:
        return None

    monkeypatch.setattr(operations, "changes_required", allowed)
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path)
    first = await begin("mara")
    await stop(first)
    second = await begin("mara")
    with pytest.raises(BackupUnderWay) as refused:
        await resume(first)
    assert refused.value.change == second.pk
    await stop(second)
    others = [await begin(f"mara-{number}") for number in range(MAX_AT_ONCE)]
    with pytest.raises(TooManyRequests, match="of dev are under way"):
        await resume(first)
    await stop(others[-1])  # its place is another one than that which the first had
    assert (await resume(first)).state == Operation.State.RUNNING
    running = Operation.objects.filter(state=Operation.State.RUNNING)
    assert await running.values("place").distinct().acount() == MAX_AT_ONCE

    # Two at the same moment: the later one finds that it is taken.
    await stop(first)
    await stop(others[0])
    await begin("mara")
    monkeypatch.setattr(machine, "_room_required", lambda *_: 2)
    with pytest.raises(Conflict, match="meanwhile"):
        await resume(first)
    assert (await Operation.objects.aget(change=first)).state == Operation.State.STOPPED
