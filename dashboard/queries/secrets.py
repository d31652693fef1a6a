"""A Secret's values, as the user, for the moment in which they are needed, and what may be said of them without.

Nothing here is kept: what leaves this module is names, sizes and public parts, and the one value that was asked for.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dashboard.errors import NotFound
from dashboard.insight.secretrules import ACCOUNT_KIND, PRIVATE_KEY
from dashboard.kinds.base import State
from dashboard.kinds.certificates import Certificate, read_certificate
from dashboard.kinds.duration import long_span
from dashboard.kinds.rows import plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

SOON_DAYS = 30  # Let's Encrypt and cert-manager renew a certificate this long before its end
_EXPECTED = {
    "kubernetes.io/basic-auth": ("username", "password"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key and the size of its value; ``what`` is a word for it where its Secret's type tells."""

    name: str
    size: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class SecretFact:
    """Something public about a Secret. ``until`` is a moment that the page ticks."""

    label: str
    value: str
    state: State = "ok"
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretParts:
    """What a page may show of a Secret. ``fixed`` says why no key can be rotated, "" when each can."""

    resource_version: str
    keys: tuple[SecretKey, ...]
    facts: tuple[SecretFact, ...]
    fixed: str


async def secret_parts(transport: Transport, namespace: str, name: str, now: datetime) -> SecretParts:
    """Names, sizes and public parts. Raises NotFound, Forbidden and what else the API server says."""
    return await off_loop(_parts, await _read(transport, namespace, name), now)


def _parts(found: dict[str, Any], now: datetime) -> SecretParts:
    kind = str(found.get("type", "Opaque"))
    values = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
    words = _WORDS.get(kind, {})
    return SecretParts(
        str(found["metadata"]["resourceVersion"]),
        tuple(SecretKey(key, len(value), words.get(key, "")) for key, value in sorted(values.items())),
        tuple(_facts(kind, values, now)),
        _fixed(found),
    )


async def certificate_of(transport: Transport, namespace: str, name: str) -> Certificate | None:
    """The public part of the certificate in a Secret; None when it holds none that can be read.

    Raises NotFound, Forbidden and what else the API server says.
    """
    found = await _read(transport, namespace, name)
    pem = base64.b64decode((found.get("data") or {}).get("tls.crt", ""))
    return await off_loop(read_certificate, pem)


async def secret_value(transport: Transport, namespace: str, name: str, key: str) -> bytes:
    """The value of one key, as it is at this moment. Raises NotFound, Forbidden and what else the API server says."""
    found = await _read(transport, namespace, name)
    data = found.get("data") or {}
    if key not in data:
        raise NotFound(
            f"Secret {name} has no key of that name.", next_step="Load the page again to see its keys."
        )
    return base64.b64decode(data[key])


_WORDS = {
    "kubernetes.io/basic-auth": {"username": "user name", "password": "password"},
    "kubernetes.io/ssh-auth": {"ssh-privatekey": "private SSH key"},
    "kubernetes.io/tls": {"tls.crt": "certificate, public", "tls.key": "private key"},
    "kubernetes.io/dockerconfigjson": {".dockerconfigjson": "sign-in at image registries"},
}


# What a value says of itself is shown only where it is one of these words: everything else may be the secret.
_KEY_FORMATS = {
    b"": "PKCS#8 format",
    b"ENCRYPTED": "PKCS#8 format, encrypted",
    b"OPENSSH": "OPENSSH format",
    b"RSA": "RSA format",
    b"EC": "EC format",
    b"DSA": "DSA format",
}
_REGISTRIES = frozenset({
    "docker.io", "gcr.io", "ghcr.io", "index.docker.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io",
    "registry.gitlab.com", "registry.k8s.io", "registry.redhat.io",
})  # fmt: skip


def _fixed(found: dict[str, Any]) -> str:
    if found.get("immutable"):
        return "It is immutable"
    if found.get("type") == ACCOUNT_KIND:
        return "Kubernetes issues its token"
    return "" if found.get("data") else "There is no key to rotate"


async def _read(transport: Transport, namespace: str, name: str) -> dict[str, Any]:
    response = await transport.request("GET", SECRETS.gvr, namespace=namespace, name=name)
    return read_object(response.body)


def _facts(kind: str, values: dict[str, bytes], now: datetime) -> list[SecretFact]:
    facts = [
        SecretFact("Missing", f"A Secret of this type should have a key {key}", "warn")
        for key in _EXPECTED.get(kind, ())
        if not values.get(key)
    ]
    match kind:
        case "kubernetes.io/tls":
            facts += _certificate(values.get("tls.crt", b""), now)
        case "kubernetes.io/ssh-auth":
            facts.append(_private_key(values.get("ssh-privatekey", b"")))
        case "kubernetes.io/dockerconfigjson":
            facts += _registries(values.get(".dockerconfigjson", b""))
        case "kubernetes.io/basic-auth":
            facts.append(SecretFact("For", "Signing in with a user name and a password"))
    return facts


def _private_key(value: bytes) -> SecretFact:
    match = PRIVATE_KEY.search(value)
    if match is None:
        return SecretFact("Private key", "Not a PEM private key", "warn")
    return SecretFact("Private key", _KEY_FORMATS.get(match[1].strip(), "Unknown format"))


def _certificate(pem: bytes, now: datetime) -> list[SecretFact]:
    found = read_certificate(pem)
    if found is None:
        return [SecretFact("Certificate", "Cannot be read: there is no certificate in PEM in tls.crt", "bad")]
    days = (found.not_after - now).days
    state: State = "bad" if found.not_after <= now else "warn" if days < SOON_DAYS else "ok"
    words = "has expired" if found.not_after <= now else f"{long_span(days)} left"
    facts = [
        SecretFact("Certificate of", found.subject or "nobody by name"),
        SecretFact(
            "Names",
            ", ".join(found.names) or "no names: browsers refuse it",
            "ok" if found.names else "warn",
        ),
        SecretFact("Issued by", "itself (self-signed)" if found.self_signed else found.issuer),
        SecretFact("Expires", words, state, found.not_after),
    ]
    if found.not_before > now:
        facts.append(SecretFact("Not valid before", "", "bad", found.not_before))
    return facts


def _registries(raw: bytes) -> list[SecretFact]:
    try:
        hosts = list(msgspec.json.decode(raw, type=dict[str, dict[str, Any]]).get("auths", {}))
    except (msgspec.DecodeError, UnicodeDecodeError):
        hosts = []
    if not hosts:
        return [SecretFact("Registries", "None can be read from it", "warn")]
    known = sorted({_host(host) for host in hosts} & _REGISTRIES)
    others = sum(_host(host) not in _REGISTRIES for host in hosts)
    more = "further " if known else ""
    counted = [plural(others, f"{more}registry", f"{more}registries")] if others else []
    return [SecretFact("Registries", ", ".join(known + counted))]


def _host(address: str) -> str:
    """``index.docker.io`` of ``https://index.docker.io/v1/``."""
    return address.removeprefix("https://").partition("/")[0].lower()
