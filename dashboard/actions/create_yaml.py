"""Creating objects from YAML, by server-side apply: what is not there is created, what is there gets the fields that the
text sets, and what others own is left to them (docs/adr/0047).

An object that is there already is edited, so the two have in common what is compared, recorded and undone.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.insight import Notice, Objects
from dashboard.insight.written import object_impact
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kinds.references import group_of, reference
from dashboard.kube.access import allowed
from dashboard.kube.shell import shell_line
from dashboard.models import Change

from .action import (
    NO_UNDO,
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Wanted,
    Write,
    is_absent,
    sides,
)
from .backups import METADATA_ONLY
from .changedfields import MISSING, changed_fields, names_of, value_at
from .delete import DELETED
from .delete_any import DELETE_ANY, DeleteAny
from .diff import Line, readable, yaml_lines
from .edit_any import KEPT, EditAny, fill_kept, is_secret, kept_required
from .fieldwrites import NO_WAY_BACK, writable, written_fields
from .recreation import holds_more, scales_claims_away
from .scaling_bounds import CLAIMS, claims_decided
from .value_impact import broken_headline, value_effects
from .variable_notices import variable_notices
from .writing import MANAGER

APPLY_PATCH = "application/apply-patch+yaml"
# What the API server adds to each pod under a name of its own.
_GENERATED = re.compile(r"kube-api-access-.*")


class CreateYaml(EditAny):
    """One object. ``wanted``: ``yaml`` (its manifest) and ``secret``, then ``fresh`` where it is not there yet, else
    ``paths``: the fields that get another value. ``shared``: somebody else created it at the very same moment.
    """

    name, title, icon = "create", "Create", "plus"
    verb = "patch"
    creates = True
    body_bytes = 0

    def __init__(self, wanted: Wanted | None = None) -> None:
        super().__init__(wanted)
        self.fresh = bool(self.wanted.get("fresh"))
        self.tries_back = not self.fresh  # what is not there can't be deleted
        self.uncontested = "It is not there yet." if self.fresh else ""

    def fits(self, kind: Kind[Any]) -> bool:
        """It is about no object that is there: its form has an address of its own."""
        return False

    def on(self, wanted: Wanted) -> Action:
        if "restore" in wanted:
            return PutBack(wanted)
        return TakeBack(wanted) if "propagation" in wanted else type(self)(wanted)

    # ---- What it does

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        if wanted["secret"]:
            kept_required(wanted["yaml"], manifest)

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        typed = order.wanted["yaml"]
        made = typed if is_absent(manifest) else overlaid(manifest, typed)
        return settled(order.wanted, manifest) | claims_decided(objects, order.target.plural, made)

    def touched(self, manifest: Manifest) -> OwnedFields:
        if self.fresh:
            return {DELETED: is_absent(manifest) or bool(manifest["metadata"].get("deletionTimestamp"))}
        return super().touched(manifest)

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = writable(wanted["yaml"])
        if self.confidential:
            fill_kept(body, manifest)
        return Write(
            method="PATCH",
            content_type=APPLY_PATCH,
            subresource="",
            body=body,
            accept=METADATA_ONLY if self.confidential else "application/json",
            query={"fieldValidation": "Strict"},
        )

    def sent(self, manifest: Manifest, wanted: Wanted) -> Manifest | None:
        if self.confidential:
            return None
        typed: Manifest = wanted["yaml"]
        return typed if self.fresh else overlaid(manifest, typed)

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        """Of a Secret only metadata comes back: it has what was sent, and of what was there all that it was not applied
        with before."""
        if not self.confidential:
            return answer
        sent = answer.get("data") or {}
        ours, theirs = _owned_keys(manifest)
        kept = {
            key: value
            for key, value in (manifest.get("data") or {}).items()
            if key in theirs or key not in ours
        }
        merged = {**manifest, **answer, "apiVersion": "v1", "kind": "Secret", "data": {**kept, **sent}}
        return merged

    def confirmed(self, manifest: Manifest) -> bool:
        typed = self.wanted.get("yaml")
        if CLAIMS in self.wanted:
            return True
        if not typed or is_absent(manifest):
            return False
        return scales_claims_away(manifest, overlaid(manifest, typed))

    def widened(self, before: Manifest, after: Manifest) -> EditAny:
        if self.fresh:
            return type(self)({**self.wanted, "shared": True}) if _shared(after) else self
        return type(self)({**self.wanted, "paths": written_fields(before, after)})

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Of a new object what was typed, as the API server takes it: what it generates differs with each try."""
        old, new = super().shown(before, after)
        return ({}, projected(new, self.wanted["yaml"])) if self.fresh else (old, new)

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        if before:
            return super().diff(before, after)
        return tuple(Line(n, "+", text) for n, text in enumerate(yaml_lines(readable(after)), 1))

    # ---- What is said of it

    def words(self, touched: OwnedFields) -> str:
        if DELETED in touched:
            return "not there" if touched[DELETED] else "there"
        return super().words(touched)

    def summary(self, change: Change) -> str:
        if DELETED not in change.touched:
            return super().summary(change)
        return f"{'Deleted' if sides(change)[1][DELETED] else 'Created'} the {change.kind}"

    def describe(self, dry: DryRun) -> Description:
        target = dry.target
        kubectl, note = apply_command([(target.namespace, self.wanted["yaml"])])
        if not self.fresh:
            return dataclasses.replace(super().describe(dry), kubectl=kubectl, kubectl_note=note)
        broken = value_effects(dry.objects, target.plural, target.namespace, target.name, None, dry.after)
        headline, impact = broken_headline(broken), object_impact(dry.objects, None, dry.made)
        return Description(
            headline=headline or impact.headline,
            effects=(*broken, *impact.effects),
            notices=tuple(variable_notices({}, dry.after)),
            kubectl=kubectl,
            kubectl_note=note,
            undo_words="Undo deletes it.",
            button=f"Create {target.name}",
            danger=headline is not None or impact.danger,
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Whether it may be undone is a right of its own."""
        target, told = order.target, await super().ask(order, told, dry)
        if not self.fresh:
            return told
        where = {"namespace": target.namespace or None, "name": target.name}
        if (await allowed(order.transport, "delete", target.gvr, **where)).allowed:
            return told
        text = f"Your account may not delete {target.gvr.plural}{target.where}."
        notice = Notice("warn", "You won't be able to undo this", text)
        return dataclasses.replace(told, notices=(*told.notices, notice), undo_words=NO_UNDO)

    # ---- Afterwards

    def flaw(self, before: Manifest) -> str:
        """An undo reads the object in the version that is known of its kind."""
        version, name = str(before.get("apiVersion", "")), str(before.get("kind", ""))
        known = KINDS.get(reference(name, "", "", group_of(version)).plural)
        if known is not None and not known.discovered and version != known.gvr.api_version:
            return f"its fields are those of {version}, and it is undone as {known.gvr.api_version}."
        return super().flaw(before)

    def back(self, before: Manifest) -> Wanted | None:
        if not self.fresh:
            return super().back(before)
        return None if self.wanted.get("shared") else {"propagation": "Background"}

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        if not self.fresh:
            return super().remember(before, after)
        why = "somebody else created it at the same moment, and it is theirs too."
        return {NO_WAY_BACK: why} if self.wanted.get("shared") else {}

    def way_back(self, change: Change) -> str:
        if DELETED not in change.touched or NO_WAY_BACK in change.result:
            return super().way_back(change)
        if sides(change)[1][DELETED]:
            return "It was deleted again: to undo that, create it from its YAML."
        return f"Undo deletes the {change.kind}."

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        if DELETED in change.touched and sides(change)[1][DELETED]:
            return DELETE_ANY.follow(change, objects, now)
        return super().follow(change, objects, now)

    def progress(self, change: Change, found: Any, objects: Objects, now: datetime) -> Progress:
        made = super().progress(change, found, objects, now)
        if DELETED not in change.touched or made.percent is not None:
            return made
        return dataclasses.replace(made, headline=f"{change.name} was created")


class PutBack(EditAny):
    """Puts the old values of the fields back that were changed: the undo of an object that was there."""

    name = CreateYaml.name


class TakeBack(DeleteAny):
    """Deletes what was created."""

    name = CreateYaml.name

    def confirmed(self, manifest: Manifest) -> bool:
        """Its YAML is where it came from, but not what was put into it since."""
        return holds_more(manifest) or bool(self.wanted.get("claims"))

    def on(self, wanted: Wanted) -> Action:
        return TakeBack(wanted)

    def words(self, touched: OwnedFields) -> str:
        return CREATE.words(touched)

    def back(self, before: Manifest) -> Wanted | None:
        return None

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {}


CREATE = CreateYaml()


def wanted_of(manifest: Manifest, *, secret: bool) -> Wanted:
    """What is wanted of one manifest, before anything is known of the object."""
    return {"yaml": manifest, "secret": secret}


def apply_command(objects: Sequence[tuple[str, Manifest]]) -> tuple[str, str]:
    """The same by kubectl of objects, each with the namespace that it goes into, or "", and as it was typed; and what it
    needs, or why there is none.
    """
    if any(is_secret(each) and KEPT in (each.get("data") or {}).values() for _, each in objects):
        return "", f"No command: kubectl does not know the values that {KEPT} stands for."
    namespaces = {where for where, _ in objects if where}
    unsaid = any(where and not each["metadata"].get("namespace") for where, each in objects)
    if len(namespaces) > 1 and unsaid:
        return "", "No command: of several namespaces kubectl takes only objects that each name their own."
    flags = ["-n", *namespaces] if len(namespaces) == 1 else []
    options = ["--server-side", f"--field-manager={MANAGER}", *flags]
    command = shell_line(["kubectl", "apply", *options, "-f", "objects.yaml"])
    return command, "objects.yaml is a file with this text."


def settled(wanted: Wanted, manifest: Manifest) -> Wanted:
    """What is known once the object was read: that it is not there, or which of its fields change."""
    if is_absent(manifest):
        return {"fresh": True}
    before, typed = writable(manifest), writable(wanted["yaml"])
    if wanted["secret"]:
        fill_kept(typed, before)
    return {"paths": changed_fields(before, overlaid(before, typed))}


def overlaid(there: Any, typed: Any) -> Any:
    """What is there, with what is typed; entries of lists go by their names, where all have one."""
    if isinstance(there, Mapping) and isinstance(typed, Mapping):
        return {**there, **{key: overlaid(there.get(key), value) for key, value in typed.items()}}
    if isinstance(there, list) and isinstance(typed, list) and names_of(there) and (named := names_of(typed)):
        own = dict(zip(named, typed, strict=True))
        kept = [overlaid(one, own.pop(one["name"])) if one["name"] in own else one for one in there]
        return [*kept, *own.values()]
    return typed


def projected(made: Any, typed: Any) -> Any:
    """Of what was made only what was typed, and entries of lists that came besides."""
    if isinstance(made, Mapping) and isinstance(typed, Mapping):
        return {key: projected(made[key], typed[key]) for key in typed if key in made}
    if isinstance(made, list) and isinstance(typed, list):
        named = dict(zip(names_of(typed), typed, strict=False))
        if not named:
            return (
                [projected(*pair) for pair in zip(made, typed, strict=True)]
                if len(made) == len(typed)
                else made
            )
        return [
            projected(one, named.get(_name(one), one)) for one in made if not _GENERATED.fullmatch(_name(one))
        ]
    return made


def _shared(manifest: Manifest) -> bool:
    """Whether anybody else has written the object: apply has no condition that it is not there."""
    return any(each.get("manager") != MANAGER for each in manifest["metadata"].get("managedFields") or ())


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, Mapping) else ""


def _owned_keys(manifest: Manifest) -> tuple[set[str], set[str]]:
    """The keys of a Secret that were applied from here before, and those that others own."""
    ours: set[str] = set()
    theirs: set[str] = set()
    for entry in manifest["metadata"].get("managedFields") or ():
        applied = entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        fields = value_at(entry, "/fieldsV1/f:data")
        if fields is not MISSING and isinstance(fields, Mapping):
            keys = {key.removeprefix("f:") for key in fields}
            (ours if applied else theirs).update(keys)
    return ours, theirs
