"""JSON Patch (RFC 6902) as far as it is sent from here, as the API server applies it: a test for null passes where there
is nothing, and one that fails refuses all of it.
"""

from __future__ import annotations

import copy
from typing import Any

from dashboard.actions.changedfields import steps_of
from dashboard.actions.fieldpatch import TEST_FAILED
from dashboard.errors import Invalid


def patched(manifest: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The object with the patch. Raises Invalid when a test fails."""
    made = copy.deepcopy(manifest)
    for each in operations:
        *above, last = steps_of(each["path"])
        at: Any = made
        for step in above:
            at = at[int(step)] if isinstance(at, list) else at.get(step)
            if at is None:
                raise Invalid(TEST_FAILED)
        key: Any = int(last) if isinstance(at, list) else last
        there = at[key] if isinstance(at, list) else at.get(key)
        if each["op"] == "test":
            if there != each["value"]:
                raise Invalid(TEST_FAILED)
        elif each["op"] == "remove":
            del at[key]
        else:
            at[key] = each["value"]
    return made
