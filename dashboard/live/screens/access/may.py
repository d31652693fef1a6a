""" "What may I do here?": the abilities of an account as a table, and those of one kind in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dashboard.actions.abilities import Ability, Column, abilities, abilities_of
from dashboard.actions.rights import Right
from dashboard.actions.roles import role_name
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kinds.rows import listed
from dashboard.kube.shell import shell_line
from dashboard.live.permissions import Permissions

COLUMNS: dict[Column, str] = {
    "see": "See", "create": "Create", "change": "Edit", "operate": "Operate", "delete": "Delete", "logs": "Logs",
    "shell": "Shell",
}  # fmt: skip


# What can be done with objects of a kind, where that is more than a verb before its name.
SENTENCES = {
    "logs": "Read logs of {}",
    "shell": "Open a shell in {}",
    "debug": "Add a debug container to {}",
    "reveal": "Read values of {}",
    "create": "Create {}",
    "run": "Run {} now",
    "image": "Set the image of {}",
    "env": "Set the environment of {}",
    "resources": "Set the resources of {}",
    "versions": "Restore versions of {}",
}


def where_words(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "in the whole cluster"


def table_rows(permissions: Permissions) -> list[dict[str, Any]]:
    """A row for each kind that is in the namespace, or in the cluster: a cell for each column."""
    rows = []
    for kind in KINDS.values():
        own = [each for each in abilities() if each.kind is kind and permissions.tells_of(each)]
        if own:
            cells = [
                _cell(title, [each for each in own if each.column == key], permissions)
                for key, title in COLUMNS.items()
            ]
            rows.append({"plural": kind.plural, "title": kind.title, "cells": cells})
    return rows


def _cell(title: str, own: Sequence[Ability], permissions: Permissions) -> dict[str, str]:
    """``state``: yes, part, no, or "" where there is nothing of it to do; ``text`` is for those who don't see a mark."""
    if not own:
        return {"head": title, "state": "", "short": "", "text": ""}
    may = [each for each in own if permissions.may(each)]
    if len(may) == len(own):
        return {"head": title, "state": "yes", "short": "", "text": f"yes: {_titles(own)}"}
    needs = needs_words({right for each in own for right in permissions.missing(each)})
    some = {each: names for each in own if (names := permissions.only(each))}
    if not may and some:
        told = ", ".join(f"{each.title.lower()} {listed(names, 'more')}" for each, names in some.items())
        return {"head": title, "state": "part", "short": "by name", "text": f"only {told}; else {needs}"}
    if not may:
        return {"head": title, "state": "no", "short": "", "text": f"no: {needs}"}
    short = may[0].title.lower() if len(may) == 1 else f"{len(may)} of {len(own)}"
    others = [each for each in own if each not in may]
    text = f"only {_titles(may)}; not {_titles(others)}: {needs}"
    return {"head": title, "state": "part", "short": short, "text": text}


def _titles(own: Iterable[Ability]) -> str:
    return ", ".join(dict.fromkeys(each.title.lower() for each in own))


def needs_words(missing: Iterable[Right]) -> str:
    """``needs patch on deployments.apps``."""
    return (
        f"needs {listed([f'{each.verb} on {each.full}' for each in sorted(missing, key=str)], 'more rights')}"
    )


def kind_rows(kind: Kind[Any], permissions: Permissions) -> list[dict[str, Any]]:
    """What can be done with objects of one kind, each with yes or no, and what a no lacks."""
    rows = []
    for each in own_abilities(kind):
        if not permissions.tells_of(each):
            continue
        missing = permissions.missing(each)
        first = missing[0] if missing else each.rights[-1]
        rows.append(
            {
                "name": each.name,
                "title": SENTENCES.get(each.name, f"{each.title} {{}}").format(kind.title),
                "allowed": not missing,
                "only": listed(permissions.only(each), "more"),
                "needs": [{"verb": right.verb, "resource": right.full} for right in missing or each.rights],
                "role": role_name(each.role) if missing and kind.plural in KINDS else "",
                "kubectl": can_i(first, permissions.namespace),
            }
        )
    return rows


def own_abilities(kind: Kind[Any]) -> tuple[Ability, ...]:
    if kind.plural in KINDS:
        return tuple(each for each in abilities() if each.kind is kind)
    return abilities_of(kind)


def can_i(right: Right, namespace: str) -> str:
    """The same question on a command line."""
    where = ["-n", namespace] if namespace else ["--all-namespaces"] if right.gvr.namespaced else []
    group = f".{right.gvr.group}" if right.gvr.group else ""
    sub = [f"--subresource={right.subresource}"] if right.subresource else []
    return shell_line(["kubectl", "auth", "can-i", right.verb, f"{right.gvr.plural}{group}", *sub, *where])


def request_text(user: str, rows: Iterable[dict[str, Any]], kind: Kind[Any], namespace: str) -> str:
    """What somebody could send to whoever manages access; "" where nothing is missing."""
    refused = [row for row in rows if not row["allowed"]]
    if not refused:
        return ""
    needs = dict.fromkeys(f"{each['verb']} {each['resource']}" for row in refused for each in row["needs"])
    return f"Please allow {user or 'me'} {where_words(namespace)} ({kind.title}): {', '.join(needs)}."
