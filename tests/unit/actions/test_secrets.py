"""What a rotation makes of a value, and that nothing it gives out holds one."""

from __future__ import annotations

import base64
import json
import logging
import shlex
import threading
import traceback
from html import escape
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core import signing
from multidict import CIMultiDict

from dashboard.actions import rotate
from dashboard.actions.action import Actor, Order
from dashboard.actions.backups import METADATA_ONLY, backup_name, backup_of, mark, marks_of
from dashboard.actions.replace_secret import REPLACE_SECRET
from dashboard.actions.rotate import ROTATE, Rotate, read_value
from dashboard.actions.rotate_words import notices, rotate_command
from dashboard.actions.token import SALT
from dashboard.errors import BadInput, FieldCause, Forbidden, Invalid
from dashboard.kube import hiding
from dashboard.kube.transport import Response
from dashboard.models import AuditEntry, Change
from tests import acting

from ..insight.world import World, deployment
from ..kinds.test_keypairs import certificate, key_of, pem

OLD, NEW = "s3cret-old-value", 's3cret-"new"\nvalue'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**values: str) -> dict[str, Any]:
    meta = {
        "name": "database",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "1",
        "annotations": {"a": OLD},
    }
    return {"metadata": meta, "type": "Opaque", "data": {key: b64(value) for key, value in values.items()}}


@pytest.mark.parametrize(
    ("typed", "encoding", "value"),
    [
        ("a\r\nb \n", "text", b"a\nb \n"),
        ("a\r\nb", "", b"a\r\nb"),
        ("  spaces stay  ", "text", b"  spaces stay  "),
        (base64.b64encode(b"\0\xff\r\n").decode(), "base64", b"\0\xff\r\n"),
        ("å", "text", "å".encode()),
    ],
)
def test_the_bytes_that_were_meant(typed: str, encoding: str, value: bytes) -> None:
    assert read_value(typed, encoding) == value


@pytest.mark.parametrize(
    ("typed", "encoding", "field"),
    [
        ("", "text", "value"),
        ("hunter2!", "base64", "value"),
        ("x" * (2**20 + 1), "", "value"),
        ("x", "rot13", "encoding"),
    ],
)
def test_what_cannot_be_names_its_field_and_never_repeats_the_value(
    typed: str, encoding: str, field: str
) -> None:
    with pytest.raises(BadInput) as error:
        read_value(typed, encoding)
    assert error.value.field == field
    assert "hunter2" not in "".join(traceback.format_exception(error.value)).replace("typed = ", "")


def test_several_keys_are_read_each_as_it_was_sent() -> None:
    typed = {
        "value.user": "shop", "value.password": "a\r\nb", "encoding.password": "text", "value.tls.crt": b64("x"),
        "encoding.tls.crt": "base64", "value.unchanged": "", "job": "hook",
    }  # fmt: skip
    values = {"user": b64("shop"), "password": b64("a\nb"), "tls.crt": b64("x")}
    assert ROTATE.read(typed) == {"values": values, "job": "hook"}
    both = {"key": "user", "value": "shop", "value.password": "p"}
    assert ROTATE.read(both)["values"] == {"user": b64("shop"), "password": b64("p")}
    with pytest.raises(BadInput) as error:
        ROTATE.read({"value.user": "shop", "value.password": "hunter2!", "encoding.password": "base64"})
    assert error.value.field == "value.password" and "hunter2" not in str(error.value)


def test_of_several_keys_the_one_at_fault_is_named() -> None:
    there = secret(password=OLD, user="shop")
    with pytest.raises(BadInput, match="no key 'gone'") as error:
        ROTATE.check(there, {"values": {"user": b64("x"), "gone": b64("x")}})
    assert error.value.field == "value.gone"
    with pytest.raises(BadInput, match="At most 1 MiB") as error:
        ROTATE.check(there, {"values": {"user": b64("x"), "password": b64("x" * 2**20)}})
    assert error.value.field == "value.password"


def test_a_certificate_and_its_key_are_written_at_once_if_they_belong_together() -> None:
    there = secret(**{"tls.crt": "old", "tls.key": "old"}) | {"type": "kubernetes.io/tls"}
    chain, key, stranger = certificate("shop"), pem(key_of("shop")), pem(key_of("other"))
    ROTATE.check(there, {"values": {"tls.crt": b64(chain), "tls.key": b64(key)}})
    with pytest.raises(BadInput, match="does not belong to the certificate") as error:
        ROTATE.check(there, {"values": {"tls.crt": b64(chain), "tls.key": b64(stranger)}})
    assert error.value.field == "value.tls.key"
    titles = [each.title for each in notices("kubernetes.io/tls", {}, ("tls.crt", "tls.key"), keeps=True)]
    assert not titles, "both are written"
    assert [each.title for each in notices("kubernetes.io/tls", {}, ("tls.crt",), keeps=True)]


def test_several_old_values_are_kept_and_known_together() -> None:
    there = secret(password=OLD, user="shop")
    action = Rotate("password", "user")
    back = action.back(there)
    assert back is not None and back["marks"] == marks_of(there, ("password", "user"))
    assert Rotate("password", "gone").back(there) is None, "what was not there can't be brought back"
    assert ROTATE.on(back).keys == ("password", "user")
    earlier = {"key": "password", "mark": "a", "keeps": True}  # as recorded by an earlier version
    assert ROTATE.on(earlier).keys == ("password",)
    change = Change(name="database", uid="u1", inverse={"action": "rotate", "input": back})
    one = Change(name="database", uid="u1", inverse={"action": "rotate", "input": Rotate("user").back(there)})
    assert backup_of(change) != backup_of(one)
    assert backup_of(one) == backup_name("database", mark("u1", "user", b"shop"))
    assert action.words(action.touched(there)) == ("password of 16 bytes and user of 4 bytes")


def test_the_command_for_several_keys_reads_a_file_each() -> None:
    command = rotate_command("shop", "database", ["password", "user"])
    line = shlex.split(
        command.partition(" -p ")[2].replace("$(base64 < new-value.", "(").replace(" | tr -d '\\n')", ")")
    )
    assert json.loads(line[0]) == {"data": {"password": "(password)", "user": "(user)"}}


def test_a_mark_tells_the_same_value_of_the_same_key_of_the_same_secret_only() -> None:
    same = mark("u1", "password", b"x")
    assert same == mark("u1", "password", b"x")
    assert (
        len({same, mark("u2", "password", b"x"), mark("u1", "user", b"x"), mark("u1", "password", b"y")}) == 4
    )


def test_touched_values_are_sizes_and_keyed_marks(settings: Any) -> None:
    touched = Rotate("password").touched(secret(password=OLD))
    assert touched["/data/password"]["bytes"] == len(OLD)
    settings.SECRET_KEY = "another"
    assert Rotate("password").touched(secret(password=OLD)) != touched, (
        "whoever lacks the key can guess nothing"
    )
    assert Rotate("gone").touched(secret(password=OLD)) == {"/data/gone": None}


def test_what_is_shown_holds_names_and_sizes() -> None:
    before = secret(password=OLD, user="shop")
    after = secret(password=NEW, user="shop")
    shown = Rotate("password").shown(before, after)
    assert shown[0]["data"] == {"password": "(16 bytes)", "user": "(4 bytes)"}
    assert shown[1]["data"] == {"password": "(18 bytes), new value", "user": "(4 bytes)"}
    said = repr(shown)
    assert not any(text in said for text in (OLD, NEW, b64(OLD), b64(NEW)))
    assert Rotate("password").shown(before, before)[0] == Rotate("password").shown(before, before)[1]


def test_the_way_back_names_the_backup_and_there_is_none_without_one() -> None:
    back = Rotate("password").back(secret(password=OLD))
    assert back == {"marks": {"password": mark("u1", "password", OLD.encode())}, "keeps": True}
    assert Rotate("password", keeps=False).back(secret(password=OLD)) is None


@pytest.mark.parametrize(
    "quote", [OLD, NEW, b64(OLD), b64(NEW), b64(OLD).rstrip("="), '"s3cret-\\"new\\"\\nvalue"']
)
def test_what_the_cluster_says_is_freed_of_old_and_new_values(quote: str) -> None:
    error = Invalid(f"You wrote {quote}, no.", causes=(FieldCause("data", f"bad {quote}"),))
    Rotate("password").scrub(error, secret(password=OLD), {"values": {"password": b64(NEW)}})
    assert error.message.replace('"', "") == "You wrote (hidden), no."
    assert quote not in str(error) and quote not in error.causes[0].message


def test_what_led_to_an_error_is_freed_as_well_and_so_is_one_line_of_a_value() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhki\n-----END PRIVATE KEY-----\n"
    error = Forbidden("no")
    error.__cause__ = Forbidden(f"webhook: {OLD}: line 2: MIIEvQIBADANBgkqhki is bad")
    Rotate("password").scrub(error, secret(password=OLD), {"values": {"password": b64(key)}})
    assert str(error.__cause__) == "webhook: (hidden): line 2: (hidden) is bad"


@pytest.mark.parametrize("spell", [quote, escape, json.dumps])
def test_a_value_is_hidden_however_it_is_escaped(spell: Any) -> None:
    value = 'pä"ss <&> wörd/+'
    error = Invalid(f"no: {spell(value)}")
    Rotate("password").scrub(error, secret(password=value), {})
    assert error.message.replace('"', "") == "no: (hidden)"


def test_a_backup_has_a_name_that_kubernetes_takes_however_long_its_secret_has() -> None:
    digest = mark("u1", "password", b"x")
    assert backup_name("database", digest) == f"database-backup-{digest[:12]}"
    assert len(backup_name("x" * 253, digest)) <= 253
    assert "." not in backup_name("x" * 199 + ".y", digest)[190:205]


class Api:
    """One Secret; what is sent is kept, and the write that is no dry run breaks in a way nobody foresaw."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
        self.sent: list[tuple[str, str, bytes]] = []

    async def request(
        self,
        method: str,
        target: Any,
        *,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        accept: str = "",
        **_: Any,
    ) -> Response:
        if isinstance(target, str):
            return Response(200, b'{"status": {"allowed": true}}', {})
        if method == "GET" and target.plural == "serviceaccounts":
            return Response(200, b'{"items": []}', {})
        if method != "GET":
            self.sent.append((method, accept, body))
            if method == "PATCH" and "dryRun" not in (query or {}):
                raise RuntimeError("nobody foresaw this")
            return Response(200, json.dumps({"kind": "P", "metadata": secret()["metadata"]}).encode(), {})
        return Response(200, json.dumps(secret(password=OLD)).encode(), {})


@pytest.mark.django_db(transaction=True)
async def test_a_break_in_the_middle_leaves_no_value_in_traceback_token_or_database() -> None:
    api: Any = Api()
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "database", "key": "password"}
    shown = await acting.preview(ROTATE, **what, value=NEW, objects=World())
    with pytest.raises(RuntimeError) as error:
        await acting.apply(ROTATE, **what, value=NEW, token=shown.token)
    assert [(method, accept) for method, accept, _ in api.sent] == [
        ("POST", METADATA_ONLY), ("PATCH", METADATA_ONLY),  # both dry
        ("PATCH", METADATA_ONLY), ("POST", METADATA_ONLY), ("PATCH", METADATA_ONLY),
    ]  # fmt: skip
    said = logging.Formatter().formatException((error.type, error.value, error.tb))
    changes = [row async for row in Change.objects.values()]
    rows = [*changes, *[row async for row in AuditEntry.objects.values()]]
    token = json.dumps(signing.loads(shown.token, salt=SALT))
    for place in (said, repr(rows), token, repr(shown)):
        assert not any(text in place for text in (OLD, NEW, b64(OLD), b64(NEW), json.dumps(NEW)[1:-1]))
    assert rows and "nobody foresaw" in said and "mark" in token


@pytest.mark.django_db(transaction=True)
async def test_a_rule_that_refuses_the_backup_and_quotes_it_leaves_no_value_in_error_or_audit() -> None:
    class Ruled(Api):
        async def request(self, method: str, target: Any, **given: Any) -> Response:
            ruled = method == "POST" and not isinstance(target, str)
            if ruled and (dry or "dryRun" not in given["query"]):
                raise Forbidden(f"no copies of {OLD}, {b64(OLD)}")
            return await super().request(method, target, **given)

    api: Any = Ruled()
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "database", "key": "password"}
    dry = True
    without = await acting.preview(ROTATE, **what, value=NEW, objects=World())
    assert without.told.danger
    assert "no copies of (hidden), (hidden)" in next(
        each.text for each in without.told.notices if each.title == "You won't be able to undo this"
    )
    told = repr(without) + json.dumps(signing.loads(without.token, salt=SALT))
    assert not any(text in told for text in (OLD, b64(OLD), NEW, b64(NEW)))
    dry = False
    shown = await acting.preview(ROTATE, **what, value=NEW, objects=World())
    assert not shown.told.danger
    with pytest.raises(Forbidden, match="could not be kept") as error:
        await acting.apply(ROTATE, **what, value=NEW, token=shown.token)
    said = logging.Formatter().formatException((error.type, error.value, error.tb))
    audit = [row async for row in AuditEntry.objects.values()]
    assert "no copies of (hidden)" in said and audit[0]["result"] == "refused"
    assert not any(text in said + repr(audit) for text in (OLD, b64(OLD), NEW, b64(NEW)))


@pytest.mark.django_db(transaction=True)
async def test_values_are_looked_for_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of lines has a quarter of a million spellings."""

    class Ruled(Api):
        async def request(self, method: str, target: Any, **given: Any) -> Response:
            if method == "PATCH":
                raise Forbidden(f"no {OLD}")
            return await super().request(method, target, **given)

    here, threads = threading.current_thread(), list[threading.Thread]()
    scrub = type(ROTATE).scrub

    def noted(*given: Any) -> None:
        threads.append(threading.current_thread())
        scrub(*given)

    monkeypatch.setattr(type(ROTATE), "scrub", noted)
    api: Any = Ruled()
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "database", "key": "password"}
    with pytest.raises(Forbidden, match="hidden"):
        await acting.preview(ROTATE, **what, value=NEW, objects=World())
    assert threads and here not in threads


@pytest.mark.django_db(transaction=True)
async def test_a_value_is_checked_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a certificate it may be a megabyte of names."""
    here, threads = threading.current_thread(), list[threading.Thread]()
    monkeypatch.setattr(
        rotate, "value_flaw", lambda *_: threads.append(threading.current_thread()) or "It is nothing."
    )
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {
        "transport": Api(),
        "actor": actor,
        "namespace": "shop",
        "name": "database",
        "key": "password",
    }
    with pytest.raises(BadInput, match="It is nothing"):
        await acting.preview(ROTATE, **what, value=NEW, objects=World())
    assert threads and here not in threads


@pytest.mark.django_db(transaction=True)
async def test_the_spellings_of_values_are_made_once_for_all_warnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Warning_(Api):
        async def request(self, method: str, target: Any, **given: Any) -> Response:
            answer = await super().request(method, target, **given)
            said = [("Warning", f'299 - "no {at} {OLD}"') for at in range(5)]
            return Response(answer.status, answer.body, CIMultiDict(said)) if method == "PATCH" else answer

    spelled, spellings = list[str](), hiding._spellings
    monkeypatch.setattr(hiding, "_spellings", lambda value: spelled.append(value) or spellings(value))
    api: Any = Warning_()
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "database", "key": "password"}
    told = (await acting.preview(ROTATE, **what, value=NEW, objects=World())).told
    warned = [notice.text for notice in told.notices if "API server warns" in notice.title]
    assert warned == [f"no {at} (hidden)" for at in range(5)]
    assert len(spelled) == len(set(spelled))


def test_a_secret_of_many_keys_is_checked_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work was that of the keys there times the keys that were typed."""
    data = {f"key-{at}": b64(OLD) for at in range(3000)}
    calls, decode = list[str](), base64.b64decode

    def counted(text: str, *more: Any, **given: Any) -> bytes:
        calls.append(text)
        return decode(text, *more, **given)

    monkeypatch.setattr(base64, "b64decode", counted)
    manifest = {"metadata": {"name": "many"}, "type": "Opaque", "data": data}
    REPLACE_SECRET.check(manifest, {"values": dict.fromkeys(data, b64(NEW))})
    assert len(calls) <= 3 * len(data)
    with pytest.raises(BadInput, match="At most 1 MiB") as error:
        REPLACE_SECRET.check(manifest, {"values": {"key-1": b64(NEW), "key-2": b64("x" * 2**20)}})
    assert error.value.field == "value.key-2"


def test_what_is_asked_for_and_what_is_answered_hold_no_value_in_their_repr() -> None:
    order: Any = {"transport": None, "actor": None, "target": None, "action": Rotate("password")}
    assert b64(NEW) not in repr(Order(**order, wanted={"values": {"password": b64(NEW)}}))
    assert OLD not in repr(Response(200, OLD.encode(), {}))


@pytest.mark.django_db(transaction=True)
async def test_where_only_a_paused_deployment_reads_it_the_headline_says_that_it_keeps_the_old_value() -> (
    None
):
    """“Nothing has to be restarted” would say that everybody has the new value."""
    api: Any = Api()
    actor = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    what: Any = {"transport": api, "actor": actor, "namespace": "shop", "name": "database", "key": "password"}
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}]
    reader = deployment("web", paused=True, template={"containers": [{"name": "app", "env": env}]})
    told = (await acting.preview(ROTATE, **what, value=NEW, objects=World(("deployments", reader)))).told
    assert told.headline is not None and told.headline.state == "warn"
    assert told.headline.title == "The new value is written, and web keeps the value before"
    assert "web will keep the old value" in [notice.title for notice in told.notices]
