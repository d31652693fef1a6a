"""What a start of the server takes up by itself: the records of clusters that were recorded in the last days.

Without it a restart at night would leave a gap until somebody opens a page. One cluster at a time, beside everything
else; a context that nobody ever opened is not asked for anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from dashboard import clock
from dashboard.database import AWAY, in_database
from dashboard.errors import ClusterError
from dashboard.queries.recordings import contexts_recorded

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger(__name__)

RESUMED = timedelta(days=7)  # what was recorded last before that is no longer wanted
AGAIN_SECONDS = 10.0  # while the database or the kubeconfig can't be read


async def resume(runtime: Runtime, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Record what was recorded before, as far as it is still configured: the next when the lists of the one before
    are there, or a minute later.
    """
    if not settings.CLUSTER_UI_TIMELINE:
        return
    while True:
        try:
            names = await in_database(contexts_recorded)(clock.now() - RESUMED)
            clusters = [each for each in runtime.clusters() if each.name in names]
            break
        except (ClusterError, *AWAY) as error:
            log.warning("what was recorded before the start is not resumed yet: %s", error)
            await sleep(AGAIN_SECONDS)
    for cluster in clusters:
        try:
            opened = runtime.open(cluster.slug)
            opened.record()
        except ClusterError as error:  # taken out of the configuration meanwhile
            log.warning("%s is not recorded again: %s", cluster.name, error)
        except Exception:
            log.exception("resuming the record of %s", cluster.name)
        else:
            log.info("recording %s again, as before the start", cluster.name)
            await opened.recording()
