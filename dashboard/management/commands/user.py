"""Makes and disables local users. A password is asked for, or read from standard input: never an argument, which a list
of processes shows."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from dashboard.accounts import user_create, user_disable, user_enable, user_set_password
from dashboard.admins import SUBJECT_PREFIX
from dashboard.errors import ClusterError
from dashboard.management.terminal import TerminalCommand


class Command(TerminalCommand):
    help = "Create, disable, enable or list users, or set a password (asked for, or from standard input)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=["create", "disable", "enable", "password", "list"])
        parser.add_argument("name", nargs="?", default="", help="as in the audit: mara, or oidc:jon")

    def handle(self, *args: Any, **options: Any) -> None:
        action, name = options["action"], options["name"]
        if action == "list":
            self._list()
            return
        if not name:
            raise CommandError(f"Which user? manage.py user {action} NAME")
        try:
            self.stdout.write(self._do(action, name))
        except ClusterError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error

    def _do(self, action: str, name: str) -> str:
        if action == "create":
            user_create(name=name, password=_password())
            return f"{name} can sign in."
        if action == "password":
            user_set_password(name=name, password=_password())
            return f"{name} has a new password; every session has ended."
        if action == "disable":
            ended = user_disable(name=name)
            return f"{name} is disabled; {ended} session{'' if ended == 1 else 's'} ended."
        user_enable(name=name)
        return f"{name} is enabled."

    def _list(self) -> None:
        for user in User.objects.order_by("username").select_related("external_identity"):
            last = (
                f"last signed in {user.last_login:%Y-%m-%d %H:%M} UTC"
                if user.last_login
                else "never signed in"
            )
            facts = [user.username, "enabled" if user.is_active else "disabled", last]
            if (known := getattr(user, "external_identity", None)) is not None:
                facts.append(f"{SUBJECT_PREFIX}{known.subject}")
            self.stdout.write("\t".join(facts))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Password again: ") != password:
        raise CommandError("The two passwords differ. Nothing was changed.")
    return password
