"""No two namespaces of a backup are written into one: objects of one name would take each other's place."""

from __future__ import annotations

import io

import pytest

from dashboard.errors import BadInput
from dashboard.recovery.choice import Choice
from dashboard.recovery.holding import hold
from dashboard.recovery.mapping import collisions

from . import made

ARCHIVE = made.archive(
    made.entry(made.CONFIGMAPS, each, "web", data={"a": each}) for each in ("blog", "shop")
)


@pytest.mark.parametrize(
    ("namespaces", "maps", "wrong"),
    [
        ((), {"shop": "blog"}, True),
        (("shop", "blog"), {"shop": "blog"}, True),
        (("shop",), {"shop": "blog"}, False),
        ((), {"shop": "blog", "blog": "shop"}, False),
        ((), {"shop": "shop-two"}, False),
        ((), {}, False),
    ],
)
def test_what_would_go_into_one_is_refused(
    namespaces: tuple[str, ...], maps: dict[str, str], wrong: bool
) -> None:
    choice = Choice(namespaces=namespaces, maps=maps)
    if not wrong:
        assert hold(io.BytesIO(ARCHIVE), choice).objects
        return
    with pytest.raises(BadInput, match="would collide") as refused:
        hold(io.BytesIO(ARCHIVE), choice)
    assert refused.value.field == "into" and "blog" in refused.value.message


def test_a_namespace_that_two_go_into_is_named_once() -> None:
    assert collisions(["a", "b", "c", "a"], {"a": "c", "b": "c"}) == ["c"]
