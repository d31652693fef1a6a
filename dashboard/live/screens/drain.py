"""A drain that was begun: how many pods are gone, what is refused and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dashboard.actions.drain import drain_line, settings_of
from dashboard.actions.evictions import untried
from dashboard.actions.operation import moment
from dashboard.kinds.rows import plural
from dashboard.models import Operation, OperationResult
from dashboard.rights import MissingRight

from .operation import RESULT_WORDS, OperationScreen


class DrainScreen(OperationScreen):
    result_words: Mapping[str, str] = {
        **RESULT_WORDS,
        "failed": "not evicted", "retrying": "refused", "running": "terminating", "left": "left running",
        "done": "evicted",
    }  # fmt: skip
    results_title = "Pods"
    running_words = (
        "You can leave this page: the drain continues, and resumes if the dashboard restarts. Stopping it leaves the "
        "node cordoned."
    )
    resume_words = "Resuming checks every pod that is left again."
    back_words = "Uncordon…"
    back_warns = False

    def must_see(self) -> None:
        """Raises Forbidden for whoever may not see the pods of all namespaces, as they are told by name."""
        super().must_see()
        pods = self.visible["pods"]
        if pods.unknown is not None:
            raise pods.unknown
        if pods.denied is not None or pods.namespaces is not None:
            message = "You may not list pods in all namespaces."
            raise pods.denied or MissingRight("list", "pods", message=message)

    def words(self) -> tuple[str, str, str]:
        state, headline, text = super().words()
        operation, name = self.operation, self.change.name
        if operation is None or self.before is not None or operation.waits:
            return state, headline, text
        gone = f"{self.counts.get('done', 0)} of {plural(sum(self.counts.values()), 'pod')} evicted."
        match operation.state:
            case Operation.State.RUNNING:
                refused = self.counts.get("retrying", 0)
                text = f"{gone} {self.deadline()}".strip()
                if refused:
                    return "warn", f"Draining {name}: {plural(refused, 'eviction')} refused, retrying", text
                return "info", f"Draining {name}", text
            case Operation.State.DONE if state == "done":
                return "done", f"{name} is drained", gone
            case Operation.State.STOPPED:
                return state, headline, f"{text} {gone} {name} stays cordoned.".strip()
            case Operation.State.REPLACED:
                return "done", f"{name} was uncordoned", f"{gone} They are not moved back."
            case _:
                return state, headline, f"{text} {gone}".strip()

    def deadline(self) -> str:
        """When it gives up, as a sentence."""
        step = next(
            (each for each in self.steps if each["do"] == "evict" and each["state"] == "running"), None
        )
        if step is None or not step["since"]:
            return ""
        until = moment(step["since"]) + timedelta(seconds=step["timeout"])
        return f"It gives up on {until:%Y-%m-%d at %H:%M:%S} UTC."

    def rest(self) -> str:
        return ""  # told by the counts

    def result_text(self, result: OperationResult) -> str:
        return super().result_text(result) if self.running else untried(super().result_text(result))

    def _row(self, result: OperationResult) -> dict[str, Any]:
        row = super()._row(result)
        if not self.running and not result.ended_at:
            row["began"] = ""  # no time passes
            if result.state == "running":  # nobody looks at it any more
                row |= {"state": "warn", "word": "eviction sent"}
        return row

    def kubectl(self) -> str:
        return drain_line(self.change.name, settings_of(self.change))
