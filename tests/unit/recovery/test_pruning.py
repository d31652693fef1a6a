from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.errors import BadInput
from dashboard.recovery.pruning import PERIODS, decide, read_rules
from dashboard.recovery.storage import Stored

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def stored(hours: float, name: str = "", slug: str = "prod", scope: str = "all") -> Stored:
    at = NOW - timedelta(hours=hours)
    name = name or f"{slug}-{scope}-{hours}"
    return Stored(name=name, url="", slug=slug, scope=scope, at=at, encrypted=False, size_bytes=1)


def kept(archives, *rules, **known) -> list[str]:
    return [each.archive.name for each in decide(archives, read_rules(rules), **known) if not each.goes]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "daily",
        "daily=0",
        "daily=-1",
        "daily=x",
        "fortnightly=1",
        "daily=7,,",
        "daily=1e3",
        "daily=٣",
    ],
)
def test_what_is_no_rule(text):
    with pytest.raises(BadInput):
        read_rules([text] if text else [])


def test_the_newest_of_each_period():
    archives = [stored(hours, str(hours)) for hours in range(0, 24 * 40, 6)]
    assert kept(archives, "last=2") == ["0", "6"]
    assert kept(archives, "daily=3") == ["0", "18", "42"]
    assert kept(archives, "daily=2", "monthly=2") == ["0", "18", "666"]
    assert kept(archives, "last=1,weekly=2") == ["0", "138"]


def test_each_context_and_scope_by_itself():
    archives = [stored(0, scope="shop"), stored(1), stored(2), stored(3, slug="dev")]
    assert kept(archives, "last=1") == ["prod-shop-0", "prod-all-1", "dev-all-3"]


def test_a_damaged_one_stands_for_nothing_and_the_newest_complete_one_stays():
    archives = [stored(0, "a"), stored(1, "b"), stored(2, "c")]
    assert kept(archives, "last=1", damaged={"a"}) == ["b"]
    assert kept(archives, "last=1", incomplete={"a", "b"}) == ["a", "c"]
    assert kept(archives, "last=1", damaged={"a", "b", "c"}) == ["a", "b", "c"]


@given(
    st.lists(st.tuples(st.integers(0, 9000), st.sampled_from("ab")), max_size=40),
    st.dictionaries(st.sampled_from(sorted(PERIODS)), st.integers(1, 9), min_size=1),
    st.sets(st.integers(0, 39)),
    st.sets(st.integers(0, 39)),
)  # fmt: skip
def test_whatever_the_rules_one_good_archive_stays_of_each(ages, rules, damaged, incomplete):
    archives = [stored(hours, str(number), scope) for number, (hours, scope) in enumerate(ages)]
    found = decide(archives, rules, damaged=set(map(str, damaged)), incomplete=set(map(str, incomplete)))
    assert sorted(each.archive.name for each in found) == sorted(each.name for each in archives)
    for slug in {each.slug for each in archives}:
        of_it = [each for each in found if each.archive.slug == slug]
        for bad in (damaged, damaged | incomplete):
            good = [each for each in of_it if int(each.archive.name) not in bad]
            assert not good or any(not each.goes for each in good)
        assert (
            sum(not each.goes for each in of_it if int(each.archive.name) not in damaged)
            <= sum(rules.values()) + 1
        )
