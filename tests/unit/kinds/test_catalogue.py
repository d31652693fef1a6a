"""The kinds of a cluster: the registered ones and what discovery tells, as it comes, changes and goes."""

from __future__ import annotations

from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import DEFINITIONS, Kinds, kind_named
from dashboard.kinds.tablekinds import Resource

GIZMO = Resource(GVR("example.com", "v1", "gizmos"), "Gizmo", "gizmo")
POD = Resource(GVR("", "v1", "pods"), "Pod", "pod")


def served(kinds: Kinds) -> list[str]:
    return [kind.plural for kind in kinds.served]


def test_registered_kinds_stay_and_others_are_added() -> None:
    kinds = Kinds()
    assert kinds.learn([POD, GIZMO, Resource(GVR("events.k8s.io", "v1", "events"), "Event")])
    assert served(kinds) == ["gizmos.example.com"]
    assert kinds["pods"] is KINDS["pods"]
    assert kinds["gizmos.example.com"].kind == "Gizmo"
    assert DEFINITIONS.key in kinds


def test_the_same_again_is_no_news() -> None:
    kinds = Kinds()
    kinds.learn([GIZMO])
    assert not kinds.learn([GIZMO])


def test_a_kind_that_goes_stays_known_and_comes_back_as_the_same() -> None:
    kinds = Kinds()
    kinds.learn([GIZMO])
    kind = kinds["gizmos.example.com"]
    assert kinds.learn([])
    assert served(kinds) == []
    assert kinds["gizmos.example.com"] is kind
    newer = Resource(GVR("example.com", "v2", "gizmos", namespaced=False), "Gizmo", "gizmo", ("gz",))
    assert kinds.learn([newer])
    assert kinds["gizmos.example.com"] is kind
    assert kind.gvr == newer.gvr


def test_another_group_with_the_plural_of_a_registered_kind_is_another_kind() -> None:
    kinds = Kinds()
    kinds.learn([Resource(GVR("serving.knative.dev", "v1", "services"), "Service", "service")])
    assert served(kinds) == ["services.serving.knative.dev"]
    assert kinds["services"] is KINDS["services"]


def test_a_reference_means_the_kind_of_its_api() -> None:
    kinds = Kinds()
    knative = Resource(GVR("serving.knative.dev", "v1", "services"), "Service")
    kinds.learn([knative, GIZMO, Resource(GVR("other.org", "v1", "gizmos"), "Gizmo")])
    found = kind_named(kinds, "serving.knative.dev/v1", "Service")
    assert found is not None
    assert found.plural == "services.serving.knative.dev"
    assert kind_named(kinds, "v1", "Service") is KINDS["services"]
    assert kind_named(kinds, "", "Service") is KINDS["services"]
    assert kind_named(kinds, "", "Gizmo") is None  # two of them: which is meant is not known
    assert kind_named(kinds, "apps/v1", "Gizmo") is None
