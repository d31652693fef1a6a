"""What retention takes from the chain: its oldest entries, and what stays in their place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dashboard.models import AuditCheckpoint, AuditEntry

from .appending import hold_chain, log
from .chain import VERSION, digest, moment, signer

SEALED = ("at", "through", "hash", "entries")


def sealed(facts: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint that are hashed; the form is that of an entry (``chain.py``)."""
    said = {name: facts[name] for name in SEALED} | {"at": moment(facts["at"]), "v": VERSION}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii")


def checkpoint_newest() -> AuditCheckpoint | None:
    return AuditCheckpoint.objects.order_by("-through").first()


def audit_prune(oldest: datetime, most: int) -> int:
    """Takes away ``most`` entries at once: the first of the chain, as long as they are older than that. How many it were.

    The only way by which one goes: the database deletes none beyond the checkpoint that is written with it. The last
    entry stays, so that what follows a checkpoint without a signature is an entry without one.
    """
    with transaction.atomic():
        hold_chain()
        first = list(AuditEntry.objects.order_by("pk").values_list("pk", "at", "hash")[: most + 1])
        going = list(takewhile(lambda row: row[1] < oldest, first[:-1]))
        if not going:
            return 0
        through, _, last = going[-1]
        before, keys = checkpoint_newest(), settings.CLUSTER_UI_AUDIT_KEYS
        made = AuditCheckpoint(
            at=timezone.now(),
            through=through,
            hash=last,
            entries=len(going) + (before.entries if before else 0),
            key=signer(keys),
        )
        made.seal = digest(sealed(vars(made)), made.key, keys)
        made.save()
        AuditEntry._base_manager.filter(pk__lte=through).delete()
        AuditCheckpoint.objects.filter(through__lt=through).delete()
        line = {**{name: getattr(made, name) for name in SEALED}, "at": moment(made.at)}
        line |= {"key": made.key, "seal": made.seal}
        transaction.on_commit(lambda: log.info("checkpoint %s", json.dumps(line, separators=(",", ":"))))
    return len(going)
