"""What a page says of a Secret: names, sizes and public parts for each type, and no value."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.errors import NotFound
from dashboard.kinds.certificates import read_certificate
from dashboard.kube.transport import Response
from dashboard.queries import secrets as module
from dashboard.queries.secrets import SecretParts, certificate_of, secret_parts, secret_value

from .kinds.test_certificates import PEM

NOW = datetime(2026, 12, 1, tzinfo=UTC)


class Api:
    def __init__(self, kind: str, values: dict[str, bytes]) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        self.body = json.dumps({"metadata": {"resourceVersion": "7"}, "type": kind, "data": data}).encode()

    async def request(self, *_: Any, **__: Any) -> Response:
        return Response(200, self.body, {})


async def parts(kind: str, now: datetime = NOW, **values: bytes) -> SecretParts:
    api: Any = Api(kind, {key.replace("__", "."): value for key, value in values.items()})
    return await secret_parts(api, "shop", "x", now)


async def test_opaque_is_names_and_sizes() -> None:
    found = await parts("Opaque", b=b"12345", a=b"")
    assert [(key.name, key.size) for key in found.keys] == [("a", 0), ("b", 5)]
    assert found.facts == () and "12345" not in repr(found)


async def test_a_certificate_shows_its_public_part_and_when_it_ends() -> None:
    found = await parts(
        "kubernetes.io/tls", tls__crt=PEM, tls__key=b"-----BEGIN PRIVATE KEY-----\nhidden-key"
    )
    facts = {fact.label: fact for fact in found.facts}
    assert facts["Certificate of"].value == "C=SE, O=Shöp, CN=shop.example"
    assert "*.shop.example" in facts["Names"].value and facts["Issued by"].value == "itself (self-signed)"
    assert facts["Expires"].state == "ok" and facts["Expires"].until is not None
    assert "hidden-key" not in repr(found)
    certificate = read_certificate(PEM)
    assert certificate is not None
    for before, state, words in (
        (timedelta(days=10), "warn", "10 days left"),
        (timedelta(hours=23), "warn", "less than a day left"),
        (-timedelta(days=1), "bad", "has expired"),
    ):
        later = await parts("kubernetes.io/tls", certificate.not_after - before, tls__crt=PEM, tls__key=b"k")
        ends = next(fact for fact in later.facts if fact.label == "Expires")
        assert (ends.state, ends.value) == (state, words)


async def test_each_type_says_what_it_is_and_what_is_missing() -> None:
    assert await registries("registry.example") == "1 registry"
    assert await registries("https://index.docker.io/v1/", "ghcr.io") == "ghcr.io, index.docker.io"
    assert await registries("b.example", "quay.io", "a.example") == "quay.io, 2 further registries"
    ssh = await parts(
        "kubernetes.io/ssh-auth", **{"ssh-privatekey": b"-----BEGIN OPENSSH PRIVATE KEY-----\nhidden"}
    )
    assert ssh.facts[0].value == "OPENSSH format" and "hidden" not in repr(ssh)
    basic = await parts("kubernetes.io/basic-auth", username=b"mara")
    assert basic.facts[0].label == "Missing" and "mara" not in repr(basic)
    assert basic.keys[0].what == "user name"
    for broken in (b"", b"\xff", b"[]", b'{"auths": 3}'):
        found = await parts("kubernetes.io/dockerconfigjson", **{"__dockerconfigjson": broken})
        assert found.facts[-1].state == "warn"
    nothing = await parts("kubernetes.io/tls", tls__crt=b"junk", tls__key=b"k")
    assert nothing.facts[0].state == "bad"


async def registries(*hosts: str) -> str:
    auths = json.dumps({"auths": {host: {"auth": "aGlkZGVu"} for host in hosts}}).encode()
    found = await parts("kubernetes.io/dockerconfigjson", **{"__dockerconfigjson": auths})
    assert "aGlkZGVu" not in repr(found)
    ((label, value),) = [(fact.label, fact.value) for fact in found.facts]
    assert label == "Registries"
    return value


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("kubernetes.io/ssh-auth", "ssh-privatekey", "-----BEGIN CANARY PRIVATE KEY-----"),
        ("kubernetes.io/ssh-auth", "ssh-privatekey", "-----BEGIN RSA CANARY PRIVATE KEY-----"),
        ("kubernetes.io/tls", "tls.key", "-----BEGIN CANARY PRIVATE KEY-----"),
        ("kubernetes.io/tls", "tls.crt", "-----BEGIN CANARY-----\nCANARY"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", '{"auths": {"CANARY": {}}}'),
        (
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            '{"auths": {"u:p@CANARY": {}, "ghcr.io": {}}}',
        ),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", '{"auths": {"CANARY.docker.io": {}}}'),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", '{"auths": {"ghcr.io:CANARY": {}}}'),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", '{"CANARY": {"CANARY": 1}}'),
        ("kubernetes.io/dockercfg", ".dockercfg", '{"CANARY": {}}'),
        ("kubernetes.io/basic-auth", "username", "CANARY"),
        ("kubernetes.io/service-account-token", "token", "CANARY.CANARY.CANARY"),
        ("bootstrap.kubernetes.io/token", "token-id", "CANARY"),
    ],
)
async def test_nothing_of_a_value_is_shown_that_is_not_a_known_word(kind: str, key: str, value: str) -> None:
    found = await parts(kind, **{key.replace(".", "__"): value.encode()})
    assert "CANARY" not in repr(found)


async def test_one_value_is_given_and_a_key_that_is_not_there_is_not_repeated() -> None:
    api: Any = Api("Opaque", {"a": b"\0binary"})
    assert await secret_value(api, "shop", "x", "a") == b"\0binary"
    with pytest.raises(NotFound):
        await secret_value(api, "shop", "x", "b")


async def test_a_certificate_is_read_where_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def read(_pem: bytes) -> None:
        seen.append(threading.get_ident())

    monkeypatch.setattr(module, "read_certificate", read)
    api: Any = Api("kubernetes.io/tls", {"tls.crt": PEM})
    await secret_parts(api, "shop", "x", NOW)
    await certificate_of(api, "shop", "x")
    assert len(seen) == 2 and threading.get_ident() not in seen
