"""A Service: a name and ports for the pods that have some labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.pod_health import is_ready
from dashboard.insight.relations import pod_labels, pod_spec
from dashboard.insight.selecting import (
    belonging,
    others_selecting,
    owners_of,
    owners_words,
    pods_effects,
)
from dashboard.insight.traffic import declared
from dashboard.insight.words import parts
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed, plural

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input
from .reading import counted, label_name, port, port_or_name, service_name
from .selectors import chosen_pods, selector_input, selector_of, selector_rows

_TYPES = (
    ("ClusterIP", "ClusterIP: inside the cluster"),
    ("NodePort", "NodePort: also on a port of every node"),
    ("LoadBalancer", "LoadBalancer: also from outside, through a load balancer"),
)
_KNOWING = "Worth knowing"


def _ports_of_pods(look: Look) -> Iterable[str]:
    ports = [one for pod in look.all("pods")[:500] for one in declared(pod)]
    return counted([*(one.name for one in ports if one.name), *(str(one.container_port) for one in ports)])


def port_names(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The name of each port. Of several, each must have one of its own."""
    taken = {row.get("name") for row in rows}
    for at, row in enumerate(rows, start=1):
        name = row.get("name") or ""
        if not name and len(rows) > 1:
            name = next(each for n in count(at) if (each := f"port-{n}") not in taken)
            taken.add(name)
        yield name


class NewService(NewObject):
    plural = "services"
    said = ("expose",)
    reads = frozenset(
        {"pods", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "networkpolicies"}
    )
    offered_on = MappingProxyType(
        {
            "deployments": "Expose by a Service",
            "statefulsets": "Expose by a Service",
            "daemonsets": "Expose by a Service",
            "pods": "Expose by a Service",
        }
    )
    sections = (
        Section(
            title="Service",
            inputs=(
                name_input(service_name),
                NAMESPACE,
                Input(name="type", label="Type", input="choice", choices=_TYPES, at=("spec.type",)),
            ),
        ),
        Section(title="Selector", note="pods that have all of these labels", inputs=(selector_input("spec.selector"),)),
        Section(
            title="Ports",
            inputs=(
                Input(
                    name="ports",
                    label="Ports",
                    input="rows",
                    add="Port",
                    required=True,
                    at=("spec.ports",),
                    columns=(
                        Input(name="port", label="Port", input="number", parse=port, required=True),
                        Input(name="target", label="Target port", parse=port_or_name, suggest=_ports_of_pods),
                        Input(
                            name="protocol",
                            label="Protocol",
                            input="choice",
                            choices=(("TCP", "TCP"), ("UDP", "UDP"), ("SCTP", "SCTP")),
                        ),
                        Input(name="name", label="Name", parse=label_name),
                    ),
                    hint="Clients connect to the port; the Service sends that to the target port of a pod, which is the "
                    "same where it is empty. With several ports, each has a name.",
                ),
            ),
        ),
    )  # fmt: skip

    def filled(self, plural: str, obj: Any, objects: Objects) -> Mapping[str, Sequence[str]]:
        """As ``kubectl expose`` does it: the selector of a workload, or the labels of a pod, and their declared ports."""
        labels = pod_labels(plural, obj) or {}
        selector = getattr(obj.spec, "selector", None) if plural != "pods" else None
        if selector is not None and selector.match_labels and not selector.match_expressions:
            labels = selector.match_labels
        spec = pod_spec(plural, obj)
        ports = [one for each in (spec.containers or () if spec else ()) for one in each.ports or ()]
        rows: dict[str, list[str]] = {
            "ports.port": [str(one.container_port) for one in ports],
            "ports.target": [one.name or str(one.container_port) for one in ports],
            "ports.protocol": [one.protocol for one in ports],
            "ports.name": [one.name for one in ports],
        }
        meta = obj.metadata
        head = {"name": [meta.name], "namespace": [meta.namespace], "type": ["ClusterIP"]}
        return head | selector_rows(labels) | (rows if ports else {})

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        rows = values["ports"]
        ports = [
            {
                **({"name": name} if name else {}),
                "port": row["port"],
                "protocol": row["protocol"],
                "targetPort": row["target"] if row["target"] is not None else row["port"],
            }
            for name, row in zip(port_names(rows), rows, strict=True)
        ]
        selector = selector_of(values)
        return {
            "spec": {"type": values["type"], **({"selector": selector} if selector else {}), "ports": ports}
        }

    def called(self, name: str, namespace: str) -> str:
        return f"reached as {name}.{namespace}.svc"

    async def check(self, look: Look, checks: Checks) -> None:
        _check_rows(look, checks)
        pods = chosen_pods(look, checks)
        if pods is None or not look.namespace:
            return
        if not selector_of(look.values):
            text = "Without labels it selects no pods: its endpoints are managed by something else."
            checks.at("selector", "info", text)
            return
        _check_targets(look, checks, pods)
        checks.headline = _headline(look, pods)
        checks.effects += pods_effects(pods, f"It would match {plural(len(pods), 'pod')}", _endpoint(look))
        checks.effects += belonging(look.objects, pods, look.now, _KNOWING)
        checks.effects += others_selecting(
            look.objects, pods, look.namespace, look.values["name"] or "", _KNOWING
        )
        checks.effects += _hidden(look)


def _check_rows(look: Look, checks: Checks) -> None:
    """No two rows may say the same."""
    seen: dict[Any, int] = {}
    for at, row in enumerate(look.values["ports"]):
        for what, key in (("port", (row["port"], row["protocol"])), ("name", row["name"])):
            if key is None or row["port"] is None:
                continue
            if key in seen:
                checks.at(row.place, "bad", f"Row {seen[key] + 1} has the same {what}.")
            seen.setdefault(key, at)


def _target(row: Any) -> int | str | None:
    """Where a port leads to: the target, or the port itself where that is left empty."""
    target: int | str | None = row["target"] if row["target"] is not None else row["port"]
    return target


def _leads_nowhere(row: Any, pods: Sequence[Pod]) -> bool:
    """Whether it is for a port by name that none of the pods has."""
    target = _target(row)
    return isinstance(target, str) and not _numbers(target, row["protocol"], pods)


def _numbers(target: int | str, protocol: str, pods: Sequence[Pod]) -> list[str]:
    """What the target port is called by the pods that declare it; "" for one without a name."""
    found = []
    for pod in pods:
        for one in declared(pod):
            if one.protocol == protocol and target in (one.container_port, one.name):
                found.append(one.name)
                break
    return found


def _check_targets(look: Look, checks: Checks, pods: Sequence[Pod]) -> None:
    for row in look.values["ports"]:
        target = _target(row)
        if target is None or not pods:
            continue
        names, of = (
            _numbers(target, row["protocol"], pods),
            f"{len(pods)} pods" if len(pods) > 1 else "the pod",
        )
        if not names and isinstance(target, str):
            known = listed(dict.fromkeys(one.name for pod in pods for one in declared(pod) if one.name))
            text = f"No container of {of} has a port named {target}" + (
                f": they have {known}." if known else "."
            )
            checks.at(row.place, "warn", text)
        elif not names:
            checks.at(
                row.place, "info", f"No container declares port {target}; it may listen there all the same."
            )
        else:
            word = f"named {names[0]} " if names[0] and isinstance(target, int) else ""
            text = f"{word}declared by {len(names)} of {of}" if len(pods) > 1 else f"{word}declared by {of}"
            checks.at(row.place, "ok" if len(names) == len(pods) else "warn", text)


def _headline(look: Look, pods: Sequence[Pod]) -> Notice:
    name = look.values["name"] or "It"
    rows = [row for row in look.values["ports"] if row["port"] is not None]
    ports = [row["port"] for row in rows if not _leads_nowhere(row, pods)] if pods else []
    what = f"{'ports' if len(ports) > 1 else 'port'} {listed(map(str, ports))} " if ports else ""
    if not pods:
        text = "It has no endpoints until a pod has all of these labels."
        return Notice("warn", f"{name} matches no pod in {look.namespace}", text)
    if rows and not ports:
        of = f"port{'s' if len(rows) > 1 else ''} {listed(str(row['port']) for row in rows)}"
        text = "None of the pods that it matches has a port of that name."
        return Notice("warn", f"{name} has no endpoints on {of}", text)
    ready = sum(map(is_ready, pods))
    whose = owners_words(owners_of(look.objects, pods, look.now))
    title = f"{name} routes {what}to {plural(ready, 'ready pod')} of {whose}"
    if ready:
        return Notice("info", title, f"{len(pods) - ready} more are not ready." if ready < len(pods) else "")
    return Notice("warn", title, "It has no ready endpoints until one of them is ready.")


def _endpoint(look: Look) -> Any:
    rows = [row for row in look.values["ports"] if row["port"] is not None]

    def note(pod: Pod) -> str:
        ip = pod.status.pod_ips[0].ip if pod.status.pod_ips else ""
        if not ip or not rows:
            return ip
        target = _target(rows[0])
        if isinstance(target, str):
            named = (one.container_port for one in declared(pod) if one.name == target)
            target = next(named, None)
        return f"{ip}:{target}" if target is not None else f"{ip} without port {_target(rows[0])}"

    return note


def _hidden(look: Look) -> Iterator[Effect]:
    """What could not be looked at."""
    if why := look.unknown("services", "networkpolicies"):
        yield Effect("info", "lock", parts("What else selects these pods is not known"), why, group=_KNOWING)


NEW_SERVICE = NewService()
