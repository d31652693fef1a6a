"""What becomes of data: each kind of volume, each event."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.durability import Keeping, durability

from .world import World, meta

CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}


def pod(world: World, *volumes: dict[str, Any], plural: str = "pods", **spec: Any) -> Any:
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    pod_spec = {"containers": [{"name": "main", "volumeMounts": mounts}], "volumes": list(volumes), **spec}
    if plural == "pods":
        return world.add("pods", {"metadata": meta("web"), "spec": pod_spec})
    return world.add(plural, {"metadata": meta("web"), "spec": {"template": {"spec": pod_spec}}})


def fates(keeping: Keeping) -> str:
    return " ".join(answer.fate for answer in keeping.answers)


def only_volume(world: World, source: dict[str, Any], plural: str = "pods") -> Keeping:
    found = durability(world, plural, pod(world, {"name": "v"} | source, plural=plural))
    assert found is not None
    own, volume = found.keepings
    assert fates(own) == "lost lost lost none"
    return volume


def test_files_of_containers_without_volumes_are_not_told_from_volumes() -> None:
    world = World()
    alone = durability(world, "pods", pod(world))
    assert alone is not None and "below" not in alone.keepings[0].what
    assert alone.keepings[0].what == "everything that they write: they mount no volume"


@pytest.mark.parametrize(
    ("source", "expected", "place"),
    [
        ({"emptyDir": {}}, "kept lost lost none", "local"),
        ({"emptyDir": {"medium": "Memory"}}, "kept lost lost none", "memory"),
        ({"hostPath": {"path": "/var/lib/x"}}, "kept bound lost none", "local"),
        ({"configMap": {"name": "c"}}, "made made made none", "cluster"),
        ({"secret": {"secretName": "s"}}, "made made made none", "cluster"),
        ({"projected": {"sources": []}}, "made made made none", "cluster"),
        ({"downwardAPI": {"items": []}}, "made made made none", "cluster"),
        ({"image": {"reference": "x"}}, "made made made none", "cluster"),
        ({"nfs": {"server": "n", "path": "/"}}, "kept kept kept none", "remote"),
        ({"awsElasticBlockStore": {"volumeID": "v"}}, "kept kept kept none", "remote"),
        ({"csi": {"driver": "inline.example"}}, "kept lost lost none", "unknown"),
        ({"ephemeral": {"volumeClaimTemplate": {}}}, "kept lost lost bound", "unknown"),
    ],
)
def test_each_type_of_volume(source: dict[str, Any], expected: str, place: str) -> None:
    keeping = only_volume(World(), source)
    assert (fates(keeping), keeping.place) == (expected, place)
    assert keeping.mounts == ("/v",)


def test_a_daemonsets_pod_finds_its_nodes_folder_again() -> None:
    keeping = only_volume(World(), {"hostPath": {"path": "/x"}}, plural="daemonsets")
    assert fates(keeping) == "kept kept lost none"


def claimed(volume: dict[str, Any] | None = None, policy: str = "Delete", **claim: Any) -> World:
    world = World()
    spec = {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "fast"} | claim
    if volume is not None:
        spec["volumeName"] = "pv-1"
        pv = {"metadata": {"name": "pv-1"}, "spec": {"persistentVolumeReclaimPolicy": policy} | volume}
        world.add("persistentvolumes", pv)
    world.add("persistentvolumeclaims", {"metadata": meta("data"), "spec": spec})
    return world


def on(key: str, *values: str) -> dict[str, Any]:
    expression = {"key": key, "operator": "In", "values": list(values)}
    return {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}


CSI = {"csi": {"driver": "disk.example"}}


@pytest.mark.parametrize(
    ("volume", "policy", "expected", "place"),
    [
        (CSI, "Delete", "kept kept kept lost", "remote"),
        (CSI, "Retain", "kept kept kept kept", "remote"),
        (CSI | on("topology.kubernetes.io/zone", "a"), "Delete", "kept kept kept lost", "remote"),
        (CSI | on("kubernetes.io/hostname", "worker-a1"), "Delete", "kept bound lost lost", "local"),
        (CSI | on("topology.hostpath.csi/node", "worker-a1"), "Delete", "kept bound lost lost", "local"),
        ({"local": {"path": "/mnt"}} | on("kubernetes.io/hostname", "w"), "Retain", "kept bound lost kept", "local"),
        ({"hostPath": {"path": "/mnt"}}, "Retain", "kept bound lost kept", "local"),
        ({"nfs": {"server": "n", "path": "/"}}, "Retain", "kept kept kept kept", "remote"),
    ],
)  # fmt: skip
def test_each_place_behind_a_claim(volume: dict[str, Any], policy: str, expected: str, place: str) -> None:
    keeping = only_volume(claimed(volume, policy), CLAIM)
    assert (fates(keeping), keeping.place) == (expected, place)
    assert keeping.ref is not None and keeping.ref.kind == "PersistentVolumeClaim"


def test_the_nodes_and_zones_that_reach_a_volume_are_named() -> None:
    local = only_volume(claimed(CSI | on("kubernetes.io/hostname", "worker-a1")), CLAIM)
    assert "worker-a1" in local.where and "only on worker-a1" in local.answers[1].words
    zone = only_volume(claimed(CSI | on("topology.kubernetes.io/zone", "eu-1a")), CLAIM)
    assert "zone eu-1a" in zone.where and "zone eu-1a" in zone.answers[2].words


def test_before_there_is_a_volume_the_storage_class_tells_the_policy() -> None:
    world = claimed()
    assert fates(only_volume(world, CLAIM)) == "kept kept bound bound"
    world.add("storageclasses", {"metadata": {"name": "fast"}, "reclaimPolicy": "Retain"})
    assert fates(only_volume(world, CLAIM)) == "kept kept bound kept"


def test_an_unknown_policy_is_said_to_be_unknown() -> None:
    world = claimed()
    found = durability(world, "persistentvolumeclaims", world.get("persistentvolumeclaims", "shop", "data"))
    assert found is not None
    assert found.sentence.endswith("what deleting the claim does depends on its volume's reclaim policy.")


def test_a_folder_of_some_node_ties_the_pod_to_none() -> None:
    keeping = only_volume(claimed({"hostPath": {"path": "/mnt"}}), CLAIM)
    assert "nothing binds it there" in keeping.answers[1].words
    assert "cannot start" not in keeping.answers[2].words


def test_a_claim_that_may_not_be_seen_makes_no_promise() -> None:
    keeping = only_volume(World(), CLAIM)
    assert keeping.where == "whether it has a volume is not known" and keeping.answers[3].fate == "bound"
    assert only_volume(World().reading("persistentvolumeclaims"), CLAIM).where == "no volume yet"


def test_a_volume_that_is_not_read_is_not_called_missing() -> None:
    manifest = {"metadata": meta("data"), "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
    world = World(("persistentvolumeclaims", manifest))
    assert only_volume(world, CLAIM).where == "on volume pv, of which nothing is known here"
    world.reading("persistentvolumes")
    assert only_volume(world, CLAIM).where == "on volume pv, which is not there"


def stateful(world: World, **retention: str) -> Keeping:
    spec = {
        "template": {"spec": {"containers": [{"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "persistentVolumeClaimRetentionPolicy": retention or None,
    }  # fmt: skip
    sts = world.add("statefulsets", {"metadata": meta("db"), "spec": {k: v for k, v in spec.items() if v}})
    found = durability(world, "statefulsets", sts)
    assert found is not None
    assert found.sentence == "Data in /d outlives the pod. Everything else is lost with it."
    return found.keepings[1]


def test_a_statefulsets_pod_gets_its_claim_again_and_its_end_is_told() -> None:
    kept = stateful(World())
    assert kept.answers[1].fate == "kept" and "same claim" in kept.answers[1].words
    assert (
        "Scaling down keeps the claims, deleting the StatefulSet keeps the claims." in kept.answers[3].words
    )
    gone = stateful(World(), whenScaled="Delete", whenDeleted="Retain")
    assert "Scaling down deletes the claims, deleting the StatefulSet keeps" in gone.answers[3].words


def test_a_statefulsets_pod_on_a_local_volume_comes_back_only_there() -> None:
    world = claimed({"local": {"path": "/mnt"}} | on("kubernetes.io/hostname", "worker-a1"))
    world.add("persistentvolumeclaims", {"metadata": meta("data-db-0"), "spec": {"volumeName": "pv-1"}})
    reborn = stateful(world).answers[1]
    assert reborn.fate == "bound"
    assert (
        reborn.words
        == "The pod of the same number gets the same claim. The new pod can run only on worker-a1."
    )


def test_a_volume_for_many_nodes_need_not_be_attached_anew() -> None:
    many = only_volume(claimed({"nfs": {"server": "n"}, "accessModes": ["ReadWriteMany"]}), CLAIM)
    assert many.answers[2].words == "Pods on other nodes go on using it."
    one = only_volume(claimed({"nfs": {"server": "n"}, "accessModes": ["ReadWriteOnce"]}), CLAIM)
    assert "attaches it on another node" in one.answers[2].words


def test_only_of_an_empty_dir_it_is_said_that_it_begins_empty() -> None:
    assert "an empty one" in only_volume(World(), {"emptyDir": {}}).answers[1].words
    secrets = only_volume(World(), {"csi": {"driver": "secrets-store.csi.k8s.io"}})
    assert "empty" not in secrets.answers[1].words
    assert "emptyDir" not in only_volume(World(), {"somethingNew": {}}).what


def test_whether_the_data_of_a_workloads_own_claims_outlives_them_depends_on_their_class() -> None:
    source = {"ephemeral": {"volumeClaimTemplate": {}}}
    assert fates(only_volume(World(), source, plural="deployments")) == "kept lost lost bound"


def test_a_debugging_container_sees_the_volume_too() -> None:
    world = World()
    debug = {"name": "debug", "volumeMounts": [{"name": "v", "mountPath": "/seen"}]}
    found = durability(world, "pods", pod(world, {"name": "v", "emptyDir": {}}, ephemeralContainers=[debug]))
    assert found is not None and found.keepings[1].mounts == ("/v", "/seen")


def test_a_workload_without_lasting_volumes_says_that_it_keeps_nothing() -> None:
    world = World()
    found = durability(
        world, "deployments", pod(world, {"name": "tmp", "emptyDir": {}}, plural="deployments")
    )
    assert found is not None and found.sentence.startswith("It keeps no data")


def test_a_claim_and_its_volume_say_the_same() -> None:
    world = claimed(CSI)
    claim = world.get("persistentvolumeclaims", "shop", "data")
    volume = world.get("persistentvolumes", "", "pv-1")
    of_claim = durability(world, "persistentvolumeclaims", claim)
    assert of_claim is not None and "deleting the claim deletes the data" in of_claim.sentence
    assert durability(world, "persistentvolumes", volume) is None  # no claim has it
    bound = World(
        ("persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": CSI | {
            "persistentVolumeReclaimPolicy": "Delete", "claimRef": {"namespace": "shop", "name": "data"}}}),
    )  # fmt: skip
    of_volume = durability(bound, "persistentvolumes", bound.get("persistentvolumes", "", "pv-1"))
    assert of_volume is not None and fates(of_volume.keepings[0]) == fates(of_claim.keepings[0])


def test_a_volume_whose_claim_is_gone_says_what_becomes_of_what_is_left() -> None:
    spec = {"hostPath": {"path": "/mnt"}, "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "shop", "name": "data"}}  # fmt: skip
    volume = {"metadata": {"name": "pv-1"}, "spec": spec, "status": {"phase": "Released"}}
    world = World(("persistentvolumes", volume))
    found = durability(world, "persistentvolumes", world.get("persistentvolumes", "", "pv-1"))
    assert found is not None and found.sentence.startswith("Its claim was deleted. The data stays")
    assert fates(found.keepings[0]) == "none none lost none"
    assert found.keepings[0].claim == ""


def test_what_has_no_data_has_no_such_card() -> None:
    world = World()
    config = world.add("configmaps", {"metadata": meta("c")})
    assert durability(world, "configmaps", config) is None
