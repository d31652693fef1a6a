"""Which clusters somebody looks at, shared by the processes: whichever answers, the overview of them is the same."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import caches

from dashboard.throttle import redis_errors

log = logging.getLogger(__name__)

KEPT_SECONDS = 600  # after the last look at the overview, or at the cluster


async def note(slugs: Iterable[str]) -> None:
    """That this process looks at these. Without Redis each process knows of itself."""
    if not settings.REDIS_URL:
        return
    try:
        await sync_to_async(caches["default"].set_many)(dict.fromkeys(map(_key, slugs), True), KEPT_SECONDS)
    except redis_errors() as error:
        log.warning(
            "Redis does not answer, so other processes are not told which clusters are looked at: %s", error
        )


async def noted(slugs: Iterable[str]) -> frozenset[str]:
    """Those of them that a process looked at lately; none without Redis."""
    if not settings.REDIS_URL:
        return frozenset()
    keys = {_key(each): each for each in slugs}
    try:
        found = await sync_to_async(caches["default"].get_many)(keys)
    except redis_errors() as error:
        log.warning(
            "Redis does not answer, so it is not known which clusters other processes look at: %s", error
        )
        return frozenset()
    return frozenset(keys[key] for key in found)


def _key(slug: str) -> str:
    return f"looked-at:{slug}"
