"""Who may do what, out of the objects of RBAC. A real API server judges the same in tests/cluster/test_authority.py."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dashboard.insight.authority import Answer, Ask, Authority, account_groups, account_name
from dashboard.kinds import KINDS

RBAC = "rbac.authorization.k8s.io"
RESTART = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
PATCH = Ask("patch", "deployments", "apps", namespace="shop", name="web")


def made(plural: str, name: str, namespace: str = "", **fields: Any) -> Any:
    meta = {"name": name, "namespace": namespace, "labels": fields.pop("labels", {})}
    return KINDS[plural].decode_object(msgspec.json.encode({"metadata": meta, **fields}))


def role(name: str, *rules: dict[str, Any], namespace: str = "", **fields: Any) -> Any:
    return made("roles" if namespace else "clusterroles", name, namespace, rules=list(rules), **fields)


def binding(name: str, ref: str, *subjects: str, namespace: str = "") -> Any:
    """``ref`` is ``Role/x``; subjects are ``User jane``, ``Group ops``, ``ServiceAccount shop/robot``."""
    kind, of = ref.split("/")
    who = []
    for text in subjects:
        what, _, called = text.partition(" ")
        home, _, own = called.rpartition("/")
        account = what == "ServiceAccount"
        who.append(
            {"kind": what, "name": own if account else called} | ({"namespace": home} if account and home else {})
        )  # fmt: skip
    plural = "rolebindings" if namespace else "clusterrolebindings"
    to = {"apiGroup": RBAC, "kind": kind, "name": of}
    return made(plural, name, namespace, roleRef=to, subjects=who)


def authority(*objects: Any) -> Authority:
    kinds: dict[str, list[Any]] = {
        "roles": [],
        "clusterroles": [],
        "rolebindings": [],
        "clusterrolebindings": [],
    }
    for each in objects:
        plural = type(each).__name__.lower() + "s"
        if plural == "bindings":
            plural = "rolebindings" if each.metadata.namespace else "clusterrolebindings"
        kinds[plural].append(each)
    return Authority(**kinds)


def who(answer: Answer) -> list[str]:
    return [
        f"{one.subject.kind} {one.subject.namespace}{'/' * bool(one.subject.namespace)}{one.subject.name}"
        for one in answer.whole
    ]


def test_everybody_who_may_is_named_with_binding_and_role() -> None:
    found = authority(
        role("operator", RESTART),
        role("local", RESTART, namespace="shop"),
        role("reader", RESTART | {"verbs": ["get"]}),
        binding("ops", "ClusterRole/operator", "Group ops", "User jane", namespace="shop"),
        binding("robots", "Role/local", "ServiceAccount ci/robot", "ServiceAccount own", namespace="shop"),
        binding("elsewhere", "ClusterRole/operator", "User joe", namespace="other"),
        binding("all", "ClusterRole/operator", "User root"),
        binding("readers", "ClusterRole/reader", "User rita"),
        binding("lost", "ClusterRole/gone", "User lost"),
    ).who_can(PATCH)
    assert who(found) == [
        "User jane", "User root", "Group ops", "ServiceAccount ci/robot", "ServiceAccount shop/own",
    ]  # fmt: skip
    jane = found.whole[0]
    assert (jane.binding.name, jane.role.kind, jane.role.name, jane.where) == (
        "ops", "ClusterRole", "operator", "shop",
    )  # fmt: skip
    assert found.bindings == 5 and not found.part


@pytest.mark.parametrize(
    ("rule", "ask", "may"),
    [
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, PATCH, True),
        ({"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}, PATCH, False),
        (RESTART | {"resourceNames": ["web"]}, PATCH, True),
        (RESTART | {"resourceNames": ["db"]}, PATCH, False),
        ({"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["patch"]}, PATCH, False),
        (
            {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["patch"]},
            Ask("patch", "deployments", "apps", subresource="scale"),
            True,
        ),
        (RESTART, Ask("patch", "deployments", "apps", subresource="scale"), False),
        (
            {"apiGroups": [""], "resources": ["pods/*"], "verbs": ["*"]},
            Ask("create", "pods", subresource="exec"),
            False,
        ),
        (
            {"apiGroups": [""], "resources": ["*"], "verbs": ["*"]},
            Ask("create", "pods", subresource="exec"),
            True,
        ),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, Ask("get", url="/metrics"), True),
        ({"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}, Ask("get", url="/apis/apps"), True),
        ({"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}, Ask("get", url="/apis"), False),
        ({"nonResourceURLs": ["*"], "verbs": ["get"]}, Ask("get", url="/x"), True),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, Ask("get", url="/metrics"), False),
    ],
)
def test_a_rule_is_read_as_the_authorizer_reads_it(rule: dict[str, Any], ask: Ask, may: bool) -> None:
    found = authority(role("r", rule), binding("b", "ClusterRole/r", "User jane"))
    assert bool(found.who_can(ask).whole) is may
    assert found.may("jane", (), ask) is may


def test_what_is_only_for_some_names_or_some_namespaces_stands_apart() -> None:
    found = authority(
        role("r", RESTART | {"resourceNames": ["web", "db"]}),
        role("s", RESTART),
        binding("named", "ClusterRole/r", "User jane"),
        binding("local", "ClusterRole/s", "User joe", namespace="shop"),
    )
    everywhere = found.who_can(Ask("patch", "deployments", "apps", somewhere=True))
    assert not everywhere.whole
    assert [(one.subject.name, one.where, one.names) for one in everywhere.part] == [
        ("jane", "", ("web", "db")),
        ("joe", "shop", ()),
    ]
    assert not found.who_can(Ask("patch", "deployments", "apps")).part[1:]


def test_nobody_creates_by_a_rule_for_names() -> None:
    found = authority(
        role("r", RESTART | {"verbs": ["create"], "resourceNames": ["web"]}),
        binding("b", "ClusterRole/r", "User jane"),
    ).who_can(Ask("create", "deployments", "apps", namespace="shop"))
    assert not found.whole and not found.part


def test_an_aggregated_role_names_those_it_is_gathered_from() -> None:
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"to": "edit"}}]}
    (found,) = (
        authority(
            role("edit", RESTART, aggregationRule=gathers),
            role("restarts", RESTART, labels={"to": "edit"}),
            role("reads", RESTART | {"verbs": ["list"]}, labels={"to": "edit"}),
            binding("b", "ClusterRole/edit", "User jane"),
        )
        .who_can(PATCH)
        .whole
    )
    assert found.gathered == ("restarts",)


def test_what_an_account_may_comes_by_its_name_and_its_groups() -> None:
    found = authority(
        role("a", RESTART),
        role("b", RESTART),
        role("c", RESTART),
        role("d", RESTART, namespace="shop"),
        binding("by-name", "Role/d", "ServiceAccount robot", namespace="shop"),
        binding("by-user", "ClusterRole/a", "User system:serviceaccount:shop:robot"),
        binding("by-group", "ClusterRole/b", "Group system:serviceaccounts:shop"),
        binding("others", "ClusterRole/c", "Group system:serviceaccounts:other"),
    ).held_by(account_name("shop", "robot"), account_groups("shop"))
    assert [(one.binding.name, one.where) for one in found] == [
        ("by-user", ""), ("by-group", ""), ("by-name", "shop"),
    ]  # fmt: skip


def test_members_of_system_masters_may_whatever_no_object_says() -> None:
    assert authority().may("root", ("system:masters",), PATCH)
    assert not authority().may("root", ("masters",), PATCH)


def test_a_role_counts_only_in_its_own_namespace() -> None:
    found = authority(
        role("r", RESTART, namespace="shop"),
        binding("b", "Role/r", "User jane", namespace="shop"),
        binding("c", "Role/r", "User joe", namespace="other"),
    )
    assert found.may("jane", (), PATCH)
    assert not found.may("jane", (), Ask("patch", "deployments", "apps", namespace="other"))
    assert not found.may("joe", (), Ask("patch", "deployments", "apps", namespace="other"))


def test_the_ways_round_are_told_with_who_has_them() -> None:
    found = authority(
        role("becomes", {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}),
        role("binds", {"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["bind"]}),
        role("runs", {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}),
        binding("b", "ClusterRole/becomes", "User eve"),
        binding("c", "ClusterRole/binds", "User bob", namespace="shop"),
        binding("d", "ClusterRole/runs", "User pat", namespace="shop"),
        binding("e", "ClusterRole/runs", "User far", namespace="other"),
    ).ways_round(PATCH)
    assert {words.split(",")[0]: who(answer) for words, answer in found} == {
        "become somebody who may": ["User eve"],
        "bind roles here": ["User bob"],
        "run pods as a service account here": ["User pat"],
    }


SECRET = Ask("get", "secrets", namespace="shop")


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [
        (RBAC, "clusterroles", "bind"), (RBAC, "roles", "bind"), (RBAC, "roles", "escalate"), ("", "pods", "create"),
        ("apps", "deployments", "create"), ("apps", "statefulsets", "create"), ("apps", "daemonsets", "create"),
        ("apps", "replicasets", "create"), ("batch", "jobs", "create"), ("batch", "cronjobs", "create"),
        ("", "replicationcontrollers", "create"), ("apps", "statefulsets", "patch"), ("apps", "daemonsets", "update"),
        ("batch", "cronjobs", "update"), ("", "pods", "patch"), ("", "pods/exec", "create"), ("", "pods/exec", "get"),
        ("", "pods/attach", "create"), ("", "pods/ephemeralcontainers", "patch"), ("", "serviceaccounts/token", "create"),
        ("", "serviceaccounts", "impersonate"), ("", "secrets", "impersonate-on:user-info:get"),
        ("", "secrets", "impersonate-on:serviceaccount:get"),
    ],
)  # fmt: skip
def test_each_way_to_a_secret_of_a_namespace_is_told(group: str, resource: str, verb: str) -> None:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    ((_, found),) = authority(
        role("r", rule),
        binding("here", "ClusterRole/r", "User eve", namespace="shop"),
        binding("there", "ClusterRole/r", "User far", namespace="other"),
    ).ways_round(SECRET)
    assert who(found) == ["User eve"]


def test_constrained_impersonation_for_something_else_is_no_way() -> None:
    for resource, verb in (
        ("secrets", "impersonate-on:user-info:list"),
        ("pods", "impersonate-on:user-info:get"),
    ):
        rule = {"apiGroups": [""], "resources": [resource], "verbs": [verb]}
        assert authority(role("r", rule), binding("b", "ClusterRole/r", "User eve")).ways_round(SECRET) == []


@pytest.mark.parametrize(
    ("group", "resource", "verb", "name"),
    [(RBAC, "clusterroles", "bind", "cluster-admin"), ("", "users", "impersonate", "admin")],
)
def test_a_way_that_is_only_about_some_names_is_told_with_them(
    group: str, resource: str, verb: str, name: str
) -> None:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb], "resourceNames": [name]}
    found = authority(role("r", rule), binding("b", "ClusterRole/r", "User eve")).ways_round(SECRET)
    assert found
    for _, answer in found:
        assert answer.whole == () and [(one.subject.name, one.names) for one in answer.part] == [
            ("eve", (name,))
        ]
