"""What was worked out of roles and bindings beside the API server's own answer: a SubjectAccessReview for each who is
named, asked as the viewer, where they may ask.

It differs where a binding was changed a moment ago, and where another authorizer than RBAC allows or refuses something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.errors import ClusterError, Forbidden, NotSignedIn
from dashboard.insight.authority import MASTERS, Answer, Ask, Authority, Grant, account_groups, account_name
from dashboard.kube.subjectreviews import SUBJECT_REVIEWS, OthersQuestion
from dashboard.kube.whoami import UserInfo
from dashboard.live.session import Session

MAX_CHECKED = 60  # questions of a page
EVERYBODY = "system:authenticated"

Verdict = Literal["yes", "no", ""]


@dataclass(frozen=True, slots=True)
class Checks:
    """The questions about each row of an answer, none for those beyond ``MAX_CHECKED``. ``beyond``: what RBAC alone lets
    neither the viewer ("you") nor everybody do, and the API server may all the same.
    """

    whole: tuple[tuple[OthersQuestion, ...], ...]
    part: tuple[tuple[OthersQuestion, ...], ...]
    beyond: Mapping[str, OthersQuestion]


def checks_of(ask: Ask, found: Answer, authority: Authority, known: UserInfo) -> Checks:
    left = MAX_CHECKED
    rows: list[tuple[OthersQuestion, ...]] = []
    for grant in (*found.whole, *found.part):
        asked = _questions(ask, grant) if left else ()
        rows.append(asked if len(asked) <= left else ())
        left -= len(rows[-1])
    beyond = {}
    if not authority.may("", (EVERYBODY,), ask):
        beyond["everybody"] = _question(ask, "", (EVERYBODY,))
    if (
        known.username
        and MASTERS not in known.groups
        and not authority.may(known.username, known.groups, ask)
    ):
        beyond["you"] = _question(ask, known.username, known.groups)
    return Checks(tuple(rows[: len(found.whole)]), tuple(rows[len(found.whole) :]), beyond)


def _questions(ask: Ask, grant: Grant) -> tuple[OthersQuestion, ...]:
    """Whether the API server lets somebody do just what this grant says: in its namespace, with each of its names."""
    subject, namespace = grant.subject, grant.where or ask.namespace
    user, groups = subject.name, tuple[str, ...]()
    if subject.kind == "Group":
        user, groups = "", (subject.name,)
    elif subject.kind == "ServiceAccount":
        user = account_name(subject.namespace, subject.name)
        groups = account_groups(subject.namespace)
    names = grant.names or (ask.name,)
    return tuple(_question(ask, user, groups, namespace, name) for name in names)


def _question(
    ask: Ask, user: str, groups: tuple[str, ...], namespace: str | None = None, name: str | None = None
) -> OthersQuestion:
    return OthersQuestion(
        user, groups, ask.verb, ask.resource, ask.group, ask.subresource,
        ask.namespace if namespace is None else namespace, ask.name if name is None else name, ask.url,
    )  # fmt: skip


async def add_checks(facts: dict[str, Any], checks: Checks, session: Session) -> None:
    """Adds to an answer's facts what the API server says: ``checked`` of each row and of the whole. Raises NotSignedIn
    where the viewer's account is none any more.
    """
    missing, trouble = False, ""
    said: Mapping[OthersQuestion, bool] = {}
    if await session.may("create", SUBJECT_REVIEWS):
        asked = [*checks.beyond.values(), *(each for row in (*checks.whole, *checks.part) for each in row)]
        try:
            said = await session.subject_reviews.decide(asked)
        except NotSignedIn:
            raise
        except Forbidden:
            missing = True
        except ClusterError as error:
            trouble = error.message
    else:
        missing = True
    verdicts = [
        *_add(facts["rows"], checks.whole, said),
        *_add(facts["part"], checks.part, said),
    ]
    beyond = [who for who, question in checks.beyond.items() if said.get(question)]
    facts["checked"] = {
        "asked": not missing and not trouble,
        "missing": missing,
        "most": MAX_CHECKED,
        "trouble": trouble,
        "differs": verdicts.count("no"),
        "unknown": verdicts.count(""),
        "beyond": beyond[0] if beyond else "",
    }


def _add(
    rows: Sequence[dict[str, Any]],
    questions: Sequence[tuple[OthersQuestion, ...]],
    said: Mapping[OthersQuestion, bool],
) -> list[Verdict]:
    found = []
    for row, asked in zip(rows, questions, strict=False):  # of a long table not all rows are shown
        row["checked"] = _verdict([said.get(each) for each in asked])
        found.append(row["checked"])
    return found


def _verdict(answers: Sequence[bool | None]) -> Verdict:
    """Yes for what is allowed as a whole; one refusal is a no."""
    if False in answers:
        return "no"
    return "yes" if answers and None not in answers else ""
