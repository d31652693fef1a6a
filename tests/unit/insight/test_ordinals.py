"""What scaling a StatefulSet says: which pods go, what becomes of their claims, and who is left to vote."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import Impact, scale_impact
from dashboard.insight.words import text_of

from .world import NOW, World, meta, pod


def world(replicas: int = 3, *more: tuple[str, dict[str, Any]], ready: bool = True, **spec: Any) -> World:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "db:1"}]}}
    manifest = {
        "metadata": meta("db"),
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template} | spec,
    }
    made = World(("statefulsets", manifest), *more)
    first = spec.get("ordinals", {}).get("start", 0)
    for number in range(first, first + replicas):
        made.add(
            "pods", pod(f"db-{number}", owner=("StatefulSet", "db"), labels=labels, ready=ready or number > 0)
        )
    return made


CLAIMED = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
DELETE = CLAIMED | {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"}}


def claim(name: str, volume: str = "") -> tuple[str, dict[str, Any]]:
    return "persistentvolumeclaims", {"metadata": meta(name), "spec": {"volumeName": volume}}


def volume(name: str, policy: str) -> tuple[str, dict[str, Any]]:
    return "persistentvolumes", {
        "metadata": {"name": name},
        "spec": {"persistentVolumeReclaimPolicy": policy},
    }


def impact(found: World, replicas: int) -> Impact:
    return scale_impact(found, found.get("statefulsets", "shop", "db"), replicas, NOW)


def told(found: Impact) -> dict[str, str]:
    return {text_of(effect.text): effect.note for effect in found.effects}


@pytest.mark.parametrize(
    ("spec", "replicas", "note"),
    [
        ({}, 1, "db-2 and db-1, one after the other"),
        ({}, 2, "it is db-2, the highest ordinal"),
        ({"podManagementPolicy": "Parallel"}, 1, "db-2 and db-1, all at once"),
        ({"ordinals": {"start": 5}}, 1, "db-7 and db-6, one after the other"),
    ],
)
def test_the_highest_ordinals_go_first(spec: dict[str, Any], replicas: int, note: str) -> None:
    (said,) = (text for key, text in told(impact(world(**spec), replicas)).items() if "terminated" in key)
    assert said.endswith(f"then it is killed; {note}")


@pytest.mark.parametrize(
    ("spec", "note"),
    [
        ({}, "db-3 and db-4, one after the other, each when the one before is ready"),
        ({"podManagementPolicy": "Parallel", "ordinals": {"start": 1}}, "db-4 and db-5, all at once"),
    ],
)
def test_new_pods_get_the_next_ordinals(spec: dict[str, Any], note: str) -> None:
    assert told(impact(world(**spec), 5))["2 pods start"] == note


def test_claims_are_kept_or_deleted_as_the_retention_policy_says() -> None:
    kept = impact(world(**CLAIMED), 1)
    assert told(kept)["Claims data-db-2 and data-db-1 are kept"].startswith("whenScaled: Retain")
    assert not kept.danger and "ConfigMaps, Secrets and volumes stay as they are" not in told(kept)
    lost = impact(world(**DELETE), 1)
    assert lost.danger and lost.headline is not None and lost.headline.state == "bad"
    assert lost.headline.title == "The claims of 2 pods will be deleted"
    text = told(lost)["Claims data-db-2 and data-db-1 are deleted after the pods"]
    assert text.endswith("the reclaim policy of their volumes decides about the data")
    assert not impact(world(**DELETE), 4).danger


@pytest.mark.parametrize(("policy", "words"), [("Retain", "volumes are kept"), ("Delete", "go with them")])
def test_the_volumes_tell_what_becomes_of_the_data(policy: str, words: str) -> None:
    found = world(3, claim("data-db-2", "pv-1"), volume("pv-1", policy), **DELETE)
    assert words in told(impact(found, 2))["Claim data-db-2 is deleted after the pods"]


def test_a_claim_that_was_kept_comes_back_with_its_data() -> None:
    found = impact(world(3, claim("data-db-3"), **CLAIMED), 5)
    assert "Claim data-db-3 existed before" in told(found)
    assert "existed before" not in str(told(impact(world(**CLAIMED), 5)))


SIZED = [
    {
        "metadata": {"name": "data"},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "fast"},
    },
    {"metadata": {"name": "log"}, "spec": {"resources": {"requests": {"storage": "64Mi"}}}},
]


def test_new_claims_are_told_with_size_and_class_and_that_they_stay() -> None:
    stays = "stays, with its data, when it is scaled down or this is undone"
    found = told(impact(world(3, claim("log-db-3"), volumeClaimTemplates=SIZED), 4))
    assert found["Claim data-db-3 is created"] == f"1Gi, storage class fast; it {stays}"
    assert not any("log-db-3 is created" in text for text in found)
    both = told(impact(world(volumeClaimTemplates=SIZED), 5))  # claims may not be read
    words = both["Claims log-db-3 and log-db-4 are created, unless they exist"]
    assert words.startswith("64Mi each, default storage class; they stay")
    gone = told(impact(world(**DELETE).reading("persistentvolumeclaims"), 4))["Claim data-db-3 is created"]
    assert gone.endswith("deleted again when it is scaled down (whenScaled: Delete)")
    assert not any("created" in text for text in told(impact(world(volumeClaimTemplates=SIZED), 1)))


@pytest.mark.parametrize(
    ("current", "replicas", "title"),
    [
        (5, 2, "2 of 5 members left: no quorum"),
        (5, 3, "3 of 5 members left: quorum"),
        (2, 1, "1 of 2 members left: no quorum"),
        (3, 4, "An even number of members"),
        (3, 5, None),
        (3, 0, None),
    ],
)
def test_a_quorum_counts_all_that_were_members(current: int, replicas: int, title: str | None) -> None:
    assert [notice.title for notice in impact(world(current), replicas).notices] == ([title] if title else [])


def test_in_order_a_pod_that_is_not_ready_holds_the_others_up() -> None:
    titles = [notice.title for notice in impact(world(ready=False), 2).notices]
    assert titles[0] == "db-0 is not ready: scaling waits"
    parallel = impact(world(ready=False, podManagementPolicy="Parallel"), 2)
    assert "waits" not in str(parallel.notices)
    # One that goes is not waited for.
    assert "waits" not in str(impact(world(1, ready=False), 0).notices)
