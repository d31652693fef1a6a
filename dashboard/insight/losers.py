"""Who uses an object that is to be deleted, and what that does to the pods they create next: those that run keep what
they have, so the harm shows much later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dashboard.kinds.base import Ref
from dashboard.kinds.jobs import finished
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.uses import mentions

from .impact import Effect
from .ownership import controller
from .protocols import Objects
from .relations import Relations, pod_spec
from .relationwords import words
from .words import bold, parts

MAX_USERS = 8
MAX_NAMES = 3
_NO_USE = ("owner", "bound", "runsOn")
_REFUSED = {
    "serviceaccounts": (
        "serviceAccount",
        "the API server refuses pods of a ServiceAccount that does not exist",
    ),
    "priorityclasses": ("class", "the API server refuses pods of a PriorityClass that does not exist"),
}
# How a pod uses what is gone → what its new pods wait for; the kubelet's words are those that people search for.
_STARTS = {
    "env": "its containers can't be created (CreateContainerConfigError)",
    "envFrom": "its containers can't be created (CreateContainerConfigError)",
    "volume": "its volume can't be mounted (FailedMount)",
    "projected": "its volume can't be mounted (FailedMount)",
    "csi": "its volume can't be mounted (FailedMount)",
    "claim": "the claim that it mounts is not there, so its pods stay Pending",
}


class Losers:
    """The users of one object."""

    def __init__(self, objects: Objects, ref: Ref, used_by: Relations) -> None:
        self.objects, self.ref = objects, ref
        self.users: Mapping[Ref, Sequence[str]] = {
            user: how
            for user, ways in used_by.items()
            if (how := [one for one in ways if one not in _NO_USE])
        }

    @property
    def broken(self) -> list[Ref]:
        """Those whose new pods can't start without it."""
        return [ref for ref in self._workloads if self._why(ref)]

    @property
    def _workloads(self) -> list[Ref]:
        """All but pods, old ReplicaSets and those for which their Deployment speaks."""
        return [
            ref
            for ref in self.users
            if ref.kind != "Pod" and ref not in self._old and not self._spoken_for(ref)
        ]

    @property
    def _old(self) -> list[Ref]:
        sets = (ref for ref in self.users if ref.plural == "replicasets")
        return [ref for ref in sets if self._is_empty(ref)]

    def _is_empty(self, ref: Ref) -> bool:
        found = self.objects.get(ref.plural, ref.namespace, ref.name)
        return found is not None and found.metadata.controller is not None and not found.spec.replicas

    def _spoken_for(self, ref: Ref) -> bool:
        found = self.objects.get(ref.plural, ref.namespace, ref.name) if ref.plural == "replicasets" else None
        return found is not None and controller(self.objects, found)[0] in self.users

    def _why(self, user: Ref) -> str:
        """Why pods that a workload creates later can't start; "" where they can."""
        obj = self.objects.get(user.plural, user.namespace, user.name)
        spec = pod_spec(user.plural, obj) if obj is not None else None
        if obj is None or spec is None or (user.plural == "jobs" and finished(obj)):
            return ""
        if self.ref.plural in _REFUSED:
            how, why = _REFUSED[self.ref.plural]
            return why if how in self.users[user] else ""
        needs = (
            one.how
            for one in mentions(spec)
            if (one.kind, one.name, one.needed) == (self.ref.kind, self.ref.name, True)
        )
        return next((_STARTS[how] for how in needs if how in _STARTS), "")

    def effects(self) -> Iterator[Effect]:
        """A line for each of the first, the worst before the others."""
        broken = self.broken
        every = [*broken, *(ref for ref in self._workloads if ref not in broken)]
        for ref in every[:MAX_USERS]:
            ways = self.users[ref]
            how = "; ".join(filter(None, (words(ref.kind, way, of_user=True) for way in ways)))
            who = bold(title(ref))
            if why := self._why(ref):
                yield Effect("bad", "bad", parts(who, ": new pods can't start"), f"it {how}: {why}", "", ref)
            elif "imagePullSecret" in ways:
                text = parts(who, ": new pods may not get their images")
                yield Effect("warn", "warn", text, "it pulls images with this Secret", "", ref)
            else:
                yield Effect("warn", "link", parts(who, " uses it"), how + self._optional(ref), "", ref)
        if len(every) > MAX_USERS:
            yield Effect("warn", "link", parts(bold(f"{len(every) - MAX_USERS} more objects"), " use it"))
        yield from self._many("old ReplicaSet", self._old, "scaled to 0; a rollback to them would need it")
        yield from self._many("pod", [ref for ref in self.users if ref.kind == "Pod"])

    def _optional(self, user: Ref) -> str:
        obj = self.objects.get(user.plural, user.namespace, user.name)
        spec = pod_spec(user.plural, obj) if obj is not None else None
        named = (
            [one for one in mentions(spec) if one.kind == self.ref.kind and one.name == self.ref.name]
            if spec
            else []
        )
        return (
            "; optional, so its pods start without it"
            if named and not any(one.needed for one in named)
            else ""
        )

    def _many(self, noun: str, refs: Sequence[Ref], why: str = "") -> Iterator[Effect]:
        if not refs:
            return
        text = parts(bold(plural(len(refs), noun)), " uses it" if len(refs) == 1 else " use it")
        names = [ref.name for ref in refs[:MAX_NAMES]]
        more = [f"{len(refs) - MAX_NAMES:,} more"] if len(refs) > MAX_NAMES else []
        said = ", ".join([*names, *more])
        yield Effect("info" if why else "warn", "link", text, f"{said}; {why}" if why else said)

    def headline(self) -> tuple[str, str] | None:
        """What a person must not miss."""
        if not (broken := self.broken):
            return None
        named = [title(ref) for ref in broken]
        return (
            f"New pods of {listed(named)} can't start",
            "Those that run go on until they are replaced: by a rollout, a restart, a node drain or an eviction.",
        )
