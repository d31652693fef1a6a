"""What the pages of rights, network policies and limits say in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Table
from dashboard.kinds.rbac import power

from .shapes import RBAC, thing
from .test_judgements import decoded, detail_of, row_of
from .test_rows import fixture


def words(table: Table) -> list[tuple[str, ...]]:
    return [
        tuple(f"{entry.text} ({entry.note})" if entry.note else entry.text for entry in row)
        for row in table.rows
    ]


def fact(detail: Detail, label: str) -> list[str]:
    return [f"{each.value}: {each.note}".strip(": ") for each in detail.facts if each.label == label]


@pytest.mark.parametrize(
    ("verbs", "said"),
    [
        (["get", "list", "watch"], "read"),
        (["create"], "create"),
        (["delete", "deletecollection"], "delete"),
        (["update", "patch"], "change"),
        (["deletecollection"], "change"),
        (["get", "patch"], "read and change"),
        (["*", "get"], "do anything with"),
        (["impersonate"], "impersonate"),
        (["use", "get"], "read and use"),
        ([], "do nothing with"),
    ],
)
def test_verbs_in_words(verbs: list[str], said: str) -> None:
    assert power(verbs) == said


def test_rules_in_words() -> None:
    detail = detail_of("roles", "many:rules")
    assert detail.sentence == (
        "In namespace kinds-capture, whoever is bound to it may do anything with every resource, "
        "read pods and pods/log and 3 more permissions."
    )
    (table,) = detail.tables
    assert table.columns == ("May", "On", "Only those named")
    assert words(table) == [
        ("get, list, watch (read)", "pods, pods/log", ""),
        (
            "patch, get (read and change)",
            "deployments, secrets (confidential values; of API groups the core and apps)",
            "",
        ),
        ("create, update (change)", "configmaps", "a, b (create has no name to compare)"),
        ("any verb (do anything)", "every resource (of every API group)", ""),
        (
            "bind, escalate (bind and escalate: allows privilege escalation)",
            "roles (of API group rbac.authorization.k8s.io)",
            "",
        ),
    ]  # fmt: skip


def test_a_role_without_rules_and_one_that_gathers_them() -> None:
    assert detail_of("roles", "nothing").sentence.endswith("may do nothing.")
    assert detail_of("roles", "nothing").tables[0].empty == "Nothing: it has no rules."
    gathers = fact(detail_of("clusterroles", "kinds:gathers"), "Aggregates ClusterRoles")[0]
    assert gathers.startswith("kinds.test/gathered=true:")


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert detail_of("roles", "reader").tables[0].columns == ("May", "On")
    assert detail_of("limitranges", "claims").tables[0].columns == ("Each", "Resource", "At least", "At most")


def test_who_gets_what_by_a_binding() -> None:
    detail = detail_of("rolebindings", "mixed")
    assert detail.sentence.startswith(
        "Gives Role kinds:no-such-role to service account shop/web, user jane and 2 more"
    )
    (table,) = detail.tables
    assert words(table)[:2] == [("ServiceAccount", "web", "shop"), ("User", "jane", "")]
    link = table.rows[0][1].link
    assert link is not None
    assert (link.plural, link.namespace, link.name) == ("serviceaccounts", "shop", "web")
    assert detail_of("clusterrolebindings", "kinds:groups").sentence == (
        "Gives ClusterRole kinds:no-such-role to group ops and every service account of namespace shop, "
        "in the whole cluster."
    )


def test_a_binding_leads_to_its_role_where_that_is() -> None:
    (given,) = [each.link for each in detail_of("rolebindings", "users").facts if each.label == "Gives"]
    assert given is not None
    assert (given.plural, given.namespace) == ("roles", "kinds-capture")
    (given,) = [each.link for each in detail_of("rolebindings", "everybody").facts if each.label == "Gives"]
    assert given is not None
    assert (given.plural, given.namespace, given.name) == ("clusterroles", "", "cluster-admin")


@pytest.mark.parametrize(
    ("role", "subject", "state"),
    [
        ("cluster-admin", "system:authenticated", "bad"),
        ("cluster-admin", "system:unauthenticated", "bad"),
        ("view", "system:unauthenticated", "warn"),
        ("view", "system:authenticated", "ok"),
        ("system:public-info-viewer", "system:unauthenticated", "ok"),
        ("cluster-admin", "system:masters", "ok"),
    ],
)
def test_rights_for_everybody_are_marked(role: str, subject: str, state: str) -> None:
    group = {"apiGroup": RBAC, "kind": "Group", "name": subject}
    given: dict[str, Any] = {"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [group]}
    binding = decoded("clusterrolebindings", thing(f"{RBAC}/v1", "ClusterRoleBinding", "b", **given))
    assert KINDS["clusterrolebindings"].row(binding).state == state


def test_what_a_policy_lets_in_and_out() -> None:
    detail = detail_of("networkpolicies", "labels")
    assert detail.sentence == (
        "Guards pods with app=web of namespace kinds-capture: lets in only what its rules allow."
    )
    assert fact(detail, "Egress") == ["everything: unless another policy selects it"]
    (table,) = detail.tables
    ports = "80/TCP, metrics/TCP, 8000–8080/TCP, every UDP port"
    assert words(table) == [
        ("pods with app=web of this namespace", ports),
        ("every pod of this namespace", ports),
        ("every pod of namespaces with team=a", ports),
        ("pods with app=web of namespace shop", ports),
        ("addresses 10.0.0.0/8, except 10.1.0.0/16, 10.2.0.0/16", ports),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("deny-all", "lets nothing in and lets nothing out."),
        ("allow-all", "lets everything in and lets everything out."),
        ("outward", "lets out only what its rules allow."),
    ],
)
def test_policies_in_a_sentence(name: str, said: str) -> None:
    assert detail_of("networkpolicies", name).sentence.endswith(said)


def test_rules_of_an_unguarded_direction_are_marked() -> None:
    row = row_of("networkpolicies", "idle-rules")
    assert (row.state, row.reason) == (
        "warn",
        "its Ingress rules have no effect: policyTypes lacks Ingress",
    )


def test_limits_in_a_table() -> None:
    detail = detail_of("limitranges", "all")
    assert detail.sentence.startswith("Limits what each container, pod and volume claim of namespace")
    assert words(detail.tables[0]) == [
        ("container", "cpu", "50m", "2", "100m", "500m", "10"),
        ("container", "memory", "", "1536Mi", "256Mi", "256Mi", ""),
        ("pod", "cpu", "", "4", "", "", ""),
        ("volume claim", "storage", "1Gi", "100Gi", "", "", ""),
    ]


def test_an_account_tells_of_its_token() -> None:
    detail = detail_of("serviceaccounts", "everything")
    assert detail.sentence == "The identity of pods that use it; they get its token unless they opt out."
    assert fact(detail_of("serviceaccounts", "no-token"), "Token in pods")[0].startswith("No")


def test_links_of_tables_lead_to_pages_that_exist() -> None:
    for plural in KINDS:
        for name in fixture(plural)["cases"]:
            entries = [
                entry for table in detail_of(plural, name).tables for row in table.rows for entry in row
            ]
            assert all(entry.link is None or entry.link.plural in {"", *KINDS} for entry in entries)


def test_rights_to_named_objects_are_told_by_their_names() -> None:
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    one = thing(RBAC, "Role", "one", rules=[secrets | {"resourceNames": ["db-login"]}])
    more = thing(RBAC, "Role", "more", rules=[secrets | {"resourceNames": ["a", "b"]}, secrets])
    tell = KINDS["roles"].detail
    assert tell(decoded("roles", one)).sentence.endswith("may read secrets named db-login.")
    assert tell(decoded("roles", more)).sentence.endswith("may read secrets and secrets named a and b.")
    # In the table their names have a column of their own.
    assert words(tell(decoded("roles", one)).tables[0])[0][2] == "db-login"


def test_a_job_retried_per_index_has_no_bound_of_two_thousand_million() -> None:
    spec = {"completionMode": "Indexed", "completions": 4, "backoffLimit": 2147483647, "backoffLimitPerIndex": 1,
            "maxFailedIndexes": 2, "template": {"spec": {}}}  # fmt: skip
    job = decoded(
        "jobs", thing("batch/v1", "Job", "w", spec=spec, status={"failed": 3, "failedIndexes": "0"})
    )
    told = KINDS["jobs"].detail(job)
    assert fact(told, "Retries") == ["each index 1 time at most: it fails when more than 2 indexes failed"]
    assert KINDS["jobs"].row(job).reason == "3 tries failed, indexes 0 failed permanently"
    assert "2147483647" not in str(told)
    usual = decoded("jobs", thing("batch/v1", "Job", "w", spec={"backoffLimit": 6, "template": {"spec": {}}}))
    assert fact(KINDS["jobs"].detail(usual), "Retries") == ["6 times at most"]


def test_each_effect_of_a_taint_is_told_in_its_own_words() -> None:
    effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
    spec = {"taints": [{"key": "k", "effect": effect} for effect in effects]}
    told = fact(KINDS["nodes"].detail(decoded("nodes", thing("v1", "Node", "n", spec=spec))), "Taint")
    assert len({one.partition(": ")[2] for one in told}) == 3
    never, rather, out = told
    assert "running ones stay" in never and "uses it when no other fits" in rather and "are evicted" in out


def test_an_autoscaler_of_which_some_metrics_fail_is_not_fine() -> None:
    metrics = [
        {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "target": {}}},
        {"type": "Pods", "pods": {"metric": {"name": "http_requests"}, "target": {"averageValue": "1k"}}},
    ]
    read = {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "current": {"averageUtilization": 43}},
    }
    active = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}
    status = {"conditions": [active], "currentMetrics": [read, {"type": ""}]}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9, "metrics": metrics}
    kind = KINDS["horizontalpodautoscalers"]
    made = decoded(
        kind.plural, thing("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec=spec, status=status)
    )
    row = kind.row(made)
    assert (row.state, row.reason) == ("warn", "no value of 1 of 2 metrics: http_requests")


def test_a_headless_service_is_called_so() -> None:
    def type_of(address: str) -> list[str]:
        spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address]}
        return fact(
            KINDS["services"].detail(decoded("services", thing("v1", "Service", "db", spec=spec))), "Type"
        )

    assert "ClusterIP (headless)" in type_of("None")[0]
    assert "headless" not in type_of("10.0.0.7")[0]


def test_a_nodes_memory_and_disk_are_told_in_units_that_people_read() -> None:
    """As a kubelet reports them: memory in Ki, what pods may have of the disk in bytes."""
    amounts = {"memory": "24632884Ki", "ephemeral-storage": "267847642337", "pods": "100"}
    status = {
        "allocatable": amounts,
        "capacity": {"memory": "24684084Ki", "ephemeral-storage": "264212084Ki"},
    }
    told = KINDS["nodes"].detail(decoded("nodes", thing("v1", "Node", "n", spec={}, status=status)))
    assert fact(told, "Memory") == ["23.5 GiB: of 23.5 GiB for pods"]
    assert fact(told, "Disk") == ["249 GiB: of 252 GiB for pods"]
    assert fact(told, "Pods") == ["100: of ? for pods"]
