"""What quotas say of the pods that a change has created, told with its preview, whichever action makes it; and of those
of many changes together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from dashboard.insight.impact import EffectState
from dashboard.insight.newpods import NewPods, quota_words
from dashboard.insight.protocols import Objects

from .action import Action, Description, DryRun

_RANK: Mapping[EffectState, int] = {"bad": 0, "warn": 1, "info": 2, "ok": 3}


def counted_pods(action: Action, dry: DryRun) -> tuple[NewPods, ...]:
    """The pods that are created for a change; none where no quota could count them."""
    quotas = dry.objects.all("resourcequotas", dry.target.namespace)
    return tuple(action.new_pods(dry)) if quotas else ()


def with_quotas(objects: Objects, pods: Iterable[NewPods], told: Description) -> Description:
    """What is told of a change, with what quotas say of its pods. That some are refused comes first, unless something
    that is as bad does.
    """
    headline, effects, notices, danger = told.headline, list(told.effects), list(told.notices), told.danger
    for made in pods:
        if (said := quota_words(objects, made)) is None:
            continue
        if said.effect not in effects:
            effects.append(said.effect)
        if (notice := said.notice) is None:
            continue
        danger = danger or notice.state == "bad"
        if headline is None:
            headline = notice
        elif _RANK[headline.state] > _RANK[notice.state]:
            headline, notices = notice, [headline, *notices]
        else:
            notices.insert(0, notice)
    return dataclasses.replace(
        told, headline=headline, effects=tuple(effects), notices=tuple(notices), danger=danger
    )
