"""PersistentVolumes: storage as the cluster has it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .facts import page
from .meta import Message, Object, ObjectReference, Struct
from .podspec import NodeSelector, Present
from .references import reference
from .rows import AGE_HELP, NAME_HELP, UNSET, age, col, columns, make_row, shorten, sort_keys
from .volumes import MODES_HELP, access_modes, size_key, storage_class


class SecretReference(Struct, frozen=True, gc=False):
    """A Secret of any namespace."""

    namespace: str = ""
    name: str = ""


class VolumeDriver(Struct, frozen=True, gc=False):
    """The CSI driver that keeps the volume, and the Secrets with which it signs in."""

    driver: str = ""
    controller_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    controller_expand_secret_ref: SecretReference | None = None
    node_expand_secret_ref: SecretReference | None = None

    @property
    def secrets(self) -> tuple[SecretReference, ...]:
        """The Secrets, each once."""
        refs = (
            self.controller_publish_secret_ref,
            self.node_stage_secret_ref,
            self.node_publish_secret_ref,
            self.controller_expand_secret_ref,
            self.node_expand_secret_ref,
        )
        return tuple(dict.fromkeys(ref for ref in refs if ref is not None))


class VolumeNodeAffinity(Struct, frozen=True, gc=False):
    """The nodes that reach the volume."""

    required: NodeSelector | None = None


class VolumeSpec(Struct, frozen=True, gc=False):
    """spec of a PersistentVolume."""

    capacity: dict[str, str] | None = None
    access_modes: tuple[str, ...] | None = None
    claim_ref: ObjectReference | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    volume_attributes_class_name: str | None = None
    volume_mode: str | None = None
    csi: VolumeDriver | None = None
    host_path: Present | None = None
    on_disk: Present | None = msgspec.field(name="local", default=None)
    node_affinity: VolumeNodeAffinity | None = None


# Labels of zones and regions, each with the one that took its place.
ZONE_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}


class VolumeStatus(Struct, frozen=True, gc=False):
    """status of a PersistentVolume."""

    phase: str = ""
    reason: str = ""
    message: Message = ""


class PersistentVolume(Object, frozen=True, gc=False):
    """v1 PersistentVolume."""

    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()

    @property
    def storage_class(self) -> str:
        """The name of its storage class, or ""."""
        return storage_class(self.metadata, self.spec.storage_class_name)

    @property
    def capacity(self) -> str:
        """Its size, as a quantity."""
        return (self.spec.capacity or {}).get("storage", "0")

    @property
    def local(self) -> bool:
        """Whether it is on a node's own disk: by its type, or since only named nodes reach it."""
        return self.spec.host_path is not None or self.spec.on_disk is not None or bool(self.only_on)

    @property
    def only_on(self) -> tuple[str, ...]:
        """The nodes that alone reach it, sorted; () when that does not go by a node's name."""
        return self._topology(lambda key: key == "kubernetes.io/hostname" or key.endswith("/node"))

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones from which it can be reached, sorted; () when that does not go by zone."""
        labelled = (values for key, values in self.zone_labels.items() if key.endswith("zone"))
        return self._topology(lambda key: key.endswith("/zone")) or tuple(sorted(next(labelled, ())))

    @property
    def zone_labels(self) -> dict[str, frozenset[str]]:
        """The zones and regions that it is labelled with, by label: as volumes were before they had a node affinity. The
        scheduler still goes by them (volumezone; LabelZonesToSet splits them).
        """
        found = {}
        for key in ZONE_LABELS:
            values = frozenset(each.strip() for each in self.metadata.labels.get(key, "").split("__"))
            if "" not in values:
                found[key] = values
        return found

    def _topology(self, wanted: Callable[[str], bool]) -> tuple[str, ...]:
        affinity = self.spec.node_affinity
        terms = (affinity.required.node_selector_terms if affinity and affinity.required else None) or ()
        found = {
            value
            for term in terms
            for one in (*(term.match_expressions or ()), *(term.match_fields or ()))
            if one.operator == "In"
            and wanted("kubernetes.io/hostname" if one.key == "metadata.name" else one.key)
            for value in one.values or ()
        }
        return tuple(sorted(found))


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Capacity", "Its size."),
    col("Access Modes", MODES_HELP),
    col(
        "Reclaim Policy",
        "What happens to the data when the claim is deleted: Retain keeps it, Delete does not.",
    ),
    col("Status", "Bound: in use. Available: free. Released: its claim was deleted. Failed: not reclaimed."),
    col("Claim", "The claim that it is bound to."),
    col("StorageClass", "Its StorageClass."),
    col("VolumeAttributesClass", "Its VolumeAttributesClass: mutable properties, such as its speed."),
    col("Reason", "Why it is in that state."),
    col("Age", AGE_HELP),
    col("VolumeMode", "Filesystem, or Block for a raw device.", wide=True),
)


def _phase(volume: PersistentVolume) -> str:
    return "Terminating" if volume.metadata.deletion_timestamp is not None else volume.status.phase


def judge(volume: PersistentVolume) -> tuple[State, str]:
    """Failed is critical, Released a warning."""
    phase = _phase(volume)
    if phase == "Failed":
        return "bad", shorten(volume.status.message)
    if phase == "Released":
        return "warn", "its claim was deleted, the data is still there"
    if phase in ("Terminating", "Pending"):
        return "info", "being deleted" if phase == "Terminating" else ""
    return "ok", ""


def row(volume: PersistentVolume) -> Row:
    """The row, as ``printPersistentVolume`` writes it."""
    meta, spec = volume.metadata, volume.spec
    claim, attributes = spec.claim_ref, spec.volume_attributes_class_name
    cells = (
        Cell(meta.name),
        Cell(volume.capacity),
        Cell(access_modes(spec.access_modes)),
        Cell(spec.persistent_volume_reclaim_policy),
        Cell(_phase(volume)),
        Cell(f"{claim.namespace}/{claim.name}" if claim else ""),
        Cell(volume.storage_class),
        UNSET if attributes is None else Cell(attributes),
        Cell(volume.status.reason),
        age(meta.creation_timestamp),
        UNSET if spec.volume_mode is None else Cell(spec.volume_mode),
    )
    name, _, *others = sort_keys(cells)
    return make_row(meta, cells, (name, size_key(volume.capacity), *others), *judge(volume))


_POLICIES = {
    "Retain": "the data is kept when the claim is deleted",
    "Delete": "the data is deleted with the claim",
    "Recycle": "the data is scrubbed when the claim is deleted",
}


def detail(volume: PersistentVolume) -> Detail:
    """The facts of the volume's page."""
    meta, spec = volume.metadata, volume.spec
    phase, reason = _phase(volume), judge(volume)[1]
    policy = spec.persistent_volume_reclaim_policy
    facts = [Fact("Status", phase, reason), Fact("Capacity", volume.capacity)]
    if spec.claim_ref is not None:
        claim = spec.claim_ref
        to = reference("PersistentVolumeClaim", claim.namespace, claim.name)
        facts.append(Fact("Claim", f"{claim.namespace}/{claim.name}", link=to))
    facts.append(Fact("Reclaim policy", policy, _POLICIES.get(policy, "")))
    if volume.storage_class:
        to = reference("StorageClass", "", volume.storage_class)
        facts.append(Fact("Storage class", volume.storage_class, link=to))
    facts.append(Fact("Access modes", access_modes(spec.access_modes), MODES_HELP))
    if spec.csi is not None:
        facts.append(Fact("Driver", spec.csi.driver))
    sentence = f"{volume.capacity} of storage: {phase}"
    return page(meta, sentence, facts, reason=reason)


PERSISTENTVOLUMES: Kind[PersistentVolume] = Kind(
    gvr=GVR("", "v1", "persistentvolumes", namespaced=False),
    kind="PersistentVolume",
    title="PersistentVolumes",
    singular="PersistentVolume",
    section="Storage",
    short_names=("pv",),
    type=PersistentVolume,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    explain="A PersistentVolume is a piece of storage in the cluster; pods use it through a claim.",
)
