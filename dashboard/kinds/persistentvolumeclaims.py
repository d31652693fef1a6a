"""PersistentVolumeClaims: storage that outlives pods, as asked for."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct, condition_true
from .podspec import Resources
from .references import reference
from .rows import AGE_HELP, NAME_HELP, UNSET, age, col, columns, make_row, sort_keys
from .volumes import MODES_HELP, access_modes, size_key, storage_class


class DataSource(Struct, frozen=True, gc=False):
    """What a new volume is filled from: another claim, a VolumeSnapshot, or whatever a populator reads."""

    kind: str = ""
    name: str = ""
    api_group: str | None = None
    namespace: str | None = None


class ClaimSpec(Struct, frozen=True, gc=False):
    """spec of a PersistentVolumeClaim."""

    volume_name: str = ""
    storage_class_name: str | None = None
    volume_mode: str | None = None
    volume_attributes_class_name: str | None = None
    access_modes: tuple[str, ...] | None = None
    resources: Resources = Resources()
    data_source: DataSource | None = None  # without a dataSourceRef, of API servers before 1.24
    data_source_ref: DataSource | None = None


class ClaimStatus(Struct, frozen=True, gc=False):
    """status of a PersistentVolumeClaim."""

    phase: str = ""
    capacity: dict[str, str] | None = None
    access_modes: tuple[str, ...] | None = None
    conditions: tuple[ObjectCondition, ...] | None = None


class PersistentVolumeClaim(Object, frozen=True, gc=False):
    """v1 PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def storage_class(self) -> str:
        """The name of its storage class, or ""."""
        return storage_class(self.metadata, self.spec.storage_class_name)

    @property
    def requested(self) -> str:
        """The size asked for, as a quantity."""
        return (self.spec.resources.requests or {}).get("storage", "0")

    @property
    def capacity(self) -> str:
        """The size it got, as a quantity; "" without a volume."""
        return (self.status.capacity or {}).get("storage", "0") if self.spec.volume_name else ""


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Status", "Bound: it has a volume. Pending: it waits for one. Lost: its volume no longer exists."),
    col("Volume", "The volume that it is bound to."),
    col("Capacity", "The size of the volume."),
    col("Access Modes", MODES_HELP),
    col("StorageClass", "Its StorageClass."),
    col("VolumeAttributesClass", "Its VolumeAttributesClass: mutable properties, such as its speed."),
    col("Age", AGE_HELP),
    col("VolumeMode", "Filesystem, or Block for a raw device.", wide=True),
)


def _phase(claim: PersistentVolumeClaim) -> str:
    return "Terminating" if claim.metadata.deletion_timestamp is not None else claim.status.phase


def judge(claim: PersistentVolumeClaim) -> tuple[State, str]:
    """Lost is critical, Pending a warning; one that is being resized is changing."""
    phase, found = _phase(claim), claim.status.conditions or ()
    if phase == "Terminating":
        used = "kubernetes.io/pvc-protection" in claim.metadata.finalizers
        return "info", "being deleted, once no pod uses it" if used else "being deleted"
    if phase == "Lost":
        return "bad", "its volume no longer exists"
    if phase == "Pending":
        return "warn", "no volume yet"
    if condition_true(found, "FileSystemResizePending"):
        return "info", "its file system is resized when a pod mounts it again"
    if condition_true(found, "Resizing"):
        return "info", "being resized"
    return "ok", ""


def row(claim: PersistentVolumeClaim) -> Row:
    """The row, as ``printPersistentVolumeClaim`` writes it."""
    meta, spec = claim.metadata, claim.spec
    modes = access_modes(claim.status.access_modes) if spec.volume_name else ""
    attributes = spec.volume_attributes_class_name
    cells = (
        Cell(meta.name),
        Cell(_phase(claim)),
        Cell(spec.volume_name),
        Cell(claim.capacity),
        Cell(modes),
        Cell(claim.storage_class),
        UNSET if attributes is None else Cell(attributes),
        age(meta.creation_timestamp),
        UNSET if spec.volume_mode is None else Cell(spec.volume_mode),
    )
    name, phase, volume, _, *others = sort_keys(cells)
    return make_row(meta, cells, (name, phase, volume, size_key(claim.capacity), *others), *judge(claim))


def detail(claim: PersistentVolumeClaim) -> Detail:
    """The facts of the claim's page."""
    meta, spec = claim.metadata, claim.spec
    phase, reason = _phase(claim), judge(claim)[1]
    facts = [Fact("Status", phase, reason), Fact("Requested", claim.requested)]
    if claim.capacity:
        facts.append(Fact("Capacity", claim.capacity))
    if spec.volume_name:
        to = reference("PersistentVolume", "", spec.volume_name)
        facts.append(Fact("Volume", spec.volume_name, link=to))
    if claim.storage_class:
        to = reference("StorageClass", "", claim.storage_class)
        facts.append(Fact("Storage class", claim.storage_class, link=to))
    facts.append(Fact("Access modes", access_modes(spec.access_modes), MODES_HELP))
    size = claim.requested if claim.capacity in ("", "0") else claim.capacity
    sentence = f"{size} of storage that outlives pods: {phase}"
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        conditions=conditions(
            claim.status.conditions, neutral=frozenset({"Resizing", "FileSystemResizePending"})
        ),
    )


PERSISTENTVOLUMECLAIMS: Kind[PersistentVolumeClaim] = Kind(
    gvr=GVR("", "v1", "persistentvolumeclaims"),
    kind="PersistentVolumeClaim",
    title="PersistentVolumeClaims",
    singular="PersistentVolumeClaim",
    section="Storage",
    short_names=("pvc",),
    type=PersistentVolumeClaim,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    explain="A PersistentVolumeClaim requests storage, which exists independently of pods.",
)
