"""Debug containers: which profile a namespace takes, what one does to its pod, and how far it has come.

Profiles are those of ``kubectl debug`` for ephemeral containers (kubernetes/kubectl, pkg/cmd/debug/profiles.go), but for
``sysadmin``, which is privileged; levels are those of Pod Security admission (kubernetes/pod-security-admission).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.kinds.base import State
from dashboard.kinds.pods import DEFAULT_CONTAINER, Pod
from dashboard.kinds.podstatus import ContainerStatus
from dashboard.kinds.podwords import ended, waiting

from .impact import Effect, Impact, Notice
from .protocols import Objects
from .words import bold, parts

ENFORCE = "pod-security.kubernetes.io/enforce"
OVER = frozenset({"Succeeded", "Failed"})  # phases in which the kubelet starts nothing any more
MAX_HOURS = 8
_LEVELS = {"": "general", "privileged": "general", "baseline": "baseline"}


def enforced_level(objects: Objects, namespace: str) -> str | None:
    """The Pod Security level that a namespace enforces, "" for none; None where the account may not see it."""
    found = objects.get("namespaces", "", namespace)
    return None if found is None else str((found.metadata.labels or {}).get(ENFORCE, ""))


def fitting_profile(objects: Objects, namespace: str) -> str:
    """The profile with the most rights that a namespace takes; where that is not known, the one that every one takes."""
    level = enforced_level(objects, namespace)
    return "restricted" if level is None else _LEVELS.get(level, "restricted")


def level_words(objects: Objects, namespace: str) -> str:
    """Which level it enforces, as a sentence."""
    level = enforced_level(objects, namespace)
    if level is None:
        return f"Your account can't see which Pod Security level namespace {namespace} enforces."
    if not level:
        return f"Namespace {namespace} enforces no Pod Security level."
    return f"Namespace {namespace} enforces the Pod Security level {level}."


def debug_impact(pod: Pod, name: str, image: str, target: str) -> Impact:
    """What a debug container does to its pod. ``target`` is the container whose processes it sees, or ""."""
    headline = Notice(
        "warn",
        "It can't be removed",
        f"An ephemeral container stays in {pod.metadata.name} until the pod is deleted. It ends after {MAX_HOURS} hours"
        f"{f', and when container {target} restarts' if target else ''}; nothing restarts it.",
    )
    return Impact(headline, (*_effects(pod, name, image, target),))


def _effects(pod: Pod, name: str, image: str, target: str) -> Iterator[Effect]:
    yield Effect(
        "ok", "plus", parts(bold(f"Container {name}"), " is added to the pod"), f"image {image}", "new"
    )
    yield Effect("ok", "ok", parts("The other containers keep running"), "nothing is restarted")
    if target:
        text = parts("It sees the processes of ", bold(target))
        yield Effect("info", "eye", text, "and its files, below /proc/1/root, as far as its user may")
    else:
        yield Effect("info", "info", parts("It sees no processes but its own"), "it shares the pod's network")
    text = parts("It has no requests and limits of its own")
    yield Effect("info", "gauge", text, "what it uses counts against the node and the pod's limits")
    if not pod.spec.node_name:
        yield Effect("warn", "wait", parts("The pod is not scheduled yet"), "it starts with the pod", "waits")


@dataclass(frozen=True, slots=True)
class DebugProgress:
    """How far a debug container has come: it ``runs``, or is ``over``, or is still waited for."""

    state: State
    headline: str
    text: str
    runs: bool = False
    over: bool = False


def debug_progress(pod: Pod, name: str) -> DebugProgress:
    """How far the debug container of that name in a pod has come."""
    image = next((one.image for one in pod.spec.ephemeral_containers or () if one.name == name), "")
    status = next((one for one in pod.status.ephemeral_container_statuses or () if one.name == name), None)
    if pod.status.phase in OVER:
        text = f"Pod {pod.metadata.name} has ended: nothing is started in it any more."
        return DebugProgress("done", f"{name} does not run", text, over=True)
    if status is not None and (last := status.state.terminated) is not None:
        text = f"{last.message or ended(name, last).capitalize()}.".replace("..", ".")
        state: State = "done" if last.exit_code == 0 else "bad"
        return DebugProgress(
            state, f"{name} has ended", f"{text} It is not restarted: add another one.", over=True
        )
    if status is not None and status.state.running is not None:
        return DebugProgress("ok", f"{name} is running", "", runs=True)
    if pod.metadata.deletion_timestamp is not None:
        text = f"Pod {pod.metadata.name} is being deleted."
        return DebugProgress("bad", f"{name} does not run", text, over=True)
    return _waiting(pod, name, image, status)


def _waiting(pod: Pod, name: str, image: str, status: ContainerStatus | None) -> DebugProgress:
    headline = f"{name} is starting"
    if not pod.spec.node_name:
        return DebugProgress("info", headline, "The pod is not scheduled on a node yet.")
    if status is None:
        text = f"The kubelet of node {pod.spec.node_name} has not started it yet."
        return DebugProgress("info", headline, text)
    state, why = waiting(name, image, status)
    if state == "info":
        text = f"The kubelet of node {pod.spec.node_name} pulls image {image} and creates it."
        return DebugProgress("info", headline, text)
    text = f"{why[:1].upper()}{why[1:].rstrip('.')}. The kubelet keeps trying; another one can have another image."
    return DebugProgress("bad", f"{name} can't start", text)


def debuggable(pod: Pod) -> tuple[str, ...]:
    """The containers of a pod that run, whose processes a debug container can see; the annotated one first."""
    running = {one.name for one in pod.status.container_statuses or () if one.state.running is not None}
    names = [one.name for one in pod.spec.containers or () if one.name in running]
    annotated = (pod.metadata.annotations or {}).get(DEFAULT_CONTAINER, "")
    return tuple(sorted(names, key=lambda name: name != annotated))
