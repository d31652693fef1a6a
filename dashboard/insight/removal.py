"""What deleting an object of any kind takes with it, what stays behind, and what holds it. Pods have rules of their own
(``deletion.py``).

Rules: kubernetes/kubernetes, pkg/controller/garbagecollector (an object goes once its last owner is gone),
pkg/controller/volume/persistentvolume (reclaim policies), pkg/controller/statefulset (claims).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.deletion import deletion_waits
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.references import manifest_meant, meant, title
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import NOTHING, Selector, from_labels

from .deletion import DeletionImpact
from .impact import Effect, Notice, reach, selector_of
from .losers import Losers
from .ownership import controllers
from .protocols import Objects
from .relations import Relations
from .words import bold, parts, text_of

Propagation = Literal["Background", "Foreground", "Orphan"]
MAX_KINDS = 12  # told one by one
MAX_NAMES = 3
MAX_OWNERS = 4  # between a claim and what is deleted
WORKLOADS = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets"})


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one kind. ``count`` is exact unless ``more``; ``names`` are the first of them, ``namespace/name`` where
    the object deleted is in another one.
    """

    kind: str
    title: str
    count: int
    names: tuple[str, ...] = ()
    more: bool = False

    @property
    def words(self) -> str:
        """``2 ReplicaSets``; ``500 or more Pods``."""
        noun = self.kind if self.count == 1 and not self.more else self.title
        return f"{self.count:,}{' or more' if self.more else ''} {noun}"


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on an object. ``owned`` goes with it, ``shared`` has another owner, which keeps it; ``inside`` is in a
    Namespace, or of the kind that a CustomResourceDefinition defines. ``unread``: titles of kinds that could not be read.
    """

    owned: tuple[Group, ...] = ()
    shared: tuple[Group, ...] = ()
    inside: tuple[Group, ...] = ()
    unread: tuple[str, ...] = ()


NOTHING_DEPENDS = Dependents()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A deletion to be told: the object as the API server sends it, what depends on it and what uses it."""

    plural: str
    manifest: Mapping[str, Any] = field(repr=False)
    propagation: Propagation
    objects: Objects
    depends: Dependents = NOTHING_DEPENDS
    used_by: Relations = field(default_factory=dict)


def claims_owned(objects: Objects, uid: str, namespace: str) -> list[str]:
    """The claims that are deleted with an object, as nothing else owns them or what does. One of a pod's own volume is no
    more than the pod.
    """
    claims: Sequence[PersistentVolumeClaim] = objects.all("persistentvolumeclaims", namespace)
    return sorted(
        claim.metadata.name
        for claim in claims
        if not any(owner.kind == "Pod" for owner in claim.metadata.owner_references or ())
        and _goes_with(objects, uid, claim.metadata, MAX_OWNERS)
    )


def _goes_with(objects: Objects, uid: str, meta: ObjectMeta, above: int) -> bool:
    owners = meta.owner_references or ()
    for owner in owners:
        if owner.uid == uid:
            continue
        found = objects.get(meant(owner, meta.namespace).plural, meta.namespace, owner.name)
        if not above or found is None or found.metadata.uid != owner.uid:
            return False
        if not _goes_with(objects, uid, found.metadata, above - 1):
            return False
    return bool(owners)


def removal_impact(removal: Removal) -> DeletionImpact:
    """What happens when the object is deleted."""
    one = _Removal(removal)
    data, traffic = tuple(one.on_data()), tuple(one.on_traffic())
    return DeletionImpact(
        one.headline(data, traffic),
        (*data, *traffic, *one.on_contents(), *one.on_owned(), *one.losers.effects(), *one.on_node()),
        tuple(one.notices()),
        any(effect.state == "bad" for effect in (*data, *traffic))
        or bool(removal.depends.inside or one.losers.broken),
    )


class _Removal:
    def __init__(self, removal: Removal) -> None:
        self.removal, self.objects, self.plural = removal, removal.objects, removal.plural
        meta = removal.manifest["metadata"]
        self.spec: Mapping[str, Any] = removal.manifest.get("spec") or {}
        self.kind = str(removal.manifest.get("kind", ""))
        self.name, self.namespace = str(meta["name"]), str(meta.get("namespace", ""))
        self.finalizers: Sequence[str] = meta.get("finalizers") or ()
        self.owner = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
        self.orphans = removal.propagation == "Orphan"
        self.ref = Ref(self.kind, self.namespace, self.name, self.plural)
        self.losers = Losers(self.objects, self.ref, removal.used_by)

    def headline(self, data: Sequence[Effect], traffic: Sequence[Effect]) -> Notice | None:
        inside = self.removal.depends.inside
        if self.plural == "namespaces":
            count = sum(group.count for group in inside)
            more = any(group.more for group in inside) or bool(self.removal.depends.unread)
            words = f"{count:,}{' or more' if more else ''} objects" if count != 1 else "1 object"
            return Notice("bad", f"Everything in {self.name} is deleted", f"{words}, and what they hold.")
        if inside:
            (group,) = inside
            return Notice(
                "bad",
                f"{group.words} {_verb(group.count)} deleted with it",
                "Their data exists nowhere else.",
            )
        lost = [effect for effect in data if effect.state == "bad"]
        if lost:
            return Notice("bad", "Data is lost", lost[0].note)
        if (broken := self.losers.headline()) is not None:
            return Notice("bad", *broken)
        if traffic:
            many = f"{len(traffic)} Services have no ready endpoints then"
            silent = many if len(traffic) > 1 else text_of(traffic[0].text)
            return Notice("bad", silent, "Requests to it fail until other pods have its labels.")
        if going := self._going:
            word = "stop, and nothing" if len(going) > 1 else "stops, and nothing"
            return Notice("warn", f"{plural(len(going), 'pod')} {word} recreates {_them(len(going))}", "")
        if self.plural == "services" and self.spec.get("type") != "ExternalName":
            text = "Its name is no longer resolved, and its cluster IP is released."
            return Notice("bad", f"Clients of {self.name} can't reach its pods", text)
        return None

    # ---- Pods and Services

    @cached_property
    def _going(self) -> list[Any]:
        """The pods that go with a workload: those that it made, or its ReplicaSets."""
        if self.plural not in WORKLOADS or self.orphans or self.owner is not None:
            return []
        found = self.objects.get(self.plural, self.namespace, self.name)
        selector = selector_of(found.spec.selector) if found is not None else NOTHING
        return [pod for pod in self.objects.all("pods", self.namespace) if self._made(pod, selector)]

    def _made(self, pod: Any, selector: Selector) -> bool:
        """By its selector where the ReplicaSet between them can't be read."""
        above = controllers(self.objects, pod)
        if self.ref in above:
            return True
        between = self.plural == "deployments" and bool(above) and above[-1].plural == "replicasets"
        unknown = between and self.objects.get("replicasets", self.namespace, above[-1].name) is None
        return unknown and selector.matches(pod.metadata.labels)

    def on_traffic(self) -> Iterator[Effect]:
        """Services all of whose pods go."""
        going = {pod.metadata.name for pod in self._going}
        for service in self.objects.all("services", self.namespace) if going else ():
            selector = from_labels(service.spec.selector)
            pods = self.objects.all("pods", self.namespace)
            behind = {pod.metadata.name for pod in pods if selector.matches(pod.metadata.labels)}
            if behind and behind <= going:
                ref = Ref("Service", self.namespace, service.metadata.name, "services")
                text = parts(bold(f"Service {ref.name}"), " has no ready endpoints then")
                yield Effect("bad", "bad", text, reach(service), "", ref)

    # ---- Data

    def on_data(self) -> Iterator[Effect]:
        if self.plural == "persistentvolumeclaims":
            yield from self._on_claim(self.name, str(self.spec.get("volumeName", "")))
        elif self.plural == "persistentvolumes":
            yield from self._on_volume()
        elif self.plural == "statefulsets":
            yield from self._on_stateful_set()
        elif self.plural == "namespaces":
            for claim in self.objects.all("persistentvolumeclaims", self.name):
                yield from self._on_claim(claim.metadata.name, claim.spec.volume_name)

    def _on_claim(self, name: str, volume: str) -> Iterator[Effect]:
        if not volume:
            yield Effect("info", "info", parts(bold(f"Claim {name}"), " is bound to no volume"))
            return
        found = self.objects.get("persistentvolumes", "", volume)
        policy = found.spec.persistent_volume_reclaim_policy if found is not None else ""
        ref = Ref("PersistentVolume", "", volume, "persistentvolumes")
        what = parts(bold(f"Volume {volume}"))
        if policy == "Delete":
            note = f"The reclaim policy of volume {volume} is Delete: its data can't be restored from here."
            yield Effect("bad", "bad", parts(*what, f" of claim {name} is deleted"), note, "data lost", ref)
        elif policy:
            note = f"Its reclaim policy is {policy}. No new claim binds to it until its claimRef is removed."
            yield Effect("warn", "warn", parts(*what, f" of claim {name} stays"), note, "data kept", ref)
        else:
            note = "Volumes can't be read: with the reclaim policy Delete the data is lost."
            yield Effect("warn", "warn", parts(*what, f" of claim {name}: not evaluated"), note)

    def _on_volume(self) -> Iterator[Effect]:
        policy = str(self.spec.get("persistentVolumeReclaimPolicy", "Retain"))
        claim = self.spec.get("claimRef") or {}
        if claim.get("name"):
            ref = Ref(
                "PersistentVolumeClaim", claim.get("namespace", ""), claim["name"], "persistentvolumeclaims"
            )
            there = self.objects.get(ref.plural, ref.namespace, ref.name)
            if there is not None:
                text = parts(bold(f"Claim {ref.name}"), f" in namespace {ref.namespace} loses its volume")
                yield Effect("bad", "bad", text, "It is bound to this volume and becomes Lost.", "", ref)
        if policy == "Delete":
            note = "Its reclaim policy is Delete: the storage behind it is deleted, and can't be restored from here."
            yield Effect("bad", "bad", parts(bold("Its data"), " is deleted"), note, "data lost")
        else:
            note = f"Its reclaim policy is {policy}. A new PersistentVolume can point to the same storage."
            yield Effect("ok", "ok", parts(bold("The storage behind it"), " stays"), note, "data kept")

    def _on_stateful_set(self) -> Iterator[Effect]:
        names = [one["metadata"]["name"] for one in self.spec.get("volumeClaimTemplates") or ()]
        claims = [
            claim
            for claim in self.objects.all("persistentvolumeclaims", self.namespace)
            if any(
                claim.metadata.name.startswith(f"{name}-{self.name}-")
                and claim.metadata.name.rpartition("-")[2].isdigit()
                for name in names
            )
        ]
        if not claims:
            return
        policy = self.spec.get("persistentVolumeClaimRetentionPolicy") or {}
        count = plural(len(claims), "claim")
        if policy.get("whenDeleted") == "Delete" and not self.orphans:
            note = "persistentVolumeClaimRetentionPolicy.whenDeleted is Delete: the claims are deleted with their pods."
            yield Effect(
                "bad",
                "bad",
                parts(bold(count), f" of its pods {_verb(len(claims))} deleted"),
                note,
                "data lost",
            )
        else:
            note = "A StatefulSet with the same name takes them up again."
            yield Effect(
                "ok",
                "ok",
                parts(bold(count), f" of its pods stay{'s' if len(claims) == 1 else ''}"),
                note,
                "data kept",
            )

    # ---- What goes, what stays

    def on_contents(self) -> Iterator[Effect]:
        yield from self._groups(self.removal.depends.inside, "deleted")

    def on_owned(self) -> Iterator[Effect]:
        word = "stays" if self.orphans else "deleted"
        itself_first = sorted(self.removal.depends.owned, key=lambda group: group.kind != self.kind)
        yield from self._groups(itself_first, word)
        for group in self.removal.depends.shared[:MAX_KINDS]:
            note = f"Another owner keeps {'it' if group.count == 1 else 'them'}: {listed(group.names)}"
            yield Effect("ok", "ok", parts(bold(group.words), " also owned by it"), note, "stays")

    def _groups(self, groups: Sequence[Group], word: str) -> Iterator[Effect]:
        for group in groups[:MAX_KINDS]:
            note = _some(group.names, group.count)
            if word == "stays":
                yield Effect("ok", "ok", parts(bold(group.words)), note, word)
            else:
                yield Effect("warn", "x", parts(bold(group.words)), note, word)
        if rest := groups[MAX_KINDS:]:
            count = sum(group.count for group in rest)
            text = parts(bold(f"{count:,} more objects"), f" of {len(rest)} kinds")
            yield Effect("warn", "x", text, listed([group.title for group in rest[:MAX_KINDS]]), word)

    def on_node(self) -> Iterator[Effect]:
        if self.plural != "nodes":
            return
        pods = [pod for pod in self.objects.all("pods") if pod.spec.node_name == self.name]
        if pods:
            note = "The pod garbage collector deletes them; their controllers create new ones on other nodes."
            yield Effect(
                "bad", "x", parts(bold(plural(len(pods), "pod")), f" on it {_verb(len(pods))} deleted"), note
            )
        note = "A kubelet that still runs registers its node again, without labels and taints set since."
        yield Effect("info", "info", parts("The machine itself keeps running"), note)

    # ---- What to know before

    def notices(self) -> Iterator[Notice]:
        if self.owner is not None:
            text = "Change or delete that one instead."
            keeper = title(manifest_meant(self.owner, self.namespace))
            yield Notice("warn", f"{keeper} will recreate it", text)
        if self.orphans and self.removal.depends.owned:
            text = "It keeps running until it is deleted by hand, or adopted by its selector."
            yield Notice("info", "What it owns stays, without an owner", text)
        if self.finalizers:
            stays = f"It may stay for a while: {plural(len(self.finalizers), 'finalizer')}"
            yield Notice("info", stays, deletion_waits(self.finalizers))
        if self.plural == "services" and self.spec.get("type") == "LoadBalancer":
            text = "A new one usually gets another address: DNS records that name it have to be changed."
            yield Notice("warn", "Its external IP is released", text)
        if self.plural == "poddisruptionbudgets":
            yield Notice("warn", "Node drains no longer respect it", self._covered())
        if unread := self.removal.depends.unread:
            text = f"More may go with it, of: {listed(unread[:MAX_KINDS], 'more kinds')}"
            yield Notice("info", "Not everything could be read", text)

    def _covered(self) -> str:
        budget = self.objects.get(self.plural, self.namespace, self.name)
        selector = selector_of(budget.spec.selector) if budget is not None else NOTHING
        pods = [
            pod for pod in self.objects.all("pods", self.namespace) if selector.matches(pod.metadata.labels)
        ]
        return f"It covers {plural(len(pods), 'pod')} now."


def _some(names: Sequence[str], count: int) -> str:
    """The first names, and how many more there are."""
    shown = names[:MAX_NAMES]
    more = [f"{count - len(shown):,} more"] if shown and count > len(shown) else []
    return ", ".join([*shown, *more])


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"
