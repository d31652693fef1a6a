"""Who reads one key of a Secret, how, and when a new value reaches it.

Rules: a variable of the environment is set when a container starts; the kubelet refreshes the files of a mounted
Secret, but never one mounted by subPath (kubernetes.io/docs/concepts/configuration/secret).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import Container, PodSpec, SecretSource, Volume

from .protocols import Objects

# How, in the words of the public contract.
How = Literal[
    "env", "envFrom", "volume", "projected", "subPath", "csi", "imagePullSecret", "tls", "serviceAccount"
]
# restart: only once its pods are made anew; soon: by itself, in about a minute; next: with its next run or pull.
Arrival = Literal["restart", "soon", "next"]

# What reading a consumer out of the cache takes.
READ = frozenset(
    {
        "deployments",
        "statefulsets",
        "daemonsets",
        "replicasets",
        "pods",
        "jobs",
        "cronjobs",
        "ingresses",
    }
)
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")
_ANEW = frozenset({"env", "envFrom", "subPath", "csi"})


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which a pod spec reads the key; ``detail`` is the variable or the file."""

    how: How
    detail: str


@dataclass(frozen=True, slots=True)
class Consumer:
    """An object whose own spec names the Secret. ``restartable``: a new value reaches it by restarting it; ``pods`` is
    how many it has, as far as its status says.
    """

    ref: Ref
    uses: tuple[Use, ...]
    arrival: Arrival
    restartable: bool = False
    pods: int = 0


def secret_consumers(objects: Objects, namespace: str, name: str, key: str) -> tuple[Consumer, ...]:
    """Who reads the key: workloads (their pods are not told again), then Ingresses. Those to restart come first, the
    smallest before the others: what is wrong with a value then shows where it hurts least.
    """
    found = [*_workloads(objects, namespace, name, key), *_ingresses(objects, namespace, name)]
    return tuple(
        sorted(found, key=lambda each: (not each.restartable, each.pods, each.ref.kind, each.ref.name))
    )


def secret_uses(spec: PodSpec, name: str, key: str) -> tuple[Use, ...]:
    """How a pod spec reads the key, each way once."""
    return tuple(dict.fromkeys(_uses(spec, name, key)))


def _workloads(objects: Objects, namespace: str, name: str, key: str) -> Iterator[Consumer]:
    for plural, kind in (
        ("deployments", "Deployment"),
        ("statefulsets", "StatefulSet"),
        ("daemonsets", "DaemonSet"),
    ):
        for one in objects.all(plural, namespace):
            status = one.status
            pods = status.current_number_scheduled if plural == "daemonsets" else status.replicas
            yield from _consumer(kind, plural, one, one.spec.template.spec, name, key, pods)
    for one in objects.all("cronjobs", namespace):
        yield from _consumer("CronJob", "cronjobs", one, one.spec.job_template.spec.template.spec, name, key)
    for plural, kind in (("replicasets", "ReplicaSet"), ("jobs", "Job"), ("pods", "Pod")):
        for one in objects.all(plural, namespace):
            if one.metadata.controller is not None or _ended(plural, one):
                continue
            spec = one.spec if plural == "pods" else one.spec.template.spec
            yield from _consumer(kind, plural, one, spec, name, key)


def _ended(plural: str, one: Any) -> bool:
    if plural == "pods":
        return one.status.phase in ("Succeeded", "Failed")
    return plural == "jobs" and one.status.completion_time is not None


def _consumer(
    kind: str, plural: str, one: Any, spec: PodSpec, name: str, key: str, pods: int = 0
) -> Iterator[Consumer]:
    uses = secret_uses(spec, name, key)
    if not uses:
        return
    ref = Ref(kind, one.metadata.namespace, one.metadata.name, plural)
    anew = any(use.how in _ANEW for use in uses)
    if plural == "cronjobs" or not (anew or any(use.how in ("volume", "projected") for use in uses)):
        yield Consumer(ref, uses, "next", pods=pods)
    else:
        restartable = anew and plural in RESTARTABLE
        yield Consumer(ref, uses, "restart" if anew else "soon", restartable, pods)


def _ingresses(objects: Objects, namespace: str, name: str) -> Iterator[Consumer]:
    for one in objects.all("ingresses", namespace):
        hosts = [
            host for tls in one.spec.tls or () if tls.secret_name == name for host in tls.hosts or ("*",)
        ]
        if hosts:
            ref = Ref("Ingress", namespace, one.metadata.name, "ingresses")
            yield Consumer(ref, (Use("tls", ", ".join(hosts)),), "soon")


def _uses(spec: PodSpec, name: str, key: str) -> Iterator[Use]:
    containers = (*(spec.init_containers or ()), *(spec.containers or ()), *(spec.ephemeral_containers or ()))
    for container in containers:
        yield from _environment(container, name, key)
    for volume in spec.volumes or ():
        for how, paths in _files(volume, name, key):
            yield from _mounts(containers, volume.name, how, paths)
    if any(reference.name == name for reference in spec.image_pull_secrets or ()):
        yield Use("imagePullSecret", "")


def _environment(container: Container, name: str, key: str) -> Iterator[Use]:
    for variable in container.env or ():
        source = variable.value_from.secret_key_ref if variable.value_from else None
        if source is not None and (source.name, source.key) == (name, key):
            yield Use("env", variable.name)
    for every in container.env_from or ():
        if every.secret_ref is not None and every.secret_ref.name == name:
            yield Use("envFrom", f"{every.prefix}{key}")


def _files(volume: Volume, name: str, key: str) -> Iterator[tuple[How, frozenset[str]]]:
    """How a volume holds the key, and under which paths in it."""
    own = volume.secret
    if own is not None and own.secret_name == name and (paths := _paths(own, key)):
        yield "volume", paths
    for source in (volume.projected.sources or ()) if volume.projected else ():
        if source.secret is not None and source.secret.name == name and (paths := _paths(source.secret, key)):
            yield "projected", paths
    published = volume.csi.node_publish_secret_ref if volume.csi else None
    if published is not None and published.name == name:
        yield "csi", frozenset()
    older = (volume.cephfs, volume.rbd, volume.iscsi, volume.flex_volume, volume.scale_io, volume.storageos)
    names = [each.secret_ref.name for each in older if each is not None and each.secret_ref is not None]
    if name in names or (volume.azure_file is not None and volume.azure_file.secret_name == name):
        yield "csi", frozenset()  # read, like a CSI driver's, when the volume is mounted


def _paths(source: SecretSource, key: str) -> frozenset[str]:
    if not source.items:
        return frozenset({key})
    return frozenset(item.path for item in source.items if item.key == key)


def _mounts(containers: Iterable[Container], volume: str, how: How, paths: frozenset[str]) -> Iterator[Use]:
    for container in containers:
        for mount in container.volume_mounts or ():
            if mount.name != volume:
                continue
            if how == "csi":
                yield Use("csi", mount.mount_path)
            elif mount.sub_path_expr or mount.sub_path:
                # An expression is only known in the running pod: it may name this key.
                if mount.sub_path_expr or mount.sub_path in paths:
                    yield Use("subPath", mount.mount_path)
            else:
                for path in sorted(paths):
                    yield Use(how, f"{mount.mount_path.rstrip('/')}/{path}")
