"""Until when what is shown in a handshake or a header holds, as it says itself. Nothing is verified."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime
from typing import Any

import msgspec

from dashboard.kinds.certificates import read_certificate
from dashboard.kube.credentials import Credential

__all__ = ["certificate_expiry", "credential_expiry", "token_expiry"]


def certificate_expiry(der: bytes) -> datetime | None:
    """Of a server's certificate, as DER; None where none was seen."""
    return _not_after(ssl.DER_cert_to_PEM_cert(der).encode()) if der else None


def credential_expiry(credential: Credential) -> datetime | None:
    """The first of its certificate's and its token's; None where neither says."""
    token = token_expiry(credential.authorization.removeprefix("Bearer "))
    return min(filter(None, (_not_after(credential.certificate), token)), default=None)


def token_expiry(token: str) -> datetime | None:
    """Of a JSON Web Token; None of another one, and of one that does not say. It decides nothing but when to ask for
    another one, and what is told.
    """
    try:
        _, payload, _ = token.split(".")
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=="))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None


def _not_after(pem: bytes) -> datetime | None:
    found = read_certificate(pem) if pem else None
    return None if found is None else found.not_after
