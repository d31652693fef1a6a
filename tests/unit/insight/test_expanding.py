"""What expanding a claim does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from dashboard.insight.expanding import expand_impact, not_expandable

from .world import NOW, World, pod

STORAGE = "standard.storageclass.storage.k8s.io/requests.storage"


def claim(world: World, name: str = "data", **changed: Any) -> Any:
    manifest = {
        "metadata": {"name": name, "namespace": "shop", "uid": f"u-{name}"},
        "spec": {
            "storageClassName": "standard",
            "volumeName": "v1",
            "resources": {"requests": {"storage": "10Gi"}},
        },
        "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}},
    }
    return world.add("persistentvolumeclaims", manifest | changed)


def storage_class(world: World, *, allows: bool) -> None:
    world.add("storageclasses", {"metadata": {"name": "standard"}, "allowVolumeExpansion": allows})


def quota(world: World, resource: str, hard: str, used: str) -> None:
    status = {"hard": {resource: hard}, "used": {resource: used}}
    world.add(
        "resourcequotas", {"metadata": {"name": "disk", "namespace": "shop"}, "spec": {}, "status": status}
    )


def effects(world: World, found: Any, size: str = "20Gi", now: datetime = NOW) -> list[str]:
    said = expand_impact(world, found, size, now).effects
    return [
        "".join(text for text, *_ in each.text) + (f" ({each.word})" if each.word else "") for each in said
    ]


def test_a_claim_without_a_volume_or_of_a_class_that_forbids_it_is_refused_with_the_way_out() -> None:
    world = World()
    assert not_expandable(world, claim(world)) == ("", ""), "the class can't be read: the API server decides"
    storage_class(world, allows=True)
    assert not_expandable(world, claim(world)) == ("", "")
    why, way_out = not_expandable(world, claim(world, status={"phase": "Pending"}))
    assert "Pending: only a bound claim" in why and way_out
    world = World()
    storage_class(world, allows=False)
    why, way_out = not_expandable(world, claim(world))
    assert why == "StorageClass standard does not allow volume expansion."
    assert "allowVolumeExpansion" in way_out


@pytest.mark.parametrize(
    ("resource", "hard", "used", "said"),
    [
        ("requests.storage", "30Gi", "10Gi", "ResourceQuota disk has 20Gi of requests.storage left"),
        ("requests.storage", "19Gi", "10Gi", "ResourceQuota disk has 9Gi of requests.storage left (refuses)"),
        (STORAGE, "10Gi", "10Gi", f"ResourceQuota disk has 0 of {STORAGE} left (refuses)"),
    ],
)
def test_a_quota_has_room_for_what_is_added_or_refuses_it(
    resource: str, hard: str, used: str, said: str
) -> None:
    world = World()
    quota(world, resource, hard, used)
    assert said in effects(world, claim(world))


def test_pods_that_use_it_keep_running_and_new_replicas_get_the_old_size() -> None:
    world = World()
    user = pod("db-0", owner=None)
    user["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]
    world.add("pods", user)
    template = {"metadata": {"name": "data"}}
    world.add(
        "statefulsets",
        {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"volumeClaimTemplates": [template]}},
    )
    assert effects(world, claim(world, metadata={"name": "data-db-0", "namespace": "shop", "uid": "u"})) == [
        "1 pod keeps running: db-0",
        "New replicas of StatefulSet db still get the old size",
    ]
    assert effects(world, claim(world, "data-dbx-0")) == ["No running pod uses it"]
    assert effects(world, claim(world, "data-db-x")) == ["No running pod uses it"]


def test_that_no_pod_uses_it_is_said_only_where_the_pods_are_known() -> None:
    world = World()
    assert effects(world, claim(world)) == ["Which pods use it is not known"]
    assert effects(world.reading("pods"), claim(world)) == ["No running pod uses it"]
