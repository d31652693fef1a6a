"""What is read of an operation, again whenever somebody has moved it on: where it stands, and a window of its results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress

from django.db import DatabaseError
from django.db.models import Case, IntegerField, Value, When
from django.http import QueryDict

from dashboard.actions.operation import OperationAction, result_counts
from dashboard.actions.operations import is_set_aside, may_resume, operation_action, stopped_by, waits_for
from dashboard.actions.undo import UndoState, change_undo_state
from dashboard.database import in_database
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.live.deciding import began, decision_refusal
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.models import Change, Operation, OperationResult

from ..change import change_of, unnamed

POLL_SECONDS = 1.0
RESULTS = 50  # at once
# Worst first: what a person has to look at, then what happens now.
RESULT_STATES = ("failed", "retrying", "running", "waiting", "down", "left", "done")
BADGES = {
    "done": "done", "failed": "bad", "left": "warn", "down": "warn", "retrying": "warn", "running": "info",
    "waiting": "wait",
}  # fmt: skip


class OperationState(ViewerScreen):
    """The operation itself, and who may decide about it."""

    named = ""  # the action that its address names

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session)
        self.number = change
        self.state = params.get("state", "") if params.get("state") in RESULT_STATES else ""
        page = params.get("page", "1")
        self.at = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1
        self.change: Change
        self.undo: UndoState
        self.operation: Operation | None = None
        self.may_resume = False
        self.aside = False  # it came to a halt, and somebody has to decide
        self.denied: Forbidden | None = None  # why the viewer does not decide about it
        self.before: Change | None = None  # whose steps have to end first
        self.stopped = ""  # who stopped it, as a sentence
        self.counts: dict[str, int] = {}  # results by state
        self.window: list[OperationResult] = []
        self._read_of: Hashable = None  # the version of the operation that these are of
        self._task: asyncio.Task[None] | None = None

    @property
    def shows(self) -> Hashable:
        return (self.number, self.state, self.at)

    @property
    def action(self) -> OperationAction:
        found = operation_action(self.change)
        if found is None:
            raise NotFound(
                f"Change {self.number} is not an operation.", next_step="Look at the list of changes."
            )
        return found

    @property
    def plurals(self) -> frozenset[str]:
        made = getattr(self, "change", None)
        return frozenset({"pods"}) if made is None else self.action.follows | {made.plural}

    async def prepare(self) -> None:
        self.change = await change_of(self.number, self.runtime)
        if self.named not in ("", self.change.action):  # whose rights would be asked for
            missing = f"Change {self.number} is not a {self.named}."
            raise NotFound(missing, next_step="Look at the list of changes made here.")
        await self.session.review(self.plurals)
        with unnamed(self.session, self.change):
            self.must_see()
        await self.read()
        with suppress(ClusterError):  # whoever decides is asked again
            self.denied = await decision_refusal(self.session, self.change)

    def must_see(self) -> None:
        """Raises Forbidden for whoever may not see what was changed."""
        self.session.must_see(self.change.plural, self.change.namespace)

    async def read(self) -> None:
        self.undo = await change_undo_state(change=self.change)
        await in_database(self.read_operation)()

    def read_operation(self) -> None:
        self.operation = Operation.objects.select_related("change").filter(change_id=self.number).first()
        self.may_resume, self.aside, self.before, self.stopped = False, False, None, ""
        if self.operation is None:
            return
        if self.operation.state == Operation.State.RUNNING:
            first = waits_for(self.operation)
            self.before = Change.objects.filter(pk=first).first() if first is not None else None
        elif self.operation.state == Operation.State.STOPPED:
            self.may_resume = may_resume(self.operation)
            self.aside = is_set_aside(self.operation)
            word = stopped_by(self.operation)
            self.stopped = f"{word.user_name} stopped it on {word.at:%Y-%m-%d at %H:%M} UTC." if word else ""
        version = (self.operation.pk, self.operation.version)
        if version != self._read_of:
            self.counts = result_counts(self.operation)
            self.window = self._window(self.operation) if self.counts else []
            self._read_of = version

    def _window(self, operation: Operation) -> list[OperationResult]:
        rank = Case(
            *(When(state=state, then=Value(at)) for at, state in enumerate(RESULT_STATES)),
            default=Value(len(RESULT_STATES)),
            output_field=IntegerField(),
        )
        found = operation.results.filter(state=self.state) if self.state else operation.results.all()
        first = (min(self.at, self.pages) - 1) * RESULTS
        return list(found.order_by(rank, "position")[first : first + RESULTS])

    @property
    def shown(self) -> int:
        """How many results the window is of."""
        return self.counts.get(self.state, 0) if self.state else sum(self.counts.values())

    @property
    def pages(self) -> int:
        return max(1, -(-self.shown // RESULTS))

    def open(self, changed: Callable[[], None]) -> None:
        """The database has no watch: another process may be the one that moves it on."""

        async def follow() -> None:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                with suppress(DatabaseError):
                    self.change = await change_of(self.number, self.runtime)
                    await self.read()
                    changed()

        self._task = asyncio.create_task(follow())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def running(self) -> bool:
        return self.operation is not None and self.operation.state == Operation.State.RUNNING

    @property
    def tells_all(self) -> bool:
        """Whether the viewer may see all that the texts of this operation may speak of, as whoever began it did."""
        hidden = self.session.reader.hides(self.action.follows, self.change.namespace)
        return not hidden or began(self.session, self.change)

    @property
    def back(self) -> UndoState:
        """The way back, and its words."""
        return self.undo
