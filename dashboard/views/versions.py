"""The form that restores a version of a ConfigMap: as of every action, with the restarts that an edit offers."""

from __future__ import annotations

from typing import Any

from dashboard.actions.action import Manifest
from dashboard.actions.configmap_editing import configmap_save
from dashboard.actions.edit import Immutable
from dashboard.actions.engine import Form
from dashboard.actions.replace import REPLACE
from dashboard.actions.versions import version_restarts
from dashboard.errors import ClusterError
from dashboard.models import Change

from .editor import restart_choice
from .form import ActionForm
from .steps import Shown, StepResult


class VersionsForm(ActionForm):
    """``?version=`` chooses one before anything is clicked."""

    @property
    def chosen(self) -> list[str]:
        """What is to be restarted with it."""
        return self.request.POST.getlist("restart")

    async def preview(self) -> Shown:
        shown = await super().preview()
        if shown.preview is None:
            return shown
        restarts = await self._restarts(shown.preview.before)
        return Shown(preview=shown.preview, parts=shown.parts | {"restarts": restarts})

    async def _restarts(self, manifest: Manifest) -> list[dict[str, Any]]:
        found = await version_restarts(
            transport=self.session.transport,
            target=self.target,
            manifest=manifest,
            number=self.order().wanted["version"],
            objects=self.session.reader,
        )
        return [restart_choice(ref, refusal, self.chosen) for ref, refusal in found.items()]

    async def apply(self, token: str) -> Change:
        return await configmap_save(
            order=self.order(**await self.consent()),
            token=token,
            restart=self.chosen,
            objects=self.session.reader,
        )

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        context = await super().fields(form, said)
        asked = self.request.GET.get("version", "")
        for field in context["fields"]:
            if any(row.value == asked and not row.disabled for row in field["rows"]):
                field["value"] = self.request.POST.get(field["name"], asked)
        return context

    def way_out(self, refusal: ClusterError) -> tuple[str, str] | None:
        return (f"{self.url}{REPLACE.name}/", "Replace it") if isinstance(refusal, Immutable) else None
