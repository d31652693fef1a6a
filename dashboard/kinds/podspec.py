"""PodSpec and PodTemplateSpec, as pods and everything with a pod template carry them.

Of literal values of environment variables, and of commands, only the size is kept: people put passwords there. Parts that
all pods of a workload have alike are kept once for all of them, however long their lists of variables are.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from .meta import Annotations, LocalObjectReference, SharedDict, Struct, Word, decode_custom
from .selectors import LabelSelector
from .sizes import TextSize


class KeySelector(Struct, frozen=True, gc=False):
    """configMapKeyRef or secretKeyRef."""

    name: Word = ""
    key: Word = ""
    optional: bool = False


class EnvVarSource(Struct, frozen=True, gc=False):
    """Where an environment variable takes its value from, as far as it is another object."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Struct, frozen=True, gc=False):
    """An environment variable; of a literal value the size."""

    name: Word = ""
    value: TextSize | None = None
    value_from: EnvVarSource | None = None


class EnvFromRef(Struct, frozen=True, gc=False):
    """configMapRef or secretRef."""

    name: Word = ""
    optional: bool = False


class EnvFromSource(Struct, frozen=True, gc=False):
    """All keys of a ConfigMap or Secret as environment variables."""

    prefix: Word = ""
    config_map_ref: EnvFromRef | None = None
    secret_ref: EnvFromRef | None = None


class VolumeMount(Struct, frozen=True, gc=False):
    """Where a container sees a volume."""

    name: Word = ""
    mount_path: Word = ""
    sub_path: Word = ""
    sub_path_expr: Word = ""
    read_only: bool = False


class ContainerPort(Struct, frozen=True, gc=False):
    """A port that a container says it listens on."""

    container_port: int = 0
    name: Word = ""
    protocol: Word = "TCP"
    host_port: int = 0
    host_ip: Word = msgspec.field(name="hostIP", default="")


class Resources(Struct, frozen=True, gc=False):
    """Requests and limits: resource name → quantity text."""

    requests: SharedDict | None = None
    limits: SharedDict | None = None


class HTTPGet(Struct, frozen=True, gc=False):
    """An HTTP probe's target."""

    port: int | str = 0
    path: Word = "/"
    scheme: Word = "HTTP"


class PortAction(Struct, frozen=True, gc=False):
    """A TCP or gRPC probe's target."""

    port: int | str = 0


class ExecAction(Struct, frozen=True, gc=False):
    """A probe that runs a command."""

    command: tuple[TextSize, ...] = ()


class Probe(Struct, frozen=True, gc=False):
    """A liveness, readiness or startup probe; times in seconds."""

    http_get: HTTPGet | None = None
    tcp_socket: PortAction | None = None
    grpc: PortAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3


class Container(Struct, frozen=True, gc=False):
    """A container, init container or ephemeral container of a pod's spec."""

    name: Word
    image: Word = ""
    restart_policy: Word = ""
    command: tuple[TextSize, ...] | None = None
    args: tuple[TextSize, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFromSource, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    resources: Resources | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None

    @property
    def sidecar(self) -> bool:
        """An init container that keeps running beside the others (``restartPolicy: Always``)."""
        return self.restart_policy == "Always"


class KeyToPath(Struct, frozen=True, gc=False):
    """One key of a ConfigMap or Secret, as a file."""

    key: Word = ""
    path: Word = ""


class ConfigMapSource(Struct, frozen=True, gc=False):
    """A ConfigMap as files, alone or inside a projected volume."""

    name: Word = ""
    items: tuple[KeyToPath, ...] | None = None
    optional: bool = False


class SecretSource(Struct, frozen=True, gc=False):
    """A Secret as files; ``secretName`` in a volume, ``name`` inside a projected one."""

    secret_name: Word = ""
    name: Word = ""
    items: tuple[KeyToPath, ...] | None = None
    optional: bool = False


class Projection(Struct, frozen=True, gc=False):
    """One source of a projected volume, as far as it is another object."""

    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None


class Projected(Struct, frozen=True, gc=False):
    """A projected volume."""

    sources: tuple[Projection, ...] | None = None


class ClaimSource(Struct, frozen=True, gc=False):
    """A PersistentVolumeClaim as a volume."""

    claim_name: Word = ""
    read_only: bool = False


class EmptyDir(Struct, frozen=True, gc=False):
    """A folder that is lost with the pod."""

    medium: Word = ""
    size_limit: Word = ""


class HostPath(Struct, frozen=True, gc=False):
    """A folder of the node."""

    path: Word = ""


class CSISource(Struct, frozen=True, gc=False):
    """An inline CSI volume."""

    driver: Word = ""
    node_publish_secret_ref: LocalObjectReference | None = None


class SecretRefSource(Struct, frozen=True, gc=False):
    """Any older volume type that reads its password from a Secret."""

    secret_ref: LocalObjectReference | None = None


class AzureFile(Struct, frozen=True, gc=False):
    """An Azure file share, which names its Secret differently."""

    secret_name: Word = ""


class Present(Struct, frozen=True, gc=False):
    """Only that the field is there: what kind of volume it is, or that an ephemeral one has a claim of its own."""


class Volume(Struct, frozen=True, gc=False):
    """A volume of a pod, as far as it names other objects or loses data."""

    name: Word = ""
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None
    projected: Projected | None = None
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Present | None = None
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None
    csi: CSISource | None = None
    azure_file: AzureFile | None = None
    cephfs: SecretRefSource | None = None
    cinder: SecretRefSource | None = None
    rbd: SecretRefSource | None = None
    iscsi: SecretRefSource | None = None
    flex_volume: SecretRefSource | None = None
    scale_io: SecretRefSource | None = msgspec.field(name="scaleIO", default=None)
    storageos: SecretRefSource | None = None
    downward_api: Present | None = msgspec.field(name="downwardAPI", default=None)
    image: Present | None = None
    nfs: Present | None = None
    fc: Present | None = None
    glusterfs: Present | None = None
    quobyte: Present | None = None
    azure_disk: Present | None = None
    vsphere_volume: Present | None = None
    portworx_volume: Present | None = None
    gce_persistent_disk: Present | None = None
    aws_elastic_block_store: Present | None = msgspec.field(name="awsElasticBlockStore", default=None)


class Named(Struct, frozen=True, gc=False):
    """Something with only a name (scheduling gates)."""

    name: Word = ""


class ReadinessGate(Struct, frozen=True, gc=False):
    """A condition that must be True before the pod counts as ready."""

    condition_type: Word = ""


class Toleration(Struct, frozen=True, gc=False):
    """A taint that the pod puts up with."""

    key: Word = ""
    operator: Word = "Equal"
    value: Word = ""
    effect: Word = ""
    toleration_seconds: int | None = None


class TopologySpread(Struct, frozen=True, gc=False):
    """One topology spread constraint."""

    topology_key: Word = ""
    max_skew: int = 1
    min_domains: int = 1
    when_unsatisfiable: Word = ""
    label_selector: LabelSelector | None = None
    match_label_keys: tuple[Word, ...] | None = None
    node_affinity_policy: Word = "Honor"
    node_taints_policy: Word = "Ignore"


class AffinityTerm(Struct, frozen=True, gc=False):
    """A pod (anti-)affinity term: which pods, of which namespaces, over which topology. The API server has put
    ``matchLabelKeys`` into the selector.
    """

    topology_key: Word = ""
    label_selector: LabelSelector | None = None
    namespaces: tuple[Word, ...] | None = None
    namespace_selector: LabelSelector | None = None


class WeightedAffinityTerm(Struct, frozen=True, gc=False):
    """A preferred pod (anti-)affinity term."""

    pod_affinity_term: AffinityTerm | None = None


class PodAffinity(Struct, frozen=True, gc=False):
    """Brings pods together."""

    required: tuple[AffinityTerm, ...] | None = msgspec.field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )
    preferred: tuple[WeightedAffinityTerm, ...] | None = msgspec.field(
        name="preferredDuringSchedulingIgnoredDuringExecution", default=None
    )


class PodAntiAffinity(Struct, frozen=True, gc=False):
    """Keeps pods apart."""

    required: tuple[AffinityTerm, ...] | None = msgspec.field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )
    preferred: tuple[WeightedAffinityTerm, ...] | None = msgspec.field(
        name="preferredDuringSchedulingIgnoredDuringExecution", default=None
    )


class NodeRequirement(Struct, frozen=True, gc=False):
    """A requirement on a node's labels (or, in matchFields, its name)."""

    key: Word = ""
    operator: Word = ""
    values: tuple[Word, ...] | None = None


class NodeSelectorTerm(Struct, frozen=True, gc=False):
    """Requirements that must all hold."""

    match_expressions: tuple[NodeRequirement, ...] | None = None
    match_fields: tuple[NodeRequirement, ...] | None = None


class NodeSelector(Struct, frozen=True, gc=False):
    """Terms of which one must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] | None = None


class NodeAffinity(Struct, frozen=True, gc=False):
    """The nodes a pod must be on."""

    required: NodeSelector | None = msgspec.field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )


class Affinity(Struct, frozen=True, gc=False):
    """What ties the pod to nodes and to other pods, and keeps it apart from others."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


Containers = tuple[Container, ...] | None
Volumes = tuple[Volume, ...] | None
Tolerations = tuple[Toleration, ...] | None
Spreads = tuple[TopologySpread, ...] | None

if TYPE_CHECKING:
    SharedContainers = Containers
    SharedVolumes = Volumes
    SharedTolerations = Tolerations
    SharedAffinity = Affinity | None
    SharedSpreads = Spreads
else:  # PodSpec decodes these itself, see __post_init__
    SharedContainers = SharedVolumes = SharedTolerations = SharedAffinity = SharedSpreads = msgspec.Raw

# The volume of the service account's token has a random name in every pod; without it, pods of a workload are alike.
_TOKEN_VOLUME = re.compile(rb'"kube-api-access-[a-z0-9]{5}"')


class _Sharing:
    """Decodes equal JSON to one and the same object, for the last few thousand different ones.

    They are found again by a digest, as the JSON holds literal values of variables.
    """

    def __init__(self, type_: Any) -> None:
        self._decoder = msgspec.json.Decoder(type_, dec_hook=decode_custom)
        self._kept: dict[bytes, Any] = {}

    def __call__(self, raw: msgspec.Raw) -> Any:
        text = _TOKEN_VOLUME.sub(b'"kube-api-access"', bytes(raw))
        digest = blake2b(text, digest_size=16).digest()
        found = self._kept.get(digest)
        if found is None:
            found = self._decoder.decode(text)
            if len(self._kept) >= 4096:
                del self._kept[next(iter(self._kept))]
            self._kept[digest] = found
        return found


_SHARED = {
    "containers": _Sharing(Containers),
    "init_containers": _Sharing(Containers),
    "ephemeral_containers": _Sharing(Containers),
    "volumes": _Sharing(Volumes),
    "tolerations": _Sharing(Tolerations),
    "affinity": _Sharing(Affinity | None),
    "topology_spread_constraints": _Sharing(Spreads),
}


class PodResourceClaim(Struct, frozen=True, gc=False):
    """A device that a pod asks for: a ResourceClaim, or the template that one is made of for it."""

    name: str = ""
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSpec(Struct, frozen=True, gc=False):
    """The spec of a pod or of a pod template."""

    containers: SharedContainers = None
    init_containers: SharedContainers = None
    ephemeral_containers: SharedContainers = None
    volumes: SharedVolumes = None
    node_name: Word = ""
    node_selector: SharedDict | None = None
    service_account_name: Word = ""
    image_pull_secrets: tuple[LocalObjectReference, ...] | None = None
    readiness_gates: tuple[ReadinessGate, ...] | None = None
    scheduling_gates: tuple[Named, ...] | None = None
    resource_claims: tuple[PodResourceClaim, ...] | None = None
    topology_spread_constraints: SharedSpreads = None
    affinity: SharedAffinity = None
    tolerations: SharedTolerations = None
    overhead: SharedDict | None = None
    resources: Resources | None = None  # of the pod as a whole
    restart_policy: Word = "Always"
    scheduler_name: Word = ""
    priority_class_name: Word = ""
    priority: int | None = None
    preemption_policy: Word = ""
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    host_network: bool = False

    def __post_init__(self) -> None:
        for name, decode in _SHARED.items():
            raw = getattr(self, name)
            if isinstance(raw, msgspec.Raw):
                msgspec.structs.force_setattr(self, name, decode(raw))


class TemplateMeta(Struct, frozen=True, gc=False):
    """Metadata of a pod template."""

    labels: SharedDict | None = None
    annotations: Annotations | None = None

    @property
    def restarted_at(self) -> str:
        """When a restart was asked for last, or ""."""
        return str((self.annotations or {}).get("kubectl.kubernetes.io/restartedAt", ""))


class PodTemplate(Struct, frozen=True, gc=False):
    """spec.template of a workload."""

    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()
