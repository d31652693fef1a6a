"""The form that edits a ConfigMap: its steps, and what is said of broken texts and of keys that two people changed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import cached_property
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render

from dashboard.actions.action import Manifest
from dashboard.actions.configmap_editing import (
    Broken,
    Clashes,
    EditForm,
    configmap_edit_apply,
    configmap_edit_preview,
    flaw_words,
)
from dashboard.actions.configmap_plan import Clash, Draft, Merged
from dashboard.actions.configmap_values import digest, size_words
from dashboard.actions.diff import MAX_LINES
from dashboard.actions.edit import Immutable
from dashboard.actions.engine import Form
from dashboard.actions.linetext import editable
from dashboard.actions.replace import REPLACE
from dashboard.actions.valuediff import text_lines
from dashboard.errors import ClusterError
from dashboard.kinds.base import Ref
from dashboard.live.screens.common import iso
from dashboard.models import Change

from .draft import check_uploads, kept_decisions, known_now, read_draft
from .editors import blank_editor, editors, key_list, one_editor
from .form import ActionForm
from .steps import Parts, Shown, StepResult, first_line, preview_context, told_error

MAX_TOLD_KEYS = 20  # with a mistake or a decision to make, at a time
# What a part of the form is made by, when it is asked for alone.
PARTS = {"keys": "forms/edit_keys.html", "editors": "forms/edit_editors.html"}


class ConfigMapForm(ActionForm):
    """One editor a key; those of a large ConfigMap are opened from a list."""

    @cached_property
    def draft(self) -> Draft:
        return read_draft(self.request)

    @property
    def sent(self) -> bool:
        return self.request.method == "POST"

    @property
    def chosen(self) -> list[str]:
        """What is to be restarted with it."""
        return self.request.POST.getlist("restart")

    async def preview(self) -> Shown:
        draft = await self.sent_draft()
        edited = await configmap_edit_preview(
            transport=self.session.transport,
            actor=self.actor,
            namespace=self.target.namespace,
            name=self.target.name,
            draft=draft,
            objects=self.session.reader,
        )
        if edited.preview is None:
            instead: Parts = {"instead": "partials/nothing.html", "merged": merged_words(edited.merged)}
            return Shown(preview=None, parts=instead)
        parts: Parts = {
            "preview": preview_context(self.cluster, edited.preview, first_line(self.request)),
            "kept": kept_decisions(draft),
            "restarts": [
                restart_choice(ref, refusal, self.chosen) for ref, refusal in edited.restarts.items()
            ],
        }
        return Shown(preview=edited.preview, parts=parts)

    async def apply(self, token: str) -> Change:
        return await configmap_edit_apply(
            transport=self.session.transport,
            actor=self.actor,
            namespace=self.target.namespace,
            name=self.target.name,
            draft=await self.sent_draft(),
            token=token,
            objects=self.session.reader,
            restart=self.chosen,
            **await self.consent(),
        )

    async def sent_draft(self) -> Draft:
        """In a thread: what was typed may be long. Raises BadInput."""
        draft = await asyncio.to_thread(lambda: self.draft)
        check_uploads(self.request)
        return draft

    def failed(self, error: ClusterError) -> Parts:
        return said_of(error, self.draft)

    async def part(self) -> HttpResponseBase | None:
        part = self.request.headers.get("HX-Target", "")
        if self.sent or part not in PARTS:
            return None
        found = await self.read(None)
        if found.refusal is not None:
            return None
        form, opened = EditForm.of(found), self.request.GET.get("open", "")
        more = {
            "keys": await asyncio.to_thread(one_editor, form, opened) if part == "editors" else [],
            "choice": key_list(form, None, self.request.GET),
            "value_url": f"{self.url}value/",
            "action_url": self.request.path,
        }
        return render(self.request, PARTS[part], {"s": {"form": more}})

    async def step(self) -> StepResult:
        # Keys are looked for, and opened, by these; without scripts the form comes along, and goes back as it came.
        post = self.request.POST
        if post.get("step") == "find" or "open" in post or "go" in post:
            return StepResult()
        return await super().step()

    async def read(self, manifest: Manifest | None) -> Form:
        """The form as it is, or without anything but what was typed where the ConfigMap cannot be read any more."""
        try:
            return await super().read(manifest)
        except ClusterError:
            if not self.sent:
                raise
            gone = {"metadata": {"name": self.target.name, "resourceVersion": ""}}
            return Form(manifest=gone, confirm="", refusal=None)

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        found, draft = EditForm.of(form), self.draft if self.sent else None
        asked = self.request.POST if self.sent else self.request.GET
        return {
            "files": True,
            "version": found.version,
            # Large texts are packed for the way back: that takes its time.
            "keys": await asyncio.to_thread(editors, found, draft, asked.get("open", "")),
            "choice": key_list(found, draft, asked),
            "known": asked.get("known", "") if self.sent else known_now(found.values),
            "blank": blank_editor("new-template"),
            "value_url": f"{self.url}value/",
            "most": "1 MiB",
        }

    def elsewhere(self, form: Form) -> str:
        """What can't be changed is replaced, by the same editor."""
        return f"{self.url}{REPLACE.name}/" if isinstance(form.refusal, Immutable) else ""


def merged_words(merged: Collection[Merged]) -> list[str]:
    """What somebody else changed meanwhile, as far as a sentence can hold it."""
    said = [f"{each.key} was {each.how}" for each in list(merged)[:MAX_TOLD_KEYS]]
    more = len(merged) - len(said)
    return [*said, *([f"{more:,} more were changed"] if more else [])]


def said_of(error: ClusterError, draft: Draft) -> Parts:
    if isinstance(error, Clashes):
        undecided = {each.key for each in error.clashes}
        clashes: list[dict[str, Any]] = []
        for each in error.clashes[:MAX_TOLD_KEYS]:
            shown = sum(
                len(one[side]["lines"]) for one in clashes for side in ("base", "theirs", "mine") if one[side]
            )
            clashes.append(_clash(each, error, whole=shown < MAX_LINES))
        return {
            "instead": "partials/clashes.html",
            "clashes": clashes,
            "more": max(0, len(error.clashes) - MAX_TOLD_KEYS),
            "merged": merged_words(error.merged),
            "kept": [each for each in kept_decisions(draft) if each[0][2:] not in undecided],
        }
    if isinstance(error, Broken):
        return {
            "instead": "partials/broken.html",
            "flaws": [
                {"key": each.key, "words": flaw_words(each), "format": each.format, "line": each.line,
                 "row": _row_of(draft, each.key)}
                for each in error.flaws[:MAX_TOLD_KEYS]
            ],
            "more": max(0, len(error.flaws) - MAX_TOLD_KEYS),
            "kept": kept_decisions(draft),
        }  # fmt: skip
    return {"error": told_error(error), "kept": kept_decisions(draft)}


def _row_of(draft: Draft, key: str) -> str:
    """The editor that holds a key's text; "" for one that came as a file."""
    rows = (
        row for row in draft.rows if key in (row.name, row.was) and not row.delete and row.text is not None
    )
    return next((row.id for row in rows if row.upload is None), "")


def _clash(clash: Clash, error: Clashes, *, whole: bool) -> dict[str, Any]:
    """``whole``: with the lines of its sides, which are compared only where a page holds them."""
    writer = error.writers[clash.key]
    base = _side(None, clash.base, whole=whole) if clash.base is not None else None
    theirs, mine = (_side(clash.base, side, whole=whole) for side in (clash.theirs, clash.mine))
    if clash.renamed:
        mine["words"] = f"renames it to {clash.renamed}"
    return {
        "key": clash.key,
        "row": clash.row,
        "seen": digest(clash.theirs),
        "who": writer.who or "Somebody",
        "when": iso(writer.when and writer.when.replace(microsecond=0)),
        "base": base,
        "theirs": theirs,
        "mine": mine,
        "text": clash.mine is not None and editable(clash.mine) is not None,
    }


def _side(base: bytes | None, content: bytes | None, *, whole: bool) -> dict[str, Any]:
    """One side of a three-way diff: its lines against the base where both are text, else its size."""
    if content is None:
        return {"words": "removes the key", "lines": ()}
    old, new = editable(base or b""), editable(content)
    if old is None or new is None:
        return {"words": f"binary, {size_words(len(content))}", "lines": ()}
    return {"words": size_words(len(content)), "lines": text_lines(old, new) if whole else ()}


def restart_choice(ref: Ref, refusal: str, chosen: Collection[str]) -> dict[str, Any]:
    """One of ``restarts`` of ``partials/preview.html``."""
    word = f"{ref.plural}/{ref.name}"
    return {"value": word, "text": f"{ref.kind} {ref.name}", "checked": word in chosen, "refusal": refusal}
