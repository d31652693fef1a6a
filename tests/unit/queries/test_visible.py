"""What may be seen of the namespaces that somebody chose."""

from __future__ import annotations

from dashboard.errors import Forbidden
from dashboard.queries.access import Visible

SHOP = frozenset({"shop"})


def test_whoever_may_see_all_is_refused_nothing() -> None:
    assert Visible().refusal("pods", SHOP) is None
    assert Visible().refusal("pods", None) is None


def test_namespaces_without_a_right_are_refused_by_name() -> None:
    seen = Visible(frozenset({"data"}))
    refusal = seen.refusal("pods", SHOP)
    assert refusal is not None
    assert (refusal.verb, refusal.resource, refusal.namespace) == ("list", "pods", "shop")
    assert seen.refusal("pods", SHOP | {"data"}) is None
    assert seen.refusal("pods", None) is None


def test_while_it_is_not_known_yet_nothing_is_refused() -> None:
    assert Visible(frozenset()).refusal("pods", SHOP) is None


def test_a_refusal_of_the_kind_is_the_refusal() -> None:
    denied = Forbidden("no")
    assert Visible(frozenset(), denied).refusal("pods", None) is denied
