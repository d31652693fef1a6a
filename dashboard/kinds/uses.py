"""Which claims, ConfigMaps and Secrets a pod spec names, and how: the one reader of a pod spec's references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .podspec import ConfigMapSource, Container, PodSpec, SecretSource, Volume

# In the words of the public contract.
How = Literal["env", "envFrom", "volume", "projected", "csi", "claim", "imagePullSecret"]
Used = tuple[str, str]  # kind, name


class Mount(NamedTuple):
    """Where a container sees a volume. ``sub_path``: only this path of it; ``expression``: a path that is not known
    before the pod runs.
    """

    path: str
    sub_path: str = ""
    expression: bool = False

    @property
    def partial(self) -> bool:
        """Whether it is a subPath: such a mount never changes under a running container."""
        return self.expression or bool(self.sub_path)


class Mention(NamedTuple):
    """One place of a pod spec that names another object.

    ``items``: each key with the variable or, within the volume, the file that it becomes; None: every key, each under
    its own name after ``prefix``. ``needed``: no container starts without the object and these keys. ``at_mount``: a
    volume's driver reads it when it mounts the volume; no container sees it.
    """

    kind: str
    name: str
    how: How
    items: tuple[tuple[str, str], ...] | None = None
    needed: bool = True
    prefix: str = ""
    mounts: tuple[Mount, ...] = ()
    at_mount: bool = False

    @property
    def keys(self) -> frozenset[str] | None:
        """The keys that are read; None: all of them."""
        return None if self.items is None else frozenset(key for key, _ in self.items)

    @property
    def partial(self) -> bool:
        """Whether some container sees only a part of the volume."""
        return not self.at_mount and any(mount.partial for mount in self.mounts)

    def places(self, key: str) -> tuple[str, ...]:
        """The variables, or files within the volume, that the key becomes."""
        if self.items is None:
            return (self.prefix + key,)
        return tuple(place for name, place in self.items if name == key)


def mentions(spec: PodSpec, pod_name: str = "") -> Iterator[Mention]:
    """Every place of the spec that names a claim, ConfigMap or Secret, in the spec's order. Claims of ephemeral
    volumes need the pod's name.
    """
    containers = all_containers(spec)
    for container in containers:
        yield from _environment(container)
    mounts = _mounts(containers) if spec.volumes else {}
    for volume in spec.volumes or ():
        for mention in _volume(volume, pod_name):
            if mention.name:
                yield mention._replace(mounts=mounts.get(volume.name, ()))
    for reference in spec.image_pull_secrets or ():
        if reference.name:
            yield Mention("Secret", reference.name, "imagePullSecret", needed=False)


def pod_spec_uses(spec: PodSpec, pod_name: str = "") -> dict[Used, tuple[str, ...]]:
    """(kind, name) → how, in the words of the public contract; each way once, in order of first mention. A volume
    of which a container sees a part is ``subPath`` besides.
    """
    uses: dict[Used, dict[str, None]] = {}
    for mention in mentions(spec, pod_name):
        ways = uses.setdefault((mention.kind, mention.name), {})
        ways[mention.how] = None
        if mention.how in ("volume", "projected") and mention.partial:
            ways["subPath"] = None
    return {used: tuple(ways) for used, ways in uses.items()}


def all_containers(spec: PodSpec) -> tuple[Container, ...]:
    """Init containers, containers and ephemeral ones."""
    return (*(spec.init_containers or ()), *(spec.containers or ()), *(spec.ephemeral_containers or ()))


def _mounts(containers: tuple[Container, ...]) -> dict[str, tuple[Mount, ...]]:
    found: dict[str, tuple[Mount, ...]] = {}
    for container in containers:
        for mount in container.volume_mounts or ():
            path = mount.sub_path_expr or mount.sub_path
            one = Mount(mount.mount_path, path, bool(mount.sub_path_expr))
            found[mount.name] = (*found.get(mount.name, ()), one)
    return found


def _environment(container: Container) -> Iterator[Mention]:
    for variable in container.env or ():
        source = variable.value_from
        if source is None:
            continue
        for kind, ref in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
            if ref is not None and ref.name:
                yield Mention(kind, ref.name, "env", ((ref.key, variable.name),), not ref.optional)
    for every in container.env_from or ():
        for kind, whole in (("ConfigMap", every.config_map_ref), ("Secret", every.secret_ref)):
            if whole is not None and whole.name:
                yield Mention(kind, whole.name, "envFrom", None, not whole.optional, every.prefix)


def _volume(volume: Volume, pod_name: str) -> Iterator[Mention]:
    if volume.persistent_volume_claim is not None:
        yield Mention("PersistentVolumeClaim", volume.persistent_volume_claim.claim_name, "claim")
    if volume.ephemeral is not None and pod_name:
        yield Mention("PersistentVolumeClaim", f"{pod_name}-{volume.name}", "claim")
    if volume.config_map is not None:
        yield _files("ConfigMap", volume.config_map.name, "volume", volume.config_map)
    if volume.secret is not None:
        yield _files("Secret", volume.secret.secret_name, "volume", volume.secret)
    for source in (volume.projected.sources or ()) if volume.projected else ():
        if source.config_map is not None:
            yield _files("ConfigMap", source.config_map.name, "projected", source.config_map)
        if source.secret is not None:
            yield _files("Secret", source.secret.name, "projected", source.secret)
    yield from _drivers(volume)


def _files(kind: str, name: str, how: How, source: ConfigMapSource | SecretSource) -> Mention:
    items = tuple((item.key, item.path) for item in source.items) if source.items else None
    return Mention(kind, name, how, items, not source.optional)


def _drivers(volume: Volume) -> Iterator[Mention]:
    """Secrets with which a volume's driver signs in."""
    if volume.csi is not None and volume.csi.node_publish_secret_ref is not None:
        yield Mention("Secret", volume.csi.node_publish_secret_ref.name, "csi", at_mount=True)
    if volume.azure_file is not None:
        yield Mention("Secret", volume.azure_file.secret_name, "volume", at_mount=True)
    older_types = (
        volume.cephfs, volume.cinder, volume.rbd, volume.iscsi, volume.flex_volume, volume.scale_io, volume.storageos,
    )  # fmt: skip
    for older in older_types:
        if older is not None and older.secret_ref is not None:
            yield Mention("Secret", older.secret_ref.name, "volume", at_mount=True)
