"""In a production context every address that writes to the cluster asks for the name and for a reason; each is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions import drill, restore
from dashboard.actions.action import Actor
from dashboard.actions.bulk import BULK, Bulk
from dashboard.actions.cluster_backup import SALT, Asked, BackupOrder, Shown, _facts, backup_begin
from dashboard.actions.confirmation import read_reason
from dashboard.actions.drill import drill_begin
from dashboard.actions.operation import OperationAction, operation_step
from dashboard.actions.registry import ACTIONS, action_named
from dashboard.actions.restore import RestoreOrder, restore_begin
from dashboard.actions.token import sign
from dashboard.errors import BadInput
from dashboard.models import Change, Operation
from dashboard.recovery.choice import Choice
from dashboard.views import bulk
from dashboard.views.attempts import AT_ONCE, IN_STEPS
from tests.formed import Script, open_creation, open_forms

from ..actions.test_creation import Cluster
from ..actions.test_creation import settings as settings_map
from ..insight.world import World, deployment

pytestmark = pytest.mark.django_db(transaction=True)

# What is done by the other addresses, and why nothing is asked for: no object is written.
FREE = {
    "operation_stop": "What is stopped writes no more.",
    "operation_leave": "What is left is not written.",
    "reveal": "It reads.",
    "allow_changes": "It is about the dashboard, and its owner's.",
    "forbid_changes": "It is about the dashboard, and its owner's.",
}
Answer = tuple[int, str]  # a status, and the input that is at fault
Post = Callable[..., Awaitable[Answer]]


class Passed(Exception):
    """Everything that is asked for was given."""


class Shop:
    """Somebody at a cluster that is production, with one Deployment."""

    def __init__(self, client: AsyncClient, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client, self.user, self.monkeypatch = client, user, monkeypatch
        self.world = World()
        self.world.reads = lambda *_: True  # type: ignore[method-assign]
        meta = {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"}
        web = deployment("web") | {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
        self.api: Any = Cluster()
        self.api.objects["deployments", "shop", "web"] = web
        self.world.put("deployments", web)
        self.world.put("namespaces", {"metadata": {"name": "shop", "uid": "n1"}})

    def script(self, url: str, **typed: str) -> Script:
        return Script(self.client, url, typed)

    async def asks(self, script: Script, **more: Any) -> Post:
        """The apply of what a script was shown."""
        token = (await script.preview())["token"]

        async def post(**typed: str) -> Answer:
            status, answer = await script.post(step="apply", token=token, **typed)
            return status, answer.get("error", {}).get("field", "")

        return post

    @property
    def actor(self) -> Actor:
        return Actor(user=self.user, name="mara")


async def of_action(shop: Shop) -> Post:
    open_forms(shop.monkeypatch, shop.api, shop.world)
    return await shop.asks(shop.script("/c/dev/deployments/shop/web/scale/", replicas="5"))


async def of_undo(shop: Shop) -> Post:
    open_forms(shop.monkeypatch, shop.api, shop.world)
    script = shop.script("/c/dev/deployments/shop/web/scale/", replicas="5", confirm="web", reason="why")
    made = await script.apply((await script.preview())["token"])
    return await shop.asks(shop.script(f"{made['url']}undo/"))


async def of_bulk(shop: Shop) -> Post:
    session = open_forms(shop.monkeypatch, shop.api, shop.world)
    session.again = lambda: session

    @asynccontextmanager
    async def listed(_: object) -> Any:
        yield

    shop.monkeypatch.setattr(bulk, "listed", listed)
    return await shop.asks(shop.script("/c/dev/bulk/deployments/scale/", replicas="5", object="shop/web"))


async def of_yaml(shop: Shop) -> Post:
    open_creation(shop.monkeypatch, shop.api, shop.world)
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {NEW}}}\ndata: {{LOG: info}}"
    return await shop.asks(shop.script("/c/dev/create/", yaml=text, namespace="shop"))


async def of_new_object(shop: Shop) -> Post:
    open_creation(shop.monkeypatch, shop.api, shop.world)
    typed = {"name": NEW, "namespace": "shop", "data.key": "LOG", "data.value": "info"}
    return await shop.asks(shop.script("/c/dev/create/configmaps/", **typed))


async def of_resume(shop: Shop) -> Post:
    open_forms(shop.monkeypatch, shop.api, shop.world)
    change = await Change.objects.acreate(
        nonce="n", state=Change.State.DONE, user=shop.user, context="dev", action="rotate", plural="secrets",
        kind="Secret", namespace="shop", name=NEW, uid="u2", touched={"/data/key": [None, None]},
    )  # fmt: skip
    step = operation_step("restart", "Restart web", plural="deployments", kind="Deployment", name="web")
    await Operation.objects.acreate(change=change, steps=[step], state=Operation.State.STOPPED)

    async def post(**typed: str) -> Answer:
        response = await shop.client.post(f"/changes/{change.pk}/resume/?format=json", typed)
        return response.status_code, response.json().get("error", {}).get("field", "")

    return post


def begun(order: Any, begin: Callable[[Any], Awaitable[Any]]) -> Post:
    """The same of what is begun without an object: up to what it would do then."""

    async def post(confirm: str = "", reason: str = "") -> Answer:
        try:
            await begin(replace(order, confirm=confirm, reason=read_reason(reason)))
        except BadInput as error:
            return error.status, error.field
        except Passed:
            pass
        return 200, ""

    return post


def archived(shop: Shop, module: Any) -> RestoreOrder:
    """An order of what a backup holds, which was shown."""

    async def read_order(_: RestoreOrder) -> Any:
        return SimpleNamespace(sha256="s", objects=[])

    async def passed(*_: object, **__: object) -> None:
        raise Passed

    shown = SimpleNamespace(nonce="n", sha256="s", effects={}, loses=False)
    shop.monkeypatch.setattr(module, "archive_shown", lambda *_: shown)
    shop.monkeypatch.setattr(module, "read_order", read_order if module is restore else passed)
    shop.monkeypatch.setattr(restore, "begin_restore", passed)
    return RestoreOrder(transport=shop.api, actor=shop.actor, archive="a.tar", choice=Choice())


async def of_restore(shop: Shop) -> Post:
    return begun(archived(shop, restore), lambda order: restore_begin(order, "token"))


async def of_drill(shop: Shop) -> Post:
    return begun(archived(shop, drill), lambda order: drill_begin(order, "token"))


async def of_backup(shop: Shop) -> Post:
    order = BackupOrder(transport=shop.api, actor=shop.actor, asked=Asked())
    token = sign(Shown(**_facts(order), nonce="n"), SALT)
    return begun(order, lambda order: backup_begin(order, token))


NEW = settings_map("new")["metadata"]["name"]
# By the name of the address: how it is asked, and what has to be typed.
WRITES: dict[str, tuple[Callable[[Shop], Awaitable[Post]], str]] = {
    "action": (of_action, "web"),
    "undo": (of_undo, "web"),
    "bulk": (of_bulk, "1"),
    "create": (of_yaml, NEW),
    "create_form": (of_new_object, NEW),
    "restore": (of_restore, "dev"),
    "drill": (of_drill, "dev"),
    "backup": (of_backup, "dev"),
    "operation_resume": (of_resume, NEW),
}


def test_every_address_that_does_something_is_known_as_one_that_asks_or_as_free() -> None:
    assert WRITES.keys() | FREE.keys() == IN_STEPS | AT_ONCE.keys()
    assert not WRITES.keys() & FREE.keys()


# What is typed to resume each operation: what was when it began. Here each is about "web", or about namespace "shop".
RESUMED = dict.fromkeys(("rotate", "replace", "drain", "create-all"), "web") | {
    "restore": "shop",
    "velero-restore": "shop",
    "drill": "dev",
    "backup": "dev",
    f"{BULK}scale": "3",
}


async def test_each_operation_knows_what_is_typed_to_resume_it() -> None:
    every = {each.name: each for each in ACTIONS if isinstance(each, OperationAction)}
    every[f"{BULK}scale"] = Bulk(action_named("scale", "deployments"), action_named)
    user = await User.objects.acreate(username="mara")
    asked = {}
    for name, action in every.items():
        change = await Change.objects.acreate(
            nonce=name, state=Change.State.DONE, user=user, context="dev", action=name, plural="deployments",
            kind="Deployment", namespace="shop", name="web", uid=name, result={"namespaces": ["shop"], "count": 3},
        )  # fmt: skip
        operation = await Operation.objects.acreate(change=change, steps=[])
        asked[name] = await sync_to_async(action.to_confirm)(operation)
    assert asked == RESUMED


@pytest_asyncio.fixture
async def shop(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Shop:
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path)
    client, user = AsyncClient(), await User.objects.acreate(username="mara")
    await client.aforce_login(user)
    return Shop(client, user, monkeypatch)


@pytest.mark.parametrize("route", WRITES)
async def test_in_production_it_asks_for_the_name_and_for_a_reason(
    shop: Shop, settings: Any, route: str
) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["dev"]
    begin, name = WRITES[route]
    post = await begin(shop)
    assert await post() == await post(confirm="another", reason="why") == (422, "confirm")
    assert await post(confirm=name) == await post(confirm=name, reason=" ") == (422, "reason")
    assert await post(confirm=name, reason="why") == (200, "")


@pytest.mark.parametrize("route", WRITES)
async def test_elsewhere_it_asks_for_neither(shop: Shop, route: str) -> None:
    post = await WRITES[route][0](shop)
    assert await post() == (200, "")
