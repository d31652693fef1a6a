"""The form that rolls a workload back: as of every action, with the comparison of two of its revisions beside it:
``?from=<revision>&to=<revision>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import JsonResponse
from django.http.response import HttpResponseBase

from dashboard.actions.action import Manifest
from dashboard.actions.engine import Form, change_read
from dashboard.actions.revisions import Revision, current_revision, revisions_of
from dashboard.actions.rollback import Comparison, revisions_compared
from dashboard.errors import BadInput, ClusterError, Invalid
from dashboard.loop import off_loop

from .errors import asks_json
from .form import ActionForm
from .steps import StepResult

SIDES = ("from", "to")


class RollbackForm(ActionForm):
    """Comparing changes nothing, and needs no right but to see both revisions."""

    wrong: BadInput | Invalid | None = None

    @property
    def _compares(self) -> bool:
        return self.request.method != "POST" and any(side in self.request.GET for side in SIDES)

    async def _revisions(self, manifest: Manifest) -> tuple[Sequence[Revision], Revision | None]:
        """All that are kept, and the current one."""
        found = await revisions_of(self.session.transport, self.target, manifest)
        return found, current_revision(found, manifest)

    async def _compared(self, found: Sequence[Revision], now: Revision | None) -> Comparison:
        old, new = (self.request.GET.get(side, "") for side in SIDES)
        return await off_loop(revisions_compared, self.target, found, now, old, new)

    async def answer(self) -> HttpResponseBase:
        if asks_json(self.request) and self._compares:
            manifest = await change_read(transport=self.session.transport, target=self.target)
            made = await self._compared(*await self._revisions(manifest))
            lines = [{"line": line.n, "sign": line.sign, "text": line.text} for line in made.lines]
            return JsonResponse({"from": made.old, "to": made.new, "diff": lines})
        response = await super().answer()
        if self.wrong is not None:
            response.status_code = self.wrong.status
        return response

    async def fields(self, form: Form, said: StepResult) -> dict[str, Any]:
        return await super().fields(form, said) | {"compare": await self._comparison(form)}

    async def _comparison(self, form: Form) -> dict[str, Any] | None:
        """What ``partials/revisions_compared.html`` wants; None where there are no two revisions to be seen."""
        try:
            found, now = await self._revisions(form.manifest)
        except ClusterError:
            return None  # as the form says
        if len(found) < 2:
            return None
        made: Comparison | None = None
        if self._compares:
            try:
                made = await self._compared(found, now)
            except (BadInput, Invalid) as error:
                self.wrong = error
        old, new = (self.request.GET.get(side, "") for side in SIDES)
        first = now or found[0]
        other = next(one for one in found if one is not first)
        return {
            "rows": [
                (str(one.number), f"{one.number} (current)" if one is now else str(one.number))
                for one in found
            ],
            "old": str(made.old) if made is not None else old or str(first.number),
            "new": str(made.new) if made is not None else new or str(other.number),
            "made": made,
            "error": "" if self.wrong is None else f"{self.wrong.message} {self.wrong.next_step}".strip(),
        }
