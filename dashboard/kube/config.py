"""Which clusters there are: kubeconfig files, the credentials inside a pod, or the sandbox.

Reads files, talks to nobody. Rules of merging follow client-go (tools/clientcmd): in a list of files the
first one to name a context, cluster, user or the current context wins; a relative path is relative to the
file that holds it; missing files are skipped.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from dashboard.errors import BadInput

__all__ = ["SERVICE_ACCOUNT_DIR", "Cluster", "Connection", "load_clusters", "slug", "unslug"]

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")

Source = Literal["kubeconfig", "in-cluster", "sandbox"]

# Entries of a kubeconfig that hold a path, relative to the file they stand in.
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")


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
    """The name as one part of an address: UTF-8 bytes outside ``[A-Za-z0-9._@:-]`` become ``~XX``, in hex."""
    return re.sub(
        r"[^A-Za-z0-9._@:-]", lambda match: "".join(f"~{byte:02X}" for byte in match[0].encode()), name
    )


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
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
) -> tuple[Cluster, ...]:
    """The contexts to choose from, the current one first; empty when there is neither a cluster nor a
    sandbox yet.

    In order: KUBECONFIG (a list of paths) or ~/.kube/config when there is one; the service account inside a
    pod; the sandbox. Raises BadInput when KUBECONFIG names no existing file, or a file makes no sense:
    another cluster than the one asked for would be a surprise.
    """
    if paths := _kubeconfig_paths(environ):
        return _from_kubeconfig(paths, "kubeconfig", sandbox_kubeconfig)
    if environ.get("KUBERNETES_SERVICE_HOST") and (service_account_dir / "token").exists():
        return (_in_cluster(environ, service_account_dir),)
    if sandbox_kubeconfig is not None and sandbox_kubeconfig.exists():
        return _from_kubeconfig([sandbox_kubeconfig], "sandbox", sandbox_kubeconfig)
    return ()


def _kubeconfig_paths(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or "~").expanduser()
    listed = environ.get("KUBECONFIG", "")
    if not listed:
        default = home / ".kube" / "config"
        return [default] if default.exists() else []
    named = [
        home / part[2:] if part.startswith("~/") else Path(part) for part in listed.split(os.pathsep) if part
    ]
    paths = [path for path in named if path.exists()]
    if not paths:
        raise BadInput(
            f"KUBECONFIG names no existing file: {listed}.",
            next_step="Correct KUBECONFIG, or unset it to use ~/.kube/config or the sandbox.",
            field="KUBECONFIG",
        )
    return paths


@dataclass(slots=True)
class _Merged:
    """Several kubeconfig files as one; each entry with the file it came from."""

    current: str = ""
    contexts: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)
    clusters: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)
    users: dict[str, tuple[dict[str, Any], Path]] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        document = _read(path)
        self.current = self.current or str(document.get("current-context") or "")
        for entries, plural, singular in (
            (self.contexts, "contexts", "context"),
            (self.clusters, "clusters", "cluster"),
            (self.users, "users", "user"),
        ):
            for name, entry in _named(document, plural, singular, path):
                entries.setdefault(name, (entry, path))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The kubeconfig {path} cannot be read: {error}.", field="KUBECONFIG") from error
    except yaml.YAMLError as error:
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


def _from_kubeconfig(paths: list[Path], source: Source, sandbox: Path | None) -> tuple[Cluster, ...]:
    merged = _Merged()
    for path in paths:
        merged.add(path)
    names = sorted(
        merged.contexts, key=lambda name: name != merged.current
    )  # stable: the rest keeps its order
    return tuple(_context(merged, name, source, sandbox) for name in names)


def _context(merged: _Merged, name: str, source: Source, sandbox: Path | None) -> Cluster:
    context, path = merged.contexts[name]
    cluster, cluster_path = merged.clusters.get(str(context.get("cluster", "")), ({}, path))
    user_name = str(context.get("user") or "")
    user, user_path = merged.users.get(user_name, ({}, path))
    return Cluster(
        name=name,
        slug=slug(name),
        server=str(cluster.get("server") or ""),
        source=source,
        source_detail=str(path),
        user=user_name,
        namespace=str(context.get("namespace") or ""),
        is_sandbox=sandbox is not None and sandbox.exists() and path.resolve() == sandbox.resolve(),
        connection=Connection(
            cluster=_absolute(cluster, _CLUSTER_PATHS, cluster_path.parent),
            user=_absolute(user, _USER_PATHS, user_path.parent),
            user_dir=user_path.parent.absolute(),
        ),
    )


def _absolute(entry: dict[str, Any], keys: tuple[str, ...], base: Path) -> Mapping[str, Any]:
    absolute = {key: str((base / str(entry[key])).absolute()) for key in keys if entry.get(key)}
    return MappingProxyType({**entry, **absolute})


def _in_cluster(environ: Mapping[str, str], directory: Path) -> Cluster:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT") or "443"
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    namespace = directory / "namespace"
    return Cluster(
        name="in-cluster",
        slug="in-cluster",
        server=server,
        source="in-cluster",
        source_detail=str(directory),
        user=_token_subject(directory / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "",
        is_sandbox=False,
        connection=Connection(
            cluster={"server": server, "certificate-authority": str(directory / "ca.crt")},
            user={"tokenFile": str(directory / "token")},
        ),
    )


def _token_subject(path: Path) -> str:
    """Whose token it is, as it says itself (``system:serviceaccount:<namespace>:<name>``); only to be shown."""
    try:
        payload = path.read_text().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (OSError, ValueError, LookupError, TypeError):
        return "the pod's service account"
