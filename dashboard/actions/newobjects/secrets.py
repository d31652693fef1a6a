"""Secrets, a form for each type that people make. What is typed into them is never sent back (docs/adr/0054).

Types and their keys: kubernetes.io, Secrets, Types of Secret; the JSON of a registry's credentials as ``kubectl create
secret docker-registry`` writes it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.errors import BadInput
from dashboard.insight import Notice
from dashboard.insight.awaiting import NAMING, awaited_by
from dashboard.insight.rules.certificates import covers
from dashboard.insight.secretrules import unintended_end, value_flaw
from dashboard.kinds.certificates import Certificate, read_certificate
from dashboard.kinds.keypairs import NOT_CERTIFICATES, break_in_chain, is_certificates, key_flaw
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed
from dashboard.loop import off_loop

from .configmaps import IMMUTABLE, check_data, config_key, lines_of
from .form import HIDDEN, NAMESPACE, Checks, Input, Look, NewObject, Section, name_input

DOCKER_HUB = "https://index.docker.io/v1/"
MAX_PEM = 100_000  # characters of a chain or a key
SOON = timedelta(days=30)
UNSENT = "what you type here is never sent back"


def _pem(typed: str) -> str:
    if len(typed) > MAX_PEM:
        raise BadInput(f"It has {len(typed):,} characters; at most {MAX_PEM:,} are read here.")
    return lines_of(typed).strip() + "\n"


def _value(name: str, label: str, **more: Any) -> Input:
    """An input of which nothing is sent back."""
    return replace(Input(name=name, label=label, secret=True, required=True), **more)


class NewSecret(NewObject):
    """``type`` is the Secret's; ``entries`` are its values, and ``keys`` says which keys hold them."""

    plural = "secrets"
    reads = NAMING
    body_bytes = 4 * 2**20  # values of 1 MiB, in which every byte may take three
    type = "Opaque"
    entries: Sequence[Input] = ()
    keys: Mapping[str, str] = MappingProxyType({})

    @property
    def sections(self) -> Sequence[Section]:  # type: ignore[override] # made of what each type declares
        return (
            Section(title="Secret", inputs=(name_input(), NAMESPACE)),
            Section(title=self.variant_title, note=UNSENT, inputs=self.entries),
            Section(title="More", folded=True, inputs=(IMMUTABLE,)),
        )

    def data(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        """Its keys with their values."""
        return {key: values[name] or "" for name, key in self.keys.items()}

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        immutable = {"immutable": True} if values["immutable"] else {}
        return {"type": self.type, "stringData": dict(self.data(values))} | immutable

    async def check(self, look: Look, checks: Checks) -> None:
        for each in self.entries:
            value = look.values.get(each.name)
            if isinstance(value, str) and each.input != "lines" and (end := unintended_end(value.encode())):
                checks.at(each.name, "warn", f"{end}, and that is part of the value.")
        name = look.values["name"]
        if name and look.namespace:
            checks.effects += awaited_by(look.objects, reference("Secret", look.namespace, name))


class NewOpaque(NewSecret):
    variant, variant_title = "opaque", "Keys and values"
    created = ("secret", "secret generic")
    entries = (
        Input(
            name="data",
            label="Data",
            input="rows",
            add="Key",
            required=True,
            at=("data", "stringData"),
            columns=(
                Input(name="key", label="Key", parse=config_key, required=True),
                Input(name="value", label="Value", input="lines", parse=lines_of, secret=True),
            ),
        ),
    )

    def data(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        return {row["key"]: row["value"] or "" for row in values["data"] if row["key"]}

    async def check(self, look: Look, checks: Checks) -> None:
        await super().check(look, checks)
        check_data(look, checks, "Secret")
        for row in look.values["data"]:
            value = row["value"] or ""
            if row["key"] and not value:
                checks.at(row.place, "info", "It has no value.")
            if end := unintended_end(value.encode("utf-8", "replace")):
                checks.at(row.place, "warn", f"{end}, and that is part of the value.")


class NewTls(NewSecret):
    """A server's certificate with its key, as an Ingress reads it."""

    type = "kubernetes.io/tls"
    variant, variant_title = "tls", "Certificate and key"
    created = ("secret", "secret tls")
    keys = MappingProxyType({"certificate": "tls.crt", "key": "tls.key"})
    entries = (
        _value(
            "certificate",
            "Certificate",
            known=True,
            input="lines",
            parse=_pem,
            placeholder="-----BEGIN CERTIFICATE-----",
            hint="The server's certificate in PEM, then those that vouch for it, each after the one that it issued.",
        ),
        _value(
            "key",
            "Private key",
            input="lines",
            parse=_pem,
            placeholder="-----BEGIN PRIVATE KEY-----",
            hint="In PEM, without a passphrase.",
        ),
    )

    command_note = "tls.crt and tls.key are files with the certificate and the key."

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        files = ("--cert=tls.crt", "--key=tls.key")
        return ("kubectl", "create", "secret", "tls", values["name"], "-n", values["namespace"], *files)

    async def check(self, look: Look, checks: Checks) -> None:
        await super().check(look, checks)
        chain, key = look.values["certificate"], look.values["key"]
        if chain:
            found = read_certificate(chain.encode()) if await off_loop(is_certificates, chain) else None
            if found is None:
                checks.at("certificate", "bad", NOT_CERTIFICATES)
                chain = ""
            else:
                self._of_certificate(found, await off_loop(break_in_chain, chain), look, checks)
        if key:
            flaw = await off_loop(key_flaw, key, chain or "")
            if flaw:
                checks.at("key", "bad", flaw)
            elif chain:
                checks.at("key", "ok", "The key belongs to the certificate.")

    def _of_certificate(self, found: Certificate, broken: str, look: Look, checks: Checks) -> None:
        names = listed(found.names) if found.names else ""
        whose = f"For {names}" if names else f"Of {found.subject or 'nobody'}"
        by = "signed by itself" if found.self_signed else f"issued by {found.issuer}"
        told = f"{whose}, {by}, valid until {found.not_after:%Y-%m-%d}."
        at = "certificate"
        checks.at(at, "info" if found.self_signed else "ok", told)
        if found.self_signed:
            checks.at(at, "info", f"{told} Clients trust it only where they were told to.")
        if not found.names:
            checks.at(at, "warn", f"{told} It names no host, and browsers accept none without.")
        if broken:
            checks.at(at, "warn", f"{told} {broken}")
        if time := _time_flaw(found, look.now):
            checks.at(at, "warn", f"{whose}, {by}. {time}")
        for host in _hosts(look):
            if not any(covers(name, host) for name in found.names):
                checks.notices.append(
                    Notice(
                        "warn",
                        f"It is not for {host}",
                        "An Ingress that names this Secret serves that host with it.",
                    )
                )


def _time_flaw(found: Certificate, now: datetime) -> str:
    if found.not_after <= now:
        return f"It expired on {found.not_after:%Y-%m-%d}."
    if found.not_before > now:
        return f"It is not valid before {found.not_before:%Y-%m-%d}."
    if found.not_after - now < SOON:
        return f"It expires soon, on {found.not_after:%Y-%m-%d}."
    return ""


def _hosts(look: Look) -> Iterable[str]:
    """The hosts of Ingresses that name the Secret already."""
    name = look.values["name"]
    if not name:
        return []
    pairs = [
        tls for ingress in look.all("ingresses") for tls in ingress.spec.tls or () if tls.secret_name == name
    ]
    return dict.fromkeys(host for tls in pairs for host in tls.hosts or ())


class NewRegistry(NewSecret):
    """What pods pull images with."""

    type = "kubernetes.io/dockerconfigjson"
    variant, variant_title = "registry", "Image registry"
    created = ("secret", "secret docker-registry")
    entries = (
        _value(
            "server",
            "Registry",
            known=True,
            value=DOCKER_HUB,
            placeholder="registry.example.com",
            hint="Its host, as image names begin with it; Docker Hub has the address that stands here first.",
        ),
        _value("username", "User", known=True),
        _value("password", "Password", input="password", hint="A token that may only pull is better."),
    )

    def data(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        user, password = values["username"] or "", values["password"] or ""
        auth = HIDDEN if password == HIDDEN else base64.b64encode(f"{user}:{password}".encode()).decode()
        account = {"username": user, "password": password, "auth": auth}
        config = {"auths": {(values["server"] or "").strip(): account}}
        return {".dockerconfigjson": json.dumps(config, separators=(",", ":"), ensure_ascii=False)}

    async def check(self, look: Look, checks: Checks) -> None:
        await super().check(look, checks)
        if ":" in (look.values["username"] or ""):
            checks.at("username", "bad", "The name of a user has no colon: one parts it from the password.")
        if any(letter.isspace() for letter in (look.values["server"] or "").strip()):
            checks.at("server", "bad", "A registry's host has no spaces.")
        name = look.values["name"] or "it"
        checks.notices.append(
            Notice(
                "info",
                "Pods have to name it",
                f"A pod pulls with it when its imagePullSecrets name {name}, or those of its ServiceAccount do.",
            )
        )


class NewBasicAuth(NewSecret):
    type = "kubernetes.io/basic-auth"
    variant, variant_title = "basic-auth", "User and password"
    keys = MappingProxyType({"username": "username", "password": "password"})
    entries = (_value("username", "User", known=True), _value("password", "Password", input="password"))


class NewSshAuth(NewSecret):
    type = "kubernetes.io/ssh-auth"
    variant, variant_title = "ssh-auth", "SSH key"
    keys = MappingProxyType({"privatekey": "ssh-privatekey"})
    entries = (
        _value(
            "privatekey",
            "Private key",
            input="lines",
            parse=_pem,
            placeholder="-----BEGIN OPENSSH PRIVATE KEY-----",
            hint="Of a key pair made for this alone: whoever may read this Secret can use it.",
        ),
    )

    async def check(self, look: Look, checks: Checks) -> None:
        await super().check(look, checks)
        if (key := look.values["privatekey"]) and (
            flaw := value_flaw(self.type, "ssh-privatekey", key.encode())
        ):
            checks.at("privatekey", "bad", flaw)


NEW_SECRETS: tuple[NewSecret, ...] = (NewOpaque(), NewTls(), NewRegistry(), NewBasicAuth(), NewSshAuth())
