"""A value that no variable can hold, written as YAML or restored: the preview says whose new pods do not start."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.action import Actor, Order, Preview, Target
from dashboard.actions.creation_preview import Creation, creation_preview
from dashboard.actions.edit_any import EDIT_ANY
from dashboard.actions.engine import change_preview
from dashboard.actions.restore_values import with_breaks
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kube.transport import Response
from dashboard.recovery.choice import Choice
from dashboard.recovery.holding import Held
from dashboard.recovery.restoring import Planned, Restoring

from ..insight.world import World, deployment
from .server import Server
from .test_creation import Cluster, objects

pytestmark = pytest.mark.django_db(transaction=True)

TEXT, BINARY, NUL = (base64.b64encode(value).decode() for value in (b"text", b"\xff\xfe-canary", b"a\0b"))


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


def secret(value: str, **more: Any) -> dict[str, Any]:
    meta = {"name": "login", "namespace": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "Opaque",
        "data": {"token": value},
        **more,
    }


def settings(**fields: Any) -> dict[str, Any]:
    meta = {"name": "settings", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **fields}


def reader_of(kind: str, *, name: str = "web", every: bool = False, optional: bool = False) -> dict[str, Any]:
    """A Deployment that reads a key as a variable, or all of them."""
    holder, key = ("login", "token") if kind == "secret" else ("settings", "LOG")
    if every:
        container = {"name": "app", "envFrom": [{f"{kind}Ref": {"name": holder}}]}
    else:
        at = {f"{kind}KeyRef": {"name": holder, "key": key, "optional": optional}}
        container = {"name": "app", "env": [{"name": "X", "valueFrom": at}]}
    made = deployment(name, template={"containers": [container]})
    return {"apiVersion": "apps/v1", "kind": "Deployment", **made}


def world(*manifests: dict[str, Any]) -> World:
    return World(*(("deployments", each) for each in manifests))


async def created(mara: Actor, api: Any, reader: Any, *manifests: dict[str, Any]) -> Creation:
    found = await creation_preview(transport=api, actor=mara, objects=objects(*manifests), reader=reader)
    assert found.preview is not None, found.refused
    return found


async def edited(mara: Actor, before: dict[str, Any], after: dict[str, Any], reader: Any) -> Preview:
    meta = {**before["metadata"], "uid": "u", "resourceVersion": "1"}
    api: Any = Server("secrets", before | {"metadata": meta})
    wanted = EDIT_ANY.read({"yaml": json.dumps(after)})
    target = Target.of("dev", KINDS["secrets"], "shop", "login")
    order = Order(transport=api, actor=mara, target=target, action=EDIT_ANY.on(wanted), wanted=wanted)
    return await change_preview(order=order, objects=reader)


def said(shown: Preview) -> str:
    told = shown.told
    heads = [told.headline] if told.headline else []
    notices = [f"{each.title}: {each.text}" for each in (*heads, *told.notices)]
    return "\n".join([*notices, *(f"{text_of(each.text)} [{each.state}]" for each in told.effects)])


BROKEN = "New pods of web will not start"


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    ("value", "why"), [(BINARY, "is not UTF-8 text"), (NUL, "holds a NUL byte"), (TEXT, "")]
)
async def test_a_secret_edited_as_yaml(mara: Actor, value: str, why: str, every: bool) -> None:
    shown = await edited(mara, secret("b2xk"), secret(value), world(reader_of("secret", every=every)))
    assert shown.told.danger is bool(why)
    assert (BROKEN in said(shown)) is bool(why) and why in said(shown)
    assert "canary" not in said(shown) and BINARY not in said(shown)


async def test_a_value_that_was_there_before_is_not_told_of_another_key(mara: Actor) -> None:
    before, after = secret(BINARY), secret(BINARY)
    before["data"]["user"], after["data"]["user"] = "b2xk", TEXT
    shown = await edited(mara, before, after, world(reader_of("secret")))
    assert not shown.told.danger


async def test_a_key_that_is_needed_is_removed(mara: Actor) -> None:
    shown = await edited(mara, secret("b2xk"), secret("b2xk", data={}), world(reader_of("secret")))
    assert shown.told.danger and "needs token, which this removes" in said(shown)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("there", [False, True])
async def test_a_secret_created_or_changed_from_yaml(mara: Actor, there: bool, several: bool) -> None:
    api: Any = Cluster(*([secret("b2xk")] if there else []))
    texts = [secret(NUL), *([settings(data={"LOG": "info"})] if several else [])]
    shown = (await created(mara, api, world(reader_of("secret")), *texts)).preview
    assert shown is not None and shown.told.danger and BROKEN in said(shown)
    assert "cannot be given token: it holds a NUL byte" in said(shown)


@pytest.mark.parametrize("namespaced", [False, True])
async def test_who_reads_it_may_be_in_the_same_text(mara: Actor, namespaced: bool) -> None:
    """Also where none of it can be tried yet, as its namespace is in the text too."""

    class Empty(Cluster):
        """Without the namespace, which can be created."""

        async def request(self, method: str, target: Any, **given: Any) -> Any:
            if method != "PATCH" or getattr(target, "plural", "") != "namespaces":
                return await super().request(method, target, **given)
            made = json.loads(given["body"])
            made["metadata"] |= {"uid": "u", "resourceVersion": "1", "managedFields": []}
            return Response(200, json.dumps(made).encode(), {})

    api: Any = Empty() if namespaced else Cluster()
    first = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}] if namespaced else []
    if namespaced:
        api.objects.clear()
    shown = (await created(mara, api, World(), *first, secret(BINARY), reader_of("secret"))).preview
    assert shown is not None and shown.told.danger
    assert "Secret login: New pods of web will not start" in said(shown)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"data": {"LOG": "info"}}, {"binaryData": {"LOG": BINARY}}, "it is in binaryData"),
        (None, {"binaryData": {"LOG": BINARY}}, "it is in binaryData"),
        ({"data": {"LOG": "info"}}, {"data": {"LOG": "a\0b"}}, "holds a NUL byte"),
        ({"data": {"LOG": "info"}}, {"data": {"LOG": "debug"}}, ""),
    ],
)
async def test_a_configmap_from_yaml(
    mara: Actor, before: dict[str, Any] | None, after: dict[str, Any], words: str
) -> None:
    class Replaced(Cluster):
        """What is applied takes the place of what was applied before."""

        async def request(self, method: str, target: Any, **given: Any) -> Any:
            if method == "PATCH" and not isinstance(target, str):
                key = (target.plural, "shop", str(given["name"]))
                kept = self.objects.get(key)
                if kept is not None:
                    self.objects[key] = {k: v for k, v in kept.items() if k not in ("data", "binaryData")}
                try:
                    return await super().request(method, target, **given)
                finally:
                    if kept is not None:
                        self.objects[key] = kept
            return await super().request(method, target, **given)

    api: Any = Replaced(*([settings(**before)] if before else []))
    shown = (await created(mara, api, world(reader_of("configMap")), settings(**after))).preview
    assert shown is not None
    assert shown.told.danger is bool(words) and words in said(shown)
    optional = world(reader_of("configMap", optional=True), reader_of("configMap", name="all", every=True))
    shown = (await created(mara, api, optional, settings(**after))).preview
    assert shown is not None
    moved = before is not None and "binaryData" in after
    assert ("Deployment web loses the variable of LOG [warn]" in said(shown)) is moved
    assert ("Deployment all loses the variable of LOG [warn]" in said(shown)) is moved


# ---- Restored


def held(plural: str, manifest: dict[str, Any]) -> Held:
    gvr = KINDS[plural].gvr
    packed = zlib.compress(json.dumps(manifest).encode())
    return Held(
        group=gvr.group, version=gvr.version, plural=plural, namespace="shop", name=manifest["metadata"]["name"],
        kind=manifest["kind"], skipped="", packed=packed,
    )  # fmt: skip


async def restored(
    manifest: dict[str, Any],
    live: dict[str, Any] | None = None,
    *,
    coming: list[dict[str, Any]] | None = None,
    readers: list[dict[str, Any]] | None = None,
) -> Planned:
    api: Any = Server("secrets", secret(TEXT))
    api.lists["deployments"] = readers or []
    restoring = Restoring(transport=api, choice=Choice(), plurals=dict[tuple[str, str], GVR]())
    plural = f"{manifest['kind'].lower()}s"
    one = held(plural, manifest)
    plan = Planned(
        key=one.key,
        placed=restoring.placed(one),
        does="update" if live else "create",
        live=live,
        made=manifest,
    )
    objects_ = [one, *(held("deployments", each) for each in coming or [])]
    (found,) = await with_breaks(restoring, [plan], objects_)
    return found


@pytest.mark.parametrize("value", [BINARY, NUL])
async def test_a_restored_secret(value: str) -> None:
    found = await restored(secret(value), readers=[reader_of("secret")])
    assert found.breaks == ("Deployment web",)
    assert (
        "Deployment web cannot be given token" in found.text and "its new pods will not start" in found.text
    )
    assert (await restored(secret(value), coming=[reader_of("secret")])).breaks == ("Deployment web",)
    assert (await restored(secret(value), secret(TEXT), readers=[reader_of("secret")])).breaks
    assert not (await restored(secret(TEXT), readers=[reader_of("secret")])).breaks
    assert not (await restored(secret(value))).breaks, "nothing reads it"


async def test_a_restored_configmap_with_its_value_in_the_other_field() -> None:
    after, before = settings(binaryData={"LOG": BINARY}), settings(data={"LOG": "info"})
    found = await restored(after, before, readers=[reader_of("configMap")])
    assert found.breaks == ("Deployment web",) and "it is in binaryData" in found.text
    assert (await restored(before, after, readers=[reader_of("configMap")])).breaks == ()
