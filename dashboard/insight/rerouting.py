"""What a change of a Service, or of an Ingress, does to the requests that go through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dashboard.kinds.base import Ref
from dashboard.kinds.ingresses import Backend, Ingress
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.services import Service

from .impact import Effect, Impact, Notice
from .protocols import Objects
from .selecting import matching_pods
from .words import bold, parts

_CHANGING = "What changes"


def service_impact(objects: Objects, before: Service, after: Service) -> Impact:
    """Who gets no more requests by it, and whose requests it takes no more."""
    namespace = before.metadata.namespace
    had, has = (matching_pods(objects, namespace, one.spec.selector or {}) for one in (before, after))
    lost = [pod for pod in had if pod.metadata.uid not in {one.metadata.uid for one in has}]
    headline = None
    if lost and not has:
        until = (
            "a pod has all of these labels" if after.spec.selector else "something else gives it endpoints"
        )
        text = f"It routes to {plural(len(had), 'pod')} now. Its clients get no answer until {until}."
        headline = Notice("bad", f"{before.metadata.name} would match no pod", text)
    effects = (*_leaving(lost), *_ports(objects, before, after), *_addresses(before, after))
    return Impact(
        headline, effects, danger=bool(lost and not has) or any(one.state == "bad" for one in effects)
    )


def _leaving(lost: list[Pod]) -> Iterator[Effect]:
    if lost:
        text = parts("It stops routing to ", bold(plural(len(lost), "pod")))
        yield Effect(
            "warn", "link", text, listed([pod.metadata.name for pod in lost], "more"), "", group=_CHANGING
        )


def _ports(objects: Objects, before: Service, after: Service) -> Iterator[Effect]:
    """The ports that it has no more, with the Ingresses that lead to them."""
    numbers, names = ({(one.port, one.protocol) for one in after.spec.ports or ()}, _names(after))
    for port in before.spec.ports or ():
        gone, renamed = (port.port, port.protocol) not in numbers, port.name and port.name not in names
        ways = list(_ways(objects, before, port.port if gone else 0, port.name if renamed else ""))
        said = f"{port.port}{f' ({port.name})' if port.name else ''}"
        for ingress, places in ways:
            text = parts(
                bold(f"Ingress {ingress.metadata.name}"), f" routes to port {said}, which it no longer has"
            )
            ref = Ref("Ingress", ingress.metadata.namespace, ingress.metadata.name, "ingresses")
            yield Effect("bad", "warn", text, listed(places, "more"), "breaks", ref, _CHANGING)
        if gone and not ways:
            yield Effect(
                "warn", "link", parts(f"It no longer answers on port {said}"), "", "", group=_CHANGING
            )


def _names(service: Service) -> set[str]:
    return {one.name for one in service.spec.ports or ()}


def _ways(objects: Objects, service: Service, number: int, name: str) -> Iterator[tuple[Ingress, list[str]]]:
    """The Ingresses that lead to one of its ports by its number or its name, with the hosts and paths that do."""
    for ingress in objects.all("ingresses", service.metadata.namespace):
        found = [
            f"{rule.host or 'every host'}{path.path or '/'}"
            for rule in ingress.spec.rules or ()
            for path in (rule.http.paths or () if rule.http else ())
            if (target := path.backend.service) is not None and target.name == service.metadata.name
            and (target.port.name == name if target.port.name else target.port.number == number)
        ]  # fmt: skip
        if found:
            yield ingress, found


def _addresses(before: Service, after: Service) -> Iterator[Effect]:
    """What another type takes away, or adds."""
    old, new = before.spec.type, after.spec.type
    if old == new:
        return
    if old == "LoadBalancer":
        addresses = listed(before.status.load_balancer.addresses)
        note = (
            f"its external addresses, {addresses}, are released"
            if addresses
            else "its load balancer is deleted"
        )
        yield Effect("warn", "warn", parts(f"It is no {old} any more"), note, "", group=_CHANGING)
    if new == "ClusterIP":
        nodes = listed(str(one.node_port) for one in before.spec.ports or () if one.node_port)
        if nodes:
            text = parts("It no longer answers on the nodes")
            note = f"node port {nodes}; an undo asks for the same again"
            yield Effect("warn", "warn", text, note, "", group=_CHANGING)
    elif old == "ClusterIP":
        yield Effect("info", "link", parts("It answers on a port of every node too"), "", "", group=_CHANGING)


def ingress_impact(before: Ingress, after: Ingress) -> Impact:
    """The hosts and paths that something else answers, or nothing, and the hosts that have no certificate any more."""
    old, new = _places(before), _places(after)
    effects = []
    for place, was in old.items():
        if (now := _answer(after, new, place)) == was:
            continue
        name = f"{place[0] or 'every host'}{place[1]}"
        if now:
            text, word = parts(bold(name), f" is routed to {now}"), ""
        else:
            text, word = parts(bold(name), " is routed nowhere any more"), "stops"
        effects.append(
            Effect("info" if now else "warn", "link", text, f"{was} until now", word, group=_CHANGING)
        )
    lost = [host for host in _secured(before) if host not in _secured(after)]
    if lost:
        text = parts(bold(listed(lost, "more")), " has no certificate of its own any more")
        note = "https shows the controller's own certificate"
        effects.append(Effect("warn", "lock", text, note, "", group=_CHANGING))
    return Impact(None, tuple(effects), danger=any(one.word == "stops" for one in effects))


def _places(ingress: Ingress) -> dict[tuple[str, str], str]:
    """Each host and path, with what answers there."""
    return {
        (rule.host, path.path or "/"): _named(path.backend)
        for rule in ingress.spec.rules or ()
        for path in (rule.http.paths or () if rule.http else ())
    }


def _answer(ingress: Ingress, places: Mapping[tuple[str, str], str], place: tuple[str, str]) -> str:
    """What answers at a host and path: a rule for just that, one for a path above it, or the default backend."""
    host, path = place
    if place in places:
        return places[place]
    above = [each for at, each in places if at == host and f"{path}/".startswith(f"{each.rstrip('/')}/")]
    if above:
        return places[host, max(above, key=len)]
    default = ingress.spec.default_backend
    return _named(default) if default is not None else ""


def _named(backend: Backend) -> str:
    if backend.service is not None:
        return f"Service {backend.service.name}, port {backend.service.port}"
    return f"{backend.resource.kind} {backend.resource.name}" if backend.resource else "another object"


def _secured(ingress: Ingress) -> list[str]:
    return [host for one in ingress.spec.tls or () for host in one.hosts or ()]
