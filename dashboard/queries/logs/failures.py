"""Why a container's log cannot be had, in words for a person."""

from __future__ import annotations

import re
from typing import NamedTuple

from dashboard.errors import BadInput, ClusterError, Forbidden, Gone, NotFound, Unavailable

from .reading import LogGone
from .targets import Target

_WAITING = re.compile(r"is waiting to start(?:: | - )(.+)$")


class Trouble(NamedTuple):
    """``state``: waiting (it will come), none (there is no such log), forbidden, unreachable."""

    state: str
    text: str


def explain(error: ClusterError, target: Target, *, previous: bool) -> Trouble:
    """The kubelet refuses in texts within a 400, 404 or 500 (validateContainerLogStatus of kubelet_pods.go)."""
    said = error.message
    match error:
        case BadInput() if found := _WAITING.search(said):
            return Trouble("waiting", f"Waiting to start: {found[1]}")
        case LogGone():
            return Trouble("none", f"Node {target.node} no longer has this log")
        case BadInput() | NotFound() if previous and target.previous:
            return Trouble("none", f"Node {target.node} no longer has the log of the previous run")
        case BadInput() | NotFound() if previous:
            return Trouble("none", "It has not run before: there is no previous log")
        case NotFound() if said.startswith("nodes "):
            return Trouble("none", f"Its node {target.node} is gone, and the log with it")
        case NotFound():
            return Trouble("none", "The pod is gone, and its log with it")
        case Forbidden():
            return Trouble("forbidden", f"You may not read it: {said}")
        case Gone():
            return Trouble("waiting", "The log was rotated; it continues with the next line")
        case Unavailable() if ":10250" in said or "containerLogs" in said or "dial tcp" in said:
            return Trouble(
                "unreachable", f"The kubelet of node {target.node} does not answer; it is tried again"
            )
        case Unavailable():
            return Trouble("unreachable", f"{said} It is tried again")
        case _:
            return Trouble("unreachable", said)
