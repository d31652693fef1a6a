"""Scaling: spec.replicas, through the ``scale`` subresource, which needs no right to the rest of the object."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from dashboard.insight import scale_hint, scale_impact
from dashboard.kinds.rows import plural
from dashboard.models import Change

from .action import (
    TOUCHED,
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    OwnedFields,
    Target,
    Wanted,
    is_scale,
)
from .fields import replicas
from .recreation import scales_claims_away

REPLICAS = "/spec/replicas"
CLAIMS_LOST = "claims_lost"  # in a change's result: claims were deleted with the pods
EMPTY = "the pods that come start with empty volumes."


class Scale(Action):
    """``wanted``: ``replicas``."""

    name, title, icon = "scale", "Scale", "scale"
    part = "operate"
    capability, subresource = "scales", "scale"
    confirms_by_wanted = True
    reads = TOUCHED | {"persistentvolumeclaims", "persistentvolumes"}
    owns = MappingProxyType({"replicas": REPLICAS})
    fields = (
        Field(
            name="replicas",
            label="Replicas",
            parse=replicas,
            stepper=True,
            value=lambda workload: str(workload.spec.replicas),
            hint=lambda workload, objects: scale_hint(objects, workload),
        ),
    )

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or {}

    def on(self, wanted: Wanted) -> Scale:
        return Scale(wanted)

    def confirmed(self, manifest: Manifest) -> bool:
        """The claims of the pods that go are deleted."""
        wanted = {**(manifest.get("spec") or {}), **self.wanted}
        return scales_claims_away(manifest, {**manifest, "spec": wanted})

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {CLAIMS_LOST: True} if scales_claims_away(before, after) else {}

    def way_back(self, change: Change) -> str:
        if not change.result.get(CLAIMS_LOST):
            return ""
        return f"Undo scales back to {change.touched[REPLICAS][0]}; {EMPTY}"

    def touched(self, manifest: Manifest) -> OwnedFields:
        left_out = 0 if is_scale(manifest) else 1  # Go leaves a 0 out there
        return {REPLICAS: manifest["spec"].get("replicas", left_out)}

    def words(self, touched: OwnedFields) -> str:
        return plural(touched[REPLICAS], "replica")

    def sentence(self, change: Change) -> str:
        was, made = change.touched[REPLICAS]
        return f"From {was} to {plural(made, 'replica')}"

    def command(self, target: Target, manifest: Manifest) -> str:
        return target.kubectl("scale", f"--replicas={self.touched(manifest)[REPLICAS]}")

    def describe(self, dry: DryRun) -> Description:
        current, made = (self.touched(side)[REPLICAS] for side in (dry.before, dry.after))
        undo = f"Undo by scaling back to {current}; it stays one click away under Changes made here."
        if scales_claims_away(dry.before, dry.after):
            undo = f"The deleted claims can't be restored: scaled back to {current}, {EMPTY}"
        numbers = (f"--current-replicas={current}", f"--replicas={dry.wanted['replicas']}")
        return Description.of(
            scale_impact(dry.objects, dry.obj, made, dry.now, dry.target.ref),
            kubectl=dry.target.kubectl("scale", *numbers),
            undo_words=undo,
            button=f"Scale {dry.target.name} to {made}",
        )


SCALE = Scale()
