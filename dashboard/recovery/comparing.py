"""Whether an object of a backup and one of a cluster mean the same, and what the second one becomes by the first.

Both are compared as they would be written again (``cleaning.py``), without addresses that the cluster hands out: what a
server or a controller keeps for itself is no difference.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from .cleaning import Manifest, cleaned, without_allocated


def comparable(group: str, plural: str, body: Mapping[str, Any]) -> Manifest:
    """The object by what people mean with it."""
    made = without_allocated(group, plural, cleaned(group, plural, body))
    made.pop("apiVersion", None)  # of the version that it was read in, which may differ
    made["metadata"].pop("ownerReferences", None)  # one that is not there any more owns nothing
    found: Manifest = pruned(made)
    return found


def pruned(value: Any) -> Any:
    """Without nulls, which say nothing; what is empty may say much, as a selector of everything does."""
    if isinstance(value, dict):
        return {key: pruned(below) for key, below in value.items() if below is not None}
    if isinstance(value, list):
        return [pruned(below) for below in value]
    return value


def same(group: str, plural: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects of a kind mean the same."""
    return comparable(group, plural, one) == comparable(group, plural, other)


def updated(group: str, plural: str, live: Manifest, wanted: Manifest) -> Manifest:
    """The object that is there, brought to what is wanted: what the cluster keeps for itself stays as it is."""
    was, becomes = comparable(group, plural, live), comparable(group, plural, wanted)
    made: Manifest = copy.deepcopy(live)
    _bring(made, was, becomes)
    made["metadata"].pop("managedFields", None)  # left out they stay as they are
    return made


def _bring(made: Manifest, was: Mapping[str, Any], becomes: Mapping[str, Any]) -> None:
    for key in [*becomes, *(key for key in was if key not in becomes)]:
        old, new = was.get(key), becomes.get(key)
        if old == new:
            continue
        if key not in becomes:
            made.pop(key, None)
        elif isinstance(old, dict) and isinstance(new, dict) and isinstance(made.get(key), dict):
            _bring(made[key], old, new)
        else:
            made[key] = copy.deepcopy(new)
