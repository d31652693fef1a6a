"""Velero's definitions."""

from __future__ import annotations

from .definitions import Definitions

DEFINED = Definitions(
    "velero.io",
    {
        "backups": "Backup",
        "restores": "Restore",
        "schedules": "Schedule",
        "backupstoragelocations": "BackupStorageLocation",
    },
    module="github.com/vmware-tanzu/velero@v1.17.1",
    file="config/crd/v1/bases/velero.io_{plural}.yaml",
)
define, undefine = DEFINED.define, DEFINED.undefine
