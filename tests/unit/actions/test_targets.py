"""An action on a custom kind, and on one without namespaces: previewed, applied, followed, settled, undone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.actions import registry
from dashboard.actions.action import Action, Actor, Description, DryRun, OwnedFields, Target, Wanted, pointer
from dashboard.actions.engine import action_order, change_apply, change_form, change_preview
from dashboard.actions.settling import change_settle
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import Forbidden, NotFound
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.tablekinds import Resource
from dashboard.models import Change

from ..insight.world import World
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)

WIDGETS = Resource(GVR("example.com", "v1", "widgets"), "Widget", "widget")
PATH = "/spec/suspend"


class Suspend(Action):
    """For whatever may be suspended: here, everything."""

    name, title, icon = "suspend-anything", "Suspend", "pause"
    owns = MappingProxyType({"suspend": PATH})

    def fits(self, kind: Any) -> bool:
        return True

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return {"suspend": True}

    def words(self, touched: OwnedFields) -> str:
        return "suspended" if touched[PATH] else "not suspended"

    def describe(self, dry: DryRun) -> Description:
        assert dry.obj is None or dry.obj.metadata.name == dry.target.name
        return Description(
            headline=None, effects=(), notices=(), kubectl=dry.target.kubectl("suspend"), undo_words="", button="",
            danger=False,
        )  # fmt: skip


@pytest.fixture
def kinds() -> Kinds:
    made = Kinds()
    made.learn([WIDGETS])
    return made


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


@pytest.mark.parametrize(
    ("plural", "namespace", "command", "right"),
    [
        (
            "widgets.example.com", "shop", "kubectl suspend widgets.example.com/one -n shop",
            "patch widgets in namespace shop",
        ),
        ("nodes", "", "kubectl suspend node/one", "patch nodes"),
    ],
)  # fmt: skip
async def test_every_step_knows_custom_kinds_and_those_without_namespaces(
    kinds: Kinds,
    mara: Actor,
    monkeypatch: pytest.MonkeyPatch,
    plural: str,
    namespace: str,
    command: str,
    right: str,
) -> None:
    suspend = Suspend()
    monkeypatch.setattr(registry, "ACTIONS", (*registry.ACTIONS, suspend))
    meta = {"name": "one", "uid": "u1", "resourceVersion": "7"} | (
        {"namespace": namespace} if namespace else {}
    )
    kind = kinds[plural]
    api: Any = Server(kind.gvr.plural, {"metadata": meta, "spec": {}})
    target = Target.of("dev", kind, namespace, "one")
    assert (await change_form(transport=api, target=target, action=suspend, objects=World())).refusal is None
    order = action_order(transport=api, actor=mara, target=target, action=suspend, typed={})
    shown = await change_preview(order=order, objects=World())
    assert shown.told.kubectl == command
    made = await change_apply(order=order, token=shown.token)
    assert (made.plural, made.namespace) == (plural, namespace)

    def suspended() -> bool | None:
        (obj,) = api.objects.values()
        return pointer(obj, PATH)

    assert suspended() is True
    now = timezone.now()
    assert change_follow(change=made, objects=World(), now=now).headline == "one is gone", (
        "the cache has none"
    )
    await Change.objects.filter(pk=made.pk).aupdate(state=Change.State.UNKNOWN)
    await change_settle(
        transport=api,
        change=await Change.objects.select_related("user").aget(),
        now=now + timedelta(hours=1),
        kinds=kinds,
    )
    assert (await Change.objects.aget()).state == "done"
    undo: Any = {"transport": api, "actor": mara, "change_id": made.pk, "kinds": kinds}
    back = await change_undo_preview(**undo, objects=World())
    await change_undo_apply(**undo, token=back.preview.token)
    assert not suspended()

    api.objects.clear()
    with pytest.raises(NotFound) as gone:
        await change_preview(order=order, objects=World())
    assert gone.value.message == f"There is no {kind.kind} one{' in namespace shop' if namespace else ''}."
    api = Server(kind.gvr.plural, {"metadata": meta, "spec": {}})
    api.may = False
    order = action_order(transport=api, actor=mara, target=target, action=suspend, typed={})
    with pytest.raises(Forbidden) as refused:
        await change_preview(order=order, objects=World())
    assert refused.value.message == f"Your account may not {right}."


async def test_a_kind_that_is_served_no_more_is_said(kinds: Kinds, mara: Actor) -> None:
    made = await Change.objects.acreate(
        nonce="n", user=mara.user, context="dev", action="scale", plural="gadgets.example.com", kind="Gadget",
        name="one", state=Change.State.DONE, inverse={"action": "scale", "input": {"replicas": 1}},
        touched={"/spec/replicas": [1, 2]},
    )  # fmt: skip
    api: Any = Server("gadgets", {"metadata": {"name": "one"}})
    with pytest.raises(NotFound, match="no kind gadgets"):
        await change_undo_preview(transport=api, actor=mara, change_id=made.pk, objects=World(), kinds=kinds)
