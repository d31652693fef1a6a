"""A Secret's values, as the user, for the moment in which they are needed, and what may be said of them without.

Nothing here is kept: what leaves this module is names, sizes and public parts, and the one value that was asked for.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dashboard.errors import NotFound
from dashboard.kinds.base import State
from dashboard.kinds.certificates import Certificate, read_certificate
from dashboard.kinds.rows import plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.transport import Transport

SOON_DAYS = 30  # Let's Encrypt and cert-manager renew a certificate this long before its end
_KEY_FORMAT = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----")
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
    """What a page may show of a Secret."""

    resource_version: str
    keys: tuple[SecretKey, ...]
    facts: tuple[SecretFact, ...]
    immutable: bool


async def secret_parts(transport: Transport, namespace: str, name: str, now: datetime) -> SecretParts:
    """Names, sizes and public parts. Raises NotFound, Forbidden and what else the API server says."""
    found = await _read(transport, namespace, name)
    kind = str(found.get("type", "Opaque"))
    values = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
    words = _WORDS.get(kind, {})
    return SecretParts(
        str(found["metadata"]["resourceVersion"]),
        tuple(SecretKey(key, len(value), words.get(key, "")) for key, value in sorted(values.items())),
        tuple(_facts(kind, values, now)),
        bool(found.get("immutable")),
    )


async def certificate_of(transport: Transport, namespace: str, name: str) -> Certificate | None:
    """The public part of the certificate in a Secret; None when it holds none that can be read.

    Raises NotFound, Forbidden and what else the API server says.
    """
    found = await _read(transport, namespace, name)
    return read_certificate(base64.b64decode((found.get("data") or {}).get("tls.crt", "")))


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


async def _read(transport: Transport, namespace: str, name: str) -> dict[str, Any]:
    response = await transport.request("GET", SECRETS.gvr, namespace=namespace, name=name)
    return msgspec.json.decode(response.body, type=dict[str, Any])


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
            match = _KEY_FORMAT.search(values.get("ssh-privatekey", b""))
            said = f"{match[1].decode().strip() or 'PKCS#8'} format" if match else "Not a private key in PEM"
            facts.append(SecretFact("Private key", said, "ok" if match else "warn"))
        case "kubernetes.io/dockerconfigjson":
            facts += _registries(values.get(".dockerconfigjson", b""))
        case "kubernetes.io/basic-auth":
            facts.append(SecretFact("For", "Signing in with a user name and a password"))
    return facts


def _certificate(pem: bytes, now: datetime) -> list[SecretFact]:
    found = read_certificate(pem)
    if found is None:
        return [SecretFact("Certificate", "Cannot be read: there is no certificate in PEM in tls.crt", "bad")]
    days = (found.not_after - now).days
    state: State = "bad" if found.not_after <= now else "warn" if days < SOON_DAYS else "ok"
    words = "has expired" if found.not_after <= now else f"{plural(days, 'day')} left"
    facts = [
        SecretFact("Certificate of", found.subject or "nobody by name"),
        SecretFact(
            "Good for",
            ", ".join(found.names) or "no names: browsers refuse it",
            "ok" if found.names else "warn",
        ),
        SecretFact("Issued by", "itself" if found.self_signed else found.issuer),
        SecretFact("Expires", words, state, found.not_after),
    ]
    if found.not_before > now:
        facts.append(SecretFact("Not good before", "", "bad", found.not_before))
    return facts


def _registries(raw: bytes) -> list[SecretFact]:
    try:
        hosts = list(msgspec.json.decode(raw, type=dict[str, dict[str, Any]]).get("auths", {}))
    except (msgspec.DecodeError, UnicodeDecodeError):
        hosts = []
    if not hosts:
        return [SecretFact("Registries", "None can be read from it", "warn")]
    return [SecretFact("Registries", ", ".join(hosts))]
