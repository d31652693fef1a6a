"""Editing an object by the form that a new one is made with (docs/adr/0063).

What is wanted are the fields in which the object would differ from the one that the form was filled with; all others stay
as they are by the time of the write, whoever changed them meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dashboard.errors import Invalid
from dashboard.insight import Impact, Notice, Objects
from dashboard.kinds.base import Kind

from .action import (
    MERGE_PATCH,
    TOUCHED,
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    OwnedFields,
    Target,
    Wanted,
    Write,
)
from .changedfields import merge_between, value_at, with_values
from .edit_any import unpacked
from .editforms.editing import ObjectForm
from .editforms.registry import EDITINGS
from .fieldwrites import FieldsAction, written, written_fields


class NotByForm(Invalid):
    """The form can't show the object."""

    title = "It can't be edited by form"


class EditForm(FieldsAction):
    """``wanted``: ``typed`` (input → texts), ``base`` (what the form was filled with, None for the object as it is) and
    ``plural``, then what ``FieldsAction`` writes; of an undo that alone.
    """

    name, title, icon = "form", "Edit by form", "file"
    part = "change"
    template = "forms/edit_form.html"
    reads = TOUCHED
    body_bytes = 8 * 2**20  # with what it was filled with, and the token, in which fields travel
    typed = True

    def fits(self, kind: Kind[Any]) -> bool:
        return kind.plural in EDITINGS

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        editing = EDITINGS[target.plural]
        if why := editing.refusal(manifest):
            raise NotByForm(why, next_step="" if editing.leads_to else "Edit it as YAML.")

    def command(self, target: Target, manifest: Manifest) -> str:
        return target.kubectl("edit")

    def read(self, typed: Mapping[str, str]) -> Wanted:
        """``typed`` and ``plural`` as JSON, and ``base`` as ``packed`` gave it."""
        return {
            "typed": json.loads(typed["typed"]),
            "plural": typed["plural"],
            "base": unpacked(typed.get("base", "")),
        }

    # ---- What it does

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        if "restore" in order.wanted:
            return {}
        await self.ready(order.target, manifest, objects)
        return _fields(order.wanted, manifest)

    def overtaken(self, manifest: Manifest, wanted: Wanted) -> tuple[Action, OwnedFields] | None:
        base = wanted.get("base")
        if base is None or base["metadata"].get("resourceVersion") == manifest["metadata"]["resourceVersion"]:
            return None
        made = _made(wanted, manifest)
        paths = [
            path
            for path in written_fields(base, made)
            if value_at(manifest, path) not in (value_at(base, path), value_at(made, path))
        ]
        just = self.on(written(paths, made))
        return (just, just.touched(base)) if paths else None

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = merge_between(manifest, with_values(manifest, self.values))
        return Write(method="PATCH", content_type=MERGE_PATCH, subresource="", body=body)

    def sent(self, manifest: Manifest, wanted: Wanted) -> Manifest | None:
        return with_values(manifest, self.values)

    def widened(self, before: Manifest, after: Manifest) -> EditForm:
        return EditForm({**self.wanted, "restore": [], "drop": written_fields(before, after)})

    # ---- What is said of it

    def describe(self, dry: DryRun) -> Description:
        button = f"Update {dry.target.name}"
        if not written_fields(dry.before, dry.after):
            said = Impact(Notice("info", "No changes", "It is like that already."), ())
            return Description.of(said, kubectl="", undo_words="", button=button)
        return Description.of(
            EDITINGS[dry.target.plural].impact(dry),
            kubectl=dry.target.kubectl_patch(self.write(dry.before, dry.wanted).body),
            undo_words=self.undo_words(dry.before),
            button=button,
        )


EDIT_FORM = EditForm()


def form_of(plural: str, base: Manifest) -> ObjectForm:
    """The form of an object as it was when the form was filled."""
    return ObjectForm(EDITINGS[plural], base)


def _made(wanted: Wanted, manifest: Manifest) -> Manifest:
    return form_of(wanted["plural"], _base(wanted, manifest)).made(wanted["typed"])


def _base(wanted: Wanted, manifest: Manifest) -> Manifest:
    base: Manifest | None = wanted.get("base")
    return manifest if base is None else base


def _fields(wanted: Wanted, manifest: Manifest) -> dict[str, Any]:
    """What is written: the fields in which what was typed differs from what the form was filled with."""
    made = _made(wanted, manifest)
    return written(written_fields(_base(wanted, manifest), made), made)
