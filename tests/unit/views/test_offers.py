"""What a page offers to do, and why it does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.errors import Unavailable
from dashboard.kinds import KINDS
from dashboard.kube.access import Decision
from dashboard.views import offers
from dashboard.views.offers import OFFERS, object_offers

pytestmark = pytest.mark.django_db(transaction=True)


def screen(plural: str, *, sandbox: bool = True) -> Any:
    cluster = SimpleNamespace(name="dev", server="https://dev", slug="dev", is_sandbox=sandbox)
    runtime = SimpleNamespace(cluster=cluster, transport=object())
    return SimpleNamespace(kind=KINDS[plural], namespace="shop", name="web", runtime=runtime)


def answering(monkeypatch: pytest.MonkeyPatch, *may: tuple[str, str]) -> list[tuple[str, str | None]]:
    asked: list[tuple[str, str | None]] = []

    async def allowed(_: Any, verb: str, __: Any, *, subresource: str | None, **___: Any) -> Decision:
        asked.append((verb, subresource))
        return Decision((verb, subresource or "") in may, "")

    monkeypatch.setattr(offers, "allowed", allowed)
    return asked


@pytest.mark.parametrize("plural", sorted(set(KINDS) - set(OFFERS)))
async def test_a_kind_without_actions_offers_none_and_asks_nobody(
    plural: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch)
    assert await object_offers(screen(plural)) == [] and asked == []


async def test_each_action_by_its_own_right(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ("patch", "scale"))
    found = {one["id"]: one for one in await object_offers(screen("deployments"))}
    assert found["scale"]["disabled_reason"] == ""
    assert found["scale"]["url"] == "/c/dev/deployments/shop/web/scale/"
    assert found["restart"]["disabled_reason"] == "Your account may not patch deployments in namespace shop."


@pytest.mark.parametrize("right", [("delete", ""), ("create", "eviction")])
async def test_for_a_deletion_one_of_both_rights_is_enough(
    right: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, right)
    (delete,) = await object_offers(screen("pods"))
    assert delete["disabled_reason"] == ""


async def test_a_read_only_installation_says_so_without_asking(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLUSTER_UI_READ_ONLY = True
    asked = answering(monkeypatch)
    reasons = {one["disabled_reason"] for one in await object_offers(screen("statefulsets"))}
    assert reasons == {"This installation only reads: CLUSTER_UI_READ_ONLY is set."} and asked == []


async def test_where_the_owner_may_allow_changes_the_form_leads_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, ("patch", ""))
    (restart,) = await object_offers(screen("daemonsets", sandbox=False))
    assert restart["disabled_reason"] == ""


async def test_a_cluster_that_does_not_answer_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def allowed(*_: Any, **__: Any) -> Decision:
        raise Unavailable("away")

    monkeypatch.setattr(offers, "allowed", allowed)
    assert {one["disabled_reason"] for one in await object_offers(screen("deployments"))} == {""}
