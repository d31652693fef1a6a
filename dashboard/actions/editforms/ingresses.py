"""An Ingress that is there: its class, its rules and its certificates."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard.actions.action import DryRun, Manifest
from dashboard.actions.newobjects.form import Input
from dashboard.actions.newobjects.ingresses import NEW_INGRESS
from dashboard.insight import Impact
from dashboard.insight.rerouting import ingress_impact
from dashboard.kinds.ingresses import OLDER_CLASS
from dashboard.kinds.rows import listed, plural

from .editing import WAS, Editing, Edits, Row, Texts, row_texts

_PATH_TYPES = (
    ("Prefix", "Prefix"),
    ("Exact", "Exact"),
    ("ImplementationSpecific", "ImplementationSpecific: as its controller has it"),
)


class EditIngress(Editing):
    """A row of the rules is one path, named by its rule and its place there; a row of the certificates one host."""

    form = NEW_INGRESS
    names = ("class", "rules", "tls")

    def input(self, one: Input, manifest: Manifest) -> Input | None:
        if one.name == "class":
            return None if _older_class(manifest) else one
        columns = [
            dataclasses.replace(each, choices=_PATH_TYPES) if each.name == "type" else each
            for each in one.columns
        ]
        hint = "Without a host it is for all hosts of the rules." if one.name == "tls" else one.hint
        required = one.required and any(_paths(manifest))
        return dataclasses.replace(one, columns=tuple(columns), hint=hint, required=required)

    def shown(self, manifest: Manifest) -> Texts:
        spec = manifest.get("spec") or {}
        rules = [_shown(host, path) | {WAS.name: was} for was, host, path in _paths(manifest)]
        tls = [
            {"secret": entry["secretName"], "host": host, WAS.name: f"{at}.{number}"}
            for at, entry in enumerate(spec.get("tls") or ()) if entry.get("secretName")
            for number, host in enumerate(entry.get("hosts") or [""])
        ]  # fmt: skip
        return (
            {"class": [spec.get("ingressClassName") or ""]}
            | row_texts("rules", rules)
            | row_texts("tls", tls)
        )

    def unshown(self, manifest: Manifest) -> Sequence[str]:
        return list(_unshown(manifest))

    def put(self, made: Manifest, edits: Edits) -> None:
        spec = made.setdefault("spec", {})
        if "class" in edits.changed:
            _set(spec, "ingressClassName", edits["class"])
        if "rules" in edits.changed:
            _set(spec, "rules", _rules(spec.get("rules") or (), edits))
        if "tls" in edits.changed:
            hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
            _set(spec, "tls", _tls(spec.get("tls") or (), edits, hosts))

    def impact(self, dry: DryRun) -> Impact:
        return ingress_impact(dry.obj, dry.made)


def _set(spec: Manifest, key: str, value: Any) -> None:
    if value:
        spec[key] = value
    else:
        spec.pop(key, None)


def _older_class(manifest: Manifest) -> str:
    spec, notes = manifest.get("spec") or {}, manifest["metadata"].get("annotations") or {}
    return "" if spec.get("ingressClassName") else str(notes.get(OLDER_CLASS, ""))


def _paths(manifest: Manifest) -> Iterator[tuple[str, str, Manifest]]:
    """Each path that leads to a Service: what its row is called, its host, itself."""
    for at, rule in enumerate((manifest.get("spec") or {}).get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            if "service" in path["backend"]:
                yield f"{at}.{number}", rule.get("host") or "", path


def _shown(host: str, path: Manifest) -> dict[str, str]:
    service = path["backend"]["service"]
    port = service.get("port") or {}
    return {
        "host": host,
        "path": path.get("path") or "",
        "type": path.get("pathType") or "ImplementationSpecific",
        "service": service["name"],
        "port": str(port.get("name") or port.get("number") or ""),
    }


def _unshown(manifest: Manifest) -> Iterator[str]:
    spec = manifest.get("spec") or {}
    if older := _older_class(manifest):
        yield f"Its class, {older}, stands in the annotation {OLDER_CLASS}."
    if default := spec.get("defaultBackend"):
        where = default.get("service") or default.get("resource") or {}
        yield f"What no rule matches goes to {where.get('name', 'its default backend')}."
    rules = spec.get("rules") or ()
    others = [
        path
        for rule in rules
        for path in (rule.get("http") or {}).get("paths") or ()
        if "service" not in path["backend"]
    ]
    if others:
        verb = "leads" if len(others) == 1 else "lead"
        yield f"{plural(len(others), 'path')} {verb} to other objects than Services."
    hosts = Counter(rule.get("host") or "every host" for rule in rules)
    if twice := [host for host, count in hosts.items() if count > 1]:
        yield f"There are several rules for {listed(twice, 'more')}: each path stays in its own."
    empty = sum(not (rule.get("http") or {}).get("paths") for rule in rules)
    if empty:
        yield f"{plural(empty, 'rule')} without a path {'stays' if empty == 1 else 'stay'}."
    if sum(not entry.get("secretName") for entry in spec.get("tls") or ()):
        yield "For some hosts the controller chooses the certificate: no Secret is named."


def _put(path: Manifest, row: Row) -> None:
    """A path; what else it has stays."""
    if "path" in row.changed:
        path["path"] = row["path"] or "/"
    if "type" in row.changed:
        path["pathType"] = row["type"]
    service = path.setdefault("backend", {}).setdefault("service", {})
    if "service" in row.changed:
        service["name"] = row["service"] or ""
    if "port" in row.changed:
        service["port"] = {"number" if isinstance(row["port"], int) else "name": row["port"] or ""}


def _rules(there: Sequence[Manifest], edits: Edits) -> list[Manifest]:
    """The rules with what was typed. A path whose host was changed goes to the rule of that host; where all paths of a
    rule got the same one, the rule itself gets it.
    """
    rows, gone = {row.was: row for row in edits.rows("rules") if row.was}, edits.gone("rules")
    made: list[Manifest] = []
    moved: list[tuple[str, Manifest]] = []
    for at, rule in enumerate(there):
        kept: list[tuple[str, Manifest]] = []
        old = rule.get("host") or ""
        paths = (rule.get("http") or {}).get("paths") or ()
        for number, path in enumerate(paths):
            row = rows.get(was := f"{at}.{number}")
            if was in gone:
                continue
            path, host = copy.deepcopy(path), old
            if row is not None and row.changed:
                _put(path, row)
                host = (row["host"] or "") if "host" in row.changed else old
            kept.append((host, path))
        hosts = {host for host, _ in kept}
        host = hosts.pop() if len(hosts) == 1 else old
        moved += [pair for pair in kept if pair[0] != host]
        if own := [path for each, path in kept if each == host]:
            made.append(_with_host(rule, host) | {"http": {**rule["http"], "paths": own}})
        elif not paths:
            made.append(rule)
    for row in edits.rows("rules"):
        if not row.was:
            new: Manifest = {}
            _put(new, row)
            moved.append((row["host"] or "", new))
    for host, path in moved:
        last = next(
            (rule for rule in reversed(made) if (rule.get("host") or "") == host and "http" in rule), None
        )
        if last is None:
            made.append(_with_host({}, host) | {"http": {"paths": [path]}})
        else:
            last["http"] = {**last["http"], "paths": [*last["http"]["paths"], path]}
    return made


def _with_host(rule: Mapping[str, Any], host: str) -> Manifest:
    kept = {key: value for key, value in rule.items() if key != "host"}
    return {"host": host, **kept} if host else kept


def _tls(there: Sequence[Manifest], edits: Edits, hosts: Sequence[str]) -> list[Manifest]:
    """The certificates with what was typed, in the same way. A new one without a host is for all hosts of the rules."""
    rows, gone = {row.was: row for row in edits.rows("tls") if row.was}, edits.gone("tls")
    made: list[Manifest] = []
    moved: list[tuple[str, list[str]]] = []
    for at, entry in enumerate(there):
        kept: list[tuple[str, str]] = []
        old, named = entry.get("secretName") or "", entry.get("hosts") or [""]
        changed = False
        for number, host in enumerate(named):
            row, was = rows.get(f"{at}.{number}"), f"{at}.{number}"
            if was in gone or (row is not None and row.changed):
                changed = True
            if was not in gone:
                kept.append((row["secret"] or "", row["host"] or "") if row is not None else (old, host))
        if not changed:
            made.append(entry)
            continue
        secrets = {secret for secret, _ in kept}
        secret = secrets.pop() if len(secrets) == 1 else old
        moved += [(other, [host] if host else list(hosts)) for other, host in kept if other != secret]
        if own := [host for other, host in kept if other == secret]:
            # One without hosts stays so; a host that was taken out stands for all.
            every = hosts if entry.get("hosts") else ()
            made.append(_certificate(secret, [each for host in own for each in ([host] if host else every)]))
    for row in edits.rows("tls"):
        if not row.was:
            moved.append((row["secret"] or "", [row["host"]] if row["host"] else list(hosts)))
    for secret, names in moved:
        last = next((each for each in made if each.get("secretName") == secret and each.get("hosts")), None)
        if last is None:
            made.append(_certificate(secret, names))
        else:
            last_at = made.index(last)
            made[last_at] = last | {"hosts": [*dict.fromkeys((*last["hosts"], *names))]}
    return made


def _certificate(secret: str, hosts: Sequence[str]) -> Manifest:
    return ({"hosts": list(dict.fromkeys(hosts))} if hosts else {}) | {"secretName": secret}


EDIT_INGRESS = EditIngress()
