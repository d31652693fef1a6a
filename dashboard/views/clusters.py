"""The clusters that can be chosen, and the owner's word that one may be changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.actions.confirmation import is_production
from dashboard.actions.permits import Permit, changes_states, cluster_allow_changes, cluster_forbid_changes
from dashboard.admins import is_admin
from dashboard.clusters import looked
from dashboard.errors import ClusterError, Forbidden, Unavailable
from dashboard.kinds.rows import listed, plural
from dashboard.kube.config import Cluster, slug
from dashboard.live.acting import OF_A_CLUSTER, SHARED, identity_of, mode_of, own_accounts, unknown_contexts
from dashboard.live.added import Added
from dashboard.live.runtime import runtime
from dashboard.live.screens.clusters import (
    ClusterSeen,
    cluster_seen,
    not_looked_at,
    tiles,
    verdict,
    without_account,
)
from dashboard.live.screens.overview import OverviewScreen
from dashboard.plugins.host import PLUGINS, STATE_WORDS, Plugin

from .addedclusters import MODES
from .attempts import actor_of
from .chrome import page_chrome, source_words
from .errors import asks_json, clear_errors
from .viewer import contexts_told, known_somewhere, session_in, session_of

log = logging.getLogger(__name__)

FIRST_SECONDS = 1.0  # for clusters that were never asked before whether they answer
FRAME_SECONDS = 3.0  # for the frame around the page, which is of one cluster
LOOK_SECONDS = 12.0
AT_ONCE = 10  # clusters that are opened because another process looks at them

_looks: dict[str, asyncio.Task[None]] = {}  # what is being opened because of that


@require_safe
@clear_errors
async def clusters(request: HttpRequest) -> HttpResponseBase:
    """Every context that they may know of with how it is; ``part=overview``: only that, as the page asks for it every few
    seconds.
    """
    await known_somewhere(request)
    clusters, admin = await contexts_told(request), await is_admin(request)
    barred = await _barred(request, clusters)
    rows = await _seen(request, clusters, barred, admin=admin)
    facts = {
        "rows": rows,
        "tiles": tiles(rows),
        "others": any(not each.looked_at for each in rows),
        "verdict": dict(zip(("state", "text"), verdict(rows), strict=True)),
        "now": datetime.now(UTC),
    }
    if asks_json(request):
        return JsonResponse({"clusters": [asdict(each) for each in rows], "verdict": facts["verdict"]})
    if request.GET.get("part") == "overview":
        return render(request, "partials/clusters_overview.html", {"s": facts})
    shown = [each for each in clusters if admin or each.slug not in barred]
    permits = await changes_states(shown)
    added = {slug(each.name): each for each in runtime.added}
    every = runtime.clusters()
    usable = {each.slug for each in every if each.source == "added"}
    whole = admin or not any(own_accounts(each.slug) for each in every)
    try:
        async with asyncio.timeout(FRAME_SECONDS):
            chrome = await page_chrome(request, request.GET.get("from", ""), title="Clusters")
    except TimeoutError:  # its cluster hangs: those that don't are told of all the same
        chrome = await page_chrome(request, title="Clusters", framed=False)
    context = facts | {
        "clusters": [_entry(each, permits[each.slug], added.get(each.slug), admin) for each in shown],
        "unusable": [_unusable(each) for key, each in added.items() if key not in usable],
        "admin": admin,
        "plugins": [_plugin(each, whole=whole) for each in PLUGINS],
        "problems": _problems(every) if whole else [],
    }
    return render(request, "pages/clusters.html", {"s": context, **chrome})


async def _barred(request: HttpRequest, clusters: Sequence[Cluster]) -> dict[str, ClusterError]:
    """The contexts in which somebody does not act, by slug, and why."""
    found, name = {}, (await request.auser()).get_username()
    for each in clusters:
        try:
            await identity_of(each, name, request.session)
        except ClusterError as error:
            found[each.slug] = error
    return found


async def _seen(
    request: HttpRequest, clusters: Sequence[Cluster], barred: Mapping[str, ClusterError], *, admin: bool
) -> list[ClusterSeen]:
    """Each as far as a process looks at it: what another one does, this one does too. Of those that were never asked
    before, an answer is awaited a moment. Those in which the person does not act (``barred``) are asked nothing.
    """
    rows = {
        each.slug: without_account(each, barred[each.slug], admin=admin)
        for each in clusters
        if each.slug in barred
    }
    clusters = [each for each in clusters if each.slug not in barred]
    opened = [known for each in clusters if (known := runtime.opened_as(each)) is not None]
    asked = {each: task for each in opened if (task := each.ask()) is not None}
    if new := [task for each, task in asked.items() if each.answered_at is None and each.trouble is None]:
        await asyncio.wait(new, timeout=FIRST_SECONDS)
    seen = await asyncio.gather(*(_row(request, each) for each in clusters))
    rows |= {row.slug: row for row in seen}
    if here := [row.slug for row in rows.values() if row.looked_at]:
        await looked.note(here)
    if others := await looked.noted(row.slug for row in rows.values() if row.state == "off"):
        for slug in sorted(others.difference(_looks))[:AT_ONCE]:
            _looks[slug] = asyncio.create_task(_look(request, slug))
        # They go on, and the page asks again.
        await asyncio.wait([_looks[slug] for slug in others & _looks.keys()], timeout=FIRST_SECONDS)
        rows |= {each.slug: await _row(request, each) for each in clusters if each.slug in others}
    return sorted(rows.values(), key=lambda row: row.rank)


async def _look(request: HttpRequest, slug: str) -> None:
    """As ``look``, of a cluster that another process looks at; where the person may not, it stays as it is."""
    try:
        with suppress(ClusterError):
            await _open(request, slug)
    finally:
        del _looks[slug]


async def _row(request: HttpRequest, cluster: Cluster) -> ClusterSeen:
    """A cluster that nobody opened is not asked: that would run its exec plug-in, and open a connection to each of
    perhaps hundreds.
    """
    opened = runtime.opened_as(cluster)
    if opened is None:
        return not_looked_at(cluster)
    try:
        return await cluster_seen(await session_in(request, opened))
    except ClusterError as error:
        return without_account(cluster, error)
    except Exception:  # one cluster hides no other
        log.exception("telling how %s is", cluster.name)
        return without_account(
            cluster, Unavailable("Its state could not be read.", next_step="See the dashboard's log.")
        )


@require_POST
@clear_errors
async def look(request: HttpRequest, context: str) -> HttpResponseBase:
    """Somebody wants to see how a cluster is: it is opened, and watched as if they had opened its overview."""
    await _open(request, context)
    return HttpResponseRedirect(reverse("clusters"))


async def _open(request: HttpRequest, context: str) -> None:
    session = await session_of(request, context)
    screen = OverviewScreen(session, QueryDict())
    with suppress(TimeoutError, ClusterError), session.cluster.lease(screen.plurals):
        async with asyncio.timeout(LOOK_SECONDS):
            if (task := session.cluster.ask()) is not None:
                await asyncio.wait([task])
            await session.cluster.ready(screen.waits_for)


def _problems(clusters: Sequence[Cluster]) -> list[str]:
    """What is wrong with what the installation says of its contexts."""
    try:
        runtime.configured()
    except ClusterError as error:
        return [f"{error.message} {error.next_step}".strip()]
    return unknown_contexts([each.slug for each in clusters])


def _plugin(plugin: Plugin, *, whole: bool) -> dict[str, Any]:
    """A plugin, how it is and what of it has failed since the server was started. An error may quote objects that its
    reader may not see: unless all of it may be told (``whole``), only its class is.
    """
    failing = plugin.state == "on" and bool(plugin.failures)
    return {
        "name": plugin.name,
        "version": plugin.version,
        "state": "warn" if failing else {"on": "ok", "off": "off"}.get(plugin.state, "bad"),
        "state_words": "Failing" if failing else STATE_WORDS[plugin.state],
        "brings": listed(plural(count, word) for word, count in plugin.brings.items()),
        "problem": plugin.problem,
        "failures": [
            {
                "what": what,
                "text": failure.text if whole else failure.text.partition(":")[0],
                "times": plural(failure.count, "time"),
            }
            for what, failure in plugin.failures.items()
        ],
    }


def _entry(cluster: Cluster, permit: Permit, added: Added | None, admin: bool) -> dict[str, Any]:
    """How a context is configured, and whether it may be changed."""
    mine = added is not None and cluster.source == "added"
    return {
        "name": cluster.name,
        "url": reverse("overview", args=[cluster.slug]),
        "server": cluster.server,
        "source_words": source_words(cluster),
        "user": cluster.user,
        "rules": _rules(cluster),
        "allowed": {"state": permit.state, "words": permit.words},
        "allow_url": reverse("allow_changes", args=[cluster.slug]),
        "forbid_url": reverse("forbid_changes", args=[cluster.slug]) if permit.at is not None else "",
        "remove_url": reverse("cluster_remove", args=[cluster.slug]) if mine and admin else "",
        "own_rules": _own_rules(added) if mine and admin and added is not None else None,
    }


def _own_rules(added: Added) -> dict[str, Any]:
    """What was said of an added context, for the form that changes it. ``above``: what the settings say, whatever is said
    here.
    """
    context, rules = slug(added.name), added.rules
    said = []
    if settings.CLUSTER_UI_ACT_AS.get(context):
        said.append(f"CLUSTER_UI_ACT_AS says {settings.CLUSTER_UI_ACT_AS[context]} of it")
    if is_production(added.name) and not rules.production:
        said.append("CLUSTER_UI_PRODUCTION names it")
    return {
        "url": reverse("cluster_rules", args=[context]),
        "modes": [{"value": mode, "words": words, "chosen": mode == rules.act_as} for mode, words in MODES],
        "production": rules.production,
        "read_only": rules.read_only,
        "above": " and ".join(said),
    }


def _rules(cluster: Cluster) -> str:
    """As whom people act in a context, and what else holds there."""
    said = {
        SHARED: "People act with the account of the context",
        "user": "People act with their own token",
        "impersonate": "People act as the users that an administrator maps them to",
    }[mode_of(cluster.slug)]
    return f"{said}; production." if is_production(cluster.name) else f"{said}."


def _unusable(added: Added) -> dict[str, str]:
    """A context that was added and can't be used, and why."""
    return {
        "name": added.name,
        "server": added.server,
        "trouble": added.trouble
        or "The installation has a context of this name by now, and that one is used. Remove this one.",
        "remove_url": reverse("cluster_remove", args=[slug(added.name)]),
    }


@require_POST
@clear_errors
async def allow(request: HttpRequest, context: str) -> HttpResponseBase:
    """The owner allows changes to a cluster, once; audited."""
    cluster = await _decided_by(request, context)
    await cluster_allow_changes(
        user=actor_of(await request.auser()).user,
        context=cluster.name,
        server=cluster.server,
        is_sandbox=cluster.is_sandbox,
    )
    messages.success(request, f"Changes are allowed in {cluster.name}.")
    return HttpResponseRedirect(reverse("clusters"))


@require_POST
@clear_errors
async def forbid(request: HttpRequest, context: str) -> HttpResponseBase:
    """The cluster is read-only again, until changes are allowed anew; audited."""
    cluster, user = await _decided_by(request, context), actor_of(await request.auser()).user
    if await cluster_forbid_changes(user=user, context=cluster.name, server=cluster.server):
        messages.success(
            request, f"{cluster.name} is read-only. What is under way stops before its next write."
        )
    else:
        messages.warning(request, f"{cluster.name} was read-only already.")
    return HttpResponseRedirect(reverse("clusters"))


async def _decided_by(request: HttpRequest, context: str) -> Cluster:
    """The cluster, for whoever decides whether it may be changed. Where people act with accounts of their own, or are
    known to a cluster alone, that is an administrator: raises Forbidden for everybody else.
    """
    cluster, user = runtime.named(context), await request.auser()
    of_a_cluster = user.get_username().startswith(OF_A_CLUSTER)
    if (of_a_cluster or own_accounts(context)) and not await is_admin(request):
        raise Forbidden(
            f"Only administrators of the dashboard decide whether {cluster.name} may be changed.",
            next_step="Ask whoever runs this dashboard.",
        )
    return cluster
