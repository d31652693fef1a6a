"""The scheduler's rules as told here, compared with the real scheduler on generated cases."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.insight.losing.effects import PLURALS
from dashboard.insight.scheduling.more import more_on_nodes
from dashboard.insight.scheduling.placed import PlacedPods
from dashboard.insight.scheduling.preemption import making_way
from dashboard.insight.scheduling.room import free_on
from dashboard.insight.survey import Survey
from dashboard.kinds import KINDS
from dashboard.kinds.meta import find_condition
from dashboard.kube.transport import Transport
from dashboard.queries.frozen import Frozen
from sandbox import Sandbox
from sandbox.api import Api, ApiError
from tests.nodes import LABEL, make_node

from .place import steady

pytestmark = pytest.mark.cluster

ZONE = "topology.kubernetes.io/zone"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
SOON = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    for key in ("unreachable", "not-ready")
]
CLUSTERS, QUESTIONS, SEED = 40, 10, 2026  # a case is one question about one cluster
ASKED = "asked"


async def listed(transport: Transport, *more: str) -> Frozen:
    """Everything in the cluster, as a page has it."""
    found: dict[str, Any] = {}
    for plural in (*PLURALS, *more):
        kind = KINDS[plural]
        answer = await transport.request("GET", kind.gvr, accept=kind.accept, query=kind.query)
        found[plural] = kind.decode_list(answer.body).items
    return Frozen(Everything(found), found)


class Everything:
    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def all(self, plural: str, namespace: str | None = None) -> Any:
        return self._found[plural]

    def get(self, plural: str, namespace: str, name: str) -> Any:
        return None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return True


@pytest.fixture
def api(cluster: Sandbox) -> Iterator[Api]:
    with steady(cluster) as made:
        yield made


@pytest.fixture
def nodes(api: Api) -> Iterator[list[str]]:
    """Names of nodes, deleted at the end."""
    made: list[str] = []
    yield made
    for name in made:
        try:
            api.delete(f"/api/v1/nodes/{name}")
        except ApiError:
            continue


async def until(met: Any, seconds: float = 240.0, often: float = 1.0) -> Any:
    """What ``met`` gives once that is something."""
    async with asyncio.timeout(seconds):
        while not (found := await met()):  # noqa: ASYNC110 # the API server is asked, there is nothing to wait for
            await asyncio.sleep(often)
        return found


# ---- The scheduler's rules, on generated cases


class Small:
    """A cluster within the cluster: some nodes with pods, and pods that look for a place among them, one at a time."""

    def __init__(self, number: int, dice: random.Random, api: Api, namespace: str, nodes: list[str]) -> None:
        self.number, self.dice, self.api, self.namespace = number, dice, api, namespace
        self.label = f"case-{number}"
        self.names = []
        for _ in range(3):
            name = make_node(api, namespace, taint=self.label)
            nodes.append(name)
            self.names.append(name)
            labels = {
                "case": self.label,
                "zone": f"{self.label}-{dice.choice('ab')}",
                "disk": dice.choice(["ssd", "hdd"]),
                "size": str(dice.randrange(1, 12)),
                ZONE: f"{self.label}-{dice.choice('ab')}",
            }
            taints = [{"key": LABEL, "value": self.label, "effect": "NoSchedule"}]
            if dice.random() < 0.2:
                taints.append({"key": "special", "effect": dice.choice(["NoSchedule", "PreferNoSchedule"])})
            spec = {"taints": taints, "unschedulable": dice.random() < 0.1}
            api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}, "spec": spec})
        self.volumes = self._claim() if dice.random() < 0.3 else {}
        for at in range(dice.randrange(2, 7)):
            mounts = self.volumes if dice.random() < 0.2 else {}
            self._pod(f"{self.label}-{at}", self._placed() | mounts, node=dice.choice(self.names))
        self.wanted = f"{self.label}-wanted"

    def ask(self) -> None:
        """Now that all else is there, a pod for which others may make way; held until all are there."""
        spec = self._looked_at("", "", "case-mid", "case-high", "case-calm")
        self._pod(self.wanted, spec | {"schedulingGates": [{"name": "example.com/hold"}]})

    def question(self, at: int) -> Any:
        """One more pod, for which none makes way."""
        made = self._pod(f"{self.label}-{ASKED}-{at}", self._looked_at("", "case-calm"), kind=ASKED)
        return KINDS["pods"].decode_object(json.dumps(made).encode())

    def _pod(self, name: str, spec: dict[str, Any], node: str = "", kind: str = "") -> dict[str, Any]:
        labels = {"case": self.label, "app": f"{self.label}-{self.dice.choice('xy')}", "kind": kind}
        base = {
            "tolerations": [{"key": LABEL, "value": self.label}], "terminationGracePeriodSeconds": 0, "nodeName": node,
        }  # fmt: skip
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        return self.api.post(path, {"metadata": {"name": name, "labels": labels}, "spec": base | spec})

    def _container(self, most: int) -> dict[str, Any]:
        made: dict[str, Any] = {"name": "app", "image": "app:1"}
        made["resources"] = {
            "requests": {
                "cpu": str(self.dice.randrange(1, most)),
                "memory": f"{self.dice.randrange(1, most)}Gi",
            }
        }
        if self.dice.random() < 0.25:
            ip = self.dice.choice(["", "0.0.0.0", "127.0.0.1", "127.0.0.2"])  # noqa: S104 # a word of the API
            made["ports"] = [{"containerPort": 80, "hostPort": self.dice.choice([8080, 8081]), "hostIP": ip}]
        return made

    def _before_it(self, most: int) -> dict[str, Any]:
        """What starts before the container: init containers, and sidecars, which go on."""
        made = []
        for at in range(self.dice.randrange(3)):
            more = {"restartPolicy": "Always"} if self.dice.random() < 0.5 else {}
            made.append(self._container(most) | {"name": f"init-{at}"} | more)
        return {"initContainers": made} if made and self.dice.random() < 0.4 else {}

    def _claim(self) -> dict[str, Any]:
        """A claim with a volume that is labelled with a zone; now and then one that a single pod may use."""
        mode = self.dice.choice(["ReadWriteMany", "ReadWriteOncePod"])
        name, spec = f"{self.label}-data", {"accessModes": [mode], "storageClassName": ""}
        ref = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": self.namespace, "name": name}
        labels = {ZONE: "__".join(f"{self.label}-{each}" for each in self.dice.choice(["a", "b", "ab"]))}
        csi = {"driver": "disks.example", "volumeHandle": name}
        volume = {"capacity": {"storage": "1Gi"}, "claimRef": ref, "csi": csi, **spec}
        self.api.post(
            "/api/v1/persistentvolumes",
            {"metadata": {"name": f"{self.namespace}-{name}", "labels": labels}, "spec": volume},
        )
        self.api.post(
            f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims",
            {"metadata": {"name": name},
             "spec": spec | {"volumeName": f"{self.namespace}-{name}", "resources": {"requests": {"storage": "1Gi"}}}},
        )  # fmt: skip
        return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}

    def _placed(self) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "containers": [self._container(4)],
            "priorityClassName": self.dice.choice(["", "", "case-mid"]),
        }
        if self.dice.random() < 0.2:
            spec["affinity"] = {"podAntiAffinity": self._term()}
        return spec | self._before_it(4)

    def _looked_at(self, *priorities: str) -> dict[str, Any]:
        dice = self.dice
        spec: dict[str, Any] = {"nodeSelector": {"case": self.label}, "containers": [self._container(8)]}
        spec["priorityClassName"] = dice.choice(priorities)
        if dice.random() < 0.3:
            spec["nodeSelector"]["disk"] = "ssd"
        if dice.random() < 0.3:
            spec["tolerations"] = [
                {"key": LABEL, "value": self.label},
                {"key": "special", "operator": "Exists"},
            ]
        affinity = {}
        if dice.random() < 0.3:
            affinity["podAntiAffinity"] = self._term()
        if dice.random() < 0.2:
            affinity["podAffinity"] = self._term()
        if dice.random() < 0.3:
            spread: dict[str, Any] = {
                "topologyKey": dice.choice(["zone", "kubernetes.io/hostname"]), "maxSkew": dice.choice([1, 2]),
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"case": self.label}},
                "nodeTaintsPolicy": dice.choice(["Honor", "Ignore"]),
                "nodeAffinityPolicy": dice.choice(["Honor", "Ignore"]),
            }  # fmt: skip
            if dice.random() < 0.3:
                spread["minDomains"] = dice.choice([1, 2, 4])
            spec["topologySpreadConstraints"] = [spread]
        if dice.random() < 0.3:
            affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                self._node_term() for _ in range(dice.randrange(1, 3))
            ]}}  # fmt: skip
        return spec | {"affinity": affinity} | self._before_it(8) | self.volumes

    def _node_term(self) -> dict[str, Any]:
        dice, term = self.dice, dict[str, Any]()
        if dice.random() < 0.7:
            size = {"key": "size", "operator": dice.choice(["Gt", "Lt"]), "values": [str(dice.randrange(12))]}
            term["matchExpressions"] = [size]
        if not term or dice.random() < 0.4:
            of = {
                "key": "metadata.name",
                "operator": dice.choice(["In", "NotIn"]),
                "values": [dice.choice(self.names)],
            }
            term["matchFields"] = [of]
        return term

    def _term(self) -> dict[str, Any]:
        labels = {"app": f"{self.label}-{self.dice.choice('xy')}"}
        key = self.dice.choice(["zone", "kubernetes.io/hostname"])
        term: dict[str, Any] = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
        name = "kubernetes.io/metadata.name"
        looks = self.dice.choice(
            [None, None, {}, {"matchLabels": {name: self.namespace}}, {"matchLabels": {name: "x"}}]
        )
        if looks is not None:
            term["namespaceSelector"] = looks
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def as_told(survey: Survey, pod: Any) -> str:
    """Whether the pod fits, on which node pods make way for it and which, or that it waits. Of pods that started in the
    same second and have the same priority the scheduler takes either.
    """
    more = more_on_nodes(survey, pod, 1)
    if more.pods > (more.preempting or 0):
        return "fits"
    nodes, pods = survey.all("nodes"), survey.all("pods")
    way = making_way(survey, pod, nodes, free_on(nodes, pods), PlacedPods(pods))
    assert more.preempting is None or bool(more.preempting) == (way is not None), pod.metadata.name
    if way is None:
        return "waits"
    return " ".join(["preempts", *sorted(map(rank, way.victims))])


def rank(pod: Any) -> str:
    """What the scheduler goes by of a pod that may make way."""
    return f"{pod.spec.node_name}/{pod.spec.priority}/{pod.status.start_time}"


def as_decided(pod: Any) -> str:
    """Whether the scheduler gave a pod a node, or it waits; "" while that is not decided."""
    if pod.spec.node_name:
        return "fits"
    scheduled = find_condition(pod.status.conditions or (), "PodScheduled")
    if scheduled is None or scheduled.reason != "Unschedulable" or pod.status.nominated_node_name:
        return ""
    return "waits"


def as_happened(before: Frozen, after: Frozen, small: Small) -> str:
    """The same of the pod for which others may make way, and which did."""
    victims = sorted(
        rank(each)
        for each in before.all("pods", small.namespace)
        if each.metadata.labels["case"] == small.label
        and (
            (left := after.get("pods", small.namespace, each.metadata.name)) is None
            or left.metadata.deletion_timestamp
        )
    )
    decided = as_decided(after.get("pods", small.namespace, small.wanted))
    return " ".join(["preempts", *victims]) if victims and decided == "fits" else decided


@pytest.fixture
def clusters(api: Api, namespace: str, nodes: list[str]) -> list[Small]:
    for name, value, policy in (("mid", 100, None), ("high", 1000, None), ("calm", 1000, "Never")):
        body = {"metadata": {"name": f"case-{name}"}, "value": value, "globalDefault": False}
        try:
            api.post(
                "/apis/scheduling.k8s.io/v1/priorityclasses",
                body | ({"preemptionPolicy": policy} if policy else {}),
            )
        except ApiError:
            continue  # of a run before
    dice = random.Random(SEED)
    return [Small(number, dice, api, namespace, nodes) for number in range(CLUSTERS)]


async def test_the_real_scheduler_says_the_same_of_generated_cases(
    api: Api, transport: Transport, namespace: str, nodes: list[str], clusters: list[Small]
) -> None:
    async def started() -> bool:
        found = await listed(transport)
        runs = all(pod.status.phase == "Running" for pod in found.all("pods", namespace))
        taints = {
            taint.key
            for node in found.all("nodes")
            if node.metadata.name in nodes
            for taint in node.spec.taints or ()
        }
        return runs and "node.kubernetes.io/not-ready" not in taints

    await until(started)
    for each in clusters:
        each.ask()
    # Held by a gate: what is told rests on what is there before the scheduler looks at any of them.
    before = await listed(transport)
    survey = Survey(before, datetime.now(UTC))
    kind, asked = KINDS["pods"], f"kind={ASKED}"

    async def decided() -> dict[str, str] | None:
        answer = await transport.request("GET", kind.gvr, namespace=namespace, query={"labelSelector": asked})
        found = {each.metadata.name: as_decided(each) for each in kind.decode_list(answer.body).items}
        return found if all(found.values()) else None

    told, happened = dict[str, str](), dict[str, str]()
    # One at a time in each cluster, and gone before the next, without any that makes way: all find what was there before.
    for at in range(QUESTIONS):
        pods = [each.question(at) for each in clusters]
        told |= {pod.metadata.name: as_told(survey, pod) for pod in pods}
        happened |= await until(decided, often=0.1)
        api.delete(f"/api/v1/namespaces/{namespace}/pods?labelSelector={asked}")
    assert len(happened) == CLUSTERS * QUESTIONS
    assert set(happened.values()) == {"fits", "waits"}
    assert told == happened

    told = {each.wanted: as_told(survey, before.get("pods", namespace, each.wanted)) for each in clusters}
    for each in clusters:
        path = f"/api/v1/namespaces/{namespace}/pods/{each.wanted}"
        api.patch(path, {"spec": {"schedulingGates": None}})

    async def all_decided() -> dict[str, str] | None:
        after = await listed(transport)
        found = {each.wanted: as_happened(before, after, each) for each in clusters}
        return found if all(found.values()) else None

    happened = await until(all_decided)
    assert {each.partition(" ")[0] for each in happened.values()} == {"fits", "waits", "preempts"}
    assert told == happened
