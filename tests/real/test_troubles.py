"""What the dashboard says of pods that really fail, and of simulated ones that seem to: the same, for the same reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dashboard.insight import Finding
from dashboard.insight.words import text_of
from tests.cluster.place import until

from .pods import Pods, spec

LATER = timedelta(minutes=2)  # what must last before it is told has lasted then


def simulated(pods: Pods, behaviour: str, **container: Any) -> None:
    """The pod "simulated", which pretends."""
    annotations = {"sandbox.cluster-ui.dev/behaviour": behaviour} if behaviour else {}
    made = spec("exec sleep 600", real=False, **{"image": "registry.example/app:1"} | container)
    pods.make(
        "/api/v1/namespaces/{ns}/pods",
        {"metadata": {"name": "simulated", "annotations": annotations}, "spec": made},
    )


def same(real: Finding, pretended: Finding) -> str:
    """What both say, which is the same but for the names."""
    said = text_of(real.text)
    assert said.replace("Pod real", "Pod simulated") == text_of(pretended.text)
    assert (real.rule, real.severity, real.step.text) == (
        pretended.rule,
        pretended.severity,
        pretended.step.text,
    )
    return said


async def test_killed_for_memory(pods: Pods) -> None:
    limit = {"limits": {"memory": "24Mi"}}
    pods.pod("real", "sleep 1; tail /dev/zero", resources=limit)
    simulated(pods, "oom-killed", resources=limit)
    # It runs again and again, and is ready for a moment each time: then it is a warning.
    real = await pods.told("real", "pod-out-of-memory", severity="bad")
    said = same(real, await pods.told("simulated", "pod-out-of-memory", severity="bad"))
    assert said.endswith("container app used more memory than its limit of 24Mi.")


async def test_a_crash_loop(pods: Pods) -> None:
    pods.pod("real", "echo no database >&2; sleep 1; exit 1")
    simulated(pods, "crash-loop")
    real = await pods.told("real", "pod-crash-loop")
    said = same(real, await pods.told("simulated", "pod-crash-loop"))
    assert "exits with code 1, application error" in said
    assert real.log is not None


async def test_a_failing_readiness_probe(pods: Pods) -> None:
    probe = {"readinessProbe": {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 2}}
    pods.pod("real", "exec sleep 600", **probe)
    simulated(pods, "unready", **probe)
    rule = "pod-readiness-failing"
    said = "gets no traffic: container app fails its readiness probe: "
    real = await pods.told("real", rule, saying=f"{said}nothing listens on port 8080.", later=LATER)
    pretended = await pods.told("simulated", rule, saying=f"{said}it answers HTTP 503.", later=LATER)
    assert real.step.text == pretended.step.text


async def test_a_failing_liveness_probe(pods: Pods) -> None:
    probe = {"exec": {"command": ["test", "-e", "/alive"]}, "periodSeconds": 1, "failureThreshold": 2}
    pods.pod("real", "trap 'exit 0' TERM; while :; do sleep 0.2; done", livenessProbe=probe)
    found = await pods.told("real", "pod-liveness-failing", severity="bad")
    assert "fails its liveness probe" in text_of(found.text)
    # From then on it is that, whether it runs just now or waits to.
    for _ in range(20):
        assert {one.rule for one in await pods.findings("real")} == {"pod-liveness-failing"}
        await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    ("image", "rule", "why"),
    [
        ("registry.invalid/app:1", "pod-registry-unreachable", "its host name can't be resolved"),
        ("localhost:1/app:1", "pod-registry-unreachable", "connection refused"),
    ],
)
async def test_an_image_that_does_not_come(pods: Pods, image: str, rule: str, why: str) -> None:
    pods.pod("real", "exec sleep 600", image=image)

    async def backs_off() -> bool:
        (status,) = pods.found("real")["status"].get("containerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff"

    await until(backs_off, 120)
    found = await pods.told("real", rule)
    assert why in text_of(found.text)


async def test_what_a_registry_answers(pods: Pods) -> None:
    """It has nothing, and asks for a password for some of it."""
    serve = "mkdir /www && echo /v2/private/:somebody:secret > /conf && exec httpd -f -p 127.0.0.1:5000 -h /www -c /conf"
    made = spec(serve) | {"hostNetwork": True}
    pods.make("/api/v1/namespaces/{ns}/pods", {"metadata": {"name": "registry"}, "spec": made})
    await pods.ready("registry")
    pods.pod("real", "exec sleep 600", image="localhost:5000/app:1")
    pods.pod("denied", "exec sleep 600", image="localhost:5000/private/app:1")
    simulated(pods, "image-pull-error", image="localhost:5000/app:1")
    rule = "pod-image-not-found"
    said = same(await pods.told("real", rule), await pods.told("simulated", rule))
    assert said.endswith("the registry has no such image or tag.")
    denied = await pods.told("denied", "pod-image-denied")
    assert "the registry denies access" in text_of(denied.text)


@pytest.mark.parametrize(
    ("container", "rule"),
    [
        ({"command": ["/bin/no-such"]}, "pod-command-missing"),
        ({"image": "Not A Name"}, "pod-image-name"),
        ({"image": "localhost/absent:1", "imagePullPolicy": "Never"}, "pod-image-never-pulled"),
        (
            {"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            "pod-config-missing",
        ),
        ({"securityContext": {"runAsNonRoot": True}}, "pod-runs-as-root"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_keeps_a_container_from_starting(pods: Pods, container: dict[str, Any], rule: str) -> None:
    pods.pod("real", "exec sleep 600", **container)

    async def any_rule() -> str:
        found = await pods.findings("real")
        return found[0].rule if found else ""

    said = await until(any_rule, 120)
    assert said == rule


async def test_a_file_that_is_missing_keeps_it_from_starting(pods: Pods) -> None:
    pods.pod(
        "real",
        "exec sleep 600",
        volumeMounts=[{"name": "settings", "mountPath": "/settings"}],
        volumes=[{"name": "settings", "configMap": {"name": "settings"}}],
    )
    found = await pods.told("real", "pod-config-missing")
    assert "settings" in text_of(found.text)
    pods.configmap(colour="green")
    await pods.ready("real")
