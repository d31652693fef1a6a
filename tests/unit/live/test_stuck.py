"""A rollout or scaling whose pods fail needs a person: it is not "Changing" that comes to its end by itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from dashboard.cache.reflector import ReflectorStatus
from dashboard.kinds import KINDS
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.overview import OverviewScreen
from tests.unit.insight.world import deployment, ended, meta, node, pod, replicaset, waiting

from .seen import everything, nothing, sees, session
from .test_unknown import AWAY, cluster


def stateful() -> dict[str, Any]:
    """OrderedReady: the second pod is not created before the first is ready."""
    spec = {
        "replicas": 3,
        "podManagementPolicy": "OrderedReady",
        "template": {"metadata": {"labels": {"app": "web"}}},
    }
    status = {"replicas": 1, "observedGeneration": 1, "readyReplicas": 0}
    return {"metadata": meta("db") | {"generation": 1}, "spec": spec, "status": status}


def daemon() -> dict[str, Any]:
    status = {
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": 1,
        "currentNumberScheduled": 2,
        "observedGeneration": 1,
    }
    return {"metadata": meta("agent") | {"generation": 1}, "spec": {}, "status": status}


STUCK: dict[str, tuple[str, dict[str, Any]]] = {
    "statefulsets": ("StatefulSet", stateful()),
    "deployments": ("Deployment", deployment("web", replicas=3, updated=1, available=2)),
    "daemonsets": ("DaemonSet", daemon()),
    "replicasets": (
        "ReplicaSet",
        {"metadata": meta("alone"), "spec": {"replicas": 3}, "status": {"replicas": 1, "readyReplicas": 0}},
    ),
    # Its pod's container is started again (OnFailure): the Job's own status counts no failed pod.
    "jobs": ("Job", {"metadata": meta("import"), "status": {"active": 1, "failed": 0, "ready": 0}}),
}


def world(plural: str, *, crashing: bool) -> Any:
    found = cluster(live=frozenset(KINDS))
    kind, manifest = STUCK[plural]
    owner = kind, manifest["metadata"]["name"]
    if plural == "deployments":
        found.cache.put("replicasets", replicaset("web-x", "web"))
        owner = "ReplicaSet", "web-x"
    state = (
        {"state": waiting("CrashLoopBackOff"), "last": ended(1), "restarts": 12, "ready": False}
        if crashing
        else {}
    )
    found.cache.put("nodes", node())
    found.cache.put("pods", pod("one", owner=owner, **state))
    found.cache.put(plural, manifest)
    return found


@pytest.mark.parametrize("plural", STUCK)
def test_pods_that_crash_make_a_change_an_issue_everywhere(plural: str) -> None:
    found, seen = world(plural, crashing=True), everything()
    listed = ListScreen(session(found), QueryDict(""), plural)
    sees(listed, seen)
    stuck = next(row for row in listed.listing().rows if row.name == STUCK[plural][1]["metadata"]["name"])
    assert stuck.state in ("bad", "warn")
    assert "crash" in stuck.reason
    frame = ChromeScreen(session(found), QueryDict(""))
    sees(frame, seen)
    item = frame._item(plural)
    assert item["bad"] + item["warn"] == 1
    overview = OverviewScreen(session(found), QueryDict(""))
    sees(overview, seen)
    assert not [one for one in overview._changes() if STUCK[plural][1]["metadata"]["name"] in str(one)]


@pytest.mark.parametrize("plural", STUCK)
def test_a_change_whose_pods_do_well_is_a_change(plural: str) -> None:
    found = world(plural, crashing=False)
    listed = ListScreen(session(found), QueryDict(""), plural)
    sees(listed, everything())
    names = {row.name: row.state for row in listed.listing().rows}
    assert names[STUCK[plural][1]["metadata"]["name"]] == "info"


def test_who_may_not_list_pods_is_told_what_the_workload_tells() -> None:
    found = world("statefulsets", crashing=True)
    listed = ListScreen(session(found), QueryDict(""), "statefulsets")
    sees(listed, everything(pods=nothing("pods")))
    (row,) = listed.listing().rows
    assert (row.state, row.reason) == ("info", "scaling from 1 to 3")


@pytest.mark.parametrize("plural", STUCK)
def test_a_lost_connection_makes_nothing_look_better(plural: str) -> None:
    found = world(plural, crashing=True)
    # All was listed, then the API server went away.
    found.cache.listed = lambda plural: True
    found.cache.status = lambda plural: ReflectorStatus("reconnecting", AWAY.message, AWAY)
    listed = ListScreen(session(found), QueryDict(""), plural)
    sees(listed, everything())
    stuck = next(row for row in listed.listing().rows if row.name == STUCK[plural][1]["metadata"]["name"])
    assert stuck.state in ("bad", "warn")
    overview = OverviewScreen(session(found), QueryDict(""))
    sees(overview, everything())
    overview.trouble = AWAY
    verdict = overview._verdict([], [])
    assert verdict["headline"] == "The cluster does not answer."
    assert verdict["text"] == f"{AWAY.message} What is below is as it was last read."


@pytest.mark.parametrize("counted", [0, 1])
def test_a_job_whose_pod_failed_is_an_issue_while_the_next_one_runs(counted: int) -> None:
    """restartPolicy Never: another pod takes the failed one's place, and the Job's status may not count it yet."""
    found = cluster(live=frozenset(KINDS))
    status = {"active": 1, "failed": counted, "ready": 1}
    found.cache.put("nodes", node())
    found.cache.put("jobs", {"metadata": meta("import"), "spec": {"backoffLimit": 6}, "status": status})
    owner = ("Job", "import")
    found.cache.put("pods", pod("first", owner=owner, phase="Failed", ready=False, state=ended(1)))
    found.cache.put("pods", pod("second", owner=owner))
    listed = ListScreen(session(found), QueryDict(""), "jobs")
    sees(listed, everything())
    (row,) = listed.listing().rows
    assert row.state in ("bad", "warn"), row
    overview = OverviewScreen(session(found), QueryDict(""))
    sees(overview, everything())
    assert not [one for one in overview._changes() if "import" in str(one)]
