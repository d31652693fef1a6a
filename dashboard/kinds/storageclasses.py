"""StorageClasses: kinds of storage to choose from."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, Kind, Row
from .facts import page
from .meta import Object
from .rows import AGE_HELP, NAME_HELP, age, col, columns, make_row, sort_keys

# The marks of the default class, newer and older.
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


class StorageClass(Object, frozen=True, gc=False):
    """storage.k8s.io/v1 StorageClass."""

    provisioner: str = ""
    reclaim_policy: str = "Delete"
    volume_binding_mode: str = "Immediate"
    allow_volume_expansion: bool = False

    @property
    def is_default(self) -> bool:
        """Whether claims that name no class get this one (``IsDefaultAnnotation``)."""
        return any(self.metadata.note(mark) == "true" for mark in _DEFAULT)


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Provisioner", "The driver that provisions its volumes."),
    col(
        "ReclaimPolicy", "What happens to the data when a claim is deleted: Retain keeps it, Delete does not."
    ),
    col("VolumeBindingMode", "When a volume is provisioned: immediately, or when the first pod needs it."),
    col("AllowVolumeExpansion", "Whether volumes can be expanded."),
    col("Age", AGE_HELP),
)


def row(storage_class: StorageClass) -> Row:
    """The row, as ``printStorageClass`` writes it."""
    meta = storage_class.metadata
    cells = (
        Cell(meta.name + (" (default)" if storage_class.is_default else "")),
        Cell(storage_class.provisioner),
        Cell(storage_class.reclaim_policy),
        Cell(storage_class.volume_binding_mode),
        Cell("true" if storage_class.allow_volume_expansion else "false"),
        age(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort_keys(cells))


def detail(storage_class: StorageClass) -> Detail:
    """The facts of the storage class's page."""
    kept = storage_class.reclaim_policy == "Retain"
    later = storage_class.volume_binding_mode == "WaitForFirstConsumer"
    grows = "Yes" if storage_class.allow_volume_expansion else "No"
    facts = [
        Fact("Provisioner", storage_class.provisioner),
        Fact(
            "Reclaim policy",
            storage_class.reclaim_policy,
            "the data is kept when the claim is deleted" if kept else "the data is deleted with the claim",
        ),
        Fact(
            "Volume binding",
            storage_class.volume_binding_mode,
            "a volume is provisioned when the first pod needs it"
            if later
            else "a volume is provisioned immediately",
        ),
        Fact("Volume expansion", grows),
    ]
    default = "; claims without a class use it" if storage_class.is_default else ""
    sentence = f"A class of storage, provisioned by {storage_class.provisioner}{default}"
    return page(storage_class.metadata, sentence, facts)


STORAGECLASSES: Kind[StorageClass] = Kind(
    gvr=GVR("storage.k8s.io", "v1", "storageclasses", namespaced=False),
    kind="StorageClass",
    title="StorageClasses",
    singular="StorageClass",
    section="Storage",
    short_names=("sc",),
    type=StorageClass,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A StorageClass describes a class of storage; volumes are provisioned from it for claims.",
)
