"""The record of the past: what an hour of many pods takes, what recording costs, how soon a moment is there again."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dashboard.cache.recording import (
    PART,
    Head,
    Heard,
    Rebuilding,
    pack_changes,
    pack_head,
    pack_part,
    read_head,
)
from dashboard.kinds import KINDS

from .figure import Figure, Place
from .report import Report, Table, spread
from .search import pod

BEGAN = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
PODS = KINDS["pods"]
CHANGES_A_SECOND = 5  # of 10,000 pods in a rather busy cluster; more pods, more changes
BATCH_SECONDS = 10


def _changed(obj: Any, number: int) -> Any:
    meta = msgspec.structs.replace(obj.metadata, resource_version=str(10_000_000 + number))
    return msgspec.structs.replace(obj, metadata=meta)


def run(_place: Place, *, pods: int, rounds: int) -> Report:
    """An hour, with a snapshot at its beginning and batches of changes; bytes, CPU seconds of this process, medians."""
    raw = json.dumps({"metadata": {}, "items": [pod(number) for number in range(pods)]}).encode()
    objects = PODS.decode_list(raw).items
    began = time.process_time()
    parts = [pack_part("pods", objects[at : at + PART]) for at in range(0, pods, PART)]
    snapshot = time.process_time() - began
    rate = CHANGES_A_SECOND * pods / 10_000
    batches: list[bytes] = []
    number = 0
    began = time.process_time()
    for batch in range(3600 // BATCH_SECONDS):
        at = BEGAN + timedelta(seconds=batch * BATCH_SECONDS)
        heard = []
        for _ in range(max(1, int(rate * BATCH_SECONDS))):
            obj = _changed(objects[number * 7919 % pods], number)
            number += 1
            heard.append(Heard(number, at, "pods", obj.metadata.namespace, obj.metadata.name, obj))
        batches.append(pack_changes(heard))
    changes = time.process_time() - began
    head = pack_head(Head(0, len(parts), {}))
    took = []
    for _ in range(rounds):
        began = time.process_time()
        making = Rebuilding(read_head(head), BEGAN, BEGAN + timedelta(minutes=59))
        for each in batches:
            making.take_changes(each)
        for each in parts:
            making.take_part(each)
        moment = making.finish()
        took.append(time.process_time() - began)
    if moment.objects != pods:
        raise RuntimeError(f"of {pods} pods {moment.objects} are there again")
    stored = sum(map(len, parts)), sum(map(len, batches))
    plain = "the same pods as lists"
    rows = (
        (plain, f"{len(raw) / 2**20:.1f} MiB", "–"),
        ("a snapshot", f"{stored[0] / 2**20:.2f} MiB", f"{snapshot:.2f} s"),
        (
            f"{number:,} changes, in batches of {BATCH_SECONDS} s",
            f"{stored[1] / 2**20:.2f} MiB",
            f"{changes:.2f} s",
        ),
        (
            "together, an hour",
            f"{sum(stored) / 2**20:.2f} MiB",
            f"{(snapshot + changes) / 36:.3f} % of a processor",
        ),
        ("all objects as they were at its 59th minute", "–", spread(took, "s", 2)),
    )
    return Report(
        f"The record of an hour of {pods:,} pods (made up), CPU time, {rounds} rounds",
        (Table(columns=("", "stored", "time"), rows=rows, yardstick=plain),),
    )


FIGURE = Figure(name="rewind", run=run, full={"pods": 10_000, "rounds": 9}, short={"pods": 500, "rounds": 2})
