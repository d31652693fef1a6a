"""Expanding a claim: spec.resources.requests.storage. Nothing makes a volume smaller again, so there is no undo."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from dashboard.errors import BadInput, Invalid
from dashboard.insight import Objects
from dashboard.insight.expanding import expand_impact, not_expandable
from dashboard.kinds.meta import condition_true
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.volumes import size_key
from dashboard.models import Change

from .action import (
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    typed_object,
)
from .fields import size

SIZE = "/spec/resources/requests/storage"


class Expand(Action):
    name, title, icon = "expand", "Expand", "scale"
    kinds = frozenset({"persistentvolumeclaims"})
    reads = frozenset({"persistentvolumeclaims", "storageclasses", "pods", "statefulsets", "resourcequotas"})
    owns = MappingProxyType({"size": SIZE})
    fields = (
        Field(
            name="size",
            label="Size",
            parse=size("size"),
            input="amount",
            value=lambda claim: claim.requested,
            hint=lambda claim, _: f"Its volume has {claim.capacity}." if claim.capacity else "",
        ),
    )

    def applies(self, obj: PersistentVolumeClaim) -> bool:
        return obj.status.phase == "Bound" and bool(obj.storage_class)

    def confirmed(self, manifest: Manifest) -> bool:
        return True

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        why, way_out = not_expandable(objects, _claim(manifest))
        if why:
            raise Invalid(why, next_step=way_out)

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        await self.ready(order.target, manifest, objects)
        return {}

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        had = _claim(manifest).capacity
        if size_key(wanted["size"]) <= size_key(had):
            raise BadInput(f"Its volume has {had} already: enter a larger size.", field="size")

    def command(self, target: Target, manifest: Manifest) -> str:
        return self._kubectl(target, _claim(manifest).requested)

    def _kubectl(self, target: Target, wanted: str) -> str:
        return target.kubectl_patch({"spec": {"resources": {"requests": {"storage": wanted}}}})

    def words(self, touched: OwnedFields) -> str:
        return str(touched[SIZE])

    def describe(self, dry: DryRun) -> Description:
        made = self.words(self.touched(dry.after))
        return Description.of(
            expand_impact(dry.objects, dry.obj, made, dry.now),
            kubectl=self._kubectl(dry.target, made),
            undo_words="It can't be undone: a volume can't be made smaller.",
            button=f"Expand {dry.target.name} to {made}",
        )

    def back(self, before: Manifest) -> Wanted | None:
        return None

    def way_back(self, change: Change) -> str:
        return "A volume can't be made smaller: copy the data to a smaller claim."

    def progress(
        self, change: Change, found: PersistentVolumeClaim, objects: Objects, now: datetime
    ) -> Progress:
        name, wanted, waits = found.metadata.name, change.touched[SIZE][1], found.status.conditions or ()
        if size_key(found.capacity) >= size_key(wanted):
            headline = f"{name} has {found.capacity}"
            return Progress(state="ok", headline=headline, text="", percent=None, done=True)
        text = f"Its volume has {found.capacity}; the driver of its StorageClass expands it."
        if broken := next((one for one in waits if one.type.endswith("ResizeError")), None):
            text = f"{broken.message or broken.reason} Its volume has {found.capacity}."
            return Progress(state="bad", headline=f"{name} could not be expanded", text=text, percent=None)
        if condition_true(waits, "FileSystemResizePending"):
            text = "Its volume is larger; its file system is resized when a pod mounts it again."
        return Progress(state="info", headline=f"{name} is being expanded", text=text, percent=None)


def _claim(manifest: Manifest) -> PersistentVolumeClaim:
    claim: PersistentVolumeClaim = typed_object("persistentvolumeclaims", manifest)
    return claim


EXPAND = Expand()
