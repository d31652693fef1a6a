"""What became of each object of an operation: counts as a bar, and a window of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.actions.operation import passed
from dashboard.models import OperationResult

from ..common import iso, name_parts, object_url
from .state import BADGES, RESULT_STATES, RESULTS, OperationState

RESULT_WORDS = {
    "failed": "failed", "retrying": "retrying", "running": "under way", "waiting": "not started", "down": "not up",
    "left": "left as it is", "done": "done",
}  # fmt: skip
UNITS = 120  # the width of the bar of results, in its own units


class OperationResults(OperationState):
    """The worst ones first; by state, where one was chosen."""

    result_words: Mapping[str, str] = RESULT_WORDS
    results_title = "Results"

    def _results(self) -> dict[str, Any]:
        states = [state for state in RESULT_STATES if self.counts.get(state)]
        first = (min(self.at, self.pages) - 1) * RESULTS
        return {
            "title": self.results_title,
            "total": sum(self.counts.values()),
            "shown": self.shown,
            "first": first + 1,
            "last": first + len(self.window),
            "state": self.state,
            "bar": self._bar(states),
            "states": [
                {
                    "state": state,
                    "badge": BADGES[state],
                    "word": self.result_words[state],
                    "count": self.counts[state],
                    "url": f"?state={state}",
                }
                for state in states
            ],
            "rows": [self._row(result) for result in self.window],
            "previous": self._page_url(self.at - 1) if 1 < self.at <= self.pages else "",
            "next": self._page_url(self.at + 1) if self.at < self.pages else "",
        }

    def _page_url(self, at: int) -> str:
        return f"?state={self.state}&page={at}" if self.state else f"?page={at}"

    def _bar(self, states: Sequence[str]) -> list[dict[str, Any]]:
        """The results as segments of a bar, ended ones first."""
        total, at, parts = sum(self.counts.values()), 0.0, []
        for state in reversed(states):
            width = UNITS * self.counts[state] / total
            parts.append({"state": BADGES[state], "x": f"{at:.2f}", "width": f"{max(width - 0.4, 0.2):.2f}"})
            at += width
        return parts

    def result_text(self, result: OperationResult) -> str:
        """What is said of one object, to whoever may know it."""
        return result.text if self.tells_all else ""

    def _row(self, result: OperationResult) -> dict[str, Any]:
        head, tail = name_parts(result.plural, result.name)
        took = passed(iso(result.began_at), result.ended_at) if result.began_at and result.ended_at else None
        return {
            "head": head,
            "tail": tail,
            "kind": result.kind,
            "namespace": result.namespace,
            "url": object_url(self.runtime, result.plural, result.namespace, result.name),
            "state": BADGES[result.state],
            "word": result.data.get("word") or self.result_words[result.state],
            "text": self.result_text(result),
            "began": iso(result.began_at) if result.began_at else "",
            "took": None if took is None else f"{took:.0f} s",
        }
