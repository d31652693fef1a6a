"""The difference between two showings, applied as a browser applies it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.live.snapshot import FULL, MAX_FRAME, Chart, Have, Snapshot, frames, list_steps
from dashboard.render import Part


def part(text: str) -> Part:
    return Part(text, lambda: f"<li>{text}</li>")


def rows(**hashes: str) -> dict[str, Part]:
    return {key: part(value) for key, value in hashes.items()}


def applied(old: dict[str, str], steps: dict[str, Any]) -> dict[str, str]:
    """What a browser has after it applied the steps: remove, then put each row after the named one."""
    order = [key for key in old if key not in steps.get("rm", [])]
    content = {key: old[key] for key in order}
    for key, digest, html, after in steps.get("up", []):
        if html is None:
            assert content[key] == digest, "a move without HTML needs the row as it is"
        content[key] = digest
        if key in order:
            order.remove(key)
        order.insert(0 if after is None else order.index(after) + 1, key)
    return {key: content[key] for key in order}


@given(
    st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from("123")),
    st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from("123")),
    st.randoms(use_true_random=False),
)
def test_the_steps_turn_any_list_into_any_other(
    old: dict[str, str], new: dict[str, str], random: Any
) -> None:
    shuffled = list(new.items())
    random.shuffle(shuffled)
    target = dict(shuffled)
    result = applied(old, list_steps(old, {key: part(value) for key, value in target.items()}))
    assert list(result.items()) == list(target.items())


def test_one_changed_row_touches_one_row() -> None:
    old = {f"row-{n}": "1" for n in range(100)}
    new = {key: part("2" if key == "row-50" else "1") for key in old}
    steps = list_steps(old, new)
    assert list(steps) == ["up"]
    assert [step[0] for step in steps["up"]] == ["row-50"]


def test_a_row_that_moves_up_moves_alone() -> None:
    old = dict.fromkeys("abcde", "1")
    assert list_steps(old, rows(e="1", a="1", b="1", c="1", d="1")) == {"up": [["e", "1", None, None]]}


def test_nothing_different_makes_an_empty_body() -> None:
    snapshot = Snapshot(
        regions={"head": part("x")}, lists={"rows": rows(a="1")}, charts={"c": Chart("1", {})}, title="Pods"
    )
    assert frames(snapshot.have, snapshot) == ()


def test_a_frame_names_only_what_differs_and_carries_its_hash() -> None:
    before = Snapshot(regions={"head": part("x"), "fresh": part("1")}, lists={"rows": rows(a="1", b="1")})
    after = Snapshot(regions={"head": part("x"), "fresh": part("2")}, lists={"rows": rows(b="2")})
    (frame,) = frames(before.have, after)
    body = json.loads("{" + frame + "}")
    assert body == {
        "regions": {"fresh": ["2", '<li data-h="2">2</li>']},
        "lists": {"rows": {"rm": ["a"], "up": [["b", "2", '<li data-h="2">2</li>', None]]}},
    }


def test_what_a_browser_says_in_a_wrong_shape_counts_as_not_there() -> None:
    for nonsense in (None, 3, [], {"lists": 5, "regions": [1]}, {"lists": {"rows": [["a"], 7, None]}}):
        have = Have.read(nonsense)
        assert not have.regions
        assert not any(have.lists.values())


def large(count: int, size: int) -> dict[str, Part]:
    return {f"row-{at}": Part(str(at), lambda: "<i>" + "ü" * (size // 2) + "</i>") for at in range(count)}


def test_what_is_too_much_for_a_frame_comes_in_several() -> None:
    now = Snapshot(regions=large(3, 150_000), lists={"rows": large(200, 10_000)}, title="t")
    found = frames(Have(lists={"rows": {"old": "1", "row-7": "0"}}), now)
    assert all(len(body.encode()) < MAX_FRAME for body in found)
    bodies = [json.loads("{" + body + "}") for body in found]
    assert len(bodies) > 5
    assert {key for body in bodies for key in body.get("regions", {})} == now.regions.keys()
    content = {"old": "1", "row-7": "0"}
    for body in bodies:
        content = applied(content, body.get("lists", {}).get("rows", {}))
    assert list(content) == list(now.lists["rows"])
    assert not any("http" in body for body in bodies)
    assert all(
        len(body.encode()) < FULL + 4096 or list(map(len, members.values())) == [1]
        for body, members in zip(found, bodies, strict=True)
    ), "only one part by itself makes a larger one"


def test_a_part_that_fits_no_frame_is_asked_for_over_http() -> None:
    now = Snapshot(regions={"huge": Part("1", lambda: "x" * MAX_FRAME), "small": part("a")})
    (body,) = (json.loads("{" + body + "}") for body in frames(Have(), now))
    assert body["http"] is True
    assert list(body["regions"]) == ["small"]
