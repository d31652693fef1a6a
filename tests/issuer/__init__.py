"""A real OpenID Connect provider for tests, django-oauth-toolkit in a process of its own, over HTTPS with an authority
that the tests make.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tools.server import ROOT, free_port

CLIENT, SECRET, PASSWORD = "cluster-ui", "canary-client-secret-of-the-issuer", "canary-password-of-anna"


class RealIssuer:
    """``people`` have all the same password; ``lifetime`` is that of ID tokens, in seconds; ``address`` is where it
    listens, by default as localhost. Use as a context manager.
    """

    def __init__(
        self,
        home: Path,
        redirect_uris: Sequence[str],
        people: dict[str, list[str]],
        lifetime: int = 3600,
        address: str = "",
    ) -> None:
        self.home = home
        self.address = address or "127.0.0.1"
        self.port = free_port()
        self.url = f"https://{address or 'localhost'}:{self.port}/o"
        self.authority = home / "authority.pem"
        self.log = home / "issuer.log"
        self._facts = {
            "home": str(home), "port": self.port, "url": self.url, "redirect_uris": list(redirect_uris), "client": CLIENT,
            "secret": SECRET, "password": PASSWORD, "people": people, "lifetime": lifetime, "address": self.address,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, str]:
        """Those of a dashboard that signs in with it."""
        secret = self.home / "client-secret"
        secret.write_text(SECRET)
        return {
            "CLUSTER_UI_SIGN_IN": "oidc,link", "CLUSTER_UI_OIDC_ISSUER": self.url, "CLUSTER_UI_OIDC_CLIENT_ID": CLIENT,
            "CLUSTER_UI_OIDC_CLIENT_SECRET_FILE": str(secret), "CLUSTER_UI_OIDC_CA_FILE": str(self.authority),
        }  # fmt: skip

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.issuer.provider"],
                cwd=ROOT,
                env=_without_settings() | {"ISSUER": json.dumps(self._facts)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        trusted = ssl.create_default_context(cafile=str(self.authority))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                address = f"{self.url}/.well-known/openid-configuration"
                with urllib.request.urlopen(address, timeout=5, context=trusted):  # noqa: S310 # our own
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"The issuer did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> RealIssuer:
        self.home.mkdir(parents=True, exist_ok=True)
        certify(self.home, self.address)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _without_settings() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("CLUSTER_UI_", "DJANGO"))
    }


def certify(home: Path, address: str, name: str = "localhost") -> None:
    """``authority.pem``, and ``server.pem`` with a certificate of it for a name and an address; ``signing.pem`` for ID
    tokens.
    """
    now = datetime.datetime.now(datetime.UTC)

    def certificate(
        name: str, key: Any, issuer: str, by: Any, *extensions: tuple[Any, bool]
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            made = made.add_extension(extension, critical=critical)
        return made.sign(by, hashes.SHA256())

    def pem(key: Any) -> bytes:
        return bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    root, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate(
        "tests", root, "tests", root, (x509.BasicConstraints(ca=True, path_length=None), True)
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))])
    own = certificate(name, server, "tests", root, (names, False))
    (home / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (home / "server.pem").write_bytes(pem(server) + own.public_bytes(serialization.Encoding.PEM))
    (home / "signing.pem").write_bytes(pem(rsa.generate_private_key(65537, 2048)))
