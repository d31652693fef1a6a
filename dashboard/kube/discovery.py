"""What an API server offers: every resource that can be listed and watched, in the version that its group prefers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import msgspec

from dashboard.errors import ClusterError
from dashboard.kinds.base import GVR
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport

__all__ = ["discover"]

# Everything in two answers (Kubernetes 1.26 and later); before that, one for each group and version.
AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    )
)
AT_ONCE = 8
NEEDED = {"list", "watch"}


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""


class _ResponseKind(msgspec.Struct, frozen=True):
    kind: str = ""


class _Subresource(msgspec.Struct, frozen=True):
    subresource: str = ""


class _Offered(msgspec.Struct, frozen=True, rename="camel"):
    """A resource of either form: the aggregated one calls it ``resource`` and holds its subresources, the older one
    ``name``, and lists them beside it.
    """

    resource: str = ""
    name: str = ""
    response_kind: _ResponseKind | None = None
    kind: str = ""
    scope: str = ""
    namespaced: bool = False
    singular_resource: str = ""
    singular_name: str = ""
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    subresources: tuple[_Subresource, ...] | None = None


class _Version(msgspec.Struct, frozen=True):
    version: str
    freshness: str = ""
    resources: tuple[_Offered, ...] | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the API server behind it could not be asked."""
        return self.freshness == "Stale"


class _GroupItem(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    versions: tuple[_Version, ...] = ()


class _Group(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    versions: tuple[_Version, ...] = ()
    preferred_version: _Version | None = None


class _Answer(msgspec.Struct, frozen=True):
    """``APIGroupDiscoveryList``, ``APIVersions`` or ``APIGroupList``."""

    kind: str = ""
    items: tuple[_GroupItem, ...] | None = None
    versions: tuple[str, ...] = ()
    groups: tuple[_Group, ...] | None = None


class _Resources(msgspec.Struct, frozen=True):
    resources: tuple[_Offered, ...] | None = None


async def discover(transport: Transport, known: Iterable[Resource] = ()) -> tuple[Resource, ...]:
    """Every resource, once; of an aggregated API server that is away those that were ``known``. Raises ClusterError when
    the API server does not tell.
    """
    core, groups = await asyncio.gather(_ask(transport, "/api"), _ask(transport, "/apis"))
    found: dict[tuple[str, str], Resource] = {}
    for group, version, offered in [
        *await _versions(transport, core, ""),
        *await _versions(transport, groups, None),
    ]:
        resources = (
            _resources(group, version, offered)
            if offered is not None
            else (each for each in known if (each.gvr.group, each.gvr.version) == (group, version))
        )
        # The first version is the preferred one; a resource that it lacks is taken from a later one.
        for resource in resources:
            found.setdefault((group, resource.gvr.plural), resource)
    return tuple(found.values())


async def _ask(transport: Transport, path: str) -> _Answer:
    response = await transport.request("GET", path, accept=AGGREGATED, timeout=10.0)
    return read_answer(response.body, _Answer)


_Found = tuple[str, str, tuple[_Offered, ...] | None]  # None: whoever offers it is away


async def _versions(transport: Transport, answer: _Answer, group: str | None) -> list[_Found]:
    """(group, version, what it offers), each group's preferred version first."""
    if answer.items is not None or answer.kind == "APIGroupDiscoveryList":
        return [
            (item.metadata.name, version.version, version.resources or (None if version.is_stale else ()))
            for item in answer.items or ()
            for version in item.versions
        ]
    if group is not None:
        wanted = [(group, version) for version in answer.versions]
    else:
        wanted = [(each.name, version) for each in answer.groups or () for version in _preferred_first(each)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, version: str) -> _Found:
        path = f"/apis/{name}/{version}" if name else f"/api/{version}"
        async with gate:
            try:
                response = await transport.request("GET", path, timeout=10.0)
                return name, version, read_answer(response.body, _Resources).resources or ()
            except ClusterError:
                return name, version, None  # an aggregated API server that is away must not hide the rest

    return list(await asyncio.gather(*(one(*each) for each in wanted)))


def _preferred_first(group: _Group) -> Iterable[str]:
    preferred = group.preferred_version.version if group.preferred_version else ""
    return sorted((each.version for each in group.versions), key=lambda version: version != preferred)


def _resources(group: str, version: str, offered: Iterable[_Offered]) -> Iterator[Resource]:
    offered = tuple(offered)
    beside = {each.name for each in offered}
    for each in offered:
        plural = each.resource or each.name
        if "/" in plural or not NEEDED.issubset(each.verbs):
            continue
        yield Resource(
            GVR(group, version, plural, each.scope == "Namespaced" if each.scope else each.namespaced),
            each.response_kind.kind if each.response_kind else each.kind,
            each.singular_resource or each.singular_name,
            each.short_names,
            scales=f"{plural}/scale" in beside
            or any(one.subresource == "scale" for one in each.subresources or ()),
        )
