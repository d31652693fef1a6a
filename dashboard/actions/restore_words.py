"""What the preview of a restore says of all its objects together, on the page and on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.insight import Notice
from dashboard.kinds.rows import listed, plural
from dashboard.recovery.choice import Choice, named
from dashboard.recovery.restoring import Does, Planned, counted

from .restore import RestorePreview, stops
from .restored_pods import lowered_notices

MAX_WARNED = 8  # warnings of the API server; each object has its own besides


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreWords:
    """``state`` is that of the ``headline``; ``broken``: whose new pods do not start."""

    state: str
    headline: str
    text: str
    notices: tuple[Notice, ...]
    broken: tuple[str, ...]
    where: str


def restore_words(found: RestorePreview, choice: Choice) -> RestoreWords:
    """What would be written, what not, which pods come with it, and what stands in the way."""
    counts = counted(found.plans)
    refusing = len(stops(found.plans, choice))
    where = listed(named(found.targets), "more namespaces") or "the cluster"
    state, headline = _headline(found, counts, refusing, where)
    broken = tuple(sorted({name for each in found.plans for name in each.breaks}))
    texts = []
    if broken and state == "info":
        state = "bad"
        texts.append(f"New pods of {listed(broken)} will not start: each says why.")
    notices = [*lowered_notices(found.plans), *_cut(found.plans), *found.pods.notices, *_warned(found.plans)]
    return RestoreWords(
        state=state, headline=headline, text=" ".join([*texts, *_texts(found, counts, refusing)]),
        notices=tuple(notices), broken=broken, where=where,
    )  # fmt: skip


def _headline(
    found: RestorePreview, counts: Mapping[Does, int], refusing: int, where: str
) -> tuple[str, str]:
    creates, updates = counts.get("create", 0), counts.get("update", 0)
    said = [f"creates {plural(creates, 'object')}"] if creates else []
    said += [f"updates {updates}" if creates else f"updates {plural(updates, 'object')}"] if updates else []
    if refusing:
        exist = f"{plural(refusing, 'object')} {'exists' if refusing == 1 else 'exist'}"
        return "bad", f"Refused: {exist} and would be changed"
    if not found.plans and not found.skipped:
        return "warn", "Nothing in this backup matches"
    if not said and (refused := counts.get("refused", 0)):
        return "bad", f"{plural(refused, 'object')} would be refused: nothing is written"
    if not said:
        return "info", "Everything exists already: nothing is written"
    text = listed(said)
    return "info", f"{text[:1].upper()}{text[1:]} in {where}"


def _texts(found: RestorePreview, counts: Mapping[Does, int], refusing: int) -> list[str]:
    texts = []
    if same := counts.get("same", 0):
        equal = f"{plural(same, 'object')} {'equals' if same == 1 else 'equal'} the backup"
        texts.append(f"{equal} and {_is(same)} not written.")
    if left := counts.get("leave", 0):
        texts.append(f"{plural(left, 'object')} {'differs and is' if left == 1 else 'differ and are'} left.")
    refused = counts.get("refused", 0) - refusing
    if refused > 0:
        texts.append(
            f"{plural(refused, 'object')} would be refused and {_is(refused)} not written: each says why."
        )
    tried = sum(each.tried for each in found.plans if each.writes)
    if tried:
        texts.append(f"The API server accepted a dry run of {tried} of {found.writes} writes.")
    if found.writes > tried:
        texts.append(
            "What needs a namespace or a kind that is created with it is tried right before it is written."
        )
    if found.more:
        texts.append(f"{plural(found.more, 'more object')} are tried before anything is written.")
    if found.pods.text:
        texts.append(found.pods.text)
    return texts


def _cut(plans: Sequence[Planned]) -> list[Notice]:
    """Whose clients get no answer any more; each says why."""
    cut = listed([plan.placed.where for plan in plans if plan.cuts], "more objects")
    return [Notice("bad", "Requests are not answered any more", f"{cut}: see what each says.")] if cut else []


def _warned(plans: Sequence[Planned]) -> list[Notice]:
    """What the API server warns of, each once with the objects that it is about."""
    about: dict[str, list[str]] = {}
    for plan in plans:
        for text in plan.warnings:
            about.setdefault(text, []).append(plan.placed.where)
    return [
        Notice("warn", "The API server warns", f"{listed(of, 'more objects')}: {text}")
        for text, of in list(about.items())[:MAX_WARNED]
    ]


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
