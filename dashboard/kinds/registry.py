"""The one list of kinds. A new kind is a module and a line here; those of plugins come at the start of the program."""

from __future__ import annotations

from typing import Any

from .base import Kind
from .clusterrolebindings import CLUSTERROLEBINDINGS
from .clusterroles import CLUSTERROLES
from .configmaps import CONFIGMAPS
from .cronjobs import CRONJOBS
from .custom import CustomKind
from .daemonsets import DAEMONSETS
from .deployments import DEPLOYMENTS
from .endpointslices import ENDPOINTSLICES
from .events import EVENTS
from .horizontalpodautoscalers import HORIZONTALPODAUTOSCALERS
from .ingressclasses import INGRESSCLASSES
from .ingresses import INGRESSES
from .jobs import JOBS
from .limitranges import LIMITRANGES
from .namespaces import NAMESPACES
from .networkpolicies import NETWORKPOLICIES
from .nodes import NODES
from .persistentvolumeclaims import PERSISTENTVOLUMECLAIMS
from .persistentvolumes import PERSISTENTVOLUMES
from .poddisruptionbudgets import PODDISRUPTIONBUDGETS
from .pods import PODS
from .priorityclasses import PRIORITYCLASSES
from .replicasets import REPLICASETS
from .resourcequotas import RESOURCEQUOTAS
from .rolebindings import ROLEBINDINGS
from .roles import ROLES
from .secrets import SECRETS
from .serviceaccounts import SERVICEACCOUNTS
from .services import SERVICES
from .statefulsets import STATEFULSETS
from .storageclasses import STORAGECLASSES

_ALL: tuple[Kind[Any], ...] = (
    PODS,
    DEPLOYMENTS,
    STATEFULSETS,
    DAEMONSETS,
    JOBS,
    CRONJOBS,
    REPLICASETS,
    HORIZONTALPODAUTOSCALERS,
    PODDISRUPTIONBUDGETS,
    SERVICES,
    INGRESSES,
    NETWORKPOLICIES,
    ENDPOINTSLICES,
    INGRESSCLASSES,
    CONFIGMAPS,
    SECRETS,
    RESOURCEQUOTAS,
    LIMITRANGES,
    PRIORITYCLASSES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    STORAGECLASSES,
    SERVICEACCOUNTS,
    ROLES,
    ROLEBINDINGS,
    CLUSTERROLES,
    CLUSTERROLEBINDINGS,
    NODES,
    NAMESPACES,
    EVENTS,
)

KINDS: dict[str, Kind[Any]] = {kind.plural: kind for kind in _ALL}
# Kinds that plugins declare, by "<plural>.<group>": each is there where an API server offers it (``catalogue.Kinds``).
CUSTOM: dict[str, CustomKind[Any]] = {}

# In the order of the menu: section title, its kinds.
SECTIONS: tuple[tuple[str, tuple[Kind[Any], ...]], ...] = tuple(
    (section, tuple(kind for kind in _ALL if kind.section == section))
    for section in dict.fromkeys(kind.section for kind in _ALL)
)

_BY_KIND = {kind.kind: kind for kind in _ALL}


def declared(plural: str) -> Kind[Any] | None:
    """The kind of this key whose objects are typed; None for one that is only known by its Table."""
    return KINDS.get(plural) or CUSTOM.get(plural)


def by_kind(kind: str) -> Kind[Any] | None:
    """The registered kind of that name (``Pod``), or None."""
    return _BY_KIND.get(kind)
