"""A Deployment that is there: its replicas, and what its main container runs, reads and needs."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard.actions.action import DryRun, Manifest, pointer
from dashboard.actions.newobjects.deployments import NEW_DEPLOYMENT, RESOURCE_INPUTS
from dashboard.actions.newobjects.form import Checks, Input, Look
from dashboard.actions.resources import RESOURCES
from dashboard.insight import Impact, scale_impact, template_impact
from dashboard.insight.impact import together
from dashboard.insight.sizing import sizing_impact
from dashboard.kinds.rows import listed, plural

from .editing import NOTHING, WAS, Editing, Edits, Row, Texts, row_texts

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
KEPT = "kept"  # stands for a health check that the form can't show
PROBES = ("readiness", "liveness")
_TEMPLATE = "/spec/template"
# How a variable names what it comes from, alone and with all its keys.
_KEYS = {"configmaps": "configMapKeyRef", "secrets": "secretKeyRef"}
_ALL = {"configmaps": "configMapRef", "secrets": "secretRef"}
_TITLES = {"configmaps": "ConfigMap", "secrets": "Secret"}
_INDEX = re.compile(r"^spec\.template\.spec\.containers\[(\d+)\]")
_UNTYPED = re.compile(r"[\x00-\x1f\x7f]")  # what an input of one line does not hold


class EditDeployment(Editing):
    """A variable is named by its place among ``env`` (``e0``) or ``envFrom`` (``f0``)."""

    form = NEW_DEPLOYMENT
    names = (
        "image", "replicas", "port", "env", "readiness", "readiness_path", "liveness", "liveness_path",
        *RESOURCE_INPUTS,
    )  # fmt: skip
    reads = frozenset(
        {"replicasets", "endpointslices", "ingresses", "horizontalpodautoscalers", "persistentvolumeclaims"}
    )

    def refusal(self, manifest: Manifest) -> str:
        return "" if _containers(manifest) else "Its pod template has no container."

    def input(self, one: Input, manifest: Manifest) -> Input:
        if one.name in PROBES and _probe_kind(_container(manifest), one.name) == KEPT:
            words = _handler_words(_container(manifest)[f"{one.name}Probe"])
            kept = (KEPT, f"{words[:1].upper()}{words[1:]}: as it is")
            return dataclasses.replace(one, choices=(*one.choices, kept))
        return one

    def shown(self, manifest: Manifest) -> Texts:
        container = _container(manifest)
        port = _port(container)
        probes: dict[str, Sequence[str]] = {}
        for which in PROBES:
            handler = (container.get(f"{which}Probe") or {}).get("httpGet") or {}
            kind = _probe_kind(container, which)
            probes |= {which: [kind], f"{which}_path": [handler.get("path") or "/" if kind == "http" else ""]}
        return {
            "image": [container.get("image") or ""],
            "replicas": [str((manifest.get("spec") or {}).get("replicas", 1))],
            "port": [str(port["containerPort"]) if port else ""],
            **row_texts("env", list(_variables(container))),
            **probes,
            **{name: [RESOURCES.value(container, name)] for name in RESOURCE_INPUTS},
        }

    def unshown(self, manifest: Manifest) -> Sequence[str]:
        return list(_unshown(manifest))

    def put(self, made: Manifest, edits: Edits) -> None:
        container = _container(made)
        if "replicas" in edits.changed:
            made["spec"]["replicas"] = edits["replicas"]
        if "image" in edits.changed:
            container["image"] = edits["image"]
        if "port" in edits.changed:
            _put_port(container, edits["port"])
        if "env" in edits.changed:
            _put_variables(container, edits)
        for which in PROBES:
            if edits.changed & {which, f"{which}_path"}:
                _put_probe(container, which, edits[which], edits[f"{which}_path"])
        for name in RESOURCE_INPUTS:
            if name in edits.changed:
                RESOURCES.put(container, name, edits[name] or "")

    async def check(self, edits: Edits, look: Look, checks: Checks) -> None:
        await self.form.check_inputs(look, checks)

    def path(self, path: str, manifest: Manifest) -> str:
        """The main container need not be the first one."""
        index = _INDEX.match(path)
        if index is None:
            return path
        own = int(index[1]) == _main(manifest)
        return _INDEX.sub(f"spec.template.spec.containers[{'0' if own else 'other'}]", path)

    def impact(self, dry: DryRun) -> Impact:
        replicas = pointer(dry.after, "/spec/replicas")
        scaled, found = NOTHING, NOTHING
        if pointer(dry.before, "/spec/replicas") != replicas:
            scaled = scale_impact(dry.objects, dry.obj, int(replicas or 0), dry.now)
        if pointer(dry.before, _TEMPLATE) != pointer(dry.after, _TEMPLATE):
            sizes = [_resources(each) for each in (dry.before, dry.after)]
            rule = template_impact if sizes[0] == sizes[1] else sizing_impact
            found = rule(dry.objects, dry.obj, dry.made, dry.now)
        return together((scaled, found))


def _containers(manifest: Manifest) -> list[Manifest]:
    spec = pointer(manifest, f"{_TEMPLATE}/spec") or {}
    return list(spec.get("containers") or ())


def _main(manifest: Manifest) -> int:
    """Which container the form shows: the one that kubectl takes where nobody says which."""
    notes = pointer(manifest, f"{_TEMPLATE}/metadata/annotations") or {}
    names = [each["name"] for each in _containers(manifest)]
    named = notes.get(DEFAULT_CONTAINER)
    return names.index(named) if named in names else 0


def _container(manifest: Manifest) -> Manifest:
    return _containers(manifest)[_main(manifest)]


def _resources(manifest: Manifest) -> list[Any]:
    return [each.get("resources") for each in _containers(manifest)]


def _port(container: Mapping[str, Any]) -> Manifest | None:
    """The port that the form shows."""
    return next(iter(container.get("ports") or ()), None)


# ---- Variables


def _variables(container: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The variables that have a row, as its texts."""
    for at, entry in enumerate(container.get("env") or ()):
        if row := _variable(entry):
            yield row | {WAS.name: f"e{at}"}
    for at, entry in enumerate(container.get("envFrom") or ()):
        found = next(((source, entry[ref]) for source, ref in _ALL.items() if ref in entry), None)
        if found is not None and not entry.get("prefix"):
            yield {
                "name": "",
                "source": found[0],
                "from": found[1].get("name") or "",
                "key": "",
                WAS.name: f"f{at}",
            }


def _variable(entry: Mapping[str, Any]) -> dict[str, str]:
    origin = entry.get("valueFrom")
    if not origin:
        value = entry.get("value") or ""
        if _UNTYPED.search(value):
            return {}
        return {"name": entry["name"], "source": "value", "from": value, "key": ""}
    for source, ref in _KEYS.items():
        if ref in origin:
            named = origin[ref]
            return {
                "name": entry["name"],
                "source": source,
                "from": named.get("name") or "",
                "key": named["key"],
            }
    return {}


def _put_variables(container: Manifest, edits: Edits) -> None:
    rows, gone = {row.was: row for row in edits.rows("env") if row.was}, edits.gone("env")
    made: dict[str, list[Manifest]] = {"env": [], "envFrom": []}
    new = [row for row in edits.rows("env") if not row.was]
    for kind, lists in (("e", "env"), ("f", "envFrom")):
        for at, entry in enumerate(container.get(lists) or ()):
            row = rows.get(was := f"{kind}{at}")
            if was in gone:
                continue
            if row is None or not row.changed:
                made[lists].append(entry)
            elif _list_of(row) == lists:
                made[lists].append(_entry(row, entry))
            else:
                new.append(row)
    for row in new:
        made[_list_of(row)].append(_entry(row, {}))
    for lists, entries in made.items():
        if entries:
            container[lists] = entries
        elif container.get(lists):
            del container[lists]


def _list_of(row: Row) -> str:
    return "envFrom" if row["source"] != "value" and not row["name"] and not row["key"] else "env"


def _entry(row: Row, there: Mapping[str, Any]) -> Manifest:
    """A variable; whether what it comes from is optional stays."""
    if row["source"] == "value":
        return {"name": row["name"] or "", "value": row["from"] or ""}
    if _list_of(row) == "envFrom":
        ref = _ALL[row["source"]]
        return {ref: {**(there.get(ref) or {}), "name": row["from"] or ""}}
    ref = _KEYS[row["source"]]
    named = (there.get("valueFrom") or {}).get(ref) or {}
    key = row["key"] or row["name"]
    return {"name": row["name"] or key, "valueFrom": {ref: {**named, "name": row["from"] or "", "key": key}}}


# ---- Port and health checks


def _put_port(container: Manifest, number: int | None) -> None:
    """Checks that are made on it by its number follow it."""
    port = _port(container)
    ports = copy.deepcopy(container.get("ports") or [])
    if number is None:
        ports = ports[1:]
    elif port is None:
        ports = [{"name": "http", "containerPort": number, "protocol": "TCP"}]
    else:
        ports[0]["containerPort"] = number
        for which in PROBES:
            if (handler := _on_port(container, which)) is not None and handler.get("port") == port[
                "containerPort"
            ]:
                handler["port"] = number
    if ports:
        container["ports"] = ports
    else:
        container.pop("ports", None)


def _on_port(container: Mapping[str, Any], which: str) -> Manifest | None:
    """Where a check of a probe goes, if that is the port that the form shows."""
    probe, port = container.get(f"{which}Probe") or {}, _port(container) or {}
    handler: Manifest | None = probe.get("httpGet") or probe.get("tcpSocket")
    if handler is None or handler.get("host"):
        return None
    known = (port.get("containerPort"), port.get("name") or None)
    return handler if handler.get("port") is not None and handler["port"] in known else None


def _probe_kind(container: Mapping[str, Any], which: str) -> str:
    """Which choice of the form a probe is."""
    probe = container.get(f"{which}Probe")
    if not probe:
        return ""
    if _on_port(container, which) is None:
        return KEPT
    return "http" if "httpGet" in probe else "tcp"


def _handler_words(probe: Mapping[str, Any]) -> str:
    if found := probe.get("httpGet"):
        return f"HTTP GET on port {found.get('port')}"
    if found := probe.get("tcpSocket"):
        return f"TCP connection on port {found.get('port')}"
    return "a command" if "exec" in probe else "gRPC"


def _put_probe(container: Manifest, which: str, kind: str, path: str | None) -> None:
    """What else the probe has, such as its period, stays."""
    name = f"{which}Probe"
    if kind == KEPT:
        return
    if not kind:
        container.pop(name, None)
        return
    there = container.get(name) or {}
    port = _port(container) or {}
    handler = _on_port(container, which)
    probe = {
        key: value for key, value in there.items() if key not in ("httpGet", "tcpSocket", "exec", "grpc")
    }
    at = handler["port"] if handler is not None else port.get("name") or port.get("containerPort")
    if kind == "http":
        old = there.get("httpGet") if handler is not None else None
        probe["httpGet"] = {**(old or {}), "path": path or "/", "port": at}
    else:
        probe["tcpSocket"] = {"port": at}
    container[name] = probe


# ---- What has no input


def _unshown(manifest: Manifest) -> Iterator[str]:
    containers, container = _containers(manifest), _container(manifest)
    name = container["name"]
    if others := [each["name"] for each in containers if each is not container]:
        stay = "stays as it is" if len(others) == 1 else "stay as they are"
        what = f"{plural(len(others), 'more container')}, {listed(others, 'more')}"
        yield f"This is the container {name}. It has {what}, which {stay}."
    helpers = [each["name"] for each in pointer(manifest, f"{_TEMPLATE}/spec/initContainers") or ()]
    if helpers:
        yield f"It has {'an init container' if len(helpers) == 1 else 'init containers'}: {listed(helpers, 'more')}."
    if len(ports := container.get("ports") or ()) > 1:
        numbers = listed(str(each["containerPort"]) for each in ports[1:])
        yield f"It has more ports: {numbers}."
    shown = {row[WAS.name] for row in _variables(container)}
    hidden = [each["name"] for at, each in enumerate(container.get("env") or ()) if f"e{at}" not in shown]
    if hidden:
        yield f"Variables whose values have no row here: {listed(hidden, 'more')}."
    prefixed = sum(f"f{at}" not in shown for at, _ in enumerate(container.get("envFrom") or ()))
    if prefixed:
        yield f"All keys of {plural(prefixed, 'object')} become variables with a prefix."
    for which in PROBES:
        if _probe_kind(container, which) == KEPT:
            yield f"Its {which} check is of another kind: {_handler_words(container[f'{which}Probe'])}."


EDIT_DEPLOYMENT = EditDeployment()
