"""What becomes of the data of a pod, a workload's pods or a claim: after a container's restart, the pod's rebirth, the
loss of its node, the deletion of its claim.

Sources: Kubernetes' pages on volumes, persistent volumes and ephemeral volumes (lifetime of each type, reclaim
policies); ``StatefulSet.spec.persistentVolumeClaimRetentionPolicy``. Rules of kinds of storage, not of a product: what a
driver keeps on which disks, only its makers know, so a CSI volume counts as remote unless only some nodes reach it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.podspec import PodSpec, Volume
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed
from dashboard.kinds.uses import all_containers

from .protocols import Objects
from .relations import pod_spec

# kept: it is there afterwards · lost: it is not · made: it is no data of its own, and made again · bound: kept, but only
# where a condition holds, which the words say · none: does not apply
Fate = Literal["kept", "bound", "lost", "made", "none"]
Place = Literal["remote", "local", "memory", "cluster", "unknown"]

EVENTS = ("A container restarts", "The pod is recreated", "Its node is lost", "Its claim is deleted")
PLACES: dict[Place, str] = {
    "remote": "on storage outside the nodes",
    "local": "on one node's disk",
    "memory": "in its node's memory",
    "cluster": "made by the cluster",
    "unknown": "not known yet",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one event does to the data; ``words`` say why, or under which condition."""

    fate: Fate
    words: str = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """One place where data is, and what becomes of it. ``answers`` are in the order of ``EVENTS``.

    ``volume`` is the volume's name in the pod, "" for the containers' own files; ``claim`` the claim behind it.
    """

    title: str
    what: str
    place: Place
    where: str
    answers: tuple[Answer, Answer, Answer, Answer]
    mounts: tuple[str, ...] = ()
    volume: str = ""
    ref: Ref | None = None
    claim: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it outlives the pod."""
        return self.answers[1].fate in ("kept", "bound")


@dataclass(frozen=True, slots=True)
class Durability:
    """All of them, and the one sentence that comes first."""

    sentence: str
    keepings: tuple[Keeping, ...]


NOT_A_CLAIM = Answer("none")
OWN_FILES = Keeping(
    "The containers' own files",
    "everything written outside the volumes below",
    "local",
    PLACES["local"],
    (
        Answer("lost", "Each start begins with the image's files."),
        Answer("lost"),
        Answer("lost"),
        NOT_A_CLAIM,
    ),
)
_FILES = {  # no data of their own: field of the volume, what it is called
    "config_map": ("ConfigMap", "files out of a ConfigMap"),
    "secret": ("Secret", "files out of a Secret"),
    "projected": ("", "files put together by the kubelet, such as the service account's token"),
    "downward_api": ("", "files about the pod itself"),
    "image": ("", "files of an image, read-only"),
}
# Volume types of a pod that are storage elsewhere, reached over the network.
_REMOTE = (
    "nfs", "iscsi", "fc", "cephfs", "rbd", "glusterfs", "azure_file", "azure_disk", "aws_elastic_block_store",
    "gce_persistent_disk", "cinder", "vsphere_volume", "portworx_volume", "quobyte", "flex_volume", "scale_io",
    "storageos",
)  # fmt: skip


def durability(objects: Objects, plural: str, obj: Any) -> Durability | None:
    """Of a pod, a workload, a claim or a volume; None for what has no data."""
    if plural == "persistentvolumeclaims":
        return _of_storage([_claimed(objects, obj.metadata.namespace, obj.metadata.name)])
    if plural == "persistentvolumes":
        claim = obj.spec.claim_ref
        if claim is None:
            return None
        if obj.status.phase in ("Released", "Failed"):
            return _left_behind(objects, obj)
        return _of_storage([_claimed(objects, claim.namespace, claim.name, volume=obj)])
    spec = pod_spec(plural, obj)
    if spec is None:
        return None
    volumes = list(_volumes(objects, plural, obj, spec))
    own = (
        OWN_FILES if volumes else replace(OWN_FILES, what="everything that they write: they mount no volume")
    )
    found = [own, *volumes]
    return Durability(_sentence(found), tuple(found))


def _left_behind(objects: Objects, volume: PersistentVolume) -> Durability:
    """A volume whose claim was deleted."""
    if volume.status.phase == "Failed":
        sentence = "Its claim was deleted, and it could not be reclaimed: some of the data may be left."
    else:
        sentence = (
            "Its claim was deleted. The data stays until the volume is deleted or bound to a new claim."
        )
    place, where = _place(objects, None, volume)
    answers = (NOT_A_CLAIM, NOT_A_CLAIM, Answer(_node_lost(place, volume).fate), NOT_A_CLAIM)
    what = f"what claim {volume.spec.claim_ref.name} left" if volume.spec.claim_ref else ""
    return Durability(sentence, (Keeping(f"Volume {volume.metadata.name}", what, place, where, answers),))


def _of_storage(found: Sequence[Keeping]) -> Durability:
    one = found[0]
    ends = {"lost": "deleting the claim deletes the data", "kept": "deleting the claim keeps the data"}
    end = ends.get(one.answers[3].fate, "what deleting the claim does depends on its volume's reclaim policy")
    sentence = f"It outlives containers and pods; {end}."
    return Durability(sentence, tuple(found))


def _sentence(found: Sequence[Keeping]) -> str:
    lasting = [each for each in found if each.lasting]
    if not lasting:
        return (
            "It keeps no data: whatever its containers write is lost with the pod. That is right for a "
            "stateless program."
        )
    paths = [mount for each in lasting for mount in each.mounts]
    where = f"Data in {listed(sorted(set(paths)))}" if paths else "Data in its claims"
    return f"{where} outlives the pod. Everything else is lost with it."


def _volumes(objects: Objects, plural: str, obj: Any, spec: PodSpec) -> Iterator[Keeping]:
    templates = obj.spec.volume_claim_templates or () if plural == "statefulsets" else ()
    for template in templates:
        yield _of_template(objects, obj, template, spec)
    named = {template.metadata.name for template in templates}
    for volume in spec.volumes or ():
        if volume.name not in named:  # a claim template takes the place of a volume of its name
            yield _volume(objects, plural, obj, spec, volume)


def _volume(objects: Objects, plural: str, obj: Any, spec: PodSpec, volume: Volume) -> Keeping:
    mounts = _mounts(spec, volume.name)
    namespace = obj.metadata.namespace
    if volume.persistent_volume_claim is not None:
        name = volume.persistent_volume_claim.claim_name
        return _claimed(objects, namespace, name, volume_name=volume.name, mounts=mounts)
    if volume.ephemeral is not None:
        return _ephemeral(objects, plural, obj, volume.name, mounts)
    for field, (kind, words) in _FILES.items():
        source = getattr(volume, field)
        if source is not None:
            name = getattr(source, "secret_name", "") or getattr(source, "name", "")
            return _files(volume.name, words, mounts, reference(kind, namespace, name) if kind else None)
    if volume.host_path is not None:
        return _host_path(plural, volume, mounts)
    if any(getattr(volume, field) is not None for field in _REMOTE):
        answers = (Answer("kept"), Answer("kept"), Answer("kept"), NOT_A_CLAIM)
        return Keeping(
            f"Volume {volume.name}",
            "storage that the pod names itself",
            "remote",
            PLACES["remote"],
            answers,
            mounts,
            volume.name,
        )
    if volume.csi is not None:
        what = f"a volume of driver {volume.csi.driver}"
        return _with_pod(volume.name, what, "unknown", mounts, "A new pod gets another one from the driver.")
    if volume.empty_dir is None:
        return _with_pod(
            volume.name, "a volume of another type", "unknown", mounts, "A new pod gets another one."
        )
    memory = volume.empty_dir.medium == "Memory"
    return _with_pod(volume.name, "an emptyDir: scratch space", "memory" if memory else "local", mounts)


def _with_pod(
    name: str,
    what: str,
    place: Place,
    mounts: tuple[str, ...],
    anew: str = "A new pod begins with an empty one.",
) -> Keeping:
    where = PLACES[place] if place != "unknown" else "where its driver puts it"
    answers = (
        Answer("kept", "It lives as long as the pod."),
        Answer("lost", anew),
        Answer("lost"),
        NOT_A_CLAIM,
    )
    return Keeping(f"Volume {name}", what, place, where, answers, mounts, name)


def _files(name: str, words: str, mounts: tuple[str, ...], ref: Ref | None) -> Keeping:
    made = Answer("made", "The files are recreated.")
    answers = (Answer("made"), made, made, NOT_A_CLAIM)
    return Keeping(f"Volume {name}", words, "cluster", PLACES["cluster"], answers, mounts, name, ref)


def _host_path(plural: str, volume: Volume, mounts: tuple[str, ...]) -> Keeping:
    path = volume.host_path.path if volume.host_path else ""
    reborn = (
        Answer("kept", "Each node's pod finds its node's directory again.")
        if plural == "daemonsets"
        else Answer("bound", "Only where the new pod runs on the same node.")
    )
    answers = (Answer("kept"), reborn, Answer("lost", "It is on that node's disk."), NOT_A_CLAIM)
    what = f"the folder {path} of whichever node it runs on"
    return Keeping(f"Volume {volume.name}", what, "local", PLACES["local"], answers, mounts, volume.name)


def _ephemeral(objects: Objects, plural: str, obj: Any, volume_name: str, mounts: tuple[str, ...]) -> Keeping:
    answers = (
        Answer("kept", "It lives as long as the pod."),
        Answer("lost", "Its claim belongs to the pod and goes with it."),
        Answer("lost"),
        Answer("lost"),
    )
    title, what = f"Volume {volume_name}", "storage with a claim of its own for each pod"
    if plural != "pods":
        answers = (*answers[:3], _claim_deleted(objects, None, None))
        return Keeping(
            title, what, "unknown", "where its storage class puts it", answers, mounts, volume_name
        )
    name = f"{obj.metadata.name}-{volume_name}"
    claim = objects.get("persistentvolumeclaims", obj.metadata.namespace, name)
    volume = _volume_of(objects, claim)
    place, where = _place(objects, claim, volume)
    answers = (*answers[:3], _claim_deleted(objects, claim, volume))
    ref = reference("PersistentVolumeClaim", obj.metadata.namespace, name)
    return Keeping(title, what, place, where, answers, mounts, volume_name, ref, name)


def _of_template(objects: Objects, obj: Any, template: Any, spec: PodSpec) -> Keeping:
    """A StatefulSet's claim template: one claim a replica, found again by the pod of the same number."""
    name, sts = template.metadata.name, obj.metadata.name
    first = obj.spec.ordinals.start
    one = _claimed(objects, obj.metadata.namespace, f"{name}-{sts}-{first}", volume_name=name)
    restart, reborn, node, claim = one.answers
    retention = obj.spec.persistent_volume_claim_retention_policy
    then = {
        "Delete": "deletes the claims",
        "Retain": "keeps the claims",
    }
    words = (
        f"Scaling down {then.get(retention.when_scaled, 'keeps the claims')}, "
        f"deleting the StatefulSet {then.get(retention.when_deleted, 'keeps the claims')}."
    )
    return Keeping(
        f"Volume {name}",
        f"a claim for each replica, {name}-{sts}-{first} and so on",
        one.place,
        one.where,
        (
            restart,
            Answer(reborn.fate, f"The pod of the same number gets the same claim. {reborn.words}".strip()),
            node,
            Answer(claim.fate, f"{claim.words} {words}".strip()),
        ),
        _mounts(spec, name),
        name,
    )


def _claimed(
    objects: Objects,
    namespace: str,
    name: str,
    *,
    volume: PersistentVolume | None = None,
    volume_name: str = "",
    mounts: tuple[str, ...] = (),
) -> Keeping:
    claim: PersistentVolumeClaim | None = objects.get("persistentvolumeclaims", namespace, name)
    volume = volume or _volume_of(objects, claim)
    place, where = _place(objects, claim, volume)
    size = claim.capacity or claim.requested if claim else ""
    what = f"claim {name}" + (f", {size}" if size else "")
    title = f"Volume {volume_name}" if volume_name else f"Claim {name}"
    answers = (
        Answer("kept"),
        _reborn(place, volume),
        _node_lost(place, volume),
        _claim_deleted(objects, claim, volume),
    )
    ref = reference("PersistentVolumeClaim", namespace, name)
    return Keeping(title, what, place, where, answers, mounts, volume_name, ref, name)


def _volume_of(objects: Objects, claim: PersistentVolumeClaim | None) -> PersistentVolume | None:
    if claim is None or not claim.spec.volume_name:
        return None
    found: PersistentVolume | None = objects.get("persistentvolumes", "", claim.spec.volume_name)
    return found


def _place(
    objects: Objects, claim: PersistentVolumeClaim | None, volume: PersistentVolume | None
) -> tuple[Place, str]:
    if volume is None:
        if claim is not None and claim.spec.volume_name:
            return "unknown", "on a volume that you may not see"
        return "unknown", "no volume yet"
    nodes = volume.only_on
    if volume.local:
        return "local", f"on the disk of {listed(nodes)}" if nodes else PLACES["local"]
    driver = f", through {volume.spec.csi.driver}" if volume.spec.csi is not None else ""
    zone = volume.zones
    return "remote", f"on storage outside the nodes{driver}{f', in zone {listed(zone)}' if zone else ''}"


def _reborn(place: Place, volume: PersistentVolume | None) -> Answer:
    if place == "local":
        if volume is None or not volume.only_on:
            return Answer("bound", "Only where the new pod runs on the same node: nothing binds it there.")
        return Answer("bound", f"The new pod can run only on {listed(volume.only_on)}.")
    if place == "unknown":
        return Answer("kept")
    modes = volume.spec.access_modes or () if volume is not None else ()
    return Answer("kept", "One node at a time can use it." if modes and not _shared(volume) else "")


def _shared(volume: PersistentVolume | None) -> bool:
    """Whether several nodes may use it at once."""
    modes = volume.spec.access_modes or () if volume is not None else ()
    return not {"ReadWriteMany", "ReadOnlyMany"}.isdisjoint(modes)


def _node_lost(place: Place, volume: PersistentVolume | None) -> Answer:
    match place:
        case "local":
            tied = volume is not None and volume.only_on
            wait = "; until then its pod cannot start" if tied else ""
            return Answer("lost", f"Unless the node's disk comes back{wait}.")
        case "unknown":
            return Answer("bound", "That depends on where the volume is.")
        case _:
            zones = volume.zones if volume is not None else ()
            where = f" of zone {listed(zones)}" if zones else ""
            if _shared(volume):
                return Answer("kept", f"Pods on other nodes{where} go on using it.")
            words = f"A new pod attaches it on another node{where}, once the lost one counts as gone."
            return Answer("kept", words)


def _claim_deleted(
    objects: Objects, claim: PersistentVolumeClaim | None, volume: PersistentVolume | None
) -> Answer:
    policy = volume.spec.persistent_volume_reclaim_policy if volume is not None else ""
    if not policy and claim is not None:
        found = objects.get("storageclasses", "", claim.storage_class)
        policy = found.reclaim_policy if found is not None else ""
    match policy:
        case "Delete" | "Recycle":
            return Answer("lost", f"Reclaim policy {policy}: only a backup or a snapshot can restore it.")
        case "Retain":
            return Answer(
                "kept", "Reclaim policy Retain: it stays on its volume until that is reclaimed manually."
            )
        case _:
            return Answer("bound", "That depends on its volume's reclaim policy.")


def _mounts(spec: PodSpec, volume_name: str) -> tuple[str, ...]:
    """Where the containers see a volume, each path once."""
    return tuple(
        dict.fromkeys(
            mount.mount_path
            for container in all_containers(spec)
            for mount in container.volume_mounts or ()
            if mount.name == volume_name
        )
    )
