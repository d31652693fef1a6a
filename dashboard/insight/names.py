"""The name of every rule. A name is for ever: scripts read it in the JSON of an object's page. Those of plugins' rules
begin with the plugin's name.
"""

from __future__ import annotations

from typing import Literal, NewType

PodRule = Literal[
    # its node
    "pod-node-lost", "pod-evicted", "pod-rejected", "pod-disrupted", "pod-failed", "pod-deadline",
    # its end
    "pod-finalizer", "pod-ends-slowly",
    # its place
    "pod-unschedulable", "pod-scheduling-gated", "pod-no-scheduler", "pod-claim-missing", "pod-claim-pending",
    "pod-resource-claim-missing", "pod-preempting",
    # its configuration
    "pod-config-missing", "pod-key-missing", "pod-runs-as-root", "pod-config-error",
    # its image
    "pod-image-name", "pod-image-never-pulled", "pod-image-platform", "pod-image-not-found", "pod-pull-secret-missing",
    "pod-image-denied", "pod-pull-throttled", "pod-registry-limit", "pod-registry-unreachable", "pod-image-no-disk",
    "pod-image-pull", "pod-image-pulling",
    # its start
    "pod-volume-attach", "pod-volume-mount", "pod-sandbox", "pod-stays-creating",
    # its containers
    "pod-command-missing", "pod-cannot-start", "pod-out-of-memory", "pod-init-failing", "pod-init-stuck",
    "pod-liveness-failing", "pod-hook-failing", "pod-crash-loop", "pod-restarts-often", "pod-outlived",
    # its size
    "pod-resize-held",
    # its probes
    "pod-startup-failing", "pod-readiness-failing", "pod-gate-unmet", "pod-not-ready",
]  # fmt: skip

WorkloadRule = Literal[
    "workload-quota", "workload-needs-limits", "workload-limit-range", "workload-pod-security", "workload-refused",
    "workload-webhook-down", "workload-no-account", "workload-no-priority-class", "workload-no-runtime-class",
    "workload-cannot-make-pods", "workload-not-observed",
    "deployment-deadline-exceeded", "deployment-unavailable", "deployment-paused",
    "statefulset-no-service", "workload-waits-for-deletion", "daemonset-misplaced",
    "job-failed", "job-deadline", "job-suspended",
    "cronjob-invalid", "cronjob-blocked", "cronjob-missed", "cronjob-suspended", "cronjob-short-deadline",
    "autoscaler-no-target", "autoscaler-cannot-scale", "autoscaler-no-metrics", "autoscaler-no-request",
    "autoscaler-some-metrics", "autoscaler-disabled", "autoscaler-at-maximum",
    "budget-blocks", "budget-selects-nothing", "budget-overlap", "budget-cannot-count",
]  # fmt: skip

NetworkRule = Literal[
    "service-selects-nothing", "service-scaled-to-zero", "service-no-endpoint", "service-port-missing",
    "service-port-undeclared", "service-closed", "service-pending", "service-external-name",
    "ingress-no-class", "ingress-no-service", "ingress-no-port", "ingress-no-endpoint", "ingress-no-secret",
    "ingress-secret-type", "ingress-clash", "ingress-no-address",
    "certificate-unreadable", "certificate-expired", "certificate-expires", "certificate-early", "certificate-other-host",
]  # fmt: skip

StorageRule = Literal[
    "claim-lost", "claim-no-such-volume", "claim-no-class", "claim-provisioning-failed", "claim-no-provisioner",
    "claim-no-volume", "claim-waits-for-pod", "claim-in-use", "claim-resize-failed", "volume-failed", "volume-released",
]  # fmt: skip

ClusterRule = Literal[
    "node-silent", "node-not-ready", "node-memory-pressure", "node-disk-pressure", "node-pid-pressure",
    "node-network-unavailable", "node-condition", "node-cordoned", "node-version-skew", "node-version-ahead",
    "namespace-stuck", "apiservice-unavailable", "webhook-unreachable", "binding-no-role", "binding-no-account",
]  # fmt: skip

BuiltInRule = PodRule | WorkloadRule | NetworkRule | StorageRule | ClusterRule
PluginName = NewType("PluginName", str)  # of a rule, or of a page of an object, that a plugin brings
RuleName = BuiltInRule | PluginName
