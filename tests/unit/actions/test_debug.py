"""What is written of a debug container, and what rules one out."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.action import Target
from dashboard.actions.debug import DEBUG, NONROOT
from dashboard.errors import BadInput, Forbidden, Invalid
from dashboard.kinds import KINDS

from ..insight.world import World, pod

WANTED = {"image": "busybox:1", "target": "app", "profile": "general", "created": "debugger-x"}


def written(manifest: dict[str, Any], **wanted: str) -> dict[str, Any]:
    asked = WANTED | wanted
    write = DEBUG.on(asked).write(manifest, asked)
    assert write.subresource == "ephemeralcontainers"
    made: dict[str, Any] = write.body["spec"]["ephemeralContainers"][-1]
    return made


def test_it_joins_the_processes_of_its_target_and_may_trace_them() -> None:
    made = written(pod())
    assert (made["name"], made["image"], made["targetContainerName"]) == ("debugger-x", "busybox:1", "app")
    assert made["securityContext"] == {"capabilities": {"add": ["SYS_PTRACE"]}}


def test_without_a_target_and_in_baseline_nothing_is_asked_for() -> None:
    assert written(pod(), target="-", profile="baseline").keys() == {"name", "image", "command"}


def test_those_that_are_there_stay() -> None:
    manifest = pod()
    manifest["spec"]["ephemeralContainers"] = [{"name": "old", "image": "busybox:1"}]
    body = DEBUG.on(WANTED).body(manifest, WANTED)
    assert [each["name"] for each in body["spec"]["ephemeralContainers"]] == ["old", "debugger-x"]


@pytest.mark.parametrize(
    ("of_pod", "of_container", "user"),
    [
        ({}, {}, NONROOT),
        ({}, {"runAsUser": 1000}, 1000),
        ({"runAsUser": 2000}, {}, None),
        ({"runAsUser": 2000}, {"runAsUser": 1000}, 1000),
    ],
)
def test_restricted_is_the_user_of_its_target_and_never_root(
    of_pod: dict[str, Any], of_container: dict[str, Any], user: int | None
) -> None:
    manifest = pod()
    manifest["spec"]["securityContext"] = of_pod
    manifest["spec"]["containers"][0]["securityContext"] = of_container
    context = written(manifest, profile="restricted")["securityContext"]
    assert context.get("runAsUser") == user
    assert context["runAsNonRoot"] is True and context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_pod_that_must_not_run_as_root_gets_no_container_that_would() -> None:
    manifest = pod()
    manifest["spec"]["securityContext"] = {"runAsNonRoot": True}
    assert written(manifest, profile="baseline")["securityContext"] == {"runAsUser": NONROOT}


def test_what_ended_and_what_does_not_run_is_refused() -> None:
    with pytest.raises(Invalid, match="has ended"):
        DEBUG.check(pod(phase="Succeeded"), WANTED)
    with pytest.raises(
        BadInput, match=r"Container gone of web-1 is not running\. Those that run: app"
    ) as raised:
        DEBUG.check(pod(), WANTED | {"target": "gone"})
    assert raised.value.field == "target"


def test_pod_security_is_answered_with_the_profile_that_it_takes() -> None:
    error = Forbidden(
        'pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    )
    DEBUG.scrub(error, pod(), WANTED)
    assert error.next_step == "Choose the profile restricted."
    error.next_step = ""
    DEBUG.scrub(error, pod(), WANTED | {"profile": "restricted"})
    assert error.next_step == ""


async def test_without_an_image_it_is_neither_offered_nor_made(settings: Any) -> None:
    settings.CLUSTER_UI_DEBUG_IMAGES = []
    world = World()
    assert not DEBUG.applies(world.add("pods", pod()))
    target = Target.of("dev", KINDS["pods"], "shop", "web-1")
    with pytest.raises(Invalid, match="no image for debug containers") as raised:
        await DEBUG.ready(target, pod(), world)
    assert "CLUSTER_UI_DEBUG_IMAGES" in raised.value.next_step
