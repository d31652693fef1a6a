"""What pods really use, as the dashboard reads it: measured by the kubelet, passed on by metrics-server."""

from __future__ import annotations

import asyncio

from dashboard.cache.cluster import ClusterCache
from dashboard.kube.metrics import MetricsServer
from dashboard.live.usage import Usage

from .pods import Pods

MIB = 2**20


async def test_a_busy_pod_uses_what_it_uses(pods: Pods) -> None:
    """A quarter of a core by its limit, and 40 MiB in memory, beside one that sleeps."""
    limits = {"resources": {"limits": {"cpu": "250m", "memory": "128Mi"}}}
    hold = "dd if=/dev/zero of=/memory/file bs=1M count=40 2>/dev/null; while :; do :; done"
    memory = {
        "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
        "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
    }
    pods.pod("busy", hold, **limits, **memory)
    pods.pod("idle", "exec sleep 600", **limits)
    busy, idle = await pods.ready("busy"), await pods.ready("idle")
    cache = ClusterCache(pods.transport)
    usage = Usage(cache, [MetricsServer(pods.transport)])
    try:
        usage.touch()
        await usage.first(60)
        async with asyncio.timeout(240):
            while True:
                await usage.sample()
                one, other = (usage.tally.pods.get(pod["metadata"]["uid"]) for pod in (busy, idle))
                if one is not None and other is not None and one.total[0] > 0.2 and one.total[1] > 40 * MIB:
                    break
                await asyncio.sleep(2)
        assert 0.2 < one.total[0] < 0.35
        assert 40 * MIB < one.total[1] < 128 * MIB
        assert other.total[0] < 0.05
        assert other.total[1] < 20 * MIB
        assert usage.tally.nodes["real"].use[0] > 0.2
    finally:
        await usage.close()
        await cache.close()
