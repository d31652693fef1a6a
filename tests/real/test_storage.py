"""What the dashboard says of data, and what becomes of it."""

from __future__ import annotations

from dashboard.insight.durability import durability
from dashboard.queries.volumes import Fill, volume_fills
from sandbox.node.objects import STORAGE_CLASS
from tests.cluster.place import until

from .pods import Pods

CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": STORAGE_CLASS,
    "resources": {"requests": {"storage": "64Mi"}},
}


class Permitted:
    """Somebody who may ask kubelets."""

    def __init__(self, pods: Pods) -> None:
        self._transport = pods.transport

    async def permitted(self, *_: object, **__: object) -> object:
        return self._transport


async def test_data_outlives_its_pod_with_a_claim_and_is_lost_without(pods: Pods) -> None:
    pods.make("/api/v1/namespaces/{ns}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": CLAIM})
    pods.deployment(
        "exec sleep 600",
        volumeMounts=[{"name": "data", "mountPath": "/data"}, {"name": "scratch", "mountPath": "/scratch"}],
        volumes=[
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "emptyDir": {}},
        ],
    )
    first = await pods.only()
    name = first["metadata"]["name"]
    await pods.run(name, "sh", "-c", "for at in /data /scratch /tmp; do echo kept > $at/note; done")
    show = "for at in /data /scratch /tmp; do echo $at $(cat $at/note 2>/dev/null).; done"
    await pods.prints(name, show, "/data kept.\n/scratch kept.\n/tmp kept.")
    pods.api.delete(pods.path("pods", name))
    second = await pods.only(besides=first["metadata"]["uid"])
    await pods.prints(second["metadata"]["name"], show, "/data kept.\n/scratch .\n/tmp .")

    objects = await pods.objects()
    said = durability(objects, "pods", objects.get("pods", pods.namespace, second["metadata"]["name"]))
    assert said is not None
    fates = {each.volume: each.lasting for each in said.keepings if each.volume in ("data", "scratch", "")}
    assert fates == {"data": True, "scratch": False, "": False}


async def test_how_full_a_volume_is(pods: Pods) -> None:
    pods.make("/api/v1/namespaces/{ns}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": CLAIM})
    pods.pod(
        "web",
        "dd if=/dev/zero of=/memory/file bs=1M count=6 2>/dev/null; exec sleep 600",
        volumeMounts=[{"name": "data", "mountPath": "/data"}, {"name": "memory", "mountPath": "/memory"}],
        volumes=[
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        ],
    )
    await pods.ready("web")

    async def told() -> list[Fill] | None:
        fills = await volume_fills(Permitted(pods), ["real"])  # type: ignore[arg-type]
        assert not fills.trouble
        both = [fills.of.get((pods.namespace, "web", volume)) for volume in ("data", "memory")]
        return [one for one in both if one] if all(one and one.used for one in both) else None

    disk, memory = await until(told, 150.0)
    assert 0 < disk.used <= disk.capacity
    assert 0 < disk.share < 1
    assert (memory.used, memory.capacity) == (6 * 2**20, 8 * 2**20)
    assert memory.share == 0.75
