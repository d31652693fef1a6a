"""Whom a transport stands for: nobody whom no rule would bind, and nothing that arrives otherwise than it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import CIMultiDict

from dashboard.errors import BadInput, Forbidden
from dashboard.kube.acting import MAX_GROUPS, Impersonation, impersonation_required
from dashboard.kube.config import Cluster, Connection
from dashboard.kube.transport import Transport

CLUSTER = Cluster(
    name="dev", slug="dev", server="https://dev:6443", source="kubeconfig", source_detail="", user="admin",
    namespace="", is_sandbox=False,
    connection=Connection(cluster={"server": "https://dev:6443"}, user={"token": "the dashboards own"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("user", "groups", "field"),
    [
        ("", [], "user"),
        (" ", [], "user"),
        (" mara", [], "user"),
        ("mara\r\nImpersonate-Group: system:masters", [], "user"),
        ("x" * 254, [], "user"),
        ("mara", ["system:masters"], "groups"),
        ("mara", ["ops", "system:masters"], "groups"),
        ("mara", [" system:masters"], "groups"),
        ("mara", ["system:masters\t"], "groups"),
        ("mara", [""], "groups"),
        ("mara", [f"g{n}" for n in range(MAX_GROUPS + 1)], "groups"),
    ],
)
def test_who_is_not_impersonated(user: str, groups: list[str], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        impersonation_required(user, groups, {})
    assert refused.value.field == field


def test_the_order_in_which_groups_are_said_makes_no_other_account() -> None:
    one = impersonation_required("mara", ["b", "a"], {"scopes": ["y", "x"], "k": ["v"]})
    assert one == impersonation_required("mara", ["a", "b"], {"k": ["v"], "scopes": ["x", "y"]})


async def test_its_transport_says_for_whom_it_stands_with_the_dashboards_own_account() -> None:
    own = Transport(CLUSTER).credentials
    acting = impersonation_required("mara", ["ops", "dev"], {"Team/Name": ["a b"]})
    cluster, credentials = acting.of(CLUSTER, own)
    assert credentials is own
    transport = Transport(cluster, credentials=credentials)
    sent = transport._identity(await own.get(), CIMultiDict())
    assert sorted(sent.items()) == [
        ("Authorization", "Bearer the dashboards own"),
        ("Impersonate-Extra-team%2Fname", "a b"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-User", "mara"),
    ]
    assert not transport.own_token


def test_a_kubeconfig_that_impersonates_itself_is_refused() -> None:
    cluster = replace(CLUSTER, connection=Connection(cluster={}, user={"as": "somebody"}))
    with pytest.raises(Forbidden, match="impersonates somebody itself"):
        Impersonation("mara").of(cluster, Transport(CLUSTER).credentials)
