"""Certificates and kubeconfigs for tests that hand contexts in. Nothing of them is anybody's credential."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

TOKEN = "canary-token-0123456789"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def tls(self, directory: Path) -> ssl.SSLContext:
        """A server's context with it."""
        (directory / "pair.crt").write_bytes(self.certificate)
        (directory / "pair.key").write_bytes(self.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(directory / "pair.crt", directory / "pair.key")
        return context


def issued(name: str, issuer: Pair | None = None, *, days: float = 30) -> Pair:
    """An authority, or a certificate of one, for 127.0.0.1 and localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, by = key, subject
    if issuer is not None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        loaded = load_pem_private_key(issuer.key, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, by = loaded, x509.load_pem_x509_certificate(issuer.certificate).subject
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"), x509.DNSName("api.test")]
            ),
            critical=False,
        )
        .sign(signer, SHA256())
    )
    return Pair(
        made.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def kubeconfig(
    *names: str,
    server: str = "https://10.0.0.1:6443",
    cluster: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    namespace: str = "",
) -> str:
    """A text with contexts whose cluster and user have the context's name."""
    entry = {"server": server, **(cluster or {})}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "contexts": [
                {"name": each, "context": {"cluster": each, "user": each, "namespace": namespace}}
                for each in names
            ],
            # Copies: YAML would write an anchor for what stands in it twice.
            "clusters": [{"name": each, "cluster": dict(entry)} for each in names],
            "users": [
                {"name": each, "user": dict({"token": TOKEN} if user is None else user)} for each in names
            ],
        }
    )
