from django.urls import path

from dashboard.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/c/<context>/", LiveConsumer.as_asgi())]
