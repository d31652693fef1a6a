"""Which clusters there are: kubeconfig files, the credentials inside a pod, or the sandbox.

Reads files, talks to nobody, and parses a file once per change of it. Rules of merging follow client-go
(tools/clientcmd): in a list of files the first one to name a context, cluster, user or the current context
wins; a relative path is relative to the file that holds it; missing files are skipped.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from dashboard.errors import BadInput
from dashboard.kube.files import Files

__all__ = [
    "SERVICE_ACCOUNT_DIR", "Cluster", "Connection", "Contexts", "Endpoint", "NoKubeconfig", "load_clusters", "slug",
    "unslug",
]  # fmt: skip

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# "added": by somebody at run time, and kept in the dashboard's own database.
Source = Literal["kubeconfig", "in-cluster", "sandbox", "added"]

# Entries of a kubeconfig that hold a path, relative to the file they stand in.
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")
# Entries of a cluster with which another server than the named one may answer.
_DETOURS = ("insecure-skip-tls-verify", "proxy-url", "tls-server-name")
# libyaml where it is there: ten times as fast.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a cluster and as whom: the kubeconfig's own entries, paths made absolute.

    Holds credentials: never show it.
    """

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    # Where the user entry stands: a plug-in's relative command is relative to it.
    user_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a context really connects to: an address, and the authority (PEM) that vouches for whoever answers there."""

    server: str
    authority: bytes = field(repr=False)

    def is_of(self, server: str, authority: bytes) -> bool:
        """Whether both are this address and this authority."""
        return server.rstrip("/") == self.server.rstrip("/") and authority.split() == self.authority.split()


class NoKubeconfig(BadInput):
    """KUBECONFIG names no file that is there."""


class _Unreadable(BadInput):
    """A file is there and cannot be read."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One context.

    ``source_detail`` is the path it was read from; ``namespace`` the context's own, or "" when it names
    none.
    """

    name: str
    slug: str
    server: str
    source: Source
    source_detail: str
    user: str
    namespace: str
    is_sandbox: bool
    connection: Connection = field(repr=False, compare=False)


def slug(name: str) -> str:
    """The name as one part of an address: UTF-8 bytes outside ``[A-Za-z0-9._@:-]`` become ``~XX``, in hex. So do the
    dots of ``.`` and ``..``, which every browser would take for steps in a path.
    """
    outside = r"\." if name in (".", "..") else r"[^A-Za-z0-9._@:-]"
    return re.sub(outside, lambda match: "".join(f"~{byte:02X}" for byte in match[0].encode()), name)


def unslug(text: str) -> str:
    """The name behind a slug. Raises BadInput for what ``slug`` never makes."""
    try:
        raw = re.sub(rb"~([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput("That is not the address of a cluster.", field="context") from error
    if slug(name) != text:
        raise BadInput("That is not the address of a cluster.", field="context")
    return name


def load_clusters(
    *,
    environ: Mapping[str, str],
    sandbox_kubeconfig: Path | None,
    sandbox: Endpoint | None = None,
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
) -> tuple[Cluster, ...]:
    """``Contexts.load``, for whoever asks once."""
    return Contexts().load(
        environ=environ,
        sandbox_kubeconfig=sandbox_kubeconfig,
        sandbox=sandbox,
        service_account_dir=service_account_dir,
    )


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a loading gave, and what it rests on: the arguments, and each file with its content (None: not there)."""

    given: Hashable
    files: Mapping[Path, bytes | None]
    outcome: tuple[Cluster, ...] | BadInput = field(repr=False)


class Contexts:
    """The contexts to choose from. As long as no file that they came from changes, asking again costs a look at each
    file's time stamps; that a file is broken is remembered in the same way.
    """

    def __init__(self) -> None:
        self._disk = Files()
        self._parsed: dict[Path, tuple[bytes, dict[str, Any] | BadInput]] = {}
        self._loaded: _Loaded | None = None
        self._files: dict[Path, bytes | None] = {}

    def load(
        self,
        *,
        environ: Mapping[str, str],
        sandbox_kubeconfig: Path | None,
        sandbox: Endpoint | None = None,
        service_account_dir: Path = SERVICE_ACCOUNT_DIR,
    ) -> tuple[Cluster, ...]:
        """The contexts, the current one first; empty when there is neither a cluster nor a sandbox yet.

        In order: KUBECONFIG (a list of paths) or ~/.kube/config when there is one; the service account inside a
        pod; the sandbox. ``sandbox`` is what the sandbox listens at; without it, what its kubeconfig names.
        Raises BadInput when KUBECONFIG names no existing file, or a file makes no sense: another cluster than the
        one asked for would be a surprise.
        """
        asked = tuple(environ.get(name, "") for name in _ENVIRON)
        given = (asked, sandbox_kubeconfig, sandbox, service_account_dir)
        if self._loaded is None or self._loaded.given != given or not self._holds(self._loaded.files):
            self._files = {}
            outcome: tuple[Cluster, ...] | BadInput
            try:
                outcome = self._load(environ, sandbox_kubeconfig, sandbox, service_account_dir)
            except _Unreadable:
                raise  # tried again each time: why it cannot be read does not always show in the file
            except BadInput as error:
                outcome = error
            self._loaded = _Loaded(given, self._files, outcome)
        if isinstance(self._loaded.outcome, BadInput):
            # A copy: one that is raised again and again would grow its traceback.
            raise copy.copy(self._loaded.outcome) from None
        return self._loaded.outcome

    def _holds(self, files: Mapping[Path, bytes | None]) -> bool:
        try:
            return all(self._content(path) is content for path, content in files.items())
        except OSError:
            return False

    def _content(self, path: Path) -> bytes | None:
        """What is in a file, None when there is none. Raises OSError for one that cannot be read."""
        try:
            return self._disk.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _read(self, path: Path) -> bytes | None:
        """The same, as something that the outcome rests on."""
        try:
            content = self._files[path] = self._content(path)
        except OSError as error:
            raise _Unreadable(f"{path} cannot be read: {error.strerror}.", field="KUBECONFIG") from error
        return content

    def _load(
        self,
        environ: Mapping[str, str],
        sandbox_kubeconfig: Path | None,
        sandbox: Endpoint | None,
        service_account_dir: Path,
    ) -> tuple[Cluster, ...]:
        if sandbox is None and sandbox_kubeconfig is not None:
            sandbox = self._endpoint(sandbox_kubeconfig)
        if paths := self._kubeconfigs(environ):
            return self._from_kubeconfig(paths, "kubeconfig", sandbox)
        if environ.get("KUBERNETES_SERVICE_HOST") and self._read(service_account_dir / "token") is not None:
            return (self._in_cluster(environ, service_account_dir),)
        if sandbox_kubeconfig is not None and self._read(sandbox_kubeconfig) is not None:
            return self._from_kubeconfig([sandbox_kubeconfig], "sandbox", sandbox)
        return ()

    def _kubeconfigs(self, environ: Mapping[str, str]) -> list[Path]:
        home = Path(environ.get("HOME") or "~").expanduser()
        listed = environ.get("KUBECONFIG", "")
        if not listed:
            default = home / ".kube" / "config"
            return [] if self._read(default) is None else [default]
        named = [
            home / part[2:] if part.startswith("~/") else Path(part)
            for part in listed.split(os.pathsep)
            if part
        ]
        paths = [path for path in named if self._read(path) is not None]
        if not paths:
            raise NoKubeconfig(
                f"KUBECONFIG names no existing file: {listed}.",
                next_step="Correct KUBECONFIG, or unset it to use ~/.kube/config or the sandbox.",
                field="KUBECONFIG",
            )
        return paths

    def _from_kubeconfig(
        self, paths: list[Path], source: Source, sandbox: Endpoint | None
    ) -> tuple[Cluster, ...]:
        merged = self._merged(paths)
        names = sorted(
            merged.contexts, key=lambda name: name != merged.current
        )  # stable: the rest keeps its order
        # One without a name has no address, nor can any other tool choose it.
        return tuple(self._context(merged, name, source, sandbox) for name in names if name)

    def _merged(self, paths: list[Path]) -> _Merged:
        merged = _Merged()
        for path in paths:
            merged.add(path, self._document(path))
        return merged

    def _document(self, path: Path) -> dict[str, Any]:
        content = self._read(path)
        if content is None:
            return {}  # it has gone since it was looked for
        known = self._parsed.get(path)
        if known is None or known[0] is not content:
            found: dict[str, Any] | BadInput
            try:
                found = _parse(path, content)
            except BadInput as error:
                found = error
            known = self._parsed[path] = (content, found)
        if isinstance(known[1], BadInput):
            raise known[1]
        return known[1]

    def _context(self, merged: _Merged, name: str, source: Source, sandbox: Endpoint | None) -> Cluster:
        context, path = merged.contexts[name]
        cluster, cluster_path = merged.clusters.get(str(context.get("cluster", "")), ({}, path))
        user_name = str(context.get("user") or "")
        user, user_path = merged.users.get(user_name, ({}, path))
        reached = _absolute(cluster, _CLUSTER_PATHS, cluster_path.parent)
        return Cluster(
            name=name,
            slug=slug(name),
            server=str(cluster.get("server") or ""),
            source=source,
            source_detail=str(path),
            user=user_name,
            namespace=str(context.get("namespace") or ""),
            is_sandbox=sandbox is not None and self._is_at(reached, sandbox),
            connection=Connection(
                cluster=reached,
                user=_absolute(user, _USER_PATHS, user_path.parent),
                user_dir=user_path.parent.absolute(),
            ),
        )

    def _is_at(self, cluster: Mapping[str, Any], endpoint: Endpoint) -> bool:
        """Whether a cluster entry can lead nowhere but there. Which file it stands in says nothing: a kubeconfig is
        edited, copied and merged.
        """
        server = str(cluster.get("server") or "")
        if any(cluster.get(key) for key in _DETOURS) or server.rstrip("/") != endpoint.server.rstrip("/"):
            return False
        return endpoint.is_of(server, self._authority(cluster))

    def _authority(self, cluster: Mapping[str, Any]) -> bytes:
        """The authority of a cluster entry, b"" for none that can be read."""
        try:
            if data := cluster.get("certificate-authority-data"):
                return base64.b64decode(data)
            path = cluster.get("certificate-authority")
            return (self._read(Path(path)) or b"") if path else b""
        except (binascii.Error, ValueError, TypeError, BadInput):
            return b""

    def _endpoint(self, sandbox_kubeconfig: Path) -> Endpoint | None:
        """What the sandbox's own kubeconfig names."""
        try:
            merged = self._merged([sandbox_kubeconfig])
        except BadInput:
            return None
        context, _ = merged.contexts.get(merged.current) or next(iter(merged.contexts.values()), ({}, None))
        cluster, _ = merged.clusters.get(str(context.get("cluster", "")), ({}, None))
        reached = _absolute(cluster, _CLUSTER_PATHS, sandbox_kubeconfig.parent)
        return Endpoint(str(reached["server"]), self._authority(reached)) if reached.get("server") else None

    def _in_cluster(self, environ: Mapping[str, str], directory: Path) -> Cluster:
        host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT") or "443"
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return Cluster(
            name="in-cluster",
            slug="in-cluster",
            server=server,
            source="in-cluster",
            source_detail=str(directory),
            user=_token_subject(self._read(directory / "token") or b""),
            namespace=(self._read(directory / "namespace") or b"").decode().strip(),
            is_sandbox=False,
            connection=Connection(
                cluster={"server": server, "certificate-authority": str(directory / "ca.crt")},
                user={"tokenFile": str(directory / "token")},
            ),
        )


# What is asked of the environment.
_ENVIRON = ("KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


@dataclass(slots=True)
class _Merged:
    """Several kubeconfig files as one; each entry with the file it came from."""

    current: str = ""
    contexts: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)
    clusters: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)
    users: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)

    def add(self, path: Path, document: dict[str, Any]) -> None:
        self.current = self.current or str(document.get("current-context") or "")
        for entries, plural, singular in (
            (self.contexts, "contexts", "context"),
            (self.clusters, "clusters", "cluster"),
            (self.users, "users", "user"),
        ):
            for name, entry in _named(document, plural, singular, path):
                entries.setdefault(name, (entry, path))


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        document = yaml.load(content, _LOADER)  # noqa: S506 # a safe loader, both ways
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The parser's own message quotes lines of the file, which may hold credentials.
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark else ""
        raise BadInput(f"The kubeconfig {path} is not YAML{where}.", field="KUBECONFIG") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInput(f"{path} is not a kubeconfig.", field="KUBECONFIG")
    return document


def _named(
    document: dict[str, Any], plural: str, singular: str, path: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = document.get(plural) or []
    if not isinstance(entries, list):
        raise BadInput(f"The kubeconfig {path} is wrong: {plural} is not a list.", field="KUBECONFIG")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise BadInput(
                f"The kubeconfig {path} is wrong: an entry of {plural} has no name.", field="KUBECONFIG"
            )
        value = entry.get(singular) or {}
        if not isinstance(value, dict):
            raise BadInput(
                f"The kubeconfig {path} is wrong: {singular} of {entry['name']}.", field="KUBECONFIG"
            )
        yield entry["name"], value


def _absolute(entry: dict[str, Any], keys: tuple[str, ...], base: Path) -> Mapping[str, Any]:
    absolute = {key: str((base / str(entry[key])).absolute()) for key in keys if entry.get(key)}
    return MappingProxyType({**entry, **absolute})


def _token_subject(token: bytes) -> str:
    """Whose token it is, as it says itself (``system:serviceaccount:<namespace>:<name>``); only to be shown."""
    try:
        payload = token.decode().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (ValueError, LookupError, TypeError):
        return "the pod's service account"
