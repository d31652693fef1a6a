"""How often something was tried lately, counted in the cache that the server processes share."""

from __future__ import annotations

import logging

from django.core.cache import BaseCache, caches
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


async def times(name: str, seconds: int, *, count: int = 1) -> int:
    """Counts one more of what has this name, and how many there were within so many seconds, from the first on; with
    ``count=0`` only how many there were.

    Where Redis is away each process counts for itself.
    """
    try:
        return await _count(caches["default"], name, seconds, count)
    except RedisError as error:
        log.warning("Redis does not answer, so this process counts for itself: %s", error)
        return await _count(caches["process"], name, seconds, count)


async def _count(cache: BaseCache, name: str, seconds: int, count: int) -> int:
    await cache.aadd(name, 0, seconds)
    try:
        return await cache.aincr(name, count)
    except ValueError:  # it ran out just now
        return count
