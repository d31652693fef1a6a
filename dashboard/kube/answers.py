"""What an API server answered, read. Anything may answer at its address: a page to sign in, a proxy, another service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from dashboard.errors import TooDeep, Unavailable

__all__ = ["read_answer", "read_object", "reading_answers"]


T = TypeVar("T")


@contextmanager
def reading_answers() -> Iterator[None]:
    """What is read within is an API server's answer: what can't be read as one raises Unavailable."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _strange() from error
    except RecursionError as error:
        raise TooDeep("This object is nested too deeply to be shown here.") from error


def read_answer(body: bytes, type_: type[T]) -> T:
    """The answer as a type. Raises Unavailable for what is none of an API server, TooDeep for one nested too deeply."""
    with reading_answers():
        return msgspec.json.decode(body, type=type_)


def read_object(body: bytes) -> dict[str, Any]:
    """The answer as an object, which has metadata at least. Raises as ``read_answer``."""
    found = read_answer(body, dict[str, Any])
    if not isinstance(found.get("metadata"), dict):
        raise _strange()
    return found


def _strange() -> Unavailable:
    return Unavailable(
        "The server at that address does not answer like an API server.",
        next_step="Check the server's address in the kubeconfig, and any proxy in front of the API server.",
    )
