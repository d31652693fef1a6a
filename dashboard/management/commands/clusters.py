"""Lists, adds and removes contexts as the page *Clusters* does; running servers know it within half a minute."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from dashboard.accounts import BY
from dashboard.actions.confirmation import read_reason
from dashboard.clusters.keeping import (
    added_clusters,
    cluster_remove,
    cluster_rules_change,
    clusters_add,
    clusters_seal_anew,
)
from dashboard.clusters.looking import Look, look_at_all
from dashboard.clusters.rules import Rules
from dashboard.errors import ClusterError
from dashboard.live.runtime import runtime
from dashboard.management.terminal import TerminalCommand
from dashboard.models import AddedCluster


class Command(TerminalCommand):
    help = "List, add, remove, newly encrypt or change the rules of the contexts that were added to this dashboard."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="each context with its server, rules, and who added it")
        add = actions.add_parser("add", help="add the contexts of a kubeconfig (-: standard input)")
        add.add_argument("file", help="a kubeconfig with embedded credentials; -: standard input")
        add.add_argument("--context", action="append", default=[], help="only this one; repeatable")
        add.add_argument(
            "--act-as", choices=AddedCluster.ActAs.values, default=AddedCluster.ActAs.INSTALLATION
        )
        add.add_argument("--production", action="store_true", help="names are typed for every write")
        add.add_argument("--read-only", action="store_true", help="nobody changes anything in it")
        add.add_argument("--check", action="store_true", help="only say what would be added")
        actions.add_parser("remove", help="forget a context and its credentials").add_argument("name")
        rules = actions.add_parser("rules", help="change what holds of a context; what is not said stays")
        rules.add_argument("name")
        rules.add_argument("--act-as", choices=AddedCluster.ActAs.values)
        rules.add_argument("--production", action=argparse.BooleanOptionalAction)
        rules.add_argument("--read-only", action=argparse.BooleanOptionalAction)
        rules.add_argument("--reason", default="", help="why, for the audit")
        actions.add_parser(
            "reencrypt",
            help="encrypt all credentials with the secret key of now, so that older ones can be dropped",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except ClusterError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from None

    def _list(self, options: dict[str, Any]) -> None:
        for each in added_clusters():
            said = [f"act as {each.rules.act_as}", f"added by {each.by} {each.at:%Y-%m-%d}"]
            said += ["production"] if each.rules.production else []
            said += ["read-only"] if each.rules.read_only else []
            said += [each.trouble] if each.trouble else []
            self.stdout.write("\t".join([each.name, each.server, *said]))

    def _add(self, options: dict[str, Any]) -> None:
        text = _read(options["file"])
        taken = {each.name for each in runtime.configured()} | {each.name for each in added_clusters()}
        looks = asyncio.run(look_at_all(text, taken, ask=options["check"]))
        named = set(options["context"])
        if unknown := named - {each.offered.name for each in looks}:
            raise CommandError(f"The kubeconfig has no context {sorted(unknown)[0]!r}.")
        chosen = [each for each in looks if not named or each.offered.name in named]
        if options["check"]:
            for each in chosen:
                self.stdout.write("\t".join(_told(each)))
            return
        if refused := next((each.refusal for each in chosen if each.refusal is not None), None):
            raise refused
        rules = Rules(options["act_as"], options["production"], options["read_only"])
        for made in clusters_add(by=BY, chosen=[(each.offered, rules) for each in chosen], taken=taken):
            self.stdout.write(f"{made.name} at {made.server} is added.")

    def _remove(self, options: dict[str, Any]) -> None:
        gone = cluster_remove(by=BY, name=options["name"], taken=runtime.configured_names())
        self.stdout.write(f"{gone.name} at {gone.server} is removed, and its credentials are forgotten.")

    def _rules(self, options: dict[str, Any]) -> None:
        name = options["name"]
        was = next((each.rules for each in added_clusters() if each.name == name), Rules())
        said = {
            key: options[key] for key in ("act_as", "production", "read_only") if options[key] is not None
        }
        reason = read_reason(options["reason"])
        cluster_rules_change(by=BY, name=name, rules=replace(was, **said), reason=reason)
        self.stdout.write(f"The rules of {name} are changed.")

    def _reencrypt(self, options: dict[str, Any]) -> None:
        anew, lost = clusters_seal_anew()
        self.stdout.write(f"Encrypted again: {anew}. Encrypted with a key that is lost: {lost}.")


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read: {getattr(error, 'strerror', 'not a text')}.") from None


def _told(look: Look) -> list[str]:
    offered = look.offered
    if look.refusal is not None:
        return [offered.name, f"refused: {look.refusal.message} {look.refusal.next_step}".strip()]
    answer = look.trouble or f"{look.version}, as {look.account}"
    return [offered.name, offered.server, offered.credential, answer]
