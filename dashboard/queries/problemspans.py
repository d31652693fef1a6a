"""What was wrong, from when until when: noted by the recorder each minute, told to whoever may see it today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from dashboard.insight import Finding, Problem, read_for
from dashboard.kinds import KINDS
from dashboard.models import ProblemSpan

from .access import Visible
from .timeline import of_kinds

MAX_SPANS = 500  # told at once
MAX_NOTED = 2_000  # problems of a minute
TEXT = 500
ALL = Q()


@dataclass(frozen=True)
class Wrong:
    """``text``: what was wrong; "" for who may not see all that it was found out from. ``until`` None: it goes on."""

    since: datetime
    until: datetime | None
    severity: str
    plural: str
    namespace: str
    name: str
    text: str


def note_problems(context: str, now: datetime, found: Iterable[Problem]) -> None:
    """Of what is wrong now, what is new begins, and what is noted and not among it has ended."""
    leads: dict[str, Finding] = {}
    for problem in found:
        lead = problem.lead
        if lead.severity in ("bad", "warn") and len(leads) < MAX_NOTED:
            leads[f"{lead.rule}|{lead.plural or lead.kind}|{lead.namespace}|{lead.name}"[:800]] = lead
    going_on = set(ProblemSpan.objects.filter(context=context, ended_at=None).values_list("key", flat=True))
    over = going_on - leads.keys()
    for key in over:
        ProblemSpan.objects.filter(context=context, key=key, ended_at=None).update(ended_at=now)
    ProblemSpan.objects.bulk_create(
        [
            ProblemSpan(
                context=context, key=key, severity=lead.severity, plural=lead.plural, namespace=lead.namespace,
                name=lead.name, text="".join(text for text, _ in lead.text)[:TEXT].replace("\0", ""),
                began_at=min(now, lead.since or now),
            )
            for key, lead in leads.items()
            if key not in going_on
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def problems_read(
    context: str, since: datetime, until: datetime, visible: Mapping[str, Visible], within: Q = ALL
) -> list[Wrong]:
    """Those of a span that are about what somebody may see, the newest of too many, in order."""
    rows = ProblemSpan.objects.filter(within, context=context, began_at__lte=until).filter(of_kinds(visible))
    rows = rows.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("-began_at")[:MAX_SPANS]
    return [
        Wrong(
            row.began_at, row.ended_at, row.severity, row.plural, row.namespace, row.name,
            row.text if _sees_all(row.plural, visible) else "",
        )
        for row in reversed(rows)
    ]  # fmt: skip


def _sees_all(plural: str, visible: Mapping[str, Visible]) -> bool:
    """Whether somebody may list, everywhere, all that a problem of a kind was found out from."""
    seen = (visible.get(each) for each in read_for(plural) & KINDS.keys())
    return all(each is not None and each.denied is None and each.namespaces is None for each in seen)
