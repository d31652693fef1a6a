"""Certificates with their private keys: whether they belong together, and the order of a chain. Pure.

What a server needs is what crypto/tls.X509KeyPair checks for ``kubectl create secret tls``; a chain goes from the
server's certificate to those that vouch for it (RFC 8446, section 4.4.2).
"""

from __future__ import annotations

from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

__all__ = [
    "ENCRYPTED",
    "NOT_A_KEY",
    "NOT_CERTIFICATES",
    "break_in_chain",
    "is_certificates",
    "key_flaw",
]

NOT_CERTIFICATES = "This is not a PEM certificate: it begins with -----BEGIN CERTIFICATE-----."
NOT_A_KEY = "This is not a PEM private key: it begins with -----BEGIN PRIVATE KEY----- or alike."
ENCRYPTED = (
    "This key is encrypted by a passphrase, and a server could not read it. Decrypt it first: openssl pkey -in tls.key "
    "-out plain.key"
)
MAX_CHAIN = 10  # certificates that are looked at
MAX_KEY = 16_000  # characters: twice those of 16,384 bits of RSA


def is_certificates(pem: str) -> bool:
    """Whether all certificates of a text can be read, and there is one."""
    return bool(_certificates(pem))


def key_flaw(pem: str, chain: str = "") -> str:
    """Why a private key is no use for a server with this chain, as a sentence; "" where nothing is wrong with it. Never
    has anything of the key. Without a chain that can be read, only the key is looked at.
    """
    if len(pem) > MAX_KEY:
        return f"It has {len(pem):,} characters: no private key is that long."
    try:
        # Whether its numbers are primes takes seconds of the whole process, and is the server's matter: only what it
        # has of the certificate's is compared.
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return ENCRYPTED
    except (ValueError, UnsupportedAlgorithm):
        return NOT_A_KEY
    certificates = _certificates(chain)
    if not certificates:
        return ""
    of_key = _public(key.public_key())
    if of_key == _public_of(certificates[0]):
        return ""
    for number, other in enumerate(certificates[1:], 2):
        if of_key == _public_of(other):
            return f"The key belongs to certificate {number} of the chain: the server's own comes first."
    return "The key does not belong to the certificate: it is the key of another one."


def break_in_chain(pem: str) -> str:
    """Where a chain does not hold together, as a sentence; "" for one that does."""
    chain = _certificates(pem)
    for number, (one, issuer) in enumerate(pairwise(chain), 1):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return f"Certificate {number + 1} did not issue certificate {number}: each is followed by its issuer's."
    return ""


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())[:MAX_CHAIN]
    except ValueError:
        return []


def _public_of(certificate: x509.Certificate) -> bytes:
    try:
        return _public(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return b""


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
