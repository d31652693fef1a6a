"""What actions on pod templates share: the patch that is written, what is kept of it, and revisions."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.action import Manifest, Target
from dashboard.actions.changedfields import merge_between
from dashboard.actions.env import ENV
from dashboard.actions.fieldwrites import FieldsAction, written_fields
from dashboard.actions.image import IMAGE
from dashboard.actions.resources import RESOURCES
from dashboard.actions.revisions import current_revision, revisions_of
from dashboard.actions.templates import ContainerAction
from dashboard.errors import BadInput
from dashboard.kinds import KINDS

from .server import Server, _merge

OLD: dict[str, Any] = {"a": 1, "gone": {"x": 1}, "list": [1, 2], "in": {"same": 1, "less": 2}}
NEW: dict[str, Any] = {"a": 2, "list": [2], "in": {"same": 1, "more": {"y": 3}}, "made": {"z": []}}


def test_a_merge_patch_makes_the_one_of_the_other() -> None:
    patch = merge_between(OLD, NEW)
    assert patch == {
        "a": 2,
        "gone": None,
        "list": [2],
        "in": {"less": None, "more": {"y": 3}},
        "made": {"z": []},
    }
    made = {**OLD, "in": dict(OLD["in"])}
    _merge(made, patch)
    assert made == NEW
    assert merge_between(NEW, NEW) == {}


CONTAINERS: list[Manifest] = [
    {"name": "bare"},
    {
        "name": "app",
        "image": "web@sha256:" + "a" * 64,
        "env": [
            {"name": "EMPTY"},
            {"name": "LOG", "value": "info"},
            {
                "name": "KEY",
                "valueFrom": {"secretKeyRef": {"name": "db", "key": "password", "optional": True}},
            },
            {"name": "TWICE", "value": "1"},
            {"name": "TWICE", "value": "2"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "resources": {
            "limits": {"cpu": "1500m", "ephemeral-storage": "1Gi"},
            "requests": {"memory": "128974848", "cpu": "0"},
        },
    },
    {"name": "log", "image": "log", "resources": {"claims": [{"name": "gpu"}]}},
]


@pytest.mark.parametrize("action", [ENV, IMAGE, RESOURCES])
@pytest.mark.parametrize("typed", ["", "ZZ=1\n", "9", "A=secret/db/key"])
def test_nobody_is_said_to_have_changed_what_is_as_the_form_was_filled(
    action: ContainerAction, typed: str
) -> None:
    there: Manifest = {"spec": {"template": {"spec": {"containers": CONTAINERS}}}}
    for container in CONTAINERS:
        for name in action.inputs:
            field, base = f"{name}.{container['name']}", action.value(container, name)
            try:
                wanted = action.read({field: typed, f"was.{field}": base})
            except BadInput:
                continue
            assert action.with_asked(there, wanted["was"]) == there, field


def workload(**spec: Any) -> Manifest:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [spec.pop("container", {"name": "app"})]},
    }
    meta = {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"}
    return {
        "metadata": meta,
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


@pytest.mark.parametrize(
    ("path", "container"),
    [
        ("env/[name=A]/value", {"env": [{"name": "A", "value": "secret-1"}]}),
        ("env", {"env": [{"name": "A", "value": "secret-1"}]}),
        ("args", {"args": ["--password", "secret-1"]}),
        ("livenessProbe", {"livenessProbe": {"exec": {"command": ["check", "secret-1"]}}}),
    ],
)
def test_of_what_may_be_a_password_a_keyed_digest_is_kept(
    path: str, container: dict[str, Any], settings: Any
) -> None:
    manifest = workload(container={"name": "app", "image": "web:1", **container})
    within = "/spec/template/spec/containers/[name=app]"
    for each in (f"{within}/{path}", "/spec/template"):
        fact = FieldsAction().fact(manifest, each)
        assert fact["digest"] and "secret-1" not in repr(fact)
        settings.SECRET_KEY += "another"
        assert FieldsAction().fact(manifest, each) != fact, "whoever lacks the key can guess nothing"
    assert FieldsAction().fact(manifest, f"{within}/image") == "web:1"


def test_what_the_server_counts_is_no_field_of_a_change() -> None:
    notes = [{"deprecated.daemonset.template.generation": str(n), "team": "shop"} for n in (1, 2)]
    before, after = ({**workload(), "metadata": {"name": "web", "annotations": each}} for each in notes)
    after["metadata"]["generation"] = 2
    assert written_fields(before, after) == []


def controllerrevision(number: int, template: dict[str, Any], **meta: Any) -> dict[str, Any]:
    owner = {"kind": "StatefulSet", "name": "web", "uid": "u1", "controller": True}
    return {
        "metadata": {"name": f"web-{number}", "ownerReferences": [owner], **meta},
        "revision": number,
        "data": {"spec": {"template": {"$patch": "replace", **template}}},
    }


async def test_controllerrevisions_hold_the_template_in_a_patch() -> None:
    manifest = workload()
    template = manifest["spec"]["template"]
    nulls = {**template, "metadata": {"creationTimestamp": None, **template["metadata"]}}
    stranger = controllerrevision(9, template, ownerReferences=[{"uid": "u2", "controller": True}])
    merging = controllerrevision(8, template)
    del merging["data"]["spec"]["template"]["$patch"]
    api: Any = Server("statefulsets", manifest)
    other = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "web:2"}]},
    }
    older = controllerrevision(2, other, annotations={"kubernetes.io/change-cause": "the second"})
    api.lists = {"controllerrevisions": [older, controllerrevision(10, nulls), stranger, merging]}
    target = Target.of("dev", KINDS["statefulsets"], "shop", "web")
    found = await revisions_of(api, target, manifest)
    assert [(one.number, one.name, one.cause, one.images) for one in found] == [
        (10, "web-10", "", [""]), (2, "web-2", "the second", ["web:2"]),
    ]  # fmt: skip
    assert found[1].template == other
    assert current_revision(found, manifest) is found[0]
    manifest["spec"]["template"]["spec"]["hostNetwork"] = True
    assert current_revision(found, manifest) is None
