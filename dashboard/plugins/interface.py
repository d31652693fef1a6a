"""The interface of plugins: the hooks, and the names that a plugin may rely on (docs/plugins.md).

Its version is ``INTERFACE``. The first number changes when a plugin that worked may not any more, the second when
something is added. Whatever is not named in ``__all__`` may change with any commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from dashboard.actions.action import (
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    OwnedFields,
    Progress,
    pointer,
)
from dashboard.actions.fields import optional, whole_number
from dashboard.errors import BadInput, Invalid
from dashboard.insight.declared import DeclaredRule
from dashboard.insight.finding import Evidence, Finding, Known, Step, subject
from dashboard.insight.impact import Effect, Notice
from dashboard.insight.names import PluginName
from dashboard.insight.observed import Observed
from dashboard.insight.protocols import Objects
from dashboard.insight.words import bold, code, parts
from dashboard.kinds.base import GVR, Cell, Column, Condition, Detail, Fact, Kind, Ref, Row
from dashboard.kinds.custom import CustomKind
from dashboard.kinds.facts import conditions, page
from dashboard.kinds.meta import Object, ObjectCondition, ObjectMeta, Struct
from dashboard.kinds.rows import AGE_HELP, NAME_HELP, NONE, age, col, columns, make_row, sort_keys
from dashboard.live.screens.declared import DeclaredPage, Showing
from dashboard.live.screens.detail.cards.declared import DeclaredCard

__all__ = [
    "AGE_HELP", "GVR", "INTERFACE", "NAME_HELP", "NONE", "Action", "BadInput", "Cell", "Column", "Condition",
    "CustomKind", "DeclaredCard", "DeclaredPage", "DeclaredRule", "Description", "Detail", "DryRun", "Effect",
    "Evidence", "Fact", "Field", "Finding", "Invalid", "Kind", "Known", "Manifest", "Notice", "Object",
    "ObjectCondition", "ObjectMeta", "Objects", "Observed", "OwnedFields", "PluginName", "Progress", "Ref", "Row",
    "Showing", "Step", "Struct", "age", "bold", "code", "col", "columns", "conditions", "hook",
    "make_row", "optional", "page", "parts", "pointer", "sort_keys", "subject", "whole_number",
]  # fmt: skip

PROJECT = "cluster_ui"  # of pluggy, and the group of the entry points
INTERFACE = (1, 0)

hook = pluggy.HookimplMarker(PROJECT)
_spec = pluggy.HookspecMarker(PROJECT)


@_spec
def cluster_ui_kinds() -> Iterable[CustomKind[Any]]:
    """Custom kinds, known before any API server is asked what it offers."""
    return ()


@_spec
def cluster_ui_rules() -> Iterable[DeclaredRule]:
    """Rules: what may be wrong, and what to do."""
    return ()


@_spec
def cluster_ui_actions() -> Iterable[Action]:
    """Actions on objects, of any kind but Secrets."""
    return ()


@_spec
def cluster_ui_cards() -> Iterable[DeclaredCard]:
    """Cards on the pages of objects."""
    return ()


@_spec
def cluster_ui_pages() -> Iterable[DeclaredPage]:
    """Pages of their own."""
    return ()
