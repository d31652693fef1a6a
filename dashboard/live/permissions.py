"""What an account may do, told in the words of the pages: each ability, and the rights that are missing.

In a namespace one rules review tells of all kinds, where it is complete; everything else is asked right by right. What
could not be found out is no.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dashboard.actions.abilities import ROLES, Ability, abilities
from dashboard.actions.action import RoleName
from dashboard.actions.rights import Right
from dashboard.errors import ClusterError, Forbidden, NotSignedIn
from dashboard.kube.access import Question, Reviews


@dataclass(frozen=True, slots=True)
class Permissions:
    """Of one account in a namespace, "" for the whole cluster. ``incomplete``: the rules review did not tell all, so
    that each right was asked for; ``unknown`` is why something could not be found out. ``named``: the rights that are
    there with objects of some names, where the rules review tells them.
    """

    namespace: str
    held: Mapping[Right, bool]
    incomplete: bool = False
    unknown: ClusterError | None = None
    named: Mapping[Right, frozenset[str]] = field(default_factory=dict)

    def only(self, ability: Ability) -> list[str]:
        """The names of the objects with which it may be done, where it may not be with all of them."""
        names = [self.named.get(right, frozenset()) for right in self.missing(ability)]
        return sorted(frozenset.intersection(*names)) if names else []

    def missing(self, ability: Ability) -> tuple[Right, ...]:
        """The rights that it takes and that are not there."""
        return tuple(right for right in ability.rights if not self.held.get(right, False))

    def may(self, ability: Ability) -> bool:
        return not self.missing(ability)

    @property
    def role(self) -> RoleName | None:
        """The highest role whose abilities are all there; None where not even a viewer's are."""
        found: RoleName | None = None
        for role in ROLES:
            own = [each for each in abilities() if each.role == role and self.tells_of(each)]
            if not all(map(self.may, own)):
                break
            found = role
        return found

    def tells_of(self, ability: Ability) -> bool:
        """Whether it is about this: nodes and the like are in no namespace."""
        return not self.namespace or ability.kind.gvr.namespaced


async def permissions_in(
    reviews: Reviews, namespace: str, asked: Collection[Ability], *, each_right: bool = True
) -> Permissions:
    """Without ``each_right`` nothing is known where the rules review is incomplete. Raises NotSignedIn where the account
    is none any more.
    """
    rights = {right for each in asked if not namespace or each.kind.gvr.namespaced for right in each.rights}
    incomplete = False
    if namespace:
        try:
            rules = await reviews.rules(namespace)
        except NotSignedIn:
            raise
        except ClusterError as error:
            return Permissions(namespace, dict.fromkeys(rights, False), unknown=error)
        if not rules.incomplete:
            # A RoleBinding grants nothing on what is in no namespace.
            told = {right: rules.grant(right.verb, right.gvr, right.subresource) for right in rights}
            some = {
                right: names
                for right in rights
                if not told[right] and (names := rules.named(right.verb, right.gvr, right.subresource))
            }
            return Permissions(namespace, told, named=some)
        incomplete = True
        if not each_right:
            return Permissions(namespace, {}, incomplete=True)
    ordered = sorted(rights, key=str)
    answers: Sequence[bool | ClusterError] = await asyncio.gather(
        *(_answer(reviews, right, namespace) for right in ordered)
    )
    held = {right: answer is True for right, answer in zip(ordered, answers, strict=True)}
    unknown = next((each for each in answers if isinstance(each, ClusterError)), None)
    return Permissions(namespace, held, incomplete=incomplete, unknown=unknown)


async def _answer(reviews: Reviews, right: Right, namespace: str) -> bool | ClusterError:
    question = Question(right.verb, right.gvr, namespace or None, None, right.subresource or None)
    try:
        return (await reviews.decide(question)).allowed
    except NotSignedIn:
        raise
    except Forbidden:  # not even to ask
        return False
    except ClusterError as error:
        return error
