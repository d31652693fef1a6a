"""Tokens, certificates and passwords out of a kubeconfig and the files that it names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.errors import Unauthenticated
from dashboard.kube.config import Connection
from dashboard.kube.credentials import Credential, FileCredentials, OidcCredentials


class Clock:
    now = 0.0


def credentials(**user: Any) -> FileCredentials:
    Clock.now = 0.0
    return FileCredentials(user, clock=lambda: Clock.now)


@pytest.mark.parametrize(
    ("user", "authorization"),
    [
        ({}, ""),
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"token": "abc", "username": "u"}, "Bearer abc"),
    ],
)
async def test_the_authorization_header(user: dict[str, Any], authorization: str) -> None:
    assert (await credentials(**user).get()).authorization == authorization


async def test_a_token_file_wins_over_a_token_and_is_read_again_every_minute(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    source = credentials(token="other", tokenFile=str(path))
    assert (await source.get()).authorization == "Bearer first"
    path.write_text("second\n")
    Clock.now = 59.0
    assert (await source.get()).authorization == "Bearer first"
    Clock.now = 60.0
    assert (await source.get()).authorization == "Bearer second"


async def test_after_a_401_files_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    source = credentials(tokenFile=str(path))
    used = await source.get()
    assert not source.refused(used)  # nothing new: asking again would not help
    path.write_text("second")
    assert source.refused(used)
    assert (await source.get()).authorization == "Bearer second"


async def test_certificates_come_from_data_before_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"KEY")
    data = base64.b64encode(b"CERT").decode()
    source = credentials(
        **{
            "client-certificate-data": data,
            "client-certificate": "/nowhere",
            "client-key": str(tmp_path / "key"),
        }
    )
    credential = await source.get()
    assert (credential.certificate, credential.key) == (b"CERT", b"KEY")


async def test_a_missing_file_is_named() -> None:
    with pytest.raises(
        Unauthenticated, match=r"tokenFile of the kubeconfig cannot be read: /no/token: No such file"
    ):
        await credentials(tokenFile="/no/token").get()


async def test_data_that_is_not_base64_is_said_and_not_quoted() -> None:
    with pytest.raises(Unauthenticated) as caught:
        await credentials(**{"client-key-data": "canary"}).get()
    assert "client-key-data" in caught.value.message
    assert "canary" not in caught.value.message


def test_a_credentials_repr_is_silent() -> None:
    assert "canary" not in repr(Credential("Bearer canary", b"canary", b"canary"))


async def test_an_openid_connect_token_that_lasts_is_used() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4102444800}).encode()).decode().rstrip("=")
    token = f"header.{claims}.signature"
    provider = {"name": "oidc", "config": {"id-token": token}}
    source = OidcCredentials(Connection(cluster={}, user={"auth-provider": provider}))
    credential = await source.get()
    assert credential.authorization == f"Bearer {token}"
    assert not source.refused(credential)


async def test_without_any_openid_connect_token_one_has_to_sign_in() -> None:
    source = OidcCredentials(Connection(cluster={}, user={"auth-provider": {"name": "oidc", "config": {}}}))
    with pytest.raises(Unauthenticated):
        await source.get()
