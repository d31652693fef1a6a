"""Who uses a ConfigMap, by which keys, and when each would see a new value.

Rules: a variable of the environment is set when a container starts; the kubelet refreshes the files of a mounted
ConfigMap, but never one mounted by subPath (kubernetes.io/docs/concepts/configuration/configmap).
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import structs

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.uses import Mention, Mount, mentions

from .environment import Content, name_flaw
from .impact import Effect
from .keyhistory import SECOND, KeyHistory, Spans, between
from .ownership import belongs, pod_owner
from .protocols import Objects, unread
from .relations import pod_spec
from .words import Part, bold, parts

Way = Literal["env", "envFrom", "volume", "subPath"]
Holder = Literal["ConfigMap", "Secret"]

# What is read to tell who uses it.
READ = frozenset({"pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"})
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")
_KINDS = {
    "deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet",
    "cronjobs": "CronJob", "jobs": "Job", "pods": "Pod",
}  # fmt: skip
_ENDED = ("Succeeded", "Failed")
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_REFRESH = timedelta(minutes=2)  # within which the kubelet brings the files of a volume up to date
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
TAKEN = "is removed by this"


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which a pod spec uses it. ``keys`` None: all of them. ``needed`` are those without which no container
    starts; ``prefix`` comes before the keys that envFrom makes variables of.
    """

    way: Way
    keys: frozenset[str] | None
    needed: frozenset[str] = frozenset()
    prefix: str = ""

    @property
    def variable(self) -> bool:
        return self.way in ("env", "envFrom")

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


def spec_uses(spec: PodSpec, name: str, kind: Holder = "ConfigMap") -> tuple[Use, ...]:
    """How a pod spec uses the ConfigMap, or Secret, of this name."""
    return tuple(dict.fromkeys(_uses(spec, name, kind)))


def consumers(
    objects: Objects, namespace: str, name: str, kind: Holder = "ConfigMap"
) -> tuple[Consumer, ...]:
    """Everything in the namespace whose pods use it; what a controller makes is told by the topmost one."""
    found = []
    for kind_plural, kind_name in _KINDS.items():
        for each in objects.all(kind_plural, namespace):
            if belongs(each):
                continue
            spec = pod_spec(kind_plural, each)
            if spec is not None and (uses := spec_uses(spec, name, kind)):
                ref = Ref(kind_name, namespace, each.metadata.name, kind_plural)
                found.append(Consumer(ref, uses))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Started:
    """Whose pods run with values that a restart would change, and of whose that cannot be told, with how many each; and
    of which keys that is so.
    """

    stale: Mapping[Ref, int]
    unknown: Mapping[Ref, int]
    stale_keys: Mapping[Ref, Collection[str]]
    unknown_keys: Mapping[Ref, Collection[str]]


def started_with(
    objects: Objects, namespace: str, name: str, keys: Collection[str], history: KeyHistory
) -> Started:
    """Compares what the pods started with, as far as that is known, with what these keys of the ConfigMap hold now."""
    found: dict[bool, dict[Ref, int]] = {True: {}, False: {}}
    named: dict[bool, dict[Ref, set[str]]] = {True: {}, False: {}}
    alike: dict[Spans, set[str]] = {}  # many keys that were changed together are compared once
    for key in keys:
        alike.setdefault(history.spans.get(key, ()), set()).add(key)
    for pod in objects.all("pods", namespace):
        if pod.status.phase in _ENDED or pod.metadata.deletion_timestamp or not spec_uses(pod.spec, name):
            continue
        old: set[str] = set()
        uncertain: set[str] = set()
        for start in _starts(pod, name, history):
            _compare(*start, alike, old, uncertain)
        if old or uncertain:
            counts = found[bool(old)]
            owner = pod_owner(objects, pod)
            counts[owner] = counts.get(owner, 0) + 1
            named[True].setdefault(owner, set()).update(old)
            named[False].setdefault(owner, set()).update(uncertain - old)
    return Started(found[True], found[False], named[True], named[False])


def _compare(
    use: Use,
    start: datetime,
    end: datetime,
    alike: Mapping[Spans, set[str]],
    old: set[str],
    uncertain: set[str],
) -> None:
    """Adds the keys of which what was read between two moments differs from what is there now, and those of which that is
    not known.
    """
    for spans, keys in alike.items():
        if concerned := keys if use.keys is None else keys & use.keys:
            same = {each.variable if use.variable else each.file for each in between(spans, start, end)}
            if len(same) != 1 or None in same:
                uncertain |= concerned
            elif same == {False}:
                old |= concerned


def _starts(pod: Any, name: str, history: KeyHistory) -> Iterator[tuple[Use, datetime, datetime]]:
    """What each container read only at its start, and between which moments that was. One that waits to start reads what
    is there then; an init container that ended has left behind what it made of it.
    """
    spec, status = pod.spec, pod.status
    told = {
        each.name: each
        for each in (*(status.init_container_statuses or ()), *(status.container_statuses or ()))
    }
    created = history.after_restart(pod.metadata.creation_timestamp or _EVER, _restarted_at(pod))
    first = {container.name for container in spec.init_containers or ()}
    for container in (*(spec.init_containers or ()), *(spec.containers or ())):
        alone = structs.replace(
            spec, init_containers=None, containers=(container,), ephemeral_containers=None
        )
        uses = [use for use in spec_uses(alone, name) if use.way != "volume"]
        if not uses or (window := _window(told.get(container.name), pod, container.name in first)) is None:
            continue
        again, end = window
        for use in uses:
            # The files of a volume, to which a container that starts again is led anew, may be that old.
            start = created if again is None else again - (timedelta(0) if use.variable else _REFRESH)
            start = max(created, start)
            yield use, start, max(end, start + SECOND)


def _window(told: Any | None, pod: Any, is_init: bool) -> tuple[datetime | None, datetime] | None:
    """When a container that runs, or an init container that has done its work, ended before it started again (None: it
    did not), and by when it had started; None for one that has not started.
    """
    if told is None:
        return None if pod.status.phase == "Pending" else (None, _NEVER)
    running, ended, before = told.state.running, told.state.terminated, told.last_state.terminated
    if running is not None:
        began = running.started_at
    elif is_init and ended is not None and ended.exit_code == 0:
        began = ended.started_at
    else:
        return None
    again = before.finished_at if told.restart_count and before is not None else None
    return again, began + SECOND if began is not None else _NEVER


def _restarted_at(pod: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str((pod.metadata.annotations or {}).get(_RESTARTED_AT, "")))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def change_effects(
    objects: Objects,
    namespace: str,
    name: str,
    *,
    written: Collection[str],
    removed: Collection[str],
    after: Content | None = None,
) -> tuple[Effect, ...]:
    """What a change of keys means for each of those who use it, those that would break first. ``after`` is what it holds
    then; without it, only what was removed counts as missing.
    """
    keys = {*written, *removed}
    effects = []
    for consumer in consumers(objects, namespace, name):
        broken = flaws(consumer, after, removed)
        effects.append(_effect(consumer, keys, broken, _lost(consumer, keys, after)))
    if not effects:
        away = unread(objects, READ, namespace)
        said = (
            "Who uses this ConfigMap is not known"
            if away
            else "No pod and no workload here uses this ConfigMap"
        )
        effects = [Effect("info", "info", parts(said))]
    order = {"bad": 0, "warn": 1, "info": 2, "ok": 3}
    return tuple(sorted(effects, key=lambda effect: order[effect.state]))


def flaws(consumer: Consumer, after: Content | None, removed: Collection[str] = ()) -> dict[str, str]:
    """Why no new pod of a consumer starts: key → what is wrong with it, to follow its name."""
    found: dict[str, str] = {}
    for use in consumer.uses:
        for key in use.needed:
            if key in removed:
                found[key] = TAKEN
            elif after is None or key in after.text or (key in after.binary and not use.variable):
                continue
            elif key in after.binary:
                found[key] = "is in binaryData, which is not used for variables"
            else:
                found[key] = "is not there"
        if use.variable and after is not None:
            found |= {key: flaw for key, flaw in after.unfit.items() if use.concerns((key,))}
    return dict(sorted(found.items()))


def breaking_effects(
    objects: Objects,
    kind: Holder,
    namespace: str,
    name: str,
    *,
    was: Content,
    made: Content,
    changed: Collection[str],
) -> tuple[Effect, ...]:
    """Whose new pods do not start, or start without a variable, by what a write of these keys makes of a ConfigMap or
    Secret; nothing of what was so before.
    """
    removed = {key for key in changed if key not in made.text | made.binary}
    found = []
    for consumer in consumers(objects, namespace, name, kind):
        before = flaws(consumer, was)
        broken = {
            key: flaw
            for key, flaw in flaws(consumer, made, removed).items()
            if key in changed or before.get(key) != flaw
        }
        if broken:
            found.append(_breaks(consumer.ref, broken))
        elif lost := _lost(consumer, [key for key in changed if key in was.text], made):
            text = parts(*_who(consumer.ref), f" loses the variable of {listed(lost)}")
            note = "Its containers start without: only text in data is a variable."
            found.append(Effect("warn", "warn", text, note, "lost", consumer.ref))
    return tuple(sorted(found, key=lambda effect: effect.state != "bad"))


def broken_consumers(
    objects: Objects, namespace: str, name: str, after: Content | None
) -> dict[Ref, dict[str, str]]:
    """Those of whom no new pod starts with what the ConfigMap holds."""
    every = ((each.ref, flaws(each, after)) for each in consumers(objects, namespace, name))
    return {ref: found for ref, found in every if found}


def _lost(consumer: Consumer, keys: Collection[str], after: Content | None) -> list[str]:
    """The changed keys that stop being variables without anything that fails: optional ones, and those of envFrom."""
    if after is None:
        return []
    uses = [use for use in consumer.uses if use.variable]
    gone = (key for key in keys if key not in after.text)
    return sorted(key for key in gone if any(use.concerns((key,)) for use in uses))


def _effect(
    consumer: Consumer, keys: Collection[str], broken: Mapping[str, str], lost: Collection[str]
) -> Effect:
    ref, who = consumer.ref, _who(consumer.ref)
    touched = consumer.touched(keys)
    if broken:
        return _breaks(ref, broken)
    if not touched:
        return Effect("ok", "ok", parts(*who, " uses other keys only"), word="not touched", ref=ref)
    ways = {use.way for use in touched}
    notes = []
    if ways & {"env", "envFrom"}:
        how = "envFrom" if "envFrom" in ways else "env"
        notes.append(
            f"As environment variables ({how}): only containers that start after it see the new value."
        )
    if lost:
        notes.append(f"New containers do not get {listed(lost)} any more: only text in data is a variable.")
    notes += _names(touched, [key for key in keys if key not in lost])
    if "subPath" in ways:
        notes.append("As a file through subPath: that file is never updated in a running container.")
    if "volume" in ways:
        notes.append("As files in a volume: they are updated automatically, within about a minute.")
    if consumer.needs_restart(keys):
        return Effect("warn", "restart", parts(*who, _reads(touched, keys)), note=" ".join(notes),
                      word=_word(ways, consumer), ref=ref)  # fmt: skip
    return Effect(
        "info", "wait", parts(*who, _reads(touched, keys)), note=" ".join(notes), word="soon", ref=ref
    )


def _who(ref: Ref) -> tuple[str, Part]:
    return f"{ref.kind} ", bold(ref.name)


def _breaks(ref: Ref, why: Mapping[str, str]) -> Effect:
    note = "Running containers are not affected; its next pod will not start."
    return Effect("bad", "bad", parts(*_who(ref), _broken(why)), note=note, word="breaks", ref=ref)


def _broken(why: Mapping[str, str]) -> str:
    taken = [key for key, flaw in why.items() if flaw == TAKEN]
    said = [f"needs {listed(taken)}, which this removes"] if taken else []
    said += [f"cannot be given {key}: it {flaw}" for key, flaw in why.items() if flaw != TAKEN]
    return f" {listed(said)}"


def _names(touched: Collection[Use], keys: Collection[str]) -> list[str]:
    """What is inconvenient about the names of variables."""
    names = {use.prefix + key for use in touched if use.way == "envFrom" for key in keys}
    return [f"{name} {flaw}." for name in sorted(names)[:3] if (flaw := name_flaw(name))]


def _word(ways: set[Way], consumer: Consumer) -> str:
    if consumer.ref.plural in ("cronjobs", "jobs"):
        return "from its next run" if consumer.ref.plural == "cronjobs" else "not any more"
    return "after a restart" if ways & {"env", "envFrom"} else "never by itself"


def _reads(touched: tuple[Use, ...], keys: Collection[str]) -> str:
    if any(use.keys is None for use in touched):
        return " uses every key of it" if len(keys) > 1 else f" uses {next(iter(keys))}"
    named = sorted({key for use in touched for key in use.keys or () if key in keys})
    return f" uses {listed(named)}" if len(named) < 4 else f" uses {plural(len(named), 'changed key')}"


def _uses(spec: PodSpec, name: str, kind: Holder) -> Iterator[Use]:
    for mention in mentions(spec):
        if (mention.kind, mention.name) != (kind, name) or mention.at_mount:
            continue
        needed = (mention.keys or frozenset()) if mention.needed else frozenset()
        if mention.how in ("env", "envFrom"):
            yield Use("env" if mention.how == "env" else "envFrom", mention.keys, needed, mention.prefix)
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
