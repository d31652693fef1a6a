"""The tests of docs/faults.md that need no other process can fail: each does where what keeps its row is taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable, signature
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from dashboard.cache import reflector, store
from dashboard.cache.backoff import Backoff
from dashboard.cache.cluster import ClusterCache
from dashboard.cache.reflector import Reflector, Timing
from dashboard.cache.store import Store
from dashboard.cache.turns import LAST, LOOKED_AT
from dashboard.errors import ClusterError
from dashboard.kube import discovery, transport
from dashboard.kube.transport import Transport
from dashboard.protocols import CutsTheStalled
from dashboard.queries.logs.backlog import Backlog
from tests.unit import test_protocols
from tests.unit.cache import test_backoff
from tests.unit.test_protocols import port  # noqa: F401 fixtures

from . import test_aggregated, test_cache, test_logs, test_reflector, test_tls, test_transport
from .conftest import Copy
from .scripted import until
from .test_cache import make  # noqa: F401
from .test_logs import following  # noqa: F401
from .test_tls import pki  # noqa: F401
from .test_tls import server as tls_server  # noqa: F401

DOCS = Path(__file__).parents[2] / "docs/faults.md"
IN_VAIN = "never happened"
PATIENCE = 1.0  # seconds for what is known not to happen

Without = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Proof:
    """The test whose name has ``name`` in it, what is taken out, and a word of what the failure then says."""

    module: ModuleType
    name: str
    without: Without
    says: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def test(self) -> Callable[..., Any]:
        [found] = [
            value
            for name, value in vars(self.module).items()
            if name.startswith("test_") and self.name in name
        ]
        return cast("Callable[..., Any]", found)


class Nothing(Exception):
    """What nobody raises, in place of what is then not caught."""


def put(target: object, name: str, value: object) -> Without:
    return lambda patch: patch.setattr(target, name, value, raising=False)


def each(*parts: Without) -> Without:
    def without(patch: pytest.MonkeyPatch) -> None:
        for part in parts:
            part(patch)

    return without


async def nothing(*_: object) -> None:
    return


def always(value: object) -> Callable[..., Any]:
    return lambda *_: value


def unlimited_silence(patch: pytest.MonkeyPatch) -> None:
    stream = Transport.stream
    patch.setattr(Transport, "stream", lambda *given, **named: stream(*given, **{**named, "silence": None}))


def line_by_line(patch: pytest.MonkeyPatch) -> None:
    batches = Transport._batches

    async def lines(*given: Any) -> AsyncGenerator[list[bytes], None]:
        async for batch in batches(*given):
            for line in batch:
                yield [line]

    patch.setattr(Transport, "_batches", lines)


def first_context(patch: pytest.MonkeyPatch) -> None:
    made = Transport._context
    patch.setattr(Transport, "_context", lambda self, shown: self._tls[1] if self._tls else made(self, shown))


def without_retry_after(patch: pytest.MonkeyPatch) -> None:
    """Waits as its own back-off says, whatever the server asks for."""
    wait = Backoff.next
    patch.setattr(Backoff, "next", lambda self, at_least=None: wait(self))


def timing(**named: Any) -> Without:
    return put(test_reflector, "Timing", partial(Timing, **named))


NEVER_LISTED_AGAIN = put(
    Reflector,
    "_version",
    property(
        lambda self: self.__dict__.get("version"),
        lambda self, new: self.__dict__.update(version=new or self.__dict__.get("version")),
    ),
)
NOTHING_IS_OLDER = each(put(store, "is_older", always(False)), put(reflector, "is_older", always(False)))
NO_SECOND_LIST = put(Reflector, "_reconcile", nothing)
NEVER_CUT = put(Reflector, "_cut", property(always(False), always(None)))
NO_DELETIONS = put(Store, "_unlisted", always(()))
NO_GRACE = put(Reflector, "_quietly", lambda self, reason: self._set("reconnecting", reason, None))
SILENCE_IS_A_FAILURE = put(reflector, "Silence", Nothing)
FAILURES_UNTOLD = put(Reflector, "_failed", always(0.01))
NO_CAP = put(reflector, "Backoff", lambda first, cap, rng: Backoff(first, float("inf"), rng))
NO_JITTER = put(Backoff, "next", lambda self, at_least=None: self._next)
EVENTS_FIRST = put(ClusterCache, "_urgency", lambda self, plural: LOOKED_AT if plural == "events" else LAST)
NO_HOLD = put(
    transport,
    "hold",
    SimpleNamespace(get=always(None), set=transport.hold.set, reset=transport.hold.reset),
)
NEVER_WOKEN = put(Transport, "next_answer", lambda self: asyncio.get_running_loop().create_future())

ROWS: dict[str, list[Proof]] = {
    "410 over HTTP": [
        Proof(test_reflector, "410_over_http", NEVER_LISTED_AGAIN, IN_VAIN),
        Proof(test_reflector, "two_seconds", timing(backoff=(3.0, 30.0)), "3.0 <= 2", {"how": "over HTTP"}),
        Proof(test_reflector, "410_over_http", NO_DELETIONS, IN_VAIN),
        Proof(test_reflector, "410_within_the_stream", NEVER_LISTED_AGAIN, IN_VAIN),
        Proof(test_reflector, "410_in_the_middle", NEVER_LISTED_AGAIN, IN_VAIN),
        Proof(test_reflector, "410_in_the_middle", NO_GRACE, "reconnecting"),
        Proof(test_reflector, "expired_continue", put(reflector, "Gone", Nothing), "limit"),
    ],
    "a connection that is black-holed": [
        Proof(test_reflector, "half_open", unlimited_silence, IN_VAIN),
        Proof(test_reflector, "what_is_promised", timing(silence=90.0), "half-open"),
    ],
    "the API server away": [
        Proof(test_reflector, "two_minutes", NO_CAP, IN_VAIN),
        Proof(test_reflector, "two_minutes", NO_DELETIONS, IN_VAIN),
        Proof(test_reflector, "whoever_reaches", NEVER_WOKEN, IN_VAIN),
        Proof(test_reflector, "429_waits", without_retry_after, "7 <= "),
        Proof(test_reflector, "503", without_retry_after, "3 <= "),
        Proof(test_backoff, "jitter", NO_JITTER, "4.0"),
    ],
    "events duplicated": [
        Proof(test_reflector, "duplicated", NOTHING_IS_OLDER, IN_VAIN),
        Proof(test_reflector, "never_sent", NO_SECOND_LIST, IN_VAIN),
        Proof(test_reflector, "does_not_undo", put(Store, "reconcile", Store.replace), "changed"),
        Proof(test_reflector, "without_bookmarks", SILENCE_IS_A_FAILURE, "reconnecting"),
        Proof(test_reflector, "what_is_promised", timing(resync=(300.0, 900.0)), "lost"),
    ],
    "5,000 events": [
        Proof(test_reflector, "burst", line_by_line, "< 2500"),
    ],
    "a browser that reads nothing": [
        Proof(test_logs, "does_not_read", put(Backlog, "_drop", always(None)), "4000"),
        Proof(
            test_protocols,
            "one_message",
            put(CutsTheStalled, "pause_writing", always(None)),
            "<= (65536",
            {"how": "socket"},
        ),
    ],
    "an API server that comes back": [
        Proof(test_reflector, "came_back_with_another", NEVER_LISTED_AGAIN, IN_VAIN),
        Proof(test_reflector, "busy_while_it_ends", NEVER_CUT, IN_VAIN, {"how": "cut"}),
        Proof(test_reflector, "another_one_before", NEVER_CUT, IN_VAIN),
        Proof(test_reflector, "higher_numbers", NO_SECOND_LIST, IN_VAIN),
        Proof(test_reflector, "under_a_watch", NOTHING_IS_OLDER, IN_VAIN),
        Proof(test_reflector, "bookmark_that_is_older", NOTHING_IS_OLDER, IN_VAIN),
    ],
    "an aggregated API": [
        Proof(
            test_aggregated,
            "stay_known",
            put(discovery._Version, "is_stale", False),
            "gadgets",
            {"form": "in one"},
        ),
        Proof(test_aggregated, "other_kinds", FAILURES_UNTOLD, IN_VAIN),
    ],
    "the API server's certificate": [
        Proof(test_tls, "picked_up", first_context, "is not accepted"),
        Proof(test_tls, "rotated", first_context, IN_VAIN),
    ],
    "15,000 Events": [
        Proof(test_cache, "fifteen_thousand", EVENTS_FIRST, "the rest comes first"),
    ],
    "a process stopped": [
        Proof(test_transport, "no_longer", NO_HOLD, "not found"),
    ],
}


@pytest.fixture
def given(proof: Proof, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The fixtures that the proof's test asks for."""
    tls = {"server": "tls_server"} if proof.module is test_tls else {}
    wanted = [name for name in signature(proof.test).parameters if name not in proof.options]
    return {name: request.getfixturevalue(tls.get(name, name)) for name in wanted} | proof.options


@pytest.mark.parametrize(
    "proof", [pytest.param(proof, id=f"{row}-{proof.name}") for row in ROWS for proof in ROWS[row]]
)
async def test_it_fails_without_what_keeps_it(
    proof: Proof, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    proof.without(monkeypatch)
    if proof.says == IN_VAIN:
        monkeypatch.setattr(until, "__kwdefaults__", {"seconds": PATIENCE})
        monkeypatch.setattr(Copy.exact, "__defaults__", (PATIENCE,))
    with pytest.raises((AssertionError, ClusterError, pytest.fail.Exception)) as failure:
        if isawaitable(running := proof.test(**given)):
            await running
    assert proof.says in str(failure.value)


def test_the_table_says_which_rows_are_proved() -> None:
    rows = [line[2:] for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert [row for row in rows if "†" in row] == [row for row in rows if row.startswith(tuple(ROWS))]
    assert all(any(row.startswith(begins) for row in rows) for begins in ROWS)
