"""Problems by their cause: what follows from another one, and what has the same cause, is told with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.kinds.base import Ref

from .finding import Finding


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause: the finding that tells it, others with the same cause, and what follows from any of them."""

    lead: Finding
    alike: tuple[Finding, ...] = ()
    follow: tuple[Finding, ...] = ()


def problems(found: Sequence[Finding]) -> list[Problem]:
    """Findings as problems, in their order; notes are no problems.

    A consequence whose cause is not among the findings (because it may not be seen) stands for itself.
    """
    told = [one for one in found if one.severity != "note"]
    leads = _leads(told)
    by_ref: dict[Ref, Finding] = {}
    for one in told:
        by_ref.setdefault(one.ref, one)
    alike: dict[int, list[Finding]] = {}
    follow: dict[int, list[Finding]] = {}
    roots: list[Finding] = []
    for one in told:
        root = _root(one, by_ref)
        lead = leads.get(_shared(root), root)
        if one is lead:
            roots.append(one)
        elif one is root:
            alike.setdefault(id(lead), []).append(one)
        else:
            follow.setdefault(id(lead), []).append(one)
    return [Problem(one, tuple(alike.get(id(one), ())), tuple(follow.get(id(one), ()))) for one in roots]


def _shared(one: Finding) -> tuple[str, str]:
    return one.rule, one.shared


def _leads(told: Sequence[Finding]) -> dict[tuple[str, str], Finding]:
    """For each cause that findings share, the first (so the worst) of them."""
    leads: dict[tuple[str, str], Finding] = {}
    for one in told:
        if one.shared and one.follows is None:
            leads.setdefault(_shared(one), one)
    return leads


def _root(one: Finding, by_ref: dict[Ref, Finding]) -> Finding:
    """The finding at the beginning of the chain of causes."""
    seen = {one.ref}
    while one.follows is not None and one.follows not in seen and one.follows in by_ref:
        seen.add(one.follows)
        one = by_ref[one.follows]
    return one
