from __future__ import annotations

from datetime import UTC, datetime

from dashboard.actions.writers import last_manager

REPLICAS = {"f:spec": {"f:replicas": {}}}


def test_the_latest_owner_of_the_field_is_named() -> None:
    fields = [
        {"manager": "argocd", "time": "2026-03-01T10:00:00Z", "fieldsV1": REPLICAS},
        {"manager": "kubectl-scale", "time": "2026-03-01T11:00:00Z", "fieldsV1": REPLICAS},
        {"manager": "kube-controller-manager", "time": "2026-03-01T12:00:00Z", "fieldsV1": {"f:status": {}}},
    ]
    found = last_manager({"metadata": {"managedFields": fields}}, "/spec/replicas")
    assert found == ("kubectl-scale", datetime(2026, 3, 1, 11, tzinfo=UTC))


def test_a_write_without_a_time_still_has_a_name() -> None:
    fields = [{"manager": "cluster-ui", "subresource": "scale", "fieldsV1": REPLICAS}]
    assert last_manager({"metadata": {"managedFields": fields}}, "/spec/replicas") == ("cluster-ui", None)


def test_nobody_is_named_when_nobody_owns_it() -> None:
    assert last_manager({"metadata": {}}, "/spec/replicas") == ("", None)
