"""Whatever kinds somebody may list: no preview, one object or many, names an object that they may not,
unless an object that they may list names it itself; and each is the same without the objects that they may not.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.registry import ACTIONS, actions_of
from dashboard.errors import Forbidden, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kube.access import PATH
from dashboard.kube.transport import Response
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.session import Identity
from dashboard.queries.yamltext import as_yaml
from dashboard.views import viewer

from ..live.test_hidden_objects import EVERY, OBJECTS, Lister, Sees, named, opened, timeless
from ..live.test_hidden_objects import cluster as cluster  # a fixture
from ..live.test_isolation import answer
from .test_every_action import TRIED

pytestmark = pytest.mark.django_db(transaction=True)

MARK = {"labels": {"marked": "yes"}}
# What is typed where the example of an action is about another object.
TYPED: dict[str, dict[str, str]] = {"rollback": {"revision": "1"}, "expand": {"size": "2Gi"}}
_GROUPS = 4
SIGHTS = {
    **{
        f"all but {' and '.join(hidden)}": Sees(EVERY - frozenset(hidden))
        for hidden in (sorted(EVERY)[at::_GROUPS] for at in range(_GROUPS))
    },
    **{
        f"{plural} alone": Sees(frozenset({plural})) for plural in ("pods", "deployments", "nodes", "secrets")
    },
    "all in shop": Sees(EVERY, "shop"),
    "deployments and configmaps in shop": Sees(frozenset({"deployments", "configmaps"}), "shop"),
}


class Cluster(Lister):
    """An API server that lets somebody do anything to what they may list, and tries changes without making any."""

    async def request(self, method: str, target: Any, **asked: Any) -> Response:
        if target == PATH:
            spec = json.loads(asked["body"])["spec"]["resourceAttributes"]
            return answer({"status": {"allowed": self.sees.may(spec["resource"], spec["namespace"])}})
        if not isinstance(target, GVR):
            return await super().request(method, target, **asked)
        namespace, name = asked.get("namespace") or "", asked.get("name")
        if not self.sees.may(target.plural, namespace):
            raise Forbidden(f"You may not {method} {target.plural}.")
        found = [
            whole(plural, made)
            for plural, made in self.sees.objects
            if plural == target.plural and (not namespace or made["metadata"].get("namespace") == namespace)
        ]
        sent = json.loads(asked.get("body") or b"{}")
        if name is None and method == "GET":
            return answer({"items": found, "metadata": {}})
        if method == "POST" and asked.get("subresource") is None:
            assert (asked.get("query") or {}).get("dryRun") == "All", "a preview writes nothing"
            sent["metadata"] |= {"uid": "new", "resourceVersion": "1"}
            return answer(sent)
        one = next((each for each in found if each["metadata"]["name"] == name), None)
        if one is None:
            raise NotFound(f"{target.plural} {name} not found")
        if method == "PATCH" and isinstance(sent, dict):
            merge(one, sent)
        return answer(one)


def merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


def whole(plural: str, made: dict[str, Any]) -> dict[str, Any]:
    """An object as the API server has it."""
    kind = KINDS[plural]
    version = f"{kind.gvr.group}/{kind.gvr.version}" if kind.gvr.group else kind.gvr.version
    name = made["metadata"]["name"]
    meta = {"uid": f"{plural}-{name}", "resourceVersion": "7", **made["metadata"]}
    more: dict[str, Any] = {"type": "Opaque", "data": {"password": "b2xk"}} if plural == "secrets" else {}
    found: dict[str, Any] = json.loads(
        json.dumps({"apiVersion": version, "kind": kind.kind, **made, **more, "metadata": meta})
    )
    return found


def typed_for(action: str, plural: str, made: dict[str, Any]) -> dict[str, str]:
    """What somebody could type into the form of an action on this object."""
    if action == "edit" and plural != "configmaps":
        edited = whole(plural, made)
        edited["metadata"] |= MARK
        return {"yaml": as_yaml(edited)}
    tried = TRIED.get(f"{action} {plural}") or TRIED.get(action)
    typed = TYPED.get(action) or (dict(tried.typed) if tried else {})
    return typed | {"confirm": made["metadata"]["name"]}


def previews(sees: Sees) -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of each form and what is typed into it."""
    for plural, made in sees.objects:
        meta = made["metadata"]
        namespace = meta.get("namespace", "")
        if namespace == "bank" and sees.room != "bank":
            continue  # the one in the first says the same
        for action in actions_of(KINDS[plural]):
            typed = typed_for(action.name, plural, made)
            yield f"/c/dev/{plural}/{namespace or '-'}/{meta['name']}/{action.name}/", typed
            if action.many:
                objects = [f"{namespace or '-'}/{meta['name']}"]
                objects += [
                    each.replace("shop/zq", "bank/yb").replace("qz", "by") for each in objects if namespace
                ]
                objects = objects if sees.may(plural, "bank") else objects[:1]
                yield (
                    f"/c/dev/bulk/{plural}/{action.name}/",
                    typed | {"object": objects, "confirm": len(objects)},
                )


@pytest_asyncio.fixture
async def mara(monkeypatch: pytest.MonkeyPatch, cluster: ClusterRuntime) -> AsyncIterator[AsyncClient]:
    monkeypatch.setattr(
        ClusterRuntime, "_transport_of", lambda _, identity: Cluster(Sees.of(identity.account))
    )
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    yield made


async def said(mara: AsyncClient, path: str, typed: dict[str, Any]) -> tuple[int, str]:
    """A preview for scripts, and how the page has it."""
    script = await mara.post(f"{path}?format=json", typed | {"step": "preview"})
    page = await mara.post(
        path, typed | {"step": "preview"}, headers={"HX-Request": "true", "HX-Target": "preview"}
    )
    assert max(script.status_code, page.status_code) < 500, (path, script.content, page.content)
    found = f"{script.content.decode()}\n{page.content.decode()}"
    chance = r'"token": "[^"]*"|name="token"\s+value="[^"]*"|(?<=-manual-)\w{5}\b'
    return script.status_code, re.sub(chance, "", timeless(found))


@pytest.mark.parametrize("sight", SIGHTS)
async def test_a_preview_names_what_may_be_seen_and_depends_on_nothing_else(
    mara: AsyncClient, cluster: ClusterRuntime, monkeypatch: pytest.MonkeyPatch, sight: str
) -> None:
    sees = SIGHTS[sight]
    written = json.dumps([made for _, made in sees.objects])
    hidden = {name for *_, made in OBJECTS if (name := made["metadata"]["name"]) not in written}

    async def identity(*_: object) -> Identity:
        return Identity("mara", sees.account)

    monkeypatch.setattr(viewer, "identity_of", identity)
    less, wrong, worked = await opened(sees), [], 0
    for path, typed in previews(sees):
        answers = []
        for one in (cluster, less):
            monkeypatch.setattr(runtime, "open", lambda _, one=one: one)
            answers.append(await said(mara, path, typed))
        (status, first), (_, other) = answers
        worked += status == 200
        wrong += [f"{path} tells {name}: …{around(first, name)}…" for name in hidden if name in first]
        if first != other:
            at = next(at for at, (a, b) in enumerate(zip(first, f"{other} ", strict=False)) if a != b)
            wrong.append(
                f"{path}: …{first[max(0, at - 200) : at + 200]}… without: …{other[max(0, at - 20) :][:220]}…"
            )
    await less.close()
    assert not wrong, "\n".join(wrong)
    assert worked, "not one of them is a preview"


def around(text: str, name: str) -> str:
    at = text.index(name)
    return text[max(0, at - 160) :][:240]


def test_every_action_is_previewed_on_something() -> None:
    asked = {path.split("/")[-2] for path, _ in previews(Sees(EVERY)) if "/bulk/" not in path}
    assert asked >= {action.name for action in ACTIONS if any(map(action.fits, KINDS.values()))}
    assert named("pods") in {path.split("/")[-3] for path, _ in previews(Sees(EVERY))}
