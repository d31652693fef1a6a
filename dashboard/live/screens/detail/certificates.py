"""The certificates that an Ingress shows, or that a Secret holds, read as the user and judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.errors import ClusterError
from dashboard.insight import Finding
from dashboard.insight.rules.certificates import certificate_findings
from dashboard.kinds.base import Ref
from dashboard.kinds.secrets import SECRETS
from dashboard.queries.secrets import certificate_of

if TYPE_CHECKING:
    from dashboard.live.session import Sight

MAX_SECRETS = 20  # Secrets read for one page


class Shown(NamedTuple):
    """A Secret with a certificate, and the hosts that it is to be good for."""

    secret: Ref
    hosts: tuple[str, ...]


async def certificate_problems(sight: Sight, about: Ref, obj: Any) -> Sequence[Finding]:
    """What is wrong with the certificates of an object; nothing is said of those that cannot be read."""
    shown = list(_shown(about, obj))[:MAX_SECRETS]
    found = await asyncio.gather(*(_judged(sight, about, one) for one in shown))
    return [finding for group in found for finding in group]


def _shown(about: Ref, obj: Any) -> Iterator[Shown]:
    if about.plural == "ingresses":
        for tls in obj.spec.tls or ():
            if tls.secret_name:
                yield Shown(
                    Ref("Secret", about.namespace, tls.secret_name, "secrets"), tuple(tls.hosts or ())
                )
    elif about.plural == "secrets" and obj.secret_type == "kubernetes.io/tls":  # noqa: S105
        yield Shown(about, ())


async def _judged(sight: Sight, about: Ref, one: Shown) -> Sequence[Finding]:
    namespace, name = one.secret.namespace, one.secret.name
    transport = await sight.permitted("get", SECRETS.gvr, namespace=namespace)
    if transport is None:
        return []
    try:
        certificate = await certificate_of(transport, namespace, name)
    except ClusterError:
        return []  # that it is not there, the rules say; what else happens, the badge
    return certificate_findings(about, one.secret, certificate, one.hosts, datetime.now(UTC))
