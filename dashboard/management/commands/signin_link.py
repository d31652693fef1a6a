"""Prints a one-time sign-in link."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from dashboard.accounts import local_name
from dashboard.errors import BadInput
from dashboard.management.terminal import TerminalCommand
from dashboard.signin import OWNER, link_create


class Command(TerminalCommand):
    help = "Print a link that signs in once, within 10 minutes."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--user", default=OWNER, help="who signs in (made if new; default: %(default)s)")
        parser.add_argument(
            "--base",
            default="http://127.0.0.1:8000",
            help="where the dashboard is reached (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if "link" not in settings.CLUSTER_UI_SIGN_IN:
            raise CommandError("Nobody signs in by a link here: CLUSTER_UI_SIGN_IN does not name it.")
        try:
            local_name(options["user"])
        except BadInput as error:
            raise CommandError(f"--user: {error.message}") from error
        self.stdout.write(options["base"].rstrip("/") + link_create(user_name=options["user"]))
