"""In which order many objects are changed, and when one of them has settled: its own following says so, a rollout by the
rules of ``kubectl rollout status``.

A row keeps since when it is waited for (``since``), and since when it has been going wrong (``wrong_since``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType, SimpleNamespace
from typing import Any

from dashboard import clock
from dashboard.database import in_database
from dashboard.errors import ClusterError, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Objects
from dashboard.kinds import KINDS
from dashboard.models import Change, OperationResult
from dashboard.queries.seenreader import SeenReader

from .action import Manifest, Progress, change_target, meta_of, typed_object
from .engine import change_read
from .fields import duration, one_of, optional
from .operation import Run, iso, passed
from .rollout_steps import HANGS_SECONDS
from .undoing import Named

TOGETHER, ONE, THREE = "together", "one", "three"
ORDERS = ((TOGETHER, "All at once"), (THREE, "3 at once"), (ONE, "One at a time"))
# How many objects are followed until they have settled, before further ones begin.
AT_A_TIME = MappingProxyType({ONE: 1, THREE: 3})
TIMEOUT_SECONDS = 10 * 60  # as the progress deadline of a Deployment, if nobody says otherwise
MAX_TIMEOUT_SECONDS = 24 * 60 * 60
ORDER_FIELD, TIMEOUT_FIELD = "order", "each_timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many objects are changed: ``timeout`` are the seconds in which one has to settle, where each is followed."""

    order: str = TOGETHER
    timeout: int = TIMEOUT_SECONDS

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> Pace:
        """From a form. Raises BadInput with the field's name."""
        timeout = optional(duration(TIMEOUT_FIELD, MAX_TIMEOUT_SECONDS))(typed.get(TIMEOUT_FIELD, ""))
        order = one_of(ORDER_FIELD, ORDERS)(typed.get(ORDER_FIELD, ""))
        return cls(order=order, timeout=timeout or TIMEOUT_SECONDS)


USUAL = Pace()


async def settle(run: Run, result: OperationResult, named: Named, seconds: int) -> None:
    """Ends the row of an object that was changed once it has settled, has been going wrong for a while, or takes longer
    than ``seconds``. Raises Unavailable and TooManyRequests while nothing can be told.
    """
    change = await in_database(Change.objects.get)(pk=result.data["change"])
    now, before = clock.now(), result.data.get("wrong_since", "")
    try:
        progress = await _progress(run, change, named, now)
    except (Unavailable, TooManyRequests):
        raise
    except ClusterError as error:
        await _end(run, result, "failed", f"It was changed, but can't be followed: {error.message}")
        return
    wrong = progress.state == "bad"
    result.data |= {"wrong_since": (before or iso(now)) if wrong else ""}
    if progress.done and not wrong:
        await _end(run, result, "done", result.text)
    elif wrong and passed(result.data["wrong_since"], now) >= HANGS_SECONDS:
        await _end(run, result, "failed", f"It was changed, and is failing: {_words(progress)}")
    elif passed(result.data["since"], now) >= seconds:
        text = f"It was changed, but has not finished after {seconds} s: {_words(progress)}"
        await _end(run, result, "failed", text)
    elif before != result.data["wrong_since"]:
        await run.save([result])


async def _end(run: Run, result: OperationResult, state: str, text: str) -> None:
    result.state, result.text, result.ended_at = state, text, clock.now()
    await run.record([result])


def _words(progress: Progress) -> str:
    return " ".join(f"{each.rstrip('.')}." for each in (progress.headline, progress.text) if each)


async def _progress(run: Run, change: Change, named: Named, now: datetime) -> Progress:
    """How far an object's change is, by the object as the API server has it now: a watch may be late, or have begun just
    now.
    """
    kinds = run.objects.kinds if isinstance(run.objects, SeenReader) else KINDS
    target = change_target(change, kinds)
    try:
        manifest: Manifest | None = await change_read(transport=run.transport, target=target)
    except NotFound:
        manifest = None
    action = named(change.action, change.plural)
    return action.follow(change, _Read(run.objects, change, manifest), now)


class _Read:
    """The cache, with one object as it was just read."""

    def __init__(self, objects: Objects, change: Change, manifest: Manifest | None) -> None:
        self._objects = objects
        self._key = (change.plural, change.namespace, change.name)
        self._found = None if manifest is None else _typed(change.plural, manifest)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        same = (plural, namespace, name) == self._key
        return self._found if same else self._objects.get(plural, namespace, name)

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self._objects.all(plural, namespace)

    def reads(self, plural: str, namespace: str = "") -> bool:
        return self._objects.reads(plural, namespace)


def _typed(plural: str, manifest: Manifest) -> Any:
    """As the cache has it; of a kind that is read as a Table there is only its metadata."""
    return typed_object(plural, manifest) or SimpleNamespace(metadata=meta_of(manifest))
