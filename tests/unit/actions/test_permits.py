"""Whether a cluster may be changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.permits import (
    changes_required,
    changes_state,
    cluster_allow_changes,
    cluster_forbid_changes,
)
from dashboard.errors import ReadOnly
from dashboard.models import AuditEntry, ClusterPermit

pytestmark = pytest.mark.django_db(transaction=True)

HERE = {"context": "prod", "server": "https://one", "is_sandbox": False}


async def test_a_cluster_is_read_only_until_somebody_allows_changes_once() -> None:
    mara = await User.objects.acreate(username="mara")
    assert (await changes_state(**HERE)).state == "ask"
    await cluster_allow_changes(user=mara, **HERE)
    await cluster_allow_changes(user=mara, **HERE)
    permit = await changes_state(**HERE)
    assert (permit.state, permit.by) == ("allowed", "mara")
    assert await ClusterPermit.objects.acount() == 1
    assert [entry.action async for entry in AuditEntry.objects.all()] == ["allow-changes"]


async def test_the_same_name_at_another_server_asks_again() -> None:
    await cluster_allow_changes(user=await User.objects.acreate(username="mara"), **HERE)
    assert (await changes_state(**{**HERE, "server": "https://two"})).state == "ask"


async def test_the_sandbox_needs_no_permission() -> None:
    assert (await changes_state(context="s", server="x", is_sandbox=True)).state == "allowed"


async def test_a_read_only_installation_takes_no_changes_whatever_was_allowed(
    settings: Any,
) -> None:
    mara = await User.objects.acreate(username="mara")
    await cluster_allow_changes(user=mara, **HERE)
    settings.CLUSTER_UI_READ_ONLY = True
    assert (await changes_state(**HERE)).state == "off"
    assert (await changes_state(context="s", server="x", is_sandbox=True)).state == "off"
    with pytest.raises(ReadOnly):
        await cluster_allow_changes(user=mara, context="other", server="x", is_sandbox=False)


async def test_what_was_allowed_is_taken_back_at_once_for_this_cluster_alone() -> None:
    mara = await User.objects.acreate(username="mara")
    cluster: Any = SimpleNamespace(slug="prod", name="prod", server="https://one", is_sandbox=False)
    await cluster_allow_changes(user=mara, **HERE)
    await cluster_allow_changes(user=mara, **{**HERE, "server": "https://two"})
    await changes_required(cluster)
    assert await cluster_forbid_changes(user=mara, context="prod", server="https://one")
    with pytest.raises(ReadOnly):
        await changes_required(cluster)
    assert (await changes_state(**{**HERE, "server": "https://two"})).state == "allowed"
    assert not await cluster_forbid_changes(user=mara, context="prod", server="https://one"), (
        "twice does nothing"
    )
    actions = [entry.action async for entry in AuditEntry.objects.order_by("pk")]
    assert actions == ["allow-changes", "allow-changes", "make-read-only"]
    await cluster_allow_changes(user=mara, **HERE)
    assert (await changes_state(**HERE)).state == "allowed"
