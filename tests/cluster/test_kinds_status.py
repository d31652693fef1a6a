"""Pods of any status: hypothesis makes them, the API server keeps them, and every cell of its row must be ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dashboard.kinds import KINDS
from tests.unit.kinds.capture import place, remove
from tests.unit.kinds.server import Refused, Server, compare_table
from tests.unit.kinds.shapes import FINALIZER, Object, pod_spec, thing

pytestmark = pytest.mark.cluster

NUMBERS = itertools.count()
GATES = ("example.test/a", "example.test/b")

reasons = st.sampled_from(
    [
        "", "Completed", "Error", "OOMKilled", "CrashLoopBackOff", "PodInitializing", "ContainerCreating",
        "ImagePullBackOff", "ContainerStatusUnknown", "Some Reason",
    ]
)  # fmt: skip
exit_codes = st.sampled_from([0, 0, 1, 2, 137, 255, -1])
signals = st.sampled_from([0, 0, 9, 15])
statuses = st.sampled_from(["True", "False", "Unknown"])


def whole(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@st.composite
def moments(draw: st.DrawFn) -> str:
    """Ages of every form of HumanDuration, the future too."""
    scale = draw(st.sampled_from([1, 60, 3600, 86400, 31536000]))
    ago = draw(st.integers(-5, 200)) * scale + draw(st.integers(0, 59))
    return whole(datetime.now(UTC) - timedelta(seconds=ago))


optional_moments = st.none() | moments()


@st.composite
def terminations(draw: st.DrawFn) -> Object:
    found = {"exitCode": draw(exit_codes), "signal": draw(signals), "reason": draw(reasons)}
    return found | {"startedAt": draw(optional_moments), "finishedAt": draw(optional_moments)}


@st.composite
def states(draw: st.DrawFn) -> Object:
    """One state mostly; none or several at once are kept by the server as well."""
    makers = {
        "waiting": st.fixed_dictionaries({"reason": reasons}),
        "running": st.fixed_dictionaries({"startedAt": optional_moments}),
        "terminated": terminations(),
    }
    names = draw(
        st.sampled_from([*((name,) for name in makers), (), ("running", "terminated"), tuple(makers)])
    )
    return {name: draw(makers[name]) for name in names}


@st.composite
def container_statuses(draw: st.DrawFn, names: list[str]) -> list[Object]:
    """Statuses of some of the containers, in any order, perhaps of one that the spec does not have."""
    chosen = draw(st.permutations(names)) if draw(st.booleans()) else names
    chosen = chosen[: draw(st.integers(0, len(chosen)))]
    if draw(st.integers(0, 9)) == 0:
        chosen = [*chosen, "stranger"]
    return [
        {
            "name": name,
            "image": "example.test/x:1",
            "imageID": "",
            "ready": draw(st.booleans()),
            "started": draw(st.sampled_from([None, True, False])),
            "restartCount": draw(st.integers(0, 3)),
            "state": draw(states()),
            "lastState": {"terminated": draw(terminations())} if draw(st.booleans()) else {},
        }
        for name in chosen
    ]


@st.composite
def conditions(draw: st.DrawFn) -> list[Object]:
    types = draw(st.lists(st.sampled_from(["Initialized", "Ready", "PodScheduled", *GATES]), max_size=6))
    return [
        {
            "type": type_,
            "status": draw(statuses),
            "reason": draw(st.sampled_from(["", "SchedulingGated", "Unschedulable", "PodCompleted"])),
            "lastTransitionTime": draw(optional_moments),
        }
        for type_ in types
    ]


@st.composite
def pods(draw: st.DrawFn) -> Object:
    """A pod on a node that does not exist, gated, or left alone by every scheduler."""
    names = [f"c{number}" for number in range(draw(st.integers(1, 4)))]
    init = [(f"i{number}", draw(st.booleans())) for number in range(draw(st.integers(0, 3)))]
    spec = pod_spec(*names)
    spec["initContainers"] = [
        {"name": name, "image": "example.test/x:1"} | ({"restartPolicy": "Always"} if sidecar else {})
        for name, sidecar in init
    ]
    place_ = draw(st.sampled_from(["node", "gated", "nowhere"]))
    if place_ != "node":
        del spec["nodeName"]
        spec["schedulerName"] = "nobody"
    if place_ == "gated":
        spec["schedulingGates"] = [{"name": "example.test/quota"}]
    spec["readinessGates"] = [
        {"conditionType": gate} for gate in draw(st.lists(st.sampled_from(GATES), max_size=3))
    ]
    meta: dict[str, Any] = {"finalizers": [FINALIZER]} if draw(st.integers(0, 3)) == 0 else {}
    status = {
        "phase": draw(st.sampled_from(["Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"])),
        "reason": draw(st.sampled_from(["", "", "", "", "Evicted", "NodeLost"])),
        "conditions": draw(conditions()),
        "initContainerStatuses": draw(container_statuses([name for name, _ in init])),
        "containerStatuses": draw(container_statuses(names)),
        "podIPs": draw(st.sampled_from([[], [{"ip": "10.0.0.9"}], [{"ip": "10.0.0.9"}, {"ip": "fd00::9"}]])),
        "nominatedNodeName": "" if place_ == "node" else draw(st.sampled_from(["", "elsewhere"])),
    }
    return thing("v1", "Pod", f"p{next(NUMBERS)}", meta=meta, spec=spec, status=status)


@pytest.fixture
def server(kubeconfig: Path) -> Iterator[Server]:
    with Server(kubeconfig) as server:
        yield server


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(pod=pods())
def test_any_pod_status_prints_as_the_server_prints_it(server: Server, namespace: str, pod: Object) -> None:
    kind = KINDS["pods"]
    name = pod["metadata"]["name"]
    try:
        wrong = compare_table(kind, place(server, kind, pod, namespace))
    except Refused as error:
        assume(error.status != 422)
        raise
    finally:
        remove(server, kind, name, namespace)
    assert wrong == []
