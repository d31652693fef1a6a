"""Claims that a StatefulSet deletes with the pods that scaling takes away (``whenScaled: Delete``): what is said of them
before, and what is remembered for the way back.
"""

from __future__ import annotations

from typing import Any

from dashboard.models import Change

from .action import Action, DryRun, Manifest, Wanted
from .recreation import scales_claims_away

REPLICAS = "/spec/replicas"
EMPTY = "the pods that come start with empty volumes."
_LOST = "claims_lost"  # in a change's result: claims were deleted with the pods


class LosesClaims(Action):
    """An action that sets ``replicas``, so that claims may go for good: their name is typed then."""

    confirms_by_wanted = True

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or {}

    def on(self, wanted: Wanted) -> LosesClaims:
        return type(self)(wanted)

    def confirmed(self, manifest: Manifest) -> bool:
        return scales_claims_away(
            manifest, {**manifest, "spec": {**(manifest.get("spec") or {}), **self.wanted}}
        )

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {_LOST: True} if scales_claims_away(before, after) else {}

    def way_back(self, change: Change) -> str:
        return (
            f"Undo scales back to {change.touched[REPLICAS][0]}; {EMPTY}" if change.result.get(_LOST) else ""
        )


def undo_words(dry: DryRun, current: int) -> str:
    """How the change is taken back, and what that does not bring back."""
    if scales_claims_away(dry.before, dry.after):
        return f"The deleted claims can't be restored: scaled back to {current}, {EMPTY}"
    return f"Undo by scaling back to {current}; it stays one click away under Changes made here."
