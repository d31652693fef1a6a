"""Which claims, ConfigMaps and Secrets a pod spec names, and how, in the words of the public contract."""

from __future__ import annotations

from collections.abc import Iterator

from .podspec import Container, PodSpec, Volume

Used = tuple[str, str]  # kind, name


def pod_spec_uses(spec: PodSpec, pod_name: str = "") -> dict[Used, tuple[str, ...]]:
    """(kind, name) → how: ``claim``, ``env``, ``envFrom``, ``volume``, ``projected``, ``subPath``, ``csi``,
    ``imagePullSecret``; each way once, in order of first mention. Claims of ephemeral volumes need the pod's
    name.
    """
    uses: dict[Used, dict[str, None]] = {}
    for kind, name, how in _mentions(spec, pod_name):
        if name:
            uses.setdefault((kind, name), {})[how] = None
    return {used: tuple(hows) for used, hows in uses.items()}


def _mentions(spec: PodSpec, pod_name: str) -> Iterator[tuple[str, str, str]]:
    containers = (*(spec.init_containers or ()), *(spec.containers or ()), *(spec.ephemeral_containers or ()))
    for container in containers:
        yield from _environment(container)
    partial = {
        mount.name
        for container in containers
        for mount in container.volume_mounts or ()
        if mount.sub_path or mount.sub_path_expr
    }
    for volume in spec.volumes or ():
        for kind, name, how in _volume(volume, pod_name):
            yield kind, name, how
            if volume.name in partial and how in ("volume", "projected"):
                yield kind, name, "subPath"
    for reference in spec.image_pull_secrets or ():
        yield "Secret", reference.name, "imagePullSecret"


def _environment(container: Container) -> Iterator[tuple[str, str, str]]:
    for variable in container.env or ():
        source = variable.value_from
        if source is not None and source.config_map_key_ref is not None:
            yield "ConfigMap", source.config_map_key_ref.name, "env"
        if source is not None and source.secret_key_ref is not None:
            yield "Secret", source.secret_key_ref.name, "env"
    for every in container.env_from or ():
        if every.config_map_ref is not None:
            yield "ConfigMap", every.config_map_ref.name, "envFrom"
        if every.secret_ref is not None:
            yield "Secret", every.secret_ref.name, "envFrom"


def _volume(volume: Volume, pod_name: str) -> Iterator[tuple[str, str, str]]:
    if volume.persistent_volume_claim is not None:
        yield "PersistentVolumeClaim", volume.persistent_volume_claim.claim_name, "claim"
    if volume.ephemeral is not None and pod_name:
        yield "PersistentVolumeClaim", f"{pod_name}-{volume.name}", "claim"
    if volume.config_map is not None:
        yield "ConfigMap", volume.config_map.name, "volume"
    if volume.secret is not None:
        yield "Secret", volume.secret.secret_name, "volume"
    for source in (volume.projected.sources or ()) if volume.projected else ():
        if source.config_map is not None:
            yield "ConfigMap", source.config_map.name, "projected"
        if source.secret is not None:
            yield "Secret", source.secret.name, "projected"
    if volume.csi is not None and volume.csi.node_publish_secret_ref is not None:
        yield "Secret", volume.csi.node_publish_secret_ref.name, "csi"
    if volume.azure_file is not None:
        yield "Secret", volume.azure_file.secret_name, "volume"
    older_types = (
        volume.cephfs, volume.rbd, volume.iscsi, volume.flex_volume, volume.scale_io, volume.storageos
    )  # fmt: skip
    for older in older_types:
        if older is not None and older.secret_ref is not None:
            yield "Secret", older.secret_ref.name, "volume"
