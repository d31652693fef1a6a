"""The ASGI application: HTTP to Django, websockets to Channels, lifespan to the runtime.

Channels' router rejects `lifespan`, and one event loop must own transport, reflectors and live from start to end, so the
protocol is answered here.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
django_application = get_asgi_application()  # sets Django up: what follows may import models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402

from dashboard.edge import Edge, Receive, Scope, Send  # noqa: E402
from dashboard.live.operations import operations  # noqa: E402
from dashboard.live.refusals import refusals_told  # noqa: E402
from dashboard.live.retention import retention  # noqa: E402
from dashboard.live.runtime import runtime  # noqa: E402
from dashboard.loop import LoopGuard, short_turns, spare_what_stays  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from dashboard.sockets import SameOriginOnly, SessionOfHandshake  # noqa: E402

router = Edge(
    ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": SameOriginOnly(
                CookieMiddleware(SessionOfHandshake(URLRouter(websocket_urlpatterns)))
            ),
        }
    )
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    else:
        await router(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    guard = LoopGuard()
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            spare_what_stays()
            short_turns()
            guard.start()
            await runtime.start()
            operations.start()
            retention.start()
            refusals_told.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            guard.stop()
            await refusals_told.stop()
            await retention.stop()
            await operations.stop()
            await runtime.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
