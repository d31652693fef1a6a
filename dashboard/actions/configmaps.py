"""What can be done with a ConfigMap: edit its keys."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from django.db.models import Q

from dashboard.errors import ClusterError, Forbidden, Invalid, NotFound, ReadOnly
from dashboard.insight import Notice, Objects, workload_rollout
from dashboard.insight.configmapuse import RESTARTABLE, change_effects, consumers, stale_pods
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, State
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.kinds.rows import listed, plural
from dashboard.kube.shell import shell_line
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Actor, Following, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write
from .configmap_plan import Draft, Merged, Plan, plan
from .configmap_values import Value, digest, size_words, values
from .diff import Line
from .engine import MANAGER, change_access, change_apply, change_preview, change_read, to_its_end
from .formats import Flaw, flaw
from .restarts import RESTART, rollout_progress, workload_restart_apply, workload_restart_preview
from .valuediff import value_lines
from .writers import last_manager

# A command longer than this is no help: some shells and every reader give up.
MOST_COMMAND = 2000


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote the ConfigMap, or one key of it, last, and when; "" and None where nobody knows."""

    who: str
    when: datetime | None


class Immutable(Invalid):
    """The ConfigMap was made immutable; nobody can change it."""

    title = "It is immutable"
    status = 409


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

    title = "This text is broken"
    status = 422

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__(" ".join(flaw_words(each) for each in flaws))
        self.flaws = flaws


@dataclass(frozen=True, slots=True, kw_only=True)
class EditForm:
    """The form, filled with what is. ``refusal`` says why it cannot be used, before anything is typed."""

    values: Mapping[str, Value]
    version: str
    refusal: ReadOnly | Forbidden | Immutable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edit, shown. ``preview`` is None when nothing is to be written; ``restarts`` are the workloads that see it only
    after a restart, each with why the user cannot restart it, or "".
    """

    preview: Preview | None
    merged: tuple[Merged, ...]
    restarts: Mapping[Ref, str] = field(default_factory=dict)


async def configmap_values(*, transport: Transport, namespace: str, name: str) -> dict[str, Value]:
    """Every key's bytes, read as the user and kept nowhere. Raises NotFound, Forbidden, Unavailable."""
    return values(await change_read(transport=transport, target=_target(transport, namespace, name)))


async def configmap_value(*, transport: Transport, namespace: str, name: str, key: str) -> bytes:
    """One key's exact bytes, read as the user. Raises NotFound, also for a key that is not there."""
    found = await configmap_values(transport=transport, namespace=namespace, name=name)
    if key not in found:
        raise NotFound(f"ConfigMap {name} has no key {key}.", next_step="Look at the keys it has.")
    return found[key].content


async def configmap_writer(*, transport: Transport, namespace: str, name: str) -> tuple[str, Writer]:
    """The resourceVersion and who made it. Raises NotFound, Forbidden, Unavailable."""
    target = _target(transport, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    return manifest["metadata"]["resourceVersion"], await _writer(target, manifest)


async def configmap_edit_form(
    *, transport: Transport, namespace: str, name: str, objects: Objects
) -> EditForm:
    """The form to edit a ConfigMap. Raises NotFound, Forbidden (to read it) and what else the API server says."""
    target = _target(transport, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    refusal: ReadOnly | Forbidden | Immutable | None = None
    try:
        _check_immutable(manifest, target, objects)
        await change_access(transport=transport, target=target, action=EDIT)
    except (ReadOnly, Forbidden, Immutable) as error:
        refusal = error
    return EditForm(values=values(manifest), version=manifest["metadata"]["resourceVersion"], refusal=refusal)


async def configmap_edit_preview(
    *, transport: Transport, actor: Actor, namespace: str, name: str, draft: Draft, objects: Objects
) -> Edited:
    """What an edit would do. Raises BadInput for names and sizes that cannot be and Broken for a text that is not what
    its name says (nothing is sent then), Clashes when somebody else changed the same keys, Immutable; else as
    ``change_preview``.
    """
    target = _target(transport, namespace, name)
    found, flaws = await _planned(transport, target, draft, objects)
    if not found.mine:
        return Edited(preview=None, merged=found.merged)
    preview = await change_preview(order=_order(transport, actor, target, found.wanted), objects=objects)
    notices = (*_merge_notices(found.merged), *(_flaw_notice(each) for each in flaws), *preview.told.notices)
    return Edited(
        preview=replace(preview, told=replace(preview.told, notices=notices)),
        merged=found.merged,
        restarts=await _restarts_offered(transport, restarts_needed(objects, namespace, name, found.mine)),
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
) -> Change:
    """Make the edit that was shown, then restart those in ``restart`` ("deployments/web") that need it; a browser that
    leaves does not cut that in two. Errors as of ``configmap_edit_preview`` and ``change_apply``: nothing is restarted
    then. What became of the restarts is told by following the change.
    """
    target = _target(transport, namespace, name)
    found, _ = await _planned(transport, target, draft, objects)
    order = _order(transport, actor, target, found.wanted)
    return await to_its_end(_save(order, token, restart, objects))


async def _save(order: Order, token: str, restart: Collection[str], objects: Objects) -> Change:
    change = await change_apply(order=order, token=token)
    await configmap_restart(
        transport=order.transport, actor=order.actor, change=change, chosen=restart, objects=objects
    )
    return change


async def configmap_restart(
    *, transport: Transport, actor: Actor, change: Change, chosen: Collection[str], objects: Objects
) -> None:
    """Restart those of the workloads that need it which were chosen ("deployments/web"), once for a change. Each restart
    is a change of its own; what became of each is kept in ``change.result["restarts"]``.
    """
    needed = restarts_needed(objects, change.namespace, change.name, changed_keys(change))
    wanted = [ref for ref in needed if f"{ref.plural}/{ref.name}" in chosen]
    again = Change.objects.filter(pk=change.pk, result__has_key="restarts")
    # One statement decides, so that the second of two submits restarts nothing.
    if not wanted or not await Change.objects.filter(pk=change.pk).exclude(pk__in=again.values("pk")).aupdate(
        result={**change.result, "restarts": []}
    ):
        return
    done: list[dict[str, Any]] = []
    for ref in wanted:
        done.append(await _restart(transport, actor, ref, objects))
        change.result = {**change.result, "restarts": done}
        await change.asave(update_fields=["result"])


async def _restart(transport: Transport, actor: Actor, ref: Ref, objects: Objects) -> dict[str, Any]:
    """Restarts one workload; what following it needs, or what was said instead."""
    kept: dict[str, Any] = {"plural": ref.plural, "name": ref.name, "said": ""}
    where = {"plural": ref.plural, "namespace": ref.namespace, "name": ref.name}
    try:
        preview = await workload_restart_preview(transport=transport, actor=actor, objects=objects, **where)
        made = await workload_restart_apply(transport=transport, actor=actor, token=preview.token, **where)
    except ClusterError as error:
        return kept | {"said": f"{error.message} {error.next_step}".strip()}
    return kept | {"change": made.pk, "generation": made.result.get("generation") or 0, "uid": made.uid}


async def _restarts_offered(transport: Transport, needed: tuple[Ref, ...]) -> dict[Ref, str]:
    """Why the user cannot restart each of them; "" for those that can be."""

    async def refusal(ref: Ref) -> str:
        target = Target(
            context=transport.cluster.name, gvr=KINDS[ref.plural].gvr, kind=ref.kind, namespace=ref.namespace,
            name=ref.name,
        )  # fmt: skip
        try:
            await change_access(transport=transport, target=target, action=RESTART)
        except Forbidden as error:
            return error.message
        return ""

    return dict(zip(needed, await asyncio.gather(*map(refusal, needed)), strict=True))


def restarts_needed(objects: Objects, namespace: str, name: str, keys: Collection[str]) -> tuple[Ref, ...]:
    """The workloads whose containers see new values of these keys only when they are restarted."""
    return tuple(
        each.ref
        for each in consumers(objects, namespace, name)
        if each.restartable and each.needs_restart(keys)
    )


async def _planned(
    transport: Transport, target: Target, draft: Draft, objects: Objects
) -> tuple[Plan, tuple[Flaw, ...]]:
    """What the draft comes to beside what is there now, and what is doubtful in its texts."""
    manifest = await change_read(transport=transport, target=target)
    _check_immutable(manifest, target, objects)
    # In a thread: comparing and reading a megabyte of text would hold everybody up.
    found, flaws = await asyncio.to_thread(_plan_and_check, draft, values(manifest))
    if found.clashes:
        raise Clashes(found, {each.key: await _writer(target, manifest, each.key) for each in found.clashes})
    if wrong := tuple(each for each in flaws if each.broken and each.key not in draft.anyway):
        raise Broken(wrong)
    return found, flaws


async def _writer(target: Target, manifest: Manifest, key: str = "") -> Writer:
    """Who wrote one key last, or any; whoever used this dashboard by name, not only by its field manager."""
    paths = [f"/{field}/{key}" for field in ("data", "binaryData")] if key else [""]
    who, when = max((last_manager(manifest, path) for path in paths), key=lambda each: bool(each[0]))
    if who and who != MANAGER:
        # "unknown" is what the API server writes for a client that does not say what it is.
        return Writer("" if who == "unknown" else who, when)
    # One that is being sent counts: the watch may tell of it before its end is recorded here.
    done = Q(uid=manifest["metadata"]["uid"], state=Change.State.DONE)
    changes = Change.objects.filter(
        done | Q(state=Change.State.SENDING),
        context=target.context,
        plural=target.plural,
        namespace=target.namespace,
        name=target.name,
    )
    if key:
        changes = changes.filter(Q(touched__has_key=paths[0]) | Q(touched__has_key=paths[1]))
    last = await changes.select_related("user").order_by("-created_at").afirst()
    return Writer(last.user.get_username(), last.created_at) if last is not None else Writer(who, when)


def _plan_and_check(draft: Draft, now: Mapping[str, Value]) -> tuple[Plan, tuple[Flaw, ...]]:
    found = plan(draft, now)
    flaws = [flaw(key, value.content) for key, value in found.mine.items() if value is not None]
    return found, tuple(each for each in flaws if each is not None)


def _check_immutable(manifest: Manifest, target: Target, objects: Objects) -> None:
    if not manifest.get("immutable"):
        return
    raise _immutable(
        target.name, [each.ref.name for each in consumers(objects, target.namespace, target.name)]
    )


def _immutable(name: str, users: Collection[str] = ()) -> Immutable:
    point = f"let {listed(users)} use that one instead" if users else "use that one instead"
    other = other_name(name)
    return Immutable(
        f"ConfigMap {name} was made immutable: Kubernetes lets nobody change it, nor make it changeable again.",
        next_step=f"Create another one under a new name, such as {other}, with the new values; {point}; then delete this "
        "one.",
    )


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


def _flaw_notice(found: Flaw) -> Notice:
    title = f"{found.key} is saved although it is broken" if found.broken else f"Look at {found.key} again"
    return Notice("warn", title, flaw_words(found))


@dataclass(frozen=True, slots=True)
class Edit:
    """Writes some keys by a merge patch, which leaves all others alone. ``wanted``: field → key → base64, None to
    remove. Touched values are sizes and digests.
    """

    wanted: Wanted | None = None

    name = "edit"
    verb = "patch"
    subresource = ""

    def on(self, wanted: Wanted) -> Edit:
        return Edit(wanted)

    def back(self, manifest: Manifest) -> Wanted:
        """The old bytes of the touched keys, as base64: exact in every database, whatever bytes they are."""
        there = values(manifest)
        return {
            field: {
                key: base64.b64encode(there[key].content).decode()
                if key in there and there[key].field == field
                else None
                for key in keys
            }
            for field, keys in (self.wanted or {}).items()
        }

    def touched(self, manifest: Manifest) -> Touched:
        there = values(manifest)
        return {
            f"/{field}/{key}": _mark(there[key]) if key in there and there[key].field == field else ""
            for field, keys in (self.wanted or {}).items()
            for key in keys
        }

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        if manifest.get("immutable"):
            raise _immutable(manifest["metadata"]["name"])
        text = {
            key: None if content is None else base64.b64decode(content).decode()
            for key, content in wanted.get("data", {}).items()
        }
        body = {"data": text, "binaryData": wanted.get("binaryData", {})}
        return Write(
            method="PATCH",
            content_type="application/merge-patch+json",
            subresource="",
            body={field: keys for field, keys in body.items() if keys},
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return answer

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        return value_lines(before, after)

    def inverse(self, touched: Touched) -> Wanted | None:
        raise TypeError("An edit goes back by the bytes that there were: see back().")

    def words(self, touched: Touched) -> str:
        there = {path.split("/")[2]: mark for path, mark in touched.items() if mark}
        gone = sorted({path.split("/")[2] for path in touched} - set(there))
        said = [f"{key} of {_size(mark)} ({mark[:6]})" for key, mark in sorted(there.items())]
        return listed([*said, *(f"no {key}" for key in gone)], "more keys")

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        was, made = values(manifest), values(after)
        written = [key for key in made if key not in was or was[key] != made[key]]
        removed = [key for key in was if key not in made]
        effects = change_effects(objects, target.namespace, target.name, written=written, removed=removed)
        broken = [effect for effect in effects if effect.state == "bad"]
        headline = None
        if broken:
            who = listed([effect.ref.name for effect in broken if effect.ref])
            text = "It needs a key that this takes away: keep the key, or change what reads it first."
            headline = Notice("bad", f"New pods of {who} will not start", text)
        return Told(
            headline=headline,
            effects=effects,
            notices=_surprises(self.touched(after), wanted),
            kubectl=_kubectl(target, self.write(manifest, wanted).body),
            undo_words=f"Undo puts the old bytes of {plural(len({*written, *removed}), 'key')} back; it stays one "
            "click away under Changes made here.",
            button=f"Save {target.name}",
            danger=bool(broken),
        )

    def way_back(self, change: Change) -> str:
        """What undoing does, in words."""
        return f"It can be taken back: {listed(changed_keys(change), 'more keys')} as before, byte for byte."

    def summary(self, change: Change) -> str:
        """What was changed, in words: keys and sizes, not values."""
        said: dict[str, list[str]] = {}
        for key in changed_keys(change):
            pairs = [change.touched[path] for path in change.touched if path.split("/")[2] == key]
            was, made = (next((_size(pair[at]) for pair in pairs if pair[at]), "") for at in (0, 1))
            verb = "changed" if was and made else "added" if made else "removed"
            said.setdefault(verb, []).append(f"{key} ({' → '.join(filter(None, (was, made)))})")
        words = "; ".join(f"{verb} {listed(keys, 'more keys')}" for verb, keys in said.items())
        return words[:1].upper() + words[1:]

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        found = objects.get("configmaps", change.namespace, change.name)
        if found is None or found.metadata.uid != change.uid:
            again = "" if found is None else " and created again"
            return Progress(
                state="done",
                headline=f"{change.name} is gone",
                text=f"It was deleted{again}.",
                percent=None,
                done=True,
            )
        following = tuple(_followed(change, kept, objects, now) for kept in change.result.get("restarts", ()))
        waiting = stale_pods(objects, change.namespace, change.name, changed_keys(change), change.created_at)
        begun = {each.ref for each in following if each.change is not None}
        rest = {ref: count for ref, count in waiting.items() if ref not in begun}
        hangs = any(each.state in ("bad", "warn") and each.change is not None for each in following)
        goes_on = any(not each.done for each in following) or len(rest) < len(waiting)
        headline, state = "Saved", "ok"
        if hangs:
            headline, state = "Saved; a restart hangs", "bad"
        elif rest:
            headline, state = "Saved; a restart is missing", "warn"
        elif goes_on:
            headline, state = "Saved; restarting", "info"
        return Progress(
            state=cast(State, state),
            headline=headline,
            text=self._text(change, rest, goes_on, objects),
            percent=None,
            done=not goes_on,
            restart=tuple(ref for ref in rest if ref.plural in RESTARTABLE),
            following=following,
        )

    def _text(self, change: Change, rest: Mapping[Ref, int], goes_on: bool, objects: Objects) -> str:
        if rest:
            said = [f"{ref.kind} {ref.name} ({plural(count, 'pod')})" for ref, count in rest.items()]
            return f"The old values still run in {listed(said)}: a restart brings the new ones."
        if goes_on:
            return "New pods take the place of those with the old values."
        if not consumers(objects, change.namespace, change.name):
            return "No pod and no workload here uses it."
        return "Every pod that reads it only at its start was started since. Files in volumes follow by themselves."


def _followed(change: Change, kept: Mapping[str, Any], objects: Objects, now: datetime) -> Following:
    """One of the restarts that began with an edit."""
    ref = Ref(KINDS[kept["plural"]].kind, change.namespace, kept["name"], kept["plural"])
    if kept["said"]:
        headline = f"{ref.kind} {ref.name} was not restarted"
        return Following(ref=ref, state="warn", headline=headline, text=kept["said"], change=None, done=True)
    workload = objects.get(ref.plural, ref.namespace, ref.name)
    if workload is None or workload.metadata.uid != kept["uid"]:
        headline = f"{ref.kind} {ref.name} is gone"
        return Following(ref=ref, state="done", headline=headline, text="", change=kept["change"], done=True)
    found = rollout_progress(workload_rollout(objects, workload, now, kept["generation"]))
    return Following(
        ref=ref,
        state=found.state,
        headline=found.headline,
        text=found.text,
        change=kept["change"],
        done=found.done,
    )


EDIT = Edit()


def changed_keys(change: Change) -> list[str]:
    """The keys that a change wrote or removed."""
    return sorted({path.split("/")[2] for path in change.touched})


def _mark(value: Value) -> str:
    return f"{digest(value.content)} {len(value.content)}"


def _size(mark: str) -> str:
    return size_words(int(mark.split()[1]))


def _surprises(made: Touched, wanted: Wanted) -> tuple[Notice, ...]:
    """What an admission rule makes of it other than was asked for."""
    asked = {
        f"/{field}/{key}": "" if content is None else digest(base64.b64decode(content))
        for field, keys in wanted.items()
        for key, content in keys.items()
    }
    other: Collection[str] = sorted(
        path.split("/")[2] for path, content in asked.items() if made[path].split(" ")[0] != content
    )
    if not other:
        return ()
    title = f"The cluster makes something else of {listed(other)}"
    return (Notice("warn", title, "An admission rule changes what is asked for."),)


def edit_command(namespace: str, name: str, form: EditForm) -> str:
    """The same by kubectl; for an immutable one, another with its values, from files with their keys' names."""
    if not isinstance(form.refusal, Immutable):
        return shell_line(["kubectl", "edit", f"configmap/{name}", "-n", namespace])
    files = [f"--from-file={key}" for key in form.values]
    return shell_line(["kubectl", "create", "configmap", other_name(name), "-n", namespace, *files])


def other_name(name: str) -> str:
    """A name for the one that takes an immutable one's place: ``settings-2`` after ``settings``."""
    stem, dash, number = name.rpartition("-")
    return f"{stem}-{int(number) + 1}" if dash and number.isdecimal() and len(number) < 4 else f"{name}-2"


def _kubectl(target: Target, body: Manifest) -> str:
    where = f"configmap/{target.name} -n {target.namespace}"
    patch = shlex.quote(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    command = f"kubectl patch {where} --type=merge -p {patch}"
    return command if len(command) <= MOST_COMMAND else f"kubectl edit {where}"


def _target(transport: Transport, namespace: str, name: str) -> Target:
    return Target(
        context=transport.cluster.name,
        gvr=CONFIGMAPS.gvr,
        kind=CONFIGMAPS.kind,
        namespace=namespace,
        name=name,
    )


def _order(transport: Transport, actor: Actor, target: Target, wanted: Wanted) -> Order:
    return Order(transport=transport, actor=actor, target=target, action=EDIT.on(wanted), wanted=wanted)
