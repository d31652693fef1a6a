"""Prints a one-time sign-in link."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from dashboard.signin import OWNER, link_create


class Command(BaseCommand):
    help = "Print a link that signs in once, within 10 minutes."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--user", default=OWNER, help="who signs in (made if new; default: %(default)s)")
        parser.add_argument(
            "--base",
            default="http://127.0.0.1:8000",
            help="where the dashboard is reached (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(options["base"].rstrip("/") + link_create(user_name=options["user"]))
