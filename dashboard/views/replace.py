"""The form that makes another ConfigMap in the place of one: its editor, with a name."""

from __future__ import annotations

from typing import Any

from dashboard.actions.engine import Form
from dashboard.actions.replace import free_name
from dashboard.actions.replace_editing import configmap_replace_apply, configmap_replace_preview
from dashboard.models import Change

from .draft import kept_decisions
from .editor import ConfigMapForm, merged_words
from .form import ActionForm
from .operations import begun
from .rotate import several_keys
from .steps import Parts, Shown, StepResult, first_line, preview_context


class ReplaceForm(ConfigMapForm):
    """``new_name`` is that of the new one; "" for the next free one."""

    async def preview(self) -> Shown:
        draft = await self.sent_draft()
        edited = await configmap_replace_preview(
            transport=self.session.transport,
            actor=self.actor,
            target=self.target,
            name=self.request.POST.get("new_name", ""),
            draft=draft,
            objects=self.session.reader,
        )
        if edited.preview is None:
            instead: Parts = {"instead": "partials/nothing.html", "merged": merged_words(edited.merged)}
            return Shown(preview=None, parts=instead)
        parts: Parts = {
            "preview": preview_context(self.cluster, edited.preview, first_line(self.request)),
            "kept": kept_decisions(draft),
        }
        return Shown(preview=edited.preview, parts=parts)

    async def apply(self, token: str) -> Change:
        change = await configmap_replace_apply(
            transport=self.session.transport,
            actor=self.actor,
            target=self.target,
            name=self.request.POST.get("new_name", ""),
            draft=await self.sent_draft(),
            token=token,
            objects=self.session.reader,
            **await self.consent(),
        )
        return await begun(self.session, change)

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        found = await super().fields(form, said)
        proposed = free_name(self.session.reader, self.target)
        return found | {
            "new_name": self.request.POST.get("new_name", proposed),
            "new_name_error": said.wrong.get("new_name", ""),
            "immutable": bool(form.manifest.get("immutable")),
            "old_name": self.target.name,
        }


class ReplaceSecretForm(ActionForm):
    """A new value for some of its keys, each in an input of its own. No answer holds one."""

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        proposed = free_name(self.session.reader, self.target)
        return {
            "new_name": self.request.POST.get("new_name", proposed),
            "new_name_error": said.wrong.get("new_name", ""),
            "immutable": bool(form.manifest.get("immutable")),
            "old_name": self.target.name,
            **several_keys(form, said),
        }
