"""Relations of generated objects against a brute-force search over their raw JSON, and the index against its changes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.insight.relations import Relations, uses
from dashboard.insight.usedby import Users, ref_of, used_by
from dashboard.kinds import KINDS
from tests.brute import Raw, edges, identity

from .world import World

NAMES = st.sampled_from(["a", "b", "c"])
CLAIMS = st.sampled_from(["a-b-0", "b-a-12", "a-a-x", "a-0"])  # some are those of a StatefulSet
SPACES = st.sampled_from(["one", "two"])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]), max_size=2)
named = st.fixed_dictionaries({"name": NAMES})


def some(strategy: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=most)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Raw]:
    return st.fixed_dictionaries({}, optional=fields)


key_of = st.fixed_dictionaries({"name": NAMES, "key": NAMES})
mounts = st.fixed_dictionaries(
    {"name": NAMES, "mountPath": st.just("/x")}, optional={"subPath": NAMES, "subPathExpr": st.just("$(P)")}
)
containers = st.fixed_dictionaries(
    {"name": st.just("c")},
    optional={
        "env": some(
            st.fixed_dictionaries(
                {"name": st.just("E")},
                optional={"valueFrom": optional(configMapKeyRef=key_of, secretKeyRef=key_of), "value": NAMES},
            )
        ),
        "envFrom": some(optional(configMapRef=named, secretRef=named)),
        "volumeMounts": some(mounts, 3),
    },
)
sources = optional(configMap=named, secret=named)
kinds_of_volume = st.one_of(
    optional(configMap=named),
    optional(secret=st.fixed_dictionaries({"secretName": NAMES})),
    optional(projected=st.fixed_dictionaries({"sources": some(sources)})),
    optional(csi=st.fixed_dictionaries({"driver": NAMES, "nodePublishSecretRef": named})),
    optional(persistentVolumeClaim=st.fixed_dictionaries({"claimName": NAMES})),
    optional(ephemeral=st.just({"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}})),
    optional(azureFile=st.fixed_dictionaries({"secretName": NAMES})),
    *(
        optional(**{type_: st.fixed_dictionaries({"secretRef": named})})
        for type_ in ("cephfs", "cinder", "rbd", "iscsi", "flexVolume", "scaleIO", "storageos")
    ),
)
volumes = st.builds(lambda name, what: {"name": name, **what}, NAMES, kinds_of_volume)
pod_specs = optional(
    containers=some(containers),
    initContainers=some(containers, 1),
    ephemeralContainers=some(containers, 1),
    volumes=st.lists(volumes, max_size=3, unique_by=lambda volume: volume["name"]),
    imagePullSecrets=some(named),
    serviceAccountName=NAMES,
    priorityClassName=NAMES,
    nodeName=NAMES,
)
expressions = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["app", "tier"]),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries({"key": st.just("app"), "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
selectors = st.none() | optional(matchLabels=LABELS, matchExpressions=some(expressions))
backends = optional(
    service=st.fixed_dictionaries({"name": NAMES, "port": st.just({"number": 80})}),
)
paths = st.fixed_dictionaries({"path": st.just("/"), "backend": backends})
secret_refs = st.fixed_dictionaries({"name": NAMES, "namespace": SPACES})
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
APIS = {
    "apps/v1": WORKLOADS[:4],
    "batch/v1": ("Job", "CronJob"),
    "argoproj.io/v1": ("Deployment",),
    "": ("Job",),
}
targets = st.sampled_from([(api, kind) for api, kinds in APIS.items() for kind in kinds]).flatmap(
    lambda of: st.fixed_dictionaries({"apiVersion": st.just(of[0]), "kind": st.just(of[1]), "name": NAMES})
)
templates = st.builds(lambda spec: {"template": {"spec": spec}}, pod_specs)
claim_templates = st.builds(lambda meta: {"metadata": meta, "spec": {}}, named)
claim_sources = st.fixed_dictionaries(
    {"kind": st.just("PersistentVolumeClaim"), "name": NAMES},
    optional={"apiGroup": st.sampled_from(["", "clones.example.com"]), "namespace": SPACES},
)
SPECS: dict[str, st.SearchStrategy[Raw]] = {
    "Pod": pod_specs,
    **dict.fromkeys(WORKLOADS, templates),
    "StatefulSet": st.builds(
        lambda spec, more: {**spec, **more},
        templates,
        optional(serviceName=NAMES, volumeClaimTemplates=some(claim_templates)),
    ),
    "CronJob": st.builds(lambda spec: {"jobTemplate": {"spec": spec}}, templates),
    "Service": optional(selector=LABELS, type=st.sampled_from(["ClusterIP", "ExternalName"])),
    "PodDisruptionBudget": optional(selector=selectors),
    "HorizontalPodAutoscaler": st.fixed_dictionaries({"scaleTargetRef": targets}),
    "Ingress": optional(
        defaultBackend=backends,
        rules=some(st.fixed_dictionaries({"http": st.fixed_dictionaries({"paths": some(paths)})})),
        tls=some(optional(secretName=NAMES)),
        ingressClassName=NAMES,
    ),
    "PersistentVolumeClaim": optional(
        volumeName=NAMES, storageClassName=NAMES, dataSource=claim_sources, dataSourceRef=claim_sources
    ),
    "PersistentVolume": optional(
        claimRef=secret_refs,
        storageClassName=NAMES,
        csi=st.builds(
            lambda refs: {"driver": "d", **refs},
            optional(nodeStageSecretRef=secret_refs, controllerPublishSecretRef=secret_refs),
        ),
        nodeAffinity=st.just(
            {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}]}}
        ),
    ),
    "NetworkPolicy": optional(podSelector=selectors.filter(lambda selector: selector is not None)),
}  # fmt: skip
ENDPOINTS = some(optional(targetRef=st.fixed_dictionaries({"kind": st.just("Pod"), "name": NAMES})))
subjects = st.fixed_dictionaries(
    {"kind": st.sampled_from(["ServiceAccount", "User"]), "name": NAMES}, optional={"namespace": SPACES}
)
roles = st.fixed_dictionaries({"kind": st.sampled_from(["Role", "ClusterRole"]), "name": NAMES})
bindings = st.fixed_dictionaries({"roleRef": roles, "subjects": some(subjects)})
TOPS: dict[str, st.SearchStrategy[Raw]] = {
    "EndpointSlice": st.builds(lambda found: {"addressType": "IPv4", "endpoints": found}, ENDPOINTS),
    "ServiceAccount": optional(secrets=some(named), imagePullSecrets=some(named)),
    "RoleBinding": bindings,
    "ClusterRoleBinding": bindings,
}
PLURALS = {kind.kind: kind.plural for kind in KINDS.values()}
MADE = [kind for kind in (*SPECS, *TOPS, "ConfigMap", "Node") if kind in PLURALS]
owners = st.builds(
    lambda kind, name: {"apiVersion": "batch/v1" if kind in ("Job", "CronJob") else "apps/v1", "kind": kind,
                        "name": name, "uid": f"{kind}-{name}", "controller": True},
    st.sampled_from(["Deployment", "ReplicaSet", "CronJob", "Job"]), NAMES,
)  # fmt: skip


@st.composite
def manifests(draw: st.DrawFn) -> Raw:
    kind = draw(st.sampled_from(MADE))
    names = NAMES | CLAIMS if kind == "PersistentVolumeClaim" else NAMES
    meta: Raw = {"name": draw(names), "labels": draw(LABELS)}
    if KINDS[PLURALS[kind]].gvr.namespaced:
        meta["namespace"] = draw(SPACES)
        meta["ownerReferences"] = draw(some(owners, 1))
    if kind == "EndpointSlice":
        meta["labels"] = {**meta["labels"], "kubernetes.io/service-name": draw(NAMES)}
    if kind == "Ingress" and draw(st.booleans()):
        meta["annotations"] = {"kubernetes.io/ingress.class": draw(NAMES)}
        return {"kind": kind, "metadata": meta, "spec": {}}
    body = {"spec": draw(SPECS[kind])} if kind in SPECS else draw(TOPS[kind]) if kind in TOPS else {}
    return {"kind": kind, "metadata": meta, **body}


def told(relations: Relations) -> set[tuple[tuple[str, str, str], str]]:
    return {((ref.kind, ref.namespace, ref.name), how) for ref, ways in relations.items() for how in ways}


def put(world: World, raw: Raw) -> Any:
    return world.add(PLURALS[raw["kind"]], raw)


@settings(max_examples=80, deadline=None)
@given(st.lists(manifests(), max_size=10, unique_by=identity))
def test_relations_are_those_of_a_brute_force_search(raws: list[Raw]) -> None:
    world = World()
    objects = [put(world, raw) for raw in raws]
    expected, users = edges(raws), Users.among(world)
    for raw, obj in zip(raws, objects, strict=True):
        plural, me = PLURALS[raw["kind"]], identity(raw)
        # A custom kind of a name that we know is another thing: it has no page here.
        known = {
            ref: ways
            for ref, ways in uses(world, plural, obj).items()
            if ref.plural or ref.kind not in PLURALS
        }
        assert told(known) == {(target, how) for source, target, how in expected if source == me}
        assert told(used_by(world, users, plural, obj)) == {
            (source, how) for source, target, how in expected if target == me
        }


@settings(max_examples=60, deadline=None)
@given(st.lists(manifests(), max_size=8), st.lists(st.integers(0, 20), max_size=6))
def test_the_index_says_after_any_changes_what_a_new_one_would(raws: list[Raw], gone: list[int]) -> None:
    world, users, ever = World(), Users(), set()
    # Each comes, changes into what another of its kind is, and perhaps goes.
    for raw in [*raws, *(twin for one in raws for twin in raws if twin["kind"] == one["kind"])]:
        plural, meta = PLURALS[raw["kind"]], raw["metadata"]
        old = world.get(plural, meta.get("namespace", ""), meta["name"])
        new = put(world, raw)
        users.change(plural, old, new)
        ever |= {ref_of(plural, new), *uses(world, plural, new)}
    for at in gone:
        if at < len(raws):
            plural, meta = PLURALS[raws[at]["kind"]], raws[at]["metadata"]
            old = world.get(plural, meta.get("namespace", ""), meta["name"])
            world.remove(plural, meta.get("namespace", ""), meta["name"])
            users.change(plural, old, None)
    anew = Users.among(world)
    assert {ref: users.of(ref) for ref in ever} == {ref: anew.of(ref) for ref in ever}
