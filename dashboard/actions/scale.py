"""Scaling: spec.replicas, through the ``scale`` subresource, which needs no right to the rest of the object."""

from __future__ import annotations

from types import MappingProxyType

from dashboard.insight import scale_hint, scale_impact
from dashboard.kinds.rows import plural
from dashboard.models import Change

from .action import TOUCHED, Description, DryRun, Field, Manifest, OwnedFields, Target, is_scale
from .fields import replicas
from .lost_claims import REPLICAS, LosesClaims, undo_words


class Scale(LosesClaims):
    """``wanted``: ``replicas``."""

    name, title, icon = "scale", "Scale", "scale"
    part = "operate"
    capability, subresource = "scales", "scale"
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
        numbers = (f"--current-replicas={current}", f"--replicas={dry.wanted['replicas']}")
        return Description.of(
            scale_impact(dry.objects, dry.obj, made, dry.now, dry.target.ref),
            kubectl=dry.target.kubectl("scale", *numbers),
            undo_words=undo_words(dry, current),
            button=f"Scale {dry.target.name} to {made}",
        )


SCALE = Scale()
