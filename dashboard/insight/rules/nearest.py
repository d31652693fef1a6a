"""Which pods a selector that matches nothing was most likely meant for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from dashboard.insight.observed import Observed
from dashboard.kinds.base import Ref

from .templates import templates

ALIKE = 0.6  # a value so alike is most likely a slip


class Near(NamedTuple):
    """A workload or pod, its labels, and where they differ: what it has, and what is asked for, as ``key=value``."""

    ref: Ref
    labels: Mapping[str, str]
    differences: tuple[tuple[str, str], ...]


def nearest(survey: Observed, namespace: str, wanted: Mapping[str, str], name: str) -> Near | None:
    """The workload (or the pod that belongs to none) whose labels miss the selector by a slip, or that has the name of
    whatever selects; None when none does.
    """
    best: tuple[float, Near] | None = None
    for ref, labels in _candidates(survey, namespace):
        found = _compare(wanted, labels, 0.0 if ref.name == name else ALIKE)
        if found is not None and (best is None or found[0] > best[0]):
            best = found[0], Near(ref, labels, found[1])
    return best[1] if best is not None else None


def _candidates(survey: Observed, namespace: str) -> Iterator[tuple[Ref, Mapping[str, str]]]:
    for one in templates(survey, namespace):
        yield one.ref, one.labels
    for alike in survey.alike.get(namespace, ()):
        pod = alike.pods[0]
        if pod.metadata.controller is None:
            yield Ref("Pod", namespace, pod.metadata.name, "pods"), alike.labels


def _compare(
    wanted: Mapping[str, str], labels: Mapping[str, str], alike: float
) -> tuple[float, tuple[tuple[str, str], ...]] | None:
    """How near labels come, and the differences; None when one of them is no slip."""
    score, differences = 0.0, []
    for key, value in sorted(wanted.items()):
        has = labels.get(key)
        if has == value:
            score += 1
            continue
        slip = _slip(key, value, labels, alike)
        if slip is None:
            return None
        score += slip[0]
        differences.append((slip[1], f"{key}={value}"))
    return score / len(wanted), tuple(differences)


def _slip(key: str, value: str, labels: Mapping[str, str], alike: float) -> tuple[float, str] | None:
    """A value that is nearly right, or the right value under another key."""
    has = labels.get(key)
    if has is not None:
        ratio = SequenceMatcher(None, has, value).ratio()
        return (ratio, f"{key}={has}") if ratio >= alike else None
    other = next((name for name, text in sorted(labels.items()) if text == value), None)
    return (ALIKE, f"{other}={value}") if other is not None else None
