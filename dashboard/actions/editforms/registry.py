"""The kinds whose objects are edited by form, a line each."""

from __future__ import annotations

from collections.abc import Mapping

from .budgets import EDIT_BUDGET
from .claims import EDIT_CLAIM
from .deployments import EDIT_DEPLOYMENT
from .editing import Editing
from .ingresses import EDIT_INGRESS
from .namespaces import EDIT_NAMESPACE
from .services import EDIT_SERVICE

_ALL = (EDIT_DEPLOYMENT, EDIT_SERVICE, EDIT_INGRESS, EDIT_CLAIM, EDIT_BUDGET, EDIT_NAMESPACE)
EDITINGS: Mapping[str, Editing] = {each.plural: each for each in _ALL}
