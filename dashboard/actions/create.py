"""Actions on an object that create another one from it (a Job from a CronJob, an autoscaler for a Deployment), and their
undo, which deletes that one.

The object at hand stays as it is, so what such an action touches is whether the other one is there.
"""

from __future__ import annotations

import copy
import dataclasses
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from dashboard.insight import Notice, Objects
from dashboard.kinds.base import Kind, Ref
from dashboard.kube.access import allowed
from dashboard.models import Change

from .action import (
    CREATED,
    NO_UNDO,
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    Write,
    leaving_progress,
)
from .delete import DELETED
from .diff import Line, readable, yaml_lines

SHOWN_AFTER = timedelta(seconds=10)  # the watch has told of it by then
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as generated names have


def random_ending() -> str:
    """What makes a generated name one of its own."""
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


class Create(Action):
    """A declaration says the kind of the new object, its name (``decide`` gives it as ``created``), how it is built from
    the one at hand, what that does, and how it comes on (``started``).
    """

    other: Kind[Any]
    made = ""  # the name of the new object, once that is decided
    verb = "create"
    uncontested = "The object at hand stays as it is."
    undone_by = undo_verb = "delete"
    tries_back = False  # what is not there can't be deleted

    @property
    def follows(self) -> frozenset[str]:
        return frozenset({self.other.plural})

    def on(self, wanted: Wanted) -> Self:
        made = copy.copy(self)
        made.made = wanted.get("created", "")
        return made

    def subject(self, target: Target) -> Target:
        return Target.of(target.context, self.other, target.namespace, self.made)

    def touched(self, manifest: Manifest) -> OwnedFields:
        """Whether the new object is not there: of the object at hand nothing is touched."""
        meta = manifest["metadata"]
        there = manifest.get("kind") == self.other.kind and meta["name"] == self.made
        return {DELETED: not there or bool(meta.get("deletionTimestamp"))}

    def words(self, touched: OwnedFields) -> str:
        return f"{'no ' if touched[DELETED] else ''}{self.other.kind} {self.made}".strip()

    def build(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        """The new object, without apiVersion, kind, name and namespace."""
        raise NotImplementedError

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        built = self.build(manifest, wanted)
        meta = {"name": self.made, "namespace": manifest["metadata"]["namespace"]} | built.get("metadata", {})
        head = {"apiVersion": self.other.gvr.api_version, "kind": self.other.kind}
        body = head | built | {"metadata": meta}
        return Write(method="POST", content_type="application/json", subresource="", body=body)

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {CREATED: after["metadata"]["uid"]}

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Nothing was there before."""
        return {}, after

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        return tuple(Line(n, "+", text) for n, text in enumerate(yaml_lines(readable(after)), 1))

    def back(self, before: Manifest) -> Wanted:
        return {"propagation": "Background", "created": self.made}

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Whether it may be undone is a right of its own."""
        written = self.subject(order.target)
        where = {"namespace": written.namespace or None, "name": written.name}
        if (await allowed(order.transport, "delete", written.gvr, **where)).allowed:
            return told
        text = f"Your account may not delete {written.gvr.plural}{written.where}."
        notice = Notice("warn", "You won't be able to undo this", text)
        return dataclasses.replace(told, notices=(*told.notices, notice), undo_words=NO_UNDO)

    def summary(self, change: Change) -> str:
        return f"Created {self.other.kind} {_name(change)}"

    def way_back(self, change: Change) -> str:
        return f"Undo deletes {self.other.kind} {_name(change)}."

    def creation(self, change: Change) -> Ref:
        return Ref(self.other.kind, change.namespace, _name(change), self.other.plural)

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        ref = self.creation(change)
        found = objects.get(ref.plural, ref.namespace, ref.name)
        if found is not None and found.metadata.uid == change.result.get(CREATED, found.metadata.uid):
            if found.metadata.deletion_timestamp:
                return dataclasses.replace(leaving_progress(ref.name, found), created=ref)
            return dataclasses.replace(self.started(change, found, objects, now), created=ref)
        if found is None and now - change.created_at < SHOWN_AFTER:
            text = "The API server has taken the request; it shows in a moment."
            return Progress(state="info", headline=f"{ref.name} is created", text=text, percent=None)
        text = f"It was deleted{'' if found is None else ' and recreated'}."
        return Progress(state="done", headline=f"{ref.name} is gone", text=text, percent=None, done=True)

    def started(self, change: Change, found: Any, objects: Objects, now: datetime) -> Progress:
        """How far the new object, as the cache has it, has come."""
        raise NotImplementedError


def _name(change: Change) -> str:
    """What the new object is called; "" as long as nothing was sent."""
    return str(change.inverse.get("input", {}).get("created", ""))
