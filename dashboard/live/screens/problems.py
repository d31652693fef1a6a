"""Problems as rows: a sentence, its evidence, its next step, a link; and what else has the same cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dashboard import render
from dashboard.insight import Finding, Problem
from dashboard.insight.finding import LogWish, Step
from dashboard.kinds.references import title
from dashboard.live.runtime import ClusterRuntime

from .answers import answered
from .common import iso, object_url, ref_url

OTHERS = 4  # consequences named in a row; the rest are counted

Line = tuple[str, str]  # time in RFC 3339, text
Logs = Mapping[LogWish, Sequence[Line]]  # the last lines, those of what could not be read left out or empty


def problem_rows(runtime: ClusterRuntime, found: Sequence[Problem], logs: Logs) -> Mapping[str, render.Part]:
    """The rows of a ``problems`` list in short, in their order: of the evidence the first piece, of the logs that were
    read the line that tells why."""
    rows = []
    for problem in found:
        row = _row(runtime, problem.lead, logs)
        first = next(iter(problem.lead.evidence), None)
        row["more"] = f"{first.where}: {first.says}" if first else ""
        row["others"] = [
            _others(runtime, words, others)
            for words, others in (
                ("Same cause", problem.alike),
                ("Follows from it", problem.follow),
            )
            if others
        ]
        rows.append(row)
    return _parts(rows)


def finding_rows(
    runtime: ClusterRuntime, found: Sequence[Finding], logs: Logs, here: str
) -> Mapping[str, render.Part]:
    """The rows of a ``problems`` list with all that the findings rest on, and the last lines of logs that were read;
    on the page at ``here``, to which no step need lead.
    """
    rows = []
    for finding in found:
        row = _row(runtime, finding, logs, here)
        row["evidence"] = [
            {"where": one.where, "says": one.says, "url": url if url != here else ""}
            for one in finding.evidence
            for url in [ref_url(runtime, one.ref)]
        ]
        wish = finding.log
        row["log"] = _log(runtime, wish, logs[wish]) if wish is not None and logs.get(wish) else None
        rows.append(row)
    return _parts(rows)


def _parts(rows: Sequence[dict[str, Any]]) -> Mapping[str, render.Part]:
    """By their ids; an object may have several of one rule, one a port or backend."""
    count: Counter[str] = Counter()
    for row in rows:
        count[row["id"]] += 1
        if count[row["id"]] > 1:
            row["id"] += f"--{count[row['id']]}"
    return {row["id"]: render.partial("problem", row) for row in rows}


def _row(runtime: ClusterRuntime, finding: Finding, logs: Logs, here: str = "") -> dict[str, Any]:
    kind = finding.plural or f"{finding.kind}.{finding.ref.group}"
    where = "-".join(part for part in (kind, finding.namespace, finding.name) if part)
    url = ref_url(runtime, finding.ref)
    lines = logs.get(finding.log, ()) if finding.log is not None else ()
    return {
        "id": f"problem-{finding.rule}-{where}",
        "state": "info" if finding.severity == "note" else finding.severity,
        "text_parts": list(answered(finding, [text for _, text in lines])),
        "next": [
            {"text": step.text, "url": leads if (leads := step_url(runtime, step)) not in (url, here) else ""}
            for step in (finding.step, finding.step.instead)
            if step is not None and step.text
        ],
        "url": url,
        "since": iso(finding.since),
    }


def step_url(runtime: ClusterRuntime, step: Step) -> str:
    """Where a step is taken, "" where this program has no page for it."""
    url = ref_url(runtime, step.ref)
    if not url or not step.page:
        return url
    query = {"container": step.container, "previous": "1" if step.previous else ""}
    words = urlencode({key: value for key, value in query.items() if value})
    return f"{url}{step.page}/{'?' if words else ''}{words}"


def _others(runtime: ClusterRuntime, words: str, found: Sequence[Finding]) -> dict[str, Any]:
    each = {one.ref: one for one in found}  # an Ingress may lead to a broken Service by several paths
    shown = [
        {"text": title(ref), "url": ref_url(runtime, ref)}
        for ref in list(each)[: OTHERS if len(each) > OTHERS + 1 else OTHERS + 1]
    ]
    return {"words": words, "shown": shown, "more": len(each) - len(shown)}


def _log(runtime: ClusterRuntime, wish: LogWish, lines: Sequence[Line]) -> dict[str, Any]:
    url = object_url(runtime, "pods", wish.namespace, wish.pod, "logs")
    query = {"container": wish.container} | ({"previous": "1"} if wish.previous else {})
    return {
        "title": f"Last lines of container {wish.container} in {wish.pod}"
        + (", before it ended" if wish.previous else ""),
        "url": f"{url}?{urlencode(query)}",
        "lines": [text for _, text in lines],
    }
