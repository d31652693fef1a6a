"""The form that creates objects from YAML, and what became of each object of a text."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.create_yaml import CREATE
from dashboard.actions.creation import REST
from dashboard.actions.operation import Step
from dashboard.database import in_database
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import OFFERED, plural
from dashboard.kube.shell import shell_line
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change, Operation, OperationResult

from .common import fresh_part, object_url
from .operation import OperationScreen

# What people have in mind when they create several objects together, before what these need.
LEADING = (
    "deployments", "statefulsets", "daemonsets", "cronjobs", "jobs", "pods", "ingresses", "services",
)  # fmt: skip
OPENED = 3  # objects with a button of their own; the table has all


class CreateScreen(ViewerScreen):
    """The namespaces to choose from, and what a preview reads."""

    page = "pages/create.html"

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)

    @property
    def shows(self) -> Hashable:
        return ()

    @property
    def plurals(self) -> frozenset[str]:
        return CREATE.reads | {"namespaces"}

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset({"namespaces"})

    async def prepare(self) -> None:
        await self.session.review(self.plurals)

    @property
    def namespaces(self) -> list[str]:
        """Those that may be seen, by name, as many as are offered."""
        return sorted(each.metadata.name for each in self.session.reader.all("namespaces"))[:OFFERED]

    def context(self) -> Mapping[str, Any]:
        return {}

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"fresh": fresh_part(self.session, {"namespaces"})})


class CreationScreen(OperationScreen):
    page = "pages/creation.html"
    resume_words = "Resuming tries what failed again, then goes on with the rest."
    results_title = "Each object"

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session, params, change)
        self.changes: dict[int, Change] = {}  # those of the window

    @property
    def plurals(self) -> frozenset[str]:
        made = super().plurals
        if hasattr(self, "change"):
            made |= {each for each, *_ in self.change.result.get(REST, ())} & self.runtime.kinds.keys()
        return made

    @property
    def running_words(self) -> str:  # type: ignore[override]
        stops = "" if self.change.undoes_id else ", and stops at the first object that is refused"
        return f"You can leave this page; it continues{stops}."

    @property
    def waits_for(self) -> frozenset[str]:
        return super().plurals

    def must_see(self) -> None:
        """Raises Forbidden for whoever may not see all the objects."""
        super().must_see()
        for plural_, _, namespace, *_ in self.change.result.get(REST, ()):
            if plural_ in self.plurals:
                self.session.must_see(plural_, namespace)

    @property
    def total(self) -> int:
        """Of how many objects it is; of an undo as many as its steps are about."""
        return max(len(self.change.result.get(REST, ())) + 1, sum(self.counts.values()))

    @property
    def objects(self) -> list[Ref]:
        """All of them, those first that people have in mind; only those that the cluster still offers."""
        change, rank = self.change, {kind: at for at, kind in enumerate(LEADING)}
        named = [(change.plural, change.kind, change.namespace, change.name)]
        named += [(kind, *names) for kind, *names, _ in change.result.get(REST, ())]
        refs = [
            Ref(kind, namespace, name, plural_)
            for plural_, kind, namespace, name in named
            if plural_ == change.plural or plural_ in self.runtime.kinds
        ]
        return sorted(refs, key=lambda ref: rank.get(ref.plural, len(rank)))

    @property
    def about(self) -> Change | Ref:
        return self.objects[0]

    def more(self, now: datetime) -> dict[str, Any]:
        """The ways to what was made, as soon as the operation has ended."""
        there = [] if self.running or self.change.undoes_id else self.objects[:OPENED]
        links = [
            {
                "text": f"Open {ref.kind} {ref.name}",
                "url": object_url(self.runtime, ref.plural, ref.namespace, ref.name),
            }
            for ref in there
            if self.session.reader.get(ref.plural, ref.namespace, ref.name) is not None
        ]
        return {"creation-open": render.region("creation_open", {"links": links})}

    def kubectl(self) -> str:
        about = self.objects[0]
        alike = [ref for ref in self.objects if ref.namespace == about.namespace]
        where = ["-n", about.namespace] if about.namespace else []
        names = [f"{ref.plural}/{ref.name}" for ref in alike]
        return shell_line(["kubectl", "get", *names, *where])

    @property
    def title(self) -> str:
        return f"{'Undo' if self.change.undoes_id else 'Create'} {plural(self.total, 'object')}"

    def what(self) -> str:
        return ""

    def words(self) -> tuple[str, str, str]:
        state, headline, text = super().words()
        done, name = self.counts.get("done", 0), plural(self.total, "object")
        undoes = self.change.undoes_id is not None
        made = f"{done} of {name} {'undone' if undoes else 'done'}"
        if self.operation is None or self.change.state != "done":
            return state, headline, text
        match self.operation.state:
            case "running":
                return state, made, text
            case "done" if done == self.total:
                return "done", f"All {name} are {'undone' if undoes else 'there'}", ""
            case "stopped" if not self.aside:
                waiting = ", the rest is not tried" if self.counts.get("waiting") else ""
                return ("bad" if self.counts.get("failed") else "warn"), f"{made}{waiting}", text
            case _:
                return state, made, text

    def _window(self, operation: Operation) -> list[OperationResult]:
        window = super()._window(operation)
        self.changes = Change.objects.in_bulk(row.data["change"] for row in window if "change" in row.data)
        return window

    def stage(self, at: int, step: Step, now: datetime) -> dict[str, Any]:
        """What has been created is no longer to be created."""
        title = step["title"]
        if step["state"] == "done":
            title = title.replace("Create ", "Created ", 1).replace("Undo ", "Undone: ", 1)
        return super().stage(at, step | {"title": title}, now)

    def _results(self) -> dict[str, Any]:
        return super()._results() | {"changes": bool(self.changes)}

    def _row(self, result: OperationResult) -> dict[str, Any]:
        row = super()._row(result)
        row["head"] = f"{result.kind} {row['head']}"
        change = self.changes.get(result.data.get("change", 0))
        if change is None:
            return row
        if (
            change.pk == self.number
        ):  # with which it began: this very page follows it, and its undo is that of all
            return row
        return row | {"change": reverse("change", args=[change.pk]), "undo": bool(change.inverse)}

    async def told(self) -> dict[str, Any]:
        """With the change of each object, by which it is followed and undone."""
        told = await super().told()
        if self.operation is not None and self.counts:
            made = self.operation.results.order_by("position").values_list("data", flat=True)
            changes = [data.get("change") for data in await in_database(list)(made)]
            told["results"] = [
                row | {"change": change} for row, change in zip(told["results"], changes, strict=True)
            ]
        return told
