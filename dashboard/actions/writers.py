"""Who wrote a field of an object last, as far as its managedFields tell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dashboard.insight import Notice
from dashboard.insight.managers import Applied, sets_again

from .action import Manifest
from .changedfields import field_words, steps_of
from .writing import MANAGER

CLIENT_SIDE = "kubectl-client-side-apply"
MAX_MANAGERS = 3  # that are told of
_BY_KEY = frozenset({"f:annotations", "f:binaryData", "f:data", "f:labels", "f:stringData"})


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


def setting_again(
    manifest: Manifest, paths: Iterable[str], *, instead: str = "", written: bool = False
) -> list[Notice]:
    """Which managers set any of these fields (JSON Pointers) again: those that applied them; ``written``: those that
    wrote them in another way too. Not this dashboard, nor Kubernetes' own.
    """
    found: dict[tuple[str, Applied], list[str]] = {}
    paths = list(paths)
    for entry in manifest["metadata"].get("managedFields") or ():
        who = str(entry.get("manager", ""))
        if not who or who == MANAGER or who.startswith("kube-"):
            continue
        how: Applied = "server" if entry.get("operation") == "Apply" else "written"
        if how == "written" and who == CLIENT_SIDE:
            how = "client"
        owned = [path for path in paths if _owns(entry.get("fieldsV1") or {}, path)]
        if owned and (written or how != "written"):
            found.setdefault((who, how), []).extend(map(field_words, owned))
    return [sets_again(who, how, fields, instead) for (who, how), fields in found.items()][:MAX_MANAGERS]


def _owns(fields: Any, path: str) -> bool:
    """Whether a manager owns a field, by itself or in one that the API server takes as one value (``{}``): maps by key
    are none of these.
    """
    whole = False
    for each in steps_of(path):
        step = _managed(each)
        if step in fields:
            fields, whole = fields[step], step not in _BY_KEY
        else:
            return whole and fields == {}
    return True


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
