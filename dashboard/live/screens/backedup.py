"""The way from an object to its restore: which backup in the storage holds it, as far as this process has seen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.kinds.base import Kind
from dashboard.live.runtime import ClusterRuntime
from dashboard.recovery.choice import kind_key
from dashboard.recovery.readiness import holds
from dashboard.recovery.selection import DERIVED, SECRETS_KEY
from dashboard.recovery.shelf import Shelf, shelves
from dashboard.recovery.storage import Stored


def restore_url(runtime: ClusterRuntime, kind: Kind[Any], namespace: str, name: str) -> str:
    """The form of a restore, filled in for one object from the newest backup that may hold it; "" where none does."""
    gvr, slug = kind.gvr, runtime.cluster.slug
    key = kind_key(gvr.group, gvr.plural)
    if key in DERIVED:
        return ""
    shelf = shelves.soon()
    good = shelf.good(slug, runtime.recognised)
    newest = next((each for each in good if _holds(shelf, each, key, namespace)), None)
    if newest is None:
        return ""
    chosen = {
        "archive": newest.name, "namespace": namespace, "only": f"{key}/{name}", "conflict": "update",
        "cluster_kinds": "" if gvr.namespaced else key,
    }  # fmt: skip
    query = urlencode({field: text for field, text in chosen.items() if text}, safe="/")
    return f"{reverse('restore', args=[slug])}?{query}"


def _holds(shelf: Shelf, stored: Stored, key: str, namespace: str) -> bool:
    """Whether an archive may hold objects of a kind in a namespace. What is only in its header is known of those alone
    that can be read here.
    """
    if key == SECRETS_KEY and not stored.encrypted:
        return False
    header = shelf.headers.get(stored.name)
    if key == SECRETS_KEY and header is not None and not header.secrets:
        return False
    return holds(stored, header, namespace)
