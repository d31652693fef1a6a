"""Which addresses of the Services that a restore creates are taken. A dry run does not say it of cluster IPs, nor of
anything in a namespace that is created with it; so all Services are asked for, as the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dashboard.errors import ClusterError
from dashboard.kinds.services import Service
from dashboard.kube.transport import Transport
from dashboard.recovery.cleaning import MISSHAPEN
from dashboard.recovery.restoring import Planned

from .action import typed_object
from .readbeside import listed_beside

MAX_SERVICES = 10_000
_BALANCER = "load balancer IP"
_THEN = {_BALANCER: "its load balancer may refuse it"}

Address = tuple[str, str | int]  # where it is handed out, and what


async def with_addresses(transport: Transport, plans: Sequence[Planned]) -> list[Planned]:
    """The plans, those of Services with which of their addresses others have, and what becomes of them."""
    mine = {plan.key: list(_wanted(plan)) for plan in plans if plan.does == "create"}
    if not any(mine.values()):
        return list(plans)
    services: Sequence[Service] = ()
    whole = False
    with suppress(ClusterError):
        services, whole = await listed_beside(transport, "services", "", most=MAX_SERVICES)
    holders = {
        address: f"Service {each.metadata.namespace}/{each.metadata.name}"
        for each in services
        for _, address in (*_addresses(each), *_answered(each))
    }
    return [
        replace(plan, notes=(*plan.notes, *_told(mine.get(plan.key, []), holders, whole))) for plan in plans
    ]


def _told(wanted: Sequence[tuple[str, Address]], holders: dict[Address, str], whole: bool) -> Iterator[str]:
    for what, address in wanted:
        if address in holders:
            then = _THEN.get(what, "a new one is allocated")
            yield f"Its {what} {address[1]} is in use by {holders[address]}: {then}."
    if wanted and not whole:
        yield "Not all Services could be read: those of its addresses that are in use are replaced by new ones."


def _wanted(plan: Planned) -> Iterator[tuple[str, Address]]:
    gvr = plan.placed.gvr
    if (gvr.group, gvr.plural) == ("", "services") and plan.made is not None:
        with suppress(*MISSHAPEN):  # its own plan says so
            yield from _addresses(typed_object("services", plan.made))


def _addresses(service: Service) -> Iterator[tuple[str, Address]]:
    """What it asks for. Node ports and health check node ports come out of one range."""
    spec = service.spec
    found: list[tuple[str, str, Any]] = [
        ("cluster IP", "ip", ip) for ip in spec.cluster_ips or () if ip != "None"
    ]
    found += [("node port", "port", port.node_port) for port in spec.ports or ()]
    found += [("health check node port", "port", spec.health_check_node_port)]
    found += [(_BALANCER, _BALANCER, spec.load_balancer_ip)]
    yield from dict.fromkeys((what, (place, value)) for what, place, value in found if value)


def _answered(service: Service) -> Iterator[tuple[str, Address]]:
    """What its load balancer answers on, whether it asked for that or not."""
    for address in service.status.load_balancer.addresses:
        yield _BALANCER, (_BALANCER, address)
