"""Following logs while everything goes wrong that can: floods, broken streams, refusals, rebirths, slow readers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.live import logfeed
from dashboard.live.logfeed import LogFeed, read_position
from dashboard.queries.logs import LogOptions, Target, download, targets

from .scripted import Log, ScriptedServer, failure, until


def pod(name: str, uid: str = "", *, state: str = "running", restarts: int = 0, since: float = 0) -> Any:
    """A pod with one container ``app`` that runs since a second of the scripted year, waits, or has ended."""
    started = f"2026-01-01T00:{int(since) // 60:02}:{int(since) % 60:02}Z"
    states: dict[str, Any] = {
        "running": {"running": {"startedAt": started}},
        "waiting": {"waiting": {"reason": "ContainerCreating"}},
        "crashed": {"waiting": {"reason": "CrashLoopBackOff"}},
        "succeeded": {"terminated": {"exitCode": 0, "reason": "Completed"}},
    }
    last = {"terminated": {"exitCode": 1, "reason": "Error"}} if restarts else {}
    status = {"name": "app", "restartCount": restarts, "state": states[state], "lastState": last}
    manifest = {
        "metadata": {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": "a"}]},
        "status": {
            "phase": "Succeeded" if state == "succeeded" else "Running",
            "containerStatuses": [status],
        },
    }
    return KINDS["pods"].decode_object(json.dumps(manifest).encode())


class Follower:
    """A feed and what a browser would have of it."""

    def __init__(self, transport: Transport, pods: list[Any]) -> None:
        self.transport = transport
        self.pods = pods
        self.options = LogOptions()
        self.lines: list[tuple[str, str]] = []  # label, text
        self.marks: list[str] = []
        self.shown: list[str] = []  # both, in order
        self.frames: list[int] = []  # sizes
        self.dropped = 0
        self.note = ""
        self.sources: list[dict[str, Any]] = []
        self.had: dict[str, list[Any]] = {}
        self.reading = True
        self.feed: LogFeed | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """As a browser that connects: with what it has."""
        self.close()
        position = read_position(json.loads(json.dumps(self.had)))
        self.feed = LogFeed(
            self.transport,
            "shop",
            self.options,
            pods=lambda: self.pods,
            wake=self._wake.set,
            position=position,
        )
        self._task = asyncio.create_task(self._receive())

    def change(self, *pods: Any) -> None:
        self.pods = list(pods)
        assert self.feed is not None
        self.feed.pods_changed()

    async def _receive(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self.reading or self.feed is None:
                continue
            if (body := self.feed.take()) is not None:
                self._apply(body)

    def _apply(self, body: str) -> None:
        self.frames.append(len(body.encode()))
        message = json.loads("{" + body + "}")
        self.note = message.get("note", self.note)
        if "sources" in message:
            self.sources = message["sources"]
            for source in self.sources:
                self.had.setdefault(source["key"], [source["pod"], "", 0])
        by_id = {source["id"]: source for source in self.sources}
        for item in message.get("items", []):
            if isinstance(item, dict):
                self.dropped += item["n"]
                self.marks.append(item["k"])
                self.shown.append(f"[{item['k']}] {item['t']}")
                continue
            source = by_id[item[0]]
            had = self.had[source["key"]]
            had[1:] = [item[1], had[2] + 1 if had[1] == item[1] else 1]
            self.lines.append((source["label"], item[2]))
            self.shown.append(item[2])

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]

    def state_of(self, pod: str) -> tuple[str, str]:
        (found,) = [each for each in self.sources if each["pod"] == pod]
        return found["state"], found["text"]

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self.feed is not None:
            self.feed.close()
        self.feed = self._task = None


Following = Callable[..., Follower]


@pytest_asyncio.fixture
async def following(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    monkeypatch.setattr(logfeed, "RETRY_SECONDS", (0.02, 0.1))
    monkeypatch.setattr(logfeed, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(logfeed, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(logfeed, "PACE_SECONDS", 0.02)
    monkeypatch.setattr(logfeed, "BREATH_SECONDS", 0.005)
    monkeypatch.setattr(logfeed, "WINDOW_SECONDS", 0.02)
    made: list[Follower] = []

    def follow(*pods: Any, **options: Any) -> Follower:
        follower = Follower(transport, list(pods))
        follower.options = LogOptions(**options)
        follower.look()
        made.append(follower)
        return follower

    yield follow
    for each in made:
        each.close()


def logs_of(server: ScriptedServer, *pods: str) -> list[Log]:
    made = [Log() for _ in pods]
    server.logs |= {f"{pod}/app": log for pod, log in zip(pods, made, strict=True)}
    return made


async def test_lines_of_several_pods_are_merged_and_followed(
    server: ScriptedServer, following: Following
) -> None:
    one, two = logs_of(server, "web-aaa", "web-bbb")
    one.write(1, "first")
    two.write(2, "second")
    one.write(3, "third")
    follower = following(pod("web-aaa"), pod("web-bbb"))
    await until(lambda: len(follower.lines) == 3)
    assert follower.lines == [("aaa", "first"), ("bbb", "second"), ("aaa", "third")]
    two.write(4, "fourth")
    await until(lambda: follower.texts[-1] == "fourth")
    assert {each["state"] for each in follower.sources} == {"following"}


async def test_a_log_that_says_nothing_yet_is_no_failure(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    follower = following(pod("web-aaa"))
    await until(lambda: len(log.opened) == 1)
    await asyncio.sleep(0.1)
    assert len(log.opened) == 1
    log.write(1, "at last")
    await until(lambda: follower.texts == ["at last"])


async def test_a_stream_that_breaks_goes_on_without_a_gap_and_without_a_line_twice(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1.5, "a", "b")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["a", "b"])
    log.write(1.5, "c")
    await until(lambda: follower.texts == ["a", "b", "c"])
    log.cut()
    log.write(1.5, "d")
    log.write(1.9, "e")
    await until(lambda: len(log.opened) > 1, "opened again")
    assert log.opened[-1]["sinceTime"] == "2026-01-01T00:00:01Z"
    await until(lambda: follower.texts == ["a", "b", "c", "d", "e"], f"{follower.texts}")
    assert follower.marks == []


async def test_lines_that_were_lost_with_the_log_are_marked(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(10, "kept")
    follower = following(pod("web-aaa", since=5))
    await until(lambda: follower.texts == ["kept"])
    log.rotate()
    log.cut()
    log.write(20, "later")
    await until(lambda: "later" in follower.texts)
    assert follower.shown[1].startswith("[gap] lines of web-aaa app are missing here")


async def test_a_run_that_began_while_the_connection_was_lost_may_lack_the_end_of_the_one_before(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(10, "kept")
    follower = following(pod("web-aaa", since=5))
    await until(lambda: follower.texts == ["kept"])
    follower.close()
    log.rotate()
    log.write(20, "later")
    follower.pods = [pod("web-aaa", since=15, restarts=1)]
    follower.look()
    await until(lambda: "later" in follower.texts)
    assert "[gap] lines of web-aaa app may be missing here" in "".join(follower.shown)


async def test_of_a_log_that_is_opened_again_every_line_is_shown_or_counted(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "first")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["first"])
    log.cut()
    log.write(2, *(f"line {number}" for number in range(2_500)))
    await until(lambda: "line 2499" in follower.texts, "the last of them")
    assert len(follower.texts) - 1 + follower.dropped == 2_500
    assert set(follower.marks) <= {"drop"}


async def test_a_browser_that_comes_back_goes_on_after_its_last_line(
    server: ScriptedServer, following: Following
) -> None:
    one, two = logs_of(server, "web-aaa", "web-bbb")
    one.write(1, "a")
    two.write(2, "b")
    follower = following(pod("web-aaa"), pod("web-bbb"))
    await until(lambda: follower.texts == ["a", "b"])
    follower.close()
    one.write(3, "c")
    two.write(3, "d")
    two.write(4, "e")
    follower.look()  # another server, as far as it knows
    await until(lambda: len(follower.lines) >= 5)
    await asyncio.sleep(0.1)
    assert sorted(follower.texts) == ["a", "b", "c", "d", "e"]
    assert follower.marks == []


async def test_what_came_and_went_while_a_browser_was_away_is_told(
    server: ScriptedServer, following: Following
) -> None:
    logs_of(server, "web-aaa", "web-bbb")[0].write(1, "a")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["a"])
    follower.close()
    server.logs["web-bbb/app"].write(9, "new")  # type: ignore[attr-defined]
    follower.pods = [pod("web-bbb", since=8)]
    follower.look()
    await until(lambda: "new" in follower.texts)
    assert {"[end] pod web-aaa ended", "[start] pod web-bbb started"} <= set(follower.shown)


async def test_a_pod_that_is_born_again_is_followed_and_both_ends_are_marked(
    server: ScriptedServer, following: Following
) -> None:
    (first,) = logs_of(server, "db-0")
    first.write(1, "one")
    follower = following(pod("db-0", "uid-1"))
    await until(lambda: follower.texts == ["one"])
    first.write(2, "last words")
    follower.change()
    await until(lambda: "[end] pod db-0 ended" in follower.shown)
    assert follower.shown == ["one", "last words", "[end] pod db-0 ended"]
    assert "Lines appear when one starts" in follower.note
    (second,) = logs_of(server, "db-0")
    second.write(5, "two")
    follower.change(pod("db-0", "uid-2", since=4))
    await until(lambda: "two" in follower.texts)
    assert follower.shown[-2:] == ["[start] pod db-0 started", "two"]
    assert follower.note == ""


async def test_a_container_that_restarts_is_marked_and_its_next_run_is_followed(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "run 1")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["run 1"])
    (again,) = logs_of(server, "web-aaa")  # the first reading hangs, as when a kubelet says no goodbye
    again.write(5, "run 2")
    follower.change(pod("web-aaa", restarts=1, since=5))
    await until(lambda: "run 2" in follower.texts)
    assert follower.shown[1].startswith("[again] app of web-aaa starts again (restart 1)")
    assert "exit code 1" in follower.shown[1]
    assert "gap" not in follower.marks


async def test_a_container_that_waits_says_why_and_is_followed_when_it_starts(
    server: ScriptedServer, following: Following
) -> None:
    waiting = 'container "app" in pod "web-aaa" is waiting to start: ContainerCreating'
    server.logs["web-aaa/app"] = failure(400, "BadRequest", waiting)
    follower = following(pod("web-aaa", state="waiting"))
    await until(lambda: bool(follower.sources) and follower.state_of("web-aaa")[0] == "waiting")
    assert follower.state_of("web-aaa")[1] == "Waiting to start: ContainerCreating"
    logs_of(server, "web-aaa")[0].write(1, "hello")
    follower.change(pod("web-aaa"))
    await until(lambda: follower.texts == ["hello"])


@pytest.mark.parametrize(
    ("status", "message", "state", "words"),
    [
        (410, "too old", "waiting", "log was rotated"),
        (500, 'Get "https://10.0.0.9:10250/containerLogs": timeout', "unreachable", "kubelet of node node-1"),
        (403, 'pods "web-aaa" is forbidden', "forbidden", "You may not read it"),
        (404, 'nodes "node-1" not found', "none", "Its node node-1 is gone"),
    ],
)  # fmt: skip
async def test_a_refusal_is_told_in_words_and_the_log_tried_again(
    server: ScriptedServer, following: Following, status: int, message: str, state: str, words: str
) -> None:
    server.logs["web-aaa/app"] = failure(status, "Refused", message)
    follower = following(pod("web-aaa"))
    await until(lambda: bool(follower.sources) and follower.state_of("web-aaa")[0] == state)
    assert words in follower.state_of("web-aaa")[1]
    logs_of(server, "web-aaa")[0].write(1, "hello")
    await until(lambda: follower.texts == ["hello"])


async def test_a_finished_container_is_read_once(server: ScriptedServer, following: Following) -> None:
    (log,) = logs_of(server, "job-aaa")
    log.write(1, "done")
    follower = following(pod("job-aaa", state="succeeded"))
    await until(lambda: bool(follower.sources) and follower.state_of("job-aaa")[0] == "ended")
    await asyncio.sleep(0.1)
    assert follower.texts == ["done"]
    assert len(log.opened) == 1
    assert "follow" not in log.opened[0]


async def test_the_previous_run_is_read_where_there_is_one(
    server: ScriptedServer, following: Following
) -> None:
    logs_of(server, "web-aaa", "web-bbb")[0].write(1, "before")
    follower = following(pod("web-aaa", restarts=1), pod("web-bbb"), previous=True)
    await until(lambda: follower.texts == ["before"])
    assert [each["pod"] for each in follower.sources] == ["web-aaa"]
    assert server.logs["web-aaa/app"].opened[0]["previous"] == "true"  # type: ignore[attr-defined]
    none = following(pod("web-bbb"), previous=True)
    await until(lambda: "no previous log" in none.note)


async def test_no_more_logs_are_read_at_once_than_may_be_and_that_is_said(
    server: ScriptedServer, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfeed, "STREAMS", 2)
    names = [f"web-{letter * 3}" for letter in "abc"]
    for log, name in zip(logs_of(server, *names), names, strict=True):
        log.write(1, name)
    follower = following(*(pod(name) for name in names))
    await until(lambda: len(follower.lines) == 2)
    await until(lambda: "3 containers, of which 2 are read at once" in follower.note)
    assert follower.state_of("web-ccc")[0] == "slot"
    follower.change(pod("web-bbb"), pod("web-ccc"))
    await until(lambda: "web-ccc" in follower.texts, "a stream that ended makes room")


async def test_a_filter_is_applied_here_and_looks_further_back(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "an ERROR", "fine")
    follower = following(pod("web-aaa"), q="error")
    await until(lambda: follower.texts == ["an ERROR"])
    assert int(log.opened[0]["tailLines"]) > 100
    log.write(2, "fine", "error two")
    await until(lambda: follower.texts == ["an ERROR", "error two"])


async def test_a_flood_stays_bounded_and_says_what_is_not_shown(
    server: ScriptedServer, following: Following
) -> None:
    """10,000 lines, as they come in a second from a busy service, at once."""
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "before")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["before"])
    text = "request served in 17 ms, status 200, path /products/17, agent curl/8.0"
    for part in range(10):
        log.write(2 + part / 10, *(f"{part * 1000 + n} {text}" for n in range(1000)))
    log.write(4, "after")
    await until(lambda: follower.texts[-1] == "after", seconds=20)
    assert len(follower.lines) + follower.dropped == 10_002
    assert follower.dropped > 0
    assert max(follower.frames) <= 64_000
    numbers = [int(text.split()[0]) for text in follower.texts[1:-1]]
    assert numbers == sorted(set(numbers))
    # A mark stands where lines are missing, and nowhere else.
    at = 0
    for item in follower.shown[1:-1]:
        if item.startswith("[drop]"):
            at = -1
        else:
            number = int(item.split()[0])
            assert at in (-1, number)
            at = number + 1


async def test_a_browser_that_does_not_read_holds_nothing_up(
    server: ScriptedServer, following: Following
) -> None:
    (log,) = logs_of(server, "web-aaa")
    follower = following(pod("web-aaa"))
    await until(lambda: len(log.opened) == 1)
    follower.reading = False
    for part in range(20):
        log.write(part, *("x" * 100 for _ in range(1000)))
        await asyncio.sleep(0.005)
    log.write(30, "last")
    feed = follower.feed
    assert feed is not None
    (source,) = feed._sources.values()
    await until(lambda: source.reading.time > 1_767_225_629 * 10**9, "all of it read", seconds=20)
    assert len(feed._backlog) <= 4_000
    follower.reading = True
    follower._wake.set()
    log.write(31, "very last")
    await until(lambda: "very last" in follower.texts, seconds=20)
    assert len(follower.lines) + follower.dropped == 20_002


async def test_a_closed_feed_leaves_no_connection(server: ScriptedServer, following: Following) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "a")
    follower = following(pod("web-aaa"))
    await until(lambda: follower.texts == ["a"])
    feed = follower.feed
    assert feed is not None
    follower.close()
    await until(lambda: not feed._tasks)
    assert follower.transport._streams == set()


async def test_what_a_browser_says_it_has_may_be_nonsense() -> None:
    assert read_position(None) == {}
    good = ["x", "2026-01-01T00:00:00Z", 2]
    assert read_position({"a": 1, "b": ["x", "", -4], "c": [1, 2, 3], "d": good}) == {
        "b": ("x", "", 0),
        "d": tuple(good),
    }
    for at in ("y", "\ud800", "٢٠٢٦-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        assert read_position({"a": ["x", at, 1]}) == {}


async def test_a_feed_that_cannot_begin_leaves_no_log_open(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.Task[None]] = []
    spawn, join = LogFeed._spawn, LogFeed._join

    def spawned(feed: LogFeed, work: Any) -> asyncio.Task[None]:
        made.append(spawn(feed, work))
        return made[-1]

    def joined(feed: LogFeed, target: Target, *, late: bool) -> None:
        if target.pod == "web-bbb":
            raise RuntimeError("no")
        join(feed, target, late=late)

    monkeypatch.setattr(LogFeed, "_spawn", spawned)
    monkeypatch.setattr(LogFeed, "_join", joined)
    pods = [pod("web-aaa"), pod("web-bbb")]
    with pytest.raises(RuntimeError):
        LogFeed(transport, "shop", LogOptions(), pods=lambda: pods, wake=lambda: None, position={})
    (task,) = made
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


async def test_a_download_cuts_an_endless_line_and_says_where(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "WHOLE_LINE_BYTES", 100)
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "short", "x" * 300_000, "after")
    (target,) = targets([pod("web-aaa")])
    pieces = [
        piece async for piece in download.log_text(transport, "shop", target, LogOptions(), stamps=False)
    ]
    short, long, after = b"".join(pieces).decode().splitlines()
    assert (short, after) == ("short", "after")
    assert long.startswith("xxx")
    assert long.endswith("x [the line was cut here: it is longer than 4 MiB]")
    assert len(long) < 200


async def test_a_filtered_download_holds_the_lines_that_the_page_shows(
    server: ScriptedServer, transport: Transport
) -> None:
    (log,) = logs_of(server, "web-aaa")
    log.write(1, "ÜBER all", "plain 7", "\x1b[31mü\x1b[0mber too")
    (target,) = targets([pod("web-aaa")])

    async def kept(words: str) -> list[str]:
        pieces = download.log_text(transport, "shop", target, LogOptions(q=words), stamps=False)
        return b"".join([piece async for piece in pieces]).decode().splitlines()

    assert await kept("über") == ["ÜBER all", "\x1b[31mü\x1b[0mber too"]
    assert await kept("2026") == [], "the time of a line is no part of it"
