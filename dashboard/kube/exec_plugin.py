"""Exec plug-ins: programs that hand out short-lived credentials (client.authentication.k8s.io).

Written after the protocol's description and client-go's plugin/pkg/client/auth/exec. The client library's
own runner is not used: it swallows the plug-in's failure, and it does not know the cluster's details, the
install hint or the certificate's place.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dashboard.errors import Unauthenticated
from dashboard.kube.config import Connection
from dashboard.kube.credentials import Credential, pem

__all__ = ["ExecCredentials"]

RUN_SECONDS = 60.0
# Renewed this long before they end, or in the last fifth of a shorter life.
EARLY = timedelta(seconds=60)
# Many wait for one run: what failed is not run again for each of them.
AFTER_FAILURE = timedelta(seconds=3)

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_EXTENSION = "client.authentication.k8s.io/exec"
# What configures this dashboard is none of a plug-in's business, which is somebody else's program: secret keys, and how
# its own database and cache are reached. Everything else a plug-in may need, as AWS_PROFILE, HOME or HTTPS_PROXY.
_OURS = ("CLUSTER_UI_", "DATABASE_", "DJANGO_", "PG", "POSTGRES_", "REDIS_")
# What a plug-in says on failure may help; a run of characters that could be a token does not.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=_\-]{24,}(?:\.[A-Za-z0-9+/=_\-]+)*")


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


class ExecCredentials:
    """Runs the plug-in when there is no credential, shortly before one ends, and once after a 401."""

    def __init__(
        self, connection: Connection, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._spec: Mapping[str, Any] = connection.user["exec"]
        self._connection = connection
        self._now = now
        self._credential: Credential | None = None
        self._ends: datetime | None = None
        self._renew: datetime | None = None
        self._failed: tuple[datetime, Unauthenticated] | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> Credential:
        """Those of now; many callers wait for one run."""
        async with self._lock:
            now = self._now()
            if self._credential is not None and (self._renew is None or now < self._renew):
                return self._credential
            if self._failed is None or now - self._failed[0] >= AFTER_FAILURE:
                await self._refresh()
            if self._credential is not None and (self._ends is None or now < self._ends):
                return self._credential  # even when renewing failed: they are good for a moment yet
            raise (
                self._failed[1]
                if self._failed
                else Unauthenticated(f"{self._name} returned credentials that have expired.")
            )

    def refused(self, used: Credential) -> bool:
        """Forgets them, unless another caller did already; a new run may give others."""
        if self._credential == used:
            self._credential = None
        return True

    async def _refresh(self) -> None:
        try:
            status = self._parse(await self._run())
        except Unauthenticated as error:
            self._failed = self._now(), error
            return
        self._failed = None
        self._credential = Credential(
            authorization=f"Bearer {status.token}" if status.token else "",
            certificate=status.client_certificate_data.encode(),
            key=status.client_key_data.encode(),
        )
        self._ends = status.expiration_timestamp
        self._renew = None
        if self._ends is not None:
            self._renew = self._ends - min(EARLY, max(timedelta(0), self._ends - self._now()) / 5)

    async def _run(self) -> bytes:
        command = str(self._spec.get("command") or "")
        if self._spec.get("interactiveMode") == "Always":
            raise Unauthenticated(
                f"{self._name} needs a terminal, which a server does not have.",
                next_step="Use a plug-in that works without one, or sign in with it in a terminal first.",
            )
        if os.sep in command and self._connection.user_dir is not None:
            command = str(self._connection.user_dir / command)
        arguments = [str(argument) for argument in self._spec.get("args") or ()]
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *arguments,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise self._failure(f"could not be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(RUN_SECONDS):
                output, complaint = await process.communicate()
        except TimeoutError as error:
            raise self._failure(f"did not answer within {RUN_SECONDS:.0f} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            said = _TOKEN_LIKE.sub("(not shown)", complaint.decode(errors="replace").strip())[-300:]
            raise self._failure(f"failed with exit code {process.returncode}" + (f": {said}" if said else ""))
        return output

    def _parse(self, output: bytes) -> _Status:
        try:
            answer = msgspec.json.decode(output, type=_ExecCredential)
        except msgspec.DecodeError:
            raise self._failure(
                "did not answer with an ExecCredential"
            ) from None  # the cause may quote the output
        if answer.kind != "ExecCredential" or answer.api_version != self._version:
            raise self._failure(f"answered in another version than {self._version}")
        status = answer.status or _Status()
        if not status.token and not (status.client_certificate_data and status.client_key_data):
            raise self._failure("gave neither a token nor a client certificate with its key")
        return status

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
        extra = {str(item["name"]): str(item.get("value", "")) for item in self._spec.get("env") or ()}
        return {**inherited, **extra, "KUBERNETES_EXEC_INFO": self._info()}

    def _info(self) -> str:
        spec: dict[str, Any] = {"interactive": False}
        if self._spec.get("provideClusterInfo"):
            cluster = self._connection.cluster
            details = {
                "server": cluster.get("server"),
                "tls-server-name": cluster.get("tls-server-name"),
                "insecure-skip-tls-verify": cluster.get("insecure-skip-tls-verify"),
                "certificate-authority-data": base64.b64encode(
                    pem(cluster, "certificate-authority")
                ).decode(),
                "proxy-url": cluster.get("proxy-url"),
                "config": next(
                    (
                        item.get("extension")
                        for item in cluster.get("extensions") or ()
                        if item.get("name") == _EXTENSION
                    ),
                    None,
                ),
            }
            spec["cluster"] = {key: value for key, value in details.items() if value}
        info = {"apiVersion": self._version, "kind": "ExecCredential", "spec": spec}
        return msgspec.json.encode(info).decode()

    @property
    def _version(self) -> str:
        version = str(self._spec.get("apiVersion") or "")
        if version not in _VERSIONS:
            raise Unauthenticated(
                f"{self._name} asks for the version {version or '(none)'}, which is not supported."
            )
        return version

    @property
    def _name(self) -> str:
        return f"The credential plug-in {self._spec.get('command') or '(without a command)'}"

    def _failure(self, what: str) -> Unauthenticated:
        hint = " ".join(str(self._spec.get("installHint") or "").split())
        return Unauthenticated(
            f"{self._name} {what}.",
            next_step=hint or "Run the same command in a terminal to see what it needs.",
        )
