"""What the page of an object offers to do with it, and why something is not offered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.actions.action import Action, Target
from dashboard.actions.bulk_preview import MAX_OBJECTS
from dashboard.actions.newobjects.form import NewObject
from dashboard.actions.newobjects.registry import offered_from
from dashboard.actions.permits import changes_state
from dashboard.actions.registry import actions_of
from dashboard.errors import ClusterError
from dashboard.kinds.base import Kind
from dashboard.kinds.deletion import deletion_waits
from dashboard.live.screens.common import object_url
from dashboard.live.screens.detail.tabs import TABS
from dashboard.live.screens.listing import ListScreen
from dashboard.live.session import Sight
from dashboard.rights import MissingRight, ask_to_allow

from .doing import YAML, all_forms, form_id, offered_id

MAY_NOT = "Your account may not"  # begins each reason that is a missing right


class Screen(Protocol):
    """An object that something can be done to; ``namespace`` is "" for a kind without."""

    @property
    def session(self) -> Sight: ...
    @property
    def kind(self) -> Kind[Any]: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


async def object_offers(screen: Screen) -> list[dict[str, str]]:
    """The actions on the object; ``disabled_reason`` is "" for those that can be used."""
    kind, name = screen.kind, screen.name
    found = screen.session.reader.get(kind.plural, screen.namespace, name)
    offers = [each for each in actions_of(kind) if found is None or each.applies(found)]
    if not offers:
        return []
    path = object_url(screen.session.cluster, kind.plural, screen.namespace, name)
    cluster = screen.session.cluster.cluster
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    # Where the owner may allow changes, the form says so and leads there.
    words = permit.words if permit.state == "off" else ""
    reasons = [words] * len(offers)
    if not words:
        reasons = list(await asyncio.gather(*(_refused(screen, offer, found) for offer in offers)))
    return [
        {
            "id": offer.name,
            "title": f"{offer.title}…",
            "icon": offer.icon,
            "url": f"{path}{offer.name}/",
            "disabled_reason": reason,
        }
        for offer, reason in zip(offers, reasons, strict=True)
    ]


async def form_offers(screen: Screen) -> list[dict[str, str]]:
    """The forms of new objects that begin with the object, such as a Service for a Deployment."""
    kind, cluster = screen.kind, screen.session.cluster.cluster
    forms = offered_from(kind.plural)
    if not forms:
        return []
    source = "/".join((kind.plural, screen.namespace or "-", screen.name))
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    words = permit.words if permit.state == "off" else ""
    reasons = [words] * len(forms)
    if not words:
        reasons = list(await asyncio.gather(*(_not_made(screen, form) for form in forms)))
    return [
        {
            "id": offered_id(form),
            "title": f"{form.offered_on[kind.plural]}…",
            "icon": "plus",
            "url": f"{reverse('create_form', args=[cluster.slug, form.plural])}?{urlencode({'from': source}, safe='/')}",
            "disabled_reason": reason,
        }
        for form, reason in zip(forms, reasons, strict=True)
    ]


async def _not_made(screen: Screen, form: NewObject) -> str:
    """Why the account can't make one beside the object, or ""."""
    try:
        allowed = await screen.session.decide(
            "create", form.kind.gvr, namespace=screen.namespace or None, subresource=None
        )
    except ClusterError:
        return ""  # the form asks again, and says what is wrong
    return "" if allowed else _missing("create", form.plural, screen.namespace)


async def page_actions(screen: Screen) -> dict[str, Any]:
    """The same for the page of the object, which must be prepared: nothing is seen of the object before."""
    offers, forms = await asyncio.gather(object_offers(screen), form_offers(screen))
    actions = [*offers, *forms]
    refused = any(each["disabled_reason"].startswith(MAY_NOT) for each in actions)
    return {"actions": actions, "access_url": access_url(screen), "refused": refused}


def access_url(screen: Screen) -> str:
    """What the viewer may do with objects like this one, and who may change this one."""
    kind, cluster = screen.kind, screen.session.cluster.cluster
    group = f".{kind.gvr.group}" if kind.gvr.group else ""
    asked = {
        "namespace": screen.namespace,
        "scope": "" if screen.namespace else "cluster",
        "kind": kind.plural,
        "verb": "patch",
        "resource": f"{kind.gvr.plural}{group}",
        "name": screen.name,
        "in": screen.namespace,
    }
    query = urlencode({field: text for field, text in asked.items() if text})
    return f"{reverse('access', args=[cluster.slug])}?{query}"


async def list_offers(screen: ListScreen) -> dict[str, Any]:
    """What can be done to rows that are chosen in a list, which must be prepared: nothing in a cluster that takes no
    changes, nor what the account may do in none of the namespaces on the page. Previews say the rest, object by object.
    """
    kind, cluster = screen.kind, screen.session.cluster
    offers = [each for each in actions_of(kind) if each.many]
    seen = cluster.cluster
    permit = await changes_state(context=seen.name, server=seen.server, is_sandbox=seen.is_sandbox)
    if permit.state != "allowed" or not offers:
        return {"bulk": None}
    found = Counter(row.namespace for row in screen.listing().rows)
    namespaces = [namespace for namespace, _ in found.most_common(ASKED_NAMESPACES) if namespace]
    may = await asyncio.gather(*(_somewhere(screen, offer, namespaces) for offer in offers))
    allowed = [offer for offer, yes in zip(offers, may, strict=True) if yes]
    return {
        "bulk": [
            {
                "title": f"{offer.title}…",
                "icon": offer.icon,
                "url": reverse("bulk", args=[seen.slug, kind.plural, offer.name]),
            }
            for offer in allowed
        ],
        "most": MAX_OBJECTS,
    }


async def _somewhere(screen: ListScreen, offer: Action, namespaces: Sequence[str]) -> bool:
    """Whether the account may do it everywhere, or else in one of these namespaces."""
    target = Target.of(screen.session.cluster.cluster.name, screen.kind, "", "")
    written = offer.subject(target)

    async def may(namespace: str | None) -> bool:
        asked = [
            screen.session.may(verb, written.gvr, namespace=namespace, subresource=subresource or None)
            for verb, subresource in offer.rights
        ]
        return any(await asyncio.gather(*asked))

    return await may(None) or any(await asyncio.gather(*map(may, namespaces)))


async def create_offers(
    session: Sight, ids: Sequence[str], name: str, chosen: Sequence[str]
) -> list[dict[str, str]]:
    """The forms of new objects of these ids (``form_id``, or YAML), in the namespaces that are ``chosen``, if any are."""
    cluster = session.cluster.cluster
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    words = permit.words if permit.state == "off" else ""
    forms = [form for form in all_forms() if form_id(form) in ids]
    refused = [words] * len(forms)
    if not words:
        refused = list(await asyncio.gather(*(_nowhere(session, form, chosen) for form in forms)))
    where = {"namespace": chosen[0]} if len(chosen) == 1 else {}
    offers = []
    for form, reason in zip(forms, refused, strict=True):
        typed = {"type": form.variant, "name": name, **(where if form.kind.gvr.namespaced else {})}
        query = urlencode({key: text for key, text in typed.items() if text})
        url = reverse("create_form", args=[cluster.slug, form.plural])
        title = f"{form.title}: {form.variant_title}…" if form.variant else f"{form.title}…"
        url = f"{url}?{query}" if query else url
        offers.append({"title": title, "icon": "plus", "url": url, "disabled_reason": reason})
    if YAML in ids:
        url = reverse("create", args=[cluster.slug])
        offers.append({"title": "Create from YAML…", "icon": "plus", "url": url, "disabled_reason": words})
    return offers


async def _nowhere(session: Sight, form: NewObject, chosen: Sequence[str]) -> str:
    """Why the account can create no such object in the chosen namespaces, or in some of those that it sees; "" where it
    can, and where that is not known: the form asks again.
    """
    gvr = form.kind.gvr
    seen: list[str] = []
    if gvr.namespaced:
        seen = list(chosen) or [each.metadata.name for each in session.reader.all("namespaces")]
        if not seen:
            return ""
    asked = seen[:ASKED_NAMESPACES] if chosen and seen else [None, *seen[:ASKED_NAMESPACES]]
    try:
        answers = await asyncio.gather(
            *(session.decide("create", gvr, namespace=namespace, subresource=None) for namespace in asked)
        )
    except ClusterError:
        return ""
    where = f" in namespace {chosen[0]}" if len(chosen) == 1 and gvr.namespaced else ""
    return "" if any(answers) else f"{MAY_NOT} create {form.plural}{where}."


def object_tabs(target: Screen, *, overview: bool = False) -> list[dict[str, str]]:
    """The pages under the object's, in the form of offers; ``overview``: with its own page. Each says itself what may not
    be seen.
    """
    kind, namespace, name = target.kind, target.namespace, target.name
    return [
        {
            "id": tab.id,
            "title": tab.title,
            "icon": "",
            "url": object_url(
                target.session.cluster, kind.plural, namespace, name, "" if tab.id == OVERVIEW else tab.id
            ),
            "disabled_reason": "",
        }
        for tab in TABS.values()
        if tab.fits(kind) and (overview or tab.id != OVERVIEW)
    ]


OVERVIEW = "overview"
ASKED_NAMESPACES = 8  # of those on a page of a list, where a right is not given everywhere


async def _refused(screen: Screen, offer: Action, found: Any) -> str:
    """Why this cannot be done here, or ""."""
    target = Target.of(screen.session.cluster.cluster.name, screen.kind, screen.namespace, screen.name)
    written = offer.subject(target)
    if found is not None and found.metadata.deletion_timestamp and not offer.deletes:
        return f"It is being deleted. {deletion_waits(found.metadata.finalizers)}"
    try:
        answers = await asyncio.gather(
            *(
                screen.session.decide(
                    verb,
                    written.gvr,
                    namespace=written.namespace or None,
                    name=written.name or None,
                    subresource=subresource or None,
                )
                for verb, subresource in offer.rights
            )
        )
    except ClusterError:
        return ""  # the form asks again, and says what is wrong
    if any(answers):
        return ""
    verb, subresource = offer.rights[0]
    plural = written.gvr.plural
    resource = f"{plural}/{subresource}" if subresource else plural
    return _missing(verb, resource, written.namespace)


def _missing(verb: str, resource: str, namespace: str) -> str:
    return f"{MissingRight(verb, resource, namespace=namespace).message} {ask_to_allow()}"
