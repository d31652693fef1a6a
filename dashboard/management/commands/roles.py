"""Prints ClusterRoles to hand out: all of them, or one for just some actions."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.actions.abilities import abilities
from dashboard.actions.roles import ACCOUNTS, account_text, narrow_text, roles_table, roles_text
from dashboard.kinds import KINDS


class Command(BaseCommand):
    help = "Print the roles of deploy/roles.yaml, or one role for just what is named (docs/roles.md)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--may",
            action="append",
            default=[],
            metavar="ACTION",
            help="such as see, scale or logs; repeatable",
        )
        parser.add_argument(
            "--kind",
            action="append",
            default=[],
            metavar="PLURAL",
            help="such as deployments; repeatable (default: all)",
        )
        parser.add_argument(
            "--name", default="cluster-ui-own", help="of that one role (default: %(default)s)"
        )
        parser.add_argument(
            "--account",
            choices=ACCOUNTS,
            help="the dashboard's own account instead, for this CLUSTER_UI_ACT_AS",
        )
        parser.add_argument("--table", action="store_true", help="what each role may do, as a Markdown table")

    def handle(self, *args: Any, **options: Any) -> None:
        may, kinds = options["may"], options["kind"]
        if options["table"]:
            self.stdout.write(roles_table(), ending="")
            return
        if options["account"]:
            self.stdout.write(account_text(options["account"]), ending="")
            return
        if not may:
            if kinds:
                raise CommandError("--kind: name what may be done with them by --may.")
            self.stdout.write(roles_text(), ending="")
            return
        known = {each.name for each in abilities()}
        if wrong := sorted(set(may) - known):
            raise CommandError(
                f"--may: nothing is called {', '.join(wrong)}. Known are: {', '.join(sorted(known))}."
            )
        if wrong := sorted(set(kinds) - KINDS.keys()):
            raise CommandError(f"--kind: there is no kind {', '.join(wrong)}. Known are: {', '.join(KINDS)}.")
        chosen = [
            each for each in abilities() if each.name in may and (not kinds or each.kind.plural in kinds)
        ]
        if missing := sorted(set(may) - {each.name for each in chosen}):
            raise CommandError(f"--may: {', '.join(missing)} can be done with none of these kinds.")
        self.stdout.write(narrow_text(options["name"], chosen), ending="")
