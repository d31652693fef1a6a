"""One misfortune for each rule: what is there, and what a person reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.kinds.catalogue import APISERVICES
from dashboard.kinds.webhooks import WEBHOOKS

from .world import (
    World,
    ago,
    condition,
    deployment,
    ended,
    endpoints,
    event,
    ingress,
    meta,
    node,
    pod,
    service,
    waiting,
)  # fmt: skip

PENDING: dict[str, Any] = {"phase": "Pending", "ready": False}
PLACED = [condition("PodScheduled", "True", since=ago(minutes=5)), condition("Ready", "False")]
POD = ("pods", "shop", "web-1")
NODE = ("nodes", "", "node-1")


@dataclass(frozen=True)
class Example:
    """Objects, the one that is looked at, and what is said: the sentence, the next step, a piece of evidence."""

    world: World
    about: tuple[str, str, str]
    severity: str
    text: str
    step: str
    evidence: str


def _pod(manifest: dict[str, Any], *more: tuple[str, dict[str, Any]]) -> World:
    return World(("pods", manifest), *more)


def with_proxy(
    state: dict[str, Any], policy: str = "Never", proxy: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A pod whose work is done by one of its two containers."""
    made = pod(owner=None, ready=False, state=state)
    (status,) = made["status"]["containerStatuses"]
    running = {
        "name": "proxy",
        "ready": True,
        "state": {"running": {"startedAt": ago(hours=2)}},
        "lastState": {},
    }
    made["status"]["containerStatuses"] = [status, running | (proxy or {})]
    made["spec"] |= {
        "restartPolicy": policy,
        "containers": [*made["spec"]["containers"], {"name": "proxy", "image": "proxy:1"}],
    }
    return made


def _placed(message: str, *more: tuple[str, dict[str, Any]]) -> World:
    scheduled = condition("PodScheduled", "False", "Unschedulable", message)
    manifest = pod(phase="Pending", ready=False, node="", conditions=[scheduled])
    manifest["status"].pop("containerStatuses")
    return _pod(manifest, *more)


def _nominated(message: str) -> World:
    """Scheduled as soon as a pod that was preempted for it has ended."""
    scheduled = condition("PodScheduled", "False", "Unschedulable", message)
    waiting = pod(phase="Pending", ready=False, node="", conditions=[scheduled])
    waiting["status"] |= {"nominatedNodeName": "node-1", "containerStatuses": []}
    victim = pod("victim", owner=None)
    victim["metadata"] |= {"deletionTimestamp": ago(minutes=1), "finalizers": ["example.com/hold"]}
    return _pod(waiting, ("pods", victim), ("nodes", node()))


def _creating(reason: str, message: str) -> World:
    manifest = pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING)
    return _pod(manifest, ("events", event("pods-web-1", reason, message)))


def _config(message: str) -> World:
    return _pod(pod(state=waiting("CreateContainerConfigError", message), **PENDING))


def _image(message: str, reason: str = "ImagePullBackOff", **spec: Any) -> World:
    manifest = pod(state=waiting(reason, message), **PENDING)
    manifest["spec"] |= spec
    return _pod(manifest)


def _claims(*volumes: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in volumes]


def _init(state: dict[str, Any], **more: Any) -> World:
    init = {"name": "migrate", "restartCount": 4, "state": state} | more
    manifest = pod(
        state=waiting("PodInitializing"), conditions=PLACED, initContainerStatuses=[init], **PENDING
    )
    manifest["spec"]["initContainers"] = [{"name": "migrate", "image": "x"}]
    return _pod(manifest)


def _unready(**container: Any) -> dict[str, Any]:
    return pod(ready=False, container=container)


CRASHING: dict[str, Any] = {
    "ready": False,
    "state": waiting("CrashLoopBackOff", "back-off 5m"),
    "restarts": 7,
}
HOOKED = {"terminated": ended(137)["terminated"] | {"startedAt": ago(minutes=3)}}
PROBE = {"httpGet": {"port": 80, "path": "/ready"}}

PODS: dict[str, Example] = {
    "pod-node-lost": Example(
        _pod(pod(ready=False), ("nodes", node(ready="Unknown"))), POD, "bad",
        "Pod web-1 in shop cannot be reached: node node-1 stopped reporting.",
        "Caused by Node node-1; nothing to do here.", "Node node-1, Condition Ready: Unknown",
    ),
    "pod-evicted": Example(
        _pod(pod(phase="Failed", ready=False, reason="Evicted", message="The node was low on resource: memory. More.")),
        POD, "warn", "Pod web-1 in shop was evicted: its node ran out of memory.",
        "Request what it needs, so that it is scheduled where there is enough; the failed pod can be deleted.",
        "status.message: The node was low on resource: memory.",
    ),
    "pod-rejected": Example(
        _pod(pod(phase="Failed", ready=False, reason="OutOfcpu", message="Node didn't have enough resource: cpu")),
        POD, "warn", "Pod web-1 in shop was rejected by the kubelet: its node did not have enough cpu.",
        "The failed pod can be deleted; its controller creates another.", "status.reason: OutOfcpu",
    ),
    "pod-disrupted": Example(
        _pod(pod(phase="Failed", ready=False, state=ended(143), conditions=[*PLACED,
            condition("DisruptionTarget", "True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a "
                      "higher priority pod")])), POD, "warn",
        "Pod web-1 in shop was terminated: a pod with higher priority needed its room.",
        "Raise its priorityClassName, or add room; the failed pod can be deleted.",
        "Condition DisruptionTarget: True, PreemptionByScheduler",
    ),
    "pod-failed": Example(
        _pod(pod(owner=None, phase="Failed", ready=False, state=ended(3))), POD, "bad",
        "Pod web-1 in shop failed: container app exits with code 3, application error.",
        "Read its log to see why.", "Container app ended: exit code 3, Error",
    ),
    "pod-deadline": Example(
        _pod(pod(phase="Failed", ready=False, reason="DeadlineExceeded", message="Pod was active too long")), POD, "bad",
        "Pod web-1 in shop was terminated: its deadline passed (activeDeadlineSeconds).",
        "Raise activeDeadlineSeconds, or find out what takes so long.", "status.message: Pod was active",
    ),
    "pod-finalizer": Example(
        _pod({**(gone := pod(ready=False, state=ended(0))), "metadata": gone["metadata"] | {
            "deletionTimestamp": ago(minutes=6), "finalizers": ["example.com/hold"]}}), POD, "warn",
        "Pod web-1 in shop is stuck terminating: it waits for finalizer example.com/hold.",
        "Check the controller of that finalizer, which must remove it.", "metadata.finalizers: example.com/hold",
    ),
    "pod-ends-slowly": Example(
        _pod({**gone, "metadata": gone["metadata"] | {"deletionTimestamp": ago(minutes=6)}}, ("nodes", node("other"))),
        POD, "warn",
        "Pod web-1 in shop is stuck terminating: its node node-1 no longer exists, so no kubelet can terminate it.",
        "Force-delete it.", "metadata.deletionTimestamp: its grace period is long over",
    ),
    "pod-unschedulable": Example(
        _placed("0/2 nodes are available: 2 Insufficient cpu.", ("nodes", node())), POD, "warn",
        "Pod web-1 in shop can't be scheduled: insufficient cpu.",
        "Lower its requests in the pod template, scale something down, or add a node.",
        "Condition PodScheduled: False, Unschedulable: 0/2 nodes are available",
    ),
    "pod-scheduling-gated": Example(
        _pod({"metadata": meta("web-1"), "spec": {"schedulingGates": [{"name": "example.com/queue"}], "containers": []},
              "status": {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "SchedulingGated")]}}),
        POD, "note", "Pod web-1 in shop is held back by scheduling gate example.com/queue.",
        "Look at the controller that set the gate: only that removes it.", "spec.schedulingGates: example.com/queue",
    ),
    "pod-preempting": Example(
        _nominated(
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). preemption: not eligible due to a "
            "terminating pod on the nominated node.",
        ), POD, "warn",
        "Pod web-1 in shop waits for 1 pod of lower priority to terminate on node node-1.",
        "Nothing, until their grace period is over; then look at the pod that does not go.",
        "Pod victim: is being deleted since",
    ),
    "pod-no-scheduler": Example(
        _pod({"metadata": meta("web-1"), "spec": {"schedulerName": "mine", "containers": []}, "status": {"phase": "Pending"}}),
        POD, "bad", "Pod web-1 in shop can't be scheduled: no scheduler mine has looked at it.",
        "Correct schedulerName in its pod template, or check that that scheduler is running.", "spec.schedulerName: mine",
    ),
    "pod-resource-claim-missing": Example(
        _pod(
            {"metadata": meta("web-1"), "spec": {"containers": [], "resourceClaims": [
                {"name": "gpu", "resourceClaimTemplateName": "gone"}]}, "status": {"phase": "Pending"}},
            ("events", event("pods-web-1", "FailedResourceClaimCreation",
                'PodResourceClaim gpu: resource claim template "gone": resourceclaimtemplate "gone" not found')),
        ), POD, "bad", "Pod web-1 in shop can't be scheduled: it uses ResourceClaimTemplate gone, which does not exist.",
        "Create ResourceClaimTemplate gone in shop, or correct resourceClaims in its pod template.",
        "Event FailedResourceClaimCreation: PodResourceClaim gpu",
    ),
    "pod-claim-missing": Example(
        _placed('0/2 nodes are available: persistentvolumeclaim "data" not found.'), POD, "bad",
        "Pod web-1 in shop can't be scheduled: it uses PersistentVolumeClaim data, which does not exist.",
        "Create PersistentVolumeClaim data, or correct its name in the pod template.", "Condition PodScheduled: False",
    ),
    "pod-claim-pending": Example(
        _placed("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."), POD, "warn",
        "Pod web-1 in shop can't be scheduled: its volume claim has no volume yet.",
        "Look at the claim.", "Condition PodScheduled: False",
    ),
    "pod-config-missing": Example(
        _config('configmap "settings" not found'), POD, "bad",
        "Pod web-1 in shop cannot start: container app needs ConfigMap settings, which does not exist.",
        "Create ConfigMap settings, or correct its name in the pod template; the pod then starts automatically.",
        'Container app waits: CreateContainerConfigError: configmap "settings" not found',
    ),
    "pod-key-missing": Example(
        _config("couldn't find key URL in Secret shop/db"), POD, "bad",
        "Pod web-1 in shop cannot start: container app needs key URL of Secret db, which does not exist.",
        "Add key URL to Secret db.", "Container app waits: CreateContainerConfigError",
    ),
    "pod-runs-as-root": Example(
        _config("container has runAsNonRoot and image will run as root (pod: x, container: app)"), POD, "bad",
        "Pod web-1 in shop cannot start: container app must not run as root (runAsNonRoot), but its image runs as root.",
        "Set runAsUser in its pod template, or build the image with a non-root user.", "runAsNonRoot",
    ),
    "pod-config-error": Example(
        _config("failed to prepare subPath for volumeMount"), POD, "bad",
        "Pod web-1 in shop cannot start: container app is refused: failed to prepare subPath for volumeMount.",
        "Correct the subPath in its pod template, or check that the volume can be written.", "failed to prepare subPath",
    ),
    "pod-image-name": Example(
        _image('couldn\'t parse image name "Web"', "InvalidImageName"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: that is not a valid image name.",
        "Correct the image in its pod template.", "InvalidImageName",
    ),
    "pod-image-never-pulled": Example(
        _image("not present with pull policy of Never", "ErrImageNeverPull"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: it is not present on the node, and imagePullPolicy "
        "is Never.", "Set its imagePullPolicy to IfNotPresent, or load the image onto the node.", "pull policy of Never",
    ),
    "pod-image-platform": Example(
        _image("no match for platform in manifest: not found"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the image has no build for the platform of its node.",
        "Build the image for that platform, or select nodes with an architecture that it supports.", "no match for platform",
    ),
    "pod-image-not-found": Example(
        _image('failed to resolve reference "docker.io/shop/web:1.2": not found'), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the registry has no such image or tag.",
        "Correct the image in its pod template, or push that tag.", "Container app waits: ImagePullBackOff",
    ),
    "pod-pull-secret-missing": Example(
        _image("pull access denied", imagePullSecrets=[{"name": "registry"}]).reading("secrets"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: its pull secret registry does not exist.",
        "Create Secret registry of type kubernetes.io/dockerconfigjson in shop, or correct its name; the pod then starts "
        "by itself.", "imagePullSecrets: registry",
    ),
    "pod-image-denied": Example(
        _image("pull access denied, repository does not exist or may require authorization"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the registry denies access: the image is private, or does not exist.",
        "Add an imagePullSecret for that registry, or correct the image.", "pull access denied",
    ),
    "pod-registry-limit": Example(
        _image("429 Too Many Requests"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the registry's rate limit is reached.",
        "Wait, or authenticate with an imagePullSecret.", "429",
    ),
    "pod-pull-throttled": Example(
        _image("pull QPS exceeded", "ErrImagePull"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the kubelet of its node pulls as many images as it may at the "
        "moment (registryPullQPS).",
        "Wait: the kubelet tries again. Where that lasts, raise registryPullQPS in its configuration.", "pull QPS exceeded",
    ),
    "pod-registry-unreachable": Example(
        _image("dial tcp: lookup docker.io: no such host"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: registry docker.io cannot be reached from its node: its host "
        "name can\'t be resolved.", "Check the name of the registry, and that the nodes can reach it.", "no such host",
    ),
    "pod-image-no-disk": Example(
        _image("write /var/lib/containerd: no space left on device"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: its node has no disk space left for it.",
        "Free disk space on the node.", "no space left",
    ),
    "pod-image-pull": Example(
        _image("Back-off pulling image"), POD, "bad",
        "Pod web-1 in shop cannot pull its image shop/web:1.2: the registry returned no image.",
        "Look at the pod's events.", "Back-off pulling image",
    ),
    "pod-volume-attach": Example(
        _creating("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) web-0'),
        POD, "bad", "Pod web-1 in shop does not start: volume pvc-1 is still in use by pod web-0 on another node.",
        "Wait for the other pod to terminate, or delete it: the volume can be attached to one node at a time.",
        "Event FailedAttachVolume: Multi-Attach error",
    ),
    "pod-volume-mount": Example(
        _creating("FailedMount", 'MountVolume.SetUp failed for volume "data" : mount.nfs: Connection timed out'), POD, "bad",
        "Pod web-1 in shop does not start: volume data cannot be mounted: mount.nfs: Connection timed out.",
        "Check whether its node can reach the storage backend.", "Event FailedMount: MountVolume.SetUp failed",
    ),
    "pod-sandbox": Example(
        _creating("FailedCreatePodSandBox", 'plugin type="calico" failed (add): timed out'), POD, "bad",
        "Pod web-1 in shop does not start: its network could not be set up on its node.",
        "Look at the network plug-in's pod on its node.", "Event FailedCreatePodSandBox",
    ),
    "pod-stays-creating": Example(
        _creating("FailedSync", "error determining status"), POD, "warn",
        "Pod web-1 in shop does not start: its volumes, network or image are still not ready.",
        "Look at its events.", "Event FailedSync",
    ),
    "pod-image-pulling": Example(
        _pod(
            pod(state=waiting("ContainerCreating"), conditions=PLACED, **PENDING),
            ("events", event("pods-web-1", "Pulling", 'Pulling image "shop/web:1.2"', type_="Normal", minutes=4)),
            ("events", event("pods-web-1", "FailedMount", "timed out waiting for the condition", minutes=5)),
        ),
        POD, "warn", "Pod web-1 in shop does not start: image shop/web:1.2 is still being pulled on its node.",
        "Wait: a large image takes minutes. If it lasts, check how fast the node reaches the registry.",
        'Event Pulling: Pulling image "shop/web:1.2"',
    ),
    "pod-command-missing": Example(
        _pod(pod(ready=False, state=waiting("RunContainerError", 'exec: "serve": executable file not found in $PATH'))),
        POD, "bad", "Pod web-1 in shop cannot start: container app's command serve cannot be found in its image.",
        "Correct command and args in its pod template, or the image.", "Container app, RunContainerError",
    ),
    "pod-cannot-start": Example(
        _pod(pod(state=waiting("CreateContainerError", "context deadline exceeded"), **PENDING)), POD, "bad",
        "Pod web-1 in shop cannot start: the container runtime can't start container app (CreateContainerError): context deadline exceeded.",
        "Wait: the kubelet tries again; if that lasts, look at its node's container runtime and disk.", "context deadline exceeded",
    ),
    "pod-out-of-memory": Example(
        _pod(pod(**CRASHING, last=ended(137, "OOMKilled"), container={"resources": {"limits": {"memory": "64Mi"}}})),
        POD, "bad", "Pod web-1 in shop was killed: container app used more memory than its limit of 64Mi.",
        "Raise the memory limit, or find out in its log what uses the memory.", "resources.limits.memory: 64Mi",
    ),
    "pod-init-failing": Example(
        _init(waiting("CrashLoopBackOff"), lastState=ended(2)), POD, "bad",
        "Pod web-1 in shop cannot start: init container migrate exits with code 2, application error, often a "
        "wrong argument.", "Read its log: it must succeed before the other containers start.", "Container migrate ended: exit code 2",
    ),
    "pod-init-stuck": Example(
        _init({"running": {"startedAt": ago(minutes=30)}}), POD, "warn",
        "Pod web-1 in shop does not start: init container migrate has been running for a long time.",
        "Read its log to see what it waits for.", "Container migrate: running",
    ),
    "pod-liveness-failing": Example(
        _pod(pod(**CRASHING, last=ended(137)), ("events", event(
            "pods-web-1", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500",
            path="spec.containers{app}"))), POD, "bad",
        "Pod web-1 in shop keeps being restarted: container app fails its liveness probe, so the kubelet stops it.",
        "Read its log; if it only needs more time, raise the probe's thresholds.", "Event Unhealthy: Liveness probe failed",
    ),
    "pod-hook-failing": Example(
        _pod(pod(**CRASHING, last=HOOKED), ("events", event(
            "pods-web-1", "FailedPostStartHook", "PostStartHook failed", path="spec.containers{app}"))), POD, "bad",
        "Pod web-1 in shop keeps being restarted: container app's postStart hook fails, so the kubelet stops it.",
        "Correct lifecycle.postStart in its pod template: what the hook prints is in no log.",
        "Event FailedPostStartHook: PostStartHook failed",
    ),
    "pod-crash-loop": Example(
        _pod(pod(**CRASHING, last=ended(127))), POD, "bad",
        "Pod web-1 in shop keeps crashing: container app exits with code 127, its command was not found in the image.",
        "Read the log of its previous run.", "exit code 127, Error; started again 7 times so far",
    ),
    "pod-outlived": Example(
        _pod(with_proxy(ended(0, "Completed", hours=1))), POD, "warn",
        "Pod web-1 in shop does not end: container app has completed, but proxy goes on running.",
        "Make proxy a sidecar (an init container with restartPolicy: Always), or let it end with the work.",
        "spec.restartPolicy: Never",
    ),
    "pod-restarts-often": Example(
        _pod(pod(last=ended(1, minutes=9), restarts=6)), POD, "warn",
        "Pod web-1 in shop restarts often (6 times so far): container app exits with code 1, application error.",
        "Read the log of its previous run.", "Container app ended: exit code 1",
    ),
    "pod-resize-held": Example(
        _pod(pod(conditions=[condition("Ready", "True"), condition("PodResizePending", "True", "Infeasible",
            "Node didn't have enough capacity: cpu, requested: 100000, capacity: 4000")])), POD, "warn",
        "Pod web-1 in shop can't be resized in place: Node didn't have enough capacity: cpu, requested: 100000, capacity: 4000.",
        "Request what its node has, or recreate the pod, so that it is scheduled where there is enough.",
        "Condition PodResizePending: True, Infeasible",
    ),
    "pod-startup-failing": Example(
        _pod(_unready(startupProbe=PROBE) | {"status": _unready()["status"] | {"containerStatuses": [
            {"name": "app", "ready": False, "started": False, "state": {"running": {}}}]}}), POD, "warn",
        "Pod web-1 in shop gets no traffic: container app has not passed its startup probe.",
        "Read its log; if it only needs more time, raise the startup probe's failureThreshold.", "startupProbe: HTTP GET /ready",
    ),
    "pod-readiness-failing": Example(
        _pod(_unready(readinessProbe=PROBE), ("events", event("pods-web-1", "Unhealthy", "Readiness probe failed: 503"))),
        POD, "warn", "Pod web-1 in shop gets no traffic: container app fails its readiness probe.",
        "Read its log: it runs, but does not respond.", "Event Unhealthy: Readiness probe failed: 503",
    ),
    "pod-gate-unmet": Example(
        _pod({**(gated := pod(conditions=[condition("PodScheduled", "True"), condition("Ready", "False")])),
              "spec": gated["spec"] | {"readinessGates": [{"conditionType": "example.com/target"}]}}), POD, "warn",
        "Pod web-1 in shop gets no traffic: readiness gate example.com/target is not met.",
        "Look at what sets that condition, most often a load balancer's controller.",
        "Condition example.com/target: not set",
    ),
    "pod-not-ready": Example(
        _pod(_unready()), POD, "warn", "Pod web-1 in shop gets no traffic: container app is not ready.",
        "Read its log.", "Condition Ready: False",
    ),
}  # fmt: skip


def _refused(answer: str) -> World:
    failing = [condition("ReplicaFailure", "True", "FailedCreate", f'pods "web-x" is forbidden: {answer}')]
    return World(("deployments", deployment(available=2, conditions=failing)))


def _cannot(rule_text: str, answer: str, step: str) -> Example:
    text = f"Deployment web in shop has 2 of 3 pods ready: no more can be created, because {rule_text}."
    return Example(
        _refused(answer), DEPLOYMENT, "bad", text, step, "Condition ReplicaFailure: True, FailedCreate"
    )


def stateful(name: str = "db", **spec: Any) -> dict[str, Any]:
    made = deployment(name)
    made["spec"] |= {"serviceName": name} | spec
    return made


def daemon(**status: Any) -> dict[str, Any]:
    counts = {
        "desiredNumberScheduled": 3,
        "currentNumberScheduled": 3,
        "updatedNumberScheduled": 3,
        "numberReady": 3,
    }
    return {
        "metadata": meta("agent"),
        "spec": {"template": {}},
        "status": counts | {"numberAvailable": 3} | status,
    }


def job(**more: Any) -> dict[str, Any]:
    return {"metadata": meta("load"), "spec": more.pop("spec", {}), "status": {"failed": 3} | more}


def cron(**spec: Any) -> dict[str, Any]:
    return {"metadata": meta("nightly"), "spec": {"schedule": "0 3 * * *"} | spec, "status": {}}


def autoscaler(*conditions: dict[str, str]) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5}
    status = {"currentReplicas": 2, "conditions": list(conditions)}
    return {"metadata": meta("web"), "spec": spec, "status": status}


def _scaler(*conditions: dict[str, str]) -> World:
    return World(("horizontalpodautoscalers", autoscaler(*conditions)), ("deployments", deployment()))


def _partly_measured() -> World:
    made = autoscaler(condition("ScalingActive", "True", "ValidMetricFound"))
    made["spec"]["metrics"] = [
        {"type": "Resource", "resource": {"name": "cpu"}},
        {"type": "External", "external": {"metric": {"name": "queue_length"}}},
    ]
    made["status"]["currentMetrics"] = [
        {"type": "Resource", "resource": {"name": "cpu", "current": {}}},
        {"type": ""},
    ]
    said = (
        "unable to fetch metrics from external metrics API: the server could not find the requested resource"
    )
    uid, kind = "horizontalpodautoscalers-web", "HorizontalPodAutoscaler"
    return World(
        ("horizontalpodautoscalers", made), ("deployments", deployment()),
        ("events", event(uid, "FailedGetExternalMetric", said, kind=kind)),
        # From before it had a value.
        ("events", event(uid, "FailedGetResourceMetric", "no metrics returned from resource metrics API", kind=kind)),
    )  # fmt: skip


def budget(name: str = "web", labels: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    spec = {"minAvailable": 2, "selector": {"matchLabels": labels or {"app": "web"}}}
    return {"metadata": meta(name), "spec": spec, "status": status}


DEPLOYMENT = ("deployments", "shop", "web")
SCALER = ("horizontalpodautoscalers", "shop", "web")
BUDGET = ("poddisruptionbudgets", "shop", "web")
TEMPLATE = "Change the pod template so that the policy admits it."

WORKLOADS: dict[str, Example] = {
    "workload-quota": _cannot(
        "quota small is exhausted (it needs pods=1)", "exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2",
        "Raise the quota, lower the requests, or scale something down.",
    ),
    "workload-needs-limits": _cannot(
        "quota small demands that containers set limits.memory",
        "failed quota: small: must specify limits.memory for: app",
        "Set limits.memory in the pod template, or a default for them in a LimitRange.",
    ),
    "workload-limit-range": _cannot(
        "a LimitRange says: maximum memory usage per Container is 1Gi, but limit is 2Gi",
        "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        "Change requests and limits in the pod template, or the LimitRange of the namespace.",
    ),
    "workload-pod-security": _cannot(
        "the namespace enforces Pod Security restricted:latest",
        'violates PodSecurity "restricted:latest": unrestricted capabilities',
        "Change the securityContext in the pod template: unrestricted capabilities.",
    ),
    "workload-refused": _cannot(
        'admission webhook "policy.example" refuses them: no', 'admission webhook "policy.example" denied the request: no', TEMPLATE
    ),
    "workload-webhook-down": _cannot(
        "admission webhook policy.example can't be reached",
        'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: Post '
        '"https://127.0.0.1:1/x?timeout=2s": dial tcp 127.0.0.1:1: connect: connection refused',
        "Check that its backend is running, or delete its webhook configuration.",
    ),
    "workload-no-account": _cannot(
        "ServiceAccount web does not exist",
        'error looking up service account shop/web: serviceaccount "web" not found',
        "Create ServiceAccount web in shop, or correct serviceAccountName in the pod template.",
    ),
    "workload-no-priority-class": _cannot(
        "PriorityClass high does not exist", "no PriorityClass with name high was found",
        "Create that PriorityClass, or correct priorityClassName in the pod template.",
    ),
    "workload-no-runtime-class": _cannot(
        "RuntimeClass gvisor does not exist", 'pod rejected: RuntimeClass "gvisor" not found',
        "Create that RuntimeClass where the nodes have its handler, or correct runtimeClassName in the pod template.",
    ),
    "workload-cannot-make-pods": Example(
        World(("daemonsets", daemon(currentNumberScheduled=1, numberReady=1, numberAvailable=1)), ("events", event(
            "daemonsets-agent", "FailedCreate", 'Error creating: Pod "agent-x" is invalid: spec.x', kind="DaemonSet"))),
        ("daemonsets", "shop", "agent"), "bad",
        "DaemonSet agent in shop is ready on 1 of 3 nodes: no more can be created, because the API server rejects them: spec.x.",
        "Correct the pod template.", "Event FailedCreate: Error creating",
    ),
    "workload-not-observed": Example(
        World(("deployments", deployment(available=0, current=0, updated=0, observed=0))), ("deployments", "shop", "web"),
        "bad", "Deployment web in shop has no pods: its controller has not observed it since it was created.",
        "Check that kube-controller-manager is running: it creates and replaces pods.",
        "status.observedGeneration: not set; metadata.generation is 1",
    ),
    "deployment-deadline-exceeded": Example(
        World(("deployments", deployment(available=1, progressDeadlineSeconds=60, conditions=[
            condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]))), DEPLOYMENT, "bad",
        "Deployment web in shop did not finish its rollout within 60 s: it has 1 of 3 pods ready.",
        "Look at its newest pods; roll back if they do not become ready.",
        "Condition Progressing: False, ProgressDeadlineExceeded: timed out",
    ),
    "deployment-unavailable": Example(
        World(("deployments", deployment(available=1, conditions=[condition("Available", "False", "TooFew")]))), DEPLOYMENT,
        "warn", "Deployment web in shop has 1 of 3 pods ready, below the minimum availability.",
        "Look at its pods and their events.", "Condition Available: False, TooFew",
    ),
    "deployment-paused": Example(
        World(("deployments", deployment(updated=0, paused=True))), DEPLOYMENT, "warn",
        "Deployment web in shop is paused, and a change of its pod template is pending.",
        "Resume its rollouts.", "spec.paused: true",
    ),
    "statefulset-no-service": Example(
        World(("statefulsets", stateful())).reading("services"), ("statefulsets", "shop", "db"), "warn",
        "StatefulSet db in shop names Service db, which does not exist: its pods have no DNS names of their own.",
        "Create a headless Service db (clusterIP: None) for its pods.", "spec.serviceName: db",
    ),
    "workload-waits-for-deletion": Example(
        World(("daemonsets", daemon(updatedNumberScheduled=1) | {"spec": {"updateStrategy": {"type": "OnDelete"}}})),
        ("daemonsets", "shop", "agent"), "note",
        "DaemonSet agent in shop is on an old revision, but 2 pods run the old one until deleted by hand.",
        "Delete its old pods one after the other.", "spec.updateStrategy: OnDelete",
    ),
    "daemonset-misplaced": Example(
        World(("daemonsets", daemon(numberMisscheduled=1))), ("daemonsets", "shop", "agent"), "note",
        "DaemonSet agent in shop still runs on 1 node where it should not.",
        "Nothing, if the nodes' labels or taints were changed on purpose; else correct them.",
        "status.numberMisscheduled: 1",
    ),
    "job-failed": Example(
        World(("jobs", job(conditions=[condition("Failed", "True", "BackoffLimitExceeded", "limit reached")])),
              ("pods", pod("load-1", owner=("Job", "load"), phase="Failed", ready=False, state=ended(1)))),
        ("jobs", "shop", "load"), "bad",
        "Job load in shop failed: its pods failed 3 times, and its backoffLimit allows no more; the last: container app "
        "exits with code 1, application error.",
        "Read the log of its last pod; a failed Job is not retried.", "Container app ended: exit code 1",
    ),
    "job-deadline": Example(
        World(("jobs", job(spec={"activeDeadlineSeconds": 60}, conditions=[condition("Failed", "True", "DeadlineExceeded")]))),
        ("jobs", "shop", "load"), "bad", "Job load in shop failed: it took longer than 60 s.",
        "A failed Job is not retried: recreate it once the cause is clear.", "Condition Failed: True",
    ),
    "job-suspended": Example(
        World(("jobs", job(spec={"suspend": True}))), ("jobs", "shop", "load"), "note",
        "Job load in shop is suspended: it creates no pods until it is resumed.",
        "Set spec.suspend to false when it should run.", "spec.suspend: true",
    ),
    "cronjob-invalid": Example(
        World(("cronjobs", cron(timeZone="Mars")), ("events", event(
            "cronjobs-nightly", "UnknownTimeZone", "invalid timeZone: \"Mars\"", kind="CronJob"))),
        ("cronjobs", "shop", "nightly"), "bad",
        "CronJob nightly in shop starts no Jobs: its time zone Mars is not known.",
        "Set spec.timeZone to a name of the time zone database, such as Europe/Berlin.", "Event UnknownTimeZone: invalid timeZone",
    ),
    "cronjob-missed": Example(
        World(("cronjobs", cron()), ("events", event(
            "cronjobs-nightly", "MissSchedule", "Missed scheduled time to start a job", kind="CronJob"))),
        ("cronjobs", "shop", "nightly"), "warn", "CronJob nightly in shop missed a scheduled start.",
        "Check whether the control plane was unavailable, or set a longer deadline.", "spec.schedule: 0 3 * * *",
    ),
    "cronjob-blocked": Example(
        World(("cronjobs", cron(concurrencyPolicy="Forbid") | {"status": {
            "active": [{"kind": "Job", "namespace": "shop", "name": "nightly-1"}], "lastScheduleTime": "2026-02-27T03:00:00Z"}})),
        ("cronjobs", "shop", "nightly"), "warn",
        "CronJob nightly in shop starts no Jobs: its concurrencyPolicy is Forbid, and Job nightly-1 has not ended.",
        "See why that Job does not end: delete it, and set activeDeadlineSeconds for the next.",
        "status.lastScheduleTime: 2026-02-27 03:00 UTC; a run was due at 2026-02-28 03:00 UTC",
    ),
    "cronjob-short-deadline": Example(
        World(("cronjobs", cron(startingDeadlineSeconds=5))), ("cronjobs", "shop", "nightly"), "note",
        "CronJob nightly in shop may skip runs: its startingDeadlineSeconds is 5, and a start may take 10 s.",
        "Set startingDeadlineSeconds to 10 or more, or remove it.", "spec.startingDeadlineSeconds: 5",
    ),
    "cronjob-suspended": Example(
        World(("cronjobs", cron(suspend=True))), ("cronjobs", "shop", "nightly"), "note",
        "CronJob nightly in shop is suspended: it starts no Jobs.",
        "Set spec.suspend to false when it should run again.", "spec.suspend: true",
    ),
    "autoscaler-no-target": Example(
        World(("horizontalpodautoscalers", autoscaler())).reading("deployments"), SCALER, "bad",
        "HorizontalPodAutoscaler web in shop targets Deployment web, which does not exist.",
        "Create Deployment web, or correct scaleTargetRef.", "spec.scaleTargetRef: Deployment web",
    ),
    "autoscaler-cannot-scale": Example(
        _scaler(condition("AbleToScale", "False", "FailedUpdateScale", "the HPA controller was unable to update the target "
            'scale: Deployment.apps "web" is invalid: spec.replicas: no')), SCALER, "bad",
        'HorizontalPodAutoscaler web in shop cannot scale Deployment web: Deployment.apps "web" is invalid: spec.replicas: no.',
        "Correct what the API server rejects; a conflict passes by itself.", "Condition AbleToScale: False, FailedUpdateScale",
    ),
    "autoscaler-no-metrics": Example(
        _scaler(condition("ScalingActive", "False", "FailedGetResourceMetric", "unable to get metrics for resource cpu")),
        SCALER, "warn",
        "HorizontalPodAutoscaler web in shop has no metrics, so it no longer scales Deployment web to the load.",
        "Check that metrics-server (or the adapter that serves the metric) is running and available.", "Condition ScalingActive: False",
    ),
    "autoscaler-no-request": Example(
        _scaler(condition("ScalingActive", "False", "FailedGetResourceMetric", "missing request for cpu in container app")),
        SCALER, "warn",
        "HorizontalPodAutoscaler web in shop can't compute the utilization of Deployment web: no cpu request of "
        "container app.", "Set resources.requests.cpu for every container of Deployment web.",
        "missing request for cpu",
    ),
    "autoscaler-some-metrics": Example(
        _partly_measured(), SCALER, "warn",
        "HorizontalPodAutoscaler web in shop has no value of 1 of its 2 metrics (queue_length): it scales up by the others, "
        "but does not scale down.",
        "Install the adapter of external metrics (such as KEDA): no APIService v1beta1.external.metrics.k8s.io is registered, or "
        "it has no such metric.", "Event FailedGetExternalMetric: unable to fetch",
    ),
    "autoscaler-disabled": Example(
        _scaler(condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled")), SCALER, "note",
        "HorizontalPodAutoscaler web in shop is disabled, because Deployment web is scaled to 0.",
        "Scale Deployment web up when it should run again.", "Condition ScalingActive: False, ScalingDisabled",
    ),
    "autoscaler-at-maximum": Example(
        _scaler(condition("ScalingLimited", "True", "TooManyReplicas", since=ago(hours=1))), SCALER, "warn",
        "HorizontalPodAutoscaler web in shop is at its maximum: Deployment web needs more than 5 replicas.",
        "Raise its maxReplicas, if the nodes have room.", "spec and status: 2 replicas now, 2 to 5 allowed",
    ),
    "budget-blocks": Example(
        World(("poddisruptionbudgets", budget(expectedPods=2, desiredHealthy=2, currentHealthy=2))), BUDGET, "warn",
        "PodDisruptionBudget web in shop allows 0 disruptions of its 2 pods: node drains will block.",
        "Allow one to be unavailable (maxUnavailable: 1), or add a replica.", "spec: minAvailable 2",
    ),
    "budget-selects-nothing": Example(
        World(("poddisruptionbudgets", budget(expectedPods=0)), ("pods", pod(labels={"app": "api"}))).reading(
            "deployments", "statefulsets", "daemonsets"), BUDGET, "warn",
        "PodDisruptionBudget web in shop protects no pods: none has the labels that it selects.",
        "Correct its selector, or delete it.", "spec.selector: app=web",
    ),
    "budget-overlap": Example(
        World(("pods", pod()), ("poddisruptionbudgets", budget(expectedPods=1, disruptionsAllowed=1)),
              ("poddisruptionbudgets", budget("web-too", expectedPods=1, disruptionsAllowed=1))), BUDGET, "warn",
        "PodDisruptionBudget web in shop covers pods that web-too covers too: none of them can be evicted, so drains fail.",
        "Keep only one budget per pod.", "Budgets over the same pod: web and web-too",
    ),
    "budget-cannot-count": Example(
        World(("poddisruptionbudgets", budget(expectedPods=1, conditions=[
            condition("DisruptionAllowed", "False", "SyncFailed", "found no controllers")]))), BUDGET, "warn",
        "PodDisruptionBudget web in shop can't be computed, so no pod that it covers can be evicted.",
        "Check that all its pods belong to a workload with a scale subresource, or give minAvailable as a number.",
        "Condition DisruptionAllowed: False, SyncFailed: found no controllers",
    ),
}  # fmt: skip

SERVICE = ("services", "shop", "web")
INGRESS = ("ingresses", "shop", "shop")
TLS = [{"hosts": ["shop.example"], "secretName": "shop-tls"}]


def _behind(**port: Any) -> World:
    declared = pod(container={"ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]})
    ports = [{"port": 80, "protocol": "TCP"} | port]
    return World(
        ("pods", declared),
        ("services", service(ports=ports)),
        ("endpointslices", endpoints("web", ("web-1", True))),
    )


def _served(manifest: dict[str, Any], *more: tuple[str, dict[str, Any]]) -> World:
    return World(("ingresses", manifest), ("services", service()), ("pods", pod()), *more)


NETWORK: dict[str, Example] = {
    "service-selects-nothing": Example(
        World(("pods", pod()), ("services", service(selector={"app": "wbe"})), ("deployments", deployment())).reading(
            "statefulsets", "daemonsets"), SERVICE, "warn",
        "Service web in shop selects no pod: none has the labels app=wbe. The nearest is Deployment web: app=web instead of "
        "app=wbe.", "Change its selector to match the labels of Deployment web.", "Pods of Deployment web: app=web",
    ),
    "service-scaled-to-zero": Example(
        World(("pods", pod(labels={"app": "api"})), ("services", service()), ("deployments", deployment(replicas=0))), SERVICE,
        "note", "Service web in shop has no ready endpoints: Deployment web behind it is scaled to 0.",
        "Scale Deployment web up when it is needed again.", "spec.selector: app=web",
    ),
    "service-no-endpoint": Example(
        World(("pods", pod(ready=False)), ("services", service())), SERVICE, "bad",
        "Service web in shop has no ready endpoints: its only pod is not ready.",
        "Caused by ReplicaSet web-5d4f; nothing to do here.", "spec.selector: app=web: 1 pod",
    ),
    "service-port-missing": Example(
        _behind(targetPort="web"), SERVICE, "bad",
        "Service web in shop has no ready endpoints on port 80: it routes to targetPort web, but no container of ReplicaSet "
        "web-5d4f has a port with that name.", "Correct targetPort, or name the port in the pod template.",
        "Ports of pod web-1: http 8080/TCP",
    ),
    "service-port-undeclared": Example(
        _behind(targetPort=9090), SERVICE, "note",
        "Service web in shop routes port 80 to port 9090, which the containers of ReplicaSet web-5d4f do not declare; they may "
        "listen there all the same.", "If connections are refused, correct targetPort.", "targetPort 9090",
    ),
    "service-closed": Example(
        World(
            ("pods", pod()), ("services", service(type="NodePort")), ("endpointslices", endpoints("web", ("web-1", True))),
            ("networkpolicies", {"metadata": meta("deny"), "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
        ), ("services", "shop", "web"), "warn",
        "Service web in shop can't be reached if the network plug-in enforces NetworkPolicies: NetworkPolicy deny lets "
        "nothing in to its pods.",
        "Allow its clients in an ingress rule; nothing, if they run on the pods' own node, or a policy of another kind (of "
        "Cilium or Calico) lets them in.", "NetworkPolicy deny: no ingress rule",
    ),
    "service-pending": Example(
        World(("services", service(selector={}, type="LoadBalancer"))), SERVICE, "warn",
        "Service web in shop has no external IP: no controller in this cluster provisions load balancers, or provisioning is still in progress.",
        "Install a load balancer controller, or use type NodePort behind your own load balancer.",
        "status.loadBalancer.ingress: empty",
    ),
    "service-external-name": Example(
        World(("services", service(selector={}, type="ExternalName", externalName="198.51.100.2"))), SERVICE, "note",
        "Service web in shop stands for the address 198.51.100.2: DNS can only answer with a host name.",
        "If pods are to reach it, use a Service without a selector and an EndpointSlice of your own.",
        "spec.externalName: 198.51.100.2",
    ),
    "ingress-no-class": Example(
        _served(ingress("web", ingressClassName="gone"), ("ingressclasses", {"metadata": {"name": "nginx"}})), INGRESS, "bad",
        "Ingress shop in shop is not served by any controller: there is no IngressClass gone.",
        "Correct ingressClassName, or install the controller that provides that class.", "IngressClasses: nginx",
    ),
    "ingress-no-service": Example(
        _served(ingress("gone")), INGRESS, "bad",
        "Ingress shop in shop has no backend at shop.example/web: there is no Service gone.",
        "Create Service gone, or correct the Ingress.", "Backend of shop.example/web: Service gone, port 80",
    ),
    "ingress-no-port": Example(
        _served(ingress("web", port=8080)), INGRESS, "bad",
        "Ingress shop in shop has no backend at shop.example/web: Service web has no port 8080.",
        "Correct the port in the Ingress, or add it to the Service.", "Ports of Service web: unnamed 80",
    ),
    "ingress-no-endpoint": Example(
        World(("ingresses", ingress("web")), ("services", service()), ("pods", pod(ready=False))), INGRESS, "bad",
        "Ingress shop in shop answers 503 at shop.example/web: Service web has no ready endpoints.",
        "Caused by Service web; nothing to do here.", "Backend of shop.example/web: Service web, port 80",
    ),
    "ingress-no-secret": Example(
        _served(ingress("web", tls=TLS)).reading("secrets"), INGRESS, "warn",
        "Ingress shop in shop has no certificate for shop.example: Secret shop-tls does not exist, so browsers show a "
        "security warning.", "Create Secret shop-tls of type kubernetes.io/tls, or check why it was not issued.",
        "spec.tls: Secret shop-tls for shop.example",
    ),
    "ingress-secret-type": Example(
        _served(ingress("web", tls=TLS)).with_secret("shop-tls", "Opaque"), INGRESS, "note",
        "Ingress shop in shop takes its certificate from Secret shop-tls, which is of type Opaque, not kubernetes.io/tls.",
        "Check that it has the keys tls.crt and tls.key; better, recreate it with the right type.",
        "Type of Secret shop-tls: Opaque",
    ),
    "ingress-clash": Example(
        _served(ingress("web"), ("services", service("other")), ("ingresses", ingress("other", name="shop-too"))), INGRESS,
        "warn", "Ingress shop in shop has shop.example/web, and so does Ingress shop-too in shop: which of them is used is up "
        "to the controller.", "Keep the host and path in one of them.", "Ingress shop-too in shop: shop.example/web to other:80",
    ),
    "ingress-no-address": Example(
        _served(ingress("web", address=False), ("ingresses", ingress("web", name="served", host="other.example"))), INGRESS,
        "warn", "Ingress shop in shop has no address: other Ingresses without a class have one, this one does not.",
        "Look at its events and at the log of the ingress controller.", "status.loadBalancer.ingress: empty",
    ),
}  # fmt: skip

CLAIM = ("persistentvolumeclaims", "shop", "data")
VOLUME = ("persistentvolumes", "", "pv-1")


def claim(phase: str, *, klass: str | None = "fast", **more: Any) -> dict[str, Any]:
    spec = {
        "storageClassName": klass,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
    }
    made = meta("data") | more.pop("meta", {})
    return {"metadata": made, "spec": spec | more.pop("spec", {}), "status": {"phase": phase} | more}


def storage_class(
    name: str = "fast", mode: str = "Immediate", provisioner: str = "disk.example"
) -> dict[str, Any]:
    return {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode}


def volume(phase: str, policy: str = "Delete", **spec: Any) -> dict[str, Any]:
    holder = {"namespace": "shop", "name": "data"}
    spec = {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": policy,
    } | spec
    return {"metadata": {"name": "pv-1"}, "spec": {"claimRef": holder} | spec, "status": {"phase": phase}}


def _by_name() -> dict[str, Any]:
    made = claim("Pending")
    made["spec"]["volumeName"] = "gone"
    return made


STORAGE: dict[str, Example] = {
    "claim-lost": Example(
        World(("persistentvolumeclaims", claim("Lost", spec={"volumeName": "pv-9"}))), CLAIM, "bad",
        "PersistentVolumeClaim data in shop lost its volume pv-9: it no longer exists.",
        "Restore its data from a backup into a new claim.", "spec.volumeName: pv-9",
    ),
    "claim-no-such-volume": Example(
        World(("persistentvolumeclaims", _by_name())).reading("persistentvolumes"), CLAIM, "bad",
        "PersistentVolumeClaim data in shop asks for PersistentVolume gone by name, which does not exist.",
        "Create PersistentVolume gone, or recreate the claim without volumeName.", "spec.volumeName: gone",
    ),
    "claim-no-class": Example(
        World(("persistentvolumeclaims", claim("Pending")), ("storageclasses", storage_class("slow"))), CLAIM, "bad",
        "PersistentVolumeClaim data in shop has no volume: there is no StorageClass fast.",
        "Recreate the claim with one of the existing StorageClasses, or create that one.", "StorageClasses: slow",
    ),
    "claim-provisioning-failed": Example(
        World(("persistentvolumeclaims", claim("Pending")), ("storageclasses", storage_class()), ("events", event(
            "persistentvolumeclaims-data", "ProvisioningFailed", "failed: rpc error: code = X desc = quota exceeded",
            kind="PersistentVolumeClaim"))), CLAIM, "bad",
        "PersistentVolumeClaim data in shop has no volume: StorageClass fast can't provision one: quota exceeded.",
        "Look at the provisioner's message, and at the parameters of the StorageClass.", "provisioner: disk.example",
    ),
    "claim-no-provisioner": Example(
        World(("persistentvolumeclaims", claim("Pending")), ("storageclasses", storage_class())), CLAIM, "bad",
        "PersistentVolumeClaim data in shop has no volume: StorageClass fast uses provisioner disk.example, which has "
        "not provisioned one.", "Check that the provisioner's pods are running, and read their logs.", "provisioner: disk.example",
    ),
    "claim-no-volume": Example(
        World(("persistentvolumeclaims", claim("Pending", klass="")), ("persistentvolumes", volume(
            "Available", claimRef=None))).reading("storageclasses"), CLAIM, "bad",
        "PersistentVolumeClaim data in shop has no volume: it names no StorageClass, and no available volume fits.",
        "Recreate the claim and set a StorageClass that provisions volumes, or create a volume that fits.",
        "PersistentVolume pv-1: is too small: 5Gi",
    ),
    "claim-waits-for-pod": Example(
        World(("persistentvolumeclaims", claim("Pending")), ("storageclasses", storage_class(mode="WaitForFirstConsumer"))),
        CLAIM, "note",
        "PersistentVolumeClaim data in shop gets its volume only when its first pod is scheduled: no pod uses it yet.",
        "Nothing, until a pod uses it.", "volumeBindingMode: WaitForFirstConsumer",
    ),
    "claim-in-use": Example(
        World(("persistentvolumeclaims", claim("Bound", meta={
            "deletionTimestamp": ago(minutes=9), "finalizers": ["kubernetes.io/pvc-protection"]})),
            ("pods", (using := pod()) | {"spec": using["spec"] | {"volumes": _claims(("data", "data"))}})), CLAIM, "warn",
        "PersistentVolumeClaim data in shop is deleted, but stays as long as pod web-1 uses it; then its data is gone.",
        "Back up the data that is needed before its pods terminate: a deletion can't be undone.",
        "metadata.finalizers: kubernetes.io/pvc-protection",
    ),
    "claim-resize-failed": Example(
        World(("persistentvolumeclaims", claim("Bound", spec={"volumeName": "pv-1"}, capacity={"storage": "5Gi"}, conditions=[
            condition("ControllerResizeError", "True", "", "rpc error: code = Internal desc = quota exceeded")]))), CLAIM, "warn",
        "PersistentVolumeClaim data in shop cannot grow from 5Gi to 20Gi: quota exceeded.",
        "Correct what its CSI driver names; until then the claim is used as it is.", "Condition ControllerResizeError: rpc error",
    ),
    "volume-failed": Example(
        World(("persistentvolumes", volume("Failed"))), VOLUME, "bad",
        "PersistentVolume pv-1 could not be reclaimed after its claim shop/data was deleted.",
        "Look at its events; delete the volume in the storage system, then here.", "persistentVolumeReclaimPolicy: Delete",
    ),
    "volume-released": Example(
        World(("persistentvolumes", volume("Released", "Retain"))), VOLUME, "note",
        "PersistentVolume pv-1 still holds the data of claim shop/data, which was deleted; it can't be bound as it is.",
        "Delete it if the data is not needed; or remove spec.claimRef, so that a new claim can bind it.",
        "spec.claimRef: shop/data",
    ),
}  # fmt: skip


def _pressed(type_: str) -> World:
    return World(("nodes", node(conditions=[condition(type_, "True", "KubeletHas", "kubelet says so")])))


def _machine(type_: str, text: str, step: str) -> Example:
    return Example(_pressed(type_), NODE, "warn", f"Node node-1 {text}.", step, f"Condition {type_}: True")


def _of_version(name: str, version: str) -> dict[str, Any]:
    made = node(name)
    made["status"]["nodeInfo"] = {"kubeletVersion": version}
    return made


CLUSTER: dict[str, Example] = {
    "node-silent": Example(
        World(("nodes", node(ready="Unknown"))), NODE, "bad", "Node node-1 is unreachable: its kubelet stopped reporting.",
        "Check the machine and its network; its pods are evicted after five minutes.", "Condition Ready: Unknown",
    ),
    "node-not-ready": Example(
        World(("nodes", node(ready="False"))), NODE, "bad", "Node node-1 is not ready: kubelet said so.",
        "Check its kubelet, its container runtime and its network plug-in.", "Condition Ready: False: kubelet said so",
    ),
    "node-memory-pressure": _machine(
        "MemoryPressure", "has memory pressure",
        "Look at which of its pods use the most memory; the kubelet evicts pods now.",
    ),
    "node-disk-pressure": _machine(
        "DiskPressure", "has disk pressure", "Free disk space on it; the kubelet removes images and evicts pods now."
    ),
    "node-pid-pressure": _machine("PIDPressure", "has PID pressure", "Look at which of its pods start too many processes."),
    "node-network-unavailable": _machine(
        "NetworkUnavailable", "has no working network", "Look at the network plug-in's pod on it."
    ),
    "node-condition": Example(
        _pressed("KernelDeadlock"), NODE, "warn", "Node node-1 reports a fault: KernelDeadlock (kubelet says so).",
        "Look at its machine and its events: what watches the node sets this condition.", "Condition KernelDeadlock: True",
    ),
    "node-cordoned": Example(
        World(("nodes", node(unschedulable=True))), NODE, "warn", "Node node-1 is cordoned: no new pods are scheduled on it.",
        "Uncordon it when the work on it is done.", "spec.unschedulable: true",
    ),
    "node-version-skew": Example(
        World(("nodes", _of_version("node-1", "v1.30.2")), ("nodes", _of_version("node-2", "v1.36.0"))), NODE, "warn",
        "Node node-1 runs Kubernetes v1.30.2, more than 3 minor versions behind 1.36: that is not supported.",
        "Upgrade its kubelet.", "kubeletVersion: v1.30.2",
    ),
    "node-version-ahead": Example(
        World(("nodes", _of_version("node-1", "v1.37.0"))).of_version("v1.36.3"), NODE, "warn",
        "Node node-1 runs Kubernetes v1.37.0, newer than the API server's v1.36.3: that is not supported.",
        "Upgrade the control plane first, then the nodes; or downgrade its kubelet.", "API server: v1.36.3",
    ),
    "apiservice-unavailable": Example(
        World().with_table(APISERVICES, ("v1.down.example.com", "shop/down-api", "False (MissingEndpoints)", "5m")),
        (APISERVICES.key, "", "v1.down.example.com"), "bad",
        "APIService v1.down.example.com is not available: Service shop/down-api, which serves it, has no ready endpoints. Until "
        "it is, its API can't be used, and no namespace can be deleted.",
        "Restore Service down-api in shop and its pods, or delete the APIService if it is not needed.",
        "Condition Available: False, MissingEndpoints",
    ),
    "namespace-stuck": Example(
        World(("namespaces", {"metadata": {"name": "old", "deletionTimestamp": ago(minutes=9)}, "status": {
            "phase": "Terminating", "conditions": [
                condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", "pods. has 1 resource instances"),
                condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", "example.com/hold in 1"),
            ]}})), ("namespaces", "", "old"), "warn",
        "Namespace old can't be deleted: objects in it have a finalizer that is not removed.",
        "Check that the controller of that finalizer is running.", "Condition NamespaceFinalizersRemaining: True, SomeFinalizersRemain",
    ),
}  # fmt: skip


def webhook(policy: str | None = "Fail", **rule: Any) -> tuple[str, dict[str, Any]]:
    """One that asks a Service about Deployments in some namespaces."""
    asks = {"apiGroups": ["apps"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]} | rule
    hook = {
        "name": "check.example.com", "clientConfig": {"service": {"namespace": "shop", "name": "policy"}},
        "rules": [asks], "namespaceSelector": {"matchLabels": {"team": "a"}},
    }  # fmt: skip
    hooks = [hook | {"failurePolicy": policy} if policy else hook]
    return WEBHOOKS[0].plural, {"metadata": {"name": "policy"}, "webhooks": hooks}


def binding(role: str, **more: Any) -> dict[str, Any]:
    return {"metadata": meta("operators"), "roleRef": {"kind": "Role", "name": role}} | more


ACCOUNT = [{"kind": "ServiceAccount", "namespace": "shop", "name": "robot"}]
ROLE = {"metadata": meta("operator")}
BINDING = ("rolebindings", "shop", "operators")

ACCESS: dict[str, Example] = {
    "webhook-unreachable": Example(
        World(webhook()).reading("services"), (WEBHOOKS[0].plural, "", "policy"), "bad",
        "ValidatingWebhookConfiguration policy lets nobody create or update deployments in namespaces with team=a: "
        "its webhook check.example.com calls Service policy in shop, which does not exist.",
        "Delete it if what it belonged to is gone; else restore that Service.",
        "failurePolicy: Fail: without an answer, the request is refused",
    ),
    "binding-no-role": Example(
        World(("rolebindings", binding("gone")), ("roles", ROLE)), BINDING, "warn",
        "RoleBinding operators in shop grants no permissions: Role gone does not exist.",
        "Create Role gone, or recreate the binding: its role cannot be changed.", "roleRef: Role gone",
    ),
    "binding-no-account": Example(
        World(("rolebindings", binding("operator", subjects=ACCOUNT)), ("roles", ROLE)).reading("serviceaccounts"), BINDING,
        "note", "RoleBinding operators in shop grants permissions to ServiceAccount shop/robot, which does not exist.",
        "Create ServiceAccount robot in shop, or remove it from the binding.", "subjects: ServiceAccount shop/robot",
    ),
}  # fmt: skip

EXAMPLES: dict[str, Example] = PODS | WORKLOADS | NETWORK | STORAGE | CLUSTER | ACCESS
