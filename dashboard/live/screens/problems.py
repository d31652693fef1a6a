"""Findings as rows: a sentence, its next step, a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import render
from dashboard.insight import Finding
from dashboard.live.runtime import ClusterRuntime

from .common import iso, object_url, ref_url


def problem_rows(runtime: ClusterRuntime, found: Sequence[Finding]) -> Mapping[str, render.Part]:
    """The rows of a ``problems`` list, in the order of the findings."""
    rows = [_problem(runtime, finding) for finding in found]
    return {row["id"]: render.partial("problem", row) for row in rows}


def _problem(runtime: ClusterRuntime, finding: Finding) -> dict[str, Any]:
    where = "-".join(part for part in (finding.plural, finding.namespace, finding.name) if part)
    next_url = ref_url(runtime, finding.next_ref)
    return {
        "id": f"problem-{finding.rule}-{where}",
        "state": finding.severity,
        "text_parts": list(finding.text),
        "next": {"text": finding.next_step, "url": next_url} if finding.next_step else None,
        "more": finding.evidence,
        "url": object_url(runtime, finding.plural, finding.namespace, finding.name),
        "since": iso(finding.since),
    }
