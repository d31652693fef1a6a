"""TLS as a kubeconfig describes it; the client library builds the context."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from dashboard.errors import Unauthenticated, Unavailable
from dashboard.kube.credentials import Credential

__all__ = ["tls_context"]


def tls_context(
    cluster: Mapping[str, Any],
    credential: Credential,
    authority: bytes,
    *,
    shown: Callable[[bytes], None] | None = None,
) -> ssl.SSLContext:
    """The context for a kubeconfig's cluster entry, its authority and a client certificate, where there are any.
    ``shown`` is told the certificate of whoever answers, as DER, with each handshake that succeeds.

    Python loads a certificate's key only from a file: it lies in a private directory for that moment alone.
    """
    with tempfile.TemporaryDirectory(prefix="cluster-ui-") as name:
        configuration = Configuration(
            host=cluster.get("server"),
            ca_cert_data=_text(authority),
            verify_ssl=not cluster.get("insecure-skip-tls-verify"),
        )
        # As client-go: authorities of clusters seldom meet every rule of X.509.
        configuration.disable_strict_ssl_verification = True
        if credential.certificate:
            configuration.cert_file = _write(Path(name, "certificate.pem"), credential.certificate)
            configuration.key_file = _write(Path(name, "key.pem"), credential.key)
        try:
            context: ssl.SSLContext = RESTClientObject(configuration).ssl_context
        except ssl.SSLError as error:
            raise Unauthenticated(
                "The client certificate, its key or the certificate authority cannot be used.",
                next_step="Check them in the kubeconfig: the key must belong to the certificate.",
            ) from error
    if shown is not None:
        context.sslobject_class = _noting(shown)
    return context


def _noting(shown: Callable[[bytes], None]) -> type[ssl.SSLObject]:
    class Noting(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            if der := self.getpeercert(binary_form=True):
                shown(der)

    return Noting


def _text(authority: bytes) -> str | None:
    try:
        return authority.decode() or None
    except UnicodeDecodeError as error:
        raise Unavailable("The certificate authority in the kubeconfig is not PEM.") from error


def _write(path: Path, content: bytes) -> str:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return str(path)
