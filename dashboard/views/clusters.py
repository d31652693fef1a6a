"""The clusters that can be chosen, and the owner's word that one may be changed."""

from __future__ import annotations

import asyncio
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.actions.permits import Permit, changes_states, cluster_allow_changes
from dashboard.admins import is_admin
from dashboard.errors import ClusterError, Forbidden, Unauthenticated
from dashboard.kinds.rows import listed, plural
from dashboard.kube.config import Cluster
from dashboard.live.acting import OF_A_CLUSTER, own_accounts, unknown_contexts
from dashboard.live.runtime import runtime
from dashboard.plugins.host import PLUGINS, STATE_WORDS, Plugin

from .attempts import actor_of
from .chrome import page_chrome, source_words
from .errors import clear_errors
from .viewer import known_somewhere

PROBE_SECONDS = 3.0


@require_safe
@clear_errors
async def clusters(request: HttpRequest) -> HttpResponseBase:
    await known_somewhere(request)
    clusters = runtime.clusters()
    permits = await changes_states(clusters)
    entries = await asyncio.gather(*(_entry(each, permits[each.slug]) for each in clusters))
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Clusters")
    context = {
        "clusters": entries,
        "plugins": [_plugin(each) for each in PLUGINS],
        "problems": unknown_contexts([each.slug for each in clusters]),
    }
    return render(request, "pages/clusters.html", {"s": context, **chrome})


def _plugin(plugin: Plugin) -> dict[str, Any]:
    """A plugin, how it is and what of it has failed since the server was started."""
    failing = plugin.state == "on" and bool(plugin.failures)
    return {
        "name": plugin.name,
        "version": plugin.version,
        "state": "warn" if failing else {"on": "ok", "off": "off"}.get(plugin.state, "bad"),
        "state_words": "Failing" if failing else STATE_WORDS[plugin.state],
        "brings": listed(plural(count, word) for word, count in plugin.brings.items()),
        "problem": plugin.problem,
        "failures": [
            {"what": what, "text": failure.text, "times": plural(failure.count, "time")}
            for what, failure in plugin.failures.items()
        ],
    }


async def _entry(cluster: Cluster, permit: Permit) -> dict[str, Any]:
    """A cluster that nobody opened is not asked: that would run its exec plug-in, and open a connection to each of
    perhaps hundreds.
    """
    opened = runtime.opened_as(cluster)
    state, words, trouble = "off", "Not connected", ""
    if opened is not None:
        state, words = "ok", "Answers"
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await opened.probe()
        except TimeoutError:
            trouble = f"It did not answer within {PROBE_SECONDS:.0f} s."
        except ClusterError as error:
            trouble = error.message
            if isinstance(error, Forbidden | Unauthenticated):  # which is an answer
                state, words = "bad", "Refuses this account"
        if trouble and state == "ok":
            state, words = "bad", "Does not answer"
    return {
        "name": cluster.name,
        "url": reverse("overview", args=[cluster.slug]),
        "server": cluster.server,
        "source_words": source_words(cluster),
        "user": cluster.user,
        "version": _version(opened.version if opened is not None else "", trouble),
        "state": state,
        "state_words": words,
        "trouble": trouble,
        "allowed": {"state": permit.state, "words": permit.words},
        "allow_url": reverse("allow_changes", args=[cluster.slug]),
    }


def _version(known: str, trouble: str) -> str:
    """One that was told before the trouble began may be another by now."""
    if trouble:
        return f"{known} when it last answered" if known else "not known"
    return known


@require_POST
@clear_errors
async def allow(request: HttpRequest, context: str) -> HttpResponseBase:
    """The owner allows changes to a cluster, once; audited. Where people act with accounts of their own, or are known
    to a cluster alone, that is an administrator's word.
    """
    cluster, user = runtime.named(context), await request.auser()
    of_a_cluster = user.get_username().startswith(OF_A_CLUSTER)
    if (of_a_cluster or own_accounts(context)) and not await is_admin(request):
        raise Forbidden(
            f"Only administrators of the dashboard allow changes to {cluster.name}.",
            next_step="Ask whoever runs this dashboard.",
        )
    await cluster_allow_changes(
        user=actor_of(user).user,
        context=cluster.name,
        server=cluster.server,
        is_sandbox=cluster.is_sandbox,
    )
    messages.success(request, f"Changes are allowed in {cluster.name}.")
    return HttpResponseRedirect(reverse("clusters"))
