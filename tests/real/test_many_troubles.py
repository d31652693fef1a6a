"""One pod for each way to fail, all made at once; each has to be told as what it is, in the words of a real kubelet."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.insight import Finding, findings
from dashboard.insight.words import text_of
from dashboard.live.screens.detail.lastlines import last_lines
from sandbox.node.images import BUSYBOX

from .pods import Pods, spec
from .test_storage import Permitted

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 240.0  # a kubelet looks at disks every ten seconds, and measures volumes once a minute
LATER = timedelta(minutes=2)  # what must last before it is told has lasted then

SCRATCH = {"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}
FILES = {"volumeMounts": [{"name": "files", "mountPath": "/files"}]}


def fill(where: str) -> str:
    """Writes 20 MiB, and stays."""
    return f"dd if=/dev/zero of={where} bs=1M count=20 2>/dev/null; exec sleep 600"


def variable(kind: str, name: str, key: str = "gone") -> dict[str, Any]:
    return {"env": [{"name": "V", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key}}}]}


def volume(name: str, **source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": name, **source}]}


def probe(kind: str, **what: Any) -> dict[str, Any]:
    return {kind: what | {"periodSeconds": 1, "failureThreshold": 2}}


@dataclass(frozen=True)
class Case:
    """A pod and what is said of it: the rule, and a piece of the sentence."""

    rule: str
    said: str
    script: str = "exec sleep 600"
    container: dict[str, Any] = field(default_factory=dict)
    pod: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""  # what stands in one of the facts behind it
    log: str = ""  # the last of the lines that are shown with it

    def manifest(self, name: str) -> dict[str, Any]:
        made = spec(self.script, **self.container) | self.pod
        return {"metadata": {"name": name, "labels": {"app": name}}, "spec": made}


CASES = {
    "no-key": Case(
        "pod-key-missing",
        "container app needs key gone of ConfigMap settings, which does not exist.",
        container=variable("configMap", "settings"),
    ),
    "no-secret-key": Case(
        "pod-key-missing",
        "container app needs key gone of Secret database, which does not exist.",
        container=variable("secret", "database"),
    ),
    "binary-key": Case(
        "pod-key-missing",
        "container app needs key picture of ConfigMap pictures",
        container=variable("configMap", "pictures", "picture"),
    ),
    "nul": Case(
        "pod-cannot-start",
        "the container runtime can't start container app",
        container=variable("secret", "bytes", "nul"),
        evidence="nul",  # contains nul, or can't contain null
    ),
    "no-file": Case(
        "pod-key-missing",
        "container app needs key gone of ConfigMap settings, which does not exist.",
        container=FILES
        | volume("files", configMap={"name": "settings", "items": [{"key": "gone", "path": "gone"}]}),
    ),
    "no-secret-file": Case(
        "pod-config-missing",
        "container app needs Secret absent, which does not exist.",
        container=FILES | volume("files", projected={"sources": [{"secret": {"name": "absent"}}]}),
    ),
    "no-host-file": Case(
        "pod-volume-mount",
        "volume files cannot be mounted: on its node /absent is not a file.",
        container=FILES | volume("files", hostPath={"path": "/absent", "type": "File"}),
    ),
    "memory-files": Case(
        "pod-out-of-memory",
        "container app used more memory than its limit of 16Mi.",
        script="exec dd if=/dev/zero of=/scratch/file bs=1M count=100",
        container={"resources": {"limits": {"memory": "16Mi"}}}
        | SCRATCH
        | volume("scratch", emptyDir={"medium": "Memory"}),
    ),
    "full-volume": Case(
        "pod-evicted",
        "its emptyDir volume scratch exceeded its sizeLimit.",
        script=fill("/scratch/file"),
        container=SCRATCH | volume("scratch", emptyDir={"sizeLimit": "1Mi"}),
        evidence='"1Mi"',
    ),
    "full-files": Case(
        "pod-evicted",
        "it exceeded its ephemeral-storage limit.",
        script=fill("/tmp/file"),  # noqa: S108 # in the container
        container={"resources": {"limits": {"ephemeral-storage": "2Mi"}}},
        evidence="2Mi",
    ),
    "liveness-http": Case(
        "pod-liveness-failing",
        "container app fails its liveness probe, so the kubelet stops it: nothing listens on port 8080.",
        container=probe("livenessProbe", httpGet={"port": 8080, "path": "/alive"}),
        evidence="connection refused",
    ),
    "liveness-slow": Case(
        "pod-liveness-failing",
        "container app fails its liveness probe, so the kubelet stops it",
        container=probe("livenessProbe", exec={"command": ["sleep", "30"]}, timeoutSeconds=1),
        evidence="Liveness probe",
    ),
    "startup": Case(
        "pod-liveness-failing",
        "container app fails its startup probe, so the kubelet stops it: its command fails and prints nothing.",
        container=probe("startupProbe", exec={"command": ["false"]}),
    ),
    "readiness-tcp": Case(
        "pod-readiness-failing",
        "container app fails its readiness probe: nothing listens on port 8080.",
        script="echo started; exec sleep 600",
        container=probe("readinessProbe", tcpSocket={"port": 8080}),
        evidence="connection refused",
        log="started",
    ),
    "crash": Case(
        "pod-crash-loop",
        "container app exits with code 2, application error, often a wrong argument.",
        script="echo connecting; sleep 1; echo no database >&2; exit 2",
        container={"terminationMessagePolicy": "FallbackToLogsOnError"},
        evidence="no database",
        log="no database",
    ),
    "bad-format": Case(
        "pod-crash-loop",
        "container app exits with code 1, application error.",
        container={"command": ["/files/start"]}
        | FILES
        | volume("files", configMap={"name": "programs", "defaultMode": 0o755}),
        log="exec /files/start: exec format error",
    ),
    "no-permission": Case(
        "pod-command-missing",
        "container app's command /etc/passwd cannot be executed.",
        container={"command": ["/etc/passwd"]},
    ),
    "no-profile": Case(
        "pod-cannot-start",
        "the container runtime can't start container app (CreateContainerError)",
        container={
            "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "absent.json"}}
        },
    ),
    "hook": Case(
        "pod-hook-failing",
        "container app's postStart hook fails, so the kubelet stops it.",
        container={"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo late >&2; exit 4"]}}}},
    ),
    "init": Case(
        "pod-init-failing",
        "init container prepare exits with code 3, application error.",
        pod={
            "initContainers": [
                {"name": "prepare", "image": BUSYBOX, "command": ["sh", "-c", "echo no disk; exit 3"]}
            ]
        },
        log="no disk",
    ),
    "sidecar": Case(
        "pod-crash-loop",
        "container proxy exits with code 1, application error.",
        pod={
            "initContainers": [
                {
                    "name": "proxy",
                    "image": BUSYBOX,
                    "command": ["sh", "-c", "sleep 1; exit 1"],
                    "restartPolicy": "Always",
                }
            ]
        },
    ),
    "deadline": Case(
        "pod-deadline",
        "its deadline passed (activeDeadlineSeconds).",
        pod={"activeDeadlineSeconds": 5},
    ),
    "once": Case(
        "pod-failed",
        "container app exits with code 7, application error.",
        script="echo bye; exit 7",
        pod={"restartPolicy": "Never"},
        log="bye",
    ),
    "too-big": Case(
        "pod-rejected",
        "its node did not have enough cpu.",
        container={"resources": {"requests": {"cpu": "1000"}}},
        pod={"nodeName": "real"},
    ),
    "elsewhere": Case(
        "pod-rejected",
        "its node no longer has the labels that it selects.",
        pod={"nodeName": "real", "runtimeClassName": None, "nodeSelector": {"absent": "yes"}},
    ),
    "forbidden-sysctl": Case(
        "pod-rejected",
        "its node does not allow a sysctl that it sets.",
        pod={"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}},
    ),
}


def fits(finding: Finding, case: Case) -> bool:
    said = case.said in text_of(finding.text)
    return finding.rule == case.rule and said and any(case.evidence in one.says for one in finding.evidence)


async def log_of(pods: Pods, finding: Finding) -> str:
    """The last line that the page shows with a finding."""
    if finding.log is None:
        return ""
    lines = (await last_lines(Permitted(pods), [finding.log], {}))[finding.log]  # type: ignore[arg-type]
    return str(lines[-1][1]) if lines else ""


async def words(pods: Pods, finding: Finding) -> tuple[object, ...]:
    says = [one.says for one in finding.evidence]
    return finding.rule, text_of(finding.text), says, await log_of(pods, finding)


async def test_each_is_told_as_what_it_is(pods: Pods) -> None:
    pods.configmap(colour="green")
    pods.make("/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "database"}})
    programs = {"metadata": {"name": "programs"}, "data": {"start": "no program"}}
    pods.make("/api/v1/namespaces/{ns}/configmaps", programs)
    pictures = {"metadata": {"name": "pictures"}, "binaryData": {"picture": "iVBORw=="}}
    pods.make("/api/v1/namespaces/{ns}/configmaps", pictures)
    values = {"nul": "Y2FuYXJ5AHZhbHVl"}  # canary, NUL, value
    pods.make("/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "bytes"}, "data": values})
    for name, case in CASES.items():
        pods.make("/api/v1/namespaces/{ns}/pods", case.manifest(name))
    left, told = dict(CASES), {}
    found: dict[str, list[Finding]] = {}
    until = time.monotonic() + SECONDS
    while left and time.monotonic() < until:
        await asyncio.sleep(2)
        said = findings(await pods.objects(), datetime.now(UTC) + LATER)
        told = {name: [one for one in said if (one.ref.kind, one.ref.name) == ("Pod", name)] for name in left}
        for name, case in list(left.items()):
            fitting = [one for one in told[name] if fits(one, case)]
            found[name] = told[name]
            if fitting and (not case.log or case.log in await log_of(pods, fitting[0])):
                del left[name]
    assert "canary" not in repr([await words(pods, one) for one in found["nul"]])
    wrong = {name: [await words(pods, one) for one in told[name]] for name in left}
    assert wrong == {}
