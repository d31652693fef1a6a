"""What is encrypted in the dashboard's own database, each for one purpose: neither a stolen database nor its backup is
anybody's way into a cluster.

The key is derived from ``SECRET_KEY`` for the purpose alone. What was sealed with one of ``SECRET_KEY_FALLBACKS`` can
still be read, and what is sealed now is sealed with the key of now: so keys are rotated.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

__all__ = ["KeyLost", "is_sealed_anew", "seal", "unseal"]


class KeyLost(Exception):
    """It was sealed with another key, for another purpose, or was altered since."""


def seal(purpose: bytes, plain: bytes) -> str:
    return _cipher(settings.SECRET_KEY, purpose).encrypt(plain).decode()


def unseal(purpose: bytes, sealed: str) -> bytes:
    """Raises KeyLost for what none of the keys opens."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    try:
        return MultiFernet([_cipher(key, purpose) for key in keys]).decrypt(sealed.encode())
    except (InvalidToken, UnicodeEncodeError) as error:
        raise KeyLost from error


def is_sealed_anew(purpose: bytes, sealed: str) -> bool:
    """Whether the key of now opens it: no older one is needed for it any more."""
    try:
        _cipher(settings.SECRET_KEY, purpose).decrypt(sealed.encode())
    except (InvalidToken, UnicodeEncodeError):
        return False
    return True


@lru_cache(maxsize=16)
def _cipher(secret_key: str, purpose: bytes) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())
    return Fernet(urlsafe_b64encode(derived))
