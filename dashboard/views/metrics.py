"""The figures of this process, for Prometheus."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from dashboard.database import AWAY, in_database
from dashboard.live.figures import Figures
from dashboard.live.runtime import runtime
from dashboard.live.veleros import KEY as VELERO_KEY
from dashboard.metrics import BACKUP_BYTES, BACKUP_FAILED, BACKUP_LAST, BACKUP_OBJECTS, DRILL_PASSED, VELERO
from dashboard.recovery.records import figures
from dashboard.recovery.shelf import shelves

logger = logging.getLogger(__name__)
REGISTRY.register(Figures())

# What a program or browser on this machine says of itself. Proxies have no end of names for whom they hand on (Forwarded,
# Via, X-Real-IP, True-Client-IP, CF-Connecting-IP…): any other header may be one, and then the peer is not who asks.
_OWN = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "cache-control", "connection",
    "content-length", "content-type", "cookie", "dnt", "host", "if-modified-since", "if-none-match", "pragma", "priority",
    "range", "referer", "te", "upgrade-insecure-requests", "user-agent", "x-prometheus-scrape-timeout-seconds",
})  # fmt: skip
_BROWSERS = "sec-"  # what only a browser itself can set (Fetch, "forbidden request-header")


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever has the token of ``CLUSTER_UI_METRICS_TOKEN_FILE``, and for this machine itself."""
    try:
        request.get_host()  # a page elsewhere may have its own name lead to 127.0.0.1
    except DisallowedHost:
        return HttpResponse("This is not a name of this server.\n", status=400, content_type="text/plain")
    if not (has_token(request) or _from_here(request)):
        response = HttpResponse(
            "Send the token of CLUSTER_UI_METRICS_TOKEN_FILE as Authorization: Bearer <token>. Without one, only a "
            "program on this machine is answered, and only without headers that a proxy may have added.\n",
            status=401,
            content_type="text/plain",
        )
        response["WWW-Authenticate"] = "Bearer"
        return response
    VELERO.clear()
    for cluster in runtime.opened():
        if VELERO_KEY in cluster.kinds:
            VELERO.labels(cluster.cluster.name).set(1)
    shelves.soon()  # the age of backups is told also while nobody looks at a page
    await _backups()
    response = HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


async def _backups() -> None:
    """Backups are made elsewhere: the database knows of them, each time anew. Without it nothing is said of them. Of a
    cluster that was never backed up, too, it is said that none failed: alerts know by it that there is one.
    """
    for gauge in (BACKUP_LAST, BACKUP_OBJECTS, BACKUP_BYTES, BACKUP_FAILED, DRILL_PASSED):
        gauge.clear()
    try:
        found = await in_database(figures)(runtime.configured_names() | {each.name for each in runtime.added})
    except AWAY:
        return
    for each in found:
        BACKUP_FAILED.labels(each.context).set(each.failed)
        if each.last is not None and each.last.verified_at is not None:
            BACKUP_LAST.labels(each.context).set(each.last.verified_at.timestamp())
            BACKUP_OBJECTS.labels(each.context).set(each.last.objects_count)
            BACKUP_BYTES.labels(each.context).set(each.last.size_bytes)
        if each.drilled is not None:
            DRILL_PASSED.labels(each.context).set(each.drilled.timestamp())


def has_token(request: HttpRequest) -> bool:
    """The file is read each time: a token that is replaced counts at once."""
    path = settings.CLUSTER_UI_METRICS_TOKEN_FILE
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not path or scheme.lower() != "bearer":
        return False
    try:
        token = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        logger.error("CLUSTER_UI_METRICS_TOKEN_FILE cannot be read")
        return False
    return bool(token) and constant_time_compare(given.strip(), token)


def _from_here(request: HttpRequest) -> bool:
    if settings.HTTPS or any(_handed_on(name.lower()) for name in request.headers):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _handed_on(header: str) -> bool:
    """Whether a header may say that the request came through a proxy."""
    return header not in _OWN and not header.startswith(_BROWSERS)
