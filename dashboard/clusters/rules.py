"""What was said of a context when it was added, known by its slug to all who ask without a question to the database.

One in which people acted as themselves keeps that word for its past, also after it was removed, and whatever is called so
by now: the audit has what people did there, and who may read that depends on how they acted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = [
    "ALWAYS",
    "Past",
    "Rules",
    "every_rule",
    "past_holds",
    "past_of_contexts",
    "rules_hold",
    "rules_of",
]


@dataclass(frozen=True, slots=True)
class Rules:
    """``act_as``: a mode of ``CLUSTER_UI_ACT_AS``, "" where nothing was said. The settings stand above: what they say of
    the context by its name holds, whatever was said here, and so does what they forbid.
    """

    act_as: str = ""
    production: bool = False
    read_only: bool = False


# By name: until when people acted there as themselves.
Past = Mapping[str, datetime]
ALWAYS = datetime.max.replace(tzinfo=UTC)  # they do still, or may

NONE = Rules()
_rules: Mapping[str, Rules] = {}
_past: Past = {}


def rules_of(slug: str) -> Rules:
    return _rules.get(slug, NONE)


def every_rule() -> Mapping[str, Rules]:
    """By slug."""
    return _rules


def rules_hold(rules: Mapping[str, Rules]) -> None:
    """From now on, in this process. In one assignment: threads read them meanwhile, and no rule at all is the laxest."""
    global _rules
    _rules = dict(rules)


def past_of_contexts() -> Past:
    return _past


def past_holds(past: Past) -> None:
    """From now on, in this process."""
    global _past
    _past = dict(past)
