"""Runs the dashboard, on 127.0.0.1 unless told otherwise."""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Run the server alone, against whatever cluster the settings name."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to bind to (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to bind to (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["port"] < 65536:
            raise CommandError(f"--port is {options['port']}: say a number from 1 to 65535.")
        uvicorn.run(
            "cluster_ui.asgi:application",
            host=options["host"],
            port=options["port"],
            lifespan="on",
            loop="uvloop",
            ws="websockets-sansio",
            # Frames are small and shared: compressing them anew for every socket costs more than it saves.
            ws_per_message_deflate=False,
            ws_max_size=1_048_576,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            timeout_graceful_shutdown=3,
            access_log=False,
            log_level="warning",
            server_header=False,
            # A proxy's headers are believed from this machine only (uvicorn's default), or from FORWARDED_ALLOW_IPS.
        )
