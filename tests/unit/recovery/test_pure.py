"""What is written of an object of a backup: the order, what is taken out, the other namespace, what is a difference."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.errors import BadInput, FieldCause
from dashboard.kinds import KINDS
from dashboard.recovery.choice import Choice, Chosen
from dashboard.recovery.cleaning import LAST_APPLIED, TOKEN, cleaned, given_up, left_out
from dashboard.recovery.comparing import comparable, same, updated
from dashboard.recovery.holding import Held, after_owners
from dashboard.recovery.mapping import mapped, mentions, read_maps
from dashboard.recovery.order import in_order
from dashboard.recovery.readiness import backup_badge
from dashboard.recovery.restoring import Placed, Planned

from .shapes import CLAIM, JOB, NAMESPACE, POD, SERVICE, Body, again, body

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class At:
    group: str
    plural: str
    namespace: str = "shop"
    name: str = "one"


# ---- The order


def test_what_others_need_is_written_first() -> None:
    wanted = [
        At("apiextensions.k8s.io", "customresourcedefinitions", ""),
        At("", "namespaces", ""),
        At("storage.k8s.io", "storageclasses", ""),
        At("", "persistentvolumeclaims"),
        At("", "serviceaccounts"),
        At(RBAC, "roles"),
        At(RBAC, "rolebindings"),
        At("", "secrets"),
        At("", "configmaps"),
        At("", "services"),
        At("", "pods"),
        At("samples.example", "widgets"),
        At("apps", "statefulsets"),
        At("apps", "deployments"),
        At("autoscaling", "horizontalpodautoscalers"),
        At("networking.k8s.io", "ingresses"),
        At("admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
    ]
    for seed in range(20):
        mixed = wanted[:]
        random.Random(seed).shuffle(mixed)
        assert in_order(mixed) == wanted


def test_velero_and_this_order_agree_on_what_velero_says() -> None:
    """Its restore priorities, as far as both know the kinds."""
    velero = [
        ("apiextensions.k8s.io", "customresourcedefinitions"), ("", "namespaces"), ("storage.k8s.io", "storageclasses"),
        ("snapshot.storage.k8s.io", "volumesnapshotclasses"), ("snapshot.storage.k8s.io", "volumesnapshotcontents"),
        ("snapshot.storage.k8s.io", "volumesnapshots"), ("", "persistentvolumes"), ("", "persistentvolumeclaims"),
        ("", "serviceaccounts"), ("", "secrets"), ("", "configmaps"), ("", "pods"), ("apps", "replicasets"),
    ]  # fmt: skip
    assert [(one.group, one.plural) for one in in_order(At(*each) for each in reversed(velero))] == velero


# ---- What is left out


@pytest.mark.parametrize(
    ("group", "plural", "of"),
    [
        ("", "configmaps", body("v1", "ConfigMap", "kube-root-ca.crt")),
        ("", "events", body("v1", "Event", "web.1")),
        ("coordination.k8s.io", "leases", body("coordination.k8s.io/v1", "Lease", "leader")),
        ("apps", "replicasets", body("apps/v1", "ReplicaSet", "web-1", metadata={
            "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}]})),
        ("discovery.k8s.io", "endpointslices", body("discovery.k8s.io/v1", "EndpointSlice", "web-1", metadata={
            "labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}})),
        ("batch", "jobs", JOB | {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
        ("", "pods", POD | {"status": {"phase": "Succeeded"}}),
        ("", "secrets", body("v1", "Secret", "database-backup-0123456789ab", metadata={
            "labels": {"cluster-ui.dev/backup-of": "uid-of-database"}})),
    ],
    ids=["root-ca", "event", "lease", "owned-replicaset", "slice", "finished-job", "finished-pod", "old-value"],
)  # fmt: skip
def test_what_the_cluster_makes_itself_is_left_out(group: str, plural: str, of: Body) -> None:
    assert left_out(group, plural, of)


@pytest.mark.parametrize(
    ("group", "plural", "of"),
    [
        ("", "configmaps", body("v1", "ConfigMap", "settings")),
        ("", "pods", POD),
        ("batch", "jobs", JOB),
        ("", "endpoints", body("v1", "Endpoints", "outside", subsets=[])),
        # What a custom controller made may hold what it can't make again: a key, a certificate.
        ("", "secrets", body("v1", "Secret", "tls", metadata={
            "ownerReferences": [{"kind": "Certificate", "name": "tls", "controller": True}]})),
    ],
    ids=["configmap", "pod", "running-job", "endpoints", "owned-secret"],
)  # fmt: skip
def test_what_nobody_makes_again_is_kept(group: str, plural: str, of: Body) -> None:
    assert left_out(group, plural, of) == ""


# ---- What is taken out of an object


def test_nothing_of_the_old_server_is_written() -> None:
    made = cleaned("", "persistentvolumeclaims", CLAIM)
    assert made == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop", "annotations": {"team": "shop"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    assert CLAIM["spec"]["volumeName"] == "pvc-1", "the object itself stays as it is"


def test_a_job_gets_a_selector_of_its_own() -> None:
    made = cleaned("batch", "jobs", JOB)
    assert "selector" not in made["spec"]
    assert "labels" not in made["spec"]["template"]["metadata"]
    assert made["metadata"]["labels"] == {"app": "load"}
    manual = copy.deepcopy(JOB)
    manual["spec"]["manualSelector"] = True
    assert cleaned("batch", "jobs", manual)["spec"]["selector"] == JOB["spec"]["selector"]


def test_a_pod_goes_to_any_node_and_gets_a_token_of_its_own() -> None:
    made = cleaned("", "pods", POD)
    assert "nodeName" not in made["spec"]
    assert made["spec"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]
    assert made["spec"]["containers"][0]["volumeMounts"] == [{"name": "scratch", "mountPath": "/scratch"}]
    assert made["metadata"]["labels"] == {"app": "alone"}


def test_a_token_is_filled_in_by_the_cluster() -> None:
    notes = {"kubernetes.io/service-account.name": "ci", "kubernetes.io/service-account.uid": "old"}
    token = body(
        "v1", "Secret", "ci-token", type=TOKEN, data={"token": "b2xk"}, metadata={"annotations": notes}
    )
    made = cleaned("", "secrets", token)
    assert "data" not in made
    assert made["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "ci"}
    other = body("v1", "Secret", "password", type="Opaque", data={"password": "eA=="})
    assert cleaned("", "secrets", other)["data"] == {"password": "eA=="}


def applied(of: Body, **changes: Any) -> Body:
    """As ``kubectl apply`` leaves it, by what it was given."""
    noted = {"apiVersion": of["apiVersion"], "kind": of["kind"], "metadata": {"name": of["metadata"]["name"],
             "namespace": "shop"}, "data": {"a": "1", "b": "2"}} | changes  # fmt: skip
    made = copy.deepcopy(of)
    made["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(noted, separators=(",", ":")) + "\n"}
    return made


def test_what_kubectl_apply_noted_stays_so_that_the_next_one_takes_keys_away() -> None:
    settings = applied(body("v1", "ConfigMap", "web", data={"a": "1", "b": "2"}))
    made = mapped("", "configmaps", cleaned("", "configmaps", settings), {})
    assert made["metadata"]["annotations"] == settings["metadata"]["annotations"]
    made = mapped("", "configmaps", cleaned("", "configmaps", settings), {"shop": "copy"})
    noted = json.loads(made["metadata"]["annotations"][LAST_APPLIED])
    assert (noted["metadata"]["namespace"], noted["data"]) == ("copy", {"a": "1", "b": "2"})

    assert same("", "configmaps", settings, again(settings))
    other = applied(settings, data={"a": "1"})
    assert not same("", "configmaps", settings, other), "the next apply would take away another key"
    assert (
        updated("", "configmaps", other, settings)["metadata"]["annotations"]
        == (settings["metadata"]["annotations"])
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "Secret", "metadata": {"name": "web"}, "data": {"p": "canary"}}', "canary", "", "[]",
        '{"kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"p": "canary"}}', '{"kind": "ConfigMap"}',
        '{"kind": "ConfigMap", "metadata": "web"}', "[" * 100_000,
    ],
    ids=["a-secret", "text", "nothing", "a-list", "another-object", "no-name", "no-metadata", "deep"],
)  # fmt: skip
def test_what_is_noted_of_anything_else_is_left_out(text: str) -> None:
    odd = body("v1", "ConfigMap", "web", metadata={"annotations": {LAST_APPLIED: text, "team": "shop"}})
    assert cleaned("", "configmaps", odd)["metadata"]["annotations"] == {"team": "shop"}


def test_a_secret_never_keeps_what_was_applied() -> None:
    secret = applied(body("v1", "Secret", "web", type="Opaque", data={"p": "eA=="}))
    assert "annotations" not in cleaned("", "secrets", secret)["metadata"]


def test_owners_are_named_without_their_uids() -> None:
    owned = body("v1", "ConfigMap", "c", metadata={
        "ownerReferences": [{"apiVersion": "a.example/v1", "kind": "App", "name": "a", "uid": "old"}]})  # fmt: skip
    owners = [{"apiVersion": "a.example/v1", "kind": "App", "name": "a"}]
    assert cleaned("", "configmaps", owned)["metadata"]["ownerReferences"] == owners


def test_a_service_gives_up_the_addresses_that_are_refused_and_keeps_the_others() -> None:
    service = cleaned("", "services", SERVICE)
    service["spec"] |= {"healthCheckNodePort": 30999}
    service["spec"]["ports"].append({"name": "admin", "port": 81, "nodePort": 30081})
    made, notes = given_up(
        service, [FieldCause("spec.ports[1].nodePort", "provided port is already allocated")]
    )
    assert notes == ("Its node port 30081 is in use: a new one is allocated.",)
    assert service["spec"]["ports"][1].pop("nodePort") and made == service, "all else stays"
    made, notes = given_up(
        made, [FieldCause("spec.clusterIPs", "failed to allocate IP 10.0.0.24: not in the valid range")]
    )
    assert notes == ("Its cluster IP 10.0.0.24 is none that this cluster can use: a new one is allocated.",)
    assert {"clusterIP", "clusterIPs"}.isdisjoint(made["spec"])
    made, notes = given_up(
        made, [FieldCause("spec.healthCheckNodePort", "provided port is already allocated.")]
    )
    assert notes == ("Its health check node port 30999 is in use: a new one is allocated.",)
    assert given_up(made, [FieldCause("spec.clusterIPs", ""), FieldCause("spec.ports[0].port", "")]) == (
        made,
        (),
    )


SHAPES: list[tuple[str, str, Body]] = [
    ("", "services", SERVICE),
    ("", "persistentvolumeclaims", CLAIM),
    ("batch", "jobs", JOB),
    ("", "pods", POD),
    ("", "namespaces", NAMESPACE),
]


@pytest.mark.parametrize(("group", "plural", "of"), SHAPES, ids=[each[1] for each in SHAPES])
def test_cleaning_twice_is_cleaning_once(group: str, plural: str, of: Body) -> None:
    once = cleaned(group, plural, of)
    assert cleaned(group, plural, once) == once


# ---- Into another namespace


def test_maps_are_read() -> None:
    assert read_maps(["shop=copy", " a=b ", ""]) == {"shop": "copy", "a": "b"}
    for wrong in (["shop"], ["Shop=x"], ["a=b", "a=c"], ["a=x", "b=x"], ["=x"], ["a="]):
        with pytest.raises(BadInput):
            read_maps(wrong)


def test_references_that_name_the_namespace_for_sure_follow() -> None:
    binding = body(f"{RBAC}/v1", "RoleBinding", "b", subjects=[
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "ServiceAccount", "name": "web", "namespace": "other"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "User", "name": "system:serviceaccount:shop:web"},
        {"kind": "User", "name": "shop"},
    ])  # fmt: skip
    made = mapped(RBAC, "rolebindings", cleaned(RBAC, "rolebindings", binding), {"shop": "copy"})
    assert made["metadata"]["namespace"] == "copy"
    assert [(one["name"], one.get("namespace")) for one in made["subjects"]] == [
        ("web", "copy"), ("web", "other"), ("system:serviceaccounts:copy", None),
        ("system:serviceaccount:copy:web", None), ("shop", None),
    ]  # fmt: skip
    policy = body("networking.k8s.io/v1", "NetworkPolicy", "p", spec={
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}],
    })  # fmt: skip
    made = mapped("networking.k8s.io", "networkpolicies", cleaned("networking.k8s.io", "networkpolicies", policy),
                  {"shop": "copy"})  # fmt: skip
    (peer,) = made["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "copy"}
    assert made["spec"]["podSelector"] == {}


def test_mapping_there_and_back_is_nothing() -> None:
    for group, plural, of in SHAPES:
        once = cleaned(group, plural, of)
        there = mapped(group, plural, copy.deepcopy(once), {"shop": "copy"})
        assert mapped(group, plural, there, {"copy": "shop"}) == once


def test_a_name_in_a_text_is_told_and_not_changed() -> None:
    settings = body(
        "v1", "ConfigMap", "c", data={"url": "http://db.shop.svc:5432", "other": "http://shopping.x.org"}
    )
    assert mentions(settings, {"shop": "copy", "x": "y"}) == ["shop"]
    made = mapped("", "configmaps", cleaned("", "configmaps", settings), {"shop": "copy"})
    assert made["data"] == settings["data"]


# ---- What is a difference


@pytest.mark.parametrize(("group", "plural", "of"), SHAPES, ids=[each[1] for each in SHAPES])
def test_the_same_object_elsewhere_is_no_difference(group: str, plural: str, of: Body) -> None:
    assert same(group, plural, of, again(of))
    assert same(group, plural, cleaned(group, plural, of), of)


def test_addresses_and_volumes_are_no_difference_but_a_selector_of_everything_is() -> None:
    other = again(SERVICE)
    other["spec"] |= {"clusterIP": "10.0.0.99", "clusterIPs": ["10.0.0.99"]}
    other["spec"]["ports"][0]["nodePort"] = 31999
    assert same("", "services", SERVICE, other)
    bound = again(CLAIM)
    bound["spec"]["volumeName"] = "pvc-2"
    assert same("", "persistentvolumeclaims", CLAIM, bound)

    def allowing(peer: Body) -> Body:
        return {"podSelector": {}, "ingress": [{"from": [peer]}]}

    one = allowing({"podSelector": {}})
    everything = allowing({"podSelector": {}, "namespaceSelector": {}})
    policy = body("networking.k8s.io/v1", "NetworkPolicy", "p", spec=one)
    assert not same("networking.k8s.io", "networkpolicies", policy, policy | {"spec": everything})


def test_an_update_brings_what_is_there_to_what_was_and_keeps_what_the_cluster_keeps() -> None:
    live = again(SERVICE, labels={"new": "label"})
    live["spec"]["selector"] = {"app": "other"}
    live["spec"]["clusterIP"] = "10.0.0.99"
    made = updated("", "services", live, SERVICE)
    assert made["spec"]["selector"] == {"app": "web"}
    assert made["spec"]["clusterIP"] == "10.0.0.99"
    assert made["metadata"]["resourceVersion"] == "99" and "labels" not in made["metadata"]
    assert same("", "services", made, SERVICE)


VALUES: list[Any] = [None, 0, 1, "x", "", [], {}, ["a"], [{"name": "a"}], {"k": "v"}, {"k": {"l": 1}}]


def _random(seed: int) -> Body:
    rand = random.Random(seed)

    def value(depth: int) -> Any:
        if depth and rand.random() < 0.6:
            return {rand.choice("abcd"): value(depth - 1) for _ in range(rand.randrange(4))}
        return copy.deepcopy(rand.choice(VALUES))

    return body("a.example/v1", "Widget", "w", spec=value(3), extra=value(2))


def test_whatever_differs_an_update_ends_at_the_backup() -> None:
    for seed in range(300):
        live, wanted = _random(seed), again(_random(seed + 1000))
        made = updated("a.example", "widgets", live, wanted)
        assert comparable("a.example", "widgets", made) == comparable("a.example", "widgets", wanted), seed
        assert made["metadata"]["uid"] == live["metadata"]["uid"]


def test_what_is_owned_is_written_behind_its_owner() -> None:
    def held(group: str, plural: str, kind: str, name: str, *owners: tuple[str, str, str]) -> Held:
        return Held(
            group=group, version="v1", plural=plural, namespace="shop", name=name, kind=kind, skipped="", packed=b"",
            owners=owners,
        )  # fmt: skip

    app = held("a.example", "apps", "App", "web")
    state = held("", "configmaps", "ConfigMap", "state", ("a.example", "App", "web"))
    deep = held("", "secrets", "Secret", "deep", ("", "ConfigMap", "state"))
    other, last = held("", "configmaps", "ConfigMap", "other"), held("apps", "deployments", "Deployment", "d")
    found = after_owners(in_order([deep, state, last, other, app]))
    assert [each.name for each in found] == ["other", "web", "deep", "state", "d"] or [
        each.name for each in found
    ] == ["other", "web", "state", "deep", "d"]
    circle = held("", "configmaps", "ConfigMap", "one", ("", "ConfigMap", "one"))
    assert after_owners([circle]) == [circle]


def test_a_cluster_with_velero_is_not_called_never_backed_up() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    assert backup_badge((), {}, now) == ("warn", "Never backed up")
    assert backup_badge((), {}, now, velero=True) == ("info", "Backups by Velero")


def test_what_is_kept_of_an_object_does_not_tell_whether_a_guess_of_its_values_is_right(
    settings: Any,
) -> None:
    placed = Placed(gvr=KINDS["secrets"].gvr, kind="Secret", namespace="shop", name="pin")
    live = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pin", "uid": "u1"},
        "data": {"pin": "MTIzNA=="},
    }
    plan = Planned(key="secrets/shop/pin", placed=placed, does="update", secret=True, live=live)
    kept = plan.effect
    assert kept == plan.effect
    assert kept != replace(plan, live=live | {"data": {"pin": "NTY3OA=="}}).effect
    settings.SECRET_KEY += "another"
    assert kept != plan.effect


@pytest.mark.parametrize("namespaces", [(), ("shop",)])
def test_what_is_of_the_whole_cluster_is_written_only_where_its_kind_is_named(
    namespaces: tuple[str, ...],
) -> None:
    role, role_binding, web = (
        At(RBAC, "clusterroles", ""),
        At(RBAC, "clusterrolebindings", ""),
        At("apps", "deployments", "shop"),
    )

    def written(*cluster_kinds: str) -> list[At]:
        chosen = Chosen(Choice(namespaces=namespaces, cluster_kinds=cluster_kinds))
        return [
            each
            for each in (role, role_binding, web)
            if chosen.asks_for(each, "", {}) and not chosen.refused(each)
        ]

    assert written() == [web], "the rest is written all the same"
    assert written("clusterroles") == written(f"clusterroles.{RBAC}") == [role, web]
    if not namespaces:
        assert (
            Chosen(Choice()).refused(role)
            == f"It is cluster-scoped: choose clusterroles.{RBAC} to write such objects."
        )
