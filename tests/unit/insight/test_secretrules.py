"""What a value must be for the type of its Secret."""

from __future__ import annotations

import pytest

from dashboard.insight.protocols import unlisted
from dashboard.insight.secretrules import unintended_end, value_flaw

from ..kinds.test_certificates import PEM
from .world import World

KEY = b"-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n"
SSH = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("Opaque", "tls.crt", b"anything"),
        ("kubernetes.io/tls", "tls.crt", PEM),
        ("kubernetes.io/tls", "tls.key", KEY),
        ("kubernetes.io/tls", "ca.crt", b"another key"),
        ("kubernetes.io/ssh-auth", "ssh-privatekey", SSH),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", b' {"auths": {}} '),
        ("kubernetes.io/basic-auth", "password", b"x"),
        ("bootstrap.kubernetes.io/token", "token-secret", b"0123456789abcdef"),
        ("bootstrap.kubernetes.io/token", "description", b"For new nodes"),
    ],
)
def test_what_fits_is_taken(kind: str, key: str, value: bytes) -> None:
    assert value_flaw(kind, key, value) == ""


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        ("kubernetes.io/tls", "tls.crt", b"no certificate", "not a PEM certificate"),
        ("kubernetes.io/tls", "tls.crt", KEY, "not a PEM certificate"),
        ("kubernetes.io/tls", "tls.key", PEM, "not a PEM private key"),
        ("kubernetes.io/ssh-auth", "ssh-privatekey", b"ssh-ed25519 AAAA", "not an SSH private key"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", b"[]", "not a JSON object"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", b"\xff", "not a JSON object"),
        ("kubernetes.io/dockercfg", ".dockercfg", b"{", "not a JSON object"),
        ("bootstrap.kubernetes.io/token", "token-secret", b"0123456789ABCDEF", "16 lowercase letters"),
        ("bootstrap.kubernetes.io/token", "token-secret", b"0123456789abcdef\n", "16 lowercase letters"),
        ("bootstrap.kubernetes.io/token", "token-id", b"abcdef", "create a new token"),
    ],
)
def test_what_would_make_it_useless_is_said(kind: str, key: str, value: bytes, words: str) -> None:
    assert words in value_flaw(kind, key, value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"secret", ""),
        (b"two words", ""),
        (b"secret\n", "It ends with a line break"),
        (b"secret\r\n", "It ends with a line break"),
        (b"secret ", "It ends with whitespace"),
        (b" secret", "It begins with whitespace"),
        (b"several\nlines\n", ""),
        (b"\n", ""),
        (b"", ""),
    ],
)
def test_a_blank_that_is_easily_pasted_with_a_password_is_noticed(value: bytes, words: str) -> None:
    assert unintended_end(value) == words


def test_kinds_that_may_not_be_listed_are_told_from_those_that_are_empty() -> None:
    class Knowing(World):
        def knows(self, plural: str, namespace: str) -> bool | None:
            return {"jobs": None, "pods": False}.get(plural, True)

    assert unlisted(Knowing(), {"pods", "jobs", "deployments"}, "shop") == ("jobs",)
    assert unlisted(World(), {"pods", "jobs"}, "shop") == ()
