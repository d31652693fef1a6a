"""The editors of a ConfigMap's form: of what is, or as somebody sent them, and the list that they are opened from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from dashboard.actions.configmap_editing import EditForm
from dashboard.actions.configmap_plan import Draft, Row
from dashboard.actions.configmap_values import Value, digest, size_words
from dashboard.actions.linetext import editable, normal
from dashboard.errors import NotFound
from dashboard.queries.keys import KeyWindow

from .draft import packed

# Up to this an editor stands open for every key; beyond it they are opened one at a time, from a list.
MAX_ALL_KEYS = 30
MAX_ALL_BYTES = 48 * 1024
MAX_OPEN_KEYS = 100  # in a form that comes back without scripts
MAX_SHORT = 200  # letters of a value that stands beside its name, on one line


def editors(form: EditForm, draft: Draft | None, opened: str = "") -> list[dict[str, Any]]:
    """The editors of the form: of what is, or as somebody sent them, so that nothing typed is lost; and of the key that
    is to be ``opened``.
    """
    if draft is None:
        shown = form.values if _all_at_once(form.values) else {opened} & {*form.values}
        return [_field(_row_now(key, form.values[key]), form.values, sent=False) for key in shown] + [
            blank_editor("new")
        ]
    rows = [row for row in draft.rows if row.was or row.name or row.text or row.upload is not None]
    fields = [_field(row, form.values, sent=True) for row in rows[:MAX_OPEN_KEYS]]
    if opened in form.values and all(row.was != opened for row in rows) and len(rows) < MAX_OPEN_KEYS:
        fields.append(_field(_row_now(opened, form.values[opened]), form.values, sent=False))
    taken = {row.id for row in draft.rows}
    blank = next(name for name in (f"new{at}" for at in range(len(taken) + 1)) if name not in taken)
    return [*fields, blank_editor(blank)]


def one_editor(form: EditForm, key: str) -> list[dict[str, Any]]:
    """The editor of one key. Raises NotFound when it is not there (any more)."""
    if key not in form.values:
        raise NotFound(
            f"There is no key {key[:300]}.", next_step="Somebody may have removed it: look at the list again."
        )
    return [_field(_row_now(key, form.values[key]), form.values, sent=False)]


def key_list(form: EditForm, draft: Draft | None, asked: Mapping[str, str]) -> dict[str, Any] | None:
    """The list that keys are opened from; None where all of them are open."""
    if _all_at_once(form.values):
        return None
    page = asked.get("go") or ("1" if asked.get("step") == "find" else asked.get("page", "1"))
    window = KeyWindow.of(form.values, {"q": asked.get("q", ""), "page": page})
    rows = {row.was: row for row in draft.rows} if draft is not None else {}
    keys = [
        {
            "name": name,
            "what": _what(form.values[name]),
            "mark": "" if name not in rows else "removed" if rows[name].delete else "open",
        }
        for name in window.names
    ]
    return {"window": window, "keys": keys}


def _all_at_once(values: Mapping[str, Value]) -> bool:
    """Whether all editors stand open from the beginning."""
    return len(values) <= MAX_ALL_KEYS and sum(len(one.content) for one in values.values()) <= MAX_ALL_BYTES


def _what(value: Value) -> str:
    size = size_words(len(value.content))
    return f"{size}, binary" if editable(value.content) is None else size


def _row_now(key: str, value: Value) -> Row:
    """The row of a key as it is. Its number comes from its name: keys opened one after the other never share one."""
    number = hashlib.sha256(key.encode()).hexdigest()[:12]
    return Row(id=number, was=key, base=digest(value.content), field=value.field, content=value.content)


def blank_editor(number: str) -> dict[str, Any]:
    return {
        "id": number,
        "row": number,
        "name": "",
        "was": "",
        "text": "",
        "lines": 1,
        "rows": 1,
        "new": True,
        "short": True,
    }


def _field(row: Row, now: Mapping[str, Value], *, sent: bool) -> dict[str, Any]:
    content = row.content
    if content is None and row.was in now and digest(now[row.was].content) == row.base:
        content = now[row.was].content
    text = editable(content) if content is not None else None
    if row.text is not None:
        text = row.text
    elif not row.was:
        text = ""
    shown = None if text is None else normal(text)
    return {
        "id": row.id,
        "row": f"{row.id} {row.field} {row.base} {row.was}" if row.was else row.id,
        "was": row.was,
        "name": row.was if row.name is None else row.name,
        "text": shown,
        "lines": line_count(shown or ""),
        "rows": min(18, (shown or "").count("\n") + 1),
        "short": shown is not None and "\n" not in shown.removesuffix("\n") and len(shown) <= MAX_SHORT,
        "size": size_words(len(content)) if content is not None else "",
        "base": packed(content) if content is not None and text is not None else "",
        "delete": row.delete,
        "upload": packed(row.upload) if row.upload is not None else "",
        "upload_size": size_words(len(row.upload)) if row.upload is not None else "",
        "sent": sent and any((row.text is not None, row.upload is not None, row.name is not None)),
        "new": not row.was,
    }


def line_count(text: str) -> int:
    """Lines as an editor counts them: an ending at the very end begins no further one."""
    return text.count("\n") + (not text.endswith("\n"))
