"""A kubeconfig that somebody hands in: what its contexts are, or why one can't be added (docs/adr/0066).

Nothing in it may make this machine run a program, read a file or take a detour, so only what is listed here is taken, and
credentials have to stand in it. Errors name fields and never quote values.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from dashboard.errors import BadInput
from dashboard.kinds.keypairs import key_flaw
from dashboard.kube.addresses import host_flaw
from dashboard.kube.config import Cluster, Connection, slug
from dashboard.kube.expiry import token_expiry

__all__ = ["MAX_BYTES", "MAX_CONTEXTS", "Authority", "Offered", "cluster_of", "read_kubeconfig"]

MAX_BYTES = 256 * 1024
MAX_CONTEXTS = 50
MAX_NAME = 253  # characters of a context's name
MAX_SLUG = 500  # and in addresses, where letters of some languages take nine
MAX_SERVER = 500
MAX_TOKEN = 16_384
_MAX_DEPTH, _MAX_NODES = 12, 20_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NAMESPACE = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?")
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_EMBED = "Embed it: kubectl config view --flatten --minify writes such a file."
_CREDENTIALS = "Use a token of a ServiceAccount, or client-certificate-data with client-key-data."
# What is refused, and the way out.
_CLUSTER_REFUSED = {
    "certificate-authority": ("a path on another machine", f"Use certificate-authority-data. {_EMBED}"),
    "insecure-skip-tls-verify": (
        "anybody could answer in the API server's name",
        "Remove it and give certificate-authority-data.",
    ),
    "proxy-url": (
        "credentials would take a detour",
        "Remove it: the dashboard connects directly. Contexts that need a proxy belong in its own kubeconfig.",
    ),
}
_USER_REFUSED = {
    "exec": ("a program to run on the dashboard's machine", _CREDENTIALS),
    "auth-provider": ("Kubernetes removed it in 1.26", _CREDENTIALS),
    "tokenFile": ("a path on another machine", "Put the token itself into token."),
    "client-certificate": ("a path on another machine", f"Use client-certificate-data. {_EMBED}"),
    "client-key": ("a path on another machine", f"Use client-key-data. {_EMBED}"),
    "username": ("Kubernetes removed passwords in 1.19", _CREDENTIALS),
    "password": ("Kubernetes removed passwords in 1.19", _CREDENTIALS),
}
_CLUSTER_TAKEN = frozenset(
    {"server", "certificate-authority-data", "tls-server-name", "disable-compression", "extensions"}
)
_USER_TAKEN = frozenset(
    {"token", "client-certificate-data", "client-key-data", "as", "as-groups", "as-user-extra", "extensions"}
)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who vouches for the API server: SHA-256 of its (first) certificate, and until when that is valid."""

    fingerprint: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Offered:
    """One context of the text. With a ``refusal`` it can't be added; else ``cluster`` and ``user`` are all that is kept
    of its entries. Holds credentials: never show these two.
    """

    name: str
    server: str = ""
    user_name: str = ""
    namespace: str = ""
    authority: Authority | None = None
    credential: str = ""  # what kind it is, in words
    credential_expires_at: datetime | None = None
    cluster: Mapping[str, Any] = field(default_factory=dict, repr=False)
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    refusal: BadInput | None = None


def cluster_of(offered: Offered, by: str) -> Cluster:
    """A context that was not refused, as one to connect to; ``by``: who added it."""
    return Cluster(
        name=offered.name, slug=slug(offered.name), server=offered.server, source="added", source_detail=by,
        user=offered.user_name, namespace=offered.namespace, is_sandbox=False,
        connection=Connection(cluster=offered.cluster, user=offered.user),
    )  # fmt: skip


def read_kubeconfig(text: str) -> list[Offered]:
    """The contexts of a text, in its order. Raises BadInput for a text that is no kubeconfig, or has none."""
    document = _document(text)
    if document.get("kind", "Config") != "Config" or document.get("apiVersion", "v1") != "v1":
        raise _wrong("kind", "This is not a kubeconfig: its kind is Config, its apiVersion v1.")
    contexts = _entries(document, "contexts", "context")
    clusters, users = _entries(document, "clusters", "cluster"), _entries(document, "users", "user")
    if not contexts:
        raise _wrong(
            "contexts",
            "This is not a kubeconfig: it has no contexts.",
            "kubectl config view --flatten prints one.",
        )
    if len(contexts) > MAX_CONTEXTS:
        raise _wrong("contexts", f"It has {len(contexts)} contexts: {MAX_CONTEXTS} are read at most.")
    return [_offered(name, context, clusters, users) for name, context in contexts.items()]


def _document(text: str) -> Mapping[str, Any]:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise _wrong("", f"A kubeconfig may have {MAX_BYTES // 1024} KiB.", "Leave out what is not needed.")
    if not text.strip():
        raise _wrong("", "Paste a kubeconfig, or choose a file.")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=_LOADER)
        _check_keys(node, "")
        # Comments alone, or a byte order mark, are no document.
        document = None if node is None else _LOADER("").construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError) as error:
        # The parser's own message quotes lines of the text, which may hold credentials.
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark else ""
        raise _wrong("", f"This is not YAML{where}.", "Correct it, or paste it again.") from None
    if not isinstance(document, dict):
        raise _wrong("", "This is not a kubeconfig.", "kubectl config view --flatten prints one.")
    return document


def _check_events(text: str) -> None:
    """What would make a text larger, or deeper, than it looks."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _wrong("", f"Line {line} has a YAML anchor or alias.", "Write out what it stands for.")
        if isinstance(event, yaml.NodeEvent) and (tag := getattr(event, "tag", None)) and tag != "!":
            raise _wrong("", f"Line {line} has a YAML tag.", "Remove it: a kubeconfig needs none.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH or number > _MAX_NODES:
            raise _wrong("", f"Line {line}: no kubeconfig is nested so deep, or so long.")


def _check_keys(node: Any, path: str) -> None:
    """Of a key that stands twice, one parser takes the first and another the last."""
    if isinstance(node, yaml.SequenceNode):
        for number, each in enumerate(node.value):
            _check_keys(each, f"{path}[{number}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        # Nor null, true or 1, which are keys of no kubeconfig.
        if not isinstance(key, yaml.ScalarNode) or key.tag not in (
            _TEXT,
            _MERGE,
        ):
            raise _wrong(path, f"Line {line} has a key that is not text.")
        if key.value == "<<" or key.value in seen:
            raise _wrong(path, f"Line {line}: a key stands twice, or merges others.", "Write each key once.")
        seen.add(key.value)
        _check_keys(value, f"{path}.{key.value}".lstrip("."))


def _entries(document: Mapping[str, Any], plural: str, singular: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    entries = document.get(plural) or []
    if not isinstance(entries, list):
        raise _wrong(plural, f"This is not a kubeconfig: {plural} is not a list.")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise _wrong(f"{plural}[{number}].name", f"An entry of {plural} has no name.")
        name, value = entry["name"], entry.get(singular) or {}
        if not isinstance(value, dict):
            raise _wrong(
                f"{plural}[{number}].{singular}", f"{singular} of {plural}[{number}] is not a mapping."
            )
        if name in found:
            raise _wrong(f"{plural}[{number}].name", f"{plural} has two entries of one name ({number + 1}.).")
        found[name] = value
    return found


def _offered(
    name: str,
    context: Mapping[str, Any],
    clusters: Mapping[str, Mapping[str, Any]],
    users: Mapping[str, Mapping[str, Any]],
) -> Offered:
    try:
        printable = name and name == name.strip() and name.isprintable()
        if not printable or len(name) > MAX_NAME or len(slug(name)) > MAX_SLUG:
            raise _wrong(
                "contexts.name",
                f"A context's name has 1 to {MAX_NAME} printable characters, without spaces around it.",
                "kubectl config rename-context gives it another one.",
            )
        cluster_name, user_name = (str(context.get(key) or "") for key in ("cluster", "user"))
        if len(user_name) > MAX_NAME or not user_name.isprintable():
            raise _wrong(
                f"contexts[{name}].user", f"A user's name has {MAX_NAME} printable characters at most."
            )
        for key, known, named in (("cluster", clusters, cluster_name), ("user", users, user_name)):
            if named not in known:
                raise _wrong(
                    f"contexts[{name}].{key}", f"contexts[{name}].{key} names no entry of {key}s.", _EMBED
                )
        at_cluster, at_user = f"clusters[{cluster_name}]", f"users[{user_name}]"
        cluster = _taken(clusters[cluster_name], _CLUSTER_TAKEN, _CLUSTER_REFUSED, at_cluster)
        user = _taken(users[user_name], _USER_TAKEN, _USER_REFUSED, at_user)
        authority = _authority(cluster, at_cluster)
        credential, until = _credential(user, at_user)
        return Offered(
            name, _server(cluster, at_cluster), user_name, _namespace(context, f"contexts[{name}].namespace"),
            authority, credential, until, cluster, user,
        )  # fmt: skip
    except BadInput as error:
        return Offered(name, refusal=error.to_keep())


def _taken(
    entry: Mapping[str, Any], taken: frozenset[str], refused: Mapping[str, tuple[str, str]], at: str
) -> dict[str, Any]:
    """What an entry says, without what is empty. Raises BadInput for what is refused."""
    said = {str(key): value for key, value in entry.items() if value not in (None, "", False, [], {})}
    for key in said:
        if key in refused:
            why, way_out = refused[key]
            raise _wrong(f"{at}.{key}", f"{at}.{key} is refused: {why}.", way_out)
        if key not in taken:
            raise _wrong(f"{at}.{key[:60]}", f"{at}.{key[:60]} is not known here.", "Remove it.")
    said.pop("extensions", None)
    return said


def _namespace(context: Mapping[str, Any], where: str) -> str:
    namespace = context.get("namespace") or ""
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise _wrong(where, f"{where} is not the name of a namespace.", "Remove it, or correct it.")
    return namespace


def _server(cluster: Mapping[str, Any], at: str) -> str:
    where, server = f"{at}.server", cluster.get("server")
    if not isinstance(server, str) or len(server) > MAX_SERVER or not server.isprintable():
        raise _wrong(where, f"{where} is not an address.", "It looks like https://host:6443.")
    try:
        parts = urlsplit(server)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
    except ValueError:
        raise _wrong(where, f"{where} is not an address.", "It looks like https://host:6443.") from None
    if parts.scheme != "https":
        raise _wrong(
            where, f"{where} is not https: credentials would be readable on the way.", "Use https://…"
        )
    if not host or not port or parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong(
            where, f"{where} is more than scheme, host, port and path.", "It looks like https://host:6443."
        )
    if any(letter.isspace() or letter in '\\"<>{}|^`' for letter in server):
        raise _wrong(where, f"{where} is not an address.", "It looks like https://host:6443.")
    if flaw := host_flaw(host, port):
        raise _wrong(
            where, f"{where} is refused: {flaw}", "Use the address by which the API server is reached."
        )
    if not isinstance(cluster.get("disable-compression", True), bool):
        raise _wrong(f"{at}.disable-compression", f"{at}.disable-compression is true or false.")
    name = cluster.get("tls-server-name", "")
    if not isinstance(name, str) or len(name) > MAX_NAME or not _is_encodable(name):
        raise _wrong(f"{at}.tls-server-name", f"{at}.tls-server-name is not a name.")
    return server


def _is_encodable(name: str) -> bool:
    """Whether TLS can ask for it."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _authority(cluster: dict[str, Any], at: str) -> Authority | None:
    if "certificate-authority-data" not in cluster:
        return None
    where = f"{at}.certificate-authority-data"
    first, *_ = _certificates(cluster, "certificate-authority-data", where)
    return Authority(first.fingerprint(SHA256()).hex(":").upper(), first.not_valid_after_utc)


def _credential(user: dict[str, Any], at: str) -> tuple[str, datetime | None]:
    """What kind of credential it is, and until when it holds where it says so."""
    for key in ("as", "as-groups", "as-user-extra"):
        _check_impersonation(user, key, at)
    kinds, until = [], None
    if "client-certificate-data" in user or "client-key-data" in user:
        for key, other in (
            ("client-certificate-data", "client-key-data"),
            ("client-key-data", "client-certificate-data"),
        ):
            if key not in user:
                raise _wrong(
                    f"{at}.{key}", f"{at}.{other} stands without {key}.", "A certificate needs both."
                )
        certificate, *_ = _certificates(user, "client-certificate-data", f"{at}.client-certificate-data")
        key_pem, chain = _pem(user, "client-key-data", at), _pem(user, "client-certificate-data", at)
        if flaw := key_flaw(key_pem, chain):
            raise _wrong(f"{at}.client-key-data", f"{at}.client-key-data can't be used. {flaw}")
        kinds.append("client certificate")
        until = certificate.not_valid_after_utc
    if "token" in user:
        token = user["token"]
        if not isinstance(token, str) or len(token) > MAX_TOKEN or any(not "!" <= c <= "~" for c in token):
            raise _wrong(
                f"{at}.token",
                f"{at}.token is not a token: it has at most {MAX_TOKEN:,} letters, digits and signs, without spaces.",
            )
        kinds.append("token")
        until = min(filter(None, (until, token_expiry(token))), default=None)
    if not kinds:
        raise _wrong(f"{at}", f"{at} has no credentials.", _CREDENTIALS)
    return " and ".join(kinds), until


def _check_impersonation(user: Mapping[str, Any], key: str, at: str) -> None:
    value = user.get(key)
    lists = list(value.values()) if isinstance(value, dict) else [value]
    texts = [each for one in lists for each in (one if isinstance(one, list) else [one])]
    right = {
        "as": isinstance(value, str),
        "as-groups": isinstance(value, list),
        "as-user-extra": isinstance(value, dict) and all(isinstance(one, list) for one in lists),
    }
    if value is None:
        return
    if not right[key] or not all(isinstance(each, str) and each.isprintable() for each in texts):
        raise _wrong(f"{at}.{key}", f"{at}.{key} is not what it should be.", "Remove it, or correct it.")


def _pem(entry: Mapping[str, Any], key: str, at: str) -> str:
    try:
        return base64.b64decode("".join(str(entry[key]).split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _wrong(
            f"{at}.{key}", f"{at}.{key} is not the base64 of a PEM text.", f"Paste it again. {_EMBED}"
        ) from None


def _certificates(entry: dict[str, Any], key: str, where: str) -> list[x509.Certificate]:
    """The certificates of an entry, of which there is one at least."""
    pem = _pem(entry, key, where.rpartition(".")[0])
    if "PRIVATE KEY" in pem:
        raise _wrong(where, f"{where} holds a private key.", "Only certificates belong there.")
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        found = []
    if not found:
        raise _wrong(where, f"{where} has no PEM certificate that can be read.", f"Paste it again. {_EMBED}")
    return found


def _wrong(field: str, message: str, next_step: str = "") -> BadInput:
    return BadInput(message, next_step=next_step, field=field or "kubeconfig")
