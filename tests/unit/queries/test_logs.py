"""Logs: their times, colours, merging, bounds and names."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import errors
from dashboard.kinds.legible import unseen
from dashboard.queries.logs import (
    Backlog,
    Line,
    LogOptions,
    Mark,
    Reading,
    Stamps,
    Target,
    explain,
    labels,
    since_time,
    styled,
    targets,
)
from dashboard.queries.logs import backlog as backlog_module
from dashboard.queries.logs.reading import Batches, LogGone, open_log
from dashboard.queries.logs.sgr import plain
from dashboard.queries.logs.targets import short_names
from tests.unit.insight.world import World, pod

# Times


@pytest.mark.parametrize(
    ("stamp", "nanoseconds"),
    [
        (b"1970-01-01T00:00:01Z", 1_000_000_000),
        (b"1970-01-01T00:00:01.5Z", 1_500_000_000),
        (b"1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        (b"1970-01-01T02:00:01.25+02:00", 1_250_000_000),
        (b"1969-12-31T23:00:01-01:00", 1_000_000_000),
        (b"1970-01-01T00:00:01", None),
        (b"unable", None),
        (b"", None),
        (b"1970-01-01T00:00:01.xZ", None),
        (b"1970-99-01T00:00:01Z", None),
        (b"0001-01-01T00:00:00+14:00", None),
        (b"9999-12-31T23:59:59-14:00", None),
    ],
)
def test_a_moment_is_read_to_the_nanosecond(stamp: bytes, nanoseconds: int | None) -> None:
    assert Stamps().nanoseconds(stamp) == nanoseconds


def test_moments_order_as_texts_would_not() -> None:
    stamps = Stamps()
    earlier, later = b"2026-01-01T00:00:00Z", b"2026-01-01T00:00:00.5Z"
    assert earlier > later
    assert (stamps.nanoseconds(earlier) or 0) < (stamps.nanoseconds(later) or 0)


def test_a_log_is_asked_for_from_the_second_of_its_last_line() -> None:
    moment = Stamps().nanoseconds(b"2026-01-31T10:00:07.999999999Z")
    assert moment is not None
    assert since_time(moment) == "2026-01-31T10:00:07Z"


# Colours


@pytest.mark.parametrize(
    ("text", "without", "spans"),
    [
        ("nothing", "nothing", ()),
        ("\x1b[31mred\x1b[0m rest", "red rest", ((0, 3, "c1"),)),
        ("a \x1b[1;92mgood\x1b[22m still\x1b[39m end", "a good still end", ((2, 6, "b c2"), (6, 12, "c2"))),
        ("\x1b[38;5;196mexact\x1b[38;2;1;2;3m too\x1b[m", "exact too", ()),
        ("\x1b[2K\x1b[1Gprogress\r", "progress", ()),
        ("10 %\r\x1b[32m100 %\x1b[0m\r", "10 %\n100 %", ((5, 10, "c2"),)),
        ("\x1b]8;;https://example.com\x07link\x1b]8;;\x07", "link", ()),
        ("tab\tstays, bell\x07 goes", "tab\tstays, bell goes", ()),
        # Every kind of sequence, in seven bits and in eight, with an end and without.
        ("\x1b]0;title\x1b\\text", "text", ()),
        ("\x9d0;title\x9ctext", "text", ()),
        ("\x1bPq#0;sixel\x1b\\a\x1b_app\x1b\\b\x1b^private\x1b\\c\x1bXstart\x1b\\d", "abcd", ()),
        ("\x90q\x9ca\x9fapp\x9cb\x9eprivate\x9cc\x98start\x9cd", "abcd", ()),
        ("\x9b31mred\x9b0m \x85\x8frest", "red rest", ((0, 3, "c1"),)),
        ("a\x1b]0;the rest of the line", "a0;the rest of the line", ()),
        ("a\x9d0;the rest", "a0;the rest", ()),
        ("a\x1bPthe rest", "athe rest", ()),
        ("a\x1b_the \x1b[1mrest", "athe rest", ((5, 9, "b"),)),
        ("a\x1b^the rest\x1bXof it", "athe restof it", ()),
        ("\x1b]0;first\rsecond\x07 third", "0;first\nsecond third", ()),
        ("cut in the middle\x1b[38;5", "cut in the middle", ()),
        ("cut\x1b", "cut", ()),
        ("cut\x9b1;", "cut", ()),
        ("\x1b(B\x1b)0text\x1b#8", "text", ()),
        # What reorders or cannot be seen.
        ("pay \u202e001\u202c to", "pay ⟨U+202E⟩001⟨U+202C⟩ to", ()),
        ("\x1b[31ma\u200bb\x1b[0m c", "a⟨U+200B⟩b c", ((0, 10, "c1"),)),
        ("nul\x00 and back\x08", "nul and back", ()),
        ("\x1b[99999999999mx", "x", ()),
        ("🚀 \x1b[31m🔥!\x1b[0m", "🚀 🔥!", ((3, 6, "c1"),)),  # in UTF-16, as the browser counts
    ],
)
def test_colours_become_spans_and_the_rest_of_a_terminals_language_goes(
    text: str, without: str, spans: tuple[Any, ...]
) -> None:
    assert styled(text) == (without, spans)


@settings(deadline=None)
@given(st.text(st.sampled_from("\x1b[]P_^X\\0134;mK ax\x07\x90\x98\x9b\x9c\x9d\u202e\r"), max_size=40))
def test_no_text_breaks_the_reading_of_colours(text: str) -> None:
    shown, spans = styled(text)
    assert not unseen(shown)
    ends = [0, *(end for _, end, _ in spans)]
    assert all(0 <= start < end <= len(shown) for start, end, _ in spans)
    assert all(start >= before for (start, _, _), before in zip(spans, ends, strict=False))


@settings(deadline=None)
@given(st.sampled_from("]P_^X\x9d\x90\x9f\x9e\x98"), st.text(st.sampled_from("ab 1;\\"), max_size=40))
def test_a_sequence_that_does_not_end_hides_nothing(begin: str, rest: str) -> None:
    """But for the one letter that begins it."""
    begin = begin if begin >= "\x80" else f"\x1b{begin}"
    assert plain(f"seen{begin}{rest}") == f"seen{rest}"


def test_the_cost_of_reading_escapes_grows_with_the_line_alone() -> None:
    """Steps of the expression cannot be counted; a line that took their square would not end here."""
    for piece in ("\x1b]", "\x1b[1;", "\x9d", "\x1b[" + "1" * 50, "\x1bP\x1b", "\u202e"):
        assert plain(piece * (100_000 // len(piece))) is not None


# Merging and letting go


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def line(order: int, source: int = 0, text: bytes = b"x") -> Line:
    return Line(order, source, "", text)


def orders(items: list[Line | Mark]) -> list[int]:
    return [item.order for item in items]


def test_lines_of_several_logs_come_in_the_order_of_their_times() -> None:
    backlog = Backlog()
    backlog.add([line(1, 0), line(4, 0)])
    backlog.add([line(2, 1), line(3, 1)])
    assert orders(backlog.take(window=0)) == [1, 2, 3, 4]
    assert not backlog


def test_a_line_waits_a_moment_for_what_other_logs_have_from_before_it() -> None:
    clock = Clock()
    backlog = Backlog(clock)
    backlog.add([line(10, 0)])
    assert backlog.take(window=0.2) == []
    clock.now += 0.1
    backlog.add([line(5, 1)])
    clock.now += 0.15
    assert orders(backlog.take(window=0.2)) == [5, 10], (
        "the first has waited long enough and takes along what is older"
    )


def test_what_is_never_taken_is_remembered_within_bounds_and_all_of_it_comes_at_last() -> None:
    clock = Clock()
    backlog = Backlog(clock, most=10_000)
    backlog.add([line(1_000_000)])
    for order in range(2 * backlog_module.ARRIVALS):
        clock.now += 0.001
        backlog.add([line(order)])
    assert len(backlog._newest) == backlog_module.ARRIVALS
    clock.now += 1
    assert orders(backlog.take(frame=10**9))[-1] == 1_000_000
    assert not backlog


def test_a_frame_holds_no_more_than_it_may_and_the_rest_follows() -> None:
    backlog = Backlog()
    backlog.add([line(n, text=b"y" * 100) for n in range(100)])
    first = backlog.take(window=0, frame=2_000)
    assert 0 < sum(item.size for item in first) <= 2_000
    rest = []
    while backlog:
        rest += backlog.take(window=0, frame=2_000)
    assert orders(first + rest) == list(range(100))


def test_one_line_larger_than_a_frame_goes_by_itself() -> None:
    backlog = Backlog()
    backlog.add([line(1, text=b"y" * 5_000), line(2)])
    assert orders(backlog.take(window=0, frame=1_000)) == [1]
    assert orders(backlog.take(window=0, frame=1_000)) == [2]


def test_too_many_lines_let_the_oldest_go_and_say_how_many_where_they_were() -> None:
    backlog = Backlog()
    backlog.add([line(n) for n in range(backlog_module.LINES + 500)])
    items = backlog.take(window=0.2)
    assert isinstance(items[0], Mark)
    assert (items[0].kind, items[0].count) == ("drop", 500)
    assert items[1].order == 500, "shown at once: at this speed nothing would ever have waited long enough"


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 2**32),
)
def test_every_line_is_shown_once_in_its_logs_order_or_counted(
    steps: list[tuple[int, int, bool]], seed: int
) -> None:
    rng = random.Random(seed)
    clock = Clock()
    backlog = Backlog(clock, most=100)
    added = 0
    order = [0] * 4
    shown: list[Line | Mark] = []
    for source, count, take in steps:
        lines = []
        for _ in range(count):
            order[source] += rng.randrange(3)
            added += 1
            lines.append(line(order[source], source, b"%d" % added))
        backlog.add(lines)
        assert len(backlog) <= 200
        clock.now += 0.1
        if take:
            shown += backlog.take(frame=3_000)
    while backlog:
        clock.now += 1
        shown += backlog.take()
    dropped = sum(item.count for item in shown if isinstance(item, Mark))
    lines = [item for item in shown if isinstance(item, Line)]
    assert len(lines) + dropped == added
    for source in range(4):
        numbers = [int(each.text) for each in lines if each.source == source]
        assert numbers == sorted(set(numbers))


def test_marks_are_not_let_go_with_the_lines_around_them() -> None:
    backlog = Backlog(most=10)
    backlog.add([line(1), Mark(2, "end", "pod a ended")])
    backlog.add([line(n) for n in range(3, 33)])
    kinds = [item.kind for item in backlog.take(window=0) if isinstance(item, Mark)]
    assert kinds == ["drop", "end"]


# Reading on


def raw(*lines: tuple[str, str]) -> list[bytes]:
    return [f"2026-01-01T00:00:{at}Z {text}".encode() for at, text in lines]


def texts(lines: list[Line]) -> list[str]:
    return [each.text.decode() for each in lines]


def test_a_log_that_is_opened_again_goes_on_where_it_was_without_a_line_twice() -> None:
    reading = Reading(0)
    reading.opened()
    assert texts(reading.lines(raw(("01", "a"), ("02.5", "b"), ("02.5", "c")))) == ["a", "b", "c"]
    reading.opened()
    again = raw(("02.1", "z"), ("02.5", "b"), ("02.5", "c"), ("02.5", "d"), ("03", "e"))
    assert texts(reading.lines(again)) == ["d", "e"]
    assert not reading.gap


def test_a_log_that_does_not_reach_back_says_so() -> None:
    reading = Reading(0, "", Stamps().nanoseconds(b"2026-01-01T00:00:02Z") or 0, 1)
    reading.opened()
    assert texts(reading.lines(raw(("05", "later")))) == ["later"]
    assert reading.gap


def test_a_clock_that_is_set_back_changes_no_order_and_loses_no_line() -> None:
    reading = Reading(0)
    lines = reading.lines(raw(("09", "a"), ("03", "b"), ("04", "c")))
    assert texts(lines) == ["a", "b", "c"]
    assert [each.order for each in lines] == [lines[0].order] * 3


def test_only_lines_with_the_text_whatever_its_case_and_colour() -> None:
    reading = Reading(0, "érror 5")
    found = reading.lines(raw(("01", "ÉRROR 5"), ("02", "fine"), ("03", "\x1b[31mérror\x1b[0m 5")))
    assert len(found) == 2
    reading = Reading(0, "error")
    assert len(reading.lines(raw(("01", "an ERROR"), ("02", "\x1b[1mer\x1b[0mror"), ("03", "fine")))) == 2


def test_a_kubelets_own_words_without_a_time_are_shown() -> None:
    (found,) = Reading(0).lines([b"failed to create fsnotify watcher: too many open files"])
    assert (found.at, found.text[:6]) == ("", b"failed")


def test_a_long_line_is_cut_and_says_so() -> None:
    (found,) = Reading(0).lines(raw(("01", "x" * 20_000)))
    assert found.cut
    assert len(found.text) == 8 * 1024


# What is asked for


def options(query: str, tail: int = 100) -> LogOptions:
    return LogOptions.read(QueryDict(query), tail)


def test_an_address_says_what_is_shown_and_gives_itself_back() -> None:
    query = "pod=b&pod=a&container=app&previous=1&since=1h30m&tail=500&q=error"
    read = options(query)
    assert read.url_query() == "?pod=a&pod=b&container=app&previous=1&since=1h30m&tail=500&q=error"
    assert options(read.url_query()[1:]) == read
    assert options("").url_query() == ""


@pytest.mark.parametrize(
    ("since", "asked", "kubectl"),
    [
        ("5m", {"sinceSeconds": "300"}, "--since=300s"),
        ("2d", {"sinceSeconds": "172800"}, "--since=172800s"),
        ("2026-01-31T10:00Z", {"sinceTime": "2026-01-31T10:00:00Z"}, "--since-time=2026-01-31T10:00:00Z"),
        ("2026-01-31 10:00", {"sinceTime": "2026-01-31T10:00:00Z"}, "--since-time=2026-01-31T10:00:00Z"),
        (
            "2026-01-31T10:00+02:00",
            {"sinceTime": "2026-01-31T08:00:00Z"},
            "--since-time=2026-01-31T08:00:00Z",
        ),
    ],
)
def test_since_is_a_duration_or_a_moment(since: str, asked: dict[str, str], kubectl: str) -> None:
    read = options(QueryDict(mutable=True).urlencode() or f"since={since.replace('+', '%2B')}")
    assert read.api_query() == {"tailLines": "100"} | asked
    assert kubectl in read.kubectl()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=soon", "since"),
        ("tail=0", "tail"),
        ("tail=000001" + "0" * 5000, "tail"),
        ("tail=many", "tail"),
        ("tail=0000011", "tail"),
        (f"tail=000001{'1' * 5_000}", "tail"),
        ("since=9999999999999999999999d", "since"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept(query: str, field: str) -> None:
    read = options(query)
    assert read.wrong[0] == field
    assert field in read.wrong[1]
    assert read.since in query


# Whose


def test_names_lose_what_they_share_and_still_differ() -> None:
    assert short_names(["web-678c7d8f56-x2k4q", "web-678c7d8f56-b7h2m"]) == {
        "web-678c7d8f56-x2k4q": "x2k4q",
        "web-678c7d8f56-b7h2m": "b7h2m",
    }
    assert short_names(["db-0", "db-1"]) == {"db-0": "db-0", "db-1": "db-1"}
    assert short_names(["only-one-x"]) == {"only-one-x": "only-one-x"}
    assert short_names(["a", "a-b-ccc"]) == {"a": "a", "a-b-ccc": "a-b-ccc"}


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "abc"]), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(st.sets(WORDS.map("-".join), min_size=1, max_size=6))
def test_short_names_are_as_many_as_names(names: set[str]) -> None:
    assert len(set(short_names(names).values())) == len(names)


def test_a_label_tells_no_more_than_it_must() -> None:
    def named(*pairs: tuple[str, str]) -> list[str]:
        return list(labels([Target(pod, pod, container) for pod, container in pairs]).values())

    assert named(("web-1", "app")) == ["app"]
    assert named(("web-abc", "app"), ("web-def", "app")) == ["abc", "def"]
    assert named(("web-abc", "app"), ("web-abc", "proxy")) == ["app", "proxy"]
    assert named(("web-abc", "app"), ("web-def", "proxy")) == ["abc app", "def proxy"]


def test_a_crashed_containers_runs_are_known() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    (found,) = targets([World().add("pods", pod(state=waiting, last=last, restarts=4, ready=False))])
    assert (found.running, found.previous, found.restarts) == (False, True, 4)
    assert (found.waiting, found.ended) == ("CrashLoopBackOff", "OOMKilled, exit code 137")
    assert not found.finished


def test_only_the_chosen_pods_and_containers_are_followed() -> None:
    world = World()
    pods = [world.add("pods", pod(name)) for name in ("web-10", "web-2")]
    assert [each.pod for each in targets(pods)] == ["web-2", "web-10"]
    assert [each.pod for each in targets(pods, ["web-10"])] == ["web-10"]
    assert targets(pods, [], ["other"]) == []


def test_what_runs_comes_first_then_the_newest_of_what_has_ended() -> None:
    world = World()

    def ran(name: str, day: int) -> Any:
        ended = pod(name, state={"terminated": {"exitCode": 0, "reason": "Completed"}}, phase="Succeeded")
        ended["metadata"]["creationTimestamp"] = f"2026-01-0{day}T00:00:00Z"
        return world.add("pods", ended)

    pods = [ran("run-1", 1), ran("run-3", 3), ran("run-2", 2), world.add("pods", pod("run-0"))]
    assert [each.pod for each in targets(pods)] == ["run-0", "run-3", "run-2", "run-1"]


# Why not


@pytest.mark.parametrize(
    ("error", "previous", "state", "words"),
    [
        (
            errors.BadInput('container "app" in pod "web" is waiting to start: ContainerCreating'),
            False, "waiting", "Waiting to start: ContainerCreating",
        ),
        (
            errors.BadInput('container "app" in pod "web" is waiting to start - no logs yet'),
            False, "waiting", "no logs yet",
        ),
        (errors.BadInput('previous terminated container "app" in pod "web" not found'), True, "none", "no previous log"),
        (LogGone("The node no longer has this log."), True, "none", "Node node-1 no longer has this log"),
        (errors.NotFound('nodes "node-1" not found'), False, "none", "node node-1 is gone"),
        (errors.NotFound('pods "web" not found'), False, "none", "The pod is gone"),
        (errors.Forbidden("no"), False, "forbidden", "You may not read it"),
        (errors.Gone("too old"), False, "waiting", "The log was rotated"),
        (
            errors.Unavailable('Get "https://10.0.0.9:10250/containerLogs/shop/web/app": dial tcp: connection refused'),
            False, "unreachable", "The kubelet of node node-1 does not answer",
        ),
        (errors.Unavailable("The connection to x broke."), False, "unreachable", "broke"),
    ],
)  # fmt: skip
def test_why_a_log_cannot_be_had_is_said_in_words(
    error: errors.ClusterError, previous: bool, state: str, words: str
) -> None:
    trouble = explain(error, Target("u", "web", "app", node="node-1"), previous=previous)
    assert trouble.state == state
    assert words in trouble.text


def test_a_previous_run_whose_log_is_gone_has_been_all_the_same() -> None:
    error = errors.BadInput('previous terminated container "app" in pod "web" not found')
    trouble = explain(error, Target("u", "web", "app", node="node-1", previous=True), previous=True)
    assert trouble.text == "Node node-1 no longer has the log of the previous run"


@pytest.mark.parametrize(
    "said",
    [
        b"unable to retrieve container logs for containerd://ff1088cb933fb1e20cf83fe48dd0d5abe96ed0a3343e4ecc2c6c670f7440502b",
        b'failed to try resolving symlinks in path "/var/log/pods/lab_once_f4/app/1.log": '
        b"lstat /var/log/pods/lab_once_f4/app/1.log: no such file or directory",
    ],
)
async def test_a_file_that_is_gone_is_no_line_of_a_log(said: bytes) -> None:
    """A kubelet says it with status 200, in the place of lines."""
    had = []

    @asynccontextmanager
    async def stream(*_: object, **__: object) -> AsyncIterator[Batches]:
        async def batches() -> Batches:
            yield [b"2026-11-30T19:31:00Z before", said]

        yield batches()

    async with open_log(SimpleNamespace(stream=stream), "lab", "once", "app", {}) as found:  # type: ignore[arg-type]
        with pytest.raises(LogGone):
            async for batch in found:
                had += batch
    assert had == [b"2026-11-30T19:31:00Z before"]
