"""A cluster in memory: real stores and a real reader, without an API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec

from dashboard.cache.reflector import ReflectorStatus
from dashboard.cache.store import Store
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import Kinds
from dashboard.kube.access import Decision, Question
from dashboard.live.hourly import series_of
from dashboard.live.session import Identity, Session
from dashboard.queries.access import Visible
from dashboard.queries.reader import Judges, Reader
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.queries.seenreader import SeenReader


class Cache:
    """What a reader and a screen ask of a cluster's cache."""

    def __init__(self) -> None:
        self.kinds = KINDS
        self.stores: dict[str, Store[Any]] = {
            key: Store(kind) for key, kind in (KINDS | dict(Kinds(KINDS))).items()
        }

    def store(self, plural: str) -> Store[Any]:
        return self.stores[plural]

    def status(self, plural: str) -> ReflectorStatus:
        return ReflectorStatus("live")

    def listed(self, plural: str) -> bool:
        return self.status(plural).state == "live" or len(self.stores[plural]) > 0

    def knows(self, plural: str, namespace: str) -> bool:
        return self.listed(plural)

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


class JudgingReader(Reader):
    """Outside a loop nothing is judged later: what was found first stays."""

    def _judge_soon(self, by: Judges, wait: float = 0.0) -> asyncio.Task[None]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return None  # type: ignore[return-value]
        return super()._judge_soon(by, wait)


class Hourly:
    """What a cluster's hourly figures are, by what they are of: none unless a test says so."""

    def __init__(self) -> None:
        self.kept: dict[str, list[tuple[float, dict[str, Any]]]] = {}

    def rows(self, what: str) -> list[tuple[float, dict[str, Any]]]:
        return self.kept.get(what, [])

    def series(self, what: str) -> Any:
        return series_of(self.rows(what))

    volumes_refused = ""


def runtime() -> Any:
    cache = Cache()
    reader = JudgingReader(cache)  # type: ignore[arg-type]
    return SimpleNamespace(
        cluster=SimpleNamespace(slug="tests"), recognised=Recognised("", "tests", EVER),
        kinds=KINDS, cache=cache, reader=reader,
        installation=SimpleNamespace(cache=cache, reader=reader), hourly=Hourly(),
    )  # fmt: skip


class Reviewer:
    """Answers every question alike."""

    def __init__(self, allows: bool = True) -> None:
        self.allows = allows

    async def decide(self, question: Question) -> Decision:
        return Decision(self.allows, "")

    decide_in = decide

    async def listing(self, _: object, namespaces: Collection[str]) -> frozenset[str]:
        return frozenset(namespaces if self.allows else ())


def session(
    found: Any, visible: Mapping[str, Visible] | None = None, *, account: str = "tests", may: bool = True
) -> Session:
    """Somebody's way to that cluster, who may do anything, and see what is ``visible``: without it, everything."""
    known: Any = SimpleNamespace(
        name=account, transport=getattr(found, "transport", None), reviews=Reviewer(may),
        counts=getattr(found, "counts", None), unwatched=getattr(found, "unwatched", None), sights=set(),
    )  # fmt: skip
    reader = SeenReader(getattr(found, "reader", None), everything() if visible is None else visible)
    return Session(Identity("mara", account), found, known, reader)


def sees(screen: Any, visible: Mapping[str, Visible]) -> None:
    """Reviews were answered so."""
    screen.session.reader.visible = visible


def everything(**less: Visible) -> dict[str, Visible]:
    """All rights, but for those that are given otherwise."""
    return {plural: less.get(plural, Visible()) for plural in KINDS}


def nothing(plural: str) -> Visible:
    return Visible(frozenset(), Forbidden(f"You may not list {plural}.", verb="list", resource=plural))
