"""Who we are to the API server: what goes into a request's headers and into the TLS handshake.

Four sources: entries and files of a kubeconfig (or a pod's service account), exec plug-ins (``exec_plugin``), the
OpenID Connect auth-provider, which the client library refreshes, and a token that somebody signed in with.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigLoader

from dashboard.errors import ClusterError, Unauthenticated
from dashboard.kube.config import Connection

__all__ = ["BearerCredentials", "Credential", "Credentials", "FileCredentials", "OidcCredentials", "pem"]

# As long as client-go keeps what it read from a token file (transport/token_source.go).
REREAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Credential:
    """One set of credentials.

    ``authorization`` is the header's value or ""; certificate and key are PEM, or empty.
    """

    authorization: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


class Credentials(Protocol):
    """A source of credentials, which knows when they end."""

    async def get(self) -> Credential:
        """Those of now. Raises Unauthenticated when there are none to be had."""
        ...

    def refused(self, used: Credential) -> bool:
        """The API server answered 401 to them: whether asking again may give others."""
        ...


class BearerCredentials:
    """Somebody's own token, as long as it holds."""

    def __init__(self, token: str) -> None:
        self._credential = Credential(authorization=f"Bearer {token}")

    async def get(self) -> Credential:
        return self._credential

    def refused(self, used: Credential) -> bool:
        """Never: there is only this one."""
        return False


class FileCredentials:
    """Entries of a kubeconfig user and the files that it names, read again once a minute and after a 401."""

    def __init__(self, user: Mapping[str, Any], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._clock = clock
        self._read_at = 0.0
        self._credential: Credential | None = None

    async def get(self) -> Credential:
        """Those of now; reads small local files when the last reading is a minute old."""
        now = self._clock()
        if self._credential is None or now - self._read_at >= REREAD_SECONDS:
            self._credential = self._read()
            self._read_at = now
        return self._credential

    def refused(self, used: Credential) -> bool:
        """Whether the files hold something else by now."""
        try:
            self._credential = self._read()
        except ClusterError:
            return False
        self._read_at = self._clock()
        return self._credential != used

    def _read(self) -> Credential:
        return Credential(
            authorization=self._authorization(),
            certificate=pem(self._user, "client-certificate"),
            key=pem(self._user, "client-key"),
        )

    def _authorization(self) -> str:
        if path := self._user.get("tokenFile"):  # client-go prefers the file to the entry
            return f"Bearer {_read_file(path, 'tokenFile').decode(errors='replace').strip()}"
        if token := self._user.get("token"):
            return f"Bearer {token}"
        if name := self._user.get("username"):
            pair = f"{name}:{self._user.get('password', '')}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        return ""


class OidcCredentials:
    """The ``oidc`` auth-provider of a kubeconfig; the client library renews its token before it ends."""

    def __init__(self, connection: Connection, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._loader: Any = KubeConfigLoader(  # type: ignore[no-untyped-call]  # the library has no types here
            {
                "current-context": "this",
                "contexts": [{"name": "this", "context": {"cluster": "this", "user": "this"}}],
                "clusters": [{"name": "this", "cluster": {}}],
                "users": [{"name": "this", "user": dict(connection.user)}],
            }
        )
        self._clock = clock
        self._checked_at = 0.0
        self._credential: Credential | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> Credential:
        """Those of now; asks the provider for a new token when the old one ends within five minutes."""
        async with self._lock:
            now = self._clock()
            if self._credential is None or now - self._checked_at >= REREAD_SECONDS:
                configuration = Configuration()
                try:
                    await self._loader.load_and_set(configuration)
                except (ConfigException, ValueError, OSError, LookupError, TypeError) as error:
                    raise Unauthenticated(
                        "The OpenID Connect provider of the kubeconfig gave no token.",
                        next_step="Sign in to the cluster again.",
                    ) from error
                self._credential = Credential(authorization=configuration.api_key.get("BearerToken", ""))
                self._checked_at = now
            return self._credential

    def refused(self, used: Credential) -> bool:
        """Never: a token that has not ended is not renewed by the library."""
        return False


def pem(entry: Mapping[str, Any], key: str, *, read: Callable[[str], bytes] | None = None) -> bytes:
    """The PEM in ``<key>-data`` (base64; it wins, as in client-go), or in the file that ``<key>`` names, or nothing.
    ``read`` reads the file.
    """
    if data := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=False)
        except ValueError as error:
            raise Unauthenticated(f"{key}-data in the kubeconfig is not base64.") from error
    if path := entry.get(key):
        return _read_file(path, key, read)
    return b""


def _read_file(path: str, key: str, read: Callable[[str], bytes] | None = None) -> bytes:
    try:
        return read(path) if read is not None else Path(path).read_bytes()
    except OSError as error:
        raise Unauthenticated(
            f"{key} of the kubeconfig cannot be read: {path}: {error.strerror}.",
            next_step="Correct the kubeconfig.",
        ) from error
