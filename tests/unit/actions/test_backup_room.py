"""Backups from the page are bounded: whoever may read anything may make one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User

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
from dashboard.errors import TooManyRequests
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
