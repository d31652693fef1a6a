"""What the page of clusters says of each: answers, does not, refuses, or was not asked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.errors import Unauthenticated, Unavailable
from dashboard.views import chrome, health, viewer
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


@pytest.mark.django_db(transaction=True)
async def test_a_context_of_the_settings_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    async def nowhere(*_: Any) -> None:
        return None

    settings.CLUSTER_UI_ACT_AS = {"": "installation", "prdo": "user"}
    known = SimpleNamespace(
        clusters=lambda: [CLUSTER], opened=lambda: (), opened_as=lambda _: None, tried=True
    )
    for each in (module, viewer, health):
        monkeypatch.setattr(each, "runtime", known)
    monkeypatch.setattr(module, "source_words", lambda _: "")
    monkeypatch.setattr(chrome, "_session", nowhere)
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    assert "CLUSTER_UI_ACT_AS names &#x27;prdo&#x27;" in (await client.get("/clusters/")).content.decode()
    ready = (await AsyncClient().get("/readyz")).json()
    assert "not there" in ready["settings"] and "prdo" not in str(ready)
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "c": "user"}
    assert "CLUSTER_UI_ACT_AS" not in (await client.get("/clusters/")).content.decode()
    assert (await AsyncClient().get("/readyz")).json()["settings"] == "ok"
