"""A token holds what was shown to one user, and nothing else is accepted with it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing

from dashboard.actions import token as tokens
from dashboard.actions.action import Actor, Order, Target
from dashboard.actions.scale import SCALE
from dashboard.errors import BadInput
from dashboard.kinds.deployments import DEPLOYMENTS

MANIFEST = {"metadata": {"uid": "u1", "resourceVersion": "7"}, "spec": {"replicas": 3}}


def order(**other: Any) -> Order:
    transport: Any = SimpleNamespace(cluster=SimpleNamespace(server="https://here"))
    user: Any = SimpleNamespace(pk=1)
    target = Target.of("dev", DEPLOYMENTS, "shop", "web")
    made = Order(
        transport=transport,
        actor=Actor(user=user, name="mara"),
        target=target,
        action=SCALE,
        wanted={"replicas": 0},
    )
    return dataclasses.replace(made, **other)


def test_what_was_shown_comes_back() -> None:
    shown = tokens.read(tokens.show(order(), MANIFEST, "effect"), order())
    assert (shown.uid, shown.touched, shown.effect) == ("u1", {"/spec/replicas": 3}, "effect")


def test_each_preview_is_another_one() -> None:
    one, two = (tokens.read(tokens.show(order(), MANIFEST, ""), order()).nonce for _ in range(2))
    assert one != two


@pytest.mark.parametrize(
    "other",
    [
        {"actor": Actor(user=SimpleNamespace(pk=2), name="eve")},  # type: ignore[arg-type]
        {"wanted": {"replicas": 1}},
        {"undoes": 5},
        {"target": dataclasses.replace(order().target, name="api")},
        {"target": dataclasses.replace(order().target, namespace="prod")},
        {"target": dataclasses.replace(order().target, context="prod")},
        {"transport": SimpleNamespace(cluster=SimpleNamespace(server="https://elsewhere"))},
    ],
)
def test_a_token_serves_only_what_was_shown(other: dict[str, Any]) -> None:
    token = tokens.show(order(), MANIFEST, "")
    with pytest.raises(BadInput) as error:
        tokens.read(token, order(**other))
    assert error.value.field == "token"


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c"])
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(BadInput):
        tokens.read(token, order())


def test_a_token_signed_for_something_else_is_refused() -> None:
    with pytest.raises(BadInput):
        tokens.read(signing.dumps({"user": 1}, salt="other"), order())


def test_a_token_of_another_version_of_the_dashboard_is_refused() -> None:
    shown = dataclasses.asdict(tokens.read(tokens.show(order(), MANIFEST, "effect"), order()))
    del shown["decided"], shown["effect"]
    for facts in (shown, shown | {"effect": "effect", "later": 1}):
        with pytest.raises(BadInput) as error:
            tokens.read(signing.dumps(facts, salt=tokens.SALT), order())
        assert error.value.field == "token"


def test_an_old_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.show(order(), MANIFEST, "")
    monkeypatch.setattr(tokens, "MAX_AGE_SECONDS", -1)
    with pytest.raises(BadInput, match="older than an hour"):
        tokens.read(token, order())


def test_the_typed_value_does_not_travel_in_the_token() -> None:
    token = tokens.show(order(wanted={"value": "canary"}), MANIFEST, "")
    assert "canary" not in str(signing.loads(token, salt=tokens.SALT))
