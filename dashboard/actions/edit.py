"""Editing the keys of a ConfigMap."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from dashboard.errors import Invalid
from dashboard.insight import Notice, Objects
from dashboard.insight.configmapuse import READ, change_effects
from dashboard.insight.keyhistory import KeyHistory
from dashboard.insight.newpods import READ as QUOTAS_READ
from dashboard.insight.newpods import NewPods, rollout_pods
from dashboard.insight.restart import restart_outlook
from dashboard.kinds.rows import listed, plural
from dashboard.models import Change

from .action import Action, Description, DryRun, Manifest, OwnedFields, Progress, Target, Wanted
from .configmap_history import changed_keys, written_when
from .configmap_restarts import restarts_needed
from .configmap_values import FIELDS, Value, content_of, digest, size_words, values
from .configmap_versions import versions_kept
from .diff import Line
from .edit_following import edit_progress
from .shortvalues import ShortValues, short_values
from .valuediff import value_lines


class Immutable(Invalid):
    """The ConfigMap was made immutable; nobody can change it."""

    title = "It is immutable"
    status = 409


class Edit(Action):
    """Writes some keys by a merge patch, which leaves all others alone. ``wanted``: field → key → base64, None to
    remove. Owned values are sizes and digests.
    """

    name, title, icon = "edit", "Edit", "file"
    said: Sequence[str] = ("patch", "label", "annotate")
    kinds = frozenset({"configmaps"})
    template = "forms/edit.html"
    reads = READ | QUOTAS_READ
    body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    typed = True
    saves = "Save"  # the verb of its button

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted

    def applies(self, obj: Any) -> bool:
        return not obj.immutable

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        if manifest.get("immutable"):
            raise _immutable(target.name)

    def command(self, target: Target, manifest: Manifest) -> str:
        return target.kubectl("edit")

    def on(self, wanted: Wanted) -> Edit:
        return Edit(wanted)

    def owned(self, manifest: Manifest) -> dict[str, Collection[str]]:
        """The keys that it writes, by field."""
        return {field: keys for field, keys in (self.wanted or {}).items() if field in FIELDS}

    def back(self, before: Manifest) -> Wanted:
        """The old bytes of the touched keys, as base64: exact in every database, whatever bytes they are."""
        there = values(before)
        return {
            field: {
                key: base64.b64encode(there[key].content).decode()
                if key in there and there[key].field == field
                else None
                for key in keys
            }
            for field, keys in self.owned(before).items()
        }

    def touched(self, manifest: Manifest) -> OwnedFields:
        there = values(manifest)
        return {
            f"/{field}/{key}": _mark(there[key]) if key in there and there[key].field == field else ""
            for field, keys in self.owned(manifest).items()
            for key in keys
        }

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        if manifest.get("immutable"):
            raise _immutable(manifest["metadata"]["name"])

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        text = {
            key: None if content is None else base64.b64decode(content).decode()
            for key, content in wanted.get("data", {}).items()
        }
        body = {"data": text, "binaryData": {**wanted.get("binaryData", {})}}
        # A key is in one field only: from the other, to which somebody may have moved it, it goes.
        for key, there in values(manifest).items():
            if any(key in keys for keys in wanted.values()) and key not in wanted.get(there.field, {}):
                body[there.field][key] = None
        return {field: keys for field, keys in body.items() if keys}

    def widened(self, before: Manifest, after: Manifest) -> Edit:
        """On all keys that differ: what is touched, and the way back, need their names only."""
        was, made = values(before), values(after)
        wanted: dict[str, dict[str, Any]] = {field: {**keys} for field, keys in (self.wanted or {}).items()}
        for key in was.keys() | made.keys():
            if was.get(key) != made.get(key):
                for each in filter(None, (was.get(key), made.get(key))):
                    wanted.setdefault(each.field, {}).setdefault(key, None)
        return Edit(wanted)

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        return value_lines(before, after)

    def words(self, touched: OwnedFields) -> str:
        there = {path.split("/")[2]: mark for path, mark in touched.items() if mark}
        gone = sorted({path.split("/")[2] for path in touched} - set(there))
        said = [f"{key} of {_size(mark)} ({mark[:6]})" for key, mark in sorted(there.items())]
        return listed([*said, *(f"no {key}" for key in gone)], "more keys")

    def describe(self, dry: DryRun) -> Description:
        was, made, target = values(dry.before), values(dry.after), dry.target
        written = [key for key in made if key not in was or was[key] != made[key]]
        removed = [key for key in was if key not in made]
        effects = change_effects(
            dry.objects,
            target.namespace,
            target.name,
            written=written,
            removed=removed,
            after=content_of(made),
        )
        broken = [effect for effect in effects if effect.state == "bad"]
        headline = None
        if broken:
            who = listed([effect.ref.name for effect in broken if effect.ref])
            text = "See below what they require: correct that, or change what reads it first."
            headline = Notice("bad", f"New pods of {who} will not start", text)
        return Description(
            headline=headline,
            effects=effects,
            notices=_surprises(self.touched(dry.after), self.digests(dry), {*written, *removed}),
            kubectl=target.kubectl_patch(self.patch(dry)),
            undo_words=f"Undo restores the old values of {plural(len({*written, *removed}), 'key')}; it stays one "
            "click away under Changes made here.",
            button=f"{self.saves} {target.name}",
            danger=bool(broken),
        )

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        """Those of the restarts that can be chosen with it."""
        was, made = values(dry.before), values(dry.after)
        keys = [key for key in {*was, *made} if was.get(key) != made.get(key)]
        for ref in restarts_needed(dry.objects, dry.target.namespace, dry.target.name, keys):
            workload = dry.objects.get(ref.plural, ref.namespace, ref.name)
            if workload is not None and restart_outlook(workload).replaces:
                for each in rollout_pods(dry.objects, workload):
                    yield dataclasses.replace(each, what=f" of {ref.name} if it is restarted")

    def digests(self, dry: DryRun) -> dict[str, str]:
        """What is wanted of each key, by its path; "" for one that goes."""
        return {
            f"/{field}/{key}": "" if content is None else digest(base64.b64decode(content))
            for field, keys in dry.wanted.items()
            for key, content in keys.items()
        }

    def patch(self, dry: DryRun) -> Manifest:
        """What kubectl would send."""
        return self.body(dry.before, dry.wanted)

    def way_back(self, change: Change) -> str:
        """What undoing does, in words."""
        return f"Undo restores {listed(changed_keys(change), 'more keys')} exactly as before."

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        found = short_values(*(self._touched_values(each) for each in (before, after)))
        kept: dict[str, Any] = {"values": found} if found else {}
        return kept | written_when(before, after, self.touched(after))

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        await versions_kept(change, before, after)

    def _touched_values(self, manifest: Manifest) -> dict[str, Value]:
        keys = {key for field in self.owned(manifest).values() for key in field}
        return {key: value for key, value in values(manifest).items() if key in keys}

    def summary(self, change: Change, *, with_values: bool = False) -> str:
        """What was changed, in words: keys and sizes; short values for those alone who may read the ConfigMap now."""
        kept: ShortValues = change.result.get("values", {}) if with_values else {}
        said: dict[str, list[str]] = {}
        by_key: dict[str, list[Any]] = {}
        for path, pair in change.touched.items():
            by_key.setdefault(path.split("/")[2], []).append(pair)
        for key, pairs in sorted(by_key.items()):
            was, made = (next((_size(pair[at]) for pair in pairs if pair[at]), "") for at in (0, 1))
            verb = "changed" if was and made else "added" if made else "removed"
            sides = [text or "empty" for text in kept.get(key, ()) if text is not None]
            shown = sides or filter(None, (was, made))
            said.setdefault(verb, []).append(f"{key} ({' → '.join(shown)})")
        words = "; ".join(f"{verb} {listed(keys, 'more keys')}" for verb, keys in said.items())
        return words[:1].upper() + words[1:]

    def follow(
        self, change: Change, objects: Objects, now: datetime, history: KeyHistory | None = None
    ) -> Progress:
        return edit_progress(change, objects, now, history)


EDIT = Edit()


def _immutable(name: str) -> Immutable:
    return Immutable(
        f"ConfigMap {name} is immutable now: it can't be changed, and immutability can't be reverted.",
        next_step="Replace it: another one is created with the new values, and what uses this one is pointed to it.",
    )


def _mark(value: Value) -> str:
    return f"{digest(value.content)} {len(value.content)}"


def _size(mark: str) -> str:
    return size_words(int(mark.split()[1]))


def _surprises(made: OwnedFields, asked: Mapping[str, str], changed: Collection[str]) -> tuple[Notice, ...]:
    """What an admission rule makes of it other than was asked for (path → digest), and besides."""
    other: Collection[str] = sorted(
        path.split("/")[2] for path, content in asked.items() if made.get(path, "").split(" ")[0] != content
    )
    besides = sorted(set(changed) - {path.split("/")[2] for path in asked})
    notices = []
    if other:
        title = f"An admission policy changed {listed(other)}"
        notices.append(Notice("warn", title, "A mutating webhook or policy changes the request."))
    if besides:
        title = f"The cluster changes {listed(besides)} besides"
        notices.append(Notice("warn", title, "An admission rule does; undo takes that back as well."))
    return tuple(notices)


def other_name(name: str) -> str:
    """A name for the one that takes an immutable one's place: ``settings-2`` after ``settings``."""
    stem, dash, number = name.rpartition("-")
    return f"{stem}-{int(number) + 1}" if dash and number.isdecimal() and len(number) < 4 else f"{name}-2"
