"""Who uses a ConfigMap, by which keys, and when each would see a new value.

Rules: a variable of the environment is set when a container starts; the kubelet refreshes the files of a mounted
ConfigMap, but never one mounted by subPath (kubernetes.io/docs/concepts/configuration/configmap).
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.uses import Mention, Mount, mentions

from .impact import Effect
from .protocols import Objects
from .relations import pod_spec, reference
from .words import bold, parts

Way = Literal["env", "envFrom", "volume", "subPath"]

# What is read to tell who uses it.
READ = frozenset({"pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"})
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")
_KINDS = {
    "deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet",
    "cronjobs": "CronJob", "jobs": "Job", "pods": "Pod",
}  # fmt: skip
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which a pod spec uses it. ``keys`` None: all of them. ``needed`` are those without which no container
    starts.
    """

    way: Way
    keys: frozenset[str] | None
    needed: frozenset[str] = frozenset()

    def concerns(self, keys: Collection[str]) -> bool:
        return self.keys is None or not self.keys.isdisjoint(keys)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A workload, or a pod that belongs to none, and how it uses it."""

    ref: Ref
    uses: tuple[Use, ...]

    @property
    def restartable(self) -> bool:
        return self.ref.plural in RESTARTABLE

    def touched(self, keys: Collection[str]) -> tuple[Use, ...]:
        """The uses that these keys concern."""
        return tuple(use for use in self.uses if use.concerns(keys))

    def needs_restart(self, keys: Collection[str]) -> bool:
        """Whether its containers see new values of these keys only when they start anew."""
        return any(use.way != "volume" for use in self.touched(keys))


def spec_uses(spec: PodSpec, name: str) -> tuple[Use, ...]:
    """How a pod spec uses the ConfigMap of this name."""
    return tuple(dict.fromkeys(_uses(spec, name)))


def consumers(objects: Objects, namespace: str, name: str) -> tuple[Consumer, ...]:
    """Everything in the namespace whose pods use it; what a controller makes is told by the topmost one."""
    found = []
    for kind_plural, kind_name in _KINDS.items():
        for each in objects.all(kind_plural, namespace):
            if _belongs(each):
                continue
            spec = pod_spec(kind_plural, each)
            if spec is not None and (uses := spec_uses(spec, name)):
                ref = Ref(kind_name, namespace, each.metadata.name, kind_plural)
                found.append(Consumer(ref, uses))
    return tuple(found)


def stale_pods(
    objects: Objects, namespace: str, name: str, keys: Collection[str], since: datetime
) -> dict[Ref, int]:
    """How many pods of whom were started before ``since`` and so still run the old values of these keys."""
    found: dict[Ref, int] = {}
    # The API server tells whole seconds: a pod of the same second is most likely the restart that came with the change.
    since = since.replace(microsecond=0)
    for pod in objects.all("pods", namespace):
        created = pod.metadata.creation_timestamp
        if (
            created is None
            or created >= since
            or pod.status.phase in _ENDED
            or pod.metadata.deletion_timestamp
        ):
            continue
        uses = spec_uses(pod.spec, name)
        if any(use.way != "volume" and use.concerns(keys) for use in uses):
            owner = pod_owner(objects, pod)
            found[owner] = found.get(owner, 0) + 1
    return found


def pod_owner(objects: Objects, pod: Any) -> Ref:
    """The topmost controller of a pod that is a workload here, else its controller of any kind, or the pod itself."""
    meta = pod.metadata
    found, above = Ref("Pod", meta.namespace, meta.name, "pods"), meta.controller
    while above is not None:
        owner = reference(above.kind, meta.namespace, above.name, above.api_version)
        if owner.plural not in _KINDS:
            # What an operator made is shown as what it is; only of a pod is it all that is known.
            return Ref(owner.kind, owner.namespace, owner.name) if found.plural == "pods" else found
        found = owner
        made = objects.get(owner.plural, meta.namespace, above.name)
        above = made.metadata.controller if made is not None else None
    return found


def change_effects(
    objects: Objects, namespace: str, name: str, *, written: Collection[str], removed: Collection[str]
) -> tuple[Effect, ...]:
    """What a change of keys means for each of those who use it, those that would break first."""
    keys = {*written, *removed}
    effects = []
    for consumer in consumers(objects, namespace, name):
        broken = sorted(key for key in removed if any(key in use.needed for use in consumer.uses))
        effects.append(_effect(consumer, keys, broken))
    if not effects:
        effects = [Effect("info", "info", parts("No pod and no workload here uses this ConfigMap"))]
    order = {"bad": 0, "warn": 1, "info": 2, "ok": 3}
    return tuple(sorted(effects, key=lambda effect: order[effect.state]))


def _effect(consumer: Consumer, keys: Collection[str], broken: list[str]) -> Effect:
    ref = consumer.ref
    who = (f"{ref.kind} ", bold(ref.name))
    touched = consumer.touched(keys)
    if broken:
        text = parts(*who, f" needs {listed(broken)}, which this takes away")
        note = "Running containers go on; its next pod does not start."
        return Effect("bad", "bad", text, note=note, word="breaks", ref=ref)
    if not touched:
        return Effect("ok", "ok", parts(*who, " uses other keys only"), word="not touched", ref=ref)
    ways = {use.way for use in touched}
    notes = []
    if ways & {"env", "envFrom"}:
        how = "envFrom" if "envFrom" in ways else "env"
        notes.append(
            f"As environment variables ({how}): only containers that start after it see the new value."
        )
    if "subPath" in ways:
        notes.append("As a file through subPath: that file never changes under a running container.")
    if "volume" in ways:
        notes.append("As files in a volume: they change by themselves, within about a minute.")
    if consumer.needs_restart(keys):
        return Effect("warn", "restart", parts(*who, _reads(touched, keys)), note=" ".join(notes),
                      word=_word(ways, consumer), ref=ref)  # fmt: skip
    return Effect(
        "info", "wait", parts(*who, _reads(touched, keys)), note=" ".join(notes), word="soon", ref=ref
    )


def _word(ways: set[Way], consumer: Consumer) -> str:
    if consumer.ref.plural in ("cronjobs", "jobs"):
        return "from its next run" if consumer.ref.plural == "cronjobs" else "not any more"
    return "after a restart" if ways & {"env", "envFrom"} else "never by itself"


def _reads(touched: tuple[Use, ...], keys: Collection[str]) -> str:
    if any(use.keys is None for use in touched):
        return " uses every key of it" if len(keys) > 1 else f" uses {next(iter(keys))}"
    named = sorted({key for use in touched for key in use.keys or () if key in keys})
    return f" uses {listed(named)}" if len(named) < 4 else f" uses {plural(len(named), 'changed key')}"


def _belongs(obj: Any) -> bool:
    controller = obj.metadata.controller
    return controller is not None and controller.kind in _KINDS.values()


def _uses(spec: PodSpec, name: str) -> Iterator[Use]:
    for mention in mentions(spec):
        if (mention.kind, mention.name) != ("ConfigMap", name):
            continue
        needed = (mention.keys or frozenset()) if mention.needed else frozenset()
        if mention.how in ("env", "envFrom"):
            yield Use("env" if mention.how == "env" else "envFrom", mention.keys, needed)
        for mount in sorted(mention.mounts, key=lambda mount: mount.partial):
            if mount.partial:
                yield Use("subPath", _behind(mount, mention), needed)
            else:
                yield Use("volume", mention.keys, needed)


def _behind(mount: Mount, mention: Mention) -> frozenset[str] | None:
    """The keys whose files a mount by subPath shows: the file of that name, or all in the folder of that name."""
    if mount.expression:
        return mention.keys  # made of variables that only the container knows
    path = posixpath.normpath(mount.sub_path)
    if mention.items is None:
        return frozenset({path})
    return frozenset(
        key
        for key, file in mention.items
        if (at := posixpath.normpath(file)) == path or at.startswith(f"{path}/")
    )
