"""An Ingress: host names and paths from outside to Services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.errors import BadInput, ClusterError, Forbidden
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.rules.certificates import covers
from dashboard.insight.traffic import service_ends
from dashboard.insight.words import bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.certificates import Certificate
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.services import Service
from dashboard.queries.secretages import TLS
from dashboard.queries.secrets import certificate_of

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input
from .reading import counted, host, port_or_name, subdomain

_PATH_TYPES = (("Prefix", "Prefix"), ("Exact", "Exact"))
_KNOWING = "Worth knowing"
MAX_CERTIFICATES = 5  # that are looked at for one answer


def _path(typed: str) -> str:
    text = typed.strip()
    if (
        not text.startswith("/")
        or any(part in text for part in ("//", "/./", "/../", " "))
        or len(text) > 1024
    ):
        raise BadInput("A path begins with a slash, such as /shop, and has no // in it.")
    return text


def _services(look: Look) -> Iterable[str]:
    return counted(sorted(each.metadata.name for each in look.all("services")))


def _ports(look: Look) -> Iterable[str]:
    names = {row["service"] for row in look.values.get("rules") or () if row["service"]}
    ports = [
        one
        for each in look.all("services")
        if not names or each.metadata.name in names
        for one in each.spec.ports or ()
    ]
    return counted(text for one in ports for text in (str(one.port), one.name) if text)


def _classes(look: Look) -> Iterable[str]:
    return counted(sorted(each.metadata.name for each in look.objects.all("ingressclasses")))


def _secrets(look: Look) -> Iterable[str]:
    return counted(sorted(each.metadata.name for each in look.all("secrets") if each.secret_type == TLS))


class NewIngress(NewObject):
    plural = "ingresses"
    reads = frozenset({"services", "endpointslices", "pods", "ingressclasses", "secrets"})
    offered_on = MappingProxyType({"services": "Expose by an Ingress"})
    sections = (
        Section(
            title="Ingress",
            inputs=(
                name_input(),
                NAMESPACE,
                Input(
                    name="class", label="IngressClass", parse=subdomain, suggest=_classes, at=("spec.ingressClassName",),
                    hint="Empty: the cluster's default.",
                ),
            ),
        ),
        Section(
            title="Rules",
            note="which requests go to which Service",
            inputs=(
                Input(
                    name="rules",
                    label="Rules",
                    input="rows",
                    add="Rule",
                    required=True,
                    at=("spec.rules",),
                    columns=(
                        Input(name="host", label="Host", parse=host),
                        Input(name="path", label="Path", parse=_path, value="/"),
                        Input(name="type", label="Matches", input="choice", choices=_PATH_TYPES),
                        Input(name="service", label="Service", parse=subdomain, required=True, suggest=_services),
                        Input(name="port", label="Port", parse=port_or_name, required=True, suggest=_ports),
                    ),
                    hint="Prefix is the path and all below it. Without a host it is for every host name that no other "
                    "Ingress has.",
                ),
            ),
        ),
        Section(
            title="TLS",
            note="certificates for https",
            inputs=(
                Input(
                    name="tls",
                    label="TLS",
                    input="rows",
                    add="Certificate",
                    at=("spec.tls",),
                    columns=(
                        Input(name="secret", label="Secret", parse=subdomain, required=True, suggest=_secrets),
                        Input(name="host", label="Host", parse=host),
                    ),
                    hint="A Secret of type kubernetes.io/tls. Without a host it is for all hosts of the rules.",
                ),
            ),
        ),
    )  # fmt: skip

    def filled(self, plural: str, obj: Any, objects: Objects) -> Mapping[str, Sequence[str]]:
        """Each port of the Service that speaks HTTP as far as its name tells, else the first one."""
        ports = [one for one in obj.spec.ports or () if one.protocol == "TCP"]
        web = [one for one in ports if one.name.startswith("http") or one.port in (80, 443, 8080)][
            :1
        ] or ports[:1]
        count = len(web)
        head = {"name": [obj.metadata.name], "namespace": [obj.metadata.namespace]}
        return head | {
            "rules.host": [""] * count, "rules.path": ["/"] * count, "rules.type": ["Prefix"] * count,
            "rules.service": [obj.metadata.name] * count, "rules.port": [one.name or str(one.port) for one in web],
        }  # fmt: skip

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        by_host: dict[str, list[Manifest]] = {}
        for row in values["rules"]:
            named = {"number" if isinstance(row["port"], int) else "name": row["port"] or ""}
            backend = {"service": {"name": row["service"] or "", "port": named}}
            path = {"path": row["path"] or "/", "pathType": row["type"], "backend": backend}
            by_host.setdefault(row["host"] or "", []).append(path)
        rules = [
            ({"host": name} if name else {}) | {"http": {"paths": paths}} for name, paths in by_host.items()
        ]
        hosts = [name for name in by_host if name]
        secrets: dict[str, list[str]] = {}
        for row in values["tls"]:
            if row["secret"]:
                secrets.setdefault(row["secret"], []).extend([row["host"]] if row["host"] else hosts)
        tls = [
            ({"hosts": list(dict.fromkeys(names))} if names else {}) | {"secretName": secret}
            for secret, names in secrets.items()
        ]
        class_name = {"ingressClassName": values["class"]} if values["class"] else {}
        return {"spec": class_name | {"rules": rules} | ({"tls": tls} if tls else {})}

    async def check(self, look: Look, checks: Checks) -> None:
        _check_class(look, checks)
        for row in look.values["rules"]:
            _check_rule(look, checks, row)
        _check_rows(look, checks)
        checks.effects += _clashes(look)
        for row in look.values["tls"][:MAX_CERTIFICATES]:
            await _check_secret(look, checks, row)

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        """kubectl has one Secret a rule, for the host of that rule."""
        secrets = {row["host"]: row["secret"] for row in values["tls"]}
        if any(not row["host"] for row in (*values["rules"], *values["tls"])):
            return ()
        flags = []
        for row in values["rules"]:
            star = "*" if row["type"] == "Prefix" else ""
            tls = f",tls={secrets[row['host']]}" if row["host"] in secrets else ""
            flags.append(
                f"--rule={row['host']}{row['path'] or '/'}{star}={row['service']}:{row['port']}{tls}"
            )
        named = [f"--class={values['class']}"] if values["class"] else []
        return ("kubectl", "create", "ingress", values["name"], "-n", values["namespace"], *named, *flags)


def _check_class(look: Look, checks: Checks) -> None:
    name = look.values["class"]
    if not look.objects.reads("ingressclasses"):
        checks.at("class", "info", "Which IngressClasses there are is not known here.")
        return
    classes = list(look.objects.all("ingressclasses"))
    fitting = [one for one in classes if (one.metadata.name == name if name else one.is_default)]
    if fitting:
        one = fitting[0]
        lead = "" if name else f"{one.metadata.name} is the default, "
        checks.at("class", "ok", f"{lead}handled by {one.spec.controller}")
    elif name:
        checks.at(
            "class", "warn", f"There is no IngressClass {name}: no controller takes it up until there is."
        )
    elif classes:
        names = listed(sorted(one.metadata.name for one in classes))
        checks.at(
            "class", "warn", f"No class is the default: choose one, {names}, or no controller may take it up."
        )
    else:
        checks.at(
            "class", "warn", "There is no IngressClass: an ingress controller has to be installed first."
        )


def _check_rule(look: Look, checks: Checks, row: Any) -> None:
    name, number = row["service"], row["port"]
    if not name or not look.namespace:
        return
    service: Service | None = look.get("services", name)
    if service is None:
        if why := look.unknown("services"):
            checks.at(row.place, "info", f"Whether there is a Service {name} is not known: {why}.")
        else:
            checks.at(
                row.place, "warn", f"There is no Service {name} in {look.namespace}: requests get an error."
            )
        return
    ports = service.spec.ports or ()
    if number is not None and not any(number in (one.port, one.name) for one in ports):
        known = listed(f"{one.port}{f' ({one.name})' if one.name else ''}" for one in ports) or "none"
        checks.at(row.place, "warn", f"Service {name} has no port {number}: it has {known}.")
        return
    if why := look.unknown("endpointslices"):
        checks.at(row.place, "info", f"Whether it has endpoints is not known: {why}.")
        return
    ready = service_ends(look.objects, service).ready
    words = plural(ready, "ready endpoint")
    checks.at(
        row.place, "ok" if ready else "warn", words if ready else f"Service {name} has no ready endpoints"
    )


def _check_rows(look: Look, checks: Checks) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for at, row in enumerate(look.values["rules"], start=1):
        key = (row["host"] or "", row["path"] or "/", row["type"])
        if key in seen:
            checks.at(row.place, "bad", f"Row {seen[key]} has the same host and path.")
        seen.setdefault(key, at)


def _clashes(look: Look) -> Iterator[Effect]:
    """Other Ingresses with the same host and path: which of both gets a request, controllers decide differently. All are
    looked at, of every namespace that may be seen: there are only as many as people wrote.
    """
    typed = {(row["host"] or "", row["path"] or "/") for row in look.values["rules"]}
    for other in look.objects.all("ingresses"):
        meta = other.metadata
        if (meta.namespace, meta.name) == (look.namespace, look.values["name"]):
            continue
        for rule in other.spec.rules or ():
            for path in (rule.http.paths or ()) if rule.http else ():
                if (rule.host, path.path or "/") not in typed:
                    continue
                place = f"{rule.host or 'every host'}{path.path or '/'}"
                where = "" if meta.namespace == look.namespace else f" in {meta.namespace}"
                text = parts(bold(f"Ingress {meta.name}"), f"{where} has ", bold(place), " too")
                ref = Ref("Ingress", meta.namespace, meta.name, "ingresses")
                note = "which of both gets the request depends on the controller"
                yield Effect("warn", "warn", text, note, "clash", ref, _KNOWING)


async def _check_secret(look: Look, checks: Checks, row: Any) -> None:
    """Whether the Secret can be what it is to be; its certificate is read as the user, and only its public part."""
    name = row["secret"]
    if not name or not look.namespace:
        return
    served = [each["host"] or "" for each in look.values["rules"]]
    if row["host"] and "" not in served and not any(covers(row["host"], each) for each in served):
        text = f"No rule is for {row['host']}: requests for it reach none of these Services."
        checks.at(row.place, "warn", text)
        return
    found = look.get("secrets", name)
    if found is None and not look.unknown("secrets"):
        text = f"There is no Secret {name} in {look.namespace}: https shows the controller's own certificate."
        checks.at(row.place, "warn", text)
        return
    if found is not None and found.secret_type != TLS:
        checks.at(
            row.place, "warn", f"Secret {name} has the type {found.secret_type}: controllers read {TLS}."
        )
        return
    try:
        certificate = await certificate_of(look.transport, look.namespace, name)
    except Forbidden:
        words = "it has the right type" if found is not None else "whether it is there is not known"
        checks.at(row.place, "info", f"Your account may not read Secret {name}: {words}.")
        return
    except (ClusterError, ValueError) as error:
        checks.at(row.place, "info", f"The certificate could not be read: {error}")
        return
    if certificate is None:
        checks.at(row.place, "warn", f"Secret {name} holds no certificate that can be read.")
        return
    _judge(look, checks, row, certificate)


def _judge(look: Look, checks: Checks, row: Any, certificate: Certificate) -> None:
    hosts = [row["host"]] if row["host"] else [each["host"] for each in look.values["rules"] if each["host"]]
    missing = [
        name for name in dict.fromkeys(hosts) if not any(covers(each, name) for each in certificate.names)
    ]
    until = f"{certificate.not_after:%Y-%m-%d}"
    if certificate.not_after <= look.now:
        checks.at(row.place, "warn", f"Its certificate expired on {until}: browsers refuse it.")
        checks.notices.append(
            Notice("warn", f"The certificate in {row['secret']} has expired", f"It expired on {until}.")
        )
    elif missing:
        names = listed(certificate.names) or "no host"
        checks.at(row.place, "warn", f"Its certificate is for {names}, not for {listed(missing)}.")
    elif certificate.not_before > look.now:
        checks.at(
            row.place, "warn", f"Its certificate is valid only from {certificate.not_before:%Y-%m-%d} on."
        )
    else:
        checks.at(row.place, "ok", f"Certificate for {listed(certificate.names)}, until {until}")


NEW_INGRESS = NewIngress()
