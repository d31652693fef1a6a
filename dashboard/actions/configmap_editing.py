"""The steps of an edit of a ConfigMap: what was typed is merged with what is there, shown, saved, then restarted for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from dashboard.errors import ClusterError
from dashboard.insight import Notice, Objects
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Action, Actor, Manifest, Order, Preview, Target, Wanted
from .configmap_plan import Draft, Merged, Plan, plan
from .configmap_reading import Writer, configmap_target, writer_of
from .configmap_restarts import configmap_restart, restarts_needed, restarts_offered
from .configmap_values import Value, content_of, values
from .edit import EDIT
from .engine import Form, change_apply, change_preview, change_read, to_its_end
from .formats import Flaw, flaw

MAX_FLAW_NOTICES = 10


class Clashes(ClusterError):
    """Somebody else changed the same keys. Nothing was written; each needs a decision."""

    title = "Changed meanwhile"
    status = 409

    def __init__(self, found: Plan, writers: Mapping[str, Writer]) -> None:
        keys = listed([clash.key for clash in found.clashes], "more keys")
        super().__init__(f"You and somebody else both changed {keys}.")
        self.clashes = found.clashes
        self.merged = found.merged
        self.writers = writers


class Broken(ClusterError):
    """Texts that are not what the names of their keys say. They can be saved anyway, when the person says so."""

    title = "This text is invalid"
    status = 422

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__(" ".join(flaw_words(each) for each in flaws))
        self.flaws = flaws


@dataclass(frozen=True, slots=True, kw_only=True)
class EditForm:
    """The form, filled with what is. ``refusal`` says why it cannot be used, before anything is typed."""

    values: Mapping[str, Value]
    version: str
    refusal: ClusterError | None

    @classmethod
    def of(cls, form: Form) -> EditForm:
        version = form.manifest["metadata"]["resourceVersion"]
        return cls(values=values(form.manifest), version=version, refusal=form.refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edit, shown. ``preview`` is None when nothing is to be written; ``restarts`` are the workloads that see it only
    after a restart, each with why it is not restarted from here, or "".
    """

    preview: Preview | None
    merged: tuple[Merged, ...]
    restarts: Mapping[Ref, str] = field(default_factory=dict)


async def configmap_edit_preview(
    *, transport: Transport, actor: Actor, namespace: str, name: str, draft: Draft, objects: Objects
) -> Edited:
    """What an edit would do. Raises BadInput for names and sizes that cannot be and Broken for a text that is not what
    its name says (nothing is sent then), Clashes when somebody else changed the same keys, Immutable; else as
    ``change_preview``.
    """
    target = configmap_target(transport.cluster.name, namespace, name)
    manifest, found, flaws = await edit_planned(
        transport=transport, target=target, draft=draft, objects=objects, action=EDIT
    )
    if not found.mine:
        return Edited(preview=None, merged=found.merged)
    order = _order(transport, actor, target, found.wanted)
    preview = await change_preview(order=order, objects=objects, manifest=manifest)
    return Edited(
        preview=with_edit_notices(preview, found, flaws),
        merged=found.merged,
        restarts=await restarts_offered(
            transport,
            objects,
            name,
            content_of(found.result),
            restarts_needed(objects, namespace, name, found.mine),
        ),
    )


async def configmap_edit_apply(
    *,
    transport: Transport,
    actor: Actor,
    namespace: str,
    name: str,
    draft: Draft,
    token: str,
    objects: Objects,
    restart: Collection[str] = (),
    confirm: str = "",
    reason: str = "",
) -> Change:
    """Make the edit that was shown, then restart those in ``restart`` ("deployments/web") that need it; a browser that
    leaves does not cut that in two. Errors as of ``configmap_edit_preview`` and ``change_apply``: nothing is restarted
    then. What became of the restarts is told by following the change.
    """
    target = configmap_target(transport.cluster.name, namespace, name)
    _, found, _ = await edit_planned(
        transport=transport, target=target, draft=draft, objects=objects, action=EDIT
    )
    order = replace(_order(transport, actor, target, found.wanted), confirm=confirm, reason=reason)
    return await configmap_save(order=order, token=token, restart=restart, objects=objects)


async def configmap_save(*, order: Order, token: str, restart: Collection[str], objects: Objects) -> Change:
    """Make the change of a ConfigMap that was shown, then its restarts, to the end: see ``configmap_edit_apply``."""
    return await to_its_end(_save(order, token, restart, objects))


async def _save(order: Order, token: str, restart: Collection[str], objects: Objects) -> Change:
    change = await change_apply(order=order, token=token)
    await configmap_restart(
        transport=order.transport, actor=order.actor, change=change, chosen=restart, objects=objects
    )
    return change


async def edit_planned(
    *, transport: Transport, target: Target, draft: Draft, objects: Objects, action: Action | None = None
) -> tuple[Manifest, Plan, tuple[Flaw, ...]]:
    """The ConfigMap, what the draft comes to beside what is there now, and what is doubtful in its texts. Raises as
    ``configmap_edit_preview``, and what rules the action out.
    """
    manifest = await change_read(transport=transport, target=target)
    if action is not None:
        await action.ready(target, manifest, objects)
    # In a thread: comparing and reading a megabyte of text would hold everybody up.
    found, flaws = await asyncio.to_thread(_plan_and_check, draft, values(manifest))
    if found.clashes:
        raise Clashes(
            found, {each.key: await writer_of(target, manifest, each.key) for each in found.clashes}
        )
    if wrong := tuple(each for each in flaws if each.broken and each.key not in draft.anyway):
        raise Broken(wrong)
    return manifest, found, flaws


def _plan_and_check(draft: Draft, now: Mapping[str, Value]) -> tuple[Plan, tuple[Flaw, ...]]:
    found = plan(draft, now)
    flaws = [flaw(key, value.content) for key, value in found.mine.items() if value is not None]
    return found, tuple(each for each in flaws if each is not None)


def with_edit_notices(preview: Preview, found: Plan, flaws: tuple[Flaw, ...]) -> Preview:
    """With what is to be known of the texts, and of what somebody else changed."""
    notices = (*_merge_notices(found.merged), *_flaw_notices(flaws), *preview.told.notices)
    return replace(preview, told=replace(preview.told, notices=notices))


def _merge_notices(merged: tuple[Merged, ...]) -> tuple[Notice, ...]:
    if not merged:
        return ()
    done = [f"{each.key} was {each.how}" for each in merged]
    text = f"{listed(done, 'more keys')} by somebody else since you opened the form. You did not touch "
    text += "it, so their change stays." if len(merged) == 1 else "them, so their changes stay."
    return (Notice("info", "Merged with what changed meanwhile", text),)


def flaw_words(found: Flaw) -> str:
    """What is wrong with a text, with its key and line."""
    said = (
        found.message
        if found.format in (".properties", ".env")
        else f"no valid {found.format}: {found.message}"
    )
    return f"{found.key}, line {found.line}: {said}."


def _flaw_notices(flaws: tuple[Flaw, ...]) -> tuple[Notice, ...]:
    rest = len(flaws) - MAX_FLAW_NOTICES
    more = Notice("warn", f"{rest:,} more keys may be invalid", "They are like those above.")
    return (*(_flaw_notice(each) for each in flaws[:MAX_FLAW_NOTICES]), *([more] if rest > 0 else []))


def _flaw_notice(found: Flaw) -> Notice:
    title = f"{found.key} is saved although it is invalid" if found.broken else f"Look at {found.key} again"
    return Notice("warn", title, flaw_words(found))


def _order(transport: Transport, actor: Actor, target: Target, wanted: Wanted) -> Order:
    return Order(transport=transport, actor=actor, target=target, action=EDIT.on(wanted), wanted=wanted)
