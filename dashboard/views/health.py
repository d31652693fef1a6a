"""For probes: is the process there, may traffic come."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from dashboard.database import in_database
from dashboard.errors import ClusterError
from dashboard.live.acting import unknown_contexts
from dashboard.live.runtime import runtime


@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """Ready with a database and one finished attempt to reach the cluster. A cluster that is away is reported, not
    failed: restarting the dashboard would not bring it back."""
    database = await in_database(_database_answers)()
    reached = any(cluster.version for cluster in runtime.opened())
    ready = database and runtime.tried
    return JsonResponse(
        {
            "ready": ready,
            "database": "ok" if database else "does not answer",
            "settings": _settings_words(),
            "cluster": "reached" if reached else "tried, not reached" if runtime.tried else "not tried yet",
        },
        status=200 if ready else 503,
    )


def _settings_words() -> str:
    """Whether what the settings say of contexts is in force; without names: whoever asks is not signed in."""
    try:
        wrong = unknown_contexts([each.slug for each in runtime.clusters()])
    except ClusterError:  # a kubeconfig that can't be read, which is told elsewhere
        return "not known"
    return "name a context that is not there: the log and the page of clusters say which" if wrong else "ok"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
