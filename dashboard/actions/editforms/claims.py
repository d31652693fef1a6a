"""A PersistentVolumeClaim that is there: only its size can be changed, which is an action of its own."""

from __future__ import annotations

from dashboard.actions.action import Manifest
from dashboard.actions.expand import EXPAND
from dashboard.actions.newobjects.claims import NEW_CLAIM

from .editing import Editing, Edits, Texts


class EditClaim(Editing):
    form = NEW_CLAIM
    names = ()
    leads_to = EXPAND.name

    def refusal(self, manifest: Manifest) -> str:
        return "Of a claim only the size can be changed, which is done by Expand."

    def shown(self, manifest: Manifest) -> Texts:
        return {}

    def put(self, made: Manifest, edits: Edits) -> None:
        """It has no input."""


EDIT_CLAIM = EditClaim()
