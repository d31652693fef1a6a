from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from dashboard.kinds.keypairs import ENCRYPTED, NOT_A_KEY, break_in_chain, is_certificates, key_flaw

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@lru_cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(
    name: str,
    *,
    by: str = "",
    key: Key | None = None,
    names: tuple[str, ...] = (),
    until: datetime = NOW + timedelta(days=90),
) -> str:
    """PEM of a certificate of ``name``, issued by ``by`` or by itself."""
    named = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (name, by or name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(named[0])
        .issuer_name(named[1])
        .public_key((key or key_of(name)).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=300))
        .not_valid_after(until)
    )
    if names:
        made = made.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        )
    signed = made.sign(key_of(by or name) if by else (key or key_of(name)), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def pem(
    key: Key, how: PrivateFormat = PrivateFormat.PKCS8, lock: KeySerializationEncryption | None = None
) -> str:
    return key.private_bytes(Encoding.PEM, how, lock or NoEncryption()).decode()


@pytest.mark.parametrize("how", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("make", [lambda: key_of("shop"), rsa_key])
def test_a_key_of_either_kind_and_form_belongs_to_its_certificate(
    how: PrivateFormat, make: Callable[[], Key]
) -> None:
    key = make()
    assert key_flaw(pem(key, how), certificate("shop", key=key)) == ""


def test_a_key_of_another_certificate_is_told() -> None:
    assert "does not belong" in key_flaw(pem(key_of("other")), certificate("shop"))


def test_a_chain_that_begins_with_the_issuer_is_told_by_its_key() -> None:
    chain = certificate("ca") + certificate("shop", by="ca")
    assert "belongs to certificate 2" in key_flaw(pem(key_of("shop")), chain)


def test_an_encrypted_key_says_how_to_decrypt_it() -> None:
    assert key_flaw(pem(key_of("shop"), lock=BestAvailableEncryption(b"word"))) == ENCRYPTED


@pytest.mark.parametrize(
    "text", ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_told_without_its_text(text: str) -> None:
    assert key_flaw(text, certificate("shop")) == NOT_A_KEY


def test_a_chain_in_order_holds() -> None:
    assert break_in_chain(certificate("shop", by="ca") + certificate("ca")) == ""


def test_a_chain_of_strangers_is_told_where_it_breaks() -> None:
    chain = certificate("shop", by="ca") + certificate("ca") + certificate("other")
    assert break_in_chain(chain).startswith("Certificate 3 did not issue certificate 2")


def test_an_issuer_of_the_right_name_and_another_key_breaks_the_chain() -> None:
    assert break_in_chain(certificate("shop", by="ca") + certificate("ca", key=key_of("thief"))) != ""


def test_a_text_with_one_broken_certificate_is_none() -> None:
    assert is_certificates(certificate("shop"))
    assert not is_certificates(
        certificate("shop") + "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"
    )
    assert not is_certificates("")


def test_whether_a_keys_numbers_are_primes_is_not_asked() -> None:
    """It would hold the whole process for seconds, and longer for larger keys."""
    p, q, e = 2**1279 - 1, (2**607 - 1) * (2**521 - 1), 65537  # q is no prime
    d = pow(e, -1, (p - 1) * (2**607 - 2) * (2**521 - 2))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    )
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    assert "does not belong" in key_flaw(pem(key), certificate("shop"))


def test_a_key_of_absurd_length_is_not_read() -> None:
    assert "no private key is that long" in key_flaw("x" * 16_001)
