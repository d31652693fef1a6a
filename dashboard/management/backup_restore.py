"""``manage.py backup restore`` and ``drill``: the engine of the page, waited for, with a line for each object.

They act with the account of the configuration, as the person ``(command line)``, who can't sign in. An operation that is
killed is gone on with by a running server of the same database, or begun again: what is done stays as it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import OutputWrapper

from dashboard.accounts import BY
from dashboard.actions.action import Actor
from dashboard.actions.attempts import Attempt, attempt_refused
from dashboard.actions.confirmation import read_reason
from dashboard.actions.drill import DRILL, drill_begin, drill_preview
from dashboard.actions.restore import (
    RESTORE,
    RestoreOrder,
    restore_begin,
    restore_preview,
    stops,
)
from dashboard.actions.restore_words import restore_words
from dashboard.actions.running import new_holder, operation_run
from dashboard.database import in_database
from dashboard.errors import ClusterError, NotFound
from dashboard.insight import Notice
from dashboard.kinds.rows import plural
from dashboard.kube.config import Cluster
from dashboard.kube.transport import Transport
from dashboard.live.runtime import USER_AGENT
from dashboard.models import Change, Operation, OperationResult
from dashboard.recovery.choice import CONFLICTS, Choice, read_choice
from dashboard.recovery.keys import read_identities
from dashboard.recovery.restoring import Planned
from dashboard.recovery.storage import Storage

SHOWN = {"create": "will be created", "update": "will be updated", "same": "no changes", "leave": "left"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What becomes of one object, or would: ``object`` names it in the backup, ``into`` is where it goes; ``word`` says
    the ``state`` to a person.
    """

    object: str
    into: str
    state: str
    word: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended: ``state`` is ``done``, ``failed``, ``stopped``, ``refused``, ``nothing`` or ``previewed``."""

    archive: str
    context: str
    state: str
    text: str
    lines: tuple[Line, ...]
    notices: tuple[Notice, ...] = ()
    steps: tuple[dict[str, str], ...] = ()
    change: int | None = None

    @property
    def well(self) -> bool:
        return self.state in ("done", "nothing", "previewed")

    def told(self, form: str) -> Iterator[str]:
        """For standard output, as ``text`` or ``json``."""
        if form == "json":
            lines = [
                {key: getattr(each, key) for key in ("object", "into", "state", "word", "text")}
                for each in self.lines
            ]
            notices = [{"state": each.state, "title": each.title, "text": each.text} for each in self.notices]
            yield json.dumps(
                {
                    "archive": self.archive, "context": self.context, "change": self.change, "state": self.state,
                    "text": self.text, "notices": notices,
                    "steps": list(self.steps), "results": lines,
                }
            )  # fmt: skip
            return
        for line in self.lines:
            yield "\t".join(filter(None, (line.into, line.word, _one_line(line.text))))
        for notice in self.notices:
            yield f"{notice.title}: {_one_line(notice.text)}"
        for step in self.steps:
            yield f"{step['title']}: {step['state']}. {_one_line(step['text'])}".rstrip()
        yield self.text


def _one_line(text: str) -> str:
    """What a cluster says may have lines, which would look like those of other objects."""
    return " ".join(text.split())


def add_arguments(restore: argparse.ArgumentParser, drill: argparse.ArgumentParser) -> None:
    """Those of both; what only a restore knows comes first."""
    restore.add_argument(
        "--map", action="append", default=[], metavar="OLD=NEW", help="into another namespace; repeatable"
    )
    restore.add_argument("--conflict", choices=CONFLICTS, default="leave",
                         help="what is there and differs: leave it (default), update it, or refuse all")  # fmt: skip
    restore.add_argument("--only", action="append", default=[], metavar="KIND[/NAME]",
                         help="only this kind, or this object; repeatable")  # fmt: skip
    restore.add_argument("--label", default="", metavar="SELECTOR", help="only what has these labels")
    restore.add_argument("--cluster-kind", action="append", default=[], metavar="KIND",
                         help="objects of the whole cluster of this kind too; repeatable")  # fmt: skip
    for part in (restore, drill):
        part.add_argument("archive", nargs="?", default="",
                          help="an address, or a name in the storage (default: the newest of the context)")  # fmt: skip
        part.add_argument("--context", default="", help="into which cluster (default: the current context)")
        part.add_argument("--namespace", action="append", default=[], metavar="NAME",
                          help="only this one of the backup; repeatable")  # fmt: skip
        part.add_argument("--identity", action="append", default=[], metavar="FILE",
                          help="decrypt with this private key of age or SSH; repeatable")  # fmt: skip
        part.add_argument("--dry-run", action="store_true", help="only say what would be done")
        part.add_argument("--reason", default="", help="why; needed in production")
        part.add_argument("--confirm", default="", metavar="NAME",
                          help="the namespace or context, where the page asks for it")  # fmt: skip


def choice_of(options: dict[str, Any]) -> Choice:
    """What was asked for. Raises BadInput."""
    return read_choice(
        namespaces=options["namespace"],
        only=options.get("only", ()),
        labels=options.get("label", ""),
        maps=options.get("map", ()),
        conflict=options.get("conflict", ""),
        cluster_kinds=options.get("cluster_kind", ()),
    )


def archive_of(asked: str, to: str, slug: str) -> str:
    """Its address: as it was given, by its name in the storage, or the newest of a context. Raises NotFound."""
    if "/" in asked:
        return asked
    storage = Storage(to)
    if asked:
        return storage.url_of(asked)
    newest = next((each for each in storage.archives() if each.slug == slug), None)
    if newest is None:
        raise NotFound(
            f"There is no backup of {slug} in {storage.url}.",
            next_step="Name an archive: manage.py backup list shows all.",
        )
    return newest.url


async def run(
    task: str, cluster: Cluster, archive: str, options: dict[str, Any], err: OutputWrapper
) -> Outcome:
    """A restore, or a drill, to its end. Raises ClusterErrors for what was not begun; they are in the audit, too."""
    transport = Transport(cluster, user_agent=USER_AGENT)
    actor = Actor(user=await in_database(_person)(), name=BY)
    action = DRILL if task == "drill" else RESTORE
    attempt = Attempt(action=action.name, context=cluster.name, name=archive.rpartition("/")[2][:253],
                      reason=options["reason"])  # fmt: skip
    try:
        order = RestoreOrder(
            transport=transport, actor=actor, archive=archive, choice=choice_of(options),
            identities=read_identities(options["identity"]), reason=read_reason(options["reason"]),
            confirm=options["confirm"],
        )  # fmt: skip
        begin = _drill if task == "drill" else _restore
        holder = new_holder()
        begun = await begin(order, holder, dry=options["dry_run"])
        if isinstance(begun, Outcome):
            return begun
        told: set[str] = set()

        def moved(operation: Operation) -> None:
            for step in operation.steps:
                if step["state"] != "waiting" and step["title"] not in told:
                    told.add(step["title"])
                    err.write(f"{step['title']} …")

        operation = await operation_run(begun, transport, holder, moved)
        return await in_database(_ended)(order, operation)
    except ClusterError as error:
        if not options["dry_run"]:
            await attempt_refused(attempt, actor, error)
        raise
    finally:
        await transport.close()


async def _restore(order: RestoreOrder, holder: str, *, dry: bool) -> Outcome | Change:
    shown = await restore_preview(order)
    lines = tuple(_planned(each) for each in (*shown.plans, *shown.skipped))
    if refusing := stops(shown.plans, order.choice):
        text = f"Refused: {plural(len(refusing), 'object')} would be changed. Nothing was written."
        return _outcome(order, "refused", text, lines)
    if not shown.token:
        if refused := sum(each.does == "refused" for each in shown.plans):
            text = f"{plural(refused, 'object')} would be refused: nothing is written."
            return _outcome(order, "refused", text, lines)
        some = "Everything exists already" if shown.plans else "Nothing in this backup matches"
        return _outcome(order, "nothing", f"{some}: nothing is written.", lines)
    if dry:
        told = restore_words(shown, order.choice)
        text = f"Dry run: {told.headline[:1].lower()}{told.headline[1:]}. {told.text} Nothing was written."
        return replace(_outcome(order, "previewed", text, lines), notices=told.notices)
    return await restore_begin(order, shown.token, holder=holder)


async def _drill(order: RestoreOrder, holder: str, *, dry: bool) -> Outcome | Change:
    shown = await drill_preview(order)
    if not shown.token:
        return _outcome(order, "failed", "Nothing of a namespace is in this backup: nothing to try.", ())
    if dry:
        text = (
            f"{plural(shown.objects, 'object')} of {', '.join(shown.namespaces)} would be tried; nothing was."
        )
        return _outcome(order, "previewed", text, ())
    return await drill_begin(order, shown.token, holder=holder)


def _planned(plan: Planned) -> Line:
    placed = plan.placed
    return Line(
        object=plan.key, into=_where(placed.kind, placed.namespace, placed.name), state=plan.does,
        word=SHOWN.get(plan.does, plan.does), text=plan.text,
    )  # fmt: skip


def _where(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _outcome(order: RestoreOrder, state: str, text: str, lines: tuple[Line, ...]) -> Outcome:
    return Outcome(archive=order.archive, context=order.cluster.name, state=state, text=text, lines=lines)


def _ended(order: RestoreOrder, operation: Operation) -> Outcome:
    results = list(operation.results.order_by("position"))
    steps = tuple({key: str(each[key]) for key in ("title", "state", "text")} for each in operation.steps)
    failed = sum(each.state == "failed" for each in results)
    if operation.state == Operation.State.STOPPED:
        state, text = "stopped", "It was stopped before its end."
    elif failed:
        state, text = "failed", f"{plural(failed, 'object')} of {len(results)} failed."
    elif operation.state != Operation.State.DONE or any(each["state"] != "done" for each in steps):
        state, text = "failed", "It did not finish."
    else:
        state, text = "done", f"Done: {plural(len(results), 'object')}."
    return Outcome(
        archive=order.archive, context=order.cluster.name, state=state, text=text, steps=steps,
        lines=tuple(map(_result, results)), change=operation.change_id,
    )  # fmt: skip


def _result(row: OperationResult) -> Line:
    return Line(
        object=row.data["key"], into=_where(row.kind, row.namespace, row.name),
        state=row.state, word=row.data.get("word") or row.state, text=row.text,
    )  # fmt: skip


def _person() -> User:
    """Whom what is begun here belongs to; nobody signs in by that name."""
    person, new = User.objects.get_or_create(username=BY)
    if new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
    return person
