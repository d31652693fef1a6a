"""What there is to say of the contexts of a kubeconfig before one is added: each is asked who it is, once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings

from dashboard.errors import ClusterError
from dashboard.kube.addresses import reachable_required
from dashboard.kube.expiry import certificate_expiry
from dashboard.kube.kubeconfig_text import Offered, cluster_of, read_kubeconfig
from dashboard.kube.transport import Transport
from dashboard.kube.whoami import who_am_i

from .keeping import name_required

__all__ = ["Look", "look_at_all"]

LOOK_SECONDS = 6.0  # for all that one context is asked
AT_ONCE = 10
USER_AGENT = f"cluster-ui/{settings.VERSION}"


@dataclass(frozen=True, slots=True)
class Look:
    """``refusal``: why it can't be added. ``trouble``: why it did not answer, which is no reason not to add it."""

    offered: Offered
    version: str = ""
    account: str = ""
    certificate_expires_at: datetime | None = None
    trouble: str = ""
    refusal: ClusterError | None = None


async def look_at_all(text: str, taken: Collection[str], *, ask: bool = True) -> list[Look]:
    """One for each context of a text, in its order. ``taken``: the names of all other contexts; ``ask``: whether the API
    servers are asked too. Raises BadInput for a text that is no kubeconfig.
    """
    offered = await asyncio.to_thread(read_kubeconfig, text)
    turns = asyncio.Semaphore(AT_ONCE)

    async def look(each: Offered) -> Look:
        async with turns:
            return await _look_at(each, taken, ask)

    return await asyncio.gather(*map(look, offered))


async def _look_at(offered: Offered, taken: Collection[str], ask: bool) -> Look:
    if offered.refusal is not None:
        return Look(offered, refusal=offered.refusal)
    parts = urlsplit(offered.server)
    try:
        name_required(offered.name, taken)
        await reachable_required(parts.hostname or "", parts.port or 443, own_names())
    except ClusterError as error:
        return Look(offered, refusal=error.to_keep())
    return await _asked(offered) if ask else Look(offered)


async def _asked(offered: Offered) -> Look:
    transport = Transport(cluster_of(offered, ""), user_agent=USER_AGENT)
    version, account, trouble = "", "", ""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            version = str((await transport.version()).get("gitVersion", ""))[:60]
            account = (await who_am_i(transport)).username
    except TimeoutError:
        trouble = f"It did not answer within {LOOK_SECONDS:.0f} s."
    except ClusterError as error:
        trouble = error.message
    finally:
        await transport.close()
    return Look(offered, version, account, certificate_expiry(transport.server_certificate), trouble)


def own_names() -> frozenset[str]:
    """What this dashboard is called from outside. Names that stand for every machine itself are told by their address."""
    hosts = [
        *settings.ALLOWED_HOSTS,
        *(urlsplit(each).hostname or "" for each in settings.CSRF_TRUSTED_ORIGINS),
    ]
    loopback = ("", "localhost", "127.0.0.1", "[::1]")
    return frozenset(
        host.strip("[]").lower() for host in hosts if host not in loopback and not host.startswith((".", "*"))
    )
