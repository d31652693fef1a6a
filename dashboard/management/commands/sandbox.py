"""`manage.py sandbox`: the sandbox cluster's commands.

All the work is in the package `sandbox`, which needs no Django.
"""

import argparse
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox import SandboxError, cli


class Command(BaseCommand):
    """Runs a sandbox cluster and prints its kubeconfig's path."""

    help = cli.DESCRIPTION
    requires_system_checks = []  # noqa: RUF012 - Django's own way

    def add_arguments(self, parser: CommandParser) -> None:
        cli.add_arguments(parser, name=settings.CLUSTER_UI_SANDBOX)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = cli.run(argparse.Namespace(**options), say=self.stdout.write, log=self._log)
        except SandboxError as error:
            raise CommandError(str(error)) from error
        if code:
            sys.exit(code)

    def _log(self, message: str) -> None:
        self.stderr.write(message, style_func=str)
        self.stderr.flush()
