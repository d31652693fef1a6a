"""What the preview of a replacement says: who is pointed to the new one, in which order, and who stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dashboard.insight import Effect, Notice, Objects, restart_impact
from dashboard.insight.configmapuse import Consumer, flaws, spec_uses
from dashboard.insight.environment import Content
from dashboard.insight.references import INGRESSES, ROLLED, Kind, User, names, quota_effects, users
from dashboard.insight.relations import pod_spec
from dashboard.insight.words import bold, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed, plural

from .action import NO_UNDO, Description, DryRun, Target

MAX_EFFECTS = 60  # of each group; more are counted
MAX_WARNINGS = 10


_EACH_BACK = (
    "No command: each object is looked at again before it is pointed back, and followed before the next one."
)


def summary(kind: Kind, made: str, count: int) -> str:
    """What was begun."""
    rest = f", and {plural(count, 'object')} to use it" if count else ""
    return f"Created {kind} {made}{rest}"


def description(
    dry: DryRun,
    *,
    moved: Sequence[User],
    stays: Sequence[User],
    refused: Mapping[User, str],
    made: str,
    broken: Mapping[User, str],
    warned: Mapping[Ref, Sequence[str]],
    stuck: Mapping[User, str],
) -> Description:
    """``moved`` are pointed to the new one in their order; ``stays`` and ``refused`` are not. ``broken``: why new pods of
    one will not start, as the end of a sentence. ``warned``: what the API server warns of when one is changed. ``stuck``:
    why one can't be pointed back.
    """
    old, kind = dry.target.name, dry.target.kind
    stopped = [each for each in moved if each.rolls and _stops(dry, each) is not None]
    effects = [
        Effect("ok", "plus", parts(bold(f"{kind} {made}"), " is created"), _content(dry), "new"),
        *quota_effects(dry.objects, dry.target.namespace, dry.target.plural),
        *_some(_moved(dry, each, at, broken.get(each, "")) for at, each in enumerate(moved, start=1)),
        *_some(_refused(each, why) for each, why in refused.items()),
        *_some(_stays(each) for each in stays),
        _old(dry.target, [*refused, *stays]),
    ]
    return Description(
        headline=_headline(old, made, moved, broken),
        effects=tuple(effects),
        notices=(*_notices(dry, refused, stopped), *_stuck(stuck), *_warned(warned)),
        kubectl="",
        undo_words=_undo(old, made, stuck),
        button=f"Replace {old}" if moved else f"Create {made}",
        danger=bool(broken or stuck) or any(each.state == "bad" for each in effects),
    )


def _headline(old: str, made: str, moved: Sequence[User], broken: Mapping[User, str]) -> Notice:
    if broken:
        who = listed([each.ref.name for each in broken])
        text = f"See below what they require. {old} stays, so pods that run now are not affected."
        return Notice("bad", f"New pods of {who} will not start", text)
    if not moved:
        return Notice(
            "info", f"{made} is created, and nothing is pointed to it", "See below who uses the old one."
        )
    who = ", then ".join(each.ref.name for each in moved[:6]) + (", …" if len(moved) > 6 else "")
    if len(moved) == 1:
        title = f"{made} is created, then {who} is pointed to it"
        return Notice("info", title, "It is followed until its pods are up, or do not come up.")
    text = f"{who}. Each must be up before the next starts; it stops at the first that does not become ready."
    return Notice(
        "info", f"{made} is created, then {len(moved)} objects are pointed to it, one after the other", text
    )


def _content(dry: DryRun) -> str:
    count = len(dry.after.get("data") or ()) + len(dry.after.get("binaryData") or ())
    frozen = ", immutable" if dry.after.get("immutable") else ""
    labels = (
        ""
        if dry.after["metadata"].get("labels") or not dry.before["metadata"].get("labels")
        else (". Without the labels of the old one, by which somebody else manages that")
    )
    return f"{plural(count, 'key')}{frozen}{labels}"


def _moved(dry: DryRun, user: User, at: int, flaw: str) -> Effect:
    text = parts(bold(f"{user.ref.kind} {user.ref.name}"), f": {user.ways}")
    if flaw:
        return Effect("bad", "bad", text, f"Its new pods will not start: {flaw}", "breaks", user.ref)
    if user.ref.plural == INGRESSES:
        return Effect(
            "info", "lock", text, "It shows the certificate in the new one", f"stage {at}", user.ref
        )
    if not user.rolls:
        return Effect("info", "wait", text, "Runs that start then use it", "from its next run", user.ref)
    if not user.outlook.replaces:
        note = user.outlook.held or "It has no pods: those that come use it."
        return Effect("warn" if user.outlook.held else "ok", "restart", text, note, f"stage {at}", user.ref)
    notes = [*_order(dry, user), user.outlook.partly]
    if user.outlook.unready:
        notes.append(f"{user.outlook.unready} now")
    if (gap := _stops(dry, user)) is not None:
        notes.append(gap.title)
    if user.budgets:
        notes.append(f"PodDisruptionBudget {listed(user.budgets)}: a rollout does not wait for it")
    mind = user.outlook.partly or user.outlook.unready or gap is not None
    note = ". ".join(note.rstrip(".") for note in notes if note)
    return Effect("warn" if mind else "info", "restart", text, note, f"stage {at}", user.ref)


def _order(dry: DryRun, user: User) -> Iterator[str]:
    """How many pods are replaced, and how."""
    for effect in restart_impact(dry.objects, _workload(dry, user), dry.now).effects[:1]:
        yield "".join(text for text, _ in effect.text)
        yield effect.note


def _stops(dry: DryRun, user: User) -> Notice | None:
    """What is unavailable meanwhile."""
    if not user.rolls or not user.outlook.replaces:
        return None
    return restart_impact(dry.objects, _workload(dry, user), dry.now).headline


def _workload(dry: DryRun, user: User) -> Any:
    return dry.objects.get(user.ref.plural, user.ref.namespace, user.ref.name)


def flaws_of(objects: Objects, moved: Sequence[User], old: str, content: Content) -> dict[User, str]:
    """Why no new pod starts with what a new ConfigMap holds, as the end of a sentence, of those of which that is so."""
    found = {}
    for user in moved:
        spec = pod_spec(user.ref.plural, objects.get(user.ref.plural, user.ref.namespace, user.ref.name))
        if spec is not None and (wrong := flaws(Consumer(user.ref, spec_uses(spec, old)), content)):
            found[user] = listed([f"{key} {why}" for key, why in wrong.items()])
    return found


def _refused(user: User, why: str) -> Effect:
    text = parts(bold(f"{user.ref.kind} {user.ref.name}"), f": {user.ways}")
    return Effect("warn", "lock", text, why, "stays", user.ref)


def _stays(user: User) -> Effect:
    text = parts(bold(f"{user.ref.kind} {user.ref.name}"), f": {user.ways}")
    return Effect("warn", "info", text, user.stays, "stays", user.ref)


def _old(old: Target, kept: Sequence[User]) -> Effect:
    who = (
        f"{listed([each.ref.name for each in kept])} still {'uses' if len(kept) == 1 else 'use'} it. "
        if kept
        else ""
    )
    note = (
        f"{who}Earlier revisions of the workloads need it to be rolled back to. Once nothing uses it, its deletion is "
        "offered on the page of the result."
    )
    return Effect("info", "info", parts(bold(str(old)), " stays as it is"), note, "stays")


def _some(effects: Iterator[Effect]) -> Iterator[Effect]:
    every = list(effects)
    yield from every[:MAX_EFFECTS]
    if (more := len(every) - MAX_EFFECTS) > 0:
        yield dataclasses.replace(every[MAX_EFFECTS], text=parts(f"{more} more"), note="", word="", ref=None)


def _notices(dry: DryRun, refused: Mapping[User, str], stopped: Collection[User]) -> Iterator[Notice]:
    for user, why in list(refused.items())[:5]:
        yield Notice("warn", f"{user.ref.kind} {user.ref.name} stays with {dry.target.name}", why, user.ref)
    if stopped:
        text = "See below how long each is without a ready pod."
        yield Notice(
            "warn", f"{listed([each.ref.name for each in stopped])} will have no ready pod for a while", text
        )


def _undo(old: str, made: str, stuck: Collection[User]) -> str:
    if stuck:
        who = listed([f"{user.ref.kind} {user.ref.name}" for user in stuck], "more objects")
        return f"Undo stops at {who}, which the cluster would refuse as it is now: {made} stays."
    return (
        f"Undo points them back to {old}, one after the other, then deletes {made} if nothing uses it and nobody has "
        "changed it."
    )


def _stuck(stuck: Mapping[User, str]) -> Iterator[Notice]:
    for user, why in list(stuck.items())[:5]:
        title = f"You won't be able to point {user.ref.kind} {user.ref.name} back"
        yield Notice("warn", title, f"Back to how it is now, the cluster would refuse: {why}", user.ref)


def _warned(warned: Mapping[Ref, Sequence[str]]) -> Iterator[Notice]:
    """What the API server warns of, once for all that it says the same of."""
    about: dict[str, list[Ref]] = {}
    for ref, texts in warned.items():
        for text in texts:
            about.setdefault(text, []).append(ref)
    for text, refs in list(about.items())[:MAX_WARNINGS]:
        who = listed([f"{ref.kind} {ref.name}" for ref in refs], "more objects")
        yield Notice("warn", f"The API server warns of {who}", text, refs[0])
    if (more := len(about) - MAX_WARNINGS) > 0:
        yield Notice("warn", f"The API server warns of {more} more things", "")


def asked(hidden: Sequence[str], target: Target, *, undo: bool, removes: bool) -> Iterator[Notice]:
    """What only reviews of the account's rights tell."""
    plural_, namespace = target.plural, target.namespace
    if hidden:
        what = f"list {listed(hidden, 'more kinds')} in namespace {namespace}"
        text = f"Your account may not {what}: those that use it stay as they are."
        yield Notice("warn", "Not all who use it are known", text)
    if not undo:
        text = f"Your account may not patch {plural_} in namespace {namespace}, which its undo asks for."
        yield Notice("warn", "You won't be able to undo this", text)
    elif not removes:
        yield not_removed(target, "an undo leaves the new one there.")


def not_removed(target: Target, then: str) -> Notice:
    """That an undo has no right to delete the new one."""
    text = f"Your account may not delete {target.gvr.plural}{target.where}: {then}"
    return Notice("info", f"An undo can't delete the new {target.kind}", text)


def not_back(refused: tuple[str, str]) -> Notice:
    """That one can't be pointed back."""
    who, why = refused
    return Notice("warn", f"{who} can't be pointed back", why)


def back_description(
    objects: Objects, target: Target, kind: Kind, made: str, moved: Sequence[tuple[str, str]]
) -> Description:
    """What an undo does: those that were pointed to the new one go back; ``moved`` are plural and name, in order."""
    effects = [_back(objects, target, kind, made, each, at) for at, each in enumerate(moved, start=1)]
    others = [
        each for each in users(objects, target.namespace, kind, made)
        if (each.ref.plural, each.ref.name) not in moved
    ]  # fmt: skip
    about = bold(f"{kind} {made}")
    last = Effect(
        "info",
        "x",
        parts(about, " is deleted at the end"),
        "If nothing uses it by then, and it is as it was made.",
        "deleted",
    )
    if others:
        note = f"It is used by {listed([f'{each.ref.kind} {each.ref.name}' for each in others])} too."
        last = Effect("warn", "info", parts(about, " stays"), note, "stays")
    who = listed([name for _, name in moved])
    title = f"{who} {'is' if len(moved) == 1 else 'are'} pointed back to {target.name}"
    return Description(
        headline=Notice("info", title if moved else f"Nothing was pointed to {made}", ""),
        effects=(*effects[:MAX_EFFECTS], last),
        notices=(),
        kubectl="",
        kubectl_note=_EACH_BACK,
        undo_words=NO_UNDO if not moved else f"To undo this, replace {target.name} again.",
        button=f"Point back to {target.name}" if moved else f"Delete {made}",
        danger=False,
    )


def _back(
    objects: Objects, target: Target, replaced: Kind, made: str, about: tuple[str, str], at: int
) -> Effect:
    key, name = about
    kind = KINDS[key].kind
    found = objects.get(key, target.namespace, name)
    if found is None:
        return Effect("warn", "info", parts(bold(f"{kind} {name}"), " was deleted"), "", "left")
    if not names(key, found, replaced, made):
        text = parts(bold(f"{kind} {name}"), f" does not use {made} any more")
        return Effect("warn", "info", text, "It was changed since, and is left as it is", "left")
    note = "Its pods are replaced" if key in ROLLED else "Its next run uses it"
    if key == INGRESSES:
        note = "It shows that certificate again"
    return Effect(
        "info", "undo", parts(bold(f"{kind} {name}"), f" uses {target.name} again"), note, f"stage {at}"
    )
