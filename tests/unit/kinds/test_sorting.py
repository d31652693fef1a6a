"""Columns sort as Kubernetes counts: amounts by their size, times by age, counts as numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import Row

from .shapes import AGES, thing
from .test_judgements import decoded
from .test_rows import fixture


def in_order(rows: list[Row], plural: str, key: str) -> list[str]:
    """The different cells of a column, sorted."""
    column = next(column for column in KINDS[plural].columns if column.key == key)
    ordered = sorted(rows, key=lambda row: row.sort[column.order])
    return list(dict.fromkeys(row.cells[column.order].text for row in ordered))


def rows_of(plural: str) -> list[Row]:
    kind = KINDS[plural]
    cases = fixture(plural)["cases"].values()
    return [kind.row(kind.decode_object(json.dumps(case["object"]).encode())) for case in cases]


@pytest.mark.parametrize(
    ("plural", "key", "cells"),
    [
        ("priorityclasses", "value", ["-10", "0", "5", "1000", "1000000000"]),
        ("persistentvolumes", "capacity", ["1500M", "5Gi"]),
        ("persistentvolumeclaims", "capacity", ["", "0", "1Gi", "1500M", "2Gi"]),
        ("poddisruptionbudgets", "min-available", ["0", "1", "2", "90%", "N/A"]),
        ("poddisruptionbudgets", "allowed-disruptions", ["0", "1", "12"]),
        ("daemonsets", "desired", ["0", "3", "5", "12"]),
        ("replicasets", "current", ["0", "1", "2", "3", "10"]),
        ("horizontalpodautoscalers", "replicas", ["1", "3", "11"]),
        ("horizontalpodautoscalers", "maxpods", ["2", "10", "12"]),
        ("events", "count", ["1", "3", "4", "7", "12"]),
        ("jobs", "completions", ["0/1", "0/1 of 3", "0/3", "1/5", "2/5", "1/1", "2/1 of 3"]),
        ("configmaps", "data", ["0", "1", "3", "4"]),
        ("storageclasses", "allowvolumeexpansion", ["false", "true"]),
    ],
)
def test_a_column_sorts_by_what_its_cells_mean(plural: str, key: str, cells: list[str]) -> None:
    assert in_order(rows_of(plural), plural, key) == cells


def rows(plural: str, *manifests: dict[str, Any]) -> list[Row]:
    return [KINDS[plural].row(decoded(plural, manifest)) for manifest in manifests]


def test_sizes_of_every_family_of_suffixes() -> None:
    sizes = ("1Gi", "1G", "900Mi", "1e9", "1025Mi", "0.5Ti", "1100M")
    volumes = [
        thing("v1", "PersistentVolume", size.lower(), spec={"capacity": {"storage": size}}) for size in sizes
    ]
    found = in_order(rows("persistentvolumes", *volumes), "persistentvolumes", "capacity")
    assert found == ["900Mi", "1G", "1e9", "1Gi", "1025Mi", "1100M", "0.5Ti"]


def test_ages_sort_the_youngest_first_and_the_unknown_last() -> None:
    moments = {"old": AGES[0], "young": AGES[2], "middle": AGES[1], "unknown": None}
    for plural, key in (("configmaps", "age"), ("services", "age"), ("serviceaccounts", "age")):
        column = next(column for column in KINDS[plural].columns if column.key == key)
        made = rows(
            plural,
            *(
                thing("v1", "X", name, meta={"creationTimestamp": at} if at else {})
                for name, at in moments.items()
            ),
        )
        ordered = sorted(made, key=lambda row: row.sort[column.order])
        assert [row.name for row in ordered] == ["young", "middle", "old", "unknown"]


def test_moments_sort_from_the_first_to_the_last() -> None:
    made = rows("roles", *(thing("x", "Role", at[:4], meta={"creationTimestamp": at}) for at in AGES[::-1]))
    assert in_order(made, "roles", "created-at") == list(AGES)


def test_addresses_and_ports_sort_as_numbers() -> None:
    def service(address: str, port: int) -> dict[str, Any]:
        return thing("v1", "Service", "s", spec={"clusterIPs": [address], "ports": [{"port": port}]})

    made = rows("services", service("10.0.0.10", 8080), service("10.0.0.9", 443), service("9.0.0.1", 80))
    assert in_order(made, "services", "cluster-ip") == ["9.0.0.1", "10.0.0.9", "10.0.0.10"]
    assert in_order(made, "services", "port-s") == ["80/TCP", "443/TCP", "8080/TCP"]


def test_autoscalers_sort_by_how_busy_they_are() -> None:
    def autoscaler(wanted: dict[str, Any], now: dict[str, Any] | None) -> dict[str, Any]:
        resource = {"type": "Resource", "resource": {"name": "cpu", "target": wanted}}
        current = (
            [{"type": "Resource", "resource": {"name": "cpu", "current": now}}] if now is not None else None
        )
        return thing("x", "X", "a", spec={"metrics": [resource]}, status={"currentMetrics": current})

    made = rows(
        "horizontalpodautoscalers",
        autoscaler({"averageUtilization": 80}, {"averageUtilization": 100}),
        autoscaler({"averageValue": "500m"}, {"averageValue": "2"}),
        autoscaler({"averageUtilization": 50}, {"averageUtilization": 9}),
        autoscaler({"averageValue": "1"}, {"averageValue": "900m"}),
        autoscaler({"averageUtilization": 80}, None),
    )
    assert in_order(made, "horizontalpodautoscalers", "targets") == [
        "cpu: <unknown>/80%",
        "cpu: 9%/50%",
        "cpu: 900m/1",
        "cpu: 100%/80%",
        "cpu: 2/500m",
    ]


def test_quotas_sort_by_how_full_they_are() -> None:
    def quota(used: str, hard: str) -> dict[str, Any]:
        return thing("x", "X", "q", status={"hard": {"memory": hard}, "used": {"memory": used}})

    made = rows("resourcequotas", quota("900Mi", "1Gi"), quota("1", "2"), quota("9Gi", "100Gi"))
    assert in_order(made, "resourcequotas", "request") == [
        "memory: 9Gi/100Gi",
        "memory: 1/2",
        "memory: 900Mi/1Gi",
    ]


def test_ready_counts_sort_by_share_and_restarts_by_number() -> None:
    def deployment(ready: int, wanted: int) -> dict[str, Any]:
        return thing("x", "X", "d", spec={"replicas": wanted}, status={"readyReplicas": ready})

    made = rows("deployments", deployment(3, 3), deployment(1, 10), deployment(9, 10), deployment(0, 2))
    assert in_order(made, "deployments", "ready") == ["0/2", "1/10", "9/10", "3/3"]
    restarts = in_order(rows_of("pods"), "pods", "restarts")
    assert [int(each) for each in restarts] == sorted(int(each) for each in restarts)
