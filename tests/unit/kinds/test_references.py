"""Which object a reference means."""

from __future__ import annotations

from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import OwnerReference
from dashboard.kinds.references import meant, reference, title


def owner(api_version: str, kind: str, name: str = "ring") -> OwnerReference:
    return OwnerReference(api_version=api_version, kind=kind, name=name)


def test_every_kind_with_a_module_is_meant_by_its_group() -> None:
    for plural, kind in KINDS.items():
        namespace = "shop" if kind.gvr.namespaced else ""
        expected = Ref(kind.kind, namespace, "x", plural)
        assert reference(kind.kind, "shop", "x") == expected
        assert reference(kind.kind, "shop", "x", kind.gvr.group) == expected
        assert meant(owner(kind.gvr.api_version, kind.kind, "x"), "shop") == expected
        assert reference(kind.kind, "shop", "x", "clones.example.com").plural == ""


def test_a_custom_kind_of_the_same_name_is_another_object() -> None:
    clone = meant(owner("clones.example.com/v1beta1", "StatefulSet"), "shop")
    other = meant(owner("twins.example.com/v1", "StatefulSet"), "shop")
    ours = meant(owner("apps/v1", "StatefulSet"), "shop")
    assert len({clone, other, ours}) == 3
    assert [title(one) for one in (clone, ours)] == [
        "StatefulSet.clones.example.com ring",
        "StatefulSet ring",
    ]
    assert title(meant(owner("argoproj.io/v1alpha1", "Rollout", "web"), "shop")) == "Rollout web"


def test_the_core_group_is_a_group_and_no_api_version_is_none() -> None:
    assert meant(owner("v1", "StatefulSet"), "shop").plural == "", "the core has none of that kind"
    assert meant(owner("", "StatefulSet"), "shop").plural == "statefulsets"
    assert meant(owner("v1", "Pod"), "shop").plural == "pods"


def test_a_kind_that_moved_is_meant_where_it_is_now() -> None:
    assert meant(owner("extensions/v1beta1", "Deployment"), "shop").plural == "deployments"
    assert meant(owner("apps/v1beta2", "StatefulSet"), "shop").plural == "statefulsets"
    assert meant(owner("extensions/v1beta1", "Ingress"), "shop").plural == "ingresses"
    assert meant(owner("extensions/v1beta1", "StatefulSet"), "shop").plural == ""
