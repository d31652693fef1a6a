"""What a reader does not see in what others wrote is marked as well where no template writes it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from dashboard.live.logfeed import LogFeed
from dashboard.queries.logs.backlog import Mark
from dashboard.shellconsumer import ShellConsumer
from dashboard.views.fields import _field


async def test_what_scripts_write_into_the_page_is_legible_too() -> None:
    """It goes through no template: answers about a shell, the state of a log, what a field is for."""
    told, shown = "no \u202eoot here", "no ⟨U+202E⟩oot here"
    said = list[str]()

    async def say(text: str) -> None:
        said.append(text)

    await ShellConsumer.tell(SimpleNamespace(say=say), "refused", text=told)  # type: ignore[arg-type]
    assert json.loads(said[0]) == {"t": "refused", "text": shown}
    feed: Any = SimpleNamespace(
        _sources={"k": SimpleNamespace(trouble=SimpleNamespace(state="none", text=told))},
        _left_out=0,
        _options=None,
    )
    assert LogFeed._note(feed) == shown
    assert LogFeed._item(feed, Mark(order=0, kind="end", text=told, count=0))["t"] == shown  # type: ignore[index]
    shape = SimpleNamespace(type="string", required=False, values=())
    row: Any = SimpleNamespace(name="a", shape=shape, description=told)
    field: Any = SimpleNamespace(
        path="spec", shape=shape, default="", format="", description=told, left_out=0, rows=(row,)
    )
    found = _field(field, (row,), 100)
    assert (found["description"], found["fields"][0]["description"]) == (shown, shown)
