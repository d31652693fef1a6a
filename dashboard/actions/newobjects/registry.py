"""The forms of new objects, a line each, in the order in which they are offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed

from .budgets import NEW_BUDGET
from .claims import NEW_CLAIM
from .configmaps import NEW_CONFIGMAP
from .deployments import NEW_DEPLOYMENT
from .form import NewObject
from .ingresses import NEW_INGRESS
from .namespaces import NEW_NAMESPACE
from .secrets import NEW_SECRETS
from .services import NEW_SERVICE

NEW_OBJECTS: tuple[NewObject, ...] = (
    NEW_DEPLOYMENT,
    NEW_SERVICE,
    NEW_INGRESS,
    NEW_CONFIGMAP,
    NEW_SECRETS[0],
    NEW_CLAIM,
    NEW_BUDGET,
    NEW_NAMESPACE,
)
VARIANTS: Mapping[str, Sequence[NewObject]] = {"secrets": NEW_SECRETS}  # kinds with several forms


def new_object(plural: str, variant: str = "") -> NewObject:
    """The form of a kind; of several the first, if none of this name is there. Raises NotFound for a kind without one."""
    found = next((form for form in NEW_OBJECTS if form.plural == plural), None)
    if found is None:
        title = KINDS[plural].title if plural in KINDS else plural
        kinds = listed([form.kind.title for form in NEW_OBJECTS], "more kinds")
        raise NotFound(
            f"There is no form for {title}.",
            next_step=f"There is one for {kinds}; all else is created from YAML.",
        )
    return next((form for form in VARIANTS.get(plural, ()) if form.variant == variant), found)


def has_form(plural: str) -> bool:
    return any(form.plural == plural for form in NEW_OBJECTS)


def offered_from(plural: str) -> list[NewObject]:
    """The forms that the page of an object of a kind leads to."""
    return [form for form in NEW_OBJECTS if plural in form.offered_on]


def secret_names(plural: str) -> frozenset[str]:
    """Under which names a browser sends what is never sent back, of whatever form of a kind."""
    return frozenset().union(*(form.secret_names for form in _of_kind(plural)))


def known_names(plural: str) -> frozenset[str]:
    """Those of them whose values anybody may know."""
    return frozenset(each.name for form in _of_kind(plural) for each in form.inputs if each.known)


def _of_kind(plural: str) -> list[NewObject]:
    return [form for form in (*NEW_OBJECTS, *VARIANTS.get(plural, ())) if form.plural == plural]
