"""Verifies the audit's chain, and writes its entries out."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.audit.chain import moment
from dashboard.audit.exporting import COLUMNS, entry_slices
from dashboard.audit.selecting import ASKED, entries_matching, read_moment
from dashboard.audit.verifying import Chain, verify
from dashboard.errors import BadInput
from dashboard.kinds.rows import plural
from dashboard.management.terminal import TerminalCommand
from dashboard.views.exports import table_lines

BROKEN = 1  # the exit code


class Command(TerminalCommand):
    help = "Verify the audit's hash chain, or export its entries."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="task", required=True, metavar="verify|export")
        check = parts.add_parser("verify", help="read the whole chain; exit with 1 where it is broken")
        check.add_argument("--format", choices=("text", "json"), default="text")
        check.add_argument(
            "--signed-from",
            type=int,
            default=0,
            metavar="ENTRY",
            help="from this entry on all have to be signed (default: as this machine has kept it)",
        )
        export = parts.add_parser("export", help="write entries to standard output, the oldest first")
        export.add_argument(
            "--format", choices=("csv", "jsonl"), default="jsonl", help="default: JSON, an entry a line"
        )
        for name, words in ASKED.items():
            export.add_argument(f"--{name}", default="", help=words)
        for name, words in (("since", "from this time on"), ("until", "before this time")):
            export.add_argument(f"--{name}", type=_moment, help=f"{words}, such as 2026-11-28T00:00Z")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["task"] == "export":
            self._export(options)
            return
        chain = verify(options["signed_from"])
        self.stdout.write(_json(chain) if options["format"] == "json" else _words(chain))
        if not chain.whole:
            raise SystemExit(BROKEN)

    def _export(self, options: dict[str, Any]) -> None:
        try:
            entries = entries_matching(options, since=options["since"], until=options["until"])
        except BadInput as error:
            raise CommandError(str(error)) from error
        if options["format"] == "csv":
            self.stdout.write(b"".join(table_lines([COLUMNS], "csv")).decode(), ending="")
        for rows in entry_slices(entries):
            if options["format"] == "csv":
                made = (map(_cell, row.values()) for row in rows)
                self.stdout.write(b"".join(table_lines(made, "csv")).decode(), ending="")
            elif rows:
                self.stdout.write("\n".join(json.dumps(row, separators=(",", ":")) for row in rows))


def _moment(text: str) -> datetime:
    try:
        return read_moment(text, "time")
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _json(chain: Chain) -> str:
    said = {
        "whole": chain.whole,
        "signatures": chain.signatures,
        **asdict(chain),
        "since": chain.since and moment(chain.since),
    }
    return json.dumps(said)


def _words(chain: Chain) -> str:
    lines = [
        f"entry {each.entry}: {each.wrong}: {each.text}" if each.entry else f"{each.wrong}: {each.text}"
        for each in chain.breaks
    ]
    if chain.broken > len(chain.breaks):
        lines.append(f"and {chain.broken - len(chain.breaks)} more")
    state = "Whole" if chain.whole else f"BROKEN in {plural(chain.broken, 'place')}"
    begin = f"from the checkpoint of {moment(chain.since)} on" if chain.since else "from the first one on"
    lines.append(
        f"{state}: {plural(chain.entries, 'entry', 'entries')} read, {begin}; {chain.signed} signed with a key."
    )
    if chain.signatures:
        lines.append(chain.signatures)
    lines.append(f"Last entry {chain.last}, hash {chain.hash}")
    return "\n".join(lines)
