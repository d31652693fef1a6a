"""How much may be looked for at once. Each word is looked for in each row, so words are bounded as well as letters."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import QueryDict

from dashboard.errors import BadInput

MAX_LETTERS = 200
MAX_WORDS = 10
MAX_CHOSEN = 200  # of what an address may say again and again: namespaces, pods, containers


def text_of(params: Mapping[str, str], field: str) -> str:
    """A text out of an address, without space around it. Raises BadInput for more than can be meant."""
    text = params.get(field, "").strip()
    if len(text) > MAX_LETTERS:
        raise BadInput(f"{field} is {len(text):,} characters long: enter at most {MAX_LETTERS}.", field=field)
    return text


def chosen_of(params: QueryDict, field: str) -> tuple[str, ...]:
    """What a field that may be repeated says, in order and each once. Raises BadInput for more than can be meant."""
    chosen = sorted(set(params.getlist(field)) - {""})
    if len(chosen) > MAX_CHOSEN:
        raise BadInput(
            f"{field} is given {len(chosen):,} times: choose at most {MAX_CHOSEN}, or none for all.",
            field=field,
        )
    return tuple(chosen)


def words_of(params: Mapping[str, str], field: str, looked_for: int | None = None) -> str:
    """Words that must all be there, with one space between them; ``looked_for``: so many, where that is not all of them.
    Raises BadInput for more than can be meant.
    """
    words = text_of(params, field).split()
    count = len(words) if looked_for is None else looked_for
    if count > MAX_WORDS:
        raise BadInput(f"{field} has {count} words: enter at most {MAX_WORDS}.", field=field)
    return " ".join(words)
