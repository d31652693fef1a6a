"""What records of edits, and the ConfigMap itself, tell of the values that its keys had before.

See docs/adr/0037.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from dashboard.errors import Forbidden, NotFound
from dashboard.insight.keyhistory import SECOND, Held, KeyHistory, Since, Write
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from .action import Manifest, OwnedFields
from .configmap_values import Value, digest, values
from .writers import last_manager
from .writing import MANAGER

MAX_WRITES = 100  # records that are read; before the oldest of them, nothing is known
EDITS = ("edit", "versions")  # the actions that write keys
Sightings = Collection[
    tuple[str, float]
]  # a resourceVersion, and when it was first seen, by time.monotonic()
Seen = Mapping[str, datetime]
UNDATED = timedelta(seconds=10)  # from the record to the write, where the API server has not dated it


def changed_keys(change: Change) -> list[str]:
    """The keys that a change wrote or removed."""
    return sorted({path.split("/")[2] for path in change.touched})


def written_when(before: Manifest, after: Manifest, touched: OwnedFields) -> dict[str, Any]:
    """What a record keeps of an edit, by the API server's clock: when it was written, and since when the values before
    had been there and by whom, as far as the fields' owners tell; and which version it found.
    """
    kept: dict[str, Any] = {"found": before["metadata"]["resourceVersion"]}
    for path in touched:
        who, when = last_manager(after, path)
        if who == MANAGER and when is not None:
            kept["written"] = max(kept.get("written", ""), when.isoformat())
    there = values(before)
    since = {key: found for key in _keys(touched) if (found := key_since(before, key, there))}
    return kept | {"since": {key: [found.at.isoformat(), found.ours] for key, found in since.items()}}


def own_history(change: Change) -> KeyHistory:
    """As if nothing had been written since."""
    write = _write(change, set(changed_keys(change)))
    return KeyHistory(writes=(write,), now=write.made)


async def edit_history(*, transport: Transport, change: Change, sightings: Sightings) -> KeyHistory:
    """Of the keys of an edit: the values before and after each recorded edit, and those that are there now, read as the
    user; ``sightings`` are of its ConfigMap. Raises ClusterError when that cannot be told for the moment.
    """
    manifest: Manifest | None = None
    seen: Seen = {}
    with suppress(Forbidden, NotFound):
        answer = await transport.request("GET", CONFIGMAPS.gvr, namespace=change.namespace, name=change.name)
        manifest = read_object(answer.body)
        seen = _by_its_clock(sightings, answer.headers.get("Date", ""))
    edits = Change.objects.filter(
        context=change.context, plural=change.plural, uid=change.uid, action__in=EDITS, state=Change.State.DONE
    )  # fmt: skip
    newest = edits.only("touched", "result", "created_at").order_by("-created_at", "-pk")[:MAX_WRITES]
    # In a thread: of a large ConfigMap, that is many keys.
    return await asyncio.to_thread(_history, change, manifest, await in_database(list)(newest), seen)


def _by_its_clock(sightings: Sightings, date: str) -> Seen:
    """When versions were first seen, by the clock of the API server, which just said the second that it is; a sighting
    is never dated too early.
    """
    try:
        now = parsedate_to_datetime(date)
    except ValueError:
        return {}
    here = time.monotonic()
    return {version: now + SECOND - timedelta(seconds=here - at) for version, at in sightings}


def _history(change: Change, manifest: Manifest | None, newest: list[Change], seen: Seen) -> KeyHistory:
    keys = set(changed_keys(change))
    writes = tuple(_write(each, keys, seen) for each in reversed(newest))
    if manifest is None or manifest["metadata"]["uid"] != change.uid:
        return KeyHistory(writes)
    there = values(manifest)
    found = KeyHistory(
        writes,
        now={key: held(value) for key in keys if (value := there.get(key))},
        since={key: since for key in keys if (since := key_since(manifest, key, there))},
        version=manifest["metadata"]["resourceVersion"],
        seen=seen.get(manifest["metadata"]["resourceVersion"]),
    )
    _ = found.spans  # reckoned here, once
    return found


def key_since(manifest: Manifest, key: str, there: dict[str, Value]) -> Since | None:
    """Since when a key has had its value at the latest: its owner has written nothing of its own later. Nobody owns a key
    that is not there.
    """
    if key not in there:
        return None
    who, when = last_manager(manifest, f"/{there[key].field}/{key}")
    if when is None:
        return None
    created = datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])
    # What was written within that second came after what was read in it; but before its creation, nothing could be read.
    return Since(when if when == created else when + SECOND, who == MANAGER)


def _write(change: Change, keys: set[str], seen: Seen | None = None) -> Write:
    """What it did to these keys."""
    told = change.result.get("written")
    at = datetime.fromisoformat(told) if told else change.created_at.replace(microsecond=0)
    return Write(
        at=at,
        until=at + (SECOND if told else UNDATED),
        asked=change.created_at,
        was=_side(change, 0, keys),
        made=_side(change, 1, keys),
        since={
            key: Since(datetime.fromisoformat(when), ours)
            for key, (when, ours) in change.result.get("since", {}).items()
            if key in keys
        },
        seen=(seen or {}).get(change.result.get("found", "")),
    )


def _side(change: Change, at: int, keys: set[str]) -> dict[str, Held]:
    """Those of the keys that it touched, before (0) or after (1) it."""
    found: dict[str, Held] = {}
    for path, pair in change.touched.items():
        _, field, key = path.split("/")
        if key in keys:
            found.setdefault(key, Held())
            if mark := (pair[at] or "").split(" ")[0]:
                found[key] = Held(mark if field == "data" else "", mark)
    return found


def held(value: Value) -> Held:
    """What stands for a value."""
    mark = digest(value.content)
    return Held(mark if value.field == "data" else "", mark)


def _keys(touched: OwnedFields) -> set[str]:
    return {path.split("/")[2] for path in touched}
