"""Troubles as bug reports have them, in the words of kubelets, schedulers, runtimes and registries: the sentence must hold
the cause, and the next step must be one that mends it.
"""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import findings
from dashboard.insight.words import text_of

from .world import (
    NOW,
    World,
    ago,
    condition,
    deployment,
    ended,
    event,
    ingress,
    meta,
    node,
    pod,
    replicaset,
    service,
    waiting,
)

PLACED = [
    condition("PodScheduled", "True", since=ago(minutes=8)),
    condition("Ready", "False", since=ago(minutes=8)),
]
PATH = "spec.containers{app}"
POD = "pods-web-1"


def first(world: World) -> tuple[str, str, str]:
    """The rule, the sentence after its subject, and the next step of what stands first."""
    found = findings(world, NOW)[0]
    said = text_of(found.text).partition(" in shop")[2]
    return found.rule, said.lstrip(": "), found.step.text


def alone(**more: Any) -> dict[str, Any]:
    return pod(owner=None, **more)


def pending(reason: str, message: str = "", **spec: Any) -> dict[str, Any]:
    manifest = alone(state=waiting(reason, message), conditions=PLACED, phase="Pending", ready=False)
    manifest["spec"] |= spec
    return manifest


def world(manifest: dict[str, Any], *events: tuple[str, str, float]) -> World:
    """A pod with Events: reason, message, how many minutes ago."""
    made = World(("pods", manifest))
    for number, (reason, message, minutes) in enumerate(events):
        one = event(POD, reason, message, path=PATH if reason == "Unhealthy" else "", minutes=minutes)
        one["metadata"]["name"] = f"event-{number}"
        made.add("events", one)
    return made


# ---- images


@pytest.mark.parametrize(
    ("image", "message", "why"),
    [
        ("shop/web:401", 'failed to resolve reference "docker.io/shop/web:401": docker.io/shop/web:401: not found', "no such image or tag"),
        ("ghcr.io/shop/web:502", 'Back-off pulling image "ghcr.io/shop/web:502": ErrImagePull: ghcr.io/shop/web:502: not found', "no such image"),
        ("shop/timeout-refused:1", 'failed to pull image "shop/timeout-refused:1": docker.io/shop/timeout-refused:1: not found', "no such image"),
        ("reg.example:500/a:1", "reg.example:500/a:1: not found", "no such image"),
        ("shop/web:404", 'pull access denied for "docker.io/shop/web:404"', "the registry denies access"),
        ("quay.io/a/b:1", 'failed to do request: Get "https://cdn.quay.io/sha256/aa": context deadline exceeded', "quay.io cannot be reached from its node: the connection timed out"),
        ("a/b:1", 'Back-off pulling image "a/b:1": SignatureValidationFailed: image pull failed for a/b:1', "its signature is missing or not accepted"),
        ("a/b:1", 'failed to pull image "a/b:1": unexpected media type text/html', "unexpected media type text/html"),
        ("a/b:1", 'Back-off pulling image "a/b:1"', "the registry returned no image"),
    ],
)  # fmt: skip
def test_an_images_own_name_is_no_reason(image: str, message: str, why: str) -> None:
    manifest = pending("ImagePullBackOff", message)
    manifest["spec"]["containers"][0]["image"] = image
    assert why in first(world(manifest))[1]


@pytest.mark.parametrize(
    ("message", "rule", "why", "step"),
    [
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "pod-registry-unreachable", "its certificate is not trusted", "Have the container runtime"),
        ("x509: certificate has expired or is not yet valid", "pod-registry-unreachable", "its certificate has expired", "Renew the registry's certificate"),
        ("http: server gave HTTP response to HTTPS client", "pod-registry-unreachable", "it speaks HTTP, not HTTPS", "Serve the registry by HTTPS"),
        ("proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused", "pod-registry-unreachable", "the proxy on the way", "Check the proxy"),
        ("unexpected status from HEAD request to https://quay.io/v2/a/manifests/1: 502 Bad Gateway", "pod-registry-unreachable", "it answers 502", "Wait"),
        ('media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported since containerd v2.1', "pod-image-pull", "schema 1", "Build"),
        ("credential provider plugin exec failed: exit status 1", "pod-image-pull", "credential provider failed", "Look at the kubelet's log"),
        ("failed to create temp dir: mkdir /var/lib/containerd/x: read-only file system", "pod-image-pull", "can't be written", "Look at its node"),
        ("dial tcp: lookup reg.example: no such host", "pod-registry-unreachable", "its host name can't be resolved", "Check the name of the registry"),
        ('short-name "nginx:latest" did not resolve to an alias and no unqualified-search registries are defined', "pod-image-name", "it names no registry", "Write the image with its registry"),
        ("failed to extract layer sha256:a: failed to get reader from content store: content digest sha256:a: not found",
         "pod-image-pull", "gone from its node", "Remove the image from its node"),
        ("unexpected media type text/html for sha256:a: not found", "pod-image-pull", "unexpected media type text/html", "Look at the pod's events"),
    ],
)  # fmt: skip
def test_an_image_that_does_not_come_says_what_brings_it(
    message: str, rule: str, why: str, step: str
) -> None:
    found = first(world(pending("ImagePullBackOff", message)))
    assert found[0] == rule and why in found[1] and found[2].startswith(step), found


@pytest.mark.parametrize(
    ("said", "why", "step"),
    [
        ('failed to create containerd container: cannot load seccomp profile "/var/lib/kubelet/seccomp/a.json": open /var/lib/kubelet',
         '(CreateContainerError): cannot load seccomp profile "/var/lib/kubelet/seccomp/a.json"', "Put that profile on its node"),
        ("failed to create containerd container: apparmor profile not found k8s-a", "apparmor profile not found k8s-a.", "Load that profile"),
        ('failed to reserve container name "app_web-1_shop_x_0": name "app_web-1_shop_x_0" is reserved for "ab"', "reserve", "Wait: an earlier try"),
        ("context deadline exceeded", "context deadline exceeded", "Wait: the kubelet tries again"),
        ('failed to generate container "a" spec: failed to generate spec: path "/mnt" is mounted on "/" but it is not a shared mount',
         ': path "/mnt" is mounted', "Mount that path as shared"),
        ('runc create failed: unable to start container process: error during container init: chdir to cwd ("/home/app") set in config.json '
         "failed: permission denied: unknown", 'chdir to cwd ("/home/app")', "Correct workingDir"),
        ("nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown", "driver not loaded", "Look at the GPU driver"),
        ("unable to apply cgroup configuration: write /sys/fs/cgroup: no space left on device", "apply cgroup", "Look at its node"),
        ('failed to generate container "a" spec: failed to generate spec: no command specified', ": no command specified.", "Set command"),
    ],
)  # fmt: skip
def test_what_a_runtime_refuses_is_not_always_the_pod_templates_fault(said: str, why: str, step: str) -> None:
    found = first(world(pending("CreateContainerError", said)))
    assert found[0] == "pod-cannot-start" and why in found[1] and found[2].startswith(step), found


def test_a_pull_secret_that_the_kubelet_misses_needs_no_right_to_read_secrets() -> None:
    said = (
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed."
    )
    manifest = pending("ImagePullBackOff", "pull access denied", imagePullSecrets=[{"name": "regcred"}])
    event = ("FailedToRetrieveImagePullSecret", said, 1)
    assert first(world(manifest, event))[0] == "pod-pull-secret-missing"
    # Where Secrets are listed, they tell: it was created meanwhile.
    created = world(manifest, event).with_secret("regcred", "kubernetes.io/dockerconfigjson")
    assert first(created)[0] == "pod-image-denied"


def test_a_tag_that_is_missing_is_not_the_pull_secrets_fault() -> None:
    manifest = pending(
        "ImagePullBackOff", "docker.io/shop/web:1.2: not found", imagePullSecrets=[{"name": "regcred"}]
    )
    rule, said, step = first(world(manifest).reading("secrets"))
    assert rule == "pod-image-not-found" and step.startswith("Correct the image")
    assert said.endswith("no such image or tag; its pull secret regcred does not exist either.")


def test_a_pull_secret_of_another_type_is_not_read() -> None:
    manifest = pending("ImagePullBackOff", "pull access denied", imagePullSecrets=[{"name": "regcred"}])
    _, said, step = first(world(manifest).with_secret("regcred", "Opaque"))
    assert said.endswith("its pull secret regcred is of type Opaque, which is not read for images.")
    assert step == "Recreate Secret regcred with type kubernetes.io/dockerconfigjson."
    _, said, step = first(world(manifest).with_secret("regcred", "kubernetes.io/dockerconfigjson"))
    assert said.endswith("the registry denies access, although it has pull secret regcred.")
    assert step == "Check that the pull secret is for docker.io and still valid, or correct the image."


def test_the_image_of_a_volume_is_not_the_containers() -> None:
    said = 'Back-off pulling image "quay.io/a/data:1": ErrImagePull: quay.io/a/data:1: not found'
    volumes = [{"name": "data", "image": {"reference": "quay.io/a/data:1"}}]
    assert (
        "cannot pull its image quay.io/a/data:1:"
        in first(world(pending("ImagePullBackOff", said, volumes=volumes)))[1]
    )
    said = 'Back-off pulling image "shop/web:1.2": ErrImagePull: docker.io/shop/web:1.2: not found'
    assert (
        "cannot pull its image shop/web:1.2:"
        in first(world(pending("ImagePullBackOff", said, volumes=volumes)))[1]
    )


# ---- probes

HTTP = {"httpGet": {"port": 8081, "path": "/ready"}, "timeoutSeconds": 2}
REFUSED = (
    'probe failed: Get "http://10.0.0.5:8081/ready": dial tcp 10.0.0.5:8081: connect: connection refused'
)


@pytest.mark.parametrize(
    ("probe", "ports", "message", "why", "step"),
    [
        (HTTP, [8080], REFUSED, "nothing listens on port 8081", "Correct the probe's port: the container declares 8080."),
        (HTTP, [8081], REFUSED, "nothing listens on port 8081", "Read its log to see why."),
        (HTTP, [], REFUSED, "nothing listens on port 8081", "Read its log to see why."),
        (HTTP, [], "probe failed: HTTP probe failed with statuscode: 404", "it answers HTTP 404", "Correct the probe's path, or see in its log what it serves."),
        (HTTP, [], "probe failed: HTTP probe failed with statuscode: 401", "it answers HTTP 401", "Let it serve the probe's path without signing in, or send what it asks for in httpHeaders."),
        (HTTP, [], 'probe failed: Get "https://10.0.0.5:8443/": remote error: tls: bad certificate', "it asks for a client certificate", "Let it serve the probe without one, or use an exec probe."),
        (HTTP, [], "probe failed: HTTP probe failed with statuscode: 503", "it answers HTTP 503", "Read its log to see why."),
        (HTTP, [], 'probe failed: Get "http://10.0.0.5:8081/ready": context deadline exceeded (Client.Timeout exceeded)', "no answer within 2 s", "Read its log to see why."),
        (HTTP, [], "probe failed: HTTP probe failed with statuscode: 400", "it answers HTTP 400", "If it speaks HTTPS, set scheme: HTTPS in the probe; else read its log."),
        (HTTP, [], r'probe failed: Get "http://10.0.0.5:8081/": net/http: malformed HTTP response "\x15\x03\x01\x00"', "it speaks HTTPS, not HTTP", "Set scheme: HTTPS in the probe."),
        ({"httpGet": {"port": 8081, "scheme": "HTTPS"}}, [], 'probe failed: Get "https://10.0.0.5": http: server gave HTTP response to HTTPS client', "it speaks HTTP, not HTTPS", "Set scheme: HTTP in the probe."),
        ({"httpGet": {"port": "http"}}, [8080], 'probe errored and resulted in unknown state: strconv.Atoi: parsing "http": invalid syntax', "no port of the container has the name http", "Correct the probe's port."),
        ({"exec": {"command": ["curl"]}}, [], 'probe errored and resulted in unknown state: exec: "curl": executable file not found in $PATH', "its command curl is not in the image", "Correct the probe's command."),
        ({"exec": {"command": ["psql"]}}, [], "probe failed: psql: connection refused\nIs the server running?", "its command says: psql: connection refused Is the server running?", "Read its log to see why."),
        ({"exec": {"command": ["check"]}}, [], "probe failed: context deadline exceeded: etcd", "its command says: context deadline exceeded: etcd", "Read its log to see why."),
        ({"exec": {"command": ["check"]}}, [], "probe failed: ", "its command fails and prints nothing", "Read its log to see why."),
        ({"exec": {"command": ["sleep"]}}, [], 'probe failed: command timed out: "sleep 9" timed out after 1s', "no answer within 1 s", "Read its log to see why."),
        ({"grpc": {"port": 9090}}, [], 'probe failed: service unhealthy (responded with "NOT_SERVING")', "it answers NOT_SERVING", "Read its log to see why."),
        ({"grpc": {"port": 9090}}, [], "probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
         "it does not implement the gRPC health protocol", "Serve grpc.health.v1.Health in the container, or use a probe of another kind."),
        (HTTP, [], 'probe failed: Get "http://10.0.0.5:8081/ready": EOF', "it closes the connection without an answer", "Read its log to see why."),
        (HTTP, [], 'probe failed: Get "http://10.0.0.5:8081/ready": dial tcp 10.0.0.5:8081: connect: no route to host', "its node cannot reach the pod's address", "Look at the network plug-in's pod on its node."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("which", ["readiness", "liveness"])
def test_a_failing_probe_says_what_it_met(
    which: str, probe: dict[str, Any], ports: list[int], message: str, why: str, step: str
) -> None:
    container = {f"{which}Probe": probe, "ports": [{"containerPort": port} for port in ports]}
    crashing: dict[str, Any] = {"state": waiting("CrashLoopBackOff"), "last": ended(137), "restarts": 5}
    manifest = alone(ready=False, container=container, **(crashing if which == "liveness" else {}))
    rule, said, next_step = first(world(manifest, ("Unhealthy", f"{which.title()} {message}", 1)))
    assert (rule, said.endswith(f": {why}.")) == (f"pod-{which}-failing", True), said
    if which == "readiness" or not step.startswith("Read"):
        assert next_step == step


def test_what_a_command_prints_is_no_word_of_the_kubelet() -> None:
    container = {"readinessProbe": {"exec": {"command": ["check"]}}}
    said = first(
        world(
            alone(ready=False, container=container),
            ("Unhealthy", "Readiness probe failed: connection refused", 1),
        )
    )[1]
    assert said.endswith("app fails its readiness probe: its command says: connection refused.")


def test_a_sidecar_that_has_not_started_holds_up_the_pod_and_not_its_volumes() -> None:
    running = {"name": "proxy", "started": False, "state": {"running": {"startedAt": ago(minutes=6)}}}
    manifest = pending(
        "PodInitializing", initContainers=[{"name": "proxy", "restartPolicy": "Always", "startupProbe": HTTP}]
    )
    manifest["status"]["initContainerStatuses"] = [running]
    rule, said, _ = first(world(manifest))
    assert rule == "pod-startup-failing"
    assert said == "does not start: container proxy has not passed its startup probe."


@pytest.mark.parametrize(
    ("ready_since", "oom", "rule"),
    [
        # It was ready since: something else is wrong now.
        (ago(minutes=5), ended(137, "OOMKilled", minutes=50), "pod-readiness-failing"),
        (ago(days=3), ended(137, "OOMKilled", days=3), "pod-readiness-failing"),
        # It has not been ready since, and starts slowly.
        (ago(minutes=51), ended(137, "OOMKilled", minutes=50), "pod-out-of-memory"),
    ],
)
def test_an_earlier_end_for_memory_is_not_why_a_pod_is_unready_now(
    ready_since: str, oom: dict[str, Any], rule: str
) -> None:
    manifest = alone(
        ready=False, last=oom, restarts=1, container={"readinessProbe": HTTP},
        state={"running": {"startedAt": ago(minutes=49) if "minutes" in rule else oom["terminated"]["finishedAt"]}},
        conditions=[condition("PodScheduled", "True"), condition("Ready", "False", since=ready_since)],
    )  # fmt: skip
    assert first(world(manifest))[0] == rule


# ---- starting

SUM = "Unable to attach or mount volumes: unmounted volumes=[config], unattached volumes=[], failed to process volumes=[]: timed out"
ABSENT = 'MountVolume.SetUp failed for volume "config" : configmap "settings" not found'
DENIED = (
    'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32\nMounting command: mount\n'
    "Output: mount.nfs: access denied by server while mounting 10.0.0.9:/exp\n"
)


@pytest.mark.parametrize(
    ("events", "rule", "why", "step"),
    [
        ([("FailedMount", ABSENT, 3), ("FailedMount", SUM, 1)], "pod-config-missing", "needs ConfigMap settings", "Create ConfigMap settings"),
        ([("FailedMount", SUM, 3), ("FailedMount", ABSENT, 30)], "pod-volume-mount", "volume config cannot be mounted.", "Wait"),
        # What was in the way before has passed.
        ([("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"', 9), ("FailedMount", DENIED, 1)], "pod-volume-mount", "access denied", "Let the NFS server export"),
        ([("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"', 3), ("FailedMount", SUM, 1)], "pod-volume-attach", "still in use", "Wait for the other"),
        ([("FailedMount", DENIED, 9), ("FailedCreatePodSandBox", 'plugin type="calico" failed (add)', 1)], "pod-sandbox", "its network", "Look at the network"),
        ([("FailedMount", DENIED, 1)], "pod-volume-mount", "mounted: mount.nfs: access denied by server while mounting 10.0.0.9:/exp.", "Let the NFS server export"),
        ([("FailedMount", 'MountVolume.SetUp failed for volume "nfs" : Output: mount: bad option; you might need a /sbin/mount.nfs helper program.', 1)],
         "pod-volume-mount", "bad option", "Install the mount helper"),
        ([("FailedMount", 'MountVolume.MountDevice failed for volume "nfs" : driver name nfs.csi.k8s.io not found in the list of registered CSI drivers', 1)],
         "pod-volume-mount", "CSI driver nfs.csi.k8s.io is not registered on its node.", "Install that driver"),
        ([("FailedMount", 'MountVolume.SetUp failed for volume "config" : object "shop"/"settings" not registered', 1)],
         "pod-volume-mount", "not registered", "Wait: the kubelet tries again"),
        ([("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = NotFound desc = no such disk', 1)],
         "pod-volume-attach", "volume pvc-1 cannot be attached to its node: no such disk.", "Look at the volume"),
        ([("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = UnauthorizedOperation: no', 1)],
         "pod-volume-attach", "UnauthorizedOperation: no.", "Give the CSI driver's account"),
        ([("FailedCreatePodContainer", "unable to ensure pod container exists: mkdir /sys/fs/cgroup: cannot allocate memory", 1)],
         "pod-sandbox", "cannot allocate memory", "Look at the container runtime"),
        ([("FailedCreatePodSandBox", 'failed to get sandbox runtime: no runtime for "gvisor" is configured', 1)],
         "pod-sandbox", "its RuntimeClass's handler is not configured on its node.", "Configure that handler in its node"),
        ([("FailedCreatePodSandBox", 'failed to get sandbox image "registry.k8s.io/pause:3.9": dial tcp: lookup: no such host', 1)],
         "pod-sandbox", "the sandbox image registry.k8s.io/pause:3.9 can't be pulled on its node.", "Check that its node can reach"),
        ([("FailedCreatePodSandBox", 'failed to setup network for sandbox "a": plugin type="calico" failed (add): Unauthorized', 1)],
         "pod-sandbox", "its network could not be set up on its node.", "Look at the network plug-in"),
        ([("FailedCreatePodSandBox", "rpc error: code = DeadlineExceeded desc = context deadline exceeded", 1)],
         "pod-sandbox", "its sandbox could not be created on its node: context deadline exceeded.", "Look at the container runtime"),
    ],
)  # fmt: skip
def test_a_pod_that_does_not_start_says_what_is_in_its_way(
    events: list[tuple[str, str, float]], rule: str, why: str, step: str
) -> None:
    manifest = pending(
        "ContainerCreating",
        volumes=[{"name": "config", "configMap": {"name": "settings"}}, {"name": "nfs", "nfs": {}}],
    )
    found = first(world(manifest, *events))
    assert (found[0], found[2].startswith(step)) == (rule, True), found
    assert why in found[1]


@pytest.mark.parametrize(
    ("message", "why", "step"),
    [
        ('SetUp failed for volume "a" : configmap "kube-root-ca.crt" not found', "needs ConfigMap kube-root-ca.crt", "Check that kube-controller-manager runs"),
        ('SetUp failed for volume "a" : failed to fetch token: serviceaccounts "robot" not found', "volume a cannot be mounted", "Create ServiceAccount robot again"),
        ('NewMounter initialization failed for volume "a" : path "/mnt/ssd" does not exist', "/mnt/ssd", "Create that directory on its node"),
        ('SetUp failed for volume "a" : Output: mount.nfs: mounting 10.0.0.9:/x failed, reason given by server: No such file or directory', "10.0.0.9:/x", "Create that directory on the NFS server"),
        ('SetUp failed for volume "a" : desc = error connecting to provider "vault": provider not found: provider "vault"', "vault", "Install provider vault"),
        ('SetUp failed for volume "a" : failed to get secretproviderclass shop/x, error: SecretProviderClass.secrets-store.csi.x-k8s.io "x" not found', "secretproviderclass", "Create that SecretProviderClass"),
        ('MountDevice failed for volume "a" : desc = an operation with the given Volume ID a already exists', "already exists", "Wait: an earlier try"),
        ('MountDevice failed for volume "a" : mount: wrong fs type, bad option, bad superblock on /dev/x', "wrong fs type", "Check the file system"),
    ],
)  # fmt: skip
def test_what_keeps_a_volume_from_its_mount_is_not_always_the_storage(
    message: str, why: str, step: str
) -> None:
    found = first(world(pending("ContainerCreating"), ("FailedMount", f"MountVolume.{message}", 1)))
    assert why in found[1] and found[2].startswith(step), found


def test_a_volume_whose_driver_is_not_on_the_node_is_told_so_when_it_is_attached() -> None:
    said = (
        'AttachVolume.Attach failed for volume "a" : CSINode node-1 does not contain driver ebs.csi.example'
    )
    _, why, step = first(world(pending("ContainerCreating"), ("FailedAttachVolume", said, 1)))
    assert why.endswith("attached to its node: CSI driver ebs.csi.example is not registered on its node.")
    assert step.startswith("Install that driver")


def test_a_configmap_that_was_created_since_is_not_missing() -> None:
    manifest = pending("ContainerCreating", volumes=[{"name": "config", "configMap": {"name": "settings"}}])
    events = ("FailedMount", ABSENT, 9), ("FailedCreatePodSandBox", "context deadline exceeded", 1)
    assert first(world(manifest, *events))[0] == "pod-config-missing"
    made = world(manifest, *events)
    made.add("configmaps", {"metadata": meta("settings"), "data": {"a": "b"}})
    assert first(made)[0] == "pod-sandbox"


def test_a_missing_key_of_one_of_several_secrets_is_that_ones() -> None:
    sources = [
        {"secret": {"name": "a", "items": [{"key": "x"}]}},
        {"secret": {"name": "b", "items": [{"key": "tls.crt"}]}},
    ]
    manifest = pending("ContainerCreating", volumes=[{"name": "all", "projected": {"sources": sources}}])
    said = 'MountVolume.SetUp failed for volume "all" : references non-existent secret key: tls.crt'
    assert "needs key tls.crt of Secret b" in first(world(manifest, ("FailedMount", said, 1)))[1]


@pytest.mark.parametrize(
    ("message", "rule", "why", "step"),
    [
        ("container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: x)", "pod-runs-as-root",
         "its image names its user", "Set runAsUser to the number"),
        ("container's runAsUser breaks non-root policy (pod: x, container: app)", "pod-runs-as-root", "its runAsUser is 0", "Set runAsUser to another"),
        ("services have not yet been read at least once, cannot construct envvars", "pod-config-error", "not yet been read", "Wait"),
        ("failed to sync configmap cache: timed out waiting for the condition", "pod-config-error", "failed to sync", "Wait"),
        ('failed to prepare subPath for volumeMount "data" of container "app"', "pod-config-error", "subPath", "Correct the subPath"),
    ],
)  # fmt: skip
def test_a_refused_container_says_what_to_correct(message: str, rule: str, why: str, step: str) -> None:
    found = first(world(pending("CreateContainerConfigError", message)))
    assert (found[0], found[2].startswith(step)) == (rule, True), found
    assert why in found[1]


def test_a_variable_from_binary_data_is_told_where_its_key_is() -> None:
    manifest = pending("CreateContainerConfigError", "couldn't find key LOGO in ConfigMap shop/settings")
    made = world(manifest)
    made.add("configmaps", {"metadata": meta("settings"), "binaryData": {"LOGO": "/w=="}})
    _, said, step = first(made)
    assert said.endswith(
        "needs key LOGO of ConfigMap settings, which is in binaryData, where no variable is read from."
    )
    assert step == "Put LOGO into data of ConfigMap settings, as text."
    made.add("configmaps", {"metadata": meta("settings"), "data": {"OTHER": "x"}})
    assert first(made)[2] == "Add key LOGO to ConfigMap settings."


RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("message", "why", "step"),
    [
        (f'{RUNC}error during container init: error mounting "/var/lib/x" to rootfs at "/etc/nginx/nginx.conf": mount src=/x: not a directory: unknown: Are you trying',
         "a volume can't be mounted at /etc/nginx/nginx.conf of container app: not a directory.", "Correct mountPath and subPath"),
        (f'{RUNC}error during container init: error mounting "/var/lib/x" to rootfs at "/data": mkdirat /data: read-only file system: unknown',
         "a volume can't be mounted at /data of container app: read-only file system.", "Mount it where"),
        (f"{RUNC}exec /app: exec format error: unknown", "(RunContainerError): exec /app: exec format error.", "Use an image"),
        (f'{RUNC}chdir to cwd ("/srv") set in config.json failed: no such file or directory: unknown',
         '(RunContainerError): chdir to cwd ("/srv") set in config.json failed: no such file or directory.', "Correct workingDir"),
    ],
)  # fmt: skip
def test_a_runtime_that_can_not_start_a_container_is_quoted(message: str, why: str, step: str) -> None:
    found = first(world(pending("RunContainerError", message)))
    assert (found[0], found[2].startswith(step)) == ("pod-cannot-start", True), found
    assert found[1].endswith(why), found[1]


# ---- scheduling


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ("no nodes available to schedule pods", "Add a node"),
        ("0/3 nodes are available: 3 Too many pods.", "Add a node, or scale something down: each"),
        ("0/3 nodes are available: 3 node(s) exceed max volume count.", "Add a node, or scale something down that uses volumes"),
        ("0/3 nodes are available: 3 node(s) did not have enough free storage.", "Free capacity in the storage"),
        ("0/3 nodes are available: 3 node(s) were unschedulable.", "Uncordon a node"),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", "Look at the nodes"),
        ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", "Install the device plugin of nvidia.com/gpu"),
        ("0/3 nodes are available: 3 Insufficient cpu.", "Lower its requests"),
        ('0/3 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim "web-1-a".', "Check that kube-controller"),
    ],
)  # fmt: skip
def test_a_pod_without_a_node_is_told_what_would_give_it_one(message: str, step: str) -> None:
    manifest = alone(
        phase="Pending", ready=False, node="", conditions=[condition("PodScheduled", "False", "Unschedulable", message)]
    )  # fmt: skip
    made = World(("pods", manifest), ("nodes", node()))
    found = next(one for one in findings(made, NOW) if one.plural == "pods")
    assert found.step.text.startswith(step)


def test_a_claim_that_lost_its_volume_is_told_once() -> None:
    message = (
        '0/3 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1".'
    )
    manifest = alone(
        phase="Pending", ready=False, node="", conditions=[condition("PodScheduled", "False", "Unschedulable", message)]
    )  # fmt: skip
    claim = {"metadata": meta("data"), "spec": {"volumeName": "pv-1"}, "status": {"phase": "Lost"}}
    lost, follows = findings(World(("pods", manifest), ("persistentvolumeclaims", claim)), NOW)
    assert (lost.rule, follows.rule, follows.follows) == ("claim-lost", "pod-unschedulable", lost.ref)


# ---- pods that can't be created


@pytest.mark.parametrize(
    ("message", "why", "step"),
    [
        ('pods "web-x" is forbidden: failed quota: q: must specify limits.cpu for: app; limits.memory for: app',
         "demands that containers set limits.cpu and limits.memory", "Set limits.cpu and limits.memory"),
        ("pods \"web-x\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'b' denied request: image tag latest is not allowed",
         "'no-latest' refuses them: image tag latest is not allowed.", "Change the pod template"),
        ('admission webhook "v.example" denied the request: every image needs a digest', "refuses them: every image needs a digest.", "Change"),
        ('Pod "web-x" is invalid: spec.hostname: Invalid value: "A_b": no', 'rejects them: spec.hostname: Invalid value: "A_b": no.', "Correct the pod"),
        ("etcdserver: request timed out", "could not take the request: etcdserver: request timed out.", "Wait"),
    ],
)  # fmt: skip
def test_what_the_api_server_answers_is_in_the_sentence(message: str, why: str, step: str) -> None:
    failed = condition("ReplicaFailure", "True", "FailedCreate", message)
    made = World(
        ("deployments", deployment(available=0, current=0, conditions=[failed])), ("replicasets", replicaset())
    )  # fmt: skip
    found = first(made)
    assert why in found[1] and found[2].startswith(step), found


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("no route to host", "can't be reached"),
        ("context deadline exceeded", "does not answer in time"),
        ("x509: certificate signed by unknown authority", "does not trust its certificate"),
    ],
)
def test_a_webhooks_own_name_is_no_reason(said: str, why: str) -> None:
    post = 'Post "https://x509-refused-tls:443.timeouts.svc:443/EOF?timeout=10s"'
    message = (
        f'Internal error occurred: failed calling webhook "x.example": failed to call webhook: {post}: {said}'
    )
    failed = condition("ReplicaFailure", "True", "FailedCreate", message)
    made = World(
        ("deployments", deployment(available=0, current=0, conditions=[failed])),
        ("replicasets", replicaset()),
    )
    assert why in first(made)[1]


def test_a_pods_own_name_is_no_reason() -> None:
    manifest = pending("ContainerCreating")
    manifest["metadata"]["name"] = "network-cni"
    said = 'failed to reserve sandbox name "network-cni_shop_1_0": name is reserved for "ab"'
    made = World(("pods", manifest), ("events", event("pods-network-cni", "FailedCreatePodSandBox", said)))
    assert "its sandbox could not be created on its node" in first(made)[1]


def test_a_claim_template_that_is_refused_is_not_the_pods() -> None:
    said = 'create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: PersistentVolumeClaim "data-db-0" is invalid: spec: no'
    manifest = {"metadata": meta("db"), "spec": {"replicas": 1}, "status": {"replicas": 0}}
    made = World(
        ("statefulsets", manifest),
        ("events", event("statefulsets-db", "FailedCreate", said, kind="StatefulSet")),
    )
    assert first(made)[2] == "Correct volumeClaimTemplates."


# ---- Jobs


def test_a_job_that_restarts_its_containers_did_not_fail_as_often_as_its_pods() -> None:
    failed = condition(
        "Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    )
    manifest = {
        "metadata": meta("migrate"),
        "spec": {"backoffLimit": 6, "template": {"spec": {"restartPolicy": "OnFailure", "containers": []}}},
        "status": {"failed": 1, "conditions": [failed]},
    }
    said = first(World(("jobs", manifest)))[1]
    assert (
        said == "failed: its containers failed again after each restart, and its backoffLimit allows no more."
    )


@pytest.mark.parametrize(
    ("reason", "message", "rule", "step"),
    [
        ("TooManyMissedTimes", "too many missed start times: 101. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
         "cronjob-missed", "Check whether the control plane was unavailable; set startingDeadlineSeconds, or lower it."),
        ("MissSchedule", "Missed scheduled time to start a job", "cronjob-missed",
         "Check whether the control plane was unavailable, or set a longer deadline."),
        ("FailedCreate", 'Error creating job: jobs.batch "a" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=5',
         "workload-quota", "Raise the quota, lower the requests, or scale something down."),
    ],
)  # fmt: skip
def test_a_cronjob_that_starts_nothing_says_why(reason: str, message: str, rule: str, step: str) -> None:
    template = {"spec": {"template": {"spec": {"containers": []}}}}
    manifest = {"metadata": meta("nightly"), "spec": {"schedule": "0 2 * * *", "jobTemplate": template}}
    made = World(
        ("cronjobs", manifest), ("events", event("cronjobs-nightly", reason, message, kind="CronJob"))
    )
    assert first(made)[::2] == (rule, step)


# ---- Ingresses


@pytest.mark.parametrize(
    ("default", "others", "severity", "why"),
    [
        (False, True, "warn", "it names no IngressClass, and none is the default"),
        (False, False, "note", "it names no IngressClass, and none is the default"),
        (True, True, "note", "no controller has assigned one to any Ingress without a class"),
    ],
)
def test_an_ingress_without_a_class_is_told_to_name_one(
    default: bool, others: bool, severity: str, why: str
) -> None:
    notes = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}} if default else {}
    made = World(
        ("ingresses", ingress("web", address=False)),
        (
            "ingressclasses",
            {"metadata": {"name": "nginx"} | notes, "spec": {"controller": "k8s.io/ingress-nginx"}},
        ),
    )
    if others:
        made.add("ingresses", ingress("web", name="other", host="other.example", ingressClassName="nginx"))
    found = next(one for one in findings(made, NOW) if one.rule == "ingress-no-address")
    assert found.severity == severity and why in text_of(found.text)
    assert default or found.step.text == "Set ingressClassName to nginx."


# ---- what belongs together


def test_a_node_under_pressure_is_the_cause_of_pods_that_it_evicts_and_does_not_take() -> None:
    taint = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    pressure = condition("DiskPressure", "True", "KubeletHasDiskPressure")
    plane = node("plane", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    message = (
        "0/2 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }."
    )
    waits = pod(
        "b", phase="Pending", ready=False, node="", conditions=[condition("PodScheduled", "False", "Unschedulable", message)]
    )  # fmt: skip
    evicted = pod(
        "a",
        phase="Failed",
        ready=False,
        reason="Evicted",
        message="The node was low on resource: ephemeral-storage.",
    )
    objects = ("replicasets", replicaset()), ("pods", evicted), ("pods", waits), ("nodes", plane)
    sick = ("nodes", node(taints=[taint], conditions=[pressure]))
    cause, follows = findings(
        World(("deployments", deployment(replicas=1, available=0)), *objects, sick), NOW
    )
    assert (cause.rule, cause.severity) == ("node-disk-pressure", "bad")
    assert follows.plural == "deployments" and follows.follows == cause.ref
    # With a taint besides that the pod would not tolerate either, or without room, the node is not why.
    for taints, said in (
        ([taint, {"key": "dedicated", "effect": "NoSchedule"}], message),
        ([taint], f"{message[:-1]}, 1 Insufficient cpu."),
    ):
        other = ("nodes", node(taints=taints, conditions=[pressure]))
        waits["status"]["conditions"][0]["message"] = said
        every = findings(World(("pods", waits), ("nodes", plane), other), NOW)
        assert next(one for one in every if one.rule == "pod-unschedulable").follows is None


@pytest.mark.parametrize(
    ("holder", "strategy", "step"),
    [
        ({}, "RollingUpdate", "Set strategy.type to Recreate"),
        ({}, "Recreate", "Wait for the other pod"),
        ({"owner": ("StatefulSet", "db")}, "RollingUpdate", "Wait for the other pod"),
    ],
)
def test_a_rollout_that_waits_for_its_own_volume_is_no_matter_of_patience(
    holder: dict[str, Any], strategy: str, step: str
) -> None:
    said = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) web-0'
    new = pod("web-1", state=waiting("ContainerCreating"), conditions=PLACED, phase="Pending", ready=False)
    made = World(
        ("deployments", deployment(replicas=1, updated=1, current=2, strategy={"type": strategy})),
        ("replicasets", replicaset()), ("pods", new), ("pods", pod("web-0", **holder)),
        ("events", event(POD, "FailedAttachVolume", said)),
    )  # fmt: skip
    assert first(made)[2].startswith(step)


def test_a_daemonset_needs_room_on_one_node() -> None:
    message = (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )
    waits = pod(
        owner=("DaemonSet", "agent"), phase="Pending", ready=False, node="",
        conditions=[condition("PodScheduled", "False", "Unschedulable", message)],
    )  # fmt: skip
    _, said, step = first(World(("pods", waits)))
    assert said.endswith("can't be scheduled: insufficient cpu.")  # it is for that node alone
    assert step == "Lower its requests, free capacity on its node, or give it a higher priorityClassName."


@pytest.mark.parametrize(
    ("owner", "hours", "severity"),
    [("ReplicaSet", 0.5, "warn"), ("ReplicaSet", 5, "note"), ("Job", 5, "bad")],
)
def test_what_a_lost_node_left_of_a_pod_that_was_replaced_is_no_failure(
    owner: str, hours: float, severity: str
) -> None:
    left = pod(
        owner=(owner, "web-5d4f"), phase="Failed", ready=False, state=ended(137, "ContainerStatusUnknown"),
        conditions=[condition("Ready", "False", since=ago(hours=hours))],
    )  # fmt: skip
    assert findings(World(("pods", left)), NOW)[0].severity == severity


def test_a_daemonsets_pod_that_its_node_has_no_room_for_is_not_replaced_by_a_better_one() -> None:
    rejected = {
        "phase": "Failed",
        "ready": False,
        "reason": "OutOfcpu",
        "message": "Node didn't have enough resource: cpu",
    }
    assert first(World(("pods", pod(owner=("DaemonSet", "agent"), **rejected))))[2] == (
        "Lower its requests, or free capacity on its node."
    )
    assert first(World(("pods", pod(**rejected))))[2].startswith("The failed pod can be deleted")


def test_a_pod_whose_volume_did_not_come_in_time_waits_for_its_claim() -> None:
    said = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
    waits = alone(
        phase="Pending", ready=False, node="", conditions=[condition("PodScheduled", "False", "SchedulerError", said)]
    )  # fmt: skip
    waits["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    made = World(
        ("pods", waits),
        (
            "storageclasses",
            {"metadata": {"name": "fast"}, "provisioner": "x", "volumeBindingMode": "WaitForFirstConsumer"},
        ),
        (
            "persistentvolumeclaims",
            {"metadata": meta("data"), "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}},
        ),
        (
            "events",
            event(
                "persistentvolumeclaims-data",
                "ProvisioningFailed",
                "desc = quota exceeded",
                kind="PersistentVolumeClaim",
            ),
        ),
    )
    claim, follows = findings(made, NOW)
    assert (claim.rule, follows.rule, follows.follows) == (
        "claim-provisioning-failed",
        "pod-claim-pending",
        claim.ref,
    )


def test_a_load_balancer_that_fails_says_why() -> None:
    said = "Error syncing load balancer: failed to ensure load balancer: could not find any suitable subnets"
    made = World(
        ("services", service(type="LoadBalancer")),
        ("events", event("services-web", "SyncLoadBalancerFailed", said, kind="Service")),
    )
    assert first(made)[1] == "has no external IP: provisioning fails: could not find any suitable subnets."


@pytest.mark.parametrize(
    ("kind", "reason", "minutes", "told"),
    [
        ("PodResizePending", "Deferred", 5, True),
        ("PodResizePending", "Deferred", 0.5, False),
        ("PodResizeInProgress", "Error", 5, True),
        ("PodResizeInProgress", "", 5, False),
    ],
)
def test_a_resize_is_told_when_its_node_does_not_carry_it_out(
    kind: str, reason: str, minutes: float, told: bool
) -> None:
    held = condition(kind, "True", reason, "memory limit too low", since=ago(minutes=minutes))
    manifest = alone(conditions=[condition("PodScheduled", "True"), condition("Ready", "True"), held])
    found = [one.rule for one in findings(world(manifest), NOW)]
    assert found == (["pod-resize-held"] if told else [])


@pytest.mark.parametrize("reason", ["AllocationFailed", "FailedDeployModel"])
def test_a_load_balancers_controller_of_any_kind_is_heard(reason: str) -> None:
    made = World(
        ("services", service(type="LoadBalancer")), ("services", service("other", type="LoadBalancer"))
    )
    made.add("events", event("services-web", reason, "no available IPs", kind="Service"))
    made.add("events", event("services-other", "FailedToUpdateEndpoint", "a conflict", kind="Service"))
    said = [text_of(one.text) for one in findings(made, NOW) if one.rule == "service-pending"]
    assert [each.partition(" in shop ")[2] for each in sorted(said, reverse=True)] == [
        "has no external IP: provisioning fails: no available IPs.",
        "has no external IP: no controller in this cluster provisions load balancers, or provisioning is still in progress.",
    ]


def test_an_ingress_without_an_address_says_what_its_controller_does() -> None:
    made = World(("ingresses", ingress("web", address=False)))
    made.add("events", event("ingresses-shop", "BadConfig", "of a certificate", kind="Ingress", minutes=1))
    assert "assigned one" in first(made)[1]
    made.add(
        "events", event("ingresses-shop", "FailedBuildModel", "couldn't resolve subnets", kind="Ingress")
    )
    (found,) = findings(made, NOW)
    assert (found.severity, found.step.text) == ("warn", "Correct what its controller names.")
    assert text_of(found.text).endswith("has no address: its controller says: couldn't resolve subnets.")


def test_a_network_plug_in_that_is_not_ready_is_why_its_node_is_not() -> None:
    sick = node(ready="False")
    sick["status"]["conditions"][0]["message"] = (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin "
        "returns error: cni plugin not initialized"
    )
    (found,) = findings(World(("nodes", sick)), NOW)
    assert text_of(found.text) == (
        "Node node-1 is not ready: its network plug-in is not ready: cni plugin not initialized."
    )
    assert found.step.text.startswith("Look at the network plug-in's pod")


def test_a_container_that_completes_where_it_should_run_is_not_sent_to_an_empty_log() -> None:
    ending = alone(
        ready=False,
        state=waiting("CrashLoopBackOff"),
        last=ended(0, "Completed"),
        restarts=4,
        conditions=PLACED,
    )
    assert first(world(ending))[2].startswith("Give it a command that keeps running, or run it as a Job")


def test_an_autoscaler_of_pods_that_are_not_ready_does_not_blame_metrics_server() -> None:
    said = "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)"
    scaler = {
        "metadata": meta("web"),
        "spec": {
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
        "status": {"conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric", said)]},
    }
    crashing = pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(1), restarts=5)
    made = World(
        ("deployments", deployment(replicas=1, available=0)), ("replicasets", replicaset()), ("pods", crashing),
        ("horizontalpodautoscalers", scaler),
    )  # fmt: skip
    cause, follows = findings(made, NOW)
    assert (cause.rule, follows.rule, follows.follows) == (
        "pod-crash-loop",
        "autoscaler-no-metrics",
        cause.ref,
    )
    made.remove("pods", "shop", "web-1")
    assert first(made)[2] == "Look at the pods of Deployment web."


CUSTOM = "the HPA was unable to compute the replica count: unable to get metric {}: unable to fetch metrics from custom metrics API: {}"


def measured_by(said: str, *read: bool) -> World:
    """An autoscaler of as many metrics, of which these were read, and what its condition says."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metrics = [{"type": "Pods", "pods": {"metric": {"name": f"m{at}"}}} for at, _ in enumerate(read)]
    now = [{"type": "Pods", "pods": {"current": {}}} if each else {"type": ""} for each in read]
    active = condition("ScalingActive", "False", "FailedGetPodsMetric", said)
    scaler = {
        "metadata": meta("web"),
        "spec": {"maxReplicas": 5, "scaleTargetRef": target, "metrics": metrics},
        "status": {"conditions": [active], "currentMetrics": now},
    }
    return World(("deployments", deployment()), ("horizontalpodautoscalers", scaler))


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("the server could not find the metric m0 for pods", "Correct the name m0, or let the adapter of custom"),
        ("the server could not find the metric m0 for services web", "Correct the name m0, or let the adapter"),
        ("no custom metrics API (custom.metrics.k8s.io) registered", "Install the adapter of custom metrics"),
        ("the server is currently unable to handle the request", "Check that the adapter of custom metrics"),
    ],
)  # fmt: skip
def test_an_autoscaler_names_the_metric_that_it_has_no_value_of(said: str, step: str) -> None:
    rule, text, todo, *_ = first(measured_by(CUSTOM.format("m0", said), False))
    assert rule == "autoscaler-no-metrics"
    assert text.endswith("has no value of its metric m0, so it no longer scales Deployment web to the load.")
    assert todo.startswith(step)


@pytest.mark.parametrize(
    ("said", "step"),
    [
        (CUSTOM.format("m1", "the server could not find the metric m1 for pods"), "Correct the name m1"),
        ("failed to get memory utilization: missing request for memory", "Set resources.requests.memory"),
    ],
)
def test_an_autoscaler_that_would_scale_down_by_others_says_which_metric_keeps_it(
    said: str, step: str
) -> None:
    rule, text, todo, *_ = first(measured_by(said, True, False))
    assert (rule, todo.startswith(step)) == ("autoscaler-some-metrics", True)
    assert text.endswith(
        "has no value of 1 of its 2 metrics (m1): it scales up by the others, but does not scale down."
    )


@pytest.mark.parametrize(
    ("schedule", "reason", "text", "step"),
    [
        ("0 3 30 2 *", "", "no day fits its schedule 0 3 30 2 *.", "Correct spec.schedule."),
        ("0 3 30 2 *", "InvalidSchedule", "no day fits its schedule 0 3 30 2 *.", "Correct spec.schedule."),
        ("a b", "UnparseableSchedule", "its schedule a b is invalid.", "Correct spec.schedule."),
    ],
)
def test_a_schedule_that_starts_nothing_says_which_field_is_wrong(
    schedule: str, reason: str, text: str, step: str
) -> None:
    made = World(("cronjobs", {"metadata": meta("nightly"), "spec": {"schedule": schedule}, "status": {}}))
    if reason:
        made.add("events", event("cronjobs-nightly", reason, "as it said", kind="CronJob"))
    assert first(made) == ("cronjob-invalid", f"starts no Jobs: {text}", step)


def allowing_none(**spec: Any) -> World:
    status = {"expectedPods": 2, "desiredHealthy": 2, "currentHealthy": 2}
    spec |= {"selector": {"matchLabels": {"app": "web"}}}
    return World(("poddisruptionbudgets", {"metadata": meta("web"), "spec": spec, "status": status}))


@pytest.mark.parametrize(
    ("spec", "helps"),
    [({"minAvailable": 2}, True), ({"minAvailable": "100%"}, False), ({"maxUnavailable": 0}, False)],
)
def test_a_replica_more_is_advised_only_where_the_budget_then_allows_one(
    spec: dict[str, Any], helps: bool
) -> None:
    assert ("add a replica" in first(allowing_none(**spec))[2]) is helps


def test_a_budget_that_never_could_be_counted_is_told_although_its_status_is_of_no_generation() -> None:
    said = "jobs.batch does not implement the scale subresource"
    failed = condition("DisruptionAllowed", "False", "SyncFailed", said)
    made = {
        "metadata": meta("web") | {"generation": 1},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"conditions": [failed], "disruptionsAllowed": 0},
    }
    assert first(World(("poddisruptionbudgets", made)))[0] == "budget-cannot-count"
    failed["lastTransitionTime"] = ago(seconds=20)
    assert findings(World(("poddisruptionbudgets", made)), NOW) == []


@pytest.mark.parametrize(
    ("kind", "said", "step"),
    [
        (
            "DaemonSet",
            "the server could not find the requested resource",
            "Correct scaleTargetRef, or delete",
        ),
        (
            "Rollout",
            'no matches for kind "Rollout" in group "apps"',
            "Correct apiVersion and kind in scaleTargetRef",
        ),
    ],
)
def test_an_autoscaler_of_what_has_no_scale_is_told_what_mends_that(kind: str, said: str, step: str) -> None:
    said = f"the HPA controller was unable to get the target's current scale: {said}"
    able = condition("AbleToScale", "False", "FailedGetScale", said)
    target = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    scaler = {
        "metadata": meta("web"),
        "spec": {"maxReplicas": 5, "scaleTargetRef": target},
        "status": {"conditions": [able]},
    }
    assert first(World(("horizontalpodautoscalers", scaler)))[2].startswith(step)


@pytest.mark.parametrize(
    ("taints", "step"),
    [
        (("node.cloudprovider.kubernetes.io/uninitialized",), "Look at the cloud controller manager"),
        (("node.cilium.io/agent-not-ready",), "Look at that agent's pod"),
        (("karpenter.sh/unregistered",), "Wait: the autoscaler"),
        (
            ("ToBeDeletedByClusterAutoscaler", "dedicated"),
            "Add a toleration for dedicated to its pod template",
        ),
    ],
)
def test_a_taint_that_is_taken_away_again_is_not_to_be_tolerated(taints: tuple[str, ...], step: str) -> None:
    said = f"0/1 nodes are available: 1 node(s) had untolerated taint {{{taints[0]}: }}."
    refused = condition("PodScheduled", "False", "Unschedulable", said)
    made = alone(phase="Pending", ready=False, node="", conditions=[refused])
    made["status"].pop("containerStatuses")
    tainted = node(taints=[{"key": key, "effect": "NoSchedule"} for key in taints])
    assert first(World(("pods", made), ("nodes", tainted)))[2].startswith(step)


def test_a_node_whose_kubelet_never_came_has_not_stopped_reporting() -> None:
    never = node(ready="Unknown")
    never["status"]["conditions"][0] |= {"reason": "NodeStatusNeverUpdated"}
    (found,) = findings(World(("nodes", never)), NOW)
    assert text_of(found.text) == "Node node-1 is unreachable: its kubelet has never reported."
    assert found.step.text.startswith("Start the kubelet")


def test_a_namespace_that_waits_for_its_own_finalizer_names_it() -> None:
    meta_ = {
        "name": "old",
        "deletionTimestamp": ago(minutes=9),
        "finalizers": ["controller.cattle.io/namespace-auth"],
    }
    (found,) = findings(World(("namespaces", {"metadata": meta_, "status": {"phase": "Terminating"}})), NOW)
    assert text_of(found.text).endswith(
        "can't be deleted: it waits for finalizer controller.cattle.io/namespace-auth, which has not been removed."
    )
    assert found.step.text == "Check that the controller of that finalizer is running."


@pytest.mark.parametrize(("ready", "severity"), [(3, ""), (1, "warn"), (0, "bad")])
def test_pods_that_are_ready_for_less_than_min_ready_seconds_serve(ready: int, severity: str) -> None:
    unavailable = condition("Available", "False", "MinimumReplicasUnavailable")
    made = deployment(available=0, conditions=[unavailable], minReadySeconds=900)
    made["status"]["readyReplicas"] = ready
    assert [one.severity for one in findings(World(("deployments", made)), NOW)] == (
        [severity] if severity else []
    )
