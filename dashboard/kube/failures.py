"""Failures on the way to the API server, in plain words and with the way out."""

from __future__ import annotations

import errno
import ssl

import aiohttp

from dashboard.errors import Unavailable

__all__ = ["Silence", "Unreachable", "explain"]


class Unreachable(Unavailable):
    """There was not even a connection."""


class Silence(Unavailable):
    """A stream brought nothing for as long as was allowed; it may be healthy all the same."""


def explain(error: BaseException, server: str, seconds: float | None) -> Unavailable:
    """The error for what the HTTP library or the system raised; ``seconds`` is the limit that was set."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return _tls(error, server)
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(
                f"The name of {server} cannot be resolved.",
                next_step="Check the server's address in the kubeconfig, and the network or VPN.",
            )
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Unreachable(
                f"The proxy on the way to {server} cannot be used.",
                next_step="Check proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY.",
            )
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.ECONNREFUSED)):
            return Unreachable(f"Connection refused at {server}.", next_step="Is the API server running?")
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or "no connection"
            return Unreachable(
                f"{server} cannot be reached: {reason}.",
                next_step="Check the network or VPN, and the server's address.",
            )
        case aiohttp.ConnectionTimeoutError():
            return Unreachable(
                f"{server} did not accept a connection in time.",
                next_step="Check the network or VPN, and the API server.",
            )
        case TimeoutError():  # also aiohttp's own
            limit = f" for {seconds:.0f} s" if seconds else ""
            return Unavailable(
                f"{server} said nothing{limit}.", next_step="Check the network, and the API server's load."
            )
        # A name that can't be looked up, or be asked of TLS, is no more than a ValueError.
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return Unreachable(
                "The server's address in the kubeconfig is not a URL.",
                next_step="It looks like https://host:6443.",
            )
        case _:
            return Unavailable(f"The connection to {server} broke.", next_step="It is retried automatically.")


def _tls(error: BaseException, server: str) -> Unreachable:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed"
    return Unreachable(
        f"The TLS certificate of {server} is not accepted: {reason}.",
        next_step="Check certificate-authority and tls-server-name in the kubeconfig.",
    )
