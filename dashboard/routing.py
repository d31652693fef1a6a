from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from dashboard.consumers import LiveConsumer
from dashboard.shellconsumer import ShellConsumer

websocket_urlpatterns = [
    path("ws/c/<context>/", LiveConsumer.as_asgi()),
    path("ws/c/<context>/shell/<namespace>/<name>/", ShellConsumer.as_asgi()),
    re_path("", WebsocketDenier.as_asgi()),
]
