"""Filter, sort, window and counts over rows; the address of a view."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.kinds.base import Cell, Row
from dashboard.kinds.rows import SORTED_LETTERS, natural
from dashboard.kinds.usage import Use
from dashboard.live.screens.rowparts import row_part
from dashboard.queries import kindrows
from dashboard.queries.access import Visible
from dashboard.queries.lists import (
    LONGEST_KEY,
    MAX_COLUMNS,
    ByUse,
    ListQuery,
    cell,
    check_choice,
    listing,
    measured_columns,
    shown_columns,
)
from dashboard.queries.seenreader import SeenReader
from dashboard.queries.selections import Selecting, Selection
from tests.unit.live import seen

PODS = KINDS["pods"]


def row(name: str, state: str = "ok", namespace: str = "shop", **labels: str) -> Row:
    words = "\n".join([namespace, name, *(f"{key}={value}" for key, value in labels.items())])
    cells = tuple(Cell(name) for _ in range(10))
    return Row(
        uid=f"uid-{name}",
        namespace=namespace,
        name=name,
        resource_version="1",
        cells=cells,
        state=state,
        reason="",
        labels=labels,
        search=words,
        sort=tuple(name for _ in cells),
    )


class Rows:
    def __init__(self, *rows: Row) -> None:
        self._rows = rows

    def rows(self, plural: str, namespaces: frozenset[str] | None, judged: frozenset[str]) -> list[Row]:
        return [row for row in self._rows if namespaces is None or row.namespace in namespaces]

    def select(self, plural: str, selecting: Selecting, judged: object) -> Selection:
        return Selection(selecting, self._rows)

    def states(
        self, plural: str, namespaces: frozenset[str] | None, judged: frozenset[str] = frozenset()
    ) -> Counter[str]:
        return Counter(row.state for row in self.rows(plural, namespaces, judged))


def whole(rows: Any) -> SeenReader:
    return SeenReader(rows, {"pods": Visible(), "nodes": Visible(), "events": Visible()})


def names(rows: Any, query: str, namespaces: frozenset[str] | None = None) -> list[str]:
    return [
        row.name
        for row in listing(whole(rows), PODS, ListQuery.read("pods", QueryDict(query)), namespaces).rows
    ]


WORLD = Rows(
    row("web-1", tier="front"),
    row("web-2", "bad", tier="front"),
    row("db-0", "info", namespace="data", tier="back"),
    row("job-x", "done", namespace="data"),
    row("cache", "warn"),
)


def test_the_worst_come_first_by_default() -> None:
    assert names(WORLD, "") == ["web-2", "cache", "db-0", "web-1", "job-x"]


def test_every_word_of_the_filter_must_be_there_in_any_case() -> None:
    assert names(WORLD, "q=WEB+front") == ["web-2", "web-1"]
    assert names(WORLD, "q=web+back") == []


def test_a_column_and_a_colon_ask_for_all_of_its_text() -> None:
    assert names(WORLD, "q=name:web-1") == ["web-1"]
    assert names(WORLD, "q=NODE:Web-1+front") == ["web-1"], "whatever the case, and with other words"
    assert names(WORLD, "q=name:web") == [], "a part of it is not it"
    assert names(WORLD, "q=tier:front") == [], "no column: words like all others"
    assert names(WORLD, "q=name:") == []


def test_one_of_several_selectors_is_enough() -> None:
    assert names(WORLD, "labels=tier%3Dback+or+tier%3Dfront&sort=name") == ["db-0", "web-1", "web-2"]


def test_labels_filter_as_kubectl_does() -> None:
    assert names(WORLD, "labels=tier+in+(back)") == ["db-0"]
    assert names(WORLD, "labels=tier!%3Dfront&sort=name") == ["cache", "db-0", "job-x"]


def test_a_broken_label_filter_says_what_is_wrong_and_shows_nothing() -> None:
    found = listing(whole(WORLD), PODS, ListQuery.read("pods", QueryDict("labels=tier+in+(")), None)
    assert found.label_error
    assert found.total == 0


def test_counts_are_those_before_a_chip_is_chosen() -> None:
    found = listing(whole(WORLD), PODS, ListQuery.read("pods", QueryDict("state=need")), None)
    assert [row.name for row in found.rows] == ["web-2"]
    assert found.counts == {"need": 1, "look": 1, "changing": 1, "fine": 1, "done": 1}
    assert found.total == 1


def test_sort_both_ways_and_equal_cells_by_name() -> None:
    assert names(WORLD, "sort=name") == ["cache", "db-0", "job-x", "web-1", "web-2"]
    assert names(WORLD, "sort=-name")[0] == "web-2"
    assert names(WORLD, "sort=namespace") == ["db-0", "job-x", "cache", "web-1", "web-2"]


def test_pages_of_a_hundred_and_a_page_past_the_end_is_the_last() -> None:
    many = Rows(*(row(f"p{number:03}") for number in range(230)))
    found = listing(whole(many), PODS, ListQuery.read("pods", QueryDict("sort=name&page=2")), None)
    assert (found.first, found.last, found.total, found.pages) == (101, 200, 230, 3)
    last = listing(whole(many), PODS, ListQuery.read("pods", QueryDict("sort=name&page=9")), None)
    assert (last.page, last.first, last.last) == (3, 201, 230)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=²", "page"),
        ("sort=colour", "sort"),
        ("sort=label:", "sort"),
        ("columns=name,colour", "columns"),
        ("columns=label:a b", "columns"),
        ('columns=label:"><b>', "columns"),
        ("state=odd", "state"),
    ],
)
def test_what_an_address_cannot_ask_for_is_named(query: str, field: str) -> None:
    with pytest.raises(BadInput) as raised:
        ListQuery.read("pods", QueryDict(query)).check(PODS)
    assert raised.value.field == field


def test_an_address_says_only_what_is_not_default_and_reads_back() -> None:
    query = ListQuery.read("pods", QueryDict("q=a+b&namespace=y&namespace=x&page=1&sort=-age&labels=a%3Db"))
    text = query.url_query()
    assert text == "?namespace=x&namespace=y&q=a+b&labels=a%3Db&sort=-age"
    assert ListQuery.read("pods", QueryDict(text[1:])) == query


def test_namespaces_and_labels_sort_as_people_count() -> None:
    rows = Rows(
        *(row(f"p{n}", namespace=f"team-{n}", rank=f"v{n}") for n in (10, 9, 2)),
        row("none", namespace="team-1"),
    )
    assert names(rows, "sort=namespace") == ["none", "p2", "p9", "p10"]
    assert names(rows, "sort=label:rank") == ["p2", "p9", "p10", "none"]


def test_chosen_columns_stand_in_the_usual_order_with_the_name_and_labels_last() -> None:
    chosen = ListQuery.read("pods", QueryDict("columns=label:example.com/tier,node,ready,nonsense")).chosen
    shown = shown_columns(PODS, chosen)
    assert [column.key for column in shown] == ["name", "ready", "node", "label:example.com/tier"]
    assert not any(column.wide for column in shown)
    assert shown[-1].title == "tier"
    assert cell(row("a", **{"example.com/tier": "front"}), shown[-1]).text == "front"
    assert cell(row("b"), shown[-1]).text == "<none>"


def test_without_a_choice_the_columns_are_kubectls_with_the_namespace_after_the_name() -> None:
    assert [column.key for column in shown_columns(PODS)][:3] == ["name", "namespace", "ready"]


def test_an_address_says_its_own_columns_and_not_those_remembered() -> None:
    own = ListQuery.read("pods", QueryDict("columns=ready,node&remembered=age"))
    assert own.chosen == ("ready", "node")
    assert own.url_query() == "?columns=ready%2Cnode"
    remembered = ListQuery.read("pods", QueryDict("remembered=age"))
    assert remembered.chosen == ("age",)
    assert remembered.url_query() == ""
    assert remembered != ListQuery.read("pods", QueryDict(""))


def test_a_column_that_is_gone_sorts_as_if_none_were_said() -> None:
    assert names(WORLD, "sort=gone") == names(WORLD, "")


# --- What kubectl top measures


def measured(rows: Any, query: str, **uses: float) -> list[str]:
    found = listing(
        whole(rows),
        PODS,
        ListQuery.read("pods", QueryDict(query)),
        None,
        by_use=ByUse(query, lambda row: Use(uses[row.name], 0.0) if row.name in uses else None),
    )
    return [row.name for row in found.rows]


def test_rows_sort_by_what_they_use_and_the_unmeasured_stand_below_nought() -> None:
    rows: Any = Rows(row("a"), row("b"), row("c"))
    assert measured(rows, "sort=-cpu", b=0.5, c=0.0) == ["b", "c", "a"]
    assert measured(rows, "sort=cpu", b=0.5, c=0.0) == ["a", "c", "b"]


def test_only_what_is_measured_can_be_sorted_by_it() -> None:
    with pytest.raises(BadInput):
        ListQuery.read("deployments", QueryDict("sort=cpu")).check(KINDS["deployments"])
    ListQuery.read("pods", QueryDict("sort=-cpu&columns=memory")).check(PODS)


def test_measured_columns_are_on_screen_before_the_wide_ones_and_not_kubectl_gets() -> None:
    kind = KINDS["pods"]
    keys = [column.key for column in measured_columns(kind, shown_columns(kind))]
    assert keys[keys.index("age") + 1 : keys.index("ip")] == ["cpu", "memory"]
    assert not {"cpu", "memory"} & {column.key for column in kind.columns}
    assert measured_columns(KINDS["services"], KINDS["services"].columns) == KINDS["services"].columns


def test_measured_columns_are_chosen_like_others_and_never_taken_away() -> None:
    chosen = ("memory", "label:app", "ready")
    shown = shown_columns(PODS, chosen, measured=True)
    assert [column.key for column in shown] == ["name", "ready", "memory", "label:app"]
    assert [column.key for column in shown_columns(PODS, chosen)] == ["name", "ready", "label:app"]


def test_a_rows_hash_leaves_out_what_is_measured() -> None:
    timeline = SimpleNamespace(changed_at=lambda uid: None)
    runtime: Any = SimpleNamespace(cluster=SimpleNamespace(slug="sandbox"), kinds=KINDS, timeline=timeline)
    columns = measured_columns(KINDS["pods"], KINDS["pods"].columns)
    parts = [
        row_part(runtime, "pods", row("a"), columns, {"cpu": f"{use}m", "memory": "1Mi"}) for use in (1, 2)
    ]
    assert parts[0].hash == parts[1].hash
    assert '<td data-col="cpu" class="num" data-quiet>1m</td>' in parts[0].html


def event(name: str, kind: str, reason: str, target: str) -> Row:
    """A row of an Event: last seen, type, reason, object, …"""
    texts = ["", kind, reason, target, "", "", "", "", "1", name]
    return msgspec.structs.replace(row(name), cells=tuple(Cell(text) for text in texts), sort=(0.0,) * 10)


EVENTS = Rows(
    event("a", "Warning", "BackOff", "pod/web-1"),
    event("b", "Normal", "Started", "pod/web-1"),
    event("c", "Warning", "FailedMount", "pod/db-0"),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=warning", ["a", "c"]),
        ("type=Warning&object=pod/web", ["a"]),
        ("reason=start", ["b"]),
        ("object=node", []),
    ],
)
def test_events_are_narrowed_by_type_reason_and_object(query: str, expected: list[str]) -> None:
    read = ListQuery.read("events", QueryDict(query))
    found = listing(whole(EVENTS), KINDS["events"], read, None)
    assert sorted(each.name for each in found.rows) == expected
    assert found.in_scope == 3
    assert ListQuery.read("events", QueryDict(read.url_query()[1:])) == read


def test_other_kinds_have_no_such_fields() -> None:
    assert ListQuery.read("pods", QueryDict("type=Warning")).match == ()


def test_a_page_of_very_many_digits_is_bad_input() -> None:
    with pytest.raises(BadInput) as raised:
        ListQuery.read("pods", QueryDict("page=" + "9" * 5000))
    assert raised.value.field == "page" and len(raised.value.message) < 100


def test_a_choice_of_columns_is_bounded() -> None:
    check_choice(["k" * LONGEST_KEY] + [f"c{number}" for number in range(MAX_COLUMNS - 1)])
    for keys in (["k" * (LONGEST_KEY + 1)], [f"c{number}" for number in range(MAX_COLUMNS + 1)]):
        with pytest.raises(BadInput) as raised:
            check_choice(keys)
        assert raised.value.field == "column"


async def test_rows_are_made_in_slices_and_the_loop_gets_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = seen.runtime()
    runtime.cache.put("pods", *({"metadata": {"name": f"web-{n}"}, "spec": {}} for n in range(100)))
    monkeypatch.setattr(kindrows, "SLICE_SECONDS", -1.0)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await runtime.reader.make_rows("pods")
    task.cancel()
    assert turns >= 99
    made = [runtime.reader.row("pods", pod) for pod in runtime.cache.store("pods").values(None)]
    await runtime.reader.make_rows("pods")
    again = [runtime.reader.row("pods", pod) for pod in runtime.cache.store("pods").values(None)]
    assert all(one is other for one, other in zip(made, again, strict=True))


def test_of_a_long_text_the_beginning_decides_where_it_stands() -> None:
    assert len(natural("error 17 " * 100_000)) < 2 * SORTED_LETTERS
