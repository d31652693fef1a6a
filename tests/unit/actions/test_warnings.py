"""What the API server warns of beside a dry run is in every preview, without a Secret's values."""

from __future__ import annotations

import base64
import dataclasses
import zlib
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from multidict import CIMultiDict

from dashboard.actions.action import Actor
from dashboard.actions.bulk_preview import BulkOrder, bulk_preview, bulk_targets
from dashboard.actions.creation_preview import creation_preview
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.actions.edit_any import EDIT_ANY, editable_text
from dashboard.actions.restore_words import _warned
from dashboard.actions.scale import SCALE
from dashboard.insight import Notice
from dashboard.kinds import KINDS
from dashboard.recovery.choice import Choice
from dashboard.recovery.holding import Held
from dashboard.recovery.restoring import Restoring
from tests import acting

from ..insight.world import World
from .fake import FakeTransport
from .test_bulk import webs
from .test_creation import Cluster, objects, secret, settings

pytestmark = pytest.mark.django_db(transaction=True)

SAID = 'would violate PodSecurity "restricted:latest": runAsNonRoot != true'
HEADER = (
    r'299 - "would violate PodSecurity \"restricted:latest\": runAsNonRoot != true", 299 - "v1 is deprecated"'
)
TITLE = "The API server warns"
EXPECTED = [Notice("warn", TITLE, SAID), Notice("warn", TITLE, "v1 is deprecated")]


def warning(api: Any, header: str = HEADER) -> Any:
    """The same API server, which warns of every dry run."""
    request = api.request

    async def with_warning(method: str, target: Any, **given: Any) -> Any:
        answer = await request(method, target, **given)
        dry = (given.get("query") or {}).get("dryRun") == "All" or b"dryRun" in (given.get("body") or b"")
        return dataclasses.replace(answer, headers=CIMultiDict([("Warning", header)])) if dry else answer

    api.request = with_warning
    return api


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


def told(notices: Any) -> list[Notice]:
    return [each for each in notices if each.title.endswith(TITLE)]


@pytest.mark.parametrize("busy", [False, True])
async def test_of_one_object(mara: Actor, busy: bool) -> None:
    api: Any = FakeTransport()

    def once(dry: bool) -> None:
        if dry and busy:
            api.touch()
            api.before_write = lambda dry: None

    api.before_write = once
    where = {"namespace": "shop", "name": "web"}
    shown = await acting.preview(
        SCALE, transport=warning(api), actor=mara, replicas="5", objects=World(), **where
    )
    assert told(shown.told.notices) == EXPECTED


async def test_of_an_edit_as_yaml(mara: Actor) -> None:
    cluster: Any = warning(webs(1))
    manifest = cluster.named("web-0")
    text = editable_text(manifest | {"spec": manifest["spec"] | {"paused": True}})
    shown = await acting.preview(
        EDIT_ANY, transport=cluster, actor=mara, plural="deployments", namespace="shop", name="web-0",
        objects=cluster.world, yaml=text,
    )  # fmt: skip
    assert told(shown.told.notices) == EXPECTED


async def test_of_many_objects_and_of_each(mara: Actor) -> None:
    cluster: Any = warning(webs(2))
    kind = KINDS["deployments"]
    targets = bulk_targets("dev", kind, ["shop/web-0", "shop/web-1"])
    order = BulkOrder(
        transport=cluster, actor=mara, kind=kind, action=SCALE, targets=targets, typed={"replicas": "5"}
    )
    many = await bulk_preview(order=order, objects=cluster.world)
    assert told(many.notices) == [Notice("warn", TITLE, f"web-0 and web-1: {each.text}") for each in EXPECTED]
    assert all(one.preview and told(one.preview.told.notices) == EXPECTED for one in many.each)


async def test_of_what_is_created_and_changed_from_a_text(mara: Actor) -> None:
    api: Any = Cluster(settings("there"))
    shown = await creation_preview(
        transport=warning(api), actor=mara, objects=objects(settings("new"), settings("there", "debug")), reader=World(),
    )  # fmt: skip
    assert shown.preview is not None
    assert told(shown.preview.told.notices) == [
        Notice("warn", f"ConfigMap {name}: {TITLE}", each.text)
        for name in ("new", "there")
        for each in EXPECTED
    ]


OLD, NEW = "s3cret-old-value", "s3cret-new-value-with-a-tail"


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


QUOTES = f'299 - "weak: {OLD}, {encoded(NEW)}", 299 - "{NEW} was {encoded(OLD)}", 299 - "{"x" * (256 - 10)}{NEW[:10]}"'
CLEAN = ["weak: (hidden), (hidden)", "(hidden) was (hidden)", f"{'x' * (256 - 10)}(hidden)"]


@pytest.mark.parametrize("deletes", [False, True])
async def test_of_a_secret_without_its_values(mara: Actor, deletes: bool) -> None:
    api: Any = warning(Cluster(secret("login", encoded(OLD))), QUOTES)
    if deletes:
        shown: Any = await acting.preview(
            DELETE_ANY, transport=api, actor=mara, plural="secrets", namespace="shop", name="login", objects=World()
        )  # fmt: skip
        assert (
            OLD not in repr(shown.told) and encoded(OLD) not in repr(shown.told) and told(shown.told.notices)
        )
        return
    typed = objects(secret("login", encoded(NEW)))
    shown = await creation_preview(transport=api, actor=mara, objects=typed, reader=World())
    assert [each.text for each in told(shown.preview.told.notices)] == CLEAN


@pytest.mark.parametrize("there", [False, True])
async def test_of_what_is_restored(there: bool) -> None:
    api: Any = warning(Cluster(*([secret("login", encoded(OLD)), settings("one")] if there else ())), QUOTES)
    restoring = Restoring(transport=api, choice=Choice(conflict="update"), plurals={})
    login, one = [
        await restoring.plan(_held(each))
        for each in (secret("login", encoded(NEW)), settings("one", f"{OLD} {NEW}"))
    ]
    assert login.writes and one.writes and (login.does == "update") is there
    if there:
        assert list(login.warnings) == CLEAN
    assert NEW not in login.text and encoded(NEW) not in login.text
    assert one.warnings[0] == f"weak: {OLD}, {encoded(NEW)}", "of what is no Secret in full"
    assert f"The API server warns: {one.warnings[0]}" in one.text
    first = _warned([login, one])[0]
    assert (first.title, first.text) == (TITLE, f"Secret shop/login: {login.warnings[0]}")


def _held(manifest: dict[str, Any]) -> Held:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    body = {**manifest, "metadata": {"name": name, "namespace": "shop"}}
    return Held(
        group="", version="v1", plural=f"{kind.lower()}s", namespace="shop", name=name, kind=kind, skipped="",
        packed=zlib.compress(msgspec.json.encode(body)),
    )  # fmt: skip
