"""The last lines of the logs that findings ask for, read as the user."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from dashboard.errors import ClusterError
from dashboard.insight.finding import LogWish
from dashboard.kinds.pods import PODS
from dashboard.live.screens.problems import Line, Logs
from dashboard.queries.logs import open_log, styled

if TYPE_CHECKING:
    from dashboard.live.session import Sight

LINES = 10
LINE_BYTES = 2048  # of one line
WISHES = 2  # logs of one object's page
SECONDS = 2.0  # a page does not wait longer for a kubelet


async def last_lines(sight: Sight, wishes: Iterable[LogWish], former: Logs, most: int = WISHES) -> Logs:
    """The lines of the first few logs. Of those that are not there or do not come in time the ``former`` ones: while a
    container starts anew, its kubelet has neither log for a moment, and it mostly crashes as it did before.
    """
    wanted = list(dict.fromkeys(wishes))[:most]
    found = await asyncio.gather(*(_lines(sight, wish, former.get(wish, ())) for wish in wanted))
    return dict(zip(wanted, found, strict=True))


async def _lines(sight: Sight, wish: LogWish, former: Sequence[Line]) -> Sequence[Line]:
    found: list[Line] = []
    query = {"tailLines": str(LINES)} | ({"previous": "true"} if wish.previous else {})
    transport = await sight.permitted("get", PODS.gvr, namespace=wish.namespace, subresource="log")
    if transport is None:
        return found
    opened = open_log(transport, wish.namespace, wish.pod, wish.container, query)
    with suppress(ClusterError, TimeoutError):
        async with asyncio.timeout(SECONDS), opened as batches, aclosing(batches):
            async for batch in batches:
                found += map(_line, batch)
    return found or former


def _line(raw: bytes) -> Line:
    at, _, text = raw[:LINE_BYTES].decode("utf-8", "replace").rstrip("\r\n").partition(" ")
    cut = "… (cut)" if len(raw) > LINE_BYTES else ""
    return at, styled(text)[0] + cut
