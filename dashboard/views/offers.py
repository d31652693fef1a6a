"""What the page of an object offers to do with it, and why something is not offered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from dashboard.actions.permits import changes_state
from dashboard.errors import ClusterError
from dashboard.kinds.base import Kind
from dashboard.kube.access import allowed
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.common import object_url
from dashboard.live.screens.detail.tabs import TABS


@dataclass(frozen=True, slots=True)
class Offer:
    """An action: its address, its words, and the rights (verb, subresource) of which one is enough."""

    id: str
    title: str
    icon: str
    rights: tuple[tuple[str, str], ...]


class Target(Protocol):
    """An object that something can be done to; ``namespace`` is "" for a kind without."""

    @property
    def runtime(self) -> ClusterRuntime: ...
    @property
    def kind(self) -> Kind[Any]: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


RESTART = Offer("restart", "Restart…", "restart", (("patch", ""),))
ROTATE = Offer("rotate", "Rotate…", "restart", (("patch", ""),))
OFFERS: dict[str, tuple[Offer, ...]] = {
    "deployments": (Offer("scale", "Scale…", "scale", (("patch", "scale"),)), RESTART),
    "statefulsets": (RESTART,),
    "daemonsets": (RESTART,),
    "secrets": (ROTATE,),
    "configmaps": (Offer("edit", "Edit…", "file", (("patch", ""),)),),
    # Which of both is used depends on whether a budget covers the pod.
    "pods": (Offer("delete", "Delete…", "x", (("delete", ""), ("create", "eviction"))),),
}


async def object_offers(screen: Target) -> list[dict[str, str]]:
    """The actions of the object's kind; ``disabled_reason`` is "" for those that can be used."""
    offers = OFFERS.get(screen.kind.plural, ())
    if not offers:
        return []
    path = object_url(screen.runtime, screen.kind.plural, screen.namespace, screen.name)
    cluster = screen.runtime.cluster
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    # Where the owner may allow changes, the form says so and leads there.
    words = permit.words if permit.state == "off" else ""
    reasons = [words] * len(offers)
    if not words:
        reasons = list(await asyncio.gather(*(_refused(screen, offer) for offer in offers)))
    return [
        {
            "id": offer.id,
            "title": offer.title,
            "icon": offer.icon,
            "url": f"{path}{offer.id}/",
            "disabled_reason": reason,
        }
        for offer, reason in zip(offers, reasons, strict=True)
    ]


def object_tabs(target: Target) -> list[dict[str, str]]:
    """The pages under the object's, in the form of offers. Each says itself what may not be seen."""
    kind, namespace, name = target.kind, target.namespace, target.name
    return [
        {
            "id": tab.id,
            "title": tab.title,
            "icon": "",
            "url": object_url(target.runtime, kind.plural, namespace, name, tab.id),
            "disabled_reason": "",
        }
        for tab in TABS.values()
        if tab.fits(kind) and tab.id != OVERVIEW
    ]


OVERVIEW = "overview"


def verbs() -> dict[str, str]:
    """Everything that can be done to some object: id to title."""
    offers = {offer.id: offer.title for each in OFFERS.values() for offer in each}
    return offers | {tab.id: tab.title for tab in TABS.values() if tab.id != OVERVIEW}


def does(kind: Kind[Any], verb: str) -> bool:
    """Whether objects of this kind know it at all."""
    known = {offer.id for offer in OFFERS.get(kind.plural, ())}
    return verb in known or (verb in TABS and TABS[verb].fits(kind))


async def _refused(screen: Target, offer: Offer) -> str:
    """Why the account may not do this here, or ""."""
    try:
        answers = await asyncio.gather(
            *(
                allowed(
                    screen.runtime.transport,
                    verb,
                    screen.kind.gvr,
                    namespace=screen.namespace or None,
                    name=screen.name,
                    subresource=subresource or None,
                )
                for verb, subresource in offer.rights
            )
        )
    except ClusterError:
        return ""  # the form asks again, and says what is wrong
    if any(answer.allowed for answer in answers):
        return ""
    verb, subresource = offer.rights[0]
    resource = f"{screen.kind.plural}/{subresource}" if subresource else screen.kind.plural
    where = f" in namespace {screen.namespace}" if screen.namespace else ""
    return f"Your account may not {verb} {resource}{where}."
