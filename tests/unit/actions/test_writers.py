from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.actions.writers import MAX_MANAGERS, last_manager, setting_again

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


def managed(*entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "metadata": {
            "managedFields": [
                {"manager": who, "operation": how, "fieldsV1": fields} for who, how, fields in entries
            ]
        }
    }


REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
CONTAINERS = {'k:{"name":"app"}': {".": {}, "f:image": {}, "f:name": {}}}
POD: dict[str, Any] = {"f:nodeSelector": {}, "f:containers": CONTAINERS}
LABELS: dict[str, Any] = {"f:metadata": {"f:labels": {}}}


@pytest.mark.parametrize(
    ("who", "how", "fields", "path", "said"),
    [
        (
            "terraform",
            "Apply",
            REPLICAS,
            "/spec/replicas",
            "terraform applied spec.replicas: it sets it again",
        ),
        (
            "kubectl-client-side-apply",
            "Update",
            REPLICAS,
            "/spec/replicas",
            "kubectl apply set spec.replicas: it",
        ),
        ("kubectl-scale", "Update", REPLICAS, "/spec/replicas", ""),
        ("cluster-ui", "Apply", REPLICAS, "/spec/replicas", ""),
        ("kube-controller-manager", "Apply", REPLICAS, "/spec/replicas", ""),
        ("terraform", "Apply", REPLICAS, "/spec/paused", ""),
        (
            "terraform",
            "Apply",
            {"f:spec": POD},
            "/spec/containers/[name=app]/image",
            "spec.containers[app].image",
        ),
        ("terraform", "Apply", {"f:spec": POD}, "/spec/containers/[name=beside]/image", ""),
        ("terraform", "Apply", {"f:spec": POD}, "/spec/nodeSelector/disk", "spec.nodeSelector.disk"),
        ("terraform", "Apply", LABELS, "/metadata/labels/team", ""),
        ("terraform", "Apply", {"f:data": {"f:LEVEL": {}}}, "/data/LEVEL", "terraform applied data.LEVEL"),
    ],
)
def test_who_applied_a_field_sets_it_again(
    who: str, how: str, fields: dict[str, Any], path: str, said: str
) -> None:
    found = setting_again(managed((who, how, fields)), ["/other", path])
    assert bool(found) is bool(said) and all(said in each.text for each in found)
    assert {each.state for each in found} <= {"info" if who.startswith("kubectl") else "warn"}


def test_whoever_writes_the_number_that_an_autoscaler_will_set_is_told_and_controllers_are_not() -> None:
    both = managed(("helm", "Update", REPLICAS), ("kube-controller-manager", "Update", REPLICAS))
    (found,) = setting_again(both, ["/spec/replicas"], instead="Remove it.", written=True)
    assert found.title == "helm may change this back" and found.text.endswith("Remove it.")


def test_only_so_many_managers_are_told_of() -> None:
    many = managed(*((f"tool-{at}", "Apply", REPLICAS) for at in range(9)))
    assert len(setting_again(many, ["/spec/replicas"])) == MAX_MANAGERS
