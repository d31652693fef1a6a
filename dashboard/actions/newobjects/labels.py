"""Labels that a new object carries, as rows of a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .form import Input
from .reading import label_key, label_value

LABELS = Input(
    name="labels",
    label="Labels",
    input="rows",
    add="Label",
    at=("metadata.labels",),
    columns=(
        Input(name="key", label="Label", parse=label_key, required=True),
        Input(name="value", label="Value", parse=label_value),
    ),
)


def labels_of(values: Mapping[str, Any]) -> dict[str, str]:
    return {row["key"]: row["value"] or "" for row in values["labels"] if row["key"]}
