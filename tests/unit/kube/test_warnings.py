"""What the API server warns of, read from the headers of its answer."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from dashboard.kube.warnings import MAX_CHARACTERS, MAX_WARNINGS, warnings_of


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ([], ()),
        (['299 - "v1 is deprecated"'], ("v1 is deprecated",)),
        (['299 - "one"', '299 - "two"', '299 - "one"'], ("one", "two")),
        (['299 - "one, and more", 299 apiserver:6443 "two"'], ("one, and more", "two")),
        (['299 - "one" "Sat, 25 Aug 2012 23:34:45 GMT",299 - "two"'], ("one", "two")),
        ([r'299 - "level \"restricted:latest\" and C:\\x"'], (r'level "restricted:latest" and C:\x',)),
        (['110 cache "Response is stale", 299 - "one"'], ("one",)),
        (['299 - ""', '299 - " \t "'], ()),
        (['299 - "one", 299 "no agent"', "299 - unquoted", '299 - "open', "", "nonsense"], ("one",)),
        (['299 - "a\u202eb\tc\nd  e"'], ("a b c d e",)),
        ([b'299 - "caf\xc3\xa9 \xff"'.decode("utf-8", "surrogateescape")], ("café \ufffd",)),
    ],
)
def test_each_warning_is_read_once(sent: list[str], read: tuple[str, ...]) -> None:
    assert warnings_of(CIMultiDict([("Age", "1"), *(("warning", each) for each in sent)])) == read


def test_they_are_bounded_in_number_and_length() -> None:
    many = CIMultiDict([("Warning", f'299 - "{"long " * 300}{at}"') for at in range(MAX_WARNINGS + 3)])
    many.add("Warning", '299 - "short"')
    found = warnings_of(many, lambda texts: [f"{text[-2:]}{text}" for text in texts])
    assert len(found) == MAX_WARNINGS + 1 and found[-1] == "4 more warnings."
    assert {len(each) for each in found[:-1]} == {MAX_CHARACTERS} and found[0].endswith("…")


def test_what_nobody_may_see_is_taken_out_of_the_whole_text() -> None:
    text = f"{'x' * (MAX_CHARACTERS - 3)}hunter2"
    header = {"Warning": f'299 - "{text}"'}
    (found,) = warnings_of(header, lambda texts: [said.replace("hunter2", "(hidden)") for said in texts])
    assert "hu" not in found


def test_a_header_that_never_ends_is_read_at_once() -> None:
    assert warnings_of({"Warning": '299 - "' * 200_000}) == ()
