"""The forms of Secrets: what they make, what is said of it, and that nothing of a value is ever said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.actions.newobjects.checks import checked
from dashboard.actions.newobjects.form import HIDDEN, Checks, Look
from dashboard.actions.newobjects.registry import new_object
from dashboard.actions.newobjects.secrets import DOCKER_HUB, NEW_SECRETS, NewSecret
from dashboard.actions.newobjects.typed import read_form, start
from dashboard.queries.yamltext import as_yaml

from ..insight.world import NOW, World
from ..kinds.test_keypairs import certificate, key_of, pem
from .server import Server

HERE = {"name": ["shop"], "namespace": ["shop"]}
CANARY = "hunter2-canary"


def form(variant: str) -> NewSecret:
    found = new_object("secrets", variant)
    assert isinstance(found, NewSecret) and found.variant == variant
    return found


def made(variant: str, **typed: str) -> dict[str, Any]:
    sent = HERE | {name: [text] for name, text in typed.items()}
    reading = read_form(form(variant), sent)
    assert not reading.wrong and not reading.missing
    return form(variant).manifests(reading.values)[0]


async def looked(variant: str, *more: tuple[str, dict[str, Any]], **typed: str) -> Checks:
    world = World(("namespaces", {"metadata": {"name": "shop"}}), *more)
    world.reading("namespaces", "secrets", *form(variant).reads)
    transport: Any = Server("namespaces", {"metadata": {"name": "shop"}})
    sent = start(form(variant), HERE) | {name: [text] for name, text in typed.items()}
    values = read_form(form(variant), sent).values
    look = Look(values=values, objects=world, transport=transport, now=NOW)
    return await checked(form(variant), read_form(form(variant), sent), look)


def said(checks: Checks, place: str) -> tuple[str, str]:
    verdict = checks.verdicts[place]
    return verdict.state, verdict.text


def test_an_address_with_a_type_that_is_none_shows_the_first_form() -> None:
    assert new_object("secrets", "nonsense") is new_object("secrets") is NEW_SECRETS[0]


def test_each_type_has_the_keys_that_kubernetes_wants_of_it() -> None:
    chain, key = certificate("shop"), pem(key_of("shop"))
    tls = made("tls", certificate=chain.replace("\n", "\r\n"), key=key)
    assert (tls["type"], tls["stringData"]) == ("kubernetes.io/tls", {"tls.crt": chain, "tls.key": key})
    basic = made("basic-auth", username="mara", password=" p w ")
    assert basic["type"] == "kubernetes.io/basic-auth"
    assert basic["stringData"] == {"username": "mara", "password": " p w "}
    ssh = made("ssh-auth", privatekey="-----BEGIN OPENSSH PRIVATE KEY-----\nx")
    assert (ssh["type"], [*ssh["stringData"]]) == ("kubernetes.io/ssh-auth", ["ssh-privatekey"])
    opaque = made("opaque", **{"data.key": "a", "data.value": "b\r\nc", "immutable": "true"})
    assert opaque == {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": "shop"}, "type": "Opaque",
        "stringData": {"a": "b\nc"}, "immutable": True,
    }  # fmt: skip


def test_a_registry_gets_the_json_that_kubectl_writes() -> None:
    secret = made("registry", server="registry.example.com", username="mara", password="pä:ss")
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert secret["stringData"] == {
        ".dockerconfigjson": '{"auths":{"registry.example.com":{"username":"mara","password":"pä:ss",'
        '"auth":"bWFyYTpww6Q6c3M="}}}'
    }


@pytest.mark.parametrize("one", NEW_SECRETS, ids=lambda one: one.variant)
async def test_nothing_of_a_value_is_shown_or_said(one: NewSecret) -> None:
    typed = {each.name: CANARY for each in one.entries if not each.columns}
    typed |= {"data.key": "a", "data.value": CANARY} if one.variant == "opaque" else {}
    sent = HERE | {name: [text] for name, text in typed.items()}
    reading = read_form(one, sent)
    shown = "".join(map(as_yaml, one.manifests(one.hidden(reading.draft))))
    assert CANARY not in shown and HIDDEN in shown
    # It is sent, though: hiding changes nothing of what was typed.
    assert CANARY in str(one.manifests(reading.draft))
    checks = await looked(one.variant, **typed)
    assert CANARY not in str(checks) + str(reading.wrong)


async def test_a_pair_that_belongs_together_says_whose_it_is() -> None:
    checks = await looked("tls", certificate=certificate("shop", by="ca"), key=pem(key_of("shop")))
    assert said(checks, "key") == ("ok", "The key belongs to the certificate.")
    state, text = said(checks, "certificate")
    assert state == "warn" and "It names no host" in text and "issued by CN=ca" in text
    assert checks.refusal() is None


async def test_a_key_of_another_certificate_is_refused_at_the_key() -> None:
    checks = await looked("tls", certificate=certificate("shop"), key=pem(key_of("other")))
    refusal = checks.refusal()
    assert refusal is not None and refusal.field == "key" and "does not belong" in refusal.message


async def test_a_key_in_the_place_of_the_certificate_is_refused_there() -> None:
    checks = await looked("tls", certificate=pem(key_of("shop")), key=pem(key_of("shop")))
    assert said(checks, "certificate")[0] == "bad"
    assert "key" not in checks.verdicts, "beside no certificate, a key is only read"
    assert checks.refusal() is not None


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (timedelta(days=-1), "It expired on"),
        (timedelta(days=10), "It expires soon"),
        (timedelta(days=80), ""),
    ],
)
async def test_how_long_it_is_valid_is_told(after: timedelta, words: str) -> None:
    chain = certificate("shop", names=("shop.example.com",), until=NOW + after)
    state, text = said(await looked("tls", certificate=chain), "certificate")
    assert (state == "warn") is bool(words) and words in text


async def test_an_ingress_that_waits_for_it_with_another_host_is_told() -> None:
    ingress = {
        "metadata": {"name": "front", "namespace": "shop"},
        "spec": {"tls": [{"secretName": "shop", "hosts": ["shop.example.com", "www.example.com"]}]},
    }
    chain = certificate("shop", names=("shop.example.com",))
    checks = await looked("tls", ("ingresses", ingress), certificate=chain)
    assert [notice.title for notice in checks.notices] == ["It is not for www.example.com"]
    assert any("front" in str(effect.text) for effect in checks.effects)


async def test_a_registry_starts_with_docker_hub_and_says_who_uses_it() -> None:
    assert start(form("registry"), {})["server"] == [DOCKER_HUB]
    checks = await looked("registry", username="mara:x", password="p")
    assert said(checks, "username")[0] == "bad"
    assert "imagePullSecrets" in checks.notices[0].text


async def test_keys_of_which_one_is_there_twice_are_refused_at_their_row() -> None:
    sent = HERE | {"data.key": ["a", "a"], "data.value": ["1", "2\n"]}
    opaque = form("opaque")
    reading = read_form(opaque, sent)
    transport: Any = Server("namespaces", {"metadata": {"name": "shop"}})
    world = World(("namespaces", {"metadata": {"name": "shop"}})).reading(
        "namespaces", "secrets", *opaque.reads
    )
    checks = await checked(
        opaque, reading, Look(values=reading.values, objects=world, transport=transport, now=NOW)
    )
    assert said(checks, "data-1") == ("bad", "The key a is there twice.")


async def test_a_value_that_ends_with_a_line_break_is_told() -> None:
    state, text = said(await looked("opaque", **{"data.key": "a", "data.value": "secret\n"}), "data-0")
    assert state == "warn" and "line break" in text
