"""What was recorded of a cluster whose name another one has now: nobody's who may read the other one."""

from __future__ import annotations

from datetime import datetime

from dashboard.models import (
    AddedCluster,
    ConfigMapVersion,
    HourlyFigures,
    ProblemSpan,
    Recording,
    TimelineEvent,
)

RECORDS = (Recording, TimelineEvent, ProblemSpan, HourlyFigures, ConfigMapVersion)
NAME_LETTERS = 480  # of 500 that a context's name may have in the database


def former_set_aside(made: AddedCluster, now: datetime) -> None:
    """Where a context was just added under the name of another cluster that was removed, what was recorded of that one is
    kept under a name that no context has, until it is too old; of the same API server, added once more, it stays.
    """
    before = AddedCluster.objects.filter(name=made.name).exclude(pk=made.pk).order_by("-pk").first()
    if before is None or before.server == made.server:
        return
    ProblemSpan.objects.filter(context=made.name, ended_at=None).update(ended_at=now)
    for model in RECORDS:
        model._default_manager.filter(context=made.name).update(context=_aside(made))


def _aside(made: AddedCluster) -> str:
    return f"{made.name[:NAME_LETTERS]}\x1f{made.pk}"
