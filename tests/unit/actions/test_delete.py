"""Whether a pod is deleted or evicted is decided by its preview, and signed with it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing

from dashboard.actions.action import Actor
from dashboard.actions.delete import DELETE
from dashboard.actions.problems import StaleView
from dashboard.actions.token import SALT
from dashboard.models import Change
from tests import acting

from ..insight.world import World, pod
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)


class Budgets(World):
    """The kinds of a namespace as far as they are known: None where they may not be listed."""

    known: bool | None = True

    def knows(self, plural: str, namespace: str) -> bool | None:
        return self.known


@pytest.mark.parametrize(("known", "way"), [(True, "delete"), (False, "evict"), (None, "evict")])
async def test_where_budgets_are_not_known_the_api_server_is_asked_to_evict(
    known: bool | None, way: str
) -> None:
    manifest = pod("web-1")
    manifest["metadata"] |= {"uid": "u1", "resourceVersion": "7"}
    manifest["metadata"]["ownerReferences"][0]["apiVersion"] = "apps/v1"
    api, budgets = Server("pods", manifest), Budgets()
    budgets.known = known
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "web-1"}
    shown = await acting.preview(DELETE, **what, objects=budgets)
    assert signing.loads(shown.token, salt=SALT)["decided"] == {"evict": way == "evict"}
    assert shown.told.button == f"{way.capitalize()} web-1"
    budgets.known = not known
    assert (await acting.apply(DELETE, **what, token=shown.token)).action == way, "as it was shown"
    assert [method for method, _ in api.writes] == ["POST" if way == "evict" else "DELETE"]
    assert (await Change.objects.aget()).inverse == {}


async def test_a_budget_that_was_created_since_the_preview_is_not_passed_by() -> None:
    manifest = pod("web-1")
    manifest["metadata"] |= {"uid": "u1", "resourceVersion": "7"}
    manifest["metadata"]["ownerReferences"][0]["apiVersion"] = "apps/v1"
    api = Server("pods", manifest)
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "web-1"}
    shown = await acting.preview(DELETE, **what, objects=Budgets())
    budget = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    api.lists["poddisruptionbudgets"] = [budget]
    with pytest.raises(StaleView, match="PodDisruptionBudget web covers web-1 since the preview"):
        await acting.apply(DELETE, **what, token=shown.token)
    assert api.writes == []
    # One of other pods is none.
    budget["spec"]["selector"]["matchLabels"] = {"app": "other"}  # type: ignore[index]
    again = await acting.preview(DELETE, **what, objects=Budgets())
    assert (await acting.apply(DELETE, **what, token=again.token)).action == "delete"
