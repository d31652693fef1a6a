"""The form that edits an object as YAML: its text, what is wrong with it at its lines, and conflicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dashboard.actions.action import Manifest, Order
from dashboard.actions.edit_any import KEPT, editable_text, packed
from dashboard.actions.engine import Form
from dashboard.actions.manifesttext import Document, Problem, problems_of, read_manifest
from dashboard.errors import ClusterError
from dashboard.insight.mending import mended
from dashboard.live.screens.common import fields_url
from dashboard.loop import off_loop

from .form import ActionForm
from .steps import Parts, StepResult, told_error


class YamlForm(ActionForm):
    """One text; what was typed stays in it. A Secret's is never sent back."""

    @property
    def title(self) -> str:
        return f"{self.action.title} as YAML"

    @property
    def text(self) -> str:
        return str(self.request.POST.get("yaml", ""))

    async def ordered(self, **consent: str) -> Order:
        """In a thread: reading a long text takes its time."""
        return await off_loop(lambda: self.order(**consent))

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error), **yaml_problems(error, self.text, confidential=self._secret)}

    @property
    def _secret(self) -> bool:
        return self.target.plural == "secrets"

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        sent = self.request.method == "POST" and not self._secret
        remedy = self.request.GET.get("remedy", "") if not sent else ""
        shown = mended(form.manifest, remedy)
        return {
            "text": self.text if sent else await off_loop(editable_text, shown),
            "filled": shown != form.manifest,
            "unfilled": bool(remedy) and shown == form.manifest,
            "base": self.request.POST.get("base", "") if sent else await off_loop(packed, form.manifest),
            "kept": KEPT if self._secret else "",
            "unsent": self._secret and self.request.method == "POST",
            "name": f"{self.target.name}.yaml",
            "fields": {
                "url": fields_url(self.cluster, self.target.kind, self.target.gvr.api_version),
                "text": f"Fields of {self.target.kind}",
                "base": fields_url(self.cluster),
            },
        }

    async def read(self, manifest: Manifest | None) -> Form:
        """The form as it is, or without anything but what was typed where the object cannot be read any more."""
        try:
            return await super().read(manifest)
        except ClusterError:
            if self.request.method != "POST":
                raise
            gone = {"metadata": {"name": self.target.name, "resourceVersion": "", "uid": "gone"}}
            return Form(manifest=gone, confirm="", refusal=None)


def yaml_problems(error: ClusterError, text: str, *, confidential: bool = False) -> Parts:
    """What is wrong with a text, for the editor and for the list beside it."""
    document: Document | None = None
    with suppress(ClusterError):
        document = read_manifest(text)
    return problem_parts(problems_of(error, document))


def problem_parts(found: Sequence[Problem]) -> Parts:
    """Problems as ``partials/preview.html`` wants them; ``marks`` is what the editor reads."""
    if not found:
        return {}
    marks = [{"line": each.line, "text": each.text} for each in found]
    return {"problems": marks, "marks": json.dumps(marks)}
