"""What stands beside the form that edits an object: how that is, and when anything changed that its checks read."""

from __future__ import annotations

from dashboard import render
from dashboard.actions.editforms.registry import EDITINGS
from dashboard.live.snapshot import Snapshot

from .action import ActionScreen
from .common import iso


class EditFormScreen(ActionScreen):
    page = "pages/edit_form.html"
    pace = 5.0  # each showing has the form checked again, however much changes around it

    @property
    def plurals(self) -> frozenset[str]:
        """What its checks read, and what the preview of an edit tells of besides."""
        return self._checked | super().plurals

    @property
    def _checked(self) -> frozenset[str]:
        editing = EDITINGS[self.kind.plural]
        read = editing.reads | editing.form.reads | {self.kind.plural}
        return read & self.runtime.kinds.keys()

    def snapshot(self) -> Snapshot:
        shown = super().snapshot()
        changes = filter(None, map(self.session.reader.last_change, self._checked))
        now = render.region("create_now", {"at": iso(max(changes, default=None))})
        return Snapshot(regions={**shown.regions, "create-now": now})
