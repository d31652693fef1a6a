"""What the page of clusters says of each: answers, does not, refuses, or was not asked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.errors import Unauthenticated, Unavailable
from dashboard.views import clusters as module

CLUSTER: Any = SimpleNamespace(name="c", slug="c", server="https://c", user="", source="", is_sandbox=False)
PERMIT: Any = SimpleNamespace(state="ask", words="")


async def entry(monkeypatch: pytest.MonkeyPatch, answer: Exception | float | None) -> dict[str, Any]:
    """``answer``: what a probe raises, or for how long it says nothing."""

    async def probe() -> None:
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(answer or 0)

    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(module, "source_words", lambda _: "")
    opened = SimpleNamespace(version="v1.36.3", probe=probe)
    monkeypatch.setattr(module, "runtime", SimpleNamespace(opened_as=lambda _: opened))
    return await module._entry(CLUSTER, PERMIT)


@pytest.mark.parametrize(
    ("answer", "words", "state", "version"),
    [
        (None, "Answers", "ok", "v1.36.3"),
        (60.0, "Does not answer", "bad", "v1.36.3 when it last answered"),
        (Unavailable("Connection refused"), "Does not answer", "bad", "v1.36.3 when it last answered"),
        (Unauthenticated("The token has expired."), "Refuses this account", "bad", "v1.36.3 when it last answered"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_old_is_told_as_old(
    monkeypatch: pytest.MonkeyPatch, answer: Exception | float | None, words: str, state: str, version: str
) -> None:
    found = await entry(monkeypatch, answer)
    assert (found["state_words"], found["state"], found["version"]) == (words, state, version)
    assert bool(found["trouble"]) is (answer is not None)
