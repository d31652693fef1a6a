"""Under every fault the copy is the server's state in the end, and until then the status says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import asdict
from sys import getrefcount
from typing import Any

import pytest
from aiohttp import web

from dashboard.cache import reflector
from dashboard.cache.reflector import Reflector, Timing
from dashboard.kube.transport import CONNECT_SECONDS, Transport

from .conftest import Copy
from .scripted import THING, ScriptedServer, copied, failure, until

Start = Callable[..., Copy]


async def test_a_large_chunk_is_decoded_beside_the_loop(
    server: ScriptedServer, reflecting: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    decode = THING.decode_list

    def decoded(raw: bytes) -> Any:
        threads.append(threading.get_ident())
        return decode(raw)

    monkeypatch.setattr(reflector, "LARGE_BYTES", 2_000)
    monkeypatch.setattr(THING, "decode_list", decoded)
    for number in range(21):
        server.put(f"thing-{number:02}")
    copy = reflecting(chunk=20)
    await copy.exact()
    assert [thread == threading.get_ident() for thread in threads] == [False, True]


async def test_a_long_list_is_read_in_chunks(server: ScriptedServer, reflecting: Start) -> None:
    for number in range(25):
        server.put(f"thing-{number:02}")
    copy = reflecting(chunk=10)
    await copy.exact()
    assert [request.query.get("limit") for request in server.requests[:3]] == ["10", "10", "10"]
    assert server.counted(watch=False) == 3
    assert copy.states == ["live"]


async def test_the_first_chunk_is_there_before_the_last_one(
    server: ScriptedServer, reflecting: Start
) -> None:
    for number in range(20):
        server.put(f"thing-{number:02}")
    let_go = asyncio.Event()

    async def first(request: web.Request) -> web.StreamResponse:
        return server._list(dict(request.query), "things", "")

    async def second(request: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return server._list(dict(request.query), "things", "")

    server.list_answers.extend([first, second])
    copy = reflecting(chunk=10)
    await until(lambda: len(copy.store) == 10, "the first chunk")
    assert copy.state == "starting"
    let_go.set()
    await copy.exact()


async def test_changes_follow_and_the_watch_goes_on_where_the_list_ended(
    server: ScriptedServer, reflecting: Start
) -> None:
    version = server.put("a")
    copy = reflecting()
    await copy.live()
    watch = server.requests[-1].query
    assert watch["resourceVersion"] == version
    assert watch["allowWatchBookmarks"] == "true"
    assert 300 <= int(watch["timeoutSeconds"]) <= 600
    server.put("b")
    server.put("a")
    server.delete("b")
    await copy.exact()
    assert copy.deltas == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_bookmark_moves_the_place_to_go_on_from(server: ScriptedServer, reflecting: Start) -> None:
    server.put("a")
    copy = reflecting()
    await copy.live()
    server.put("elsewhere", plural="others")
    server.bookmark()
    await until(lambda: copy.reflector._version == str(server.revision), "the bookmark")
    server.forget_history()
    server.cut()
    await copy.live()
    assert server.counted(watch=False) == 1  # no 410: nothing had to be listed again
    await copy.exact()


async def test_410_over_http_lists_again(server: ScriptedServer, reflecting: Start) -> None:
    server.put("stays")
    server.put("goes")
    copy = reflecting()
    await copy.live()
    server.cut()
    server.delete("goes")
    server.put("new")
    server.forget_history()
    await copy.exact()
    assert ("DELETED", "goes") in copy.deltas
    assert server.counted(watch=False) == 2


async def test_410_within_the_stream_lists_again(server: ScriptedServer, reflecting: Start) -> None:
    server.gone_in_stream = True
    server.put("goes")
    copy = reflecting()
    await copy.live()
    server.cut()
    server.delete("goes")
    server.forget_history()
    await copy.exact()
    assert copy.deltas[-1] == ("DELETED", "goes")


async def test_410_in_the_middle_of_a_watch_lists_again(server: ScriptedServer, reflecting: Start) -> None:
    server.put("a")
    copy = reflecting(grace=60.0)
    await copy.live()
    await asyncio.sleep(0.06)  # it has settled
    server.put("unheard", told=False)
    server.send_error(410, "Expired")
    await copy.exact()
    assert "reconnecting" not in copy.states  # it took less than a moment


@pytest.mark.parametrize("how", ["over HTTP", "within the stream", "in the middle of a watch"])
async def test_410_takes_no_more_than_two_seconds_of_waiting(
    server: ScriptedServer, reflecting: Start, how: str
) -> None:
    """By the timing in earnest, and the longest of its waits."""
    now, waited = 0.0, 0.0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        if seconds > 100:  # the next second list
            await asyncio.Event().wait()
        waited += seconds

    server.put("goes")
    server.gone_in_stream = how == "within the stream"
    options = {"sleep": sleep, "clock": lambda: now, "rng": lambda: 1.0}
    copy = reflecting(options=options, **asdict(Timing()))
    await copy.live()
    now = 60.0
    server.delete("goes", told=False)
    server.forget_history()
    if how == "in the middle of a watch":
        server.send_error(410, "Expired")
    else:
        server.cut()
    await copy.exact()
    assert waited <= 2


async def test_410_again_and_again_does_not_become_a_storm_of_lists(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    server.watch_answers.extend([failure(410, "Expired")] * 6)
    copy = reflecting(settled=10.0, backoff=(0.02, 0.04))
    began = asyncio.get_running_loop().time()
    await copy.exact()
    assert asyncio.get_running_loop().time() - began > 6 * 0.01
    assert server.counted(watch=False) == 7


async def test_a_delete_missed_during_an_outage_is_emitted_after_the_relist(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("stays")
    server.put("goes")
    copy = reflecting()
    await copy.live()
    await server.stop()
    await until(lambda: copy.state == "reconnecting", "the outage is shown")
    server.delete("goes", told=False)
    server.put("new", told=False)
    await asyncio.sleep(0.03)
    await server.start()
    await copy.exact()
    assert ("DELETED", "goes") in copy.deltas
    assert copy.states == ["live", "reconnecting", "live"]


async def test_whoever_reaches_the_server_again_wakes_those_who_wait(
    server: ScriptedServer, transport: Transport, reflecting: Start
) -> None:
    waits = 0

    async def sleep(seconds: float) -> None:
        nonlocal waits
        waits += seconds < 100  # not the next second list
        if waits != 1:  # the second failure is the first without any answer: it would last
            await asyncio.Event().wait()

    server.put("a")
    copy = reflecting(options={"sleep": sleep})
    await copy.live()
    await server.stop()
    await until(lambda: waits == 2)
    server.put("b", told=False)
    await server.start()
    await asyncio.sleep(0.02)
    assert copy.state == "reconnecting"
    await transport.version()
    await copy.exact()


async def test_a_connection_that_breaks_for_a_moment_is_not_listed_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    copy = reflecting()
    await copy.live()
    server.cut()
    server.put("b")
    server.delete("a")
    await copy.exact()
    assert server.counted(watch=False) == 1
    assert copy.states[:2] == ["live", "reconnecting"]


async def test_a_server_that_came_back_with_another_history_is_noticed(
    server: ScriptedServer, reflecting: Start
) -> None:
    """A watch from the old, higher revision would be silent for ever."""
    server.put("ghost")
    copy = reflecting()
    await copy.live()
    await server.stop()
    server.restore(revision=7)
    server.put("new", told=False)
    await until(lambda: copy.state == "reconnecting", "the outage is shown")
    await asyncio.sleep(0.03)
    await server.start()
    await copy.exact()


@pytest.mark.parametrize("how", ["cut", "end_watches"])
async def test_a_server_that_says_that_it_is_busy_while_it_ends_may_come_back_with_another_history(
    server: ScriptedServer, reflecting: Start, how: str
) -> None:
    """What kube-apiserver answers while it shuts down; its etcd is an older one when it is back."""
    server.put("ghost")
    copy = reflecting()
    await copy.live()
    server.watch_answers.append(failure(429, "TooManyRequests"))
    server.restore(revision=server.revision - 1)
    server.put("new", told=False)
    getattr(server, how)()
    await copy.exact()


async def test_a_server_that_was_another_one_before_it_was_asked_again_is_noticed(
    server: ScriptedServer, reflecting: Start
) -> None:
    """It was never seen to be away: the wait before the next attempt was longer."""
    server.put("ghost")
    copy = reflecting(backoff=(0.4, 0.4), resumes=0.1)
    await copy.live()
    server.restore(revision=server.revision - 1)
    server.put("new", told=False)
    server.cut()
    await copy.exact()


async def test_another_history_with_higher_numbers_is_corrected_by_the_second_list(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("stays")
    first = server.revision
    server.put("stays")
    server.put("since")
    copy = reflecting(resync=(0.1, 0.1))
    await copy.live()
    server.restore(revision=first - 1)
    server.put("stays", told=False)
    for _ in range(5):
        server.put("other", told=False)
    await copy.exact()


async def test_the_second_list_notices_another_history_under_a_watch_that_goes_on(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("ghost")
    server.put("ghost")
    # The third list is not one more that was due: it would correct what the watch brings, whatever becomes of that.
    once = {"rng": lambda: 0.0 if server.counted(watch=False) < 2 else 1.0}
    copy = reflecting(resync=(0.1, 3600.0), options=once)
    await copy.live()
    server.restore(revision=server.revision - 2)
    server.put("new", told=False)
    await copy.exact()
    assert server.counted(watch=False) == 2
    server.send_object("MODIFIED", "new", "1")  # whatever the watch says next
    await until(lambda: server.counted(watch=False) == 3, "a list from which another watch begins")
    server.put("later")
    await copy.exact()


async def test_nothing_of_the_second_list_is_kept(
    server: ScriptedServer, reflecting: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be a second copy of everything, until the next one minutes later."""
    lists: list[list[Any]] = []
    read = Reflector._read_list

    async def noted(self: Reflector[Any], *given: Any) -> Any:
        found = await read(self, *given)
        lists.append(found[0])
        return found

    monkeypatch.setattr(Reflector, "_read_list", noted)
    server.put("a")
    copy = reflecting(resync=(0.05, 60.0), options={"rng": lambda: 0.0 if len(lists) < 2 else 1.0})
    await copy.live()
    await until(lambda: len(lists) == 2, "the second list")
    await until(lambda: getrefcount(lists[1]) == 2, "it is held here, and nowhere else")


def test_what_is_promised_of_outages_stands_in_the_timing() -> None:
    """The bounds of docs/faults.md, in seconds: the other tests bring faster ones."""
    timing = Timing()
    assert timing.silence + timing.grace + CONNECT_SECONDS <= 75, "a half-open connection is told"
    assert timing.resync[1] <= 600, "what a watch has lost is corrected"
    assert timing.backoff[1] <= 35, "a server that is back is asked"
    assert timing.backoff[0] < timing.resumes, "a connection that breaks for a moment is not listed again"


async def test_a_watch_that_lasted_makes_the_next_failure_the_first_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        if seconds < 1:  # not until the second list
            waits.append(seconds)
        await asyncio.sleep(seconds)

    copy = reflecting(settled=0.3, backoff=(0.01, 0.5), options={"rng": lambda: 1.0, "sleep": noted})
    await copy.live()
    for seen in (1, 2, 3):
        server.cut()
        await until(lambda seen=seen: len(waits) == seen and copy.state == "live", "live again")  # type: ignore[misc]
    await asyncio.sleep(0.35)
    server.cut()
    await until(lambda: len(waits) == 4, "one more wait")
    assert waits == [0.01, 0.02, 0.04, 0.01]


async def test_a_watch_that_is_told_to_wait_is_not_listed_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    copy = reflecting()
    await copy.live()
    server.send_error(429, "TooManyRequests")
    await until(lambda: server.counted(watch=True) == 2, "the watch is opened again")
    server.put("b")
    await copy.exact()
    assert server.counted(watch=False) == 1


async def test_a_bookmark_that_is_older_tells_of_another_history(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("ghost")
    copy = reflecting()
    await copy.live()
    server.restore(revision=server.revision - 2)
    server.put("new", told=False)
    server.bookmark()
    await copy.exact()


async def test_an_expired_continue_token_leads_to_a_full_list(
    server: ScriptedServer, reflecting: Start
) -> None:
    for number in range(25):
        server.put(f"thing-{number:02}")
    server.expire_continue = True
    copy = reflecting(chunk=10)
    await copy.exact()
    assert "limit" not in server.requests[2].query
    assert "continue" not in server.requests[2].query


async def test_a_half_open_connection_is_noticed_and_opened_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    copy = reflecting(silence=0.15, grace=0.05)
    await copy.live()
    server.muted = True
    server.put("unheard")
    await until(lambda: copy.state == "reconnecting", "the silence is shown")
    server.muted = False
    server.cut()
    await copy.exact()


async def test_a_healthy_watch_without_bookmarks_stays_live(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    copy = reflecting(silence=0.05)
    await copy.live()
    await until(lambda: server.counted(watch=True) >= 4, "opened again")
    assert copy.states == ["live"]
    assert server.counted(watch=False) == 1
    server.put("b")
    await copy.exact()


async def test_bookmarks_keep_a_watch_open(server: ScriptedServer, reflecting: Start) -> None:
    silence = 0.2
    copy = reflecting(silence=silence)
    await copy.live()
    time = asyncio.get_running_loop().time
    told, begun, opened, tries = time(), time(), server.counted(watch=True), 0
    while time() - begun < 3 * silence:
        await asyncio.sleep(silence / 10)
        server.bookmark()
        if (now := time()) - told > silence / 2:  # a busy machine was silent itself: begin again
            await copy.live()
            now = time()
            begun, opened, tries = now, server.counted(watch=True), tries + 1
            assert tries < 1000
        told = now
    assert server.counted(watch=True) == opened


async def test_duplicated_and_reordered_events_do_not_go_back_in_time(
    server: ScriptedServer, reflecting: Start
) -> None:
    first = server.put("a")
    server.put("b")
    copy = reflecting()
    await copy.live()
    uid = copy.store.values()[0].metadata.uid
    server.put("a")
    server.send_object("MODIFIED", "a", first, uid=uid)  # older
    server.send_object("ADDED", "a", str(server.revision), uid=uid)  # the same again
    server.delete("b")
    server.send_object("MODIFIED", "b", str(server.revision - 2), uid="uid-b-102")  # before it was deleted
    server.put("c")
    server.send_object("DELETED", "c", str(server.revision - 1), uid="old")  # an earlier one of that name
    server.put("end")
    await copy.exact()
    assert [delta for delta in copy.deltas if delta[1] == "b"] == [("ADDED", "b"), ("DELETED", "b")]
    server.cut()  # and the place to go on from did not go back either
    await copy.live()
    assert server.requests[-1].query["resourceVersion"] == str(server.revision)


async def test_an_object_made_anew_under_its_name_is_a_deletion_and_an_addition(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("web-0")
    copy = reflecting()
    await copy.live()
    server.delete("web-0", told=False)
    server.put("web-0")
    await copy.exact()
    assert copy.deltas == [("ADDED", "web-0"), ("DELETED", "web-0"), ("ADDED", "web-0")]


async def test_events_that_were_never_sent_are_corrected_by_the_second_list(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("goes")
    server.put("changes")
    copy = reflecting(resync=(0.1, 0.1))
    await copy.live()
    server.delete("goes", told=False)
    server.put("changes", told=False)
    server.put("new", told=False)
    await copy.exact()
    assert copy.states == ["live"]
    assert server.counted(watch=True) == 1


async def test_the_second_list_does_not_undo_what_the_watch_brought_meanwhile(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("deleted")
    server.put("changed")
    held, let_go = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = server._list(dict(request.query), "things", "")
        held.set()
        await let_go.wait()
        return answer

    copy = reflecting(resync=(0.05, 0.05))
    await copy.live()
    server.list_answers.append(slow)
    await held.wait()
    server.delete("deleted")
    server.put("changed")
    server.put("added")
    await until(lambda: copied(copy.store.values()) == server.state(), "the watch's changes")
    seen = len(copy.deltas)
    let_go.set()
    await until(lambda: server.counted(watch=False) >= 3, "another list after it")
    assert copied(copy.store.values()) == server.state()
    assert copy.deltas[seen:] == []


async def test_429_waits_as_long_as_it_was_told_and_does_not_list_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds > 100:  # the next second list
            await asyncio.Event().wait()
        waits.append(seconds)

    server.put("a")
    server.watch_answers.append(failure(429, "TooManyRequests", headers={"Retry-After": "7"}))
    copy = reflecting(options={"sleep": sleep})
    await copy.exact()
    assert len(waits) == 1
    assert 7 <= waits[0] <= 7.7
    assert server.counted(watch=False) == 1
    assert copy.states == ["reconnecting", "live"]


async def test_503_with_retry_after_is_honoured_for_lists_too(
    server: ScriptedServer, reflecting: Start
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds > 100:
            await asyncio.Event().wait()
        waits.append(seconds)

    server.list_answers.append(failure(503, "ServiceUnavailable", headers={"Retry-After": "3"}))
    copy = reflecting(options={"sleep": sleep})
    await copy.exact()
    assert 3 <= waits[0] <= 3.3


async def test_an_error_within_the_stream_lists_again(server: ScriptedServer, reflecting: Start) -> None:
    server.put("a")
    copy = reflecting()
    await copy.live()
    server.put("unheard", told=False)
    server.send_error(500, "InternalError")
    await copy.exact()


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_tight_loop(
    server: ScriptedServer, reflecting: Start
) -> None:
    async def nothing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds > 100:  # the next second list
            await asyncio.Event().wait()
        waits.append(seconds)

    server.watch_answers.extend([nothing] * 1000)
    copy = reflecting(options={"sleep": sleep}, backoff=(0.05, 0.1))
    await until(lambda: server.counted(watch=True) >= 20, "asked again and again")
    asked = server.counted(watch=True)
    assert len(waits) >= asked - 2, "each time after a pause, but for the first"
    assert all(0.02 <= each <= 0.1 for each in waits)
    assert "reconnecting" in copy.states


async def test_an_answer_that_cannot_be_read_is_said_and_tried_again(
    server: ScriptedServer, reflecting: Start
) -> None:
    async def nonsense(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>a proxy's page</html>")

    server.put("a")
    server.list_answers.append(nonsense)
    copy = reflecting()
    await copy.exact()
    assert copy.states == ["reconnecting", "live"]


async def test_a_refusal_stops_with_its_reason_and_a_right_granted_later_is_noticed(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    server.refused.add(("things", ""))
    copy = reflecting()
    await until(lambda: copy.state == "stopped", "stopped")
    assert "cannot list" in copy.reflector.status.reason
    server.refused.clear()
    await copy.exact()


async def test_a_burst_of_5000_events_is_exact_and_told_in_batches(
    server: ScriptedServer, reflecting: Start
) -> None:
    copy = reflecting()
    await copy.live()
    calls = 0

    def count(_: object) -> None:
        nonlocal calls
        calls += 1

    copy.store.subscribe(count)
    for number in range(5000):
        server.put(f"thing-{number % 500}")
    await copy.exact()
    assert calls < 2500


async def test_after_two_minutes_without_a_server_the_copy_is_fresh_within_35_seconds(
    server: ScriptedServer, reflecting: Start
) -> None:
    class Clock:
        now = 0.0

    returned = False

    async def sleep(seconds: float) -> None:
        nonlocal returned
        if seconds > 100:
            await asyncio.Event().wait()
        Clock.now += seconds
        if Clock.now - away >= 120 and not returned:
            returned = True
            await server.start()

    server.put("goes")
    copy = reflecting(
        backoff=(0.8, 30.0),
        settled=5.0,
        options={"sleep": sleep, "clock": lambda: Clock.now, "rng": lambda: 1.0},
    )
    await copy.live()
    Clock.now += 60
    away = Clock.now
    await server.stop()
    server.delete("goes", told=False)
    await copy.exact()
    assert returned
    assert Clock.now - (away + 120) <= 35


async def test_a_kind_that_is_served_again_is_listed_at_once(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.put("a")
    server.list_answers.append(failure(404, "NotFound"))
    copy = reflecting(refused=(3600.0, 3600.0))
    await until(lambda: copy.state == "stopped", "missing")
    copy.reflector.served()
    await copy.exact()


async def test_that_other_kinds_are_served_is_no_reason_to_ask_again_for_what_is_refused(
    server: ScriptedServer, reflecting: Start
) -> None:
    server.list_answers.append(failure(403, "Forbidden"))
    copy = reflecting(refused=(3600.0, 3600.0))
    await until(lambda: copy.state == "stopped", "refused")
    copy.reflector.served()
    await asyncio.sleep(0.05)
    assert copy.state == "stopped" and server.counted(watch=False) == 1
