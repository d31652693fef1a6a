"""The kinds of one cluster: those that have a module here, and whatever else its API server offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .base import GVR, Kind
from .custom import CustomKind
from .references import group_of, present_group
from .registry import CUSTOM, KINDS
from .tablekinds import Resource, TableKind
from .webhooks import WEBHOOKS

# What custom kinds are made of: it is watched, to hear of them.
DEFINITIONS = Resource(
    GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False),
    "CustomResourceDefinition",
    "customresourcedefinition",
    ("crd", "crds"),
)
# APIs that another program serves: the rules read whether they answer.
APISERVICES = Resource(
    GVR("apiregistration.k8s.io", "v1", "apiservices", namespaced=False), "APIService", "apiservice"
)
# Kinds that every API server offers, without a page of lists of their own here, that the rules read.
BESIDES = frozenset({APISERVICES.key, *(kind.plural for kind in WEBHOOKS)})
# What pods ask for devices with, where the API server offers it: the rules read which of them there are.
RESOURCE_CLAIMS = "resourceclaims.resource.k8s.io"
# The API server has these twice; the second is the first under another name.
_TWICE = frozenset({("events.k8s.io", "events")})
# The API groups of Kubernetes itself: whatever else there is came with something that was installed.
BUILT_IN = frozenset(
    {
        "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
        "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io", "metrics.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)  # fmt: skip


class Kinds(Mapping[str, Kind[Any]]):
    """By plural, or ``<plural>.<group>`` for a kind without a module here.

    ``served`` are those without a module here that are offered now: another tuple whenever anything of them changes.
    A kind that was offered once stays known, as the same object, so that who looks at it can be told when it goes and
    when it comes back. A plugin's kind stands for its resource where that is offered in the version it was declared for.
    """

    def __init__(self, registered: Mapping[str, Kind[Any]] = KINDS) -> None:
        self._registered = registered
        self._others: dict[str, Kind[Any]] = {
            known.key: TableKind.of(known) for known in (DEFINITIONS, APISERVICES)
        } | {known.plural: replace(known) for known in WEBHOOKS}
        self.served: tuple[Kind[Any], ...] = ()

    def __getitem__(self, plural: str) -> Kind[Any]:
        return self._registered.get(plural) or self._others[plural]

    def __iter__(self) -> Iterator[str]:
        yield from self._registered
        yield from self._others

    def __len__(self) -> int:
        return len(self._registered) + len(self._others)

    def learn(self, resources: Iterable[Resource]) -> bool:
        """What the API server offers now. True when that differs from before."""
        known = {(kind.gvr.group, kind.gvr.plural) for kind in self._registered.values()} | _TWICE
        served: list[Kind[Any]] = []
        differs = False
        for resource in resources:
            if (resource.gvr.group, resource.gvr.plural) in known:
                continue
            table = TableKind.of(resource)
            typed = CUSTOM.get(resource.key)
            fresh = typed.of(resource) if typed is not None and typed.gvr == resource.gvr else table
            kind = self._others.setdefault(resource.key, fresh)
            if isinstance(kind, TableKind | CustomKind):
                differs |= kind is not fresh and kind.adopt(table)
            served.append(kind)
        served.sort(key=lambda kind: (kind.gvr.group, kind.title))
        differs |= served != list(self.served)
        if differs:
            self.served = tuple(served)
        return differs


def kind_named(kinds: Mapping[str, Kind[Any]], api_version: str, kind: str) -> Kind[Any] | None:
    """The kind that a reference with an apiVersion means."""
    return kind_in(kinds, group_of(api_version), kind)


def kind_in(kinds: Mapping[str, Kind[Any]], group: str | None, kind: str) -> Kind[Any] | None:
    """The kind of a group. Without a group (None): the one of that name, if there is only one."""
    found = [each for each in kinds.values() if each.kind == kind]
    if group is not None:
        group = present_group(group, kind)
        return next((each for each in found if each.gvr.group == group), None)
    registered = [each for each in found if not each.discovered]
    found = registered or found
    return found[0] if len(found) == 1 else None
