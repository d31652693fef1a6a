"""Label selectors: the grammar of kubectl -l, and LabelSelectors. Expected texts come from labels.Parse."""

from __future__ import annotations

import pytest

from dashboard.kinds.selectors import (
    NOTHING,
    LabelSelector,
    LabelSelectorRequirement,
    Selector,
    SelectorError,
    format_label_selector,
    format_labels,
    from_label_selector,
    from_labels,
    parse,
    parse_any,
)

WEB = {"app": "web", "tier": "a", "size": "12"}


@pytest.mark.parametrize(
    ("text", "printed", "matches"),
    [
        ("", "", True),
        ("  ", "", True),
        ("app=web", "app=web", True),
        ("app == web", "app==web", True),
        ("app=db", "app=db", False),
        ("app!=db", "app!=db", True),
        ("missing!=x", "missing!=x", True),
        ("app", "app", True),
        ("!app", "!app", False),
        ("! missing", "!missing", True),
        ("tier in (b, a)", "tier in (a,b)", True),
        ("tier notin (b,c)", "tier notin (b,c)", True),
        ("missing notin (b)", "missing notin (b)", True),
        ("missing in (b)", "missing in (b)", False),
        ("tier in (a,a,)", "tier in (,a)", True),
        ("missing in ()", "missing in ()", False),
        ("size>9", "size>9", True),
        ("size<12", "size<12", False),
        ("app>1", "app>1", False),
        ("app=", "app=", False),
        ("app=,tier=a", "app=,tier=a", False),
        ("tier=a,app=web", "app=web,tier=a", True),
        ("in in (notin)", "in in (notin)", False),
        ("example.test/role=x", "example.test/role=x", False),
    ],
)
def test_grammar(text: str, printed: str, matches: bool) -> None:
    selector = parse(text)
    assert str(selector) == printed
    assert selector.matches(WEB) is matches


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("app=web,", "missing after the last comma"),
        (",app", "',' is not a label key"),
        ("app web", "'web' after app is not an operator"),
        ("app=web tier", "a comma is missing"),
        ("app in a", "values in brackets"),
        ("app in (a", "closing bracket"),
        ("app in (a b)", "'b' among the values of app"),
        ("!app=web", "!app stands alone"),
        ("-app=web", "'-app' is not a label key"),
        ("a/b/c=1", "the part before '/' must be a domain name"),
        ("app=we+b", "'we\\+b' is not a value for label app"),
        ("app=" + "x" * 64, "at most 63"),
        ("size>big", "needs a whole number"),
        ("(", "'\\(' is not a label key"),
    ],
)
def test_errors_name_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(SelectorError, match=problem):
        parse(text)


def expression(key: str, operator: str, *values: str) -> LabelSelectorRequirement:
    return LabelSelectorRequirement(key=key, operator=operator, values=values or None)


def test_one_of_several_selectors_is_enough_where_they_are_joined_by_or() -> None:
    found = parse_any("app=web,tier in (a, b)  or app=db or or=or")
    assert [str(each) for each in found] == ["app=web,tier in (a,b)", "app=db", "or=or"]
    for text in ("app=web or", "or app=web", "a or or b"):
        with pytest.raises(SelectorError):
            parse_any(text)
    with pytest.raises(SelectorError, match="at most 1,000"):
        parse_any(" or ".join(["a=b"] * 200))


def test_label_selectors_match_like_kubernetes() -> None:
    assert from_label_selector(None) == NOTHING
    assert from_label_selector(LabelSelector()) == Selector()
    selector = from_label_selector(
        LabelSelector(match_labels={"app": "web"}, match_expressions=(expression("tier", "In", "a", "b"),))
    )
    assert selector.matches(WEB)
    assert not selector.matches({"app": "web"})
    assert str(selector) == "app=web,tier in (a,b)"


def test_service_selectors_without_labels_match_nothing() -> None:
    assert not from_labels({}).matches(WEB)
    assert not from_labels(None).matches(WEB)
    assert from_labels({"app": "web"}).matches(WEB)


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        (expression("a", "Near", "b"), "'Near' is not an operator"),
        (expression("a", "In"), "In of label a needs values"),
        (expression("a", "Exists", "b"), "Exists of label a takes no values"),
    ],
)
def test_broken_label_selectors_are_named(requirement: LabelSelectorRequirement, problem: str) -> None:
    broken = LabelSelector(match_expressions=(requirement,))
    with pytest.raises(SelectorError, match=problem):
        from_label_selector(broken)
    assert format_label_selector(broken) == "<error>"


def test_labels_are_printed_sorted() -> None:
    assert format_labels({"b": "2", "a": "1"}) == "a=1,b=2"
    assert format_labels({}) == "<none>"
