"""Who may stop an operation that somebody else began, or leave what it has not begun."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.kube.access import Decision, Question
from dashboard.live.deciding import decision_refusal
from dashboard.models import Change

from .seen import runtime, session


def change(action: str = "drain", plural: str = "nodes", **facts: Any) -> Change:
    return Change(
        pk=7, action=action, plural=plural, user=User(username="jon"), context="tests", name="one", **facts
    )


class Reviewer:
    """Allows some verbs."""

    def __init__(self, *verbs: str) -> None:
        self.verbs = verbs

    async def decide(self, question: Question) -> Decision:
        return Decision(question.verb in self.verbs, "")


def sight(*verbs: str) -> Any:
    async def knows(_: str) -> None: ...

    found = runtime()
    found.knows = knows
    made = session(found)
    made._account.reviews = Reviewer(*verbs)  # type: ignore[assignment]
    return made


MANY = {"namespaces": ["shop", "till"]}


@pytest.mark.parametrize(
    ("made", "lacks"),
    [
        (change(), "Your account may not patch nodes."),
        (change("bulk-scale", "deployments", result=MANY),
            "Your account may not patch deployments/scale in namespace shop."),
        (change("bulk-delete", "configmaps", result=MANY),
            "Your account may not delete configmaps in namespace shop."),
        (change("rotate", "secrets", namespace="shop"), "Your account may not patch secrets in namespace shop."),
    ],
)  # fmt: skip
async def test_only_who_began_it_and_who_may_do_the_same(made: Change, lacks: str, settings: Any) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "user"}
    refusal = await decision_refusal(sight("list", "get"), made)
    assert refusal is not None and refusal.message == lacks
    assert refusal.next_step.startswith("Ask whoever manages access to allow: ")
    assert await decision_refusal(sight("list", "patch", "delete"), made) is None
    refusal = await decision_refusal(sight("patch", "delete"), made)
    assert refusal is not None and refusal.message == "You may not see what change 7 is about."
    made.user = User(username="mara")
    assert await decision_refusal(sight(), made) is None


async def test_where_all_act_as_one_all_decide(settings: Any) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation"}
    assert await decision_refusal(sight(), change()) is None
