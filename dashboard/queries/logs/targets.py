"""Whose logs belong to an object: its pods' containers, and names for them that are short and still differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.kinds.rows import natural

KINDS_WITH_LOGS = frozenset(
    {"pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs", "services"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """One container of one pod, as the pod's status tells of it."""

    uid: str
    pod: str
    container: str
    node: str = ""
    kind: str = "container"  # init, container, sidecar, ephemeral
    running: bool = False
    since: datetime | None = None  # of the present run
    restarts: int = 0
    previous: bool = False
    finished: bool = False  # and will not run again
    created: datetime | None = None  # the pod
    waiting: str = ""
    ended: str = ""  # how the last run ended

    @property
    def key(self) -> str:
        """Unique: a pod that is born again under its name is another."""
        return f"{self.uid}/{self.container}"


def targets(pods: Iterable[Any], names: Sequence[str] = (), containers: Sequence[str] = ()) -> list[Target]:
    """The containers of pods: first those that run, by name, then those that ended, the newest pod first.

    Empty ``names`` and ``containers``: all of them.
    """
    found = [
        target
        for pod in pods
        if not names or pod.metadata.name in names
        for target in _of_pod(pod)
        if not containers or target.container in containers
    ]
    found.sort(key=lambda each: (each.finished, -_seconds(each.created) * each.finished, natural(each.pod)))
    return found


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _of_pod(pod: Any) -> Iterable[Target]:
    spec, status = pod.spec, pod.status
    over = status.phase in ("Succeeded", "Failed")
    groups = (
        ("init", spec.init_containers, status.init_container_statuses),
        ("container", spec.containers, status.container_statuses),
        ("ephemeral", spec.ephemeral_containers, status.ephemeral_container_statuses),
    )
    for kind, containers, statuses in groups:
        states = {each.name: each for each in statuses or ()}
        for container in containers or ():
            sidecar = kind == "init" and container.sidecar
            yield _target(
                pod, container.name, "sidecar" if sidecar else kind, states.get(container.name), over
            )


def _target(pod: Any, name: str, kind: str, status: Any, over: bool) -> Target:
    meta = pod.metadata
    node = pod.spec.node_name or ""
    created = meta.creation_timestamp
    if status is None:
        waiting = "" if node else "Pending"
        return Target(meta.uid, meta.name, name, node, kind, finished=over, created=created, waiting=waiting)
    state, last = status.state, status.last_state.terminated
    ended = state.terminated or last
    return Target(
        meta.uid,
        meta.name,
        name,
        node,
        kind,
        running=state.running is not None,
        since=state.running.started_at if state.running else None,
        restarts=status.restart_count,
        previous=last is not None or (status.restart_count > 0),
        finished=over or (kind in ("init", "ephemeral") and _done(state.terminated, kind)),
        created=created,
        waiting=state.waiting.reason if state.waiting else "",
        ended=_how(ended) if ended else "",
    )


def _done(terminated: Any, kind: str) -> bool:
    return terminated is not None and (kind == "ephemeral" or terminated.exit_code == 0)


def _how(terminated: Any) -> str:
    word = terminated.word
    return word if word == "Completed" else f"{word}, exit code {terminated.exit_code}"


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name without what all of them begin with, cut at a hyphen: ``x2k4q`` for ``web-678c7d8f56-x2k4q``.

    What is left would say little (``0`` of ``database-0``) is lengthened by the word before it.
    """
    known = sorted(set(names))
    first, last = (known[0], known[-1]) if len(known) > 1 else ("", "")
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    common = first[:same]
    cut = common.rfind("-") + 1
    while cut and any(len(name) - cut < 3 for name in known):
        cut = common.rfind("-", 0, cut - 1) + 1
    return {name: name[cut:] for name in known}


def labels(found: Sequence[Target]) -> dict[str, str]:
    """What stands before a container's lines, by its key: no more of pod and container than tells it from the rest."""
    pods = short_names(each.pod for each in found)
    many_containers = len({each.container for each in found}) > 1
    return {
        each.key: " ".join(
            [
                *([pods[each.pod]] if len(pods) > 1 else []),
                *([each.container] if many_containers or len(pods) == 1 else []),
            ]
        )
        for each in found
    }
