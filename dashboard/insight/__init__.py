"""Pure rules over typed objects: what is wrong, what a change would do, how far a rollout is.

Knows neither Django nor Channels nor the client, and has no clock: the moment is passed in.
"""

from .finding import Finding
from .findings import findings, findings_for, order, read_for
from .groups import Problem, problems
from .impact import Effect, Impact, Notice
from .ordinals import scale_impact
from .protocols import Objects
from .restart import RESTARTS_AGAIN, restart_impact, template_impact
from .rollout import Followed, PodMark, PodSet, Rollout, Workload, rollout_status, workload_rollout
from .scaling import scale_hint

__all__ = [
    "RESTARTS_AGAIN",
    "Effect", "Finding", "Followed", "Impact", "Notice", "Objects", "PodMark", "PodSet", "Problem", "Rollout", "Workload",
    "findings", "findings_for", "order", "problems", "read_for", "restart_impact", "rollout_status", "scale_hint",
    "scale_impact", "template_impact", "workload_rollout",
]  # fmt: skip
