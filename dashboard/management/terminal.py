"""What commands write to a terminal. What others wrote (names, what an admission webhook says) is legible there as on
pages: it could move the cursor, hide what stands above it, or look like another line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import ProgrammingError

from dashboard.database import AWAY, database_unavailable
from dashboard.kinds.legible import legible


class TerminalOutput(OutputWrapper):
    def write(  # type: ignore[override] # as Django's own
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        super().write(legible(msg.replace("\r", " ")), style_func, ending)


class TerminalCommand(BaseCommand):
    """A command that writes what others wrote, and says in words when the dashboard's own database does not answer."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        out: Any = options.pop("stdout", None) or self.stdout._out
        err: Any = options.pop("stderr", None) or self.stderr._out
        self.stdout, self.stderr = TerminalOutput(out), TerminalOutput(err)
        self.stderr.style_func = self.style.ERROR
        try:
            return super().execute(*args, **options)
        except (*AWAY, ProgrammingError) as error:
            told = database_unavailable(error)
            raise CommandError(f"{told.message} {told.next_step}") from error
