"""Whether a pod is fine, as it tells by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.podstatus import ContainerStatus

# A restart longer ago than this is history, not a problem.
RECENT = timedelta(hours=1)


def is_ready(pod: Pod) -> bool:
    """Whether the pod receives traffic."""
    ready = find_condition(pod.status.conditions or (), "Ready")
    return ready is not None and ready.status == "True"


def healthy(pod: Pod, since: datetime) -> bool:
    """The cheap check that nearly all pods pass: it runs and is ready, or is finished, and was not restarted since."""
    status = pod.status
    if pod.metadata.deletion_timestamp is not None:
        return False
    if status.phase != "Running":
        return status.phase == "Succeeded"
    for container in status.container_statuses or ():
        if not container.ready or (container.restart_count and _ended_after(container, since)):
            return False
    for container in status.init_container_statuses or ():
        # Of those that run on, sidecars; the others are at their end.
        again = container.restart_count and _ended_after(container, since)
        if container.state.terminated is None and (not container.ready or again):
            return False
    ready = False
    for condition in status.conditions or ():
        if resize_held(condition):
            return False
        ready = ready or (condition.type == "Ready" and condition.status == "True")
    return ready


def resize_held(condition: ObjectCondition) -> bool:
    """Whether it says that containers keep their former requests and limits (KEP-1287): their node cannot, or not yet,
    give what is asked for, or has failed to.
    """
    if condition.status != "True" or not condition.type.startswith("PodResize"):
        return False
    return condition.type == "PodResizePending" or condition.reason == "Error"


def _ended_after(container: ContainerStatus, since: datetime) -> bool:
    last = container.last_state.terminated
    return last is None or last.finished_at is None or last.finished_at > since
