"""What quotas say of the pods that a change has created, told with its preview, whichever action makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from dashboard.insight.impact import EffectState
from dashboard.insight.newpods import quota_words

from .action import Action, Description, DryRun

_RANK: Mapping[EffectState, int] = {"bad": 0, "warn": 1, "info": 2, "ok": 3}


def with_quotas(action: Action, dry: DryRun, told: Description) -> Description:
    """What is told of a change, with what quotas say of its pods. That some are refused comes first, unless something
    that is as bad does.
    """
    if not dry.objects.all("resourcequotas", dry.target.namespace):
        return told
    headline, effects, notices, danger = told.headline, list(told.effects), list(told.notices), told.danger
    for made in action.new_pods(dry):
        if (said := quota_words(dry.objects, made)) is None:
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
