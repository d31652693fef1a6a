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

from dashboard.actions.permits import changes_state, cluster_allow_changes
from dashboard.errors import ClusterError
from dashboard.kube.config import Cluster
from dashboard.live.runtime import runtime

from .actions import actor_of
from .chrome import page_chrome, source_words
from .errors import clear_errors

PROBE_SECONDS = 3.0


@require_safe
@clear_errors
async def clusters(request: HttpRequest) -> HttpResponseBase:
    entries = await asyncio.gather(*(_entry(cluster) for cluster in runtime.clusters()))
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Clusters")
    return render(request, "pages/clusters.html", {"s": {"clusters": entries}, **chrome})


async def _entry(cluster: Cluster) -> dict[str, Any]:
    opened = runtime.open(cluster.slug)
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    state, trouble = "ok", ""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await opened.probe()
    except TimeoutError:
        state, trouble = "bad", f"It did not answer within {PROBE_SECONDS:.0f} s."
    except ClusterError as error:
        state, trouble = "bad", error.message
    return {
        "name": cluster.name,
        "url": reverse("overview", args=[cluster.slug]),
        "server": cluster.server,
        "source_words": source_words(cluster),
        "user": cluster.user,
        "version": opened.version,
        "state": state,
        "trouble": trouble,
        "allowed": {"state": permit.state, "words": permit.words},
        "allow_url": reverse("allow_changes", args=[cluster.slug]),
    }


@require_POST
@clear_errors
async def allow(request: HttpRequest, context: str) -> HttpResponseBase:
    """The owner allows changes to a cluster, once; audited."""
    cluster = runtime.open(context).cluster
    await cluster_allow_changes(
        user=actor_of(await request.auser()).user,
        context=cluster.name,
        server=cluster.server,
        is_sandbox=cluster.is_sandbox,
    )
    messages.success(request, f"Changes are allowed in {cluster.name}.")
    return HttpResponseRedirect(reverse("clusters"))
