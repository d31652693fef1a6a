"""What depends on an object, of any kind: asked of the API server, as the user, for the names alone.

An owner reference can be in an object of any kind that the cluster offers, most of which nobody watches. So each kind is
listed once, without its content, for a bounded time; what the cache has in whole is taken from there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec

from dashboard.errors import ClusterError
from dashboard.insight.protocols import Knows, Objects
from dashboard.insight.removal import MAX_NAMES, Dependents, Group
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.meta import ObjectMeta, decode_custom
from dashboard.kube.answers import reading_answers
from dashboard.kube.transport import Transport

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
AT_ONCE = 8
SECONDS = 6.0  # for all kinds together; what was not read by then is named
PAGE = 500  # objects of a kind that are looked at
# Events are about objects and end by themselves.
_SKIPPED = frozenset({"events"})


class _Meta(ObjectMeta, frozen=True, gc=False):
    """Without annotations, of which a Secret's repeat its values."""

    annotations: Any = msgspec.field(name="-", default=None)


class _Item(msgspec.Struct, frozen=True):
    metadata: _Meta


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    continue_: str = msgspec.field(name="continue", default="")
    remaining_item_count: int = 0


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: tuple[_Item, ...] | None = None


_DECODER = msgspec.json.Decoder(_List, dec_hook=decode_custom)


@dataclass(frozen=True, slots=True)
class _Read:
    """The objects of a kind that were looked at, how many there are, and whether there are more than these."""

    kind: Kind[Any]
    metas: tuple[ObjectMeta, ...]
    count: int
    more: bool


# What was asked for already, for previews of many objects at once.
_asked: ContextVar[dict[Hashable, asyncio.Task[_List]] | None] = ContextVar("asked", default=None)


@contextmanager
def asked_once() -> Iterator[None]:
    """Each list that is needed meanwhile is asked for once, whoever needs it, and told to all of them."""
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


async def owned_by(
    *, transport: Transport, kinds: Mapping[str, Kind[Any]], objects: Objects, uid: str, namespace: str
) -> Dependents:
    """What an object owns, directly or through others; ``namespace`` is "" for one without, whose dependents may be in
    all of them.
    """
    asked = [
        kind
        for kind in _kinds(kinds)
        if kind.gvr.namespaced or not namespace  # an owner in a namespace owns nothing outside of it
    ]
    read, unread = await _each(asked, lambda kind: _members(transport, kind, namespace, objects))
    going = {uid}
    shared: set[str] = set()
    while True:
        # An object goes once the last of its owners is gone.
        more = {
            meta.uid
            for each in read
            for meta in each.metas
            if meta.uid not in going
            and meta.owner_references
            and all(o.uid in going for o in meta.owner_references)
        }
        if not more:
            break
        going |= more
    for each in read:
        shared |= {
            meta.uid
            for meta in each.metas
            if meta.uid not in going and any(owner.uid in going for owner in meta.owner_references)
        }
    cut = [each.kind.title for each in read if each.more]
    return Dependents(
        owned=_groups(read, going, namespace),
        shared=_groups(read, shared, namespace),
        unread=(*unread, *cut),
    )


async def inside(*, transport: Transport, kinds: Mapping[str, Kind[Any]], namespace: str) -> Dependents:
    """Counts of everything in a Namespace."""
    asked = [kind for kind in _kinds(kinds) if kind.gvr.namespaced]
    read, unread = await _each(asked, lambda kind: _counted(transport, kind, kind.gvr, namespace))
    groups = [_group(each, each.metas, each.count, namespace) for each in read if each.count]
    return Dependents(inside=tuple(groups), unread=unread)


async def defined_by(*, transport: Transport, manifest: Mapping[str, Any]) -> Dependents:
    """How many objects there are of the kind that a CustomResourceDefinition defines."""
    spec = manifest["spec"]
    names, served = spec["names"], [each["name"] for each in spec["versions"] if each.get("served")]
    title = str(names["plural"])
    if not served:
        return Dependents(unread=(title,))
    gvr = GVR(spec["group"], served[0], names["plural"], spec["scope"] == "Namespaced")
    try:
        found = await _list(transport, gvr, "", MAX_NAMES)
    except ClusterError:
        return Dependents(unread=(title,))
    metas = tuple(item.metadata for item in found.items or ())
    count = len(metas) + found.metadata.remaining_item_count
    group = Group(names["kind"], title, count, _names(metas, ""))
    return Dependents(inside=(group,) if count else ())


def _kinds(kinds: Mapping[str, Kind[Any]]) -> list[Kind[Any]]:
    return [kind for kind in kinds.values() if kind.plural not in _SKIPPED]


async def _each(kinds: Iterable[Kind[Any]], ask: Any) -> tuple[list[_Read], tuple[str, ...]]:
    """What was read of each kind, in their order, and the titles of those that could not be in time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(kind: Kind[Any]) -> _Read:
        async with gate:
            found: _Read = await ask(kind)
            return found

    tasks = {kind.plural: (kind, asyncio.create_task(one(kind))) for kind in kinds}
    if tasks:
        await asyncio.wait([task for _, task in tasks.values()], timeout=SECONDS)
    read, unread = [], []
    for kind, task in tasks.values():
        task.cancel()
        error = task.exception() if task.done() and not task.cancelled() else None
        if task.done() and not task.cancelled() and error is None:
            read.append(task.result())
        elif error is not None and not isinstance(error, ClusterError):
            raise error
        elif not (error is not None and error.status == 404):  # a kind that is offered no more holds nothing
            unread.append(kind.title)
    return read, tuple(unread)


async def _members(transport: Transport, kind: Kind[Any], namespace: str, objects: Objects) -> _Read:
    if namespace and isinstance(objects, Knows) and objects.knows(kind.plural, namespace):
        metas = tuple(one.metadata for one in objects.all(kind.plural, namespace))
        return _Read(kind, metas, len(metas), more=False)
    return await _counted(transport, kind, kind.gvr, namespace, PAGE)


async def _counted(
    transport: Transport, kind: Kind[Any], gvr: GVR, namespace: str, limit: int = MAX_NAMES
) -> _Read:
    found = await _list(transport, gvr, namespace, limit)
    metas = tuple(item.metadata for item in found.items or ())
    more = bool(found.metadata.continue_)
    return _Read(kind, metas, len(metas) + found.metadata.remaining_item_count, more)


async def _list(transport: Transport, gvr: GVR, namespace: str, limit: int) -> _List:
    asked = _asked.get()
    if asked is None:
        return await _ask(transport, gvr, namespace, limit)
    task = asked.get(key := (gvr, namespace, limit))
    if task is None:
        task = asked[key] = asyncio.create_task(_ask(transport, gvr, namespace, limit))
        task.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # told to whoever still waits
    return await asyncio.shield(task)


async def _ask(transport: Transport, gvr: GVR, namespace: str, limit: int) -> _List:
    response = await transport.request(
        "GET",
        gvr,
        namespace=namespace or None,
        query={"limit": str(limit)},
        accept=METADATA_LIST,
        timeout=SECONDS,
    )
    with reading_answers():
        return _DECODER.decode(response.body)


def _groups(read: Iterable[_Read], uids: Collection[str], namespace: str) -> tuple[Group, ...]:
    found: dict[str, tuple[_Read, list[ObjectMeta]]] = defaultdict()
    for each in read:
        metas = [meta for meta in each.metas if meta.uid in uids]
        if metas:
            found[each.kind.plural] = (each, metas)
    return tuple(
        Group(each.kind.kind, each.kind.title, len(metas), _names(metas, namespace), more=each.more)
        for each, metas in found.values()
    )


def _group(read: _Read, metas: Iterable[ObjectMeta], count: int, namespace: str) -> Group:
    return Group(read.kind.kind, read.kind.title, count, _names(metas, namespace))


def _names(metas: Iterable[ObjectMeta], namespace: str) -> tuple[str, ...]:
    return tuple(
        meta.name if meta.namespace in (namespace, "") else f"{meta.namespace}/{meta.name}"
        for meta in list(metas)[:MAX_NAMES]
    )
