"""What the kept versions of a ConfigMap tell of the values that its keys had when: who runs with which follows from that
(docs/adr/0037, 0051).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from dashboard.insight.keyhistory import SECOND, Held, KeyHistory, Since, Write
from dashboard.models import ConfigMapVersion

from .action import Manifest
from .configmap_history import UNDATED, held, key_since
from .configmap_values import values
from .configmap_versions import version_contents, versions_of

MAX_READ = 20  # versions whose contents are compared: before the oldest of them, nothing is known


def version_history(context: str, manifest: Manifest) -> KeyHistory:
    """Of all keys that differ between the newest versions that are kept; of others nothing is told. A version that was
    written elsewhere was there from the second on that its fields' owner says. Reads the database.
    """
    rows = versions_of(context, manifest["metadata"]["uid"])[:MAX_READ][::-1]
    there = [{key: held(value) for key, value in version_contents(row).items()} for row in rows]
    keys = {
        key
        for was, made in pairwise(there)
        for key in was.keys() | made.keys()
        if was.get(key) != made.get(key)
    }
    now = values(manifest)
    created = datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])
    writes = _writes(rows, there, keys, created)
    made = {key: write.at for write in writes for key in write.made}
    return KeyHistory(
        writes=tuple(writes),
        now={key: held(value) for key, value in now.items() if key in keys},
        since={
            # Nobody has written it since the version that is kept: as if it had been written from here.
            key: Since(since.at, since.ours or since.at <= made[key] + SECOND)
            for key in keys
            if (since := key_since(manifest, key, now))
        },
        version=manifest["metadata"]["resourceVersion"],
    )


def _writes(
    rows: Sequence[ConfigMapVersion], there: Sequence[dict[str, Held]], keys: set[str], created: datetime
) -> list[Write]:
    found: list[Write] = []
    for row, (was, made) in zip(rows[1:], pairwise(there), strict=True):
        changed = [key for key in keys if was.get(key) != made.get(key)]
        before = {key for write in found for key in write.made}
        # Whoever wrote the first one that is kept had written nothing later; before its creation nothing could be read.
        began = rows[0].at.replace(microsecond=0)
        first = Since(began if began <= created else rows[0].at + SECOND, False)
        found.append(
            Write(
                at=row.at,
                until=row.at + (SECOND if row.change_id is None else UNDATED),
                asked=row.kept_at,
                was={key: was.get(key, Held()) for key in changed},
                made={key: made.get(key, Held()) for key in changed},
                since={key: first for key in changed if key not in before and key in there[0]},
            )
        )
    return found
