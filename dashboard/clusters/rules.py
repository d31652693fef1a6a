"""What was said of a context when it was added, known by its slug to all who ask without a question to the database.

One that was removed keeps its word: the audit has what people did there, and whoever may read it depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Rules", "every_rule", "rules_hold", "rules_of"]


@dataclass(frozen=True, slots=True)
class Rules:
    """``act_as``: a mode of ``CLUSTER_UI_ACT_AS``, "" where nothing was said. The settings stand above: what they say of
    the context by its name holds, whatever was said here, and so does what they forbid.
    """

    act_as: str = ""
    production: bool = False
    read_only: bool = False


NONE = Rules()
_rules: dict[str, Rules] = {}


def rules_of(slug: str) -> Rules:
    return _rules.get(slug, NONE)


def every_rule() -> Mapping[str, Rules]:
    """By slug."""
    return _rules


def rules_hold(rules: Mapping[str, Rules]) -> None:
    """From now on, in this process."""
    _rules.clear()
    _rules.update(rules)
