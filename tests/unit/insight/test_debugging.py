"""Debug containers: the profile that a namespace takes, and how far one has come, in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.debugging import ENFORCE, DebugProgress, debug_progress, debuggable, fitting_profile

from .world import World, meta, pod

NAME = "debugger-x"


def progress(state: dict[str, Any] | None, **more: Any) -> DebugProgress:
    statuses = [] if state is None else [{"name": NAME, "image": "busybox:1", "state": state}]
    manifest = pod(ephemeralContainerStatuses=statuses, **more)
    manifest["spec"]["ephemeralContainers"] = [{"name": NAME, "image": "busybox:1"}]
    return debug_progress(World().add("pods", manifest), NAME)


@pytest.mark.parametrize(
    ("labels", "profile"),
    [
        ({}, "general"),
        ({ENFORCE: "privileged"}, "general"),
        ({ENFORCE: "baseline"}, "baseline"),
        ({ENFORCE: "restricted"}, "restricted"),
        ({ENFORCE: "a level of tomorrow"}, "restricted"),
    ],
)
def test_the_profile_is_what_the_namespace_takes(labels: dict[str, str], profile: str) -> None:
    world = World()
    world.add("namespaces", {"metadata": meta("shop") | {"namespace": "", "labels": labels}})
    assert fitting_profile(world, "shop") == profile


def test_a_namespace_that_may_not_be_seen_gets_what_every_one_takes() -> None:
    assert fitting_profile(World(), "shop") == "restricted"


def test_it_is_waited_for_until_it_runs() -> None:
    said = progress(None)
    assert (said.state, said.runs, said.over) == ("info", False, False)
    assert said.text == "The kubelet of node node-1 has not started it yet."
    creating = progress({"waiting": {"reason": "ContainerCreating"}})
    assert creating.state == "info" and "pulls image busybox:1" in creating.text
    assert progress({"running": {}}).runs


def test_an_image_that_can_not_be_pulled_is_named() -> None:
    said = progress({"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}})
    assert (said.state, said.over) == ("bad", False)
    assert said.text.startswith("Image busybox:1 not found.")


def test_what_the_kubelet_refuses_is_said_in_its_words() -> None:
    why = "container has runAsNonRoot and image will run as root"
    said = progress({"waiting": {"reason": "CreateContainerConfigError", "message": why}})
    assert said.state == "bad" and why in said.text


def test_its_end_and_that_of_its_pod() -> None:
    ended = progress({"terminated": {"exitCode": 137, "reason": "Error"}})
    assert ended.over and ended.state == "bad" and "not restarted" in ended.text
    assert progress({"terminated": {"exitCode": 0, "reason": "Completed"}}).state == "done"
    assert progress(None, phase="Succeeded").text.startswith("Pod web-1 has ended")


def test_targets_are_the_containers_that_run_the_annotated_one_first() -> None:
    running = {"running": {}}
    manifest = pod(
        containerStatuses=[{"name": name, "state": running} for name in ("app", "proxy")]
        + [{"name": "late", "state": {"waiting": {}}}]
    )
    manifest["spec"]["containers"] = [{"name": name} for name in ("app", "proxy", "late")]
    assert debuggable(World().add("pods", manifest)) == ("app", "proxy")
    manifest["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "proxy"}
    assert debuggable(World().add("pods", manifest)) == ("proxy", "app")
