"""The labels by which a new object selects pods: as rows of a form, with how many pods each of them has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboard.insight.selecting import PASSING, matching_pods
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural

from .form import Checks, Input, Look
from .reading import counted, label_key, label_value


def _keys(look: Look) -> Iterable[str]:
    return counted(each.partition("=")[0] for each in look.labels)


def _values(look: Look) -> Iterable[str]:
    keys = {row["key"] for row in look.values.get("selector") or () if row["key"]}
    pairs = (each.partition("=") for each in look.labels)
    return counted(value for key, _, value in pairs if not keys or key in keys)


def selector_input(at: str) -> Input:
    return Input(
        name="selector",
        label="Labels",
        input="rows",
        add="Label",
        at=(at,),
        columns=(
            Input(name="key", label="Label", parse=label_key, required=True, suggest=_keys),
            Input(name="value", label="Value", parse=label_value, suggest=_values),
        ),
    )


def selector_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The labels that were typed, those that can be read."""
    return {row["key"]: row["value"] or "" for row in values.get("selector") or () if row["key"]}


def chosen_pods(look: Look, checks: Checks) -> Sequence[Pod] | None:
    """The pods that the typed labels select, with the number of each label said beside it; None where it cannot be known,
    which is said too."""
    selector = selector_of(look.values)
    if not selector or not look.namespace:
        return []
    if why := look.unknown("pods"):
        checks.at("selector", "info", f"Which pods it matches is not known: {why}.")
        return None
    for row in look.values["selector"]:
        if not row["key"]:
            continue
        count = look.labels.get(f"{row['key']}={row['value'] or ''}", 0)
        if row["key"] in PASSING:
            checks.at(row.place, "warn", f"{plural(count, 'pod')}; the next rollout gives them another value")
        elif count:
            checks.at(row.place, "ok", plural(count, "pod"))
        else:
            checks.at(row.place, "warn", f"no pod in {look.namespace} has it")
    return matching_pods(look.objects, look.namespace, selector)


def selector_rows(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Labels as a form is filled with them, without those that change with each rollout."""
    kept = {key: value for key, value in labels.items() if key not in PASSING}
    return {"selector.key": list(kept), "selector.value": list(kept.values())}
