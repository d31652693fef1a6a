"""Runs the dashboard, on 127.0.0.1 unless told otherwise."""

from __future__ import annotations

import argparse
import logging
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dashboard.allocator import memory_give_back
from dashboard.kube.addresses import OWN_PORTS
from dashboard.protocols import PING_SECONDS, PONG_SECONDS, BoundedHttp, BoundedWebSocket

log = logging.getLogger(__name__)

THIS_MACHINE = ["127.0.0.1", "::1"]


class Command(BaseCommand):
    help = "Run the server alone, against whatever cluster the settings name."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to bind to (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to bind to (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["port"] < 65536:
            raise CommandError(f"--port is {options['port']}: use a number from 1 to 65535.")
        OWN_PORTS.add(options["port"])
        memory_give_back()
        proxies = settings.CLUSTER_UI_TRUSTED_PROXIES
        if settings.HTTPS and not proxies:
            log.warning(
                "CLUSTER_UI_HTTPS is on and CLUSTER_UI_TRUSTED_PROXIES names no proxy, so only one on this machine is "
                "believed. Behind another one everybody has its address: in the audit, and in the limits on "
                "sign-ins, which one person can then use up for all."
            )
        uvicorn.run(
            "cluster_ui.asgi:application",
            host=options["host"],
            port=options["port"],
            lifespan="on",
            loop="uvloop",
            http=BoundedHttp,
            ws=BoundedWebSocket,
            # A proxy in front is told of by the settings; without one, its headers are only somebody's words.
            proxy_headers=settings.HTTPS or bool(proxies),
            forwarded_allow_ips=proxies or THIS_MACHINE,
            # Frames are small and shared: compressing them anew for every socket costs more than it saves.
            ws_per_message_deflate=False,
            ws_max_size=1_048_576,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            timeout_graceful_shutdown=3,
            access_log=False,
            log_config=None,  # the settings' own: one record, one line
            log_level="warning",
            server_header=False,
        )
