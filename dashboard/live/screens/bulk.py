"""One action on many objects: its form, and how far it has come."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard.actions.action import Action, Progress
from dashboard.actions.bulk import Bulk, asked_words, at_a_time, typed_again
from dashboard.actions.registry import action_for
from dashboard.database import in_database
from dashboard.errors import NotFound
from dashboard.kinds.base import State
from dashboard.kube.shell import shell_line
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change, Operation, OperationResult

from .change import unnamed
from .common import fresh_part, kind_of, list_url, namespaces_crumbs, namespaces_words
from .operation import RESULT_WORDS, OperationScreen

LONGEST = 12_000  # letters of an address, as static/js/choose.js has them


class BulkFormScreen(ViewerScreen):
    """The form: what moves on it is how fresh the objects are that its preview is made from."""

    page = "pages/bulk.html"

    def __init__(self, session: Session, params: QueryDict, plural: str, action: str) -> None:
        super().__init__(session)
        self.kind = kind_of(self.runtime, plural)
        self.action = action_for(action, self.kind, self.runtime.kinds.values())
        if not self.action.many:
            raise NotFound(
                f"{self.action.title} is done to one object at a time.",
                next_step="Open the object, and do it there.",
            )

    @property
    def shows(self) -> Hashable:
        return (self.action.name, self.kind.plural)

    @property
    def plurals(self) -> frozenset[str]:
        return (self.action.reads & self.runtime.kinds.keys()) | {self.kind.plural}

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        if (refusal := self.visible[self.kind.plural].denied) is not None:
            raise refusal

    def context(self) -> Mapping[str, Any]:
        return {}

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"fresh": fresh_part(self.session, {self.kind.plural})})


class BulkUndoScreen(BulkFormScreen):
    """The form of the undo of such a change, which must be given (``change``)."""

    change: Change

    @property
    def plurals(self) -> frozenset[str]:
        return super().plurals | (self.action.follows & self.runtime.kinds.keys())

    async def prepare(self) -> None:
        """Raises Forbidden for whoever may not see all the objects, by their namespaces."""
        with unnamed(self.session, self.change):
            await super().prepare()
            for namespace in self.change.result["namespaces"] or [""]:
                self.session.must_see(self.change.plural, namespace)


# What is said of an object that was changed, and whose rollout, or the like, has not ended.
GOES_ON: Mapping[State, str] = {"bad": "not progressing", "warn": "waits", "info": "in progress"}
LOOK = "What was asked for was written; see below what stops it."


class BulkScreen(OperationScreen):
    """How far it has come. Each object has a change of its own, and goes on to be followed when that was made."""

    results_title = "Each object"

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session, params, change)
        self.changes: dict[int, Change] = {}  # those of the window
        self.again = ""  # the address of another preview of what was not changed
        self._followed: dict[int, Progress] = {}  # by the change

    @property
    def result_words(self) -> Mapping[str, str]:  # type: ignore[override]
        failed = "failed" if at_a_time(self.change) else "not changed"
        return RESULT_WORDS | {"failed": failed, "retrying": "tried again", "left": "skipped"}

    @property
    def resume_words(self) -> str:  # type: ignore[override]
        if at_a_time(self.change):
            return (
                "Resuming looks once more at what failed, and goes on with the rest whatever becomes of it."
            )
        return "Resuming tries again what was not changed, and goes on with the rest."

    @property
    def of(self) -> Action:
        """What is done to each."""
        return cast(Bulk, self.action).of

    @property
    def plurals(self) -> frozenset[str]:
        made = super().plurals
        return made | cast(Bulk, self.action).followed_by(self.change) if hasattr(self, "change") else made

    def must_see(self) -> None:
        """Raises Forbidden for whoever may not see all the objects, by their namespaces."""
        for namespace in self.change.result["namespaces"] or [""]:
            self.session.must_see(self.change.plural, namespace)

    def read_operation(self) -> None:
        super().read_operation()
        operation, self.again = self.operation, ""
        if (
            operation
            and self.change.undoes_id is None
            and operation.state == Operation.State.DONE
            and self.counts.get("failed")
        ):
            self.again = self._again(operation)

    def _again(self, operation: Operation) -> str:
        """What was asked for is asked for again; more objects than an address holds are chosen in the list again."""
        failed = operation.results.filter(state="failed").exclude(data__has_key="change").order_by("position")
        names = [("object", f"{row.namespace or '-'}/{row.name}") for row in failed]
        typed = typed_again(self.of, self.change.result["wanted"])
        url = reverse("bulk", args=[self.runtime.cluster.slug, self.change.plural, self.of.name])
        address = f"{url}?{urlencode([*names, *typed.items()])}"
        return address if names and len(address) < LONGEST else ""

    def _progress(self, now: datetime) -> dict[str, Any]:
        return super()._progress(now) | {"again": self.again}

    def _window(self, operation: Operation) -> list[OperationResult]:
        window = super()._window(operation)
        own = (row.data.get("change", row.data.get("undoes")) for row in window)
        self.changes = Change.objects.in_bulk(filter(None, own))
        return window

    def words(self) -> tuple[str, str, str]:
        if self.operation is None or self.operation.state != Operation.State.DONE:
            return super().words()
        done, total = self.counts.get("done", 0), sum(self.counts.values())
        word = "undone" if self.change.undoes_id else "done"
        if done < total:
            return "warn", f"{done} of {total} are {word}", ""
        if len(self.window) == total:  # what becomes of more than a page shows is not followed here
            found = [self.followed(change) for row in self.window if (change := self._change_of(row))]
            if stuck := sum(each.state == "bad" for each in found):
                verb = "is" if stuck == 1 else "are"
                return "bad", f"All {total} are changed, {stuck} {verb} not progressing", LOOK
            if going := sum(not each.done for each in found):
                verb = "is" if going == 1 else "are"
                return "info", f"All {total} are changed, {going} {verb} in progress", ""
        return "done", f"All {total} are {word}", ""

    def followed(self, change: Change) -> Progress:
        """How far the change of one object has come, looked at once for what is shown now."""
        if change.pk not in self._followed:
            action = cast(Bulk, self.action).named(change.action, change.plural)
            self._followed[change.pk] = action.follow(change, self.session.reader, datetime.now(UTC))
        return self._followed[change.pk]

    def _change_of(self, result: OperationResult) -> Change | None:
        return self.changes.get(result.data.get("change", 0))

    def snapshot(self) -> Snapshot:
        self._followed.clear()
        return super().snapshot()

    def _results(self) -> dict[str, Any]:
        return super()._results() | {"changes": bool(self.changes)}

    def _row(self, result: OperationResult) -> dict[str, Any]:
        row = super()._row(result)
        if not self.running and result.state in ("running", "retrying"):
            # Nobody here asks any more; of what was sent the answer did not come.
            row |= {"state": "warn", "word": "not known" if result.state == "running" else "not changed"}
        change = self._change_of(result)
        if change is None:
            return row | self._undone_by_itself(result)
        progress = self.followed(change)
        state = "done" if progress.done and progress.state == "ok" else progress.state
        said = [result.text, progress.headline, progress.text]
        word = row["word"]
        if result.state == "failed":  # its change was made, and was followed until then
            state, said = "bad", [result.text, f"Now: {progress.headline}"]
        elif result.state == "running":
            word = "in progress" if self.running else "changed"
        elif result.state == "done" and not progress.done:  # it was written, and goes on by itself
            word = GOES_ON.get(progress.state, "in progress")
        text = " ".join(f"{each.rstrip('.')}." for each in said if each)
        url = reverse("change", args=[change.pk])
        made = {"state": state, "word": word, "text": text, "change": url, "undo": bool(change.inverse)}
        return row | made

    def _undone_by_itself(self, result: OperationResult) -> dict[str, Any]:
        """Of an undo that was not made, the way to the change that it was to take back."""
        change = self.changes.get(result.data.get("undoes", 0))
        if change is None or result.state not in ("failed", "left"):
            return {}
        return {"change": reverse("change", args=[change.pk]), "undo": bool(change.inverse)}

    async def told(self) -> dict[str, Any]:
        """Each result with its change, which has a page and an undo of its own."""
        self._followed.clear()
        told = await super().told()
        if self.operation is not None:
            made = self.operation.results.order_by("position").values_list("data", flat=True)
            changes = [data.get("change") for data in await in_database(list)(made)]
            told["results"] = [
                row | {"change": change} for row, change in zip(told["results"], changes, strict=True)
            ]
        return told

    def kubectl(self) -> str:
        namespaces = self.change.result["namespaces"]
        where = ["-n", *namespaces] if len(namespaces) == 1 else ["-A"] if namespaces else []
        return shell_line(["kubectl", "get", self.change.plural, *where])

    @property
    def title(self) -> str:
        return f"Undo: {self.of.title.lower()}" if self.change.undoes_id else self.of.title

    def what(self) -> str:
        if self.change.undoes_id:
            return f"Undo of change {self.change.undoes_id}, the newest change first"
        asked = asked_words(self.of, self.change.result["wanted"])
        return asked[:1].upper() + asked[1:]

    def context(self) -> Mapping[str, Any]:
        """The objects in place of the one that other operations are about."""
        change = self.change
        url = list_url(self.runtime, change.plural)
        number, kinds = str(change.result["count"]), change.result["kinds"]
        namespaces = change.result["namespaces"]
        about = {
            "plural": change.plural, "kind": number, "namespace": namespaces_words(namespaces), "name": kinds, "url": url,
        }  # fmt: skip
        return {
            **super().context(),
            "object": about,
            "breadcrumbs": [(kinds, url), *namespaces_crumbs(self.runtime, change.plural, namespaces)],
        }
