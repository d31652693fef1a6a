"""Actions that set and clear one field: how they are followed, and what rules them out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.actions.action import Action
from dashboard.actions.cordon import CORDON, UNCORDON
from dashboard.actions.expand import EXPAND, SIZE
from dashboard.actions.suspend import RESUME_JOBS, SUSPEND
from dashboard.errors import Invalid
from dashboard.models import Change

from ..insight.world import NOW, World, meta, node


def made(action: Action, plural: str, name: str, value: bool, generation: int | None = None) -> Change:
    """A change that set the field to a value, made at NOW."""
    (path,) = action.owns.values()
    return Change(
        action=action.name, plural=plural, namespace="" if plural == "nodes" else "shop", name=name,
        uid=f"{plural}-{name}", touched={path: [not value, value]}, result={"generation": generation}, created_at=NOW,
    )  # fmt: skip


def headline(change: Change, action: Action, manifest: dict[str, Any], seconds: int = 1) -> tuple[str, bool]:
    world = World((change.plural, manifest))
    found = action.follow(change, world, NOW + timedelta(seconds=seconds))
    return found.headline, found.done


def test_a_node_tells_by_its_field_whether_it_is_cordoned() -> None:
    change = made(CORDON, "nodes", "node-1", True)
    assert headline(change, CORDON, node(unschedulable=True)) == ("node-1 is cordoned", True)
    assert headline(change, CORDON, node()) == ("node-1 is about to be cordoned", False), (
        "the watch is behind"
    )
    assert headline(change, CORDON, node(), 60) == ("node-1 was changed again", True)
    change = made(UNCORDON, "nodes", "node-1", False)
    assert headline(change, UNCORDON, node()) == ("node-1 is schedulable", True)


def test_where_there_is_a_generation_it_tells_what_came_later() -> None:
    change = made(SUSPEND, "cronjobs", "nightly", True, generation=4)
    manifest = {"metadata": meta("nightly"), "spec": {"schedule": "0 3 * * *"}}
    manifest["metadata"]["generation"] = 4
    assert headline(change, SUSPEND, manifest, 60) == ("nightly is about to be suspended", False)
    manifest["metadata"]["generation"] = 5
    assert headline(change, SUSPEND, manifest) == ("nightly was changed again", True)


def test_what_is_on_its_way_out_is_not_followed_as_if_it_lived() -> None:
    """A claim waits for the pods that use it, and nobody expands it any more."""
    leaving = {"deletionTimestamp": "2026-03-01T11:59:00Z", "finalizers": ["kubernetes.io/pvc-protection"]}
    change = made(SUSPEND, "cronjobs", "nightly", True, generation=4)
    manifest = {"metadata": meta("nightly") | leaving, "spec": {"schedule": "0 3 * * *"}}
    assert headline(change, SUSPEND, manifest) == ("nightly is being deleted", True)
    change = Change(
        action="expand", plural="persistentvolumeclaims", namespace="shop", name="data", created_at=NOW,
        uid="persistentvolumeclaims-data", touched={SIZE: ["1Gi", "2Gi"]}, result={},
    )  # fmt: skip
    claim = {"metadata": meta("data") | leaving, "status": {"capacity": {"storage": "1Gi"}}}
    assert headline(change, EXPAND, claim) == ("data is being deleted", True)
    assert headline(change, EXPAND, claim | {"metadata": meta("data")}) == ("data is being expanded", False)


@pytest.mark.parametrize(
    ("suspended", "status", "words"),
    [
        (True, {"active": 2}, ("import is being suspended", False)),
        (True, {"conditions": [{"type": "Suspended", "status": "True"}]}, ("import is suspended", True)),
        (
            True,
            {"active": 1, "conditions": [{"type": "Suspended", "status": "True"}]},
            ("import is being suspended", False),
        ),
        (
            False,
            {"conditions": [{"type": "Suspended", "status": "True"}]},
            ("import is being resumed", False),
        ),
        (False, {"active": 1}, ("import is running", True)),
        (False, {"conditions": [{"type": "Complete", "status": "True"}]}, ("import is finished", True)),
    ],
)
def test_a_job_is_followed_until_its_pods_are_gone_or_there(
    suspended: bool, status: dict[str, Any], words: tuple[str, bool]
) -> None:
    action = SUSPEND if suspended else RESUME_JOBS
    change = made(action, "jobs", "import", suspended)
    manifest = {"metadata": meta("import"), "spec": {"suspend": suspended}, "status": status}
    assert headline(change, action, manifest) == words


@pytest.mark.parametrize("word", ["Complete", "Failed"])
def test_a_finished_job_is_not_suspended(word: str) -> None:
    status = {"conditions": [{"type": word, "status": "True"}]}
    manifest = {"metadata": meta("import"), "spec": {}, "status": status}
    job = World().add("jobs", manifest)
    assert not SUSPEND.applies(job)
    with pytest.raises(Invalid, match=f"import is {word.lower()}"):
        SUSPEND.check(manifest, {"suspend": True})
