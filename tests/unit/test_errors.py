"""What all errors that people are told have in common."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from dashboard.errors import ClusterError
from dashboard.rights import MissingRight


def kinds(of: type[ClusterError] = ClusterError) -> Iterator[type[ClusterError]]:
    yield of
    for each in of.__subclasses__():
        yield from kinds(each)


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__qualname__))
def test_any_of_them_can_be_copied_to_be_told_in_other_words(kind: type[ClusterError]) -> None:
    error = kind.__new__(kind, "no")
    ClusterError.__init__(error, "no", next_step="Ask.")
    other = copy.copy(error)
    other.message = "of the whole text: no"
    assert (type(other), other.next_step, other.args) == (kind, "Ask.", ("no",))
    assert error.message == "no"


def test_a_copied_refusal_still_tells_its_right() -> None:
    error = copy.copy(MissingRight("patch", "secrets", namespace="shop"))
    assert (error.message, error.verb) == ("Your account may not patch secrets in namespace shop.", "patch")
