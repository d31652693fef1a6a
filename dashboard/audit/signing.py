"""Since which entry the audit is signed, kept outside the database: whoever owns that could strip every signature,
and nothing in it would tell.

The first process that signs writes the entry's number into a file of ``CLUSTER_UI_HOME``, once; verifying demands
signatures from there on. Each machine has its own: none is written anew as long as it is there.
"""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)

_written: set[Path] = set()  # by this process, or found there


def signed_from_kept() -> int:
    """The entry from which on all have to be signed, as this machine knows; 0 where it does not."""
    try:
        return int(settings.CLUSTER_UI_AUDIT_SIGNED_FROM.read_text())
    except (OSError, ValueError):
        return 0


def signed_from_keep(number: int) -> None:
    """An entry was signed: the first one that is, is kept unless one is already. Reads the database."""
    path: Path = settings.CLUSTER_UI_AUDIT_SIGNED_FROM
    if path in _written:
        return
    from dashboard.models import AuditEntry

    try:
        if not path.exists():
            signed = AuditEntry.objects.exclude(key="").order_by("pk").values_list("pk", flat=True).first()
            with path.open("x") as file:
                file.write(f"{signed or number}\n")
    except FileExistsError:
        pass  # another process was first
    except OSError as error:
        log.warning("since which entry the audit is signed could not be kept: %s", error)
    _written.add(path)
