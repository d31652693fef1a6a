"""Every refusal of something that somebody tries to do is in the audit once, wherever it was raised."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.core.exceptions import TooManyFieldsSent
from django.db import DatabaseError
from django.http import HttpRequest
from django.test import AsyncClient, RequestFactory
from django.urls import get_resolver, resolve

from dashboard import errors
from dashboard.actions import attempts as attempts_module
from dashboard.actions.newobjects.registry import new_object
from dashboard.actions.problems import BadReason, NoWayBack, StaleView, UnderWay, Unrecorded, Unsettled
from dashboard.actions.registry import ACTIONS, action_named
from dashboard.kinds import KINDS as REGISTERED
from dashboard.live.runtime import runtime
from dashboard.live.session import Identity
from dashboard.models import AuditEntry, Change
from dashboard.views import (
    actions,
    backup,
    bulk,
    changes,
    create,
    editor,
    form,
    newobject,
    objectform,
    operations,
    recovery,
    replace,
    reveal,
    versions,
)
from dashboard.views.attempts import AT_ONCE, IN_STEPS, reason_of

from ..insight.world import World
from .test_access import patterns

pytestmark = pytest.mark.django_db(transaction=True)

OBJECT = "/c/dev~2F1/{plural}/shop/web/{action}/"
# By name; by name and kind for those that share one.
NAMED = Counter(action.name for action in ACTIONS)
OFFERED = {
    action.name if NAMED[action.name] == 1 else f"{action.name} {plural}": plural
    for action in ACTIONS
    if (plural := next((plural for plural, kind in REGISTERED.items() if action.fits(kind)), ""))
}
ROUTES = {name: OBJECT.format(plural=plural, action=name.split()[0]) for name, plural in OFFERED.items()} | {
    "reveal": OBJECT.format(plural="secrets", action="reveal"),
    "bulk": "/c/dev~2F1/bulk/deployments/scale/",
    "undo": "/changes/7/undo/",
    "operation_stop": "/changes/7/stop/",
    "operation_resume": "/changes/7/resume/",
    "operation_leave": "/changes/7/leave/",
    "allow_changes": "/clusters/dev~2F1/allow/",
    "forbid_changes": "/clusters/dev~2F1/read-only/",
    "create": "/c/dev~2F1/create/",
    "create_form": "/c/dev~2F1/create/services/",
    "backup": "/c/dev~2F1/recovery/backup/",
    "restore": "/c/dev~2F1/recovery/restore/",
    "drill": "/c/dev~2F1/recovery/drill/",
}
# What carries an action out, in the module of its view.
APPLIES: dict[str, tuple[Any, str]] = dict.fromkeys(OFFERED, (form, "change_apply")) | {
    "create": (create, "creation_apply"),
    "create_form": (create, "creation_apply"),
    "edit configmaps": (editor, "configmap_edit_apply"),
    "replace configmaps": (replace, "configmap_replace_apply"),
    "reveal": (reveal, "secret_reveal"),
    "bulk": (bulk, "bulk_apply"),
    "backup": (backup, "backup_begin"),
    "restore": (recovery, "restore_begin"),
    "drill": (recovery, "drill_begin"),
    "undo": (changes, "change_undo_apply"),
    "operation_stop": (operations, "operation_stop"),
    "operation_resume": (operations, "operation_resume"),
    "operation_leave": (operations, "operation_leave"),
    "versions": (versions, "configmap_save"),
}
# Routes by which nothing is done to a cluster, nor allowed.
SHOWN = {
    "access", "audit", "audit_verify", "capacity", "certificates", "change", "changes", "cluster_add", "cluster_look",
    "cluster_remove", "cluster_rules", "clusters", "columns", "counts",
    "detail", "field_kinds", "fields", "healthz", "home", "list", "log_download", "log_line", "login",
    "login_link", "login_oidc", "login_oidc_callback", "login_password", "login_token", "logout", "map", "metrics",
    "offers", "operation", "overview", "people", "people_remove", "plugin", "postmortem", "readyz",
    "recovery", "resilience", "search", "sessions",
    "sessions_end", "timeline", "value", "values", "version",
}  # fmt: skip
STEPS = {*OFFERED, "backup", "bulk", "create", "create_form", "drill", "restore", "undo"}
TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}"
KINDS = {
    "read-only": errors.ReadOnly("canary"),
    "missing permission": errors.Forbidden("canary", verb="patch"),
    "immutable": errors.Invalid("canary"),
    "deleted": errors.NotFound("canary"),
    "changed meanwhile": StaleView("canary", was="1", now="2"),
    "another conflict": errors.Conflict("canary"),
    "undone already": NoWayBack("canary"),
    "under way": UnderWay("canary", 1),
    "over a limit": errors.BadInput("canary", field="replicas"),
    "a stale token": errors.BadInput("canary", field="token"),
    "a wrong name": errors.BadInput("canary", field="confirm"),
    "a budget": errors.Protected("canary"),
    "not signed in there": errors.Unauthenticated("canary"),
    "busy": errors.TooManyRequests("canary"),
    "away": errors.Unavailable("canary"),
}


def test_every_route_is_known_as_one_that_does_something_or_one_that_shows_something() -> None:
    names = {str(each.name) for each in patterns(get_resolver())}
    assert names - SHOWN == IN_STEPS | set(AT_ONCE) == set(ROUTES) - set(OFFERED) | {"action"}
    assert set(APPLIES) == set(ROUTES) - {"allow_changes", "forbid_changes"}


def posted(path: str, **typed: str | list[str]) -> HttpRequest:
    request = RequestFactory().post(path, {name.replace("__", "."): text for name, text in typed.items()})
    request.resolver_match = resolve(path)
    return request


YAML = """
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {username: deployer, password: "%s"}
data: {tls.crt: Y2VydGlmaWNhdGU=, more: %s}
"""
VALUE = "canary-value"
SECRETS = {
    "a user and a password": ("/c/dev/create/secrets/", {"username": "deployer", "password": VALUE}),
    "a registry": (
        "/c/dev/create/secrets/",
        {"server": "registry.dev", "username": "deployer", "password": VALUE},
    ),
    "a certificate": ("/c/dev/create/secrets/", {"certificate": "deployer", "key": VALUE}),
    "keys and values": (
        "/c/dev/create/secrets/",
        {"data__key": ["username", "password", ""], "data__value": ["deployer", VALUE, ""]},
    ),
    "a key that is rotated": ("/c/dev/secrets/shop/db/rotate/", {"key": "password", "value": VALUE}),
    "YAML": ("/c/dev/create/", {"yaml": YAML % (VALUE, b64encode(b"more-canary").decode())}),
}


@pytest.mark.parametrize("case", SECRETS)
def test_a_reason_may_say_what_anybody_may_know_and_no_value(case: str) -> None:
    path, typed = SECRETS[case]
    told = "the account of deployer in registry.dev, its certificate"
    assert reason_of(posted(path, **typed, reason=told)) == told
    for value in (VALUE, "more-canary")[: 2 if case == "YAML" else 1]:
        with pytest.raises(BadReason, match="holds the new value"):
            reason_of(posted(path, **typed, reason=f"now it is {value}"))


def test_a_user_name_that_is_rotated_may_be_said() -> None:
    path, typed = "/c/dev/secrets/shop/db/rotate/", {"key": "username", "value": "deployer"}
    assert reason_of(posted(path, **typed, reason="deployer is its own account")) != ""


@pytest_asyncio.fixture
async def client(settings: Any, tmp_path: Any) -> AsyncClient:
    settings.STATIC_ROOT = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    made = AsyncClient(raise_request_exception=True)
    user = await User.objects.acreate(username="mara")
    await Change.objects.acreate(
        pk=7, nonce="n", user=user, context="dev/1", action="rotate", plural="secrets", kind="Secret",
        namespace="shop", name="web", state=Change.State.DONE, touched={"/data/password": [None, None]},
    )  # fmt: skip
    await made.aforce_login(user)
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of which nothing is asked: what a form would show is refused, too."""

    def screen(
        _: object, __: object, plural: str = "", namespace: str = "", name: str = "", action: str = ""
    ) -> Any:
        return SimpleNamespace(
            kind=REGISTERED[plural],
            namespace=namespace,
            name=name,
            action=action_named(action, plural),
            plurals=frozenset(),
            session=cluster.session(None),
            runtime=cluster,
        )

    @asynccontextmanager
    async def listed(*_: object) -> AsyncIterator[None]:
        yield

    async def no_page(*_: Any, **__: Any) -> Any:
        raise errors.NotFound("the page")

    async def knows(*_: object, **__: object) -> None:
        return None

    context = SimpleNamespace(name="dev/1", slug="dev~2F1")
    cluster: Any = SimpleNamespace(cluster=context, kinds=REGISTERED, knows=knows)
    cluster.discovery = SimpleNamespace(known=knows)
    cluster.session = lambda _: SimpleNamespace(
        identity=Identity("mara"), cluster=cluster, transport=None, reader=World()
    )
    monkeypatch.setattr(runtime, "open", lambda _: cluster)
    monkeypatch.setattr(actions, "action_screen", screen)
    monkeypatch.setattr(bulk, "BulkFormScreen", lambda *given: screen(*given[:3], action=given[3]))
    monkeypatch.setattr(changes, "UndoScreen", screen)
    one = SimpleNamespace(session=cluster.session(None))
    monkeypatch.setattr(create, "CreateScreen", lambda *_: one)
    filled = SimpleNamespace(session=cluster.session(None), form=new_object("services"), source=("",))
    monkeypatch.setattr(newobject, "NewObjectScreen", lambda *_: filled)

    async def order(_: object) -> Any:
        return SimpleNamespace(identities=())

    monkeypatch.setattr(recovery.RecoveryForm, "_order", order)
    monkeypatch.setattr(backup.BackupForm, "_order", order)
    monkeypatch.setattr(backup, "BackupFormScreen", lambda *_: one)
    for view in (backup, recovery):
        monkeypatch.setattr(view, "listing", listed)
    for name in ("RecoveryFormScreen", "DrillFormScreen"):
        monkeypatch.setattr(recovery, name, lambda *_: one)
    for module in (actions, bulk, changes, create, newobject):
        monkeypatch.setattr(module, "listed", listed)
    for module, name in (
        (form, "change_preview"), (form, "change_form"), (form, "page"),
        (editor, "configmap_edit_preview"), (replace, "configmap_replace_preview"),
        (changes, "change_undo_preview"), (create, "changes_required"),
        (newobject, "changes_required"), (newobject, "checked"), (bulk, "bulk_preview"), (bulk, "page"),
        (objectform, "change_read"), (recovery, "restore_preview"), (recovery, "drill_preview"),
        (backup, "backup_preview"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, no_page)


def fields(action: str) -> dict[str, str]:
    given = {"key": "password", "value": "canary-secret-value", "replicas": "3", "token": "t", "yaml": TEXT}
    given |= {"min": "1", "max": "3", "cpu": "60", "size": "2Gi", "object": "shop/web"}
    given |= {"version": "1", "image.app": "app:2", "env.app": "A=b", "requests_cpu.app": "1"}
    given |= {"value.password": "canary-secret-value", "new_name": "web-2"}
    given |= {"name": "web", "namespace": "shop", "ports.port": "80"}
    return given | ({"step": "apply"} if action in STEPS else {})


async def entries() -> list[AuditEntry]:
    return [each async for each in AuditEntry.objects.order_by("pk")]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", APPLIES)
async def test_a_refused_apply_is_audited(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, action: str, kind: str
) -> None:
    async def refuse(**_: Any) -> Any:
        raise KINDS[kind]

    monkeypatch.setattr(*APPLIES[action], refuse)
    response = await client.post(ROUTES[action], fields(action), headers={"HX-Target": "preview"})
    assert response.status_code >= 400
    (entry,) = await entries()
    about = (
        ("", "")
        if action in ("backup", "bulk", "create", "create_form", "drill", "restore")
        else ("shop", "web")
    )
    assert (entry.user_name, entry.context, entry.namespace, entry.name) == ("mara", "dev/1", *about)
    assert entry.action == {
        "bulk": "bulk-scale", "create_form": "create", "undo": "rotate",
        "operation_stop": "stop restarts", "operation_resume": "resume restarts",
        "operation_leave": "leave restarts",
    }.get(action, AT_ONCE.get(action, action.split()[0]))  # fmt: skip
    assert entry.result == ("failed" if kind in ("busy", "away") else "refused")
    assert entry.detail == str(KINDS[kind])
    assert entry.change is None  # it is no part of the change's own history


@pytest.mark.parametrize("action", ROUTES)
async def test_what_is_refused_before_anything_began_is_audited_too(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    def gone(_: str) -> Any:
        raise errors.NotFound("No context is called so.")

    async def under_way(**_: Any) -> None:
        raise errors.Conflict("No context is called so.")

    for name in ("open", "named"):
        monkeypatch.setattr(runtime, name, gone)
    for name in ("operation_stop", "operation_leave"):  # these ask no cluster
        monkeypatch.setattr(operations, name, under_way)
    await client.post(ROUTES[action], fields(action), headers={"HX-Target": "preview"})
    (entry,) = await entries()
    assert (entry.result, entry.context) == ("refused", "dev/1")
    assert "No context is called so." in entry.detail


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("action", sorted(STEPS))
async def test_a_preview_and_a_look_try_nothing(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    def gone(_: str) -> Any:
        raise errors.NotFound("No context is called so.")

    monkeypatch.setattr(runtime, "open", gone)
    await client.post(ROUTES[action], {"step": "preview"}, headers={"HX-Target": "preview"})
    await client.get(ROUTES[action], headers={"HX-Target": "preview"})
    assert await entries() == []


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("action", ["rotate", "scale", "undo"])
async def test_a_secrets_value_is_in_no_refusal_whoever_repeats_it(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    async def refuse(**_: Any) -> Any:
        raise errors.Invalid("a rule of the cluster says: canary-secret-value is too short")

    monkeypatch.setattr(*APPLIES[action], refuse)
    response = await client.post(ROUTES[action], fields(action), headers={"HX-Target": "preview"})
    (entry,) = await entries()
    assert "canary-secret-value" not in entry.detail + response.content.decode()
    assert "is too short" in entry.detail


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "name", ["data.value", "username", "password", "certificate", "key", "privatekey", "server"]
)
async def test_what_is_typed_into_a_form_for_secrets_is_in_no_refusal(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def refuse(**_: Any) -> Any:
        raise errors.Invalid(
            "a rule of the cluster says: first line\nsecond is too short, canary-last as well"
        )

    monkeypatch.setattr(*APPLIES["create_form"], refuse)
    typed = fields("create_form") | {
        name: ["first line\r\nsecond", "canary-last"],
        "reason": "canary-last",
    }
    response = await client.post("/c/dev~2F1/create/secrets/", typed, headers={"HX-Target": "preview"})
    (entry,) = await entries()
    heard = entry.detail + response.content.decode()
    assert not any(each in heard for each in ("first line", "second", "canary-last"))
    known = name in ("certificate", "server", "username")
    assert entry.reason == ("canary-last" if known else ""), "of a reason that is no secret's it is kept"


@pytest.mark.usefixtures("opened")
async def test_what_is_typed_into_a_form_for_anything_else_is_quoted(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(**_: Any) -> Any:
        raise errors.Invalid("a rule of the cluster says: port-name is too short")

    monkeypatch.setattr(*APPLIES["create_form"], refuse)
    typed = fields("create_form") | {"key": "port-name", "data.value": "port-name"}
    await client.post(ROUTES["create_form"], typed, headers={"HX-Target": "preview"})
    (entry,) = await entries()
    assert "port-name is too short" in entry.detail


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("error", [Unsettled("lost"), Unrecorded("made, not recorded")])
async def test_what_was_sent_is_not_called_refused(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, error: errors.ClusterError
) -> None:
    async def fail(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(form, "change_apply", fail)
    await client.post(ROUTES["scale"], fields("scale"), headers={"HX-Target": "preview"})
    assert await entries() == []


@pytest.mark.usefixtures("opened")
async def test_a_refusal_that_cannot_be_recorded_is_still_shown(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(**_: Any) -> Any:
        raise errors.Conflict("canary")

    def broken(*_: Any) -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(form, "change_apply", refuse)
    monkeypatch.setattr(attempts_module, "_write", broken)
    response = await client.post(ROUTES["scale"], fields("scale"), headers={"HX-Target": "preview"})
    assert response.status_code == 409 and "canary" in response.content.decode()


async def test_a_form_over_djangos_own_limits_and_an_address_of_any_length_are_audited(
    client: AsyncClient, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    many = {f"f{at}": "1" for at in range(9)} | {"step": "apply"}
    response = await client.post(f"/c/dev/deployments/shop/{'n' * 900}/scale/", many)
    assert response.status_code >= 400
    (entry,) = await entries()
    assert (entry.action, entry.result, len(entry.name)) == ("scale", "refused", 253)
    request = RequestFactory().post("/", many)
    with pytest.raises(TooManyFieldsSent):
        request.POST.get("step")
