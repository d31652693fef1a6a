"""How often something was tried lately, counted in the cache that the server processes share."""

from __future__ import annotations

import ipaddress
import logging

from asgiref.sync import sync_to_async
from django.core.cache import BaseCache, caches
from django.http import HttpRequest

log = logging.getLogger(__name__)

IPV6_PREFIX = (
    64  # bits: the smallest network that a site is given (RFC 6177), so whoever has one has all its addresses
)


def redis_errors() -> type[Exception]:
    """What Redis fails with. Only whoever asks it imports its client, which takes long: `except` looks here when
    something was raised, not before.
    """
    from redis.exceptions import RedisError

    return RedisError


def counted(name: str, seconds: int, *, count: int = 1) -> int:
    """Counts one more of what has this name, and how many there were within so many seconds, from the first on; with
    ``count=0`` only how many there were.

    Where Redis is away each process counts for itself.
    """
    try:
        return _count(caches["throttle"], name, seconds, count)
    except redis_errors() as error:
        log.warning("Redis does not answer, so this process counts for itself: %s", error)
        return _count(caches["process"], name, seconds, count)


async def times(name: str, seconds: int, *, count: int = 1) -> int:
    """The same from the event loop."""
    return await sync_to_async(counted)(name, seconds, count=count)


def address_of(request: HttpRequest) -> str:
    """Whom a request's tries are counted for."""
    return counted_address(request.META.get("REMOTE_ADDR", ""))


def counted_address(text: str) -> str:
    """An IPv4 address, or the network of an IPv6 one; "" for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), IPV6_PREFIX), strict=False))


def _count(cache: BaseCache, name: str, seconds: int, count: int) -> int:
    # Not aincr(): it reads and then writes, with a time of its own, so what comes at once is counted as one.
    cache.add(name, 0, seconds)
    try:
        found = cache.incr(name, count)
    except ValueError:  # it ran out just now
        return count
    if found == count:  # in Redis it may have run out meanwhile, and have begun anew without an end
        cache.touch(name, seconds)
    return found
