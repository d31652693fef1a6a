"""Who wrote a field of an object last, as far as its managedFields tell."""

from __future__ import annotations

import json
from datetime import datetime

from .action import Manifest


def last_manager(manifest: Manifest, path: str) -> tuple[str, datetime | None]:
    """The manager that owns the field at a JSON Pointer ("": any field), and when it wrote last; ("", None) when
    nobody does.

    Of several owners the latest. A write through the scale subresource carries no time.
    """
    keys = (
        [_managed(step.replace("~1", "/").replace("~0", "~")) for step in path.strip("/").split("/")]
        if path
        else []
    )
    owners = []
    for entry in manifest["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for key in keys:
            fields = fields.get(key) if isinstance(fields, dict) else None
        if fields is not None:
            owners.append((_time(entry.get("time")), str(entry.get("manager", ""))))
    if not owners:
        return "", None
    when, who = max(owners, key=lambda owner: owner[0].timestamp() if owner[0] else 0.0)
    return who, when


def created_by(manifest: Manifest, manager: str) -> bool:
    """Whether an object came to be by a write of this manager: what it has written since then is no younger."""
    meta = manifest["metadata"]
    own = [each for each in meta.get("managedFields") or () if each.get("manager") == manager]
    # All are of the API server's clock, in UTC and whole seconds.
    return any(each.get("time", "~") <= meta["creationTimestamp"] for each in own)


def _managed(step: str) -> str:
    """A step of a pointer as fieldsV1 writes it; an entry of a list goes by its name (``changedfields``)."""
    if step.startswith("[name=") and step.endswith("]"):
        return f"k:{json.dumps({'name': step[6:-1]}, separators=(',', ':'))}"
    return f"f:{step}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
