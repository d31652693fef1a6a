"""A cluster in memory: real stores and a real reader, without an API server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import msgspec

from dashboard.cache.reflector import ReflectorStatus
from dashboard.cache.store import Store
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.queries.access import Visible
from dashboard.queries.reader import Reader


class Cache:
    """What a reader and a screen ask of a cluster's cache."""

    def __init__(self) -> None:
        self.kinds = KINDS
        self.stores: dict[str, Store[Any]] = {plural: Store(kind) for plural, kind in KINDS.items()}

    def store(self, plural: str) -> Store[Any]:
        return self.stores[plural]

    def status(self, plural: str) -> ReflectorStatus:
        return ReflectorStatus("live")

    def denied(self, plural: str) -> None:
        return None

    def scopes(self, plural: str) -> None:
        return None

    def put(self, plural: str, *manifests: dict[str, Any]) -> None:
        """Adds or changes objects; a Secret only by its metadata."""
        self.stores[plural].add([self._decoded(plural, manifest) for manifest in manifests])

    def remove(self, plural: str, namespace: str, name: str) -> None:
        rest = [
            one
            for one in self.stores[plural].values()
            if (one.metadata.namespace, one.metadata.name) != (namespace, name)
        ]
        self.stores[plural].replace(rest, "")

    def _decoded(self, plural: str, manifest: dict[str, Any]) -> Any:
        meta = {"uid": f"{plural}-{manifest['metadata']['name']}", "namespace": "shop"} | manifest["metadata"]
        if not KINDS[plural].gvr.namespaced:
            del meta["namespace"]
        whole = manifest | {"metadata": meta}
        if plural == "secrets":
            whole = {"metadata": {}, "rows": [{"cells": ["", "Opaque", 0], "object": {"metadata": meta}}]}
        found = KINDS[plural].decode_object(json.dumps(whole).encode())
        # A change is one that the store has not seen.
        return msgspec.structs.replace(
            found, metadata=msgspec.structs.replace(found.metadata, resource_version="")
        )


def runtime() -> Any:
    cache = Cache()
    reader = Reader(cache)  # type: ignore[arg-type]
    return SimpleNamespace(cluster=SimpleNamespace(slug="tests"), kinds=KINDS, cache=cache, reader=reader)


def everything(**less: Visible) -> dict[str, Visible]:
    """All rights, but for those that are given otherwise."""
    return {plural: less.get(plural, Visible()) for plural in KINDS}


def nothing(plural: str) -> Visible:
    return Visible(frozenset(), Forbidden(f"You may not list {plural}.", verb="list", resource=plural))
