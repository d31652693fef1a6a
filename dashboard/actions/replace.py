"""Replacing a ConfigMap: another one is made with other values, and who names the old one is pointed to it, one after the
other (docs/adr/0057). The old one stays. A Secret is replaced in the same way: ``replace_secret``.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.conf import settings

from dashboard.insight import Objects
from dashboard.insight.managers import changes_back
from dashboard.insight.newpods import READ as QUOTAS_READ
from dashboard.insight.newpods import NewPods, rollout_pods
from dashboard.insight.protocols import unlisted
from dashboard.insight.references import READ, REPOINTED, ROLLED, Kind, User, users
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.base import Kind as AnyKind
from dashboard.kube.access import allowed
from dashboard.kube.shell import piped, shell_line
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from . import replace_words as words
from .action import (
    MERGE_PATCH,
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    OwnedFields,
    Target,
    Wanted,
    Write,
    meta_of,
)
from .configmap_values import FIELDS, Value, content_of, values
from .configmap_versions import versions_kept
from .diff import Line
from .edit import other_name
from .operation import End, OperationAction, Plan, Step, operation_step
from .problems import UnderWay
from .replace_tries import Tried, check_free, key_of, not_back, tried_users
from .replacing import (
    CONSUMERS,
    FOLLOWS,
    MADE,
    MADE_CONTENT,
    MADE_UID,
    content_mark,
    pointed,
    remove_step,
    repoint_step,
)
from .rollout_steps import NOT_BEGUN, rollout_again, rollout_failed
from .valuediff import value_lines

NAME = "/metadata/name"
_KUBE_ROOT = "kube-root-ca.crt"  # of every namespace; its controller writes it again


class ReplacementUnderWay(UnderWay):
    title = "A replacement is under way"
    what = "replacement"

    def __init__(self, name: str, made: str, change: int) -> None:
        super().__init__(f"What uses {name} is being pointed to {made} already.", change)


class Replace(OperationAction):
    """``wanted``: ``name`` of the new one ("": the next free one), ``data`` and ``binaryData``: all of its keys, as
    base64; then, as decided, ``made``: its name, ``consumers``: who is pointed to it, each ``[plural, name, uid]``, and
    ``refused``: who is not, since the cluster would refuse that: plural/name → why.
    """

    name, title, icon = "replace", "Replace", "copy"
    kinds = frozenset({"configmaps"})
    kind: Kind = "ConfigMap"
    verb = "create"
    undo_verb = "delete"
    template = "forms/replace.html"
    reads = READ | QUOTAS_READ | {"configmaps", "poddisruptionbudgets", "services", "endpointslices"}
    tells_unlisted = READ
    body_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    typed = True
    weighs = True
    uncontested = (
        "The object stays as it is; of each that is pointed to another one it is told who points it back."
    )
    tries_back = False
    noun = "replacement"
    alone = True
    steps = MappingProxyType({"repoint": repoint_step, "remove": remove_step})
    planned_from = READ
    must_know = frozenset(REPOINTED)
    follows = FOLLOWS
    undo_operates = True
    accept = "application/json"
    left_text = "it keeps what it uses"

    def __init__(
        self, wanted: Wanted | None = None, tried: Mapping[str, Tried] = MappingProxyType({})
    ) -> None:
        """``tried``: of a preview, what was said of each that is pointed to the new one."""
        self.wanted, self.tried = wanted or {}, tried

    @property
    def made(self) -> str:
        """The name of the new one, once that is decided."""
        return str(self.wanted.get(MADE, ""))

    def besides(self, kind: AnyKind[Any]) -> Sequence[tuple[str, GVR, str]]:
        """Its undo asks with an empty patch whether the old one is still the same."""
        return (("patch", kind.gvr, ""),)

    def applies(self, obj: Any) -> bool:
        return bool(obj.metadata.name != _KUBE_ROOT)

    def on(self, wanted: Wanted) -> Action:
        return PutBack(wanted) if "back" in wanted else Replace(wanted, self.tried)

    def subject(self, target: Target) -> Target:
        return dataclasses.replace(target, name=self.made)

    def under_way(self, target: Target, earlier: Change) -> UnderWay:
        return ReplacementUnderWay(target.name, earlier.result.get(MADE, "another one"), earlier.pk)

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        target = order.target
        made = order.wanted["name"] or free_name(objects, target)
        await check_free(order.transport, dataclasses.replace(target, name=made))
        found = users(objects, target.namespace, self.kind, target.name)
        free = [each for each in found if not each.stays]
        self.tried = await tried_users(order, free, self.kind, made)
        refused = {key: each.refusal for key, each in self.tried.items() if each.refusal}
        moved = [each for each in free if key_of(each) not in refused]
        return {
            MADE: made,
            CONSUMERS: [[each.ref.plural, each.ref.name, each.uid] for each in moved],
            "refused": refused,
        }

    # ---- What it does

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {NAME: manifest["metadata"]["name"]}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        meta, old = {"name": self.made, "namespace": manifest["metadata"]["namespace"]}, manifest["metadata"]
        # By its labels whoever manages the old one would take the new one for its own, and may prune it.
        if old.get("labels") and changes_back(meta_of(manifest)) is None:
            meta["labels"] = old["labels"]
        body: Manifest = {"apiVersion": "v1", "kind": self.kind, "metadata": meta}
        if manifest.get("immutable"):
            body["immutable"] = True
        body |= self.content(manifest, wanted)
        return Write(
            method="POST", content_type="application/json", subresource="", body=body, accept=self.accept
        )

    def content(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        """What the new one holds."""
        text = {key: base64.b64decode(each).decode() for key, each in wanted["data"].items()}
        return {field: keys for field, keys in (("data", text), ("binaryData", wanted["binaryData"])) if keys}

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        return value_lines(before, after)

    def back(self, before: Manifest) -> Wanted:
        return {"back": True, MADE: self.made}

    def intended(self) -> dict[str, Any]:
        return {key: self.wanted[key] for key in (MADE, CONSUMERS)}

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {MADE_UID: after["metadata"]["uid"], MADE_CONTENT: content_mark(after)}

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """The first version of the new one."""
        await versions_kept(change, None, after)

    def recorded(self, change: Change) -> Action:
        """An undo writes nothing by itself: whatever became of the request, its steps follow."""
        wanted = {MADE: change.result[MADE], CONSUMERS: change.result[CONSUMERS]}
        return self.on(wanted | ({"back": True} if change.undoes_id else {}))

    # ---- What is said of it

    def words(self, touched: OwnedFields) -> str:
        return str(touched[NAME])

    def describe(self, dry: DryRun) -> Description:
        target, wanted = dry.target, dry.wanted
        found = users(dry.objects, target.namespace, self.kind, target.name)
        moved = _in_order(found, wanted[CONSUMERS])
        told = words.description(
            dry,
            moved=moved,
            stays=[each for each in found if each.stays],
            refused={each: why for each in found if (why := wanted["refused"].get(key_of(each)))},
            made=self.made,
            broken=self.broken(dry, moved),
            warned={
                each.ref: self.tried[key].warnings for each in moved if (key := key_of(each)) in self.tried
            },
            stuck={
                each: why
                for each in moved
                if (tried := self.tried.get(key_of(each))) is not None and (why := tried.stuck)
            },
        )
        kubectl, note = self.by_kubectl(dry, moved)
        return dataclasses.replace(told, kubectl=kubectl, kubectl_note=note)

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        """Those of the rollouts that its steps begin."""
        for plural, name, uid in dry.wanted[CONSUMERS]:
            found = dry.objects.get(plural, dry.target.namespace, name) if plural in ROLLED else None
            if found is not None and found.metadata.uid == uid:
                yield from rollout_pods(dry.objects, found)

    def broken(self, dry: DryRun, moved: Sequence[User]) -> Mapping[User, str]:
        """Whose new pods will not start with what the new one holds, and why."""
        return words.flaws_of(dry.objects, moved, dry.target.name, content_of(values(dry.after)))

    def by_kubectl(self, dry: DryRun, moved: Sequence[User]) -> tuple[str, str]:
        """The same command, or "" and why there is none."""
        body = self.write(dry.before, dry.wanted).body
        commands = [piped(body, ["kubectl", "create", "-f", "-"])]
        for each in moved:
            tried = self.tried.get(key_of(each))
            if tried is None or not tried.kubectl:
                note = (
                    f"No command: {each.ref.kind} {each.ref.name} was changed at this moment. Preview again."
                )
                return "", note
            commands.append(tried.kubectl)
            if each.rolls and each.outlook.replaces:
                word = f"{each.ref.kind.lower()}/{each.ref.name}"
                commands.append(shell_line(["kubectl", "rollout", "status", word, *dry.target.flags]))
        return " && ".join(commands), ""

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        target = order.target
        where = {"namespace": target.namespace, "name": target.name}
        undo = (await allowed(order.transport, "patch", target.gvr, **where)).allowed
        notices = words.asked(
            unlisted(dry.objects, self.planned_from, target.namespace),
            target,
            undo=undo,
            removes=(await allowed(order.transport, "delete", target.gvr, **where)).allowed,
        )
        return dataclasses.replace(told, notices=(*told.notices, *notices))

    def summary(self, change: Change) -> str:
        made, count = change.result.get(MADE, ""), len(change.result.get(CONSUMERS, ()))
        if change.undoes_id:
            return f"Pointed what used {made} back to {change.name}"
        return words.summary(self.kind, made, count)

    def way_back(self, change: Change) -> str:
        if change.undoes_id:
            return f"To undo this, replace {change.name} again."
        return (
            f"Undo points what was changed back to {change.name}, one after the other, then deletes "
            f"{change.result.get(MADE, '')} if nothing uses it and nobody has changed it."
        )

    # ---- Its steps

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        """An undo is about whom the replacement has begun to point to the new one by now, not when it was previewed."""
        undoes = change.undoes_id
        consumers = await in_database(pointed)(undoes) if undoes else change.result[CONSUMERS]
        steps = [
            operation_step(
                "repoint", f"Repoint {KINDS[plural].kind} {name}", plural=plural, kind=KINDS[plural].kind, name=name,
                **NOT_BEGUN | {"uid": uid}, sent={},
            )
            for plural, name, uid in consumers
        ]  # fmt: skip
        if undoes:
            made = change.result[MADE]
            steps.append(
                operation_step(
                    "remove", f"Delete {self.kind} {made}", plural=change.plural, kind=self.kind, name=made
                )
            )
        return Plan(steps=steps)

    def failed(self, step: Step, text: str) -> tuple[End, str]:
        return rollout_failed(step, text, "the new values") if step["do"] == "repoint" else ("failed", text)

    def again(self, step: Step) -> Step:
        if step["state"] != "failed" or step["do"] != "repoint":
            return super().again(step)
        return rollout_again(step) | ({} if step["generation"] else {"sent": {}})

    def too_long(self, step: Step) -> str:
        return f"It was not up after an hour. {step['text']}".strip()

    def written(self, change: Change) -> str:
        if change.undoes_id:
            return f"{change.name} is there as it was"
        return f"Create {self.kind} {change.result.get(MADE, '')}"

    def after_words(self, change: Change) -> str:
        return f"of {change.name}"


class PutBack(Replace):
    """The undo. What it sends changes nothing: that the old one is there, and is the same object, is what it asks for;
    its steps do the rest. ``wanted``: ``back``, ``made``; then ``consumers``, as decided.
    """

    verb = "patch"
    acts_unchanged = True

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        return {CONSUMERS: await in_database(pointed)(order.undoes)}

    def subject(self, target: Target) -> Target:
        return target

    async def free(self, target: Target, manifest: Manifest, undoes: int | None) -> None:
        """It ends what it undoes."""

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {NAME: self.made}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        return Write(method="PATCH", content_type=MERGE_PATCH, subresource="", body={}, accept=self.accept)

    def back(self, before: Manifest) -> None:  # type: ignore[override] # there is none
        return None

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {}

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """It has no version of its own."""

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        """Of the object itself nothing changes: what those name that go back."""
        return tuple(
            line
            for plural, name, _ in self.wanted.get(CONSUMERS, ())
            for line in (
                Line(None, "#", f"{KINDS[plural].kind} {name}"),
                Line(None, "-", self.made),
                Line(None, "+", after["metadata"]["name"]),
            )
        )

    def describe(self, dry: DryRun) -> Description:
        return words.back_description(
            dry.objects,
            dry.target,
            self.kind,
            self.made,
            [(each[0], each[1]) for each in dry.wanted[CONSUMERS]],
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        found = [(each[0], each[1]) for each in order.wanted[CONSUMERS]]
        refused = await not_back(order, found, self.kind, self.made)
        notices = [*told.notices, *map(words.not_back, refused)]
        target = dataclasses.replace(order.target, name=self.made)
        where = {"namespace": target.namespace, "name": target.name}
        if not (await allowed(order.transport, "delete", target.gvr, **where)).allowed:
            notices.append(words.not_removed(target, "it stays, and nothing uses it."))
        return dataclasses.replace(told, notices=tuple(notices))


REPLACE = Replace()


def free_name(objects: Objects, target: Target) -> str:
    """The next name after an object's that none of its kind in sight has."""
    made = other_name(target.name)
    while objects.get(target.plural, target.namespace, made) is not None:
        made = other_name(made)
    return made


def in_full(contents: Mapping[str, Value]) -> Wanted:
    """All keys with their values, as they are wanted of the new one."""
    wanted: Wanted = {field: {} for field in FIELDS}
    for key, value in contents.items():
        wanted[value.field][key] = base64.b64encode(value.content).decode()
    return wanted


def _in_order(found: Collection[User], kept: Collection[Sequence[str]]) -> list[User]:
    """Those that are kept, as they are now."""
    by_key = {key_of(each): each for each in found}
    return [by_key[key] for plural, name, _ in kept if (key := f"{plural}/{name}") in by_key]
