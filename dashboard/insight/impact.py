"""What previews say a change touches: effects, notices, and what stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed
from dashboard.kinds.selectors import NOTHING, LabelSelector, Selector, SelectorError, from_label_selector
from dashboard.kinds.services import Service

from .words import Parts

EffectState = Literal["bad", "warn", "info", "ok"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that the change touches. ``word`` is a tag beside it ("stops"), ``icon`` a name of the sprite, ``group``
    a heading above those that have the same one. ``fit``: it leads to how many more replicas of ``ref`` fit.
    """

    state: EffectState
    icon: str
    text: Parts
    note: str = ""
    word: str = ""
    ref: Ref | None = None
    group: str = ""
    fit: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know before deciding; ``link`` is the text of a link to ``ref``."""

    state: EffectState
    title: str
    text: str
    ref: Ref | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change touches. ``headline`` is the consequence that comes first, when there is one; ``danger`` that
    something stops.
    """

    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...] = ()
    danger: bool = False


_WORST: tuple[EffectState, ...] = ("bad", "warn", "info", "ok")


def together(impacts: Sequence[Impact]) -> Impact:
    """What one change touches in several ways: the worst of their headlines stands above, the others beside."""
    heads = sorted(
        (each.headline for each in impacts if each.headline), key=lambda head: _WORST.index(head.state)
    )
    notices = (*heads[1:], *(notice for each in impacts for notice in each.notices))
    return Impact(
        headline=heads[0] if heads else None,
        effects=tuple(effect for each in impacts for effect in each.effects),
        notices=tuple(dict.fromkeys(notices)),
        danger=any(each.danger for each in impacts),
    )


def selector_of(selector: LabelSelector | None) -> Selector:
    try:
        return from_label_selector(selector)
    except SelectorError:  # only a server that does not validate lets one through
        return NOTHING


def reach(service: Service) -> str:
    ports = listed(str(port.port) for port in service.spec.ports or ())
    word = "port" if len(service.spec.ports or ()) == 1 else "ports"
    inside = "; also used inside the cluster by name" if service.spec.type != "ExternalName" else ""
    return f"{service.spec.type}, {word} {ports}{inside}" if ports else service.spec.type
