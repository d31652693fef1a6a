"""Every rule by its example: the sentence, the next step and the evidence that a person reads."""

from __future__ import annotations

from typing import get_args

import pytest

from dashboard.insight import findings_for
from dashboard.insight.names import RuleName
from dashboard.insight.words import text_of

from .cases import EXAMPLES
from .world import NOW

# Told of what the cache does not hold: test_certificates.py.
ELSEWHERE = frozenset(
    {
        "certificate-unreadable", "certificate-expired", "certificate-expires", "certificate-early",
        "certificate-other-host",
    }
)  # fmt: skip


@pytest.mark.parametrize("rule", EXAMPLES)
def test_rule_says_what_is_wrong_what_to_do_and_what_that_rests_on(rule: str) -> None:
    example = EXAMPLES[rule]
    found = {one.rule: one for one in findings_for(example.world, *example.about, NOW)}
    assert rule in found, sorted(found)
    one = found[rule]  # type: ignore[index]
    assert text_of(one.text) == example.text
    assert one.step.text == example.step
    assert one.severity == example.severity
    evidence = [f"{each.where}: {each.says}" for each in one.evidence]
    assert any(example.evidence in line for line in evidence), evidence


def test_every_rule_has_an_example() -> None:
    names = {name for group in get_args(RuleName) for name in get_args(group)}
    assert names == EXAMPLES.keys() | ELSEWHERE
